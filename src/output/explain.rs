//! `explain`: why one Job is kept or purged, for people.

use std::{
    borrow::Cow,
    io::{self, Write},
};

use super::words::{self, SetBy};
use crate::{
    job::{
        Job,
        family::{Family, Found, families},
        grouping::Grouping,
    },
    plan::{
        Plan, PlannedGroup,
        retention::{KeepReason, Policy, Verdict},
        rules::{Retention, Ruling},
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
    let age = |job: &Job| time::human(now.duration_since(job.created().timestamp()));
    let reasons = planned.verdict.reasons().join(", ");
    writeln!(
        out,
        "Job {}/{}: {} ({reasons})",
        harmless(job.namespace()),
        harmless(job.name()),
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
    if let Some(rule) = plan.rule_of(job) {
        let several = match group.rule() {
            Some(_) => "",
            None => "; Jobs of its group have others, and what any of these keeps is kept",
        };
        writeln!(out, "  Rule    {}{several}", harmless(&rule))?;
    }
    writeln!(
        out,
        "  Status  {}, created {} ago, at {}",
        job.status(),
        age(job),
        job.created()
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
            harmless(newest.name()),
            age(newest)
        )?;
    }
    let by_rule = match &plan.rules {
        None => vec![(Setting::Flag, planned.verdict)],
        Some(rules) => {
            let unjudged = group.clone().unjudged();
            let mixed = policy.mixed_groups(&plan.grouping);
            let by_rule = policy.judge_by_rule(&unjudged, mixed, &plan.claims, now);
            let rules = by_rule.into_iter().map(|(rule, verdicts)| {
                let (name, ruling) = (rules.name(rule), policy.ruling(rule));
                (Setting::Rule(name, ruling), verdicts[place])
            });
            rules.collect()
        }
    };
    match planned.verdict {
        Verdict::Skip(_) => writeln!(out, "What keeps it:")?,
        Verdict::Purge => writeln!(out, "No rule keeps it. What would:")?,
    }
    for (setting, verdict) in &by_rule {
        let indent = match setting {
            Setting::Flag => "  ",
            Setting::Rule(name, _) => {
                writeln!(out, "  under {}:", harmless(name))?;
                "    "
            }
        };
        match verdict {
            Verdict::Skip(kept) => {
                for reason in kept.iter() {
                    let is_held_there = plan.claims.holders.hold(job.namespace());
                    let why = match reason {
                        KeepReason::Held if is_held_there => {
                            "its Namespace has the annotation or label jobclean/keep".to_owned()
                        }
                        _ => why(reason, group, policy, setting),
                    };
                    writeln!(out, "{indent}{}: {why}", reason.as_str())?;
                    for claim in plan.claims_on(planned) {
                        if words::says(claim.says) == reason.as_str() {
                            let says = format!("{}, {}", claim.by, claim.says.why());
                            writeln!(out, "{indent}  {}", harmless(&says))?;
                        }
                    }
                }
            }
            Verdict::Purge if !planned.verdict.is_purge() => writeln!(out, "{indent}nothing")?,
            Verdict::Purge => {
                let colon = match setting {
                    Setting::Flag => "",
                    Setting::Rule(..) => ":",
                };
                let keep = setting.name("keep");
                writeln!(out, "{indent}newest: {keep}{colon} {} or more", place + 1)?;
                let hours = now.duration_since(job.created().timestamp()).as_hours() + 1;
                let within = setting.name("keep-within");
                writeln!(out, "{indent}recent: {within}{colon} {hours}h or more")?;
            }
        }
    }
    if planned.verdict.is_purge() {
        writeln!(
            out,
            "  protected: the annotation or label jobclean/keep: \"true\" on the Job"
        )?;
    }
    Ok(())
}

/// Where what is kept is set.
enum Setting<'a> {
    /// By flags.
    Flag,
    /// Under a rule of a policy, which is called this and rules this.
    Rule(Cow<'a, str>, Ruling),
}

impl Setting<'_> {
    fn set(&self) -> SetBy {
        match self {
            Setting::Flag => SetBy::Flags,
            Setting::Rule(..) => SetBy::Policy,
        }
    }

    /// What a flag is called there.
    fn name(&self, flag: &str) -> String {
        self.set().name(flag)
    }

    /// A flag with a value.
    fn with(&self, flag: &str, value: &str) -> String {
        self.set().to(flag, value)
    }

    fn kept(&self, policy: &Policy) -> Retention {
        match self {
            Setting::Rule(_, Ruling::Keep(kept)) => *kept,
            Setting::Rule(_, Ruling::Hold) => Retention::LEAST,
            Setting::Flag => policy.defaults,
        }
    }
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

/// What a reason rests on, and the flag or field that would change it.
fn why(reason: KeepReason, group: &PlannedGroup, policy: &Policy, setting: &Setting<'_>) -> String {
    let kept = setting.kept(policy);
    match reason {
        KeepReason::Newest if kept.keep.get() == 1 => {
            "it is the newest of its group, which always stays".to_owned()
        }
        KeepReason::Newest => format!(
            "it is one of the newest {} of its group; a smaller {} changes that for all but the newest",
            kept.keep,
            setting.name("keep")
        ),
        KeepReason::RecentSuccess => format!(
            "it is one of the newest {} Complete; {}",
            kept.keep_succeeded,
            setting.name("keep-succeeded")
        ),
        KeepReason::RecentFailure => format!(
            "it is one of the newest {} Failed; {}",
            kept.keep_failed,
            setting.name("keep-failed")
        ),
        KeepReason::Recent => format!(
            "it was created within the time of {}",
            setting.name("keep-within")
        ),
        KeepReason::RecentlySuperseded => format!(
            "it was one of the newest until lately; {}",
            setting.name("keep-superseded-within")
        ),
        KeepReason::RecentlyFinished => format!(
            "it finished lately; {}",
            setting.name("keep-finished-within")
        ),
        KeepReason::Terminating => "it is being deleted already; no flag changes that".to_owned(),
        KeepReason::Protected => "a mark on the Job protects it; no flag changes that".to_owned(),
        KeepReason::Held => "the policy holds all Jobs of its group".to_owned(),
        KeepReason::Wanted => format!(
            "git or a release still has it, so that it would be made and run again; {} asks no tool",
            setting.with("gitops", "ignore")
        ),
        KeepReason::Unsettled => format!(
            "the tool that manages it cannot say now whether it is wanted; {} asks no tool",
            setting.with("gitops", "ignore")
        ),
        KeepReason::Active => format!(
            "it is not finished; {} judges it like any other",
            setting.name("include-active")
        ),
        KeepReason::Owned => format!(
            "it has a controller; {} judges it like any other",
            setting.name("include-owned")
        ),
        KeepReason::MixedGroup => match group.ways_out() {
            Some(ways) => format!(
                "its group has several families; {} would purge {} of the group, merge {}",
                setting.with("mixed-groups", "split"),
                ways.split,
                ways.merge
            ),
            None => format!(
                "its group has several families; {}",
                setting.name("mixed-groups")
            ),
        },
    }
}
