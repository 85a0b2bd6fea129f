//! What of a plan may be carried out: each Job that was shown, as long as it is still that Job and still superseded.
//!
//! A question may stand for an hour, and a conflict may tell that a Job was touched a moment ago. Then what was shown
//! is held against what is there now. Nothing ever joins a plan that a person has approved; it can only lose Jobs.

use std::{
    borrow::Cow,
    collections::{BTreeSet, HashMap},
    ops::Range,
    sync::Arc,
};

use jiff::Timestamp;

use super::{
    Plan, PlannedGroup, PlannedJob,
    group::{Group, by_family},
    report::{Change, Outcome},
    retention::{KeepReason, Policy, Verdict},
    warnings,
};
use crate::{
    gitops::Claims,
    job::{
        Job,
        query::{Reread, Sink},
    },
};

/// A plan that may be carried out, and what is to be done about each of its purges.
#[derive(Debug)]
pub struct Approved {
    plan: Plan,
    policy: Policy,
    /// What a later reading found otherwise: the groups of a key as they are now, by the first place of those in the plan.
    /// Verdicts rest on it.
    since: HashMap<usize, Vec<PlannedGroup>>,
    /// What GitOps tools said last.
    claims: Arc<Claims>,
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
    /// What else has come, new or changed, by the first place of the groups of its key.
    others: HashMap<usize, Vec<Job>>,
    /// Where the Jobs of the keys with several groups stand, by the first place of those.
    places: HashMap<usize, Places>,
}

impl Recheck {
    /// Nothing has come yet.
    pub fn new(plan: Plan) -> Recheck {
        let lengths = plan.groups.iter().map(|group| group.jobs.len());
        let several = of_one_key(&plan.groups).filter(|range| range.len() > 1);
        Recheck {
            unchanged: lengths.map(|jobs| vec![false; jobs].into()).collect(),
            others: HashMap::new(),
            places: several
                .map(|range| (range.start, Places::new(&plan.groups[range])))
                .collect(),
            plan,
        }
    }

    /// The plan that is held against the list.
    pub fn plan(&self) -> &Plan {
        &self.plan
    }

    /// The plan as it was, if the list was not completed.
    pub fn into_plan(self) -> Plan {
        self.plan
    }

    /// Approve what of the plan still holds, now that the list, which began at `read_at`, is complete, and that GitOps tools
    /// were asked again.
    ///
    /// The Jobs of a key are parted into families anew: a Job that came may tell more of the others.
    pub fn approve(mut self, read_at: Timestamp, policy: Policy, claims: Arc<Claims>) -> Approved {
        let mixed = policy.mixed_groups(&self.plan.grouping);
        let mut targets = Vec::new();
        let mut since = HashMap::new();
        for range in of_one_key(&self.plan.groups) {
            let (start, planned) = (range.start, &self.plan.groups[range.clone()]);
            let others = self.others.remove(&start).unwrap_or_default();
            let jobs = jobs_now(planned, &self.unchanged[range], others);
            let key = planned[0].key.clone();
            let groups = by_family(key, jobs, mixed, policy.family.as_ref());
            let groups = groups.into_iter().filter(|group| !group.jobs.is_empty());
            let now: Vec<PlannedGroup> = groups
                .map(|group| PlannedGroup::judged(group, &policy, mixed, &claims, read_at))
                .collect();
            let places = Places::new(&now);
            for planned in planned {
                let keeper_gone = planned.jobs.iter().any(|keeper| {
                    matches!(keeper.verdict, Verdict::Skip(why) if why.contains(KeepReason::Newest))
                        && places
                            .find(&now, &keeper.job)
                            .is_none_or(|(group, at)| now[group].jobs[at].job.is_terminating())
                });
                let purges = planned.jobs.iter().filter(|job| job.verdict.is_purge());
                targets.extend(purges.map(|purge| {
                    let found = places.find(&now, &purge.job);
                    target(
                        &purge.job,
                        found.map(|(group, at)| &now[group].jobs[at]),
                        keeper_gone,
                    )
                }));
            }
            if now != planned {
                since.insert(start, now);
            }
        }
        Approved {
            plan: self.plan,
            policy,
            since,
            claims,
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
        let range = self.plan.groups_of(&job);
        let start = range.start;
        if range.is_empty() {
            // Nothing of its group was shown, so nothing of it is purged.
            return;
        }
        let groups = &self.plan.groups[range];
        let found = match self.places.get(&start) {
            Some(places) => places.find(groups, &job),
            None => groups[0].place_of(&job).map(|at| (0, at)),
        };
        match found {
            Some((group, at)) if groups[group].jobs[at].job == job => {
                self.unchanged[start + group][at] = true;
            }
            _ => self.others.entry(start).or_default().push(job),
        }
    }

    fn namespaces(&self) -> BTreeSet<&str> {
        let groups = self.plan.groups.iter();
        groups.map(|group| &*group.key.namespace).collect()
    }
}

/// The places of groups that have one key in common: families of it, if there are several.
fn of_one_key(groups: &[PlannedGroup]) -> impl Iterator<Item = Range<usize>> {
    let mut start = 0;
    groups.chunk_by(|a, b| a.key == b.key).map(move |chunk| {
        let range = start..start + chunk.len();
        start = range.end;
        range
    })
}

/// Where each Job of some groups of one key stands, newest first: the family of a Job alone does not tell its group.
#[derive(Debug)]
struct Places(Vec<(u32, u32)>);

impl Places {
    fn new(groups: &[PlannedGroup]) -> Places {
        let mut places = Vec::new();
        if groups.len() > 1 {
            for (group, planned) in groups.iter().enumerate() {
                // A plan has fewer than four thousand million of either.
                places.extend((0..planned.jobs.len()).map(|at| (group as u32, at as u32)));
            }
            places
                .sort_unstable_by(|a, b| Job::newest_first(job_at(groups, *a), job_at(groups, *b)));
        }
        Places(places)
    }

