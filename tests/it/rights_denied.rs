//! Users with too few rights.

use std::path::Path;

use crate::support::document::text;
use crate::support::{Run, Space, jobs_of, outcomes, plane, run};

fn run_as(kubeconfig: &Path, space: &Space, args: &[&str]) -> Run {
    run(space.tool_as(kubeconfig, args))
}

#[test]
fn without_delete_every_job_is_a_failure_in_the_servers_words() {
    let space = Space::three();
    let before = space.versions();
    let kubeconfig = space.kubeconfig_for("lister", &["list"]);
    let run = run_as(&kubeconfig, &space, &["--yes", "-o", "json"]).exits(3);
    let user = format!("lister-{}", space.name);
    // What is said of both alike is said once.
    let said: Vec<&str> = (run.err.lines())
        .filter(|line| line.contains("cannot delete"))
        .collect();
    let [line] = said.as_slice() else {
        panic!("{}", run.story());
    };
    let words = format!(
        r#"error: cannot delete 2 Jobs: jobs.batch "NAME" is forbidden: User "{user}" cannot delete"#
    );
    assert!(line.starts_with(&words), "{}", run.story());
    let names = format!(" ({0}/sync-2, {0}/sync-1)", space.name);
    assert!(line.ends_with(&names), "{}", run.story());
    let report = run.json();
    assert_eq!(outcomes(&report), ["sync-2 failed", "sync-1 failed"]);
    for job in jobs_of(&report).into_iter().skip(1) {
        assert!(text(job, "message").contains("is forbidden"), "{job}");
    }
    assert_eq!(space.versions(), before);
}

#[test]
fn the_same_denial_many_times_stops_early() {
    let space = Space::new();
    let jobs: Vec<_> = (0..400)
        .map(|number| space.job("g", &format!("sync-{number}"), number))
        .collect();
    space.seed(&jobs);
    let kubeconfig = space.kubeconfig_for("lister", &["list"]);
    let report = run_as(&kubeconfig, &space, &["--yes", "-o", "json"])
        .exits(3)
        .json();
    let outcomes = outcomes(&report);
    let count = |outcome: &str| {
        outcomes
            .iter()
            .filter(|line| line.ends_with(outcome))
            .count()
    };
    assert_eq!(outcomes.len(), 399);
    assert_eq!(count(" failed") + count(" not-attempted"), 399);
    assert!(
        count(" failed") > 0 && count(" not-attempted") > 0,
        "{outcomes:?}"
    );
    assert_eq!(space.names().len(), 400);
}

#[test]
fn list_and_delete_are_all_it_needs() {
    let space = Space::three();
    let kubeconfig = space.kubeconfig_for("cleaner", &["list", "delete"]);
    run_as(&kubeconfig, &space, &["--yes", "--cascade=background"]).exits(0);
    space.holds(&["sync-3"]);
}

#[test]
fn without_list_nothing_begins() {
    let space = Space::with(&[("sync-1", 2), ("sync-2", 1)]);
    let user = format!("no-rights-{}", space.name);
    let kubeconfig = plane().kubeconfig_for(&user, &[]).unwrap();
    for args in [
        &["--yes"][..],
        &["--dry-run"],
        &["--yes", "-A"],
        &["--yes", "-o", "json"],
    ] {
        run_as(&kubeconfig, &space, args)
            .fails_clearly(&["forbidden", &format!(r#"User "{user}" cannot list"#)]);
    }
    space.holds(&["sync-1", "sync-2"]);
}

#[test]
fn rights_in_one_namespace_are_not_rights_in_all() {
    let space = Space::with(&[("sync-1", 2), ("sync-2", 1)]);
    let kubeconfig = space.kubeconfig_for("cleaner", &["list", "delete"]);
    let run = run_as(&kubeconfig, &space, &["--yes", "-A"]).fails_clearly(&["forbidden"]);
    let hint = run
        .err
        .lines()
        .find(|line| line.starts_with("hint: "))
        .unwrap();
    assert!(
        hint.contains("-n") || hint.contains("--namespace"),
        "{}",
        run.story()
    );
    space.holds(&["sync-1", "sync-2"]);
}
