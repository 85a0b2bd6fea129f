//! Every form of output of a few plans, to the letter. Cases are named after the options that they show.

use std::{
    collections::BTreeMap,
    num::{NonZeroU8, NonZeroU32, NonZeroUsize},
    time::Duration,
};

use jiff::{SignedDuration, Timestamp};
use kubectl_jobclean::{
    error::Stop,
    job::{Controller, Job, Protection, State, rules::Match},
    output::{Colour, Headers, Style, View, words},
    plan::{
        Plan, Snapshot, Source, Warning,
        group::MixedGroups,
        report::{Change, EndedEarly, Outcome, Report},
        retention::Policy,
        rules::{Retention, Rule, Rules, Ruling},
    },
};

use crate::support::{
    jobs::{
        LABEL, SECOND_LABEL, cron_job, edit, everything_included, job, snapshot, terminating, with,
    },
    render::{PLAIN, as_json, as_names, as_summary, as_table, as_wide, as_yaml, columns},
};

/// Compare with the text that is kept under `snapshots/`.
fn golden(case: &str, text: &str) {
    insta::with_settings!({ omit_expression => true, prepend_module_to_snapshot => false }, {
        insta::assert_snapshot!(case, text);
    });
}

fn at(text: &str) -> Timestamp {
    text.parse().expect("a time")
}

fn noon() -> Timestamp {
    at("2026-11-23T12:00:00Z")
}

/// A Job of namespace `team-a`, created `minutes` before noon.
fn aged(minutes: i64, group: &str, name: &str) -> Job {
    let created = noon() - SignedDuration::from_mins(minutes);
    job("team-a", &[group], name, created)
}

/// One group with a Job of every sort, a mixed one, and one in another namespace that has ties.
fn every_reason() -> Vec<Job> {
    let tie = at("2025-01-31T08:30:00Z");
    vec![
        with(
            aged(3, "ledger", "create-ledger-schema-1a2b3c"),
            |common, own| {
                common.state = State::Running;
                own.finished = None;
            },
        ),
        with(
            aged(5, "ledger", "create-ledger-schema-99aa01"),
            |common, _| {
                common.deletion = terminating();
            },
        ),
        aged(70, "ledger", "create-ledger-schema-0d44e1"),
        with(
            aged(200, "ledger", "create-ledger-schema-77b0c2"),
            |common, own| {
                common.state = State::Suspended;
                own.started = None;
                own.finished = None;
            },
        ),
        with(
            aged(400, "ledger", "create-ledger-schema-8c8c8c1"),
            |common, _| {
                common.state = State::Failed;
            },
        ),
        with(
            aged(3_000, "ledger", "create-ledger-schema-42ff42"),
            |common, _| {
                common.protection = Some(Protection::KeepMark);
            },
        ),
        with(
            aged(9_000, "ledger", "create-ledger-schema-29012345"),
            |common, _| {
                common.controller = cron_job("ledger-nightly");
            },
        ),
        with(
            aged(20_000, "ledger", "create-ledger-schema-5d5d5d5"),
            |common, own| {
                common.state = State::FailureTarget;
                own.finished = None;
            },
        ),
        aged(600_000, "ledger", "create-ledger-schema-b7c001"),
        aged(10, "shop", "db-migrate-1a2b3c"),
        aged(20, "shop", "create-user-1a2b3c"),
        aged(30, "shop", "db-migrate-0f0f0f1"),
        job("team-b", &[""], "sync-x7k2p", tie),
        job("team-b", &[""], "sync-b4n9q", tie),
        job("team-b", &[""], "sync-z2z2z", tie),
    ]
}

fn plan(policy: &Policy) -> Plan {
    Plan::new(snapshot(&[LABEL], noon(), every_reason()), policy)
}

fn default_plan() -> Plan {
    plan(&Policy::default())
}

fn mixed(mixed_groups: MixedGroups) -> Plan {
    plan(&Policy {
        mixed_groups: Some(mixed_groups),
        ..Policy::default()
    })
}

