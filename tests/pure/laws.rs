//! What holds for every plan, whatever the Jobs and whatever the policy. Each law is written down from the contract,
//! without the code that it judges.

use std::{
    borrow::Cow,
    cmp::Reverse,
    collections::{BTreeMap, BTreeSet},
    num::NonZeroUsize,
    time::Duration,
};

use jiff::{SignedDuration, Timestamp};
use kubectl_jobclean::{
    gitops::Mode,
    job::{
        Job, State,
        family::of_name,
        ids::{Stamp, Uid},
    },
    output::{Rows, View},
    plan::{
        Plan, PlannedJob, Snapshot,
        group::MixedGroups,
        retention::{Policy, Verdict},
        rules::{Retention, Treatment},
    },
};
use proptest::{prelude::*, sample::select, test_runner::Config};

use crate::support::jobs::{
    any_original_snapshot, any_plan, any_policy, any_snapshot, everything_included,
};

fn cases() -> Config {
    Config {
        cases: 512,
        failure_persistence: None,
        ..Config::default()
    }
}

/// "Newest" by the contract: creationTimestamp, then the name that sorts first, then the uid.
fn age_order(job: &Job) -> (Reverse<Timestamp>, &str, String) {
    (
        Reverse(job.created().timestamp()),
        job.name(),
        job.uid().to_string(),
    )
}

fn planned(plan: &Plan) -> impl Iterator<Item = &PlannedJob> {
    plan.groups.iter().flat_map(|group| &group.jobs)
}

fn purged(plan: &Plan) -> BTreeSet<Uid> {
    plan.purges().map(|job| job.uid()).collect()
}

/// By the contract: the generateName without its last separator, where there is one, else what the name says.
fn family_of(job: &Job) -> Cow<'_, str> {
    match job.generate_name() {
        Some(base) => base.strip_suffix('-').expect("a separator").into(),
        None => of_name(job.name()),
    }
}

/// What is drawn always says what becomes of mixed groups.
fn mixed(policy: &Policy) -> MixedGroups {
    policy.mixed_groups.expect("it is said")
}

/// All Jobs that are judged together with this one, found without the library's grouping.
fn mates<'a>(jobs: &'a [Job], job: &Job, mixed: MixedGroups) -> Vec<&'a Job> {
    jobs.iter()
        .filter(|other| {
            other.namespace() == job.namespace()
                && other.group_values() == job.group_values()
                && (mixed != MixedGroups::Split || family_of(other) == family_of(job))
        })
        .collect()
}

/// Why a Job stays, one row of the contract's table after the other.
fn reasons_by_the_contract(snapshot: &Snapshot, job: &Job, policy: &Policy) -> Vec<&'static str> {
    let mates = mates(&snapshot.jobs, job, mixed(policy));
    let terminating = job.is_terminating();
    let among_the_newest = |count: usize, of: &dyn Fn(&Job) -> bool| {
        let newer = mates
            .iter()
            .filter(|other| !other.is_terminating() && of(other))
            .filter(|other| age_order(other) < age_order(job));
        of(job) && !terminating && newer.count() < count
    };
    let is_within = |within: Option<Duration>, at: Stamp| {
        within.is_some_and(|within| {
            let since = SignedDuration::try_from(within)
                .ok()
                .and_then(|within| snapshot.taken_at.checked_sub(within).ok());
            since.is_none_or(|since| at >= since.into())
        })
    };
    // The Job that pushed it out stands as many places before it as stay.
    let mut newer: Vec<&&Job> = mates
        .iter()
        .filter(|other| !other.is_terminating() && age_order(other) < age_order(job))
        .collect();
    newer.sort_by_key(|other| age_order(other));
    let pushed_out = newer
        .len()
        .checked_sub(policy.defaults.keep.get())
        .map(|place| newer[place].created());
    let families: BTreeSet<Cow<'_, str>> = mates.iter().map(|other| family_of(other)).collect();
    [
        (
            "newest",
            among_the_newest(policy.defaults.keep.get(), &|_| true),
        ),
        (
            "recent-success",
            among_the_newest(policy.defaults.keep_succeeded, &|job| {
                job.state() == State::Complete
            }),
        ),
        (
            "recent-failure",
            among_the_newest(policy.defaults.keep_failed, &|job| {
                job.state() == State::Failed
            }),
        ),
        (
            "recent",
            is_within(policy.defaults.keep_within, job.created()),
        ),
        (
            "recently-superseded",
            !terminating
                && pushed_out
                    .is_some_and(|at| is_within(policy.defaults.keep_superseded_within, at)),
        ),
        (
            "recently-finished",
            job.finished()
                .filter(|_| matches!(job.state(), State::Complete | State::Failed))
                .is_some_and(|at| is_within(policy.defaults.keep_finished_within, at)),
        ),
        ("terminating", terminating),
        ("protected", job.protection().is_some()),
        (
            "wanted",
            job.marks().is_some() && policy.gitops != Mode::Ignore,
        ),
        (
            "active",
            policy.defaults.active == Treatment::Keep
                && !matches!(job.state(), State::Complete | State::Failed),
        ),
        (
            "owned",
            policy.defaults.owned == Treatment::Keep && job.controller().is_some(),
        ),
        (
            "mixed-group",
            policy.mixed_groups == Some(MixedGroups::Hold) && families.len() > 1,
        ),
    ]
    .into_iter()
    .filter_map(|(reason, applies)| applies.then_some(reason))
    .collect()
}

