//! The promise that no group is ever emptied, held against every group of up to three Jobs in all of their states, under
//! every combination of what is kept.

use std::{num::NonZeroUsize, time::Duration};

use kubectl_jobclean::{
    gitops::{Claims, Mode},
    job::{Job, Protection, State},
    plan::{
        group::{Group, GroupKey, MixedGroups},
        retention::{KeepReason, Policy, Verdict},
        rules::{Retention, Treatment},
    },
};

use crate::support::jobs::{cron_job, job, minute, terminating, with};

/// As large as the groups are.
const LARGEST: usize = 3;

/// A Job of this age in every state that a verdict looks at.
fn every_state(minutes: i64, name: &str) -> Vec<Job> {
    let mut jobs = Vec::new();
    for state in [State::Complete, State::Failed, State::Running] {
        for deletion in [None, terminating()] {
            for protection in [None, Some(Protection::KeepMark)] {
                for controller in [None, cron_job("nightly")] {
                    jobs.push(with(
                        job("team-a", &["g"], name, minute(minutes)),
                        |common, _| {
                            common.state = state;
                            common.deletion = deletion.clone();
                            common.protection = protection;
                            common.controller = controller;
                        },
                    ));
                }
            }
        }
    }
    jobs
}

fn every_policy() -> Vec<Policy> {
    let mut policies = Vec::new();
    for keep in [1, 2] {
        for (succeeded, failed) in [(0, 0), (1, 0), (0, 1)] {
            for keep_within in [None, Some(Duration::from_secs(90))] {
                for active in [Treatment::Keep, Treatment::Judge] {
                    for owned in [Treatment::Keep, Treatment::Judge] {
                        policies.push(Policy {
                            defaults: Retention {
                                keep: NonZeroUsize::new(keep).expect("it is not zero"),
                                keep_succeeded: succeeded,
                                keep_failed: failed,
                                keep_within,
                                active,
                                owned,
                                ..Retention::LEAST
                            },
                            gitops: Mode::Ignore,
                            ..Policy::default()
                        });
                    }
                }
            }
        }
    }
    policies
}

/// Every group of this many Jobs, newest first.
fn every_group(jobs: usize) -> Vec<Vec<Job>> {
    (0..jobs).fold(vec![Vec::new()], |groups, place| {
        let minutes = -i64::try_from(place).expect("it is small");
        let states = every_state(minutes, &format!("sync-{place}"));
        let with =
            |group: &Vec<Job>, job: &Job| [group.as_slice(), std::slice::from_ref(job)].concat();
        groups
            .iter()
            .flat_map(|group| {
                states
                    .iter()
                    .map(|job| with(group, job))
                    .collect::<Vec<_>>()
            })
            .collect()
    })
}

#[test]
fn no_group_is_emptied_and_its_newest_job_stays() {
    let (policies, claims, now) = (every_policy(), Claims::default(), minute(1));
    let (mut judged, mut purged) = (0, 0);
    for jobs in (1..=LARGEST).flat_map(every_group) {
        let group = Group {
            key: GroupKey {
                namespace: "team-a".into(),
                values: ["g".into()].into(),
            },
            family: None,
            families: Vec::new(),
            jobs,
        };
        let newest = group.jobs.iter().position(|job| !job.is_terminating());
        for policy in &policies {
            let verdicts = policy.judge(&group, MixedGroups::Merge, &claims, now);
            assert_eq!(verdicts.len(), group.jobs.len());
            let is_kept = |place: usize, reason| match verdicts[place] {
                Verdict::Skip(reasons) => reasons.contains(reason),
                Verdict::Purge => false,
            };
            if let Some(newest) = newest {
                assert!(is_kept(newest, KeepReason::Newest), "{group:?} {policy:?}");
            }
            for (place, job) in group.jobs.iter().enumerate() {
                if job.is_terminating() {
                    assert!(is_kept(place, KeepReason::Terminating));
                }
                if job.protection().is_some() {
                    assert!(is_kept(place, KeepReason::Protected));
                }
            }
            judged += 1;
            purged += verdicts.iter().filter(|verdict| verdict.is_purge()).count();
        }
    }
    // All of them, and not only such in which nothing is to be purged.
    let states = every_state(0, "sync").len();
    let groups: usize = (1..=LARGEST as u32).map(|jobs| states.pow(jobs)).sum();
    assert_eq!(judged, groups * policies.len());
    assert!(purged > judged / 20, "{purged} of {judged}");
}
