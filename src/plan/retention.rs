//! Which Jobs of a group stay, and why.
//!
//! Keeps are a union: a Job that any rule keeps is kept, and says every rule that does. Only what no rule keeps is
//! superseded.

use std::{num::NonZeroUsize, time::Duration};

use jiff::{SignedDuration, Timestamp};

use super::group::{Group, MixedGroups, families};
use crate::job::{Job, State};

/// What an operator wants kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Policy {
    /// The newest of every group that stay. At least one: no group is ever emptied.
    pub keep: NonZeroUsize,
    /// The newest Complete ones of every group that stay as well.
    pub keep_succeeded: usize,
    /// The newest Failed ones of every group that stay as well.
    pub keep_failed: usize,
    /// Anything created at most this long ago stays.
    pub keep_within: Option<Duration>,
    /// What becomes of Jobs that are not finished.
    pub active: Treatment,
    /// What becomes of Jobs that have a controller.
    pub owned: Treatment,
    /// What becomes of groups that hold different families.
    pub mixed_groups: MixedGroups,
}

impl Default for Policy {
    fn default() -> Self {
        Policy {
            keep: NonZeroUsize::MIN,
            keep_succeeded: 0,
            keep_failed: 0,
            keep_within: None,
            active: Treatment::Keep,
            owned: Treatment::Keep,
            mixed_groups: MixedGroups::Hold,
        }
    }
}

/// What becomes of a class of Jobs that is kept by default.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Treatment {
    /// They stay.
    Keep,
    /// They are judged like any other.
    Judge,
}

impl Treatment {
    /// From a flag that asks to include the class.
    pub fn included(include: bool) -> Treatment {
        if include {
            Treatment::Judge
        } else {
            Treatment::Keep
        }
    }
}

/// Why a Job stays.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[repr(u8)]
pub enum KeepReason {
    /// One of the newest of its group.
    Newest,
    /// One of the newest Complete ones.
    RecentSuccess,
    /// One of the newest Failed ones.
    RecentFailure,
    /// Created within the time asked for.
    Recent,
    /// Already being deleted.
    Terminating,
    /// Marked to be kept.
    Protected,
    /// Not finished.
    Active,
    /// Has a controller, whose business it is.
    Owned,
    /// Its group holds Jobs of different families.
    MixedGroup,
}

impl KeepReason {
    /// All of them, in the order in which they are shown.
    pub const ALL: [KeepReason; 9] = [
        KeepReason::Newest,
        KeepReason::RecentSuccess,
        KeepReason::RecentFailure,
        KeepReason::Recent,
        KeepReason::Terminating,
        KeepReason::Protected,
        KeepReason::Active,
        KeepReason::Owned,
        KeepReason::MixedGroup,
    ];

    /// The word that tables and documents show.
    pub fn as_str(self) -> &'static str {
        match self {
            KeepReason::Newest => "newest",
            KeepReason::RecentSuccess => "recent-success",
            KeepReason::RecentFailure => "recent-failure",
            KeepReason::Recent => "recent",
            KeepReason::Terminating => "terminating",
            KeepReason::Protected => "protected",
            KeepReason::Active => "active",
            KeepReason::Owned => "owned",
            KeepReason::MixedGroup => "mixed-group",
        }
    }
}

/// The word for the one reason to purge.
pub const SUPERSEDED: &str = "superseded";

/// One or more reasons to keep a Job.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct KeepReasons(u16);

impl KeepReasons {
    /// The set of these reasons, or `None` without any.
    pub fn new(reasons: impl IntoIterator<Item = KeepReason>) -> Option<KeepReasons> {
        let bits = reasons
            .into_iter()
            .fold(0, |bits, reason| bits | 1 << reason as u8);
        (bits != 0).then_some(KeepReasons(bits))
    }

    /// Whether this is one of them.
    pub fn contains(self, reason: KeepReason) -> bool {
        self.0 & 1 << reason as u8 != 0
    }

    /// The reasons, in the order of [`KeepReason::ALL`].
    pub fn iter(self) -> impl Iterator<Item = KeepReason> {
        KeepReason::ALL
            .into_iter()
            .filter(move |reason| self.contains(*reason))
    }
}

/// What is to become of a Job.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// It stays, for these reasons.
    Skip(KeepReasons),
    /// No rule keeps it: a newer Job has superseded it.
    Purge,
}

impl Verdict {
    /// Whether it is to be deleted.
    pub fn is_purge(self) -> bool {
        self == Verdict::Purge
    }

    /// The word that tables and documents show.
    pub fn as_str(self) -> &'static str {
        match self {
            Verdict::Skip(_) => "SKIP",
            Verdict::Purge => "PURGE",
        }
    }

    /// The words of its reasons; never empty.
    pub fn reasons(self) -> Vec<&'static str> {
        match self {
            Verdict::Skip(reasons) => reasons.iter().map(KeepReason::as_str).collect(),
            Verdict::Purge => vec![SUPERSEDED],
        }
    }
}

/// Counts how many of the newest are left to keep.
struct Quota(usize);

impl Quota {
    /// Take one, if one is left.
    fn take(&mut self) -> bool {
        let left = self.0 > 0;
        self.0 = self.0.saturating_sub(1);
        left
    }
}

impl Policy {
    /// Judge one group: a verdict for each of its Jobs, in their order.
    ///
    /// A Job that is already terminating never fills a quota: it will be gone, and a group whose only keeper is on
    /// its way out would end up empty.
    pub fn judge(&self, group: &Group, now: Timestamp) -> Vec<Verdict> {
        let mixed = self.mixed_groups == MixedGroups::Hold && families(&group.jobs).len() > 1;
        let mut newest = Quota(self.keep.get());
        let mut succeeded = Quota(self.keep_succeeded);
        let mut failed = Quota(self.keep_failed);
        group
            .jobs
            .iter()
            .map(|job| {
                let stays = !job.is_terminating();
                let reasons = [
                    (KeepReason::Newest, stays && newest.take()),
                    (
                        KeepReason::RecentSuccess,
                        stays && job.state == State::Complete && succeeded.take(),
                    ),
                    (
                        KeepReason::RecentFailure,
                        stays && job.state == State::Failed && failed.take(),
                    ),
                    (KeepReason::Recent, self.is_recent(job, now)),
                    (KeepReason::Terminating, !stays),
                    (KeepReason::Protected, job.protection.is_some()),
                    (
                        KeepReason::Active,
                        self.active == Treatment::Keep && !job.state.is_finished(),
                    ),
                    (
                        KeepReason::Owned,
                        self.owned == Treatment::Keep && job.controller.is_some(),
                    ),
                    (KeepReason::MixedGroup, mixed),
                ];
                KeepReasons::new(
                    reasons
                        .into_iter()
                        .filter_map(|(reason, applies)| applies.then_some(reason)),
                )
                .map_or(Verdict::Purge, Verdict::Skip)
            })
            .collect()
    }

    /// A Job from the future, by this machine's clock, counts as recent.
    fn is_recent(&self, job: &Job, now: Timestamp) -> bool {
        self.keep_within.is_some_and(|within| {
            let age = now.duration_since(job.created.timestamp());
            SignedDuration::try_from(within).map_or(true, |within| age <= within)
        })
    }
}
