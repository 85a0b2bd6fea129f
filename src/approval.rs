//! What of a plan may be carried out: each Job that was shown, as long as it is still that Job and still superseded.
//!
//! A question may stand for an hour, and a conflict may tell that a Job was touched a moment ago. Then what was shown
//! is held against what is there now. Nothing ever joins a plan that a person has approved; it can only lose Jobs.

use std::collections::HashMap;

use crate::{
    group::{Group, GroupKey},
    job::{Deletion, Job},
    outcome::{Change, Outcome},
    plan::{Plan, PlannedGroup},
    retention::{KeepReason, Policy, Verdict},
};

/// A plan that may be carried out, and what is to be done about each of its purges.
#[derive(Debug)]
pub struct Approved {
    plan: Plan,
    policy: Policy,
    /// A later reading, if there was one; verdicts then rest on it.
    fresh: Option<Plan>,
    /// One for each of [`Plan::purges`], in its order.
    targets: Vec<Target>,
}

/// What is to be done about a Job that was to be purged.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Target {
    /// Delete it as it was planned.
    AsPlanned,
    /// Delete it in the version that it has now.
    Newer(Box<Job>),
    /// Read it again, since it was not among the others any more: it may be gone, or relabelled.
    Reread,
    /// Nothing: it is settled already.
    Settled(Box<Outcome>),
}

/// What is to be done about a Job that has been read again.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Rejudged {
    /// Delete it in this version.
    Delete(Job),
    /// Nothing: it is settled.
    Settled(Outcome),
}

/// What a single Job is found to be when it is read again.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Reread {
    /// There is none of that name.
    Absent,
    /// There is one, but not with the labels that were asked for.
    NotSelected,
    /// There is one.
    Found(Job),
}

impl Approved {
    /// Approve a plan that has only just been made.
    pub fn as_planned(plan: Plan, policy: Policy) -> Approved {
        let targets = plan.purges().map(|_| Target::AsPlanned).collect();
        Approved {
            plan,
            policy,
            fresh: None,
            targets,
        }
    }

    /// Approve what of a plan still holds by a later plan of the same Jobs.
    pub fn rechecked(plan: Plan, fresh: Plan, policy: Policy) -> Approved {
        let groups: HashMap<(&GroupKey, Option<&str>), &PlannedGroup> = fresh
            .groups
            .iter()
            .map(|group| ((&group.key, group.family.as_deref()), group))
            .collect();
        let mut targets = Vec::new();
        for planned in &plan.groups {
            let now = groups
                .get(&(&planned.key, planned.family.as_deref()))
                .copied();
            let keeper_gone = planned.jobs.iter().any(|keeper| {
                matches!(keeper.verdict, Verdict::Skip(why) if why.contains(KeepReason::Newest))
                    && !now.is_some_and(|now| stays(now, &keeper.job))
            });
            for purge in planned
                .jobs
                .iter()
                .filter(|planned| planned.verdict.is_purge())
            {
                targets.push(recheck(&purge.job, now, keeper_gone));
            }
        }
        Approved {
            plan,
            policy,
            fresh: Some(fresh),
            targets,
        }
    }

    /// The plan that was shown.
    pub fn plan(&self) -> &Plan {
        &self.plan
    }

    /// The plan that was shown, when it has been carried out.
    pub fn into_plan(self) -> Plan {
        self.plan
    }

    /// What is to be done about each of [`Plan::purges`], in its order.
    pub fn targets(&self) -> &[Target] {
        &self.targets
    }

    /// What is to be done about a Job that has changed since it was read, now that it has been read again.
    pub fn rejudge(&self, job: &Job, reread: Reread) -> Rejudged {
        let found = match reread {
            Reread::Absent => return Rejudged::Settled(Outcome::Gone),
            Reread::NotSelected => return left_alone(Change::Relabelled),
            Reread::Found(found) => found,
        };
        if found.uid != job.uid {
            return left_alone(Change::Replaced);
        }
        if found.deletion == Deletion::Requested {
            return Rejudged::Settled(Outcome::Gone);
        }
        if found.label_values != job.label_values {
            return left_alone(Change::Relabelled);
        }
        let basis = self.fresh.as_ref().unwrap_or(&self.plan);
        let Some((group, place)) = place_of(basis, job) else {
            return left_alone(Change::Relabelled);
        };
        if !differs(&group.jobs[place].job, &found) && group.jobs[place].verdict.is_purge() {
            return Rejudged::Delete(found);
        }
        // Its name and age cannot change, so its place in the group is the same.
        let jobs: Vec<Job> = group
            .jobs
            .iter()
            .map(|planned| match planned.job.uid == found.uid {
                true => found.clone(),
                false => planned.job.clone(),
            })
            .collect();
        let group = Group {
            key: group.key.clone(),
            family: group.family.clone(),
            jobs,
        };
        match self.policy.judge(&group, basis.taken_at)[place] {
            Verdict::Purge => Rejudged::Delete(found),
            Verdict::Skip(reasons) => left_alone(Change::NowKept(reasons)),
        }
    }
}

/// Where a Job stands in a plan.
fn place_of<'a>(plan: &'a Plan, job: &Job) -> Option<(&'a PlannedGroup, usize)> {
    let group = plan.group_of(job)?;
    Some((group, group.place_of(job)?))
}

fn left_alone(change: Change) -> Rejudged {
    Rejudged::Settled(Outcome::Changed(change))
}

fn changed(change: Change) -> Target {
    Target::Settled(Box::new(Outcome::Changed(change)))
}

fn stays(group: &PlannedGroup, job: &Job) -> bool {
    group
        .place_of(job)
        .is_some_and(|place| group.jobs[place].job.deletion == Deletion::None)
}

fn recheck(job: &Job, now: Option<&PlannedGroup>, keeper_gone: bool) -> Target {
    let same = now.and_then(|now| Some(&now.jobs[now.place_of(job)?]));
    let Some(same) = same else {
        return Target::Reread;
    };
    match same.verdict {
        // Names do not change: somebody has edited a saved plan.
        _ if same.job.name != job.name => changed(Change::Replaced),
        _ if same.job.deletion == Deletion::Requested => Target::Settled(Box::new(Outcome::Gone)),
        Verdict::Skip(reasons) => changed(Change::NowKept(reasons)),
        Verdict::Purge if keeper_gone => changed(Change::KeeperGone),
        Verdict::Purge if same.job.resource_version == job.resource_version => Target::AsPlanned,
        Verdict::Purge => Target::Newer(Box::new(same.job.clone())),
    }
}

/// Whether a Job has changed in anything that a verdict rests on. Its name and age cannot.
fn differs(before: &Job, after: &Job) -> bool {
    (before.state, before.deletion, before.protection)
        != (after.state, after.deletion, after.protection)
        || before.controller != after.controller
}
