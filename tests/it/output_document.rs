//! The documents, field by field, and that stdout carries nothing else.

use controlplane::State;
use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};

use crate::support::control_plane::hours_ago;
use crate::support::document::{self, text, without_bytes};
use crate::support::samples::alpha_and_beta;
use crate::support::{LABEL, Space, jobs_of, plane};

fn keys(value: &Value) -> Vec<&str> {
    let mut keys: Vec<&str> = value
        .as_object()
        .unwrap()
        .keys()
        .map(String::as_str)
        .collect();
    keys.sort_unstable();
    keys
}

#[test]
fn a_plan_as_json_is_the_contracts_field_by_field() {
    let space = alpha_and_beta();
    let began = Timestamp::now();
    let plan = space
        .run(&["--dry-run=client", "-o", "json"])
        .exits(0)
        .json();
    assert_eq!(
        keys(&plan),
        [
            "apiVersion",
            "cluster",
            "gitops",
            "groups",
            "kind",
            "labels",
            "resourceVersion",
            "summary",
            "takenAt",
            "warnings"
        ]
    );
    assert_eq!(plan["apiVersion"], "jobclean/v1");
    assert_eq!(plan["kind"], "Plan");
    assert_eq!(
        plan["cluster"],
        json!({"context": plane().context(), "server": plane().server_url()})
    );
    assert_eq!(plan["labels"], json!([LABEL]));
    assert!(text(&plan, "resourceVersion").parse::<u64>().unwrap() > 0);
    let taken: Timestamp = text(&plan, "takenAt").parse().unwrap();
    assert!(
        taken.duration_since(began).abs() < SignedDuration::from_secs(60),
        "{taken}"
    );
    assert_eq!(
        text(&plan, "takenAt"),
        taken.strftime("%Y-%m-%dT%H:%M:%SZ").to_string()
    );
    // What it comes to is the business of output_bytes.rs.
    let bytes = &plan["summary"]["purgeBytes"];
    assert!(bytes.as_u64() > Some(0), "{bytes}");
    assert_eq!(
        plan["summary"],
        json!({"groups": 2, "jobs": 4, "skip": 2, "purge": 2, "purgeBytes": bytes})
    );
    assert_eq!(plan["warnings"], json!([]));
    let listed = space.list();
    let expected =
        |name: &str, age: i64, status: &str, verdict: &str, reasons: &[&str], rank: u32| {
            let found = listed
                .iter()
                .find(|job| job["metadata"]["name"] == name)
                .unwrap();
            json!({
                "name": name,
                "uid": found["metadata"]["uid"],
                "resourceVersion": found["metadata"]["resourceVersion"],
                "created": hours_ago(age).strftime("%Y-%m-%dT%H:%M:%SZ").to_string(),
                "status": status, "verdict": verdict, "reasons": reasons, "rank": rank,
            })
        };
    let mut plain = plan.clone();
    without_bytes(&mut plain);
    let mut groups = plain["groups"].take();
    // The order of reasons is not part of the contract.
    let newest = &mut groups[1]["jobs"][0]["reasons"];
    newest.as_array_mut().unwrap().sort_by_key(Value::to_string);
    assert_eq!(
        groups,
        json!([
            {"namespace": space.name, "labels": {LABEL: "alpha"}, "jobs": [
                expected("sync-3", 30, "Complete", "SKIP", &["newest"], 1),
                expected("sync-2", 40, "Failed", "PURGE", &["superseded"], 2),
                expected("sync-1", 50, "Complete", "PURGE", &["superseded"], 3),
            ]},
            {"namespace": space.name, "labels": {LABEL: "beta"}, "jobs": [
                expected("load-1", 20, "Suspended", "SKIP", &["active", "newest"], 1),
            ]},
        ])
    );
}

#[test]
fn yaml_is_the_same_document() {
    let space = alpha_and_beta();
    let plan = space
        .run(&["--dry-run=client", "-o", "json"])
        .exits(0)
        .json();
    let yaml = space.run(&["--dry-run=client", "-o", "yaml"]).exits(0);
    let mut parsed = document::from_yaml(&yaml.out);
    for volatile in ["takenAt", "resourceVersion"] {
        assert!(parsed[volatile].is_string(), "{}", yaml.story());
        parsed[volatile] = plan[volatile].clone();
    }
    assert_eq!(parsed, plan);
}

#[test]
fn the_report_is_the_plan_with_outcomes() {
    let space = alpha_and_beta();
    let plan = space
        .run(&["--dry-run=client", "-o", "json"])
        .exits(0)
        .json();
    let report = space
        .run(&["--yes", "--cascade=background", "-o", "json"])
        .exits(0)
        .json();
    assert_eq!(report["kind"], "Report");
    assert_eq!(report["apiVersion"], "jobclean/v1");
    assert_eq!(report["cluster"], plan["cluster"]);
    let summary = &report["summary"];
    assert_eq!(
        keys(summary),
        ["groups", "jobs", "outcomes", "purge", "purgeBytes", "skip"]
    );
    assert_eq!(summary["outcomes"]["deleted"], 2);
    let mut groups = report["groups"].clone();
    for job in groups[0]["jobs"].as_array_mut().unwrap() {
        let outcome = job.as_object_mut().unwrap().remove("outcome");
        let expected = (job["verdict"] == "PURGE").then(|| json!("deleted"));
        assert_eq!(outcome, expected, "{job}");
    }
    assert_eq!(groups, plan["groups"]);
}

#[test]
fn statuses_are_kubectls_words() {
    let space = Space::new();
    space.seed(&[
        space.job("g", "sync-1", 1).state(State::Complete),
        space.job("g", "sync-2", 2).state(State::Failed),
        space.job("g", "sync-3", 3).state(State::Running),
        space.job("g", "sync-4", 4).state(State::Suspended),
        space
            .job("g", "sync-5", 5)
            .state(State::Running)
            .deleted(hours_ago(1))
            .finalizer("test.example/hold"),
    ]);
    let plan = space
        .run(&["--dry-run=client", "-o", "json"])
        .exits(0)
        .json();
    let said: Vec<&str> = jobs_of(&plan)
        .into_iter()
        .map(|job| text(job, "status"))
        .collect();
    let table = plane()
        .kubectl_run(["get", "jobs", "--no-headers", "-n", &space.name])
        .unwrap();
    let kubectl: Vec<&str> = table
        .lines()
        .map(|line| line.split_whitespace().nth(1).unwrap())
        .collect();
    assert_eq!(said, kubectl);
    assert_eq!(
        said,
        ["Complete", "Failed", "Running", "Suspended", "Terminating"]
    );
}

#[test]
fn stdout_is_one_document_on_every_path() {
    for args in [
        &["--yes", "-o", "json", "--cascade=background"][..],
        &["--dry-run", "-o", "json"],
        &["--dry-run=client", "-o", "json", "-vv"],
        &["--yes", "-o", "json", "-q", "--cascade=background"],
    ] {
        let space = alpha_and_beta();
        let run = space.run(args).exits(0);
        assert_eq!(run.json()["summary"]["purge"], 2);
        assert!(run.out.ends_with("}\n"), "{}", run.story());
    }
}