/// One way to ask for more to be kept.
#[derive(Debug, Clone, Copy)]
enum Raise {
    Keep,
    KeepSucceeded,
    KeepFailed,
    KeepWithin,
    KeepActive,
    KeepOwned,
    SplitIfMerged,
    Hold,
}

impl Raise {
    const ALL: [Raise; 8] = [
        Raise::Keep,
        Raise::KeepSucceeded,
        Raise::KeepFailed,
        Raise::KeepWithin,
        Raise::KeepActive,
        Raise::KeepOwned,
        Raise::SplitIfMerged,
        Raise::Hold,
    ];

    fn apply(self, mut policy: Policy) -> Policy {
        match self {
            Raise::Keep => policy.defaults.keep = policy.defaults.keep.saturating_add(1),
            Raise::KeepSucceeded => policy.defaults.keep_succeeded += 1,
            Raise::KeepFailed => policy.defaults.keep_failed += 1,
            Raise::KeepWithin => {
                let within = policy.defaults.keep_within.unwrap_or_default();
                policy.defaults.keep_within = Some(within.saturating_add(Duration::from_secs(60)));
            }
            Raise::KeepActive => policy.defaults.active = Treatment::Keep,
            Raise::KeepOwned => policy.defaults.owned = Treatment::Keep,
            Raise::SplitIfMerged if policy.mixed_groups == Some(MixedGroups::Merge) => {
                policy.mixed_groups = Some(MixedGroups::Split);
            }
            Raise::SplitIfMerged => {}
            Raise::Hold => policy.mixed_groups = Some(MixedGroups::Hold),
        }
        policy
    }
}

/// The original cleaner, in its own steps: find the groups, then take each by itself, sort its Jobs by
/// creationTimestamp, and delete all but the first. The original leaves ties to the order of the list, which the API
/// server gives by name; its sort is stable.
fn the_original_cleaner(snapshot: &Snapshot) -> BTreeMap<Uid, &'static str> {
    let groups: BTreeSet<(&str, &str)> = snapshot
        .jobs
        .iter()
        .map(|job| (job.namespace(), &*job.group_values()[0]))
        .collect();
    let mut verdicts = BTreeMap::new();
    for (namespace, group_id) in groups {
        let mut jobs: Vec<&Job> = snapshot
            .jobs
            .iter()
            .filter(|job| job.namespace() == namespace && &*job.group_values()[0] == group_id)
            .collect();
        jobs.sort_by_key(|job| (job.name().to_owned(), job.uid()));
        jobs.sort_by_key(|job| Reverse(job.created()));
        let mut first = true;
        for job in jobs {
            verdicts.insert(job.uid(), if first { "SKIP" } else { "PURGE" });
            first = false;
        }
    }
    verdicts
}

