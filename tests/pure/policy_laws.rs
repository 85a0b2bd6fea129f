//! What holds for every plan, whatever the rules of its policy.

use std::{collections::BTreeSet, num::NonZeroU8, path::Path, sync::Arc};

use kubectl_jobclean::{
    cli::policy::{Flagged, PolicyFile, Said},
    gitops::Mode,
    job::{
        Job,
        grouping::Grouping,
        ids::Uid,
        query::{Query, Reread, Scope, Sink as _},
        rules::{self, Match, Matched},
    },
    plan::{
        Plan, Snapshot,
        recheck::{Recheck, Rejudged, Target},
        report::{Change, Outcome},
        retention::{KeepReason, Policy, Verdict},
        rules::{Rule, Rules, Ruling},
    },
    time::HumanDuration,
};
use proptest::{collection::vec, prelude::*, sample::select, test_runner::Config};

use crate::support::jobs::{
    any_policy, any_snapshot, edit, everything_included, job, minute, snapshot, taken_at, with,
};

fn cases() -> Config {
    Config {
        cases: 512,
        failure_persistence: None,
        ..Config::default()
    }
}

fn rule(ruling: Ruling) -> Rule {
    Rule {
        name: None,
        matches: Match::default(),
        ruling,
    }
}

/// A policy with up to three rules, and Jobs that they are for.
fn any_case() -> impl Strategy<Value = (Snapshot, Policy)> {
    let ruling = prop_oneof![
        3 => any_policy().prop_map(|policy| Ruling::Keep(policy.defaults)),
        1 => Just(Ruling::Hold),
    ];
    let numbers = vec(0_u8..4, 24);
    (any_snapshot(), any_policy(), vec(ruling, 0..4), numbers).prop_map(
        |(mut snapshot, policy, rulings, numbers)| {
            let last = rulings.len() as u8;
            for (job, number) in snapshot.jobs.iter_mut().zip(numbers) {
                edit(job, |common, _| {
                    common.rule = NonZeroU8::new(number.min(last))
                });
            }
            let rules = Rules::new(rulings.into_iter().map(rule).collect());
            let rules = Some(rules);
            (snapshot, Policy { rules, ..policy })
        },
    )
}

fn purged(plan: &Plan) -> BTreeSet<Uid> {
    plan.purges().map(|job| job.uid()).collect()
}

/// What a policy with this one ruling for all would purge, and what without rules.
fn purged_under(snapshot: &Snapshot, policy: &Policy, ruling: Ruling) -> BTreeSet<Uid> {
    let Ruling::Keep(defaults) = ruling else {
        return BTreeSet::new();
    };
    let policy = Policy {
        defaults,
        rules: None,
        ..policy.clone()
    };
    let mut snapshot = snapshot.clone();
    for job in &mut snapshot.jobs {
        edit(job, |common, _| common.rule = None);
    }
    purged(&Plan::new(snapshot, &policy))
}

/// What may be said, and as a file says it.
fn any_said() -> impl Strategy<Value = (Said, String)> {
    let count = || prop_oneof![Just(None), (1_usize..3).prop_map(Some)];
    let minutes = || prop_oneof![Just(None), (0_u64..5).prop_map(Some)];
    let switch = || select(vec![None, Some(false), Some(true)]);
    let numbers = (count(), count(), count());
    (
        numbers,
        (minutes(), minutes(), minutes()),
        (switch(), switch()),
    )
        .prop_map(|(numbers, times, switches)| {
            let time = |minutes: Option<u64>| -> Option<HumanDuration> {
                Some(format!("{}m", minutes?).parse().expect("a time"))
            };
            let said = Said {
                keep: numbers.0.and_then(std::num::NonZeroUsize::new),
                keep_succeeded: numbers.1,
                keep_failed: numbers.2,
                keep_within: time(times.0),
                keep_superseded_within: time(times.1),
                keep_finished_within: time(times.2),
                include_active: switches.0,
                include_owned: switches.1,
            };
            let count = |name: &str, said: Option<usize>| said.map(|n| format!("{name}: {n}"));
            let time = |name: &str, said: Option<u64>| said.map(|n| format!("{name}: {n}m"));
            let switch = |name: &str, said: Option<bool>| said.map(|on| format!("{name}: {on}"));
            let fields = [
                count("keep", numbers.0),
                count("keepSucceeded", numbers.1),
                count("keepFailed", numbers.2),
                time("keepWithin", times.0),
                time("keepSupersededWithin", times.1),
                time("keepFinishedWithin", times.2),
                switch("includeActive", switches.0),
                switch("includeOwned", switches.1),
            ];
            let fields: Vec<String> = fields.into_iter().flatten().collect();
            (said, fields.join(", "))
        })
}

