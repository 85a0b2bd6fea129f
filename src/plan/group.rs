//! Cleanup groups: the Jobs of one namespace that share the value of every cleanup label.

use std::{cmp::Ordering, sync::Arc};

use serde::{Deserialize, Serialize};

use crate::job::Job;

/// What makes Jobs one group: a namespace and one value for each cleanup label.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct GroupKey {
    /// The namespace.
    pub namespace: Arc<str>,
    /// The labels' values, in the order of the label keys. An empty value is a value.
    pub values: Arc<[Arc<str>]>,
}

/// What to do with a group whose Jobs belong to different families.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "lowercase")]
pub enum MixedGroups {
    /// Purge nothing in it: that Jobs share a label does not say that one replaces the other.
    #[default]
    Hold,
    /// Make every family a group of its own.
    Split,
    /// Ignore families.
    Merge,
}

/// A group before it is judged: its Jobs, newest first.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Group {
    /// What its Jobs have in common.
    pub key: GroupKey,
    /// The one family in it, where [`MixedGroups::Split`] made it a group of its own.
    pub family: Option<Box<str>>,
    /// Never empty, newest first.
    pub jobs: Vec<Job>,
}

/// Part Jobs into groups, Jobs within a group newest first.
///
/// The groups come from the last to the first in the order of namespace, then label values (then family). Each is taken
/// off the end of the Jobs and the room that it had is given back on the way: there may be a million.
pub fn group(mut jobs: Vec<Job>, mixed: MixedGroups) -> Groups {
    jobs.sort_unstable_by(|a, b| {
        by_key(a, b)
            .then_with(|| by_family(a, b, mixed))
            .then_with(|| Job::newest_first(a, b))
    });
    Groups { jobs, mixed }
}

/// See [`group`].
#[derive(Debug)]
pub struct Groups {
    /// Those that are in no group yet, in order.
    jobs: Vec<Job>,
    mixed: MixedGroups,
}

impl Iterator for Groups {
    type Item = Group;

    fn next(&mut self) -> Option<Group> {
        let (jobs, mixed) = (&mut self.jobs, self.mixed);
        let last = jobs.last()?;
        let same_group =
            |job: &Job| by_key(job, last).is_eq() && by_family(job, last, mixed).is_eq();
        let key = GroupKey {
            namespace: Arc::clone(&last.namespace),
            values: Arc::clone(&last.label_values),
        };
        let family = (mixed == MixedGroups::Split).then(|| last.family().into());
        let start = jobs
            .iter()
            .rposition(|job| !same_group(job))
            .map_or(0, |at| at + 1);
        let group = Group {
            key,
            family,
            jobs: jobs.split_off(start),
        };
        if jobs.len() < jobs.capacity() / 8 * 7 {
            jobs.shrink_to_fit();
        }
        Some(group)
    }
}

/// Equal namespaces and values are mostly the same piece of memory.
fn by_key(a: &Job, b: &Job) -> Ordering {
    let namespaces = if Arc::ptr_eq(&a.namespace, &b.namespace) {
        Ordering::Equal
    } else {
        a.namespace.cmp(&b.namespace)
    };
    namespaces.then_with(|| {
        if Arc::ptr_eq(&a.label_values, &b.label_values) {
            Ordering::Equal
        } else {
            a.label_values.cmp(&b.label_values)
        }
    })
}

fn by_family(a: &Job, b: &Job, mixed: MixedGroups) -> Ordering {
    match mixed {
        MixedGroups::Split => a.family().cmp(b.family()),
        MixedGroups::Hold | MixedGroups::Merge => Ordering::Equal,
    }
}

/// The different families among these Jobs, sorted.
pub fn families<'a>(jobs: impl IntoIterator<Item = &'a Job>) -> Vec<&'a str> {
    let mut families: Vec<&str> = jobs.into_iter().map(Job::family).collect();
    families.sort_unstable();
    families.dedup();
    families
}