/// A plan of eight purges and how each outcome looks on it.
fn every_outcome() -> Report {
    let jobs = (0..9)
        .map(|number| aged(10 * number, "ledger", &format!("load-{number}{number}")))
        .collect();
    Report {
        plan: Plan::new(snapshot(&[LABEL], noon(), jobs), &Policy::default()),
        outcomes: vec![
            Outcome::Deleted,
            Outcome::Terminating,
            Outcome::WouldDelete,
            Outcome::Gone,
            Outcome::Changed(Change::Replaced),
            Outcome::Failed(
                r#"jobs.batch "load-66" is forbidden: User "eve" cannot delete it"#.to_owned(),
            ),
            Outcome::NotAttempted,
            Outcome::Recreated(Some("Argo CD (application ledger)".to_owned())),
        ],
        ended_early: Some(EndedEarly::Stopped(Stop::Interrupt)),
        stopped: BTreeMap::new(),
        waited: None,
        took: Duration::from_millis(1_234),
    }
}

/// Text that would clear a screen, turn a line around, or break out of its row.
fn hostile() -> Plan {
    let place = (
        "team\u{1b}[2J",
        "va\u{202e}lue\u{9b}31m\r\nPURGE  all\u{2028}",
    );
    let jobs = vec![
        job(place.0, &[place.1], "one\u{7}\t\u{200f}", noon()),
        with(
            job(place.0, &[place.1], "one\u{7f}\u{85}-12345", noon()),
            |common, own| {
                own.uid = "uid\u{2066}\"\\".into();
                common.controller = Some(Controller {
                    kind: "Cron\u{0}Job".into(),
                    name: "日本💥\u{feff}".into(),
                });
            },
        ),
        job(
            place.0,
            &[place.1],
            "one\u{7}\t\u{200f}-v2",
            noon() - SignedDuration::from_hours(3),
        ),
    ];
    let hostile = Snapshot {
        source: Source::Cluster {
            context: "prod\u{1b}]0;x\u{7}".to_owned(),
            server: "https://\u{202e}moc.elpmaxe".to_owned(),
        },
        ..snapshot(&[LABEL], noon(), jobs)
    };
    Plan::new(
        hostile,
        &Policy {
            mixed_groups: Some(MixedGroups::Merge),
            ..Policy::default()
        },
    )
}

fn two_labels() -> Plan {
    let created = |minutes| noon() - SignedDuration::from_mins(minutes);
    let jobs = vec![
        job("team-a", &["ledger", "schema"], "schema-v3", created(1)),
        job("team-a", &["ledger", "schema"], "schema-v2", created(2)),
        job("team-a", &["ledger", "users"], "users-v3", created(3)),
        job("team-a", &["ledger", ""], "users-v2", created(4)),
        job("team-a", &["", "users"], "users-v1", created(5)),
    ];
    Plan::new(
        snapshot(&[LABEL, SECOND_LABEL], noon(), jobs),
        &Policy::default(),
    )
}

fn nothing() -> Plan {
    Plan::new(snapshot(&[LABEL], noon(), vec![]), &Policy::default())
}

#[test]
fn table_in_several_widths() {
    let plan = default_plan();
    golden("o-table", &as_table(View::Plan(&plan), PLAIN));
    for width in [60, 80, 120] {
        golden(
            &format!("o-table-width-{width}"),
            &as_table(View::Plan(&plan), columns(width)),
        );
    }
}

/// Where lines may be as long as they like, a long name is whole and moves its own row alone. On a terminal it is cut.
#[test]
fn one_long_name_does_not_pad_the_others() {
    let long = "a-name-of-a-job-that-goes-on-and-on-up-to-sixty-three-characters";
    let names = ["db-migrate-0f0f0f1", "db-migrate-1a2b3c4", &long[..63]];
    let jobs = names.map(|name| aged(10, name, name));
    let plan = Plan::new(snapshot(&[LABEL], noon(), jobs.into()), &Policy::default());
    let view = View::Plan(&plan);
    golden("long-name-o-table", &as_table(view, PLAIN));
    golden("long-name-o-table-width-70", &as_table(view, columns(70)));
    golden("long-name-o-summary", &as_summary(view, PLAIN));
    golden(
        "long-name-o-summary-width-90",
        &as_summary(view, columns(90)),
    );
}

#[test]
fn table_in_colour() {
    let colour = Style {
        colour: Colour::On,
        ..columns(100)
    };
    let escaped = |text: String| text.replace('\u{1b}', "\\e");
    golden(
        "o-table-colour",
        &escaped(as_table(View::Plan(&default_plan()), colour)),
    );
    golden(
        "report-o-table-colour",
        &escaped(as_table(View::Report(&every_outcome()), colour)),
    );
    golden(
        "o-summary-colour",
        &escaped(as_summary(View::Plan(&default_plan()), colour)),
    );
}