proptest! {
    #![proptest_config(cases())]

    #[test]
    fn what_is_purged_is_purged_under_every_rule_of_its_group((snapshot, policy) in any_case()) {
        let plan = Plan::new(snapshot.clone(), &policy);
        let purges = purged(&plan);
        for group in &plan.groups {
            let rules: BTreeSet<_> = group.jobs.iter().map(|planned| planned.job.rule()).collect();
            let under: Vec<BTreeSet<Uid>> = rules
                .into_iter()
                .map(|rule| purged_under(&snapshot, &policy, policy.ruling(rule)))
                .collect();
            for planned in &group.jobs {
                let uid = &planned.job.uid();
                let by_all = under.iter().all(|purged| purged.contains(uid));
                prop_assert_eq!(purges.contains(uid), by_all, "{:?}", planned);
            }
        }
    }

    #[test]
    fn hold_purges_nothing((snapshot, policy) in any_case()) {
        let plan = Plan::new(snapshot, &policy);
        for group in &plan.groups {
            let is_held = |job: &Job| policy.ruling(job.rule()) == Ruling::Hold;
            let holds = group.jobs.iter().any(|planned| is_held(&planned.job));
            for planned in &group.jobs {
                let says = matches!(planned.verdict, Verdict::Skip(why) if why.contains(KeepReason::Held));
                prop_assert_eq!(says, holds);
            }
        }
    }

    #[test]
    fn the_newest_of_a_group_is_never_purged((snapshot, policy) in any_case()) {
        let plan = Plan::new(snapshot, &policy);
        for group in &plan.groups {
            let newest = group.jobs.iter().find(|planned| !planned.job.is_terminating());
            prop_assert!(newest.is_none_or(|newest| !newest.verdict.is_purge()), "{:?}", group);
        }
    }

    #[test]
    fn a_policy_with_defaults_only_is_the_same_as_flags(
        snapshot in any_snapshot(),
        (said, fields) in any_said(),
    ) {
        prop_assume!(!fields.is_empty());
        let nothing = Said::default();
        let flags = |said| Flagged { said, mixed_groups: None, family: None, gitops: Some(Mode::Ignore) };
        let text = format!("apiVersion: jobclean/v1\nkind: Policy\ndefaults: {{{fields}}}\n");
        let file = PolicyFile::parse(Path::new("p"), &text).expect("a policy");
        let by_file = file.policy(&flags(&nothing), &Grouping::Application).expect("no flag");
        let by_file = Plan::new(snapshot.clone(), &by_file);
        let by_flags = Plan::new(snapshot, &flags(&said).policy());
        prop_assert_eq!(by_file.groups, by_flags.groups);
    }

    #[test]
    fn the_first_match_wins(
        parts in vec((select(vec!["", "a", "b"]), select(vec!["", "x=1", "x=2"]), select(vec!["", "s", "t"])), 1..5),
        namespace in select(vec!["a", "b"]),
        label in select(vec!["1", "2"]),
        application in select(vec![None, Some("s"), Some("t")]),
    ) {
        let list: Vec<Match> = parts
            .iter()
            .map(|(namespace, selector, application)| Match {
                namespaces: some(namespace).into_iter().collect(),
                applications: some(application).into_iter().collect(),
                selector: selector.parse().expect("a selector"),
            })
            .collect();
        let expected = parts.iter().position(|(of_namespace, selector, of_application)| {
            [namespace, ""].contains(of_namespace)
                && ["", &format!("x={label}")].contains(selector)
                && (of_application.is_empty() || application == Some(of_application))
        });
        let job = Matched {
            namespace,
            application,
            label: |key: &str| (key == "x").then_some(label),
        };
        let found = rules::first(&list, &job).map(|number| usize::from(number.get()) - 1);
        prop_assert_eq!(found, expected);
    }

    #[test]
    fn a_recheck_never_purges_what_a_new_plan_would_keep(
        (before, policy) in any_case(),
        numbers in vec(0_u8..4, 24),
    ) {
        let last = policy.rules.as_ref().map_or(0, |rules| rules.iter().len() as u8);
        let mut later = before.clone();
        for (job, number) in later.jobs.iter_mut().zip(numbers) {
            edit(job, |common, _| common.rule = NonZeroU8::new(number.min(last)));
        }
        let mut recheck = Recheck::new(Plan::new(before.clone(), &policy));
        later.jobs.iter().for_each(|job| recheck.take(job.clone()));
        let approved = recheck.approve(later.taken_at, policy.clone(), Arc::default());
        let now = purged(&Plan::new(later.clone(), &policy));
        let targets: Vec<Target> = approved.targets().to_vec();
        let mut both = 0;
        for (job, target) in approved.plan().purges().zip(&targets) {
            prop_assert_eq!(target.is_delete(), now.contains(&job.uid()), "{:?}", target);
            both += usize::from(target.is_delete());
        }
        prop_assert_eq!(both, purged(approved.plan()).intersection(&now).count());
    }
}

