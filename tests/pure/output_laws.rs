//! What holds for every form of output, whatever the plan says and whatever the cluster's texts hold: nothing is lost
//! on the way, and nothing in it steers a terminal.

use std::collections::BTreeMap;

use jiff::Timestamp;
use kubectl_jobclean::{
    error::{Exit, Stop},
    gitops::Mode,
    job::grouping::Key,
    output::{Rows, Style, View, json},
    plan::{
        Plan, PlannedJob, Snapshot, Source,
        report::{EndedEarly, Outcome, Report},
        retention::Policy,
    },
};
use proptest::{collection::vec, prelude::*, sample::select, test_runner::Config};
use serde_json::{Value, json};

use crate::support::{
    jobs::{
        LABEL, any_outcome, any_plan, any_policy, cron_job, hostile_text, job, minute, snapshot,
        taken_at, with,
    },
    render::{PLAIN, as_json, as_names, as_summary, as_table, as_wide, as_yaml, columns},
};

fn cases() -> Config {
    Config {
        cases: 256,
        failure_persistence: None,
        ..Config::default()
    }
}

/// Every form for people by its name.
fn forms_for_people(view: View, width: Option<u16>) -> Vec<(&'static str, String)> {
    let style = Style { width, ..PLAIN };
    vec![
        ("name", as_names(view)),
        ("summary", as_summary(view, style)),
        ("table", as_table(view, style)),
        ("wide", as_wide(view, style)),
    ]
}

fn any_width() -> impl Strategy<Value = Option<u16>> {
    prop_oneof![
        Just(None),
        (0_u16..200).prop_map(Some),
        Just(Some(u16::MAX))
    ]
}

/// The first character with which a terminal would do something else than show it: a control, or one of Unicode's
/// Bidi_Control. Ends of lines are what lines end with.
fn steering(text: &str) -> Option<char> {
    let bidi = [
        0x061c, 0x200e, 0x200f, 0x202a, 0x202b, 0x202c, 0x202d, 0x202e, 0x2066, 0x2067, 0x2068,
        0x2069,
    ];
    text.chars()
        .find(|c| *c != '\n' && (c.is_control() || bidi.contains(&u32::from(*c))))
}

/// A plan whose every text that comes from elsewhere is as bad as can be.
fn hostile_plan() -> impl Strategy<Value = Plan> {
    let texts = vec(hostile_text(), 8);
    (texts, any_policy(), any::<bool>()).prop_map(|(texts, policy, from_file)| {
        let [namespace, value, one, two, uid, version, owner, origin] =
            <[String; 8]>::try_from(texts).expect("eight");
        let hostile = |name: &str, at| {
            with(
                job(&namespace, &[&value], name, minute(at)),
                |common, own| {
                    own.uid = uid.as_str().into();
                    own.resource_version = version.as_str().into();
                    common.controller = cron_job(&owner);
                },
            )
        };
        let jobs = vec![hostile(&one, 0), hostile(&two, 1), hostile(&one, 9)];
        let source = if from_file {
            Source::File { path: origin }
        } else {
            Source::Cluster {
                context: origin.clone(),
                server: origin,
            }
        };
        let hostile = Snapshot {
            source,
            resource_version: version,
            ..snapshot(&[LABEL], taken_at(), jobs)
        };
        Plan::new(hostile, &policy)
    })
}

/// A report on this plan, with an outcome for every purge. What was planned from a file was not purged there.
fn report_on(plan: Plan, drawn: &[Outcome]) -> Report {
    let purges = plan.summary().purge;
    let source = match plan.source {
        Source::File { path } => Source::Cluster {
            context: path.clone(),
            server: path,
        },
        cluster => cluster,
    };
    Report {
        plan: Plan { source, ..plan },
        outcomes: drawn.iter().cycle().take(purges).cloned().collect(),
        ended_early: None,
        stopped: BTreeMap::new(),
        waited: None,
        took: std::time::Duration::from_millis(1_234),
    }
}

/// What is said of a Job that has a mark, which is always the one of a release.
fn claims(plan: &Plan, planned: &PlannedJob) -> Vec<Value> {
    let is_heeded = planned.job.marks().is_some() && plan.gitops != Mode::Ignore;
    let claim = || json!({"by": "Helm release shop", "says": "wanted", "why": "in the manifest of the release"});
    is_heeded.then(claim).into_iter().collect()
}

