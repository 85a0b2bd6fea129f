//! Each Job once, in its newest version: a watch and appended dumps hold a Job several times.
//!
//! At any time there is one Job of a name in a namespace, so what is newer counts and the rest is the past.

use std::{
    collections::HashSet,
    hash::{BuildHasher, RandomState},
};

use crate::{
    decode::ObjectMeta,
    job::{
        Job,
        ids::{Stamp, Version},
    },
};

/// How many Jobs have their names in one text.
const NAMES_AT_ONCE: usize = 512;

/// What tells which of two appearances of a Job is the newer one.
#[derive(Debug, Clone)]
struct Age {
    version: Version,
    created: Option<Stamp>,
}

impl Age {
    fn of(job: &Job) -> Age {
        Age {
            version: job.resource_version(),
            created: Some(job.created()),
        }
    }

    /// Whether what stands further down in the file is the newer one. It is, unless versions or creations say no.
    fn is_before(&self, next: &Age) -> bool {
        let by_version = next.version.age(&self.version).filter(|age| age.is_ne());
        let by_creation = || Some(next.created?.cmp(&self.created?));
        by_version
            .or_else(by_creation)
            .is_none_or(|age| age.is_ge())
    }
}

/// A Job that is in no group in this version: it was not asked for, has nothing that groups it, or was deleted.
#[derive(Debug)]
struct Aside {
    /// Its namespace and name.
    who: u64,
    age: Age,
    /// How many Jobs of groups stand before it.
    before: usize,
    /// Whether it was asked for and is still there.
    is_ungrouped: bool,
}

/// Jobs in the order of the file.
#[derive(Debug, Default)]
pub(super) struct Found {
    /// Those that are in a group.
    jobs: Vec<Job>,
    asides: Vec<Aside>,
    hasher: RandomState,
}

/// How much has been found up to a place in the file.
#[derive(Debug, Default, Clone, Copy)]
pub(super) struct Mark {
    jobs: usize,
    asides: usize,
}

/// One appearance of a Job in the file.
enum Appearance<'a> {
    /// In a group, at this place among the Jobs.
    Job(usize),
    Aside(&'a Aside),
}

impl Found {
    /// Take note of a Job that is in no group.
    pub(super) fn put_aside(&mut self, meta: &ObjectMeta<'_>, is_ungrouped: bool) {
        let created = meta.creation_timestamp.and_then(|time| time.seconds);
        self.asides.push(Aside {
            who: self.who(
                meta.namespace.as_deref().unwrap_or_default(),
                meta.name.as_deref().unwrap_or_default(),
            ),
            age: Age {
                version: meta.resource_version.as_deref().unwrap_or_default().into(),
                created: created.and_then(Stamp::from_second),
            },
            before: self.jobs.len(),
            is_ungrouped,
        });
    }

    /// Take note of a Job that is in a group.
    pub(super) fn push(&mut self, job: Job) {
        self.jobs.push(job);
        let length = self.jobs.len();
        if length.is_multiple_of(NAMES_AT_ONCE) {
            Job::pack_names(&mut self.jobs[length - NAMES_AT_ONCE..]);
        }
    }

    fn who(&self, namespace: &str, name: &str) -> u64 {
        self.hasher.hash_one((namespace, name))
    }

    pub(super) fn mark(&self) -> Mark {
        Mark {
            jobs: self.jobs.len(),
            asides: self.asides.len(),
        }
    }

    /// Forget what came after this.
    pub(super) fn back_to(&mut self, mark: Mark) {
        self.jobs.truncate(mark.jobs);
        self.asides.truncate(mark.asides);
    }

    /// The Jobs of groups, each once and in its newest version, and how many other Jobs belong to no group.
    pub(super) fn settle(mut self) -> (Vec<Job>, usize) {
        // Those of one Job keep the order of the file.
        self.asides.sort_by_key(|aside| aside.who);
        let mut past = HashSet::new();
        let mut are_settled = HashSet::new();
        let mut ungrouped = 0;
        self.visit_repeated(|who, places, asides| {
            let newest = newest(&self.jobs, places, asides);
            ungrouped += newest.is_ungrouped();
            past.extend(places.iter().copied().filter(|place| !newest.is_at(*place)));
            are_settled.extend(who);
        });
        for asides in self.asides.chunk_by(|a, b| a.who == b.who) {
            if !are_settled.contains(&asides[0].who) {
                ungrouped += newest(&[], &[], asides).is_ungrouped();
            }
        }
        let mut jobs = self.jobs;
        if !past.is_empty() {
            let mut place = 0;
            jobs.retain(|_| {
                place += 1;
                !past.contains(&(place - 1))
            });
        }
        (jobs, ungrouped)
    }

    /// The Jobs that appear more than once: their places among those of groups, and the other appearances.
    fn visit_repeated(&self, mut visit: impl FnMut(Option<u64>, &[usize], &[Aside])) {
        let key = |place: usize| (self.jobs[place].namespace(), self.jobs[place].name());
        // As kubectl prints a list.
        let is_sorted = (0..self.jobs.len()).is_sorted_by(|a, b| key(*a) < key(*b));
        if is_sorted && self.asides.is_empty() {
            return;
        }
        let mut order: Vec<usize> = (0..self.jobs.len()).collect();
        order.sort_by_key(|place| key(*place));
        for places in order.chunk_by(|a, b| key(*a) == key(*b)) {
            let (namespace, name) = key(places[0]);
            let who = (!self.asides.is_empty()).then(|| self.who(namespace, name));
            let asides = who.map_or(&[][..], |who| self.asides_of(who));
            if places.len() + asides.len() > 1 {
                visit(who, places, asides);
            }
        }
    }

    fn asides_of(&self, who: u64) -> &[Aside] {
        let begin = self.asides.partition_point(|aside| aside.who < who);
        let asides = &self.asides[begin..];
        &asides[..asides.partition_point(|aside| aside.who == who)]
    }
}

/// The newest of all appearances of one Job, of which there is one at least.
fn newest<'a>(jobs: &[Job], places: &[usize], asides: &'a [Aside]) -> Appearance<'a> {
    let at = |place: &usize| {
        (
            *place,
            true,
            Age::of(&jobs[*place]),
            Appearance::Job(*place),
        )
    };
    let aside = |aside: &'a Aside| {
        (
            aside.before,
            false,
            aside.age.clone(),
            Appearance::Aside(aside),
        )
    };
    let mut all: Vec<_> = (places.iter().map(at))
        .chain(asides.iter().map(aside))
        .collect();
    all.sort_by_key(|(place, is_job, ..)| (*place, *is_job));
    let newest = all.into_iter().reduce(|newest, mut next| {
        if !newest.2.is_before(&next.2) {
            return newest;
        }
        // What has no version of its own is at least as new as what it follows.
        if next.2.version.is_empty() {
            next.2.version = newest.2.version;
        }
        next
    });
    newest.map_or(Appearance::Job(0), |newest| newest.3)
}

impl Appearance<'_> {
    fn is_at(&self, place: usize) -> bool {
        matches!(self, Appearance::Job(newest) if *newest == place)
    }

    /// How many Jobs without a group it is.
    fn is_ungrouped(&self) -> usize {
        usize::from(matches!(self, Appearance::Aside(aside) if aside.is_ungrouped))
    }
}
