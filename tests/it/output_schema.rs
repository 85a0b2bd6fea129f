//! The published schema takes what the tool writes and refuses what is no document of its. That every document of every
//! test follows it is the business of `support::document`.

use serde_json::{Value, json};

use crate::support::document::{SCHEMAS, faults, valid};
use crate::support::saved_plan::Saved;
use crate::support::{LABEL, Space, run, tool};

fn plan(space: &Space) -> Value {
    let run = space.run(&["--dry-run=client", "-o", "json"]);
    run.exits(0).json()
}

fn report(space: &Space) -> Value {
    let run = space.run(&["--dry-run=server", "-o", "json"]);
    run.exits(0).json()
}

/// Fails unless the change makes it a document that readers would refuse.
#[track_caller]
fn refused(document: &Value, what: &str, change: impl FnOnce(&mut Value)) {
    let mut changed = document.clone();
    change(&mut changed);
    assert_ne!(changed, *document, "{what}");
    assert!(!SCHEMAS.open.is_valid(&changed), "{what}:\n{changed:#}");
}

/// Removes a field, which has to be there.
fn without<'a>(pointer: &'a str, field: &'a str) -> impl FnOnce(&mut Value) + 'a {
    move |document| {
        let object = document.pointer_mut(pointer).unwrap().as_object_mut();
        object.unwrap().remove(field).unwrap();
    }
}

/// Sets a field.
fn with<'a>(pointer: &'a str, field: &'a str, value: Value) -> impl FnOnce(&mut Value) + 'a {
    move |document| document.pointer_mut(pointer).unwrap()[field] = value
}

/// The Job that is kept, and the first that is not.
const KEPT: &str = "/groups/0/jobs/0";
const PURGED: &str = "/groups/0/jobs/1";

#[test]
fn a_field_that_is_missing_is_refused() {
    let space = Space::three();
    let report = report(&space);
    for (pointer, fields) in [
        (
            "",
            &[
                "apiVersion",
                "kind",
                "cluster",
                "labels",
                "resourceVersion",
                "takenAt",
                "summary",
                "warnings",
                "groups",
            ][..],
        ),
        ("/cluster", &["context", "server"]),
        ("/summary", &["groups", "jobs", "skip", "purge", "outcomes"]),
        ("/summary/outcomes", &["deleted", "not-attempted"]),
        ("/groups/0", &["namespace", "labels", "jobs"]),
        (
            PURGED,
            &[
                "name",
                "uid",
                "resourceVersion",
                "created",
                "status",
                "verdict",
                "reasons",
                "rank",
                "outcome",
            ],
        ),
    ] {
        for field in fields {
            let what = format!("without {pointer}/{field}");
            refused(&report, &what, without(pointer, field));
        }
    }
}

#[test]
fn a_word_that_does_not_exist_is_refused() {
    let space = Space::three();
    let report = report(&space);
    for (pointer, field, value) in [
        ("", "apiVersion", json!("jobclean/v2")),
        ("", "kind", json!("Plans")),
        ("", "takenAt", json!("yesterday")),
        ("", "resourceVersion", json!(7)),
        ("/summary", "jobs", json!(-1)),
        ("/summary/outcomes", "lost", json!(1)),
        (PURGED, "outcome", json!("vanished")),
        (PURGED, "status", json!("Done")),
        (PURGED, "verdict", json!("Purge")),
        (PURGED, "reasons", json!(["old"])),
        (PURGED, "reasons", json!([])),
        (PURGED, "reasons", json!("superseded")),
        (PURGED, "rank", json!(0)),
        (PURGED, "created", json!("2026-01-01")),
        (PURGED, "message", Value::Null),
    ] {
        let what = format!("{field}: {value}");
        refused(&report, &what, with(pointer, field, value));
    }
}