    /// The place of this very Job, however it has changed: its group, and where in that.
    fn find(&self, groups: &[PlannedGroup], job: &Job) -> Option<(usize, usize)> {
        if let [group] = groups {
            return group.place_of(job).map(|at| (0, at));
        }
        let found = self
            .0
            .binary_search_by(|place| Job::newest_first(job_at(groups, *place), job));
        let in_order = found.ok().map(|at| self.0[at]);
        // Name and age do not change. Only an edit of a saved plan can change them.
        let place = in_order.or_else(|| {
            let is_same = |place: &&(u32, u32)| job_at(groups, **place).uid() == job.uid();
            self.0.iter().find(is_same).copied()
        });
        place.map(|(group, at)| (group as usize, at as usize))
    }
}

fn job_at(groups: &[PlannedGroup], (group, at): (u32, u32)) -> &Job {
    &groups[group as usize].jobs[at as usize].job
}

/// The Jobs of a key as they are now, newest first.
fn jobs_now(planned: &[PlannedGroup], unchanged: &[Box<[bool]>], others: Vec<Job>) -> Vec<Job> {
    let same = planned
        .iter()
        .zip(unchanged)
        .flat_map(|(group, unchanged)| {
            let jobs = group.jobs.iter().zip(unchanged);
            jobs.filter(|(_, unchanged)| **unchanged)
                .map(|(planned, _)| planned.job.clone())
        });
    let mut jobs: Vec<Job> = same.chain(others).collect();
    jobs.sort_unstable_by(Job::newest_first);
    jobs
}

impl Approved {
    /// Approve a plan that has only just been made.
    pub fn as_planned(plan: Plan, policy: Policy) -> Approved {
        let targets = plan.purges().map(|_| Target::AsPlanned).collect();
        Approved {
            read_at: plan.taken_at,
            claims: Arc::clone(&plan.claims),
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

    /// The plan that was shown, when it has been carried out, with what GitOps tools said last.
    pub fn into_plan(self) -> Plan {
        Plan {
            claims: self.claims,
            ..self.plan
        }
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
        for range in of_one_key(&self.plan.groups) {
            let planned = &self.plan.groups[range.clone()];
            let now = self.since.get(&range.start).map_or(planned, Vec::as_slice);
            let places = Places::new(now);
            for planned in planned {
                let mut mixed = &planned.mixed;
                let jobs = planned.jobs.iter().filter_map(|was| {
                    let target = was.verdict.is_purge().then(|| targets.next()).flatten();
                    let (group, at) = places.find(now, &was.job)?;
                    mixed = &now[group].mixed;
                    let found = &now[group].jobs[at];
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
                        mixed: mixed.clone(),
                        jobs,
                    });
                }
            }
        }
        Plan {
            source: self.plan.source.clone(),
            grouping: self.plan.grouping.clone(),
            ungrouped: self.plan.ungrouped,
            resource_version: self.plan.resource_version.clone(),
            taken_at: self.read_at,
            warnings: warnings(
                &groups,
                &self.plan.grouping,
                self.plan.gitops,
                &self.claims,
                self.read_at,
            ),
            exceeded: self.plan.exceeded,
            gitops: self.plan.gitops,
            claims: Arc::clone(&self.claims),
            rules: self.plan.rules.clone(),
            groups,
        }
    }

    /// What is left of it where only these groups of [`Approved::as_of_now`] were chosen.
    pub fn only(mut self, chosen: &Plan) -> Approved {
        let mut targets = self.targets.into_iter();
        let (mut places, mut left, mut since) = (Vec::new(), Vec::new(), HashMap::new());
        for range in of_one_key(&self.plan.groups) {
            let (start, first_left) = (range.start, places.len());
            for place in range {
                let group = &self.plan.groups[place];
                let of_group: Vec<Target> = targets.by_ref().take(group.purge_count()).collect();
                let order = |other: &PlannedGroup| {
                    (&other.key, &other.family).cmp(&(&group.key, &group.family))
                };
                if chosen.groups.binary_search_by(order).is_ok() {
                    left.extend(of_group);
                    places.push(place);
                }
            }
            if let Some(now) = self
                .since
                .remove(&start)
                .filter(|_| places.len() > first_left)
            {
                since.insert(first_left, now);
            }
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
        if found.uid() != job.uid() {
            return left_alone(Change::Replaced);
        }
        if found.is_terminating() {
            return Rejudged::Settled(Outcome::Gone);
        }
        if found.group_values() != job.group_values() {
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
                if planned.job.uid() == found.uid() {
                    found.clone()
                } else {
                    planned.job.clone()
                }
            })
            .collect();
        // Its name and uid cannot change. But a restored Job that has run again is as young as it is.
        jobs.sort_unstable_by(Job::newest_first);
        let place = jobs.iter().position(|job| job.uid() == found.uid());
        let place = place.unwrap_or(place_before);
        let group = Group {
            key: group.key.clone(),
            family: group.family.clone(),
            families: (group.mixed.as_ref()).map_or_else(Vec::new, |mixed| mixed.families.clone()),
            jobs,
        };
        let mixed = self.policy.mixed_groups(&self.plan.grouping);
        match self.policy.judge(&group, mixed, &self.claims, self.read_at)[place] {
            Verdict::Purge => Rejudged::Delete(found),
            Verdict::Skip(reasons) => left_alone(Change::NowKept(reasons)),
        }
    }

    /// Where a Job stands among those that were last read.
    fn place_of(&self, job: &Job) -> Option<(&PlannedGroup, usize)> {
        let range = self.plan.groups_of(job);
        let groups = match self.since.get(&range.start) {
            Some(since) if !range.is_empty() => since,
            _ => &self.plan.groups[range],
        };
        let mut found = groups
            .iter()
            .filter_map(|group| Some((group, group.place_of(job)?)));
        found.next()
    }
}

fn left_alone(change: Change) -> Rejudged {
    Rejudged::Settled(Outcome::Changed(change))
}

fn changed(change: Change) -> Target {
    Target::Settled(Box::new(Outcome::Changed(change)))
}

fn target(job: &Job, now: Option<&PlannedJob>, keeper_gone: bool) -> Target {
    let Some(same) = now else {
        return Target::Reread;
    };
    match same.verdict {
        // Names do not change: a saved plan was edited.
        _ if same.job.name() != job.name() => changed(Change::Replaced),
        _ if same.job.is_terminating() => Target::Settled(Box::new(Outcome::Gone)),
        Verdict::Skip(reasons) => changed(Change::NowKept(reasons)),
        Verdict::Purge if keeper_gone => changed(Change::KeeperGone),
        Verdict::Purge if same.job.resource_version() == job.resource_version() => {
            Target::AsPlanned
        }
        Verdict::Purge => Target::Newer(Box::new(same.job.clone())),
    }
}

/// Whether a Job has changed in anything that a verdict rests on. Its name cannot.
fn differs(before: &Job, after: &Job) -> bool {
    (before.state(), before.is_terminating(), before.protection())
        != (after.state(), after.is_terminating(), after.protection())
        || (before.controller(), before.marks()) != (after.controller(), after.marks())
        || (before.created(), before.rule()) != (after.created(), after.rule())
}
