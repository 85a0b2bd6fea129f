//! Jobs as a large installation leaves them behind: as many as one likes, as large as real ones, and the same in every
//! run, so that figures can be compared.

use jiff::{SignedDuration, Timestamp};

use crate::samples::ARGOCD_INSTANCE;
use crate::seed::{SeedJob, State};

/// Jobs of one group, unless it is told otherwise.
const IN_A_GROUP: u32 = 20;
/// Namespaces, unless it is told otherwise.
const NAMESPACES: u32 = 20;
/// The number of seconds in which they were made.
const SPAN: u64 = 20_000_000;

/// How many there are of each. Groups go by the label [`ARGOCD_INSTANCE`], and no group is in two namespaces.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Fleet {
    /// Jobs in all.
    pub jobs: u32,
    /// Groups in all.
    pub groups: u32,
    /// Namespaces in all.
    pub namespaces: u32,
}

impl Fleet {
    /// This many Jobs, 20 a group, in 20 namespaces.
    pub fn of(jobs: u32) -> Self {
        Self {
            jobs,
            groups: jobs.div_ceil(IN_A_GROUP).max(1),
            namespaces: NAMESPACES,
        }
    }

    /// All of them, in the order in which a server lists them: by namespace, then by name. Of a hundred, one still runs, ten
    /// have failed, and two were made in the very second in which others of their group were.
    pub fn jobs(self) -> impl Iterator<Item = SeedJob> {
        let mut numbers: Vec<u32> = (0..self.jobs).collect();
        numbers.sort_unstable_by_key(|number| {
            let (namespace, group) = self.place(*number);
            (namespace, group, *number)
        });
        numbers.into_iter().map(move |number| self.job(number))
    }

    /// The number of the namespace that a Job is in, and of the group.
    fn place(self, number: u32) -> (u32, u32) {
        let group = number % self.groups.max(1);
        (group % self.namespaces.max(1), group)
    }

    fn job(self, number: u32) -> SeedJob {
        let (namespace, group) = self.place(number);
        let namespace = format!("team-{namespace:03}");
        let name = format!("sync-{group:05}-{number:07}");
        let app = format!("app-{group:05}");
        let chance = scatter(number.into());
        let age = match chance % 100 {
            98.. => u64::from(group),
            _ => scatter(chance) % SPAN,
        };
        let age = SignedDuration::from_secs(age.cast_signed());
        let state = match chance / 100 % 100 {
            0 => State::Running,
            1..=10 => State::Failed,
            _ => State::Complete,
        };
        let tracking = format!("{app}:batch/Job:{namespace}/{name}");
        SeedJob::new(namespace, name, newest() - age)
            .uid_from(number.into())
            .state(state)
            .duration(5 + u32::try_from(chance % 895).unwrap_or_default())
            .label(ARGOCD_INSTANCE, app)
            .label("app.kubernetes.io/managed-by", "argocd")
            .label("app.kubernetes.io/part-of", "mas")
            .annotation("argocd.argoproj.io/hook", "Sync")
            .annotation("argocd.argoproj.io/sync-wave", "140")
            .annotation("argocd.argoproj.io/tracking-id", tracking)
    }
}

/// 2025-09-01T00:00:00Z: no Job is from the future.
fn newest() -> Timestamp {
    Timestamp::from_second(1_756_684_800).unwrap_or_default()
}

/// Spreads numbers over all of them, always in the same way (SplitMix64).
fn scatter(number: u64) -> u64 {
    let mut z = number.wrapping_add(0x9e37_79b9_7f4a_7c15);
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn are_all_different_and_always_the_same() {
        let fleet = Fleet::of(2000);
        let names = |fleet: Fleet| -> BTreeSet<(String, String)> {
            fleet
                .jobs()
                .map(|job| (job.get_name().to_owned(), job.get_uid().to_owned()))
                .collect()
        };
        let first = names(fleet);
        assert_eq!(first.len(), 2000);
        assert_eq!(first, names(fleet));
        let uids: BTreeSet<_> = first.iter().map(|(_, uid)| uid).collect();
        assert_eq!(uids.len(), 2000);
        let place = |job: &SeedJob| (job.get_namespace().to_owned(), job.get_name().to_owned());
        assert!(fleet.jobs().is_sorted_by_key(|job| place(&job)));
        let failed = fleet
            .jobs()
            .filter(|job| job.state == State::Failed)
            .count();
        assert!((150..250).contains(&failed), "{failed}");
    }
}
