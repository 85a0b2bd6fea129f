//! What of a plan may be carried out: each Job that was shown, as long as it is still that Job and still superseded.
//!
//! A question may stand for an hour, and a conflict may tell that a Job was touched a moment ago. Then what was shown
//! is held against what is there now. Nothing ever joins a plan that a person has approved; it can only lose Jobs.

use std::{borrow::Cow, collections::HashMap};

use jiff::Timestamp;

use super::{
    Plan, PlannedGroup, PlannedJob,
    group::Group,
    report::{Change, Outcome},
    retention::{KeepReason, Policy, Verdict},
    warnings,
};
use crate::job::{
    Job,
    query::{Reread, Sink},
};

/// A plan that may be carried out, and what is to be done about each of its purges.
#[derive(Debug)]
pub struct Approved {
    plan: Plan,
    policy: Policy,
    /// What a later reading found otherwise in the plan's groups, by their places: as they are now, `None` where no Job
    /// is left. Verdicts rest on it.
    since: HashMap<usize, Option<PlannedGroup>>,
    /// When the Jobs were last read; ages count to here.
    read_at: Timestamp,
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

impl Target {
    /// Whether the Job is to be deleted.
    pub fn is_delete(&self) -> bool {
        matches!(self, Target::AsPlanned | Target::Newer(_))
    }
}

/// What is to be done about a Job that has been read again.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Rejudged {
    /// Delete it in this version.
    Delete(Job),
    /// Nothing: it is settled.
    Settled(Outcome),
}

/// A plan while it is held against a later list of the same Jobs, which it takes in as they come. What is still as it was
/// is not held twice: there may be a million. (Those of a saved plan never are: it does not say all of a Job.)
#[derive(Debug)]
pub struct Recheck {
    plan: Plan,
    /// For each of the plan's groups, which of its Jobs have come again, the same in every respect.
    unchanged: Vec<Box<[bool]>>,
    /// What else has come of them, new or changed, by the places of the groups.
    others: HashMap<usize, Vec<Job>>,
}

impl Recheck {
    /// Nothing has come yet.
    pub fn new(plan: Plan) -> Recheck {
        let lengths = plan.groups.iter().map(|group| group.jobs.len());
        Recheck {
            unchanged: lengths.map(|jobs| vec![false; jobs].into()).collect(),
            others: HashMap::new(),
            plan,
        }
    }

    /// The plan as it was, if the list was not completed.
    pub fn into_plan(self) -> Plan {
        self.plan
    }

    /// Approve what of the plan still holds, now that the list, which began at `read_at`, is complete.
    pub fn approve(mut self, read_at: Timestamp, policy: Policy) -> Approved {
        let mut targets = Vec::new();
        let mut since = HashMap::new();
        for (place, planned) in self.plan.groups.iter().enumerate() {
            let others = self.others.remove(&place).unwrap_or_default();
            let now = group_now(planned, &self.unchanged[place], others);
            let now = now.map(|group| PlannedGroup::judged(group, &policy, read_at));
            let keeper_gone = planned.jobs.iter().any(|keeper| {
                matches!(keeper.verdict, Verdict::Skip(why) if why.contains(KeepReason::Newest))
                    && !now.as_ref().is_some_and(|now| stays(now, &keeper.job))
            });
            let purges = planned.jobs.iter().filter(|job| job.verdict.is_purge());
            targets.extend(purges.map(|purge| target(&purge.job, now.as_ref(), keeper_gone)));
            if now.as_ref() != Some(planned) {
                since.insert(place, now);
            }
        }
        Approved {
            plan: self.plan,
            policy,
            since,
            read_at,
            targets,
        }
    }
}

impl Sink for Recheck {
    fn start_over(&mut self) {
        for unchanged in &mut self.unchanged {
            unchanged.fill(false);
        }
        self.others.clear();
    }

    fn take(&mut self, job: Job) {
        let Some(place) = self.plan.group_of(&job) else {
            // Nothing of its group was shown, so nothing of it is purged.
            return;
        };
        let group = &self.plan.groups[place];
        match group.place_of(&job) {
            Some(at) if group.jobs[at].job == job => self.unchanged[place][at] = true,
            _ => self.others.entry(place).or_default().push(job),
        }
    }
}