#[test]
fn what_contradicts_itself_is_refused() {
    let space = Space::three();
    let (plan, report) = (plan(&space), report(&space));
    let counts = report["summary"]["outcomes"].clone();
    refused(
        &plan,
        "an outcome in a Plan",
        with(PURGED, "outcome", json!("deleted")),
    );
    refused(
        &plan,
        "counts in a Plan",
        with("/summary", "outcomes", counts),
    );
    refused(&plan, "a cluster and a file", with("", "file", json!("-")));
    let held = json!({"maxPurge": "1", "purge": 2, "listed": 3});
    refused(&report, "a Report of what was held", with("", "held", held));
    refused(
        &plan,
        "kept and superseded",
        with(KEPT, "reasons", json!(["superseded"])),
    );
    refused(
        &plan,
        "purged and kept",
        with(PURGED, "reasons", json!(["newest"])),
    );
    refused(
        &plan,
        "one reason twice",
        with(KEPT, "reasons", json!(["newest", "newest"])),
    );
    refused(
        &plan,
        "a group of nothing",
        with("/groups/0", "jobs", json!([])),
    );
    refused(
        &plan,
        "a Plan that is called a Report",
        with("", "kind", json!("Report")),
    );
    refused(
        &report,
        "a Report that is called a Plan",
        with("", "kind", json!("Plan")),
    );
    refused(
        &report,
        "an outcome of what is kept",
        with(KEPT, "outcome", json!("gone")),
    );
    refused(
        &report,
        "a failure without a word",
        with(PURGED, "outcome", json!("failed")),
    );
    refused(
        &report,
        "a word on a success",
        with(PURGED, "message", json!("fine")),
    );
}

#[test]
fn a_held_plan_says_all_of_how_it_is_held() {
    let space = Space::three();
    let run = space
        .run(&["--yes", "--max-purge=1", "-o", "json"])
        .exits(5);
    let held = run.json();
    for field in ["maxPurge", "purge", "listed"] {
        refused(&held, field, without("/held", field));
    }
    refused(&held, "nothing", with("", "held", Value::Null));
}

/// Readers are to ignore what they do not know; the tool does not write it.
#[test]
fn an_unknown_field_passes_with_readers_and_not_with_the_tool() {
    let space = Space::three();
    let report = report(&space);
    for pointer in ["", "/cluster", "/summary", "/groups/0", PURGED] {
        let mut more = report.clone();
        with(pointer, "outcomme", json!("deleted"))(&mut more);
        assert_eq!(faults(&SCHEMAS.open, &more), [""; 0], "{pointer}");
        assert_ne!(faults(&SCHEMAS.closed, &more), [""; 0], "{pointer}");
    }
}

#[test]
fn a_saved_plan_is_a_document_whose_extras_are_exact() {
    let space = Space::three();
    let saved = Saved::of(&space, &["--keep-within=1s", "-l", "test.example/group"]);
    let saved = valid(saved.document());
    refused(
        &saved,
        "an unknown policy",
        with("/saved/policy", "keepAll", json!(true)),
    );
    refused(&saved, "no policy", without("/saved", "policy"));
    refused(
        &saved,
        "another treatment",
        with("/saved/policy", "mixedGroups", json!("mix")),
    );
    refused(
        &saved,
        "nothing is kept",
        with("/saved/policy", "keep", json!(0)),
    );
    let report = report(&space);
    refused(
        &report,
        "a saved Report",
        with("", "saved", saved["saved"].clone()),
    );
}

#[test]
fn a_plan_from_a_file_has_a_file_and_no_cluster() {
    let samples = controlplane::checkout().join("tests/data/sample-jobs.json");
    let samples = samples.to_str().unwrap();
    let mut command = tool();
    command.args(["-f", samples, "-L", LABEL, "-o", "json"]);
    let plan = run(command).exits(0).json();
    assert_eq!(plan["file"], samples);
    refused(&plan, "neither a file nor a cluster", without("", "file"));
    let extras = json!({"identity": {}, "selector": "", "policy": {}});
    refused(&plan, "a saved plan of a file", with("", "saved", extras));
}
