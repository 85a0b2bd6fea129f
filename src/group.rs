//! Cleanup groups: the Jobs of one namespace that share the value of every cleanup label.

use std::{collections::HashMap, sync::Arc};

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
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum MixedGroups {
    /// Purge nothing in it: whoever labelled them alike may not have meant that one replaces the other.
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

/// Part Jobs into groups, ordered by namespace, then label values (then family); Jobs within a group newest first.
pub fn group(jobs: Vec<Job>, mixed: MixedGroups) -> Vec<Group> {
    let mut by_key: HashMap<(GroupKey, Option<Box<str>>), Vec<Job>> = HashMap::new();
    for job in jobs {
        let key = GroupKey {
            namespace: Arc::clone(&job.namespace),
            values: Arc::clone(&job.label_values),
        };
        let family = (mixed == MixedGroups::Split).then(|| job.family().into());
        by_key.entry((key, family)).or_default().push(job);
    }
    let mut groups: Vec<Group> = by_key
        .into_iter()
        .map(|((key, family), mut jobs)| {
            jobs.sort_unstable_by(Job::newest_first);
            Group { key, family, jobs }
        })
        .collect();
    groups.sort_unstable_by(|a, b| a.key.cmp(&b.key).then_with(|| a.family.cmp(&b.family)));
    groups
}

/// The different families among these Jobs, sorted.
pub fn families<'a>(jobs: impl IntoIterator<Item = &'a Job>) -> Vec<&'a str> {
    let mut families: Vec<&str> = jobs.into_iter().map(Job::family).collect();
    families.sort_unstable();
    families.dedup();
    families
}