/// A group as it is now, if any Job is left in it.
fn group_now(planned: &PlannedGroup, unchanged: &[bool], others: Vec<Job>) -> Option<Group> {
    let same = planned.jobs.iter().zip(unchanged);
    let same = same
        .filter(|(_, unchanged)| **unchanged)
        .map(|(planned, _)| planned.job.clone());
    let mut jobs: Vec<Job> = same.chain(others).collect();
    jobs.sort_unstable_by(Job::newest_first);
    (!jobs.is_empty()).then(|| Group {
        key: planned.key.clone(),
        family: planned.family.clone(),
        jobs,
    })
}

impl Approved {
    /// Approve a plan that has only just been made.
    pub fn as_planned(plan: Plan, policy: Policy) -> Approved {
        let targets = plan.purges().map(|_| Target::AsPlanned).collect();
        Approved {
            read_at: plan.taken_at,
            plan,
            policy,
            since: HashMap::new(),
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

    /// The plan that was shown, and what was to be done about each of its purges, for [`Approved::narrowed`].
    pub fn into_parts(self) -> (Plan, Vec<Target>) {
        (self.plan, self.targets)
    }

    /// What is left of it after an earlier look at the same plan: what had fallen out by then was not asked about, so it
    /// stays out, even if the rules would let it go again.
    pub fn narrowed(mut self, earlier: Vec<Target>) -> Approved {
        for (target, earlier) in self.targets.iter_mut().zip(earlier) {
            if !target.is_delete() {
                continue;
            }
            match earlier {
                Target::AsPlanned | Target::Newer(_) => {}
                // It was not in its group then.
                Target::Reread => *target = changed(Change::Relabelled),
                Target::Settled(_) => *target = earlier,
            }
        }
        self
    }

    /// The plan as it is now, with ages up to now: what still is to be purged, and what stays and why. What has gone, or may
    /// not be purged any more though no rule keeps it, is not in it; see [`Approved::fallen`].
    pub fn as_of_now(&self) -> Plan {
        let mut targets = self.targets.iter();
        let mut groups = Vec::new();
        for (place, planned) in self.plan.groups.iter().enumerate() {
            let now = match self.since.get(&place) {
                Some(since) => since.as_ref(),
                None => Some(planned),
            };
            let jobs = planned.jobs.iter().filter_map(|was| {
                let target = was.verdict.is_purge().then(|| targets.next()).flatten();
                let now = now?;
                let found = &now.jobs[now.place_of(&was.job)?];
                let verdict = match (target, found.verdict) {
                    (Some(Target::AsPlanned | Target::Newer(_)), _) => Verdict::Purge,
                    (_, Verdict::Skip(reasons)) => Verdict::Skip(reasons),
                    (Some(_), Verdict::Purge) => return None,
                    // It was to stay, and nothing joins a plan.
                    (None, Verdict::Purge) => was.verdict,
                };
                Some(PlannedJob {
                    job: found.job.clone(),
                    verdict,
                })
            });
            let jobs: Vec<PlannedJob> = jobs.collect();
            if !jobs.is_empty() {
                groups.push(PlannedGroup {
                    key: planned.key.clone(),
                    family: planned.family.clone(),
                    jobs,
                });
            }
        }
        Plan {
            source: self.plan.source.clone(),
            labels: self.plan.labels.clone(),
            resource_version: self.plan.resource_version.clone(),
            taken_at: self.read_at,
            warnings: warnings(&groups, self.policy.mixed_groups, self.read_at),
            exceeded: self.plan.exceeded,
            groups,
        }
    }

    /// What is left of it where only these groups of [`Approved::as_of_now`] were chosen.
    pub fn only(mut self, chosen: &Plan) -> Approved {
        let mut targets = self.targets.into_iter();
        let (mut places, mut left, mut since) = (Vec::new(), Vec::new(), HashMap::new());
        for (place, group) in self.plan.groups.iter().enumerate() {
            let of_group: Vec<Target> = targets.by_ref().take(group.purge_count()).collect();
            let order = |other: &PlannedGroup| {
                (&other.key, &other.family).cmp(&(&group.key, &group.family))
            };
            if chosen.groups.binary_search_by(order).is_err() {
                continue;
            }
            if let Some(now) = self.since.remove(&place) {
                since.insert(places.len(), now);
            }
            left.extend(of_group);
            places.push(place);
        }
        Approved {
            plan: self.plan.only(&places),
            targets: left,
            since,
            ..self
        }
    }

    /// The Jobs that were to be purged and are not any more, and why, as a fragment.
    pub fn fallen(&self) -> impl Iterator<Item = (&Job, Cow<'_, str>)> {
        let purges = self.plan.purges().zip(&self.targets);
        purges.filter_map(|(job, target)| match target {
            Target::AsPlanned | Target::Newer(_) => None,
            Target::Reread => Some((job, "it is gone, or relabelled".into())),
            Target::Settled(outcome) => {
                let words = outcome.message();
                Some((job, words.unwrap_or("it is being deleted already".into())))
            }
        })
    }

    /// What is to be done about a Job that has changed since it was read, now that it has been read again.
    pub fn rejudge(&self, job: &Job, reread: Reread) -> Rejudged {
        let found = match reread {
            Reread::Absent => return Rejudged::Settled(Outcome::Gone),
            Reread::NotSelected { is_other: true, .. } => return left_alone(Change::Replaced),
            Reread::NotSelected {
                is_terminating: true,
                ..
            } => return Rejudged::Settled(Outcome::Gone),
            Reread::NotSelected { .. } => return left_alone(Change::Relabelled),
            Reread::Found(found) => found,
        };
        if found.uid != job.uid {
            return left_alone(Change::Replaced);
        }
        if found.is_terminating() {
            return Rejudged::Settled(Outcome::Gone);
        }
        if found.label_values != job.label_values {
            return left_alone(Change::Relabelled);
        }
        let Some((group, place_before)) = self.place_of(job) else {
            return left_alone(Change::Relabelled);
        };
        let before = &group.jobs[place_before];
        if !differs(&before.job, &found) && before.verdict.is_purge() {
            return Rejudged::Delete(found);
        }
        let mut jobs: Vec<Job> = group
            .jobs
            .iter()
            .map(|planned| {
                if planned.job.uid == found.uid {
                    found.clone()
                } else {
                    planned.job.clone()
                }
            })
            .collect();
        // Its name and uid cannot change. But a restored Job that has run again is as young as it is.
        jobs.sort_unstable_by(Job::newest_first);
        let place = jobs.iter().position(|job| job.uid == found.uid);
        let place = place.unwrap_or(place_before);
        let group = Group {
            key: group.key.clone(),
            family: group.family.clone(),
            jobs,
        };
        match self.policy.judge(&group, self.read_at)[place] {
            Verdict::Purge => Rejudged::Delete(found),
            Verdict::Skip(reasons) => left_alone(Change::NowKept(reasons)),
        }
    }

    /// Where a Job stands among those that were last read.
    fn place_of(&self, job: &Job) -> Option<(&PlannedGroup, usize)> {
        let place = self.plan.group_of(job)?;
        let group = match self.since.get(&place) {
            Some(since) => since.as_ref()?,
            None => &self.plan.groups[place],
        };
        Some((group, group.place_of(job)?))
    }
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
        .is_some_and(|place| !group.jobs[place].job.is_terminating())
}

fn target(job: &Job, now: Option<&PlannedGroup>, keeper_gone: bool) -> Target {
    let same = now.and_then(|now| Some(&now.jobs[now.place_of(job)?]));
    let Some(same) = same else {
        return Target::Reread;
    };
    match same.verdict {
        // Names do not change: a saved plan was edited.
        _ if same.job.name != job.name => changed(Change::Replaced),
        _ if same.job.is_terminating() => Target::Settled(Box::new(Outcome::Gone)),
        Verdict::Skip(reasons) => changed(Change::NowKept(reasons)),
        Verdict::Purge if keeper_gone => changed(Change::KeeperGone),
        Verdict::Purge if same.job.resource_version == job.resource_version => Target::AsPlanned,
        Verdict::Purge => Target::Newer(Box::new(same.job.clone())),
    }
}

/// Whether a Job has changed in anything that a verdict rests on. Its name cannot.
fn differs(before: &Job, after: &Job) -> bool {
    (before.state, before.is_terminating(), before.protection)
        != (after.state, after.is_terminating(), after.protection)
        || before.controller != after.controller
        || before.created != after.created
}