#[test]
fn no_headers() {
    let plan = default_plan();
    let bare = Style {
        headers: Headers::Hide,
        ..PLAIN
    };
    golden("o-table-no-headers", &as_table(View::Plan(&plan), bare));
    golden("o-summary-no-headers", &as_summary(View::Plan(&plan), bare));
}

#[test]
fn wide() {
    let plan = default_plan();
    golden("o-wide", &as_wide(View::Plan(&plan), PLAIN));
    golden(
        "o-wide-width-120",
        &as_wide(View::Plan(&plan), columns(120)),
    );
}

/// A group with two rules, one that is held, and one that has the defaults.
#[test]
fn rules_of_a_policy() {
    let rule = |name: Option<&str>, ruling| Rule {
        name: name.map(Into::into),
        matches: Match::default(),
        ruling,
    };
    let two = Retention {
        keep: NonZeroUsize::new(2).expect("not zero"),
        ..Retention::default()
    };
    let rules = vec![
        rule(Some("hold-prod"), Ruling::Hold),
        rule(None, Ruling::Keep(two)),
    ];
    let policy = Policy {
        mixed_groups: Some(MixedGroups::Merge),
        rules: Some(Rules::new(rules)),
        ..Policy::default()
    };
    let mut jobs = every_reason();
    for job in &mut jobs {
        let rule = NonZeroU8::new(match (job.namespace(), job.name()) {
            ("team-b", _) => 1,
            (_, name) if name.starts_with("db-") => 2,
            _ => 0,
        });
        edit(job, |common, _| common.rule = rule);
    }
    let plan = Plan::new(snapshot(&[LABEL], noon(), jobs), &policy);
    golden("policy-o-wide", &as_wide(View::Plan(&plan), PLAIN));
    golden("policy-o-json", &as_json(View::Plan(&plan)));
}

/// A flag beside a policy is an error where the policy says the same, so that its field is named.
#[test]
fn a_way_out_of_a_held_group_is_in_the_policy() {
    let policy = Policy {
        rules: Some(Rules::default()),
        ..Policy::default()
    };
    let plan = Plan::new(snapshot(&[LABEL], noon(), every_reason()), &policy);
    let table = as_table(View::Plan(&plan), PLAIN);
    let warnings: Vec<String> = (plan.warnings.iter())
        .map(|warning| words::warning(&plan, warning))
        .collect();
    for text in [&table, &warnings.join("\n")] {
        assert!(text.contains("mixedGroups: split would purge"), "{text}");
        assert!(!text.contains("--mixed-groups"), "{text}");
    }
}

#[test]
fn one_row_a_group() {
    let plan = default_plan();
    golden("o-summary", &as_summary(View::Plan(&plan), PLAIN));
    golden(
        "o-summary-width-60",
        &as_summary(View::Plan(&plan), columns(60)),
    );
}

/// What the Jobs take that are to be purged, where that is known of each of them.
#[test]
fn sizes() {
    let sized = |minutes, group, name, bytes| {
        with(aged(minutes, group, name), |_, own| {
            own.size = NonZeroU32::new(bytes);
        })
    };
    let jobs = |third| {
        vec![
            sized(10, "ledger", "load-11", 5_000),
            sized(20, "ledger", "load-22", 900_000),
            sized(30, "ledger", "load-33", third),
            sized(10, "shop", "sync-11", 5_000),
            sized(20, "shop", "sync-22", 3_449),
        ]
    };
    let plan = |third| Plan::new(snapshot(&[LABEL], noon(), jobs(third)), &Policy::default());
    let known = plan(600_000);
    golden("sizes-o-summary", &as_summary(View::Plan(&known), PLAIN));
    golden("sizes-o-table", &as_table(View::Plan(&known), PLAIN));
    golden("sizes-o-json", &as_json(View::Plan(&known)));
    // Of one of them it is not.
    let plan = plan(0);
    golden(
        "sizes-unknown-o-summary",
        &as_summary(View::Plan(&plan), PLAIN),
    );
}

