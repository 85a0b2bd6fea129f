//! What is kept, rule by rule, on Jobs that a real server lists.

use controlplane::{Owner, State};

use crate::support::control_plane::hours_ago;
use crate::support::{Space, plane};

#[test]
fn the_newest_stays_and_keep_widens_it() {
    let space = Space::with(&[
        ("sync-1", 40),
        ("sync-2", 30),
        ("sync-3", 20),
        ("sync-4", 10),
    ]);
    assert_eq!(
        space.plan(&[]),
        [
            "sync-4 SKIP newest",
            "sync-3 PURGE superseded",
            "sync-2 PURGE superseded",
            "sync-1 PURGE superseded",
        ]
    );
    assert_eq!(
        space.plan(&["--keep=3"]),
        [
            "sync-4 SKIP newest",
            "sync-3 SKIP newest",
            "sync-2 SKIP newest",
            "sync-1 PURGE superseded",
        ]
    );
    assert!(
        space
            .plan(&["--keep", "9"])
            .iter()
            .all(|line| line.ends_with("SKIP newest"))
    );
}

#[test]
fn successes_and_failures_are_kept_by_number() {
    let space = Space::new();
    let failed = |name: &str, age| space.job("g", name, age).state(State::Failed);
    space.seed(&[
        failed("sync-6", 1),
        space.job("g", "sync-5", 2),
        failed("sync-4", 3),
        space.job("g", "sync-3", 4),
        failed("sync-2", 5),
        space.job("g", "sync-1", 6),
    ]);
    assert_eq!(
        space.plan(&["--keep-succeeded=2"]),
        [
            "sync-6 SKIP newest",
            "sync-5 SKIP recent-success",
            "sync-4 PURGE superseded",
            "sync-3 SKIP recent-success",
            "sync-2 PURGE superseded",
            "sync-1 PURGE superseded",
        ]
    );
    assert_eq!(
        space.plan(&["--keep-failed=2"]),
        [
            "sync-6 SKIP newest,recent-failure",
            "sync-5 PURGE superseded",
            "sync-4 SKIP recent-failure",
            "sync-3 PURGE superseded",
            "sync-2 PURGE superseded",
            "sync-1 PURGE superseded",
        ]
    );
    // Keeps are a union.
    assert_eq!(
        space.plan(&["--keep-succeeded=1", "--keep-failed=3", "--keep=2"]),
        [
            "sync-6 SKIP newest,recent-failure",
            "sync-5 SKIP newest,recent-success",
            "sync-4 SKIP recent-failure",
            "sync-3 PURGE superseded",
            "sync-2 SKIP recent-failure",
            "sync-1 PURGE superseded",
        ]
    );
}

#[test]
fn what_is_young_enough_is_kept() {
    let space = Space::with(&[("sync-4", 1), ("sync-3", 5), ("sync-2", 30), ("sync-1", 50)]);
    let kept = |duration: &str| {
        space
            .plan(&["--keep-within", duration])
            .iter()
            .filter(|line| line.contains("recent"))
            .count()
    };
    // The run may be some minutes older than the Jobs' ages say.
    assert_eq!(kept("90s"), 0);
    assert_eq!(kept("100m"), 1);
    assert_eq!(kept("12h"), 2);
    assert_eq!(kept("1d12h"), 3);
    assert_eq!(kept("7d"), 4);
    assert_eq!(
        space.plan(&["--keep-within=12h"]),
        [
            "sync-4 SKIP newest,recent",
            "sync-3 SKIP recent",
            "sync-2 PURGE superseded",
            "sync-1 PURGE superseded",
        ]
    );
}

#[test]
fn what_is_going_already_is_left_and_does_not_count() {
    let space = Space::new();
    let going = |name: &str, age| {
        space
            .job("g", name, age)
            .deleted(hours_ago(0))
            .finalizer("test.example/hold")
    };
    space.seed(&[
        going("sync-5", 1),
        space.job("g", "sync-4", 2),
        space.job("g", "sync-3", 3),
        going("sync-2", 4),
        space.job("g", "sync-1", 5),
    ]);
    assert_eq!(
        space.plan(&[]),
        [
            "sync-5 SKIP terminating",
            "sync-4 SKIP newest",
            "sync-3 PURGE superseded",
            "sync-2 SKIP terminating",
            "sync-1 PURGE superseded",
        ]
    );
    assert_eq!(
        space.plan(&["--keep=2", "--keep-succeeded=2"]),
        [
            "sync-5 SKIP terminating",
            "sync-4 SKIP newest,recent-success",
            "sync-3 SKIP newest,recent-success",
            "sync-2 SKIP terminating",
            "sync-1 PURGE superseded",
        ]
    );
    // No flag makes it delete one twice, and it ends as the plan says.
    space
        .run(&[
            "--yes",
            "--cascade=background",
            "--include-active",
            "--include-owned",
            "--mixed-groups=merge",
        ])
        .exits(0);
    space.holds(&["sync-2", "sync-4", "sync-5"]);
}

