//! What holds when a plan is held against a later list, whatever has happened between: what comes of it is what two whole
//! plans beside each other would say, though never more than one is held.

use std::sync::Arc;

use kubectl_jobclean::{
    job::{
        Job, Protection, State,
        query::{Reread, Sink as _},
    },
    plan::{
        Plan, PlannedGroup, Snapshot,
        group::MixedGroups,
        recheck::{Approved, Recheck, Rejudged, Target},
        report::{Change, Outcome},
        retention::{KeepReason, Policy, Verdict},
    },
};
use proptest::{collection::vec, prelude::*, sample::select, test_runner::Config};

use crate::support::jobs::{
    any_policy, any_snapshot, edit, everything_included, minute, terminating, with,
};

/// What becomes of a Job between two lists.
#[derive(Debug, Clone, Copy)]
enum Fate {
    Unchanged,
    Touched,
    Gone,
    Terminating,
    Active,
    Protected,
    Relabelled,
    Recreated,
}

fn any_fate() -> impl Strategy<Value = Fate> {
    prop_oneof![
        8 => Just(Fate::Unchanged),
        8 => select(vec![
            Fate::Touched,
            Fate::Gone,
            Fate::Terminating,
            Fate::Active,
            Fate::Protected,
            Fate::Relabelled,
            Fate::Recreated,
        ]),
    ]
}

fn after(fate: Fate, before: &Job) -> Option<Job> {
    let mut job = with(before.clone(), |_, own| {
        own.resource_version = "8".into();
    });
    match fate {
        Fate::Unchanged => return Some(before.clone()),
        Fate::Gone => return None,
        Fate::Touched => {}
        Fate::Terminating => edit(&mut job, |common, _| common.deletion = terminating()),
        Fate::Active => edit(&mut job, |common, _| common.state = State::Running),
        Fate::Protected => edit(&mut job, |common, _| {
            common.protection = Some(Protection::KeepMark)
        }),
        Fate::Relabelled => edit(&mut job, |common, _| {
            common.group_values = common.group_values.iter().map(|_| "y".into()).collect();
        }),
        Fate::Recreated => edit(&mut job, |_, own| {
            own.uid = format!("new {}", own.uid).into();
            own.created = minute(7).into();
        }),
    }
    Some(job)
}

/// A snapshot, what is there some minutes later, and the policy for both.
fn any_course() -> impl Strategy<Value = (Snapshot, Snapshot, Policy)> {
    let minutes = prop_oneof![2 => Just(0), 1 => -4_i64..10];
    // Most policies keep nearly all of so few Jobs, and then there is little to hold against the list.
    let eager =
        select(vec![MixedGroups::Split, MixedGroups::Merge]).prop_map(|mixed_groups| Policy {
            mixed_groups: Some(mixed_groups),
            ..everything_included()
        });
    let policy = prop_oneof![1 => any_policy(), 2 => eager];
    let parts = (
        any_snapshot(),
        vec(any_fate(), 24),
        any_snapshot(),
        minutes,
        policy,
    );
    parts.prop_map(|(before, fates, new, minutes, policy)| {
        let fated = before.jobs.iter().zip(fates);
        let mut jobs: Vec<Job> = fated.filter_map(|(job, fate)| after(fate, job)).collect();
        jobs.extend(new.jobs.into_iter().take(3).map(|job| {
            with(job, |common, own| {
                own.uid = format!("later {}", own.uid).into();
                common.group_values = common
                    .group_values
                    .iter()
                    .cycle()
                    .take(before.grouping.keys().len())
                    .cloned()
                    .collect();
            })
        }));
        let later = Snapshot {
            taken_at: before.taken_at + jiff::SignedDuration::from_mins(minutes),
            jobs,
            ..before.clone()
        };
        (before, later, policy)
    })
}

fn recheck(before: &Snapshot, later: &Snapshot, policy: &Policy) -> Approved {
    let mut recheck = Recheck::new(Plan::new(before.clone(), policy));
    // A list that breaks off on the way is as if it had never been.
    for job in before.jobs.iter().chain(&later.jobs).step_by(2) {
        recheck.take(job.clone());
    }
    recheck.start_over();
    for job in &later.jobs {
        recheck.take(job.clone());
    }
    recheck.approve(later.taken_at, policy.clone(), Arc::default())
}

