//! `explain`: why one Job is kept or purged, for people.

use std::io::{self, Write};

use super::words;
use crate::{
    job::{
        Job,
        family::{Family, Found, families},
        grouping::Grouping,
    },
    plan::{
        Plan, PlannedGroup,
        retention::{KeepReason, Policy, Verdict},
    },
    text::harmless,
    time,
};

/// Write the verdict on a Job of the plan and all that it rests on. `mark` says where its group was found, if that is
/// known.
///
/// # Errors
/// If the writer fails.
pub fn write(
    out: &mut dyn Write,
    plan: &Plan,
    (group, place): (&PlannedGroup, usize),
    policy: &Policy,
    mark: Option<&str>,
) -> io::Result<()> {
    let planned = &group.jobs[place];
    let job = &planned.job;
    let now = plan.taken_at;
    let age = |job: &Job| time::human(now.duration_since(job.created.timestamp()));
    let reasons = planned.verdict.reasons().join(", ");
    writeln!(
        out,
        "Job {}/{}: {} ({reasons})",
        harmless(&job.namespace),
        harmless(&job.name),
        planned.verdict.as_str(),
    )?;
    let values = match &plan.grouping {
        Grouping::Family => "its family alone (--group-by family)".to_owned(),
        grouping => words::group_values(grouping, &group.key),
    };
    let by = mark
        .map(|mark| format!(", by its {mark}"))
        .unwrap_or_default();
    writeln!(out, "  Group   {}{}", harmless(&values), harmless(&by))?;
    if let Some(family) = family(plan, job, policy) {
        writeln!(
            out,
            "  Family  {}, {}",
            harmless(&family.name),
            how(family.found)
        )?;
    }
    if let Some(mixed) = &group.mixed {
        let families = mixed.families.join(", ");
        writeln!(
            out,
            "          the group has {} families: {}",
            mixed.families.len(),
            harmless(&families)
        )?;
    }
    writeln!(
        out,
        "  Status  {}, created {} ago, at {}",
        job.status(),
        age(job),
        job.created
    )?;
    writeln!(
        out,
        "  Rank    {} of {}, the newest is 1",
        place + 1,
        group.jobs.len()
    )?;
    if place > 0 {
        let newest = &group.jobs[0].job;
        writeln!(
            out,
            "  Newest  {}, created {} ago",
            harmless(&newest.name),
            age(newest)
        )?;
    }
    match planned.verdict {
        Verdict::Skip(kept) => {
            writeln!(out, "What keeps it:")?;
            for reason in kept.iter() {
                writeln!(out, "  {}: {}", reason.as_str(), why(reason, group, policy))?;
                for claim in plan.claims_on(planned) {
                    if words::says(claim.says) == reason.as_str() {
                        let says = format!("{}, {}", claim.by, claim.says.why());
                        writeln!(out, "    {}", harmless(&says))?;
                    }
                }
            }
        }
        Verdict::Purge => {
            writeln!(out, "No rule keeps it. What would:")?;
            writeln!(out, "  newest: --keep {} or more", place + 1)?;
            let hours = now.duration_since(job.created.timestamp()).as_hours() + 1;
            writeln!(out, "  recent: --keep-within {hours}h or more")?;
            writeln!(
                out,
                "  protected: the annotation or label jobclean/keep: \"true\" on the Job"
            )?;
        }
    }
    Ok(())
}

/// The family of a Job, and how it was found: among all Jobs that have what its group has in common.
fn family<'a>(plan: &'a Plan, job: &Job, policy: &Policy) -> Option<Family<'a>> {
    let groups = &plan.groups[plan.groups_of(job)];
    let jobs = || {
        groups
            .iter()
            .flat_map(|group| &group.jobs)
            .map(|planned| &planned.job)
    };
    let place = jobs().position(|other| other == job)?;
    families(jobs(), policy.family.as_ref())
        .into_iter()
        .nth(place)
}

/// How a family was found, after a comma.
fn how(found: Found) -> &'static str {
    match found {
        Found::GenerateName => "which is its generateName",
        Found::ArgoHook => "since Argo CD named it as a hook",
        Found::OwnEnding => "which is its name without the ending of --family",
        Found::Endings => "which is its name without what was generated",
        Found::Neighbours => {
            "which is its name without an ending that its neighbours show to be generated"
        }
        Found::Siblings => {
            "which has a number in it: Jobs that differ in that number were created within a minute of each other"
        }
        Found::Name => "which is its whole name; --family takes an ending off",
    }
}

/// What a reason rests on, and the flag that would change it.
fn why(reason: KeepReason, group: &PlannedGroup, policy: &Policy) -> String {
    match reason {
        KeepReason::Newest if policy.keep.get() == 1 => {
            "it is the newest of its group, which always stays".to_owned()
        }
        KeepReason::Newest => format!(
            "it is one of the newest {} of its group; a smaller --keep changes that for all but the newest",
            policy.keep
        ),
        KeepReason::RecentSuccess => format!(
            "it is one of the newest {} Complete; --keep-succeeded",
            policy.keep_succeeded
        ),
        KeepReason::RecentFailure => format!(
            "it is one of the newest {} Failed; --keep-failed",
            policy.keep_failed
        ),
        KeepReason::Recent => "it was created within the time of --keep-within".to_owned(),
        KeepReason::RecentlySuperseded => {
            "it was one of the newest until lately; --keep-superseded-within".to_owned()
        }
        KeepReason::RecentlyFinished => "it finished lately; --keep-finished-within".to_owned(),
        KeepReason::Terminating => "it is being deleted already; no flag changes that".to_owned(),
        KeepReason::Protected => "a mark on the Job protects it; no flag changes that".to_owned(),
        KeepReason::Wanted => {
            "git or a release still has it, so that it would be made and run again; --gitops=ignore asks no tool"
                .to_owned()
        }
        KeepReason::Unsettled => {
            "the tool that manages it cannot say now whether it is wanted; --gitops=ignore asks no tool"
                .to_owned()
        }
        KeepReason::Active => {
            "it is not finished; --include-active judges it like any other".to_owned()
        }
        KeepReason::Owned => {
            "it has a controller; --include-owned judges it like any other".to_owned()
        }
        KeepReason::MixedGroup => match group.ways_out() {
            Some(ways) => format!(
                "its group has several families; --mixed-groups=split would purge {} of the group, merge {}",
                ways.split, ways.merge
            ),
            None => "its group has several families; --mixed-groups".to_owned(),
        },
    }
}
