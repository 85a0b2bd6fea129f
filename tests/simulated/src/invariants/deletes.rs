//! What was deleted, and how often it was tried.

use std::{collections::HashMap, sync::Arc, time::Duration};

use kubectl_jobclean::plan::Plan;

use super::{Broken, Checked, Promise, must, snapshot, used};
use crate::{
    asked::Delete,
    faults::Fault,
    job::Job,
    world::{Phase, Sent, World},
};

/// What was deleted was to be deleted, as it was.
pub(super) fn deleted(world: &World, plan: &Plan, base: i64) -> Checked {
    let planned_in: u64 = plan.resource_version.parse().unwrap_or(0);
    let before = snapshot(world, planned_in, Phase::Planning);
    let purges: HashMap<String, &kubectl_jobclean::job::Job> = plan
        .purges()
        .map(|job| (job.uid().to_string(), job))
        .collect();
    for (_, sent, delete) in world.deletes() {
        let name = &delete.key.1;
        let uid = delete.body.uid.as_deref().unwrap_or_default();
        let shown = purges
            .get(uid)
            .filter(|job| *job.namespace() == *delete.key.0 && *job.name() == **name);
        must(shown.is_some(), Promise::OnlyPlanned, || {
            format!("{name} ({uid}) was not to be purged")
        })?;
        let Some(again) = used(world, Phase::Purging).filter(|given| given.version > 0) else {
            return Err(Broken::new(
                Promise::NoOldList,
                "nothing was listed again".to_owned(),
            ));
        };
        must(again.version >= planned_in, Promise::NoOldList, || {
            format!(
                "the plan is of version {planned_in}, and {} was listed after",
                again.version
            )
        })?;
        let Some(job) = &sent.deleted else { continue };
        must(!world.setup.is_dry, Promise::DryRun, || {
            format!("{name} was deleted")
        })?;
        must(
            *job.uid == *uid && job.key() == delete.key,
            Promise::OnlyPlanned,
            || format!("{name} was deleted as {}, and {uid} was meant", job.uid),
        )?;
        let was = before.iter().find(|was| was.uid == job.uid);
        let is_there = |jobs: &[Arc<Job>]| {
            jobs.iter().any(|other| {
                other.uid == job.uid && other.app == job.app && world.rules.takes(other)
            })
        };
        let mut now = snapshot(world, again.version, Phase::Purging);
        let was_there = was.is_some() && is_there(&before) && is_there(&now);
        for other in &mut now {
            if other.uid == job.uid {
                *other = Arc::clone(job);
            }
        }
        let clock = again
            .date
            .unwrap_or(i64::MAX)
            .min(base + 60)
            .saturating_add(5);
        must(
            !world.rules.is_newest(&now, uid),
            Promise::NewestStays,
            || format!("{name} was deleted: {job:?}"),
        )?;
        must(
            was_there && !world.rules.keeps_by_itself(job) && world.rules.takes(job),
            Promise::StillSuperseded,
            || format!("{name} was deleted: {job:?}; planned: {was:?}"),
        )?;
        let still = world
            .rules
            .purges(&now, clock)
            .iter()
            .any(|still| **still == *uid);
        must(still, Promise::StillSuperseded, || {
            format!("{name} was deleted, and is kept by others: {job:?}")
        })?;
        keepers(world, job, &before, &now)?;
    }
    Ok(())
}

/// Those that were to stay as the newest of its group were there when the Jobs were listed again.
fn keepers(world: &World, job: &Job, before: &[Arc<Job>], now: &[Arc<Job>]) -> Checked {
    let group = |other: &Job| (other.namespace, other.app) == (job.namespace, job.app);
    for keeper in before.iter().filter(|keeper| group(keeper)) {
        if !world.rules.is_newest(before, &keeper.uid) {
            continue;
        }
        let stays = now.iter().any(|other| {
            other.uid == keeper.uid
                && group(other)
                && world.rules.takes(other)
                && other.deleted.is_none()
        });
        must(stays, Promise::KeeperStays, || {
            format!("{} was deleted, though {} had gone", job.name, keeper.name)
        })?;
    }
    Ok(())
}

/// How often a Job is tried, and when.
pub(super) fn tries(world: &World) -> Checked {
    let mut of_job: HashMap<&str, Vec<(&Sent, &Delete)>> = HashMap::new();
    for (_, sent, delete) in world.deletes() {
        let uid = delete.body.uid.as_deref().unwrap_or_default();
        of_job.entry(uid).or_default().push((sent, delete));
    }
    for tries in of_job.values() {
        let count = tries.len();
        must(count <= 64, Promise::BoundedTries, || {
            format!("{} left {count} times", tries[0].1.key.1)
        })?;
        for pair in tries.windows(2) {
            let ((sent, delete), (next, again)) = (pair[0], pair[1]);
            let (Some(answer), Some(delivered)) = (&sent.answer, sent.delivered) else {
                continue;
            };
            let is_true = sent.fault.is_none_or(Fault::leaves_answer);
            let is_final = match answer.status {
                409 => delete.body.version == again.body.version,
                429 | 500..=504 => false,
                _ => true,
            };
            must(!(is_true && is_final), Promise::Settled, || {
                format!("{} left again after {}", delete.key.1, answer.status)
            })?;
            let asked = Duration::from_secs(answer.retry_after.unwrap_or(0).min(30));
            must(next.at >= delivered + asked, Promise::RetryAfter, || {
                format!(
                    "{} left again after {:?} of {asked:?}",
                    delete.key.1,
                    next.at - delivered
                )
            })?;
        }
    }
    Ok(())
}
