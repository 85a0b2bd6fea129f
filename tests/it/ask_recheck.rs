//! The question stands for a while, and the cluster moves on: what was approved is held against what is there then.

use controlplane::SeedJob;
use serde_json::{Value, json};

use crate::support::account::{account, message};
use crate::support::{ApiClient, Space, Terminal, jobs_of, outcomes, plane, printed_document};

/// Does `change` while the question stands, says yes, and returns the report, which is true.
#[track_caller]
fn meanwhile(space: &Space, change: impl FnOnce(&ApiClient)) -> Value {
    let admin = ApiClient::admin(plane());
    let tool = space.tool(&["--cascade=background", "-o", "json"]);
    let mut terminal = Terminal::start(&tool, 160);
    terminal.wait_for("Purge 3 Jobs in 2 groups");
    change(&admin);
    terminal.enter("y");
    let report = printed_document(&terminal.finish().exits(0));
    account_except_keepers(&report, &admin, space);
    report
}

/// A keeper that another client deleted is no fault of the tool.
#[track_caller]
fn account_except_keepers(report: &Value, admin: &ApiClient, space: &Space) {
    let mut left = admin.jobs(&space.name);
    for job in jobs_of(report) {
        if job["verdict"] == "SKIP" {
            let text = |field: &str| job[field].as_str().unwrap().to_owned();
            left.entry(text("name")).or_insert_with(|| text("uid"));
        }
    }
    account(report, &left);
}

const CHANGED: [&str; 3] = ["sync-2 changed", "sync-1 changed", "other-1 deleted"];

fn sorted(report: &Value) -> Vec<String> {
    let mut lines = outcomes(report);
    lines.sort_by_key(|line| std::cmp::Reverse(line.clone()));
    lines
}

#[test]
fn a_group_whose_keeper_was_deleted_is_not_purged() {
    let space = Space::two_groups();
    let report = meanwhile(&space, |admin| {
        assert!(admin.delete_job(&space.name, "sync-3"))
    });
    assert_eq!(sorted(&report), CHANGED);
    for name in ["sync-1", "sync-2"] {
        let why = message(&report, name);
        assert!(
            why.contains("stay") && why.contains("gone") || why.contains("kept"),
            "{why}"
        );
    }
    space.holds(&["other-2", "sync-1", "sync-2"]);
}

#[test]
fn a_group_whose_keeper_is_being_deleted_is_not_purged() {
    let space = Space::two_groups();
    space.seed(&[space.job("h", "other-2", 10)]);
    let held = space.job("g", "sync-3", 10).finalizer("test.example/hold");
    space.seed(&[held]);
    let report = meanwhile(&space, |admin| {
        assert!(admin.delete_job(&space.name, "sync-3"))
    });
    assert_eq!(sorted(&report), CHANGED);
    space.holds(&["other-2", "sync-1", "sync-2", "sync-3"]);
}

/// A new one is there, but it is not what was shown as the one that stays.
#[test]
fn a_new_job_does_not_stand_in_for_a_keeper_that_was_deleted() {
    let space = Space::two_groups();
    let report = meanwhile(&space, |admin| {
        assert!(admin.delete_job(&space.name, "sync-3"));
        admin.create_job(&space.name, "sync-4", "g");
    });
    assert_eq!(sorted(&report), CHANGED);
    space.holds(&["other-2", "sync-1", "sync-2", "sync-4"]);
}

#[test]
fn a_keeper_that_was_relabelled_keeps_its_old_group() {
    let space = Space::two_groups();
    let report = meanwhile(&space, |admin| {
        let patch = json!({"metadata": {"labels": {crate::support::LABEL: "h"}}});
        admin.patch_job(&space.name, "sync-3", &patch);
    });
    let lines = sorted(&report);
    assert_eq!(lines[..2], CHANGED[..2]);
    let names = space.names();
    assert!(
        ["sync-1", "sync-2", "sync-3", "other-2"]
            .iter()
            .all(|name| names.contains(*name))
    );
}

/// The plan's old Jobs go, as shown; the former keeper and the new ones were not shown as going.
#[test]
fn new_jobs_change_nothing_about_what_was_approved() {
    let space = Space::two_groups();
    let report = meanwhile(&space, |admin| {
        admin.create_job(&space.name, "sync-4", "g");
        admin.create_job(&space.name, "fresh-1", "fresh");
        // Older than all: by the policy it should go, but the user did not see it.
        space.seed(&[
            space.job("g", "sync-0", 99),
            space.job("fresh", "fresh-0", 99),
        ]);
    });
    assert_eq!(
        sorted(&report),
        ["sync-2 deleted", "sync-1 deleted", "other-1 deleted"]
    );
    assert_eq!(jobs_of(&report).len(), 5, "{report:#}");
    space.holds(&[
        "fresh-0", "fresh-1", "other-2", "sync-0", "sync-3", "sync-4",
    ]);
}

/// What each change is, and what the report says of it.
#[track_caller]
fn only_sync_1_stays(why: &str, change: impl FnOnce(&Space, &ApiClient)) {
    let space = Space::two_groups();
    let report = meanwhile(&space, |admin| change(&space, admin));
    assert_eq!(
        sorted(&report),
        ["sync-2 deleted", "sync-1 changed", "other-1 deleted"]
    );
    let message = message(&report, "sync-1");
    assert!(message.contains(why), "{why:?} is not in {message:?}");
    space.holds(&["other-2", "sync-1", "sync-3"]);
}

#[test]
fn a_job_that_would_be_kept_now_stays() {
    only_sync_1_stays("protected", |space, admin| {
        let patch = json!({"metadata": {"annotations": {"jobclean/keep": "true"}}});
        admin.patch_job(&space.name, "sync-1", &patch);
    });
    only_sync_1_stays("active", |space, admin| {
        let uid = admin.jobs(&space.name)["sync-1"].clone();
        let running: SeedJob = space.job("g", "sync-1", 30).uid(uid);
        space.seed(&[running.state(controlplane::State::Suspended)]);
    });
}

#[test]
fn a_job_that_is_another_by_now_stays() {
    only_sync_1_stays("another Job", |space, admin| {
        assert!(admin.delete_job(&space.name, "sync-1"));
        space.seed(&[space.job("g", "sync-1", 30)]);
    });
    only_sync_1_stays("label", |space, admin| {
        let patch = json!({"metadata": {"labels": {crate::support::LABEL: null}}});
        admin.patch_job(&space.name, "sync-1", &patch);
    });
}