/// The group of a whole plan that is this one, or would be.
fn counterpart<'a>(plan: &'a Plan, group: &PlannedGroup) -> Option<&'a PlannedGroup> {
    let mut groups = plan.groups.iter();
    groups.find(|other| other.key == group.key && other.family == group.family)
}

fn expected(purge: &Job, group: &PlannedGroup, now: Option<&PlannedGroup>) -> Target {
    let settled = |outcome| Target::Settled(Box::new(outcome));
    let find = |uid| now.and_then(|now| now.jobs.iter().find(|other| other.job.uid() == uid));
    let Some(same) = find(purge.uid()) else {
        return Target::Reread;
    };
    let mut keepers = group.jobs.iter().filter(
        |job| matches!(job.verdict, Verdict::Skip(why) if why.contains(KeepReason::Newest)),
    );
    let keepers_stay =
        keepers.all(|keeper| find(keeper.job.uid()).is_some_and(|now| !now.job.is_terminating()));
    match same.verdict {
        _ if same.job.is_terminating() => settled(Outcome::Gone),
        Verdict::Skip(reasons) => settled(Outcome::Changed(Change::NowKept(reasons))),
        Verdict::Purge if !keepers_stay => settled(Outcome::Changed(Change::KeeperGone)),
        Verdict::Purge if same.job == *purge => Target::AsPlanned,
        Verdict::Purge => Target::Newer(Box::new(same.job.clone())),
    }
}

proptest! {
    #![proptest_config(Config { cases: 1024, failure_persistence: None, ..Config::default() })]

    #[test]
    fn what_is_to_be_done_is_what_two_whole_plans_would_say((before, later, policy) in any_course()) {
        let approved = recheck(&before, &later, &policy);
        let plan = Plan::new(before, &policy);
        prop_assert_eq!(approved.plan(), &plan, "what was shown stays what was shown");
        let now = Plan::new(later, &policy);
        let targets: Vec<Target> = plan
            .groups
            .iter()
            .flat_map(|group| group.jobs.iter().map(move |job| (group, job)))
            .filter(|(_, job)| job.verdict == Verdict::Purge)
            .map(|(group, job)| expected(&job.job, group, counterpart(&now, group)))
            .collect();
        prop_assert_eq!(approved.targets(), targets);
    }

    #[test]
    fn a_job_that_is_read_again_is_judged_among_those_of_the_later_list(
        ((before, later, policy), fate) in (any_course(), any_fate())
    ) {
        let approved = recheck(&before, &later, &policy);
        for job in approved.plan().purges() {
            let last = later.jobs.iter().find(|other| other.uid() == job.uid());
            if let Some(found) = after(fate, last.unwrap_or(job)) {
                let rejudged = approved.rejudge(job, Reread::Found(found.clone()));
                prop_assert_eq!(rejudged, expected_again(job, last, found, &later, &policy));
            }
        }
    }
}

