//! Each Job once, in its newest version: a watch and appended dumps hold a Job several times.
//!
//! At any time there is one Job of a name in a namespace, so what is newer counts and the rest is the past.

use std::{
    cmp::Ordering,
    collections::{HashMap, HashSet},
    hash::{BuildHasher, RandomState},
};

use crate::job::Job;

/// A Job that is in no group in this version: it was not asked for, has nothing that groups it, or was deleted.
#[derive(Debug, Clone, Copy)]
pub(super) struct Aside {
    version: Option<u64>,
    /// How many Jobs of groups stand before it.
    before: usize,
    is_ungrouped: bool,
}

impl Aside {
    /// In this version, with this many Jobs of groups before it.
    pub(super) fn new(version: &str, before: usize, is_ungrouped: bool) -> Aside {
        Aside {
            version: version.parse().ok(),
            before,
            is_ungrouped,
        }
    }

    /// The same with this many more before it.
    pub(super) fn after(self, more: usize) -> Aside {
        Aside {
            before: self.before + more,
            ..self
        }
    }
}

/// What has come beside the Jobs of groups, the newest by namespace and name.
#[derive(Debug, Default)]
pub(super) struct Asides {
    hasher: RandomState,
    newest: HashMap<u64, Aside>,
}

impl Asides {
    /// Who a Job is.
    pub(super) fn who(&self, namespace: &str, name: &str) -> u64 {
        self.hasher.hash_one((namespace, name))
    }

    /// Take note of one, in the order of the file.
    pub(super) fn add(&mut self, who: u64, aside: Aside) {
        let known = self.newest.entry(who).or_insert(aside);
        if newer(known.version, aside.version).is_ge() {
            *known = aside;
        }
    }

    /// Keep of these Jobs, which stand in the order of the file, each once and in its newest version; how many others there
    /// are that belong to no group.
    pub(super) fn settle(self, jobs: &mut Vec<Job>) -> usize {
        let mut past = past(jobs);
        let mut overruled = HashSet::new();
        for (place, job) in jobs.iter().enumerate() {
            let who = self.who(&job.namespace, &job.name);
            let Some(aside) = self.newest.get(&who) else {
                continue;
            };
            let is_newer = match newer(version(job), aside.version) {
                Ordering::Equal => aside.before > place,
                order => order.is_gt(),
            };
            if is_newer {
                past.insert(place);
            } else if !past.contains(&place) {
                overruled.insert(who);
            }
        }
        let mut place = 0;
        if !past.is_empty() {
            jobs.retain(|_| {
                place += 1;
                !past.contains(&(place - 1))
            });
        }
        let ungrouped = self.newest.iter().filter(|(_, aside)| aside.is_ungrouped);
        ungrouped
            .filter(|(who, _)| !overruled.contains(who))
            .count()
    }
}

/// The version of a Job, if it is a number.
fn version(job: &Job) -> Option<u64> {
    job.resource_version.to_string().parse().ok()
}

/// How a version compares with one before it. Those that are no numbers tell nothing.
fn newer(before: Option<u64>, after: Option<u64>) -> Ordering {
    match (before, after) {
        (Some(before), Some(after)) => after.cmp(&before),
        _ => Ordering::Equal,
    }
}

/// The places of the Jobs that another one of the same name comes after.
fn past(jobs: &[Job]) -> HashSet<usize> {
    let who = |place: usize| (&*jobs[place].namespace, &*jobs[place].name);
    // As kubectl prints a list.
    if (0..jobs.len()).is_sorted_by(|a, b| who(*a) < who(*b)) {
        return HashSet::new();
    }
    let mut order: Vec<usize> = (0..jobs.len()).collect();
    order.sort_by_key(|place| who(*place));
    let of_one_name = order.chunk_by(|a, b| who(*a) == who(*b));
    let mut past = HashSet::new();
    for places in of_one_name.filter(|places| places.len() > 1) {
        // They stand in the order of the file, so that of equal ones the last is the newest.
        let newest = places.iter().copied().reduce(|newest, next| {
            let order = newer(version(&jobs[newest]), version(&jobs[next]));
            let order = order.then_with(|| jobs[next].created.cmp(&jobs[newest].created));
            if order.is_ge() { next } else { newest }
        });
        past.extend(
            places
                .iter()
                .copied()
                .filter(|place| Some(*place) != newest),
        );
    }
    past
}
