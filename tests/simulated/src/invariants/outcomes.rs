//! What the report says.

use std::{collections::HashMap, sync::Arc, time::Duration};

use kubectl_jobclean::plan::{
    Plan,
    report::{Change, End, Outcome, Report},
};

use super::{Checked, Promise, must};
use crate::{
    faults::{Arrives, Fault},
    job::NAMESPACES,
    run::Said,
    store::By,
    world::{Phase, World},
};

/// Each Job that was to be purged has one outcome, and that is true.
pub(super) fn outcomes(world: &World, said: &Said, plan: &Plan, report: &Report) -> Checked {
    let purges: Vec<String> = plan.purges().map(|job| job.uid().to_string()).collect();
    let reports = [
        Some((report, said.reported)),
        said.waited.as_ref().map(|waited| (waited, said.ended)),
    ];
    for (report, at) in reports.into_iter().flatten() {
        let of_report: Vec<String> = report
            .plan
            .purges()
            .map(|job| job.uid().to_string())
            .collect();
        must(of_report == purges, Promise::OneOutcome, || {
            "it reports another plan".to_owned()
        })?;
        let (have, want) = (report.outcomes.len(), purges.len());
        must(have == want, Promise::OneOutcome, || {
            format!("{have} outcomes of {want} Jobs")
        })?;
        for (job, outcome) in plan.purges().zip(&report.outcomes) {
            let is_true = is_true(world, job, outcome, at);
            must(is_true, Promise::TrueOutcome, || {
                let fate = world.store.fate(&job.uid().to_string());
                format!("{} is not {outcome:?} at {at:?}: {fate:?}", job.name())
            })?;
        }
    }
    let mut settled: HashMap<&str, &Outcome> = HashMap::new();
    for (uid, outcome) in &said.settled {
        must(
            settled.insert(uid, outcome).is_none(),
            Promise::OneOutcome,
            || format!("{uid} is settled twice"),
        )?;
    }
    for (uid, outcome) in purges.iter().zip(&report.outcomes) {
        let said = settled.remove(&**uid);
        must(
            said.is_none_or(|said| said == outcome),
            Promise::OneOutcome,
            || format!("{uid} was settled as {said:?} and reported as {outcome:?}"),
        )?;
    }
    must(settled.is_empty(), Promise::OneOutcome, || {
        format!("settled without a plan: {settled:?}")
    })?;
    if let Some((before, waited)) = said.report.as_ref().zip(said.waited.as_ref()) {
        for (before, after) in before.outcomes.iter().zip(&waited.outcomes) {
            let may_become = match before {
                Outcome::Terminating | Outcome::Deleted => after.is_purged(),
                Outcome::Gone => matches!(after, Outcome::Gone | Outcome::Terminating),
                other => other == after,
            };
            must(may_become, Promise::TrueOutcome, || {
                format!("{before:?} became {after:?}")
            })?;
        }
        let all_gone = waited
            .waited
            .as_ref()
            .is_some_and(|waited| waited.end == End::AllGone);
        let left = waited.outcomes.contains(&Outcome::Terminating);
        must(!(all_gone && left), Promise::TrueOutcome, || {
            "not all are gone".to_owned()
        })?;
    }
    Ok(())
}

/// Whether that is what became of a Job at this time.
fn is_true(
    world: &World,
    job: &kubectl_jobclean::job::Job,
    outcome: &Outcome,
    at: Duration,
) -> bool {
    let uid = job.uid().to_string();
    let fate = world.store.fate(&uid);
    let began = fate.is_some_and(|fate| fate.began.0 <= at);
    let is_gone = fate
        .and_then(|fate| fate.gone)
        .is_some_and(|gone| gone <= at);
    // Whether the tool did it, and no answer has misled it about that.
    let is_ours = fate.is_some_and(|fate| match fate.began.1 {
        By::Other => false,
        By::Tool(number) => !matches!(
            world.log[number].fault,
            Some(Fault::Twice | Fault::Wrong(Arrives::Yes) | Fault::Page(Arrives::Yes))
        ),
    });
    // Others may have done it after a delete that had no answer: then it is taken for ours.
    let may_be_ours = || {
        let mut deletes = world.deletes();
        deletes.any(|(number, sent, delete)| {
            let is_in_doubt = !matches!(sent.fault, None | Some(Fault::Refused | Fault::Denied));
            let is_by_this = fate.is_some_and(|fate| fate.began.1 == By::Tool(number));
            delete.body.uid.as_ref() == Some(&uid) && (is_in_doubt || is_by_this)
        })
    };
    let was_sent = || {
        let mut deletes = world.deletes();
        deletes.any(|(_, sent, delete)| {
            delete.body.uid.as_ref() == Some(&uid) && sent.arrived.is_some()
        })
    };
    match outcome {
        Outcome::Deleted => is_gone && may_be_ours() && !world.setup.is_dry,
        // A wait finds what others have begun to delete, too.
        Outcome::Terminating => {
            began && !world.setup.is_dry && (may_be_ours() || world.phase == Phase::Waiting)
        }
        Outcome::Gone => began && !is_ours,
        Outcome::WouldDelete => world.setup.is_dry && was_sent(),
        // Not only out of sight.
        Outcome::Changed(Change::Relabelled) => {
            let labels = |job: &Arc<crate::job::Job>| (job.app, world.rules.takes(job));
            let mut versions = world.store.versions_of(&uid).map(labels);
            let first = versions.next();
            !is_ours && versions.any(|labels| Some(labels) != first)
        }
        Outcome::Changed(_) => !is_ours,
        Outcome::NotAttempted => !was_sent(),
        Outcome::Failed(_) => true,
        Outcome::Recreated(_) => {
            let key = NAMESPACES.iter().find(|known| **known == job.namespace());
            let key = key.map(|namespace| (*namespace, Arc::from(job.name())));
            is_gone && key.is_some_and(|key| world.store.had_other(&key, &uid))
        }
    }
}