proptest! {
    #![proptest_config(Config { cases: 512, failure_persistence: None, ..Config::default() })]

    /// What a question was not about does not go after it, though the rules would let it go again by then.
    #[test]
    fn what_had_fallen_out_stays_out((before, between, policy) in any_course(), fates in vec(any_fate(), 24)) {
        // From what was there first, so that what had changed may be as it was.
        let fated = before.jobs.iter().zip(fates);
        let later = Snapshot {
            jobs: fated.filter_map(|(job, fate)| after(fate, job)).collect(),
            ..between.clone()
        };
        let earlier = recheck(&before, &between, &policy).targets().to_vec();
        let without = recheck(&before, &later, &policy);
        let narrowed = recheck(&before, &later, &policy).narrowed(earlier.clone());
        let both = earlier.iter().zip(without.targets()).zip(narrowed.targets());
        for ((earlier, alone), narrowed) in both {
            match (earlier, alone) {
                (_, alone) if !alone.is_delete() => prop_assert_eq!(narrowed, alone),
                (earlier, alone) if earlier.is_delete() => prop_assert_eq!(narrowed, alone),
                (Target::Settled(_), _) => prop_assert_eq!(narrowed, earlier),
                _ => prop_assert_eq!(
                    narrowed,
                    &Target::Settled(Box::new(Outcome::Changed(Change::Relabelled)))
                ),
            }
        }
    }

    #[test]
    fn chosen_groups_are_as_they_were_among_the_others(
        (before, later, policy) in any_course(),
        picks in vec(any::<bool>(), 24),
    ) {
        let approved = recheck(&before, &later, &policy);
        let shown = approved.as_of_now();
        let places: Vec<usize> = (0..shown.groups.len()).filter(|place| picks[*place]).collect();
        let shown = shown.only(&places);
        let of_groups: Vec<(Job, Target)> = approved
            .plan()
            .purges()
            .cloned()
            .zip(approved.targets().iter().cloned())
            .filter(|(job, _)| {
                let groups = &approved.plan().groups[approved.plan().groups_of(job)];
                let of_job = groups.iter().find(|group| group.place_of(job).is_some());
                counterpart(&shown, of_job.expect("its group")).is_some()
            })
            .collect();
        let chosen = approved.only(&shown);
        let left: Vec<(Job, Target)> =
            chosen.plan().purges().cloned().zip(chosen.targets().iter().cloned()).collect();
        prop_assert_eq!(left, of_groups);
        prop_assert_eq!(chosen.as_of_now().groups, shown.groups);
    }
}

fn expected_again(
    job: &Job,
    last: Option<&Job>,
    found: Job,
    later: &Snapshot,
    policy: &Policy,
) -> Rejudged {
    let left = |change| Rejudged::Settled(Outcome::Changed(change));
    if found.uid() != job.uid() {
        return left(Change::Replaced);
    }
    if found.is_terminating() {
        return Rejudged::Settled(Outcome::Gone);
    }
    let was_elsewhere = last.is_none_or(|last| last.group_values() != job.group_values());
    if was_elsewhere || found.group_values() != job.group_values() {
        return left(Change::Relabelled);
    }
    // As if the list had shown it so.
    let jobs = later
        .jobs
        .iter()
        .map(|other| match other.uid() == job.uid() {
            true => found.clone(),
            false => other.clone(),
        })
        .collect();
    let now = Plan::new(
        Snapshot {
            jobs,
            ..later.clone()
        },
        policy,
    );
    let mut judged = now.groups.iter().flat_map(|group| &group.jobs);
    let judged = judged.find(|judged| judged.job.uid() == job.uid());
    match judged.expect("it is in the list").verdict {
        Verdict::Purge => Rejudged::Delete(found),
        Verdict::Skip(reasons) => left(Change::NowKept(reasons)),
    }
}

#[test]
fn groups_of_different_families_are_told_apart_only_where_they_were_split() {
    let job = |name: &str, minutes| crate::support::jobs::job("a", &["x"], name, minute(minutes));
    let before = vec![
        job("app-1a2b3c", 1),
        job("app-1a2b3d", 2),
        job("db-1a2b3c", 3),
    ];
    for (mixed_groups, purges) in [(MixedGroups::Split, 1), (MixedGroups::Merge, 2)] {
        let policy = Policy {
            mixed_groups: Some(mixed_groups),
            ..Policy::default()
        };
        let snapshot = crate::support::jobs::snapshot(
            &[crate::support::jobs::LABEL],
            minute(6),
            before.clone(),
        );
        // Only the Job of the other family is left to be the newest.
        let later = Snapshot {
            jobs: before[..2].to_vec(),
            ..snapshot.clone()
        };
        let targets = recheck(&snapshot, &later, &policy).targets().to_vec();
        let as_planned = targets
            .iter()
            .filter(|target| **target == Target::AsPlanned)
            .count();
        let expected = usize::from(mixed_groups == MixedGroups::Split);
        assert_eq!(
            (targets.len(), as_planned),
            (purges, expected),
            "{mixed_groups:?}"
        );
    }
}