#[test]
fn a_group_of_terminating_jobs_purges_nothing() {
    let space = Space::new();
    let job = space.job("g", "sync-1", 1).finalizer("test.example/hold");
    space.seed(&[job.deleted(hours_ago(0))]);
    assert_eq!(space.plan(&[]), ["sync-1 SKIP terminating"]);
}

#[test]
fn protection_comes_by_annotation_label_or_what_manages_the_job() {
    let space = Space::new();
    let options = "argocd.argoproj.io/sync-options";
    let helm = "helm.sh/resource-policy";
    let flux = "kustomize.toolkit.fluxcd.io/prune";
    let job = |number: i64| space.job("g", &format!("sync-{number}"), 30 - number);
    space.seed(&[
        job(19),
        job(18).annotation(options, "Delete=confirm"),
        job(17).annotation(options, "ServerSideApply=true, Prune = Confirm"),
        job(16).annotation(helm, "keep"),
        job(15).annotation(flux, "disabled"),
        job(14).label(flux, "disabled"),
        job(13).annotation(helm, "delete"),
        job(12).annotation(flux, "enabled"),
        job(11).annotation(options, "Delete,Prune=,confirm=Delete"),
        job(8).annotation("jobclean/keep", "true"),
        job(7).label("jobclean/keep", "true"),
        job(6).annotation(options, "Delete=false"),
        job(5).annotation(options, "Validate=false, Prune=false"),
        job(4).annotation("jobclean/keep", "false"),
        job(3).annotation(options, "Delete=true,PruneLast=true"),
        job(2).annotation(options, "xDelete=false"),
    ]);
    assert_eq!(
        space.plan(&[
            "--include-active",
            "--include-owned",
            "--mixed-groups=merge"
        ]),
        [
            "sync-19 SKIP newest",
            "sync-18 SKIP protected",
            "sync-17 SKIP protected",
            "sync-16 SKIP protected",
            "sync-15 SKIP protected",
            "sync-14 SKIP protected",
            "sync-13 PURGE superseded",
            "sync-12 PURGE superseded",
            "sync-11 PURGE superseded",
            "sync-8 SKIP protected",
            "sync-7 SKIP protected",
            "sync-6 SKIP protected",
            "sync-5 SKIP protected",
            "sync-4 PURGE superseded",
            "sync-3 PURGE superseded",
            "sync-2 PURGE superseded",
        ]
    );
}

#[test]
fn what_is_not_finished_is_kept_unless_asked_for() {
    let space = Space::new();
    space.seed(&[
        space.job("g", "sync-4", 1),
        space.job("g", "sync-3", 2).state(State::Running),
        space.job("g", "sync-2", 3).state(State::Suspended),
        space.job("g", "sync-1", 4).state(State::Failed),
    ]);
    assert_eq!(
        space.plan(&[]),
        [
            "sync-4 SKIP newest",
            "sync-3 SKIP active",
            "sync-2 SKIP active",
            "sync-1 PURGE superseded",
        ]
    );
    assert_eq!(
        space.plan(&["--include-active"]),
        [
            "sync-4 SKIP newest",
            "sync-3 PURGE superseded",
            "sync-2 PURGE superseded",
            "sync-1 PURGE superseded",
        ]
    );
}

/// An unfinished Job counts as newest; a running newest one is kept for both reasons.
#[test]
fn a_running_newest_is_the_newest() {
    let space = Space::new();
    space.seed(&[
        space.job("g", "sync-2", 1).state(State::Running),
        space.job("g", "sync-1", 2),
    ]);
    assert_eq!(
        space.plan(&[]),
        ["sync-2 SKIP active,newest", "sync-1 PURGE superseded"]
    );
}

#[test]
fn what_a_controller_owns_is_kept_unless_asked_for() {
    let space = Space::new();
    let uid = plane().cron_job(&space.name, "nightly").unwrap();
    let owner = Owner::cron_job("nightly", &uid);
    let mut mere = owner.clone();
    mere.controller = false;
    space.seed(&[
        space.job("g", "nightly-29000003", 1),
        space.job("g", "nightly-29000002", 2).owner(owner),
        space.job("g", "nightly-29000001", 3).owner(mere),
    ]);
    assert_eq!(
        space.plan(&[]),
        [
            "nightly-29000003 SKIP newest",
            "nightly-29000002 SKIP owned",
            "nightly-29000001 PURGE superseded",
        ]
    );
    assert_eq!(
        space.plan(&["--include-owned"]),
        [
            "nightly-29000003 SKIP newest",
            "nightly-29000002 PURGE superseded",
            "nightly-29000001 PURGE superseded",
        ]
    );
}

/// The server's stamps have whole seconds: among equals the name that sorts first counts as newest.
#[test]
fn ties_go_by_name() {
    let space = Space::with(&[
        ("sync-200000", 5),
        ("sync-30000", 5),
        ("sync-100000", 5),
        ("sync-00000", 6),
    ]);
    for _ in 0..3 {
        assert_eq!(
            space.plan(&[]),
            [
                "sync-100000 SKIP newest",
                "sync-200000 PURGE superseded",
                "sync-30000 PURGE superseded",
                "sync-00000 PURGE superseded",
            ]
        );
    }
}