#[test]
fn for_programs() {
    let plan = default_plan();
    golden("o-json", &as_json(View::Plan(&plan)));
    golden("o-yaml", &as_yaml(View::Plan(&plan)));
    golden("o-name", &as_names(View::Plan(&plan)));
}

#[test]
fn from_a_file() {
    let mut plan = two_labels();
    plan.source = Source::File {
        path: "-".to_owned(),
    };
    plan.resource_version.clear();
    golden("filename-o-json", &as_json(View::Plan(&plan)));
}

#[test]
fn keeps() {
    let policy = Policy {
        defaults: Retention {
            keep: NonZeroUsize::new(2).expect("not zero"),
            keep_succeeded: 2,
            keep_failed: 1,
            keep_within: Some(Duration::from_secs(60 * 60)),
            ..Retention::default()
        },
        ..Policy::default()
    };
    golden(
        "keep-2-keep-succeeded-2-keep-failed-1-keep-within-1h",
        &as_table(View::Plan(&plan(&policy)), PLAIN),
    );
    golden(
        "include-active-include-owned-mixed-groups-merge",
        &as_table(View::Plan(&plan(&everything_included())), PLAIN),
    );
}

#[test]
fn mixed_groups() {
    let split = mixed(MixedGroups::Split);
    golden(
        "mixed-groups-split-o-table",
        &as_table(View::Plan(&split), PLAIN),
    );
    golden(
        "mixed-groups-split-o-summary",
        &as_summary(View::Plan(&split), PLAIN),
    );
    golden("mixed-groups-split-o-json", &as_json(View::Plan(&split)));
    golden(
        "mixed-groups-merge-o-table",
        &as_table(View::Plan(&mixed(MixedGroups::Merge)), PLAIN),
    );
}

#[test]
fn two_labels_make_a_composite_group() {
    let plan = two_labels();
    golden("label-label-o-table", &as_table(View::Plan(&plan), PLAIN));
    golden(
        "label-label-o-summary",
        &as_summary(View::Plan(&plan), PLAIN),
    );
    golden("label-label-o-json", &as_json(View::Plan(&plan)));
}

#[test]
fn a_report_with_every_outcome() {
    let report = every_outcome();
    let view = View::Report(&report);
    golden("report-o-table", &as_table(view, PLAIN));
    golden("report-o-table-width-60", &as_table(view, columns(60)));
    golden("report-o-wide", &as_wide(view, PLAIN));
    golden("report-o-summary", &as_summary(view, PLAIN));
    golden("report-o-json", &as_json(view));
    golden("report-o-yaml", &as_yaml(view));
}

#[test]
fn an_empty_plan() {
    let plan = nothing();
    let report = Report {
        plan: nothing(),
        outcomes: vec![],
        ended_early: None,
        stopped: BTreeMap::new(),
        waited: None,
        took: Duration::from_millis(1_234),
    };
    golden("nothing-o-table", &as_table(View::Plan(&plan), PLAIN));
    golden("nothing-o-summary", &as_summary(View::Plan(&plan), PLAIN));
    golden("nothing-o-json", &as_json(View::Plan(&plan)));
    golden("nothing-o-name", &as_names(View::Plan(&plan)));
    golden("nothing-report-o-json", &as_json(View::Report(&report)));
}

#[test]
fn hostile_text() {
    let plan = hostile();
    golden("hostile-o-wide", &as_wide(View::Plan(&plan), PLAIN));
    golden("hostile-o-summary", &as_summary(View::Plan(&plan), PLAIN));
    golden("hostile-o-json", &as_json(View::Plan(&plan)));
    golden("hostile-o-name", &as_names(View::Plan(&plan)));
}

#[test]
fn warnings_of_every_sort() {
    let cut_off = "c".repeat(63);
    let mut jobs = every_reason();
    jobs.push(aged(-30, "ledger", "create-ledger-schema-ffff00"));
    jobs.push(aged(-60, &cut_off, "ahead"));
    let mut plan = Plan::new(snapshot(&[LABEL], noon(), jobs), &Policy::default());
    plan.warnings.push(Warning::Ignored {
        what: "2 Pod, 1 Service".to_owned(),
    });
    let warnings: Vec<String> = plan
        .warnings
        .iter()
        .map(|warning| words::warning(&plan, warning) + "\n")
        .collect();
    golden("warnings", &warnings.concat());
}
