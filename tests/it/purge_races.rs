//! The cluster moves between the plan and the delete.
//!
//! What has changed is left alone on purpose: that is no failed delete, so the exit code stays 0.

use std::sync::atomic::{AtomicUsize, Ordering};

use serde_json::Value;

use crate::support::document::text;
use crate::support::stub::{self, Stub};
use crate::support::terminal::Left;
use crate::support::{LABEL, Run, Space, Terminal, outcomes, plane, run, tool};

/// Runs the tool in a terminal, does `change` while the question stands, and says yes.
fn meanwhile(space: &Space, args: &[&str], change: impl FnOnce()) -> Left {
    let mut terminal = Terminal::start(&space.tool(args), 160);
    terminal.wait_for("Purge ");
    change();
    terminal.enter("y");
    terminal.finish()
}

fn uid(space: &Space, name: &str) -> Option<String> {
    let jobs = space.list();
    let job = jobs.iter().find(|job| job["metadata"]["name"] == name)?;
    Some(text(&job["metadata"], "uid").to_owned())
}

const DELETE: [&str; 4] = ["delete", "job", "--cascade=background", "--namespace"];

fn delete(space: &Space, name: &str) {
    let args = [&DELETE[..], &[&space.name, name]].concat();
    plane().kubectl_run(args).unwrap();
}

#[test]
fn a_job_replaced_by_another_of_its_name_survives() {
    let space = Space::three();
    // The new one is as old as the old one, so that only its uid tells.
    let new = space.job("g", "sync-1", 30);
    let expected = new.get_uid().to_owned();
    let left = meanwhile(&space, &["--cascade=background"], || {
        delete(&space, "sync-1");
        space.seed(&[new]);
    });
    assert_eq!(uid(&space, "sync-1"), Some(expected));
    assert!(uid(&space, "sync-3").is_some());
    assert!(left.text.contains("changed"), "{}", left.text);
    left.exits(0);
}

#[test]
fn a_job_that_became_protected_survives() {
    let space = Space::three();
    let left = meanwhile(&space, &["--cascade=background"], || {
        let to = [
            "annotate",
            "job",
            "sync-1",
            "jobclean/keep=true",
            "--namespace",
        ];
        plane()
            .kubectl_run([&to[..], &[space.name.as_str()]].concat())
            .unwrap();
    });
    assert!(uid(&space, "sync-1").is_some());
    assert!(left.text.contains("changed"), "{}", left.text);
    left.exits(0);
}

#[test]
fn a_group_whose_keeper_is_gone_is_left_alone() {
    let space = Space::three();
    space.seed(&[space.job("h", "other-1", 5), space.job("h", "other-2", 4)]);
    let left = meanwhile(&space, &["--cascade=background"], || {
        delete(&space, "sync-3")
    });
    space.holds(&["other-2", "sync-1", "sync-2"]);
    left.exits(0);
}

#[test]
fn a_new_job_never_makes_more_go_than_was_shown() {
    let space = Space::with(&[("sync-1", 30), ("sync-2", 20)]);
    let left = meanwhile(&space, &["--cascade=background"], || {
        space.seed(&[space.job("g", "sync-3", 1)]);
    });
    assert!(uid(&space, "sync-2").is_some(), "{}", left.text);
    assert!(uid(&space, "sync-3").is_some(), "{}", left.text);
}

#[test]
fn what_another_client_deleted_is_gone_and_no_failure() {
    let space = Space::three();
    let left = meanwhile(&space, &["--cascade=background"], || {
        delete(&space, "sync-1")
    });
    space.holds(&["sync-3"]);
    assert!(left.text.contains("gone"), "{}", left.text);
    left.exits(0);
}

/// The answer to the plan's list is one thing, that to a delete's another, and what the Job then is a third.
fn conflict(found: Vec<Value>) -> (Stub, Run) {
    let deletes = AtomicUsize::new(0);
    let jobs = [
        stub::job("sync-2", "uid-2", "7", 2),
        stub::job("sync-1", "uid-1", "7", 1),
    ];
    let stub = Stub::new(move |asked| match asked.method.as_str() {
        "GET" if asked.target.contains("metadata.name") => stub::list(&found),
        "GET" => stub::list(&jobs),
        _ if deletes.fetch_add(1, Ordering::SeqCst) == 0 => {
            stub::status("409 Conflict", "", "Conflict", "the precondition failed")
        }
        _ => stub::status("200 OK", "", "", ""),
    });
    let mut command = tool();
    command.args([
        "-s", &stub.url, "-n", "stub", "-L", LABEL, "--yes", "-o", "json",
    ]);
    let run = run(command);
    (stub, run)
}

#[test]
fn a_conflict_with_another_job_leaves_it_alone() {
    let (stub, run) = conflict(vec![stub::job("sync-1", "another", "9", 1)]);
    assert_eq!(outcomes(&run.json()), ["sync-1 changed"]);
    assert_eq!(stub.asked_by("DELETE").len(), 1);
    run.exits(0);
}

#[test]
fn a_conflict_with_a_job_that_is_gone_is_gone() {
    let (stub, run) = conflict(vec![]);
    assert_eq!(outcomes(&run.json()), ["sync-1 gone"]);
    assert_eq!(stub.asked_by("DELETE").len(), 1);
    run.exits(0);
}

#[test]
fn a_conflict_with_a_newer_version_is_judged_again() {
    let (stub, run) = conflict(vec![stub::job("sync-1", "uid-1", "9", 1)]);
    assert_eq!(outcomes(&run.json()), ["sync-1 deleted"]);
    let deletes = stub.asked_by("DELETE");
    let versions: Vec<Value> = deletes
        .iter()
        .map(|asked| {
            let options: Value = serde_json::from_str(&asked.body).unwrap();
            options["preconditions"]["resourceVersion"].clone()
        })
        .collect();
    assert_eq!(versions, ["7", "9"]);
    run.exits(0);

    let mut protected = stub::job("sync-1", "uid-1", "9", 1);
    protected["metadata"]["annotations"]["jobclean/keep"] = "true".into();
    let (stub, run) = conflict(vec![protected]);
    assert_eq!(outcomes(&run.json()), ["sync-1 changed"]);
    assert_eq!(stub.asked_by("DELETE").len(), 1);

    let mut running = stub::job("sync-1", "uid-1", "9", 1);
    running["status"] = serde_json::json!({"active": 1});
    let (stub, run) = conflict(vec![running]);
    assert_eq!(outcomes(&run.json()), ["sync-1 changed"]);
    assert_eq!(stub.asked_by("DELETE").len(), 1);
}