/// The document as the contract describes it, made from a plan and its outcomes.
fn expected(plan: &Plan, outcomes: Option<&[Outcome]>) -> Value {
    let mut left = outcomes.unwrap_or_default().iter();
    let groups: Vec<Value> = plan
        .groups
        .iter()
        .map(|group| {
            let labels: BTreeMap<&str, &str> = plan
                .grouping
                .keys()
                .iter()
                .zip(group.key.values.iter())
                .map(|(key, value)| (key.as_str(), &**value))
                .collect();
            let jobs: Vec<Value> = group
                .jobs
                .iter()
                .enumerate()
                .map(|(index, planned)| {
                    let mut row = json!({
                        "name": planned.job.name(),
                        "uid": planned.job.uid().to_string(),
                        "resourceVersion": planned.job.resource_version().to_string(),
                        "created": planned.job.created().to_string(),
                        "status": planned.job.status(),
                        "verdict": planned.verdict.as_str(),
                        "reasons": planned.verdict.reasons(),
                        "rank": index + 1,
                    });
                    let claims = claims(plan, planned);
                    if !claims.is_empty() {
                        row["claims"] = claims.into();
                    }
                    if let Some(generate_name) = planned.job.generate_name() {
                        row["generateName"] = generate_name.into();
                    }
                    if let Some(deletion) = planned.job.deletion() {
                        row["deletionTimestamp"] = deletion.since.to_string().into();
                        row["finalizers"] = json!(deletion.finalizers);
                    }
                    if planned.verdict.is_purge()
                        && let Some(outcome) = left.next()
                    {
                        row["outcome"] = outcome.as_str().into();
                        match outcome {
                            Outcome::Failed(words) => row["message"] = words.as_str().into(),
                            Outcome::Changed(change) => row["message"] = change.words().into(),
                            Outcome::Recreated(_) => row["message"] = outcome.message().into(),
                            _ => {}
                        }
                    }
                    row
                })
                .collect();
            let mut value = json!({
                "namespace": &*group.key.namespace,
                "labels": labels,
                "jobs": jobs,
            });
            if let Some(family) = &group.family {
                value["family"] = (&**family).into();
            }
            if let Some(mixed) = &group.mixed {
                value["mixed"] = json!({"families": mixed.families});
                if let Some(ways) = &mixed.ways_out {
                    value["mixed"]["split"] = ways.split.into();
                    value["mixed"]["merge"] = ways.merge.into();
                    if let Some(ending) = &ways.family {
                        value["mixed"]["ending"] = ending.to_string().into();
                    }
                }
            }
            value
        })
        .collect();
    Value::Array(groups)
}

fn check_document(document: &Value, plan: &Plan, outcomes: Option<&[Outcome]>) {
    let summary = plan.summary();
    let kind = if outcomes.is_some() { "Report" } else { "Plan" };
    assert_eq!(document["apiVersion"], "jobclean/v1");
    assert_eq!(document["kind"], kind);
    match &plan.source {
        Source::Cluster { context, server } => {
            let cluster = json!({"context": context, "server": server});
            assert_eq!(document["cluster"], cluster);
            assert_eq!(document.get("file"), None);
        }
        Source::File { path } => {
            assert_eq!(document["file"], path.as_str());
            assert_eq!(document.get("cluster"), None);
        }
    }
    let labels: Vec<&str> = plan.grouping.keys().iter().map(Key::as_str).collect();
    assert_eq!(document["labels"], json!(labels));
    assert_eq!(document.get("groupBy"), None, "labels say it");
    assert_eq!(document["resourceVersion"], plan.resource_version.as_str());
    let taken_at = document["takenAt"].as_str().expect("a text");
    assert_eq!(taken_at.parse::<Timestamp>().ok(), Some(plan.taken_at));
    for (field, count) in [
        ("groups", summary.groups),
        ("jobs", summary.jobs),
        ("skip", summary.skip),
        ("purge", summary.purge),
    ] {
        assert_eq!(document["summary"][field], count, "{field}");
    }
    let warnings = document["warnings"].as_array().expect("a list");
    assert_eq!(warnings.len(), plan.warnings.len());
    assert_eq!(document["groups"], expected(plan, outcomes));
    let counted = document["summary"].get("outcomes");
    assert_eq!(counted.is_some(), outcomes.is_some());
    for word in Outcome::WORDS.iter().filter(|_| outcomes.is_some()) {
        let count = outcomes
            .unwrap_or_default()
            .iter()
            .filter(|outcome| outcome.as_str() == *word);
        let counted = &document["summary"]["outcomes"][word];
        match count.count() {
            // Only --wait can find one.
            0 if *word == "recreated" => assert_eq!(*counted, Value::Null),
            count => assert_eq!(*counted, count),
        }
    }
}