fn some<T: std::str::FromStr<Err = &'static str>>(text: &str) -> Option<T> {
    (!text.is_empty()).then(|| text.parse().expect("a pattern"))
}

/// After a conflict a Job is judged by the rule that is for it by then.
#[test]
fn a_conflict_with_another_rule_is_judged_by_that_rule() {
    let jobs: Vec<Job> = (0..3)
        .map(|number| job("a", &["x"], &format!("sync-{number}00"), minute(number)))
        .collect();
    let policy = Policy {
        rules: Some(Rules::new(vec![rule(Ruling::Hold)])),
        ..everything_included()
    };
    let plan = Plan::new(snapshot(&["g"], taken_at(), jobs), &policy);
    let mut recheck = Recheck::new(plan.clone());
    let all: Vec<Job> = plan.groups[0]
        .jobs
        .iter()
        .map(|planned| planned.job.clone())
        .collect();
    all.iter().for_each(|job| recheck.take(job.clone()));
    let approved = recheck.approve(taken_at(), policy, Arc::default());
    let purge = approved.plan().purges().next().expect("a purge").clone();
    let changed = with(purge.clone(), |_, own| {
        own.resource_version = "9".into();
    });
    assert_eq!(
        approved.rejudge(&purge, Reread::Found(changed.clone())),
        Rejudged::Delete(changed.clone())
    );
    let held = with(changed, |common, _| {
        common.rule = NonZeroU8::new(1);
    });
    match approved.rejudge(&purge, Reread::Found(held)) {
        Rejudged::Settled(Outcome::Changed(Change::NowKept(why))) => {
            assert!(why.contains(KeepReason::Held));
        }
        other => panic!("{other:?}"),
    }
}

/// A plan of Jobs with several rules, saved and read again, says the same.
#[test]
fn a_saved_plan_has_its_rules() {
    use kubectl_jobclean::output::saved::{Identity, SavedPlan};
    let text = "apiVersion: jobclean/v1\nkind: Policy\ndefaults: {keep: 2}\nrules:\n\
                - {name: old, match: {namespaces: [a], selector: 'x in (1,2)'}, keep: 3, keepSupersededWithin: 1s, includeActive: true}\n\
                - {match: {namespaces: [b-*]}, hold: true}\nnamespaceAnnotations: true";
    let said = Said::default();
    let flags = Flagged {
        said: &said,
        mixed_groups: None,
        family: None,
        gitops: None,
    };
    let grouping: Grouping = "label:g".parse().expect("a grouping");
    let file = PolicyFile::parse(Path::new("p"), text).expect("a policy");
    let policy = file.policy(&flags, &grouping).expect("a policy");
    let jobs = (0..4).map(|number| {
        with(
            job(
                "a",
                &["x"],
                &format!("sync-a1b2c{number}"),
                minute(number.into()),
            ),
            |common, own| {
                common.rule = NonZeroU8::new(number / 2);
                own.started = None;
                own.finished = None;
            },
        )
    });
    let other = with(job("b-1", &["x"], "other-100", minute(1)), |common, own| {
        own.started = None;
        own.finished = None;
        common.rule = NonZeroU8::new(2);
    });
    let jobs = jobs.chain([other]).collect();
    let saved = SavedPlan {
        plan: Plan::new(snapshot(&["g"], taken_at(), jobs), &policy),
        query: Query {
            rules: policy.rules.as_ref().expect("rules").matches(),
            ..Query::all(grouping, Scope::AllNamespaces, 500)
        },
        policy,
        places: Default::default(),
        identity: Identity::default(),
    };
    assert_eq!(saved.plan.summary().purge, 1);
    let mut written = Vec::new();
    saved.write(&mut written).expect("a Vec takes everything");
    let read = SavedPlan::parse(&written, 500).expect("a saved plan");
    assert_eq!(read.policy.rules, saved.policy.rules);
    assert!(read.policy.asks_namespaces);
    assert_eq!(read.policy.defaults, saved.policy.defaults);
    assert_eq!(read.query.rules, saved.query.rules);
    assert_eq!(read.plan, saved.plan);
    let text = String::from_utf8(written).expect("UTF-8");
    for (what, with) in [
        ("\"rule\": \"old\"", "\"rule\": \"new\""),
        (
            "\"namespaces\": [\n            \"a\"",
            "\"namespaces\": [\n            \"A B\"",
        ),
    ] {
        let edited = text.replacen(what, with, 1);
        assert_ne!(edited, text, "{text}");
        assert!(SavedPlan::parse(edited.as_bytes(), 500).is_err(), "{what}");
    }
}