proptest! {
    #![proptest_config(cases())]

    #[test]
    fn every_job_gets_exactly_one_verdict(snapshot in any_snapshot(), policy in any_policy()) {
        let mut before: Vec<Job> = snapshot.jobs.clone();
        let plan = Plan::new(snapshot, &policy);
        let mut after: Vec<Job> = planned(&plan).map(|planned| planned.job.clone()).collect();
        before.sort_by_key(|a| a.uid());
        after.sort_by_key(|a| a.uid());
        prop_assert_eq!(before, after);
    }

    #[test]
    fn the_order_of_the_list_never_matters(
        (snapshot, shuffled) in any_snapshot().prop_flat_map(|snapshot| {
            (Just(snapshot.clone()), Just(snapshot.jobs).prop_shuffle())
        }),
        policy in any_policy(),
    ) {
        let shuffled = Snapshot { jobs: shuffled, ..snapshot.clone() };
        prop_assert_eq!(Plan::new(snapshot, &policy), Plan::new(shuffled, &policy));
    }

    #[test]
    fn every_reason_holds_and_none_is_left_out(snapshot in any_snapshot(), policy in any_policy()) {
        let plan = Plan::new(snapshot.clone(), &policy);
        for PlannedJob { job, verdict } in planned(&plan) {
            let expected = reasons_by_the_contract(&snapshot, job, &policy);
            match verdict {
                Verdict::Skip(_) => {
                    prop_assert!(!verdict.reasons().is_empty());
                    prop_assert_eq!(verdict.reasons(), expected, "{:?}", job);
                }
                Verdict::Purge => {
                    prop_assert_eq!(verdict.reasons(), vec!["superseded"]);
                    prop_assert!(expected.is_empty(), "{:?} is purged despite {:?}", job, expected);
                }
            }
        }
    }

    #[test]
    fn the_newest_that_survives_is_never_purged(snapshot in any_snapshot(), policy in any_policy()) {
        let jobs = snapshot.jobs.clone();
        let plan = Plan::new(snapshot, &policy);
        let purged = purged(&plan);
        for job in &jobs {
            let survivors = mates(&jobs, job, mixed(&policy))
                .into_iter()
                .filter(|mate| !mate.is_terminating());
            if let Some(newest) = survivors.min_by_key(|mate| age_order(mate)) {
                prop_assert!(!purged.contains(&newest.uid()), "{:?}", newest);
            }
        }
    }

    #[test]
    fn no_group_loses_all_that_would_survive(snapshot in any_snapshot(), policy in any_policy()) {
        let jobs = snapshot.jobs.clone();
        let plan = Plan::new(snapshot, &policy);
        let purged = purged(&plan);
        for job in jobs.iter().filter(|job| !job.is_terminating()) {
            // Whatever is split: something of the labels' own group stays.
            let stays = mates(&jobs, job, MixedGroups::Merge)
                .into_iter()
                .any(|mate| !mate.is_terminating() && !purged.contains(&mate.uid()));
            prop_assert!(stays, "nothing stays of the group of {:?}", job);
        }
    }

    #[test]
    fn keeping_more_never_adds_a_purge(
        snapshot in any_snapshot(),
        policy in any_policy(),
        raise in select(&Raise::ALL[..]),
    ) {
        let before = Plan::new(snapshot.clone(), &policy);
        let after = Plan::new(snapshot, &raise.apply(policy));
        let (before, after) = (purged(&before), purged(&after));
        prop_assert!(after.is_subset(&before), "{:?} adds {:?}", raise, &after - &before);
    }

    #[test]
    fn by_default_only_finished_jobs_without_an_owner_are_purged(
        snapshot in any_snapshot(),
        keep in 1_usize..4,
        mixed_groups in select(vec![MixedGroups::Hold, MixedGroups::Split, MixedGroups::Merge]),
    ) {
        let keep = NonZeroUsize::new(keep).expect("not zero");
        let plan = Plan::new(snapshot, &Policy {
            defaults: Retention { keep, ..Retention::default() },
            mixed_groups: Some(mixed_groups),
            ..Policy::default()
        });
        for job in plan.purges() {
            prop_assert!(matches!(job.state(), State::Complete | State::Failed), "{:?}", job);
            prop_assert_eq!(job.controller(), None);
        }
    }

    #[test]
    fn terminating_and_protected_jobs_are_never_purged(plan in any_plan()) {
        for job in plan.purges() {
            prop_assert!(!job.is_terminating());
            prop_assert_eq!(job.protection(), None);
        }
    }

    #[test]
    fn a_mixed_group_on_hold_purges_nothing(snapshot in any_snapshot(), policy in any_policy()) {
        let jobs = snapshot.jobs.clone();
        let policy = Policy { mixed_groups: Some(MixedGroups::Hold), ..policy };
        for job in Plan::new(snapshot, &policy).purges() {
            let mates = mates(&jobs, job, MixedGroups::Hold);
            prop_assert!(mates.iter().all(|mate| family_of(mate) == family_of(job)));
        }
    }

    #[test]
    fn with_everything_included_the_rule_is_the_original(snapshot in any_original_snapshot()) {
        let plan = Plan::new(snapshot.clone(), &everything_included());
        let verdicts: BTreeMap<Uid, &str> = planned(&plan)
            .map(|planned| (planned.job.uid(), planned.verdict.as_str()))
            .collect();
        prop_assert_eq!(verdicts, the_original_cleaner(&snapshot));
    }

    #[test]
    fn the_summary_adds_up(plan in any_plan()) {
        let verdicts: Vec<&str> = planned(&plan).map(|planned| planned.verdict.as_str()).collect();
        let count = |word| verdicts.iter().filter(|verdict| **verdict == word).count();
        let summary = plan.summary();
        prop_assert_eq!(summary.groups, plan.groups.len());
        prop_assert_eq!(summary.jobs, verdicts.len());
        prop_assert_eq!(summary.skip, count("SKIP"));
        prop_assert_eq!(summary.purge, count("PURGE"));
        prop_assert_eq!(summary.purge, plan.purges().count());
        let with_purges = plan.groups.iter().filter(|group| {
            group.jobs.iter().any(|planned| planned.verdict == Verdict::Purge)
        });
        prop_assert_eq!(summary.groups_to_purge, with_purges.count());
    }

    #[test]
    fn groups_and_jobs_stand_in_order(snapshot in any_snapshot(), policy in any_policy()) {
        let labels = snapshot.grouping.keys().len();
        let plan = Plan::new(snapshot, &policy);
        let keys: Vec<_> = plan
            .groups
            .iter()
            .map(|group| {
                let values: Vec<&str> = group.key.values.iter().map(AsRef::as_ref).collect();
                (&*group.key.namespace, values, group.family.as_deref())
            })
            .collect();
        prop_assert!(keys.is_sorted_by(|a, b| a < b), "{:?}", keys);
        for (group, rows) in View::Plan(&plan).groups(Rows::All) {
            prop_assert!(!group.jobs.is_empty());
            prop_assert_eq!(group.key.values.len(), labels);
            prop_assert_eq!(group.family.is_some(), policy.mixed_groups == Some(MixedGroups::Split));
            let ranks: Vec<usize> = rows.iter().map(|row| row.rank).collect();
            prop_assert_eq!(ranks, (1..=group.jobs.len()).collect::<Vec<_>>());
            prop_assert!(rows.iter().all(|row| row.of == rows.len()));
            let jobs: Vec<&Job> = rows.iter().map(|row| &row.planned.job).collect();
            prop_assert!(jobs.is_sorted_by(|a, b| age_order(a) < age_order(b)));
            for job in jobs {
                prop_assert_eq!(job.namespace(), &*group.key.namespace);
                prop_assert_eq!(job.group_values(), &*group.key.values);
                prop_assert!(group.family.as_deref().is_none_or(|of| of == family_of(job)));
            }
        }
    }
}
