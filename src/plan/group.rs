//! Cleanup groups: the Jobs of one namespace that an application, a label or a family holds together.

use std::{cmp::Ordering, ptr, sync::Arc};

use serde::{Deserialize, Serialize};

use crate::job::{
    Job,
    family::{NameEnding, families},
};

/// What makes Jobs one group: a namespace, and the application or one value for each key.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct GroupKey {
    /// The namespace.
    pub namespace: Arc<str>,
    /// The application, or the values in the order of the keys. An empty value is a value. There are none where families
    /// alone make groups.
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
    /// The families in it, sorted, if there are several.
    pub families: Vec<Box<str>>,
    /// Never empty, newest first.
    pub jobs: Vec<Job>,
}

/// Part Jobs into groups, Jobs within a group newest first. `own` is how the user describes endings of names.
///
/// The groups come from the last to the first in the order of namespace, then values, then family. Each is taken
/// off the end of the Jobs and the room that it had is given back on the way: there may be a million.
pub fn group(mut jobs: Vec<Job>, mixed: MixedGroups, own: Option<&NameEnding>) -> Groups<'_> {
    jobs.sort_unstable_by(|a, b| by_key(a, b).then_with(|| Job::newest_first(a, b)));
    Groups {
        jobs,
        mixed,
        own,
        split: Vec::new(),
    }
}

/// See [`group`].
#[derive(Debug)]
pub struct Groups<'a> {
    /// Those that are in no group yet, in order.
    jobs: Vec<Job>,
    mixed: MixedGroups,
    own: Option<&'a NameEnding>,
    /// The groups that the last Jobs were split into.
    split: Vec<Group>,
}

impl Iterator for Groups<'_> {
    type Item = Group;

    fn next(&mut self) -> Option<Group> {
        if let Some(group) = self.split.pop() {
            return Some(group);
        }
        let jobs = &mut self.jobs;
        let last = jobs.last()?;
        let key = GroupKey {
            namespace: Arc::clone(&last.common().namespace),
            values: Arc::clone(&last.common().group_values),
        };
        let start = jobs
            .iter()
            .rposition(|job| by_key(job, last).is_ne())
            .map_or(0, |at| at + 1);
        let group = jobs.split_off(start);
        if jobs.len() < jobs.capacity() / 8 * 7 {
            jobs.shrink_to_fit();
        }
        self.split = by_family(key, group, self.mixed, self.own);
        self.split.pop()
    }
}

/// Make a group of Jobs that have a key in common, or one of each family if mixed groups are split. The Jobs come newest
/// first.
pub fn by_family(
    key: GroupKey,
    jobs: Vec<Job>,
    mixed: MixedGroups,
    own: Option<&NameEnding>,
) -> Vec<Group> {
    let (mut families, places) = distinct(&jobs, own);
    let is_split = mixed == MixedGroups::Split;
    // Most have one family, and their Jobs stay where they are: to move them takes room.
    if !is_split || families.len() < 2 {
        let only = if families.len() < 2 {
            families.pop()
        } else {
            None
        };
        return vec![Group {
            key,
            family: only.filter(|_| is_split),
            families,
            jobs,
        }];
    }
    let of_family = |family| Group {
        key: key.clone(),
        family: Some(family),
        families: Vec::new(),
        jobs: Vec::new(),
    };
    let mut groups: Vec<Group> = families.into_iter().map(of_family).collect();
    for (job, place) in jobs.into_iter().zip(places) {
        groups[place].jobs.push(job);
    }
    for group in &mut groups {
        group.jobs.shrink_to_fit();
    }
    groups
}

/// The different families among Jobs that have a key in common, sorted, and the place of each Job's family among them.
pub(crate) fn distinct<'a>(
    jobs: impl IntoIterator<Item = &'a Job>,
    own: Option<&NameEnding>,
) -> (Vec<Box<str>>, Vec<usize>) {
    let of_jobs = families(jobs, own);
    let mut names: Vec<&str> = of_jobs.iter().map(|family| &*family.name).collect();
    names.sort_unstable();
    names.dedup();
    let place = |name: &str| names.binary_search(&name).unwrap_or_default();
    let places = of_jobs.iter().map(|family| place(&family.name)).collect();
    (names.into_iter().map(Box::from).collect(), places)
}

/// What is equal is mostly the same piece of memory.
fn by_key(a: &Job, b: &Job) -> Ordering {
    let (a, b) = (a.common(), b.common());
    if ptr::eq(a, b) {
        return Ordering::Equal;
    }
    let namespaces = if Arc::ptr_eq(&a.namespace, &b.namespace) {
        Ordering::Equal
    } else {
        a.namespace.cmp(&b.namespace)
    };
    namespaces.then_with(|| {
        if Arc::ptr_eq(&a.group_values, &b.group_values) {
            Ordering::Equal
        } else {
            a.group_values.cmp(&b.group_values)
        }
    })
}