proptest! {
    #![proptest_config(cases())]

    #[test]
    fn the_json_document_says_what_the_plan_says(plan in any_plan()) {
        let document = serde_json::from_str(&as_json(View::Plan(&plan))).expect("JSON");
        check_document(&document, &plan, None);
    }

    #[test]
    fn a_report_says_what_became_of_every_purge(
        plan in any_plan(),
        drawn in vec(any_outcome(), 1..8),
    ) {
        let report = report_on(plan, &drawn);
        let document = serde_json::from_str(&as_json(View::Report(&report))).expect("JSON");
        check_document(&document, &report.plan, Some(&report.outcomes));
    }

    #[test]
    fn hostile_text_comes_back_from_json_as_it_was(
        plan in hostile_plan(),
        drawn in vec(any_outcome(), 1..3),
    ) {
        let document = serde_json::from_str(&as_json(View::Plan(&plan))).expect("JSON");
        check_document(&document, &plan, None);
        let report = report_on(plan, &drawn);
        let document = serde_json::from_str(&as_json(View::Report(&report))).expect("JSON");
        check_document(&document, &report.plan, Some(&report.outcomes));
    }

    #[test]
    fn hostile_text_comes_back_from_yaml_as_it_was(
        plan in hostile_plan(),
        drawn in vec(any_outcome(), 1..3),
    ) {
        let document: Value = serde_saphyr::from_str(&as_yaml(View::Plan(&plan))).expect("YAML");
        check_document(&document, &plan, None);
        let report = report_on(plan, &drawn);
        let text = as_yaml(View::Report(&report));
        let document: Value = serde_saphyr::from_str(&text).expect("YAML");
        check_document(&document, &report.plan, Some(&report.outcomes));
    }

    #[test]
    fn yaml_and_json_are_one_document(plan in any_plan()) {
        let json: Value = serde_json::from_str(&as_json(View::Plan(&plan))).expect("JSON");
        let yaml: Value = serde_saphyr::from_str(&as_yaml(View::Plan(&plan))).expect("YAML");
        prop_assert_eq!(json, yaml);
    }

    #[test]
    fn no_form_for_people_steers_a_terminal(
        plan in hostile_plan(),
        drawn in vec(any_outcome(), 1..3),
        width in any_width(),
    ) {
        let report = report_on(plan, &drawn);
        for view in [View::Plan(&report.plan), View::Report(&report)] {
            for (form, text) in forms_for_people(view, width) {
                prop_assert_eq!(steering(&text), None, "{}", form);
            }
        }
    }

    #[test]
    fn json_steers_no_terminal(plan in hostile_plan(), drawn in vec(any_outcome(), 1..3)) {
        prop_assert_eq!(steering(&as_json(View::Plan(&plan))), None);
        let report = report_on(plan, &drawn);
        prop_assert_eq!(steering(&as_json(View::Report(&report))), None);
    }

    #[test]
    fn yaml_steers_no_terminal(plan in hostile_plan(), drawn in vec(any_outcome(), 1..3)) {
        prop_assert_eq!(steering(&as_yaml(View::Plan(&plan))), None);
        let report = report_on(plan, &drawn);
        prop_assert_eq!(steering(&as_yaml(View::Report(&report))), None);
    }

    #[test]
    fn a_table_has_a_row_for_every_job(plan in any_plan(), width in any_width()) {
        let summary = plan.summary();
        let style = Style { width, ..PLAIN };
        for (text, narrowest) in [
            (as_table(View::Plan(&plan), style), 60),
            (as_wide(View::Plan(&plan), style), 160),
        ] {
            let rows = |word: &str| {
                text.lines().filter(|line| line.trim_start().starts_with(word)).count()
            };
            // In less room even the verdict may be broken.
            if width.is_none_or(|width| width >= narrowest) {
                prop_assert_eq!(rows("SKIP "), summary.skip);
                prop_assert_eq!(rows("PURGE "), summary.purge);
            }
            let totals = text.lines().last().expect("totals");
            let expected = format!("{} SKIP, {} PURGE", summary.skip, summary.purge);
            prop_assert!(totals.ends_with(&expected), "{totals}");
        }
    }

    #[test]
    fn a_table_fits_a_terminal_of_ordinary_width(plan in any_plan(), width in 60_u16..200) {
        let text = as_table(View::Plan(&plan), columns(width));
        for line in text.lines() {
            prop_assert!(line.chars().count() <= usize::from(width), "{line:?}");
        }
    }

    #[test]
    fn names_are_those_of_the_purges_in_order(plan in any_plan()) {
        let text = as_names(View::Plan(&plan));
        let expected: Vec<String> = plan.purges().map(|job| format!("job.batch/{}", job.name())).collect();
        prop_assert_eq!(text.lines().collect::<Vec<_>>(), expected);
    }

    #[test]
    fn outcomes_are_counted_once_each(plan in any_plan(), drawn in vec(any_outcome(), 1..8)) {
        let report = report_on(plan, &drawn);
        let total: usize = report.counts().iter().map(|(_, count)| count).sum();
        prop_assert_eq!(total, report.plan.summary().purge);
        // Each row that is to be purged carries its own outcome, no other row has one.
        let mut in_order = report.outcomes.iter();
        for (_, rows) in View::Report(&report).groups(Rows::All) {
            for row in rows {
                let expected = if row.planned.verdict.is_purge() { in_order.next() } else { None };
                prop_assert_eq!(row.outcome, expected);
            }
        }
        prop_assert_eq!(in_order.next(), None);
    }

    /// Totals are of all Jobs, whatever is shown.
    #[test]
    fn only_what_is_purged_can_be_shown(plan in any_plan()) {
        let written = |rows| {
            let mut out = Vec::new();
            json::write(&mut out, View::Plan(&plan), rows).expect("a Vec takes all");
            serde_json::from_slice::<Value>(&out).expect("JSON")
        };
        let (mut all, purges) = (written(Rows::All), written(Rows::Purges));
        let groups = all["groups"].as_array_mut().expect("a list");
        for group in groups.iter_mut() {
            let jobs = group["jobs"].as_array_mut().expect("a list");
            jobs.retain(|job| job["verdict"] == "PURGE");
        }
        groups.retain(|group| group["jobs"] != json!([]));
        prop_assert_eq!(purges, all);
    }

    #[test]
    fn the_exit_code_tells_whether_all_went_as_planned(
        plan in any_plan(),
        drawn in vec(any_outcome(), 1..8),
        stop in select(vec![None, Some(Stop::Interrupt), Some(Stop::Terminate)]),
    ) {
        let mut report = report_on(plan, &drawn);
        report.ended_early = stop.map(EndedEarly::Stopped);
        let incomplete = report
            .outcomes
            .iter()
            .any(|outcome| ["failed", "not-attempted", "recreated"].contains(&outcome.as_str()));
        let expected = match stop {
            Some(Stop::Interrupt) => Exit::Interrupted,
            Some(Stop::Terminate) => Exit::Terminated,
            None if incomplete => Exit::Incomplete,
            None => Exit::Success,
        };
        prop_assert_eq!(report.exit(), expected);
    }
}

/// A file may hold a name that is longer than a terminal can be wide.
#[test]
fn an_endless_name_does_not_break_a_table() {
    let endless = "n".repeat(usize::from(u16::MAX));
    let jobs = vec![job("a", &[&endless], &endless, minute(0))];
    let plan = Plan::new(snapshot(&[LABEL], taken_at(), jobs), &Policy::default());
    for text in [
        as_table(View::Plan(&plan), PLAIN),
        as_summary(View::Plan(&plan), PLAIN),
    ] {
        let shown = text.chars().filter(|c| *c == 'n').count();
        assert!(shown >= endless.len());
    }
}
