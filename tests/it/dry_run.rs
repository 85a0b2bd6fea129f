//! A dry run of either kind changes nothing and, on the server, finds out what would fail.

use crate::support::document::text;
use crate::support::{Space, audit, jobs_of, outcomes, run};

const JOBS: [(&str, i64); 4] = [
    ("sync-1", 40),
    ("sync-2", 30),
    ("sync-3", 20),
    ("sync-4", 10),
];

#[test]
fn client_only_plans() {
    let space = Space::with(&JOBS);
    let before = space.versions();
    for extra in [&[][..], &["--yes"]] {
        let run = space
            .run(&[&["--dry-run=client", "-o", "json"][..], extra].concat())
            .exits(0);
        let plan = run.json();
        assert_eq!(plan["kind"], "Plan");
        assert_eq!(plan["summary"]["purge"], 3);
        assert_eq!(plan["summary"].get("outcomes"), None);
        assert!(
            jobs_of(&plan)
                .iter()
                .all(|job| job.get("outcome").is_none())
        );
    }
    assert_eq!(space.versions(), before);
    audit::wait_for(&space.name, "list", 2);
    assert!(audit::all(&space.name, "delete").is_empty());
}

#[test]
fn bare_means_server_and_tries_every_delete() {
    for flag in ["--dry-run", "--dry-run=server"] {
        let space = Space::with(&JOBS);
        let before = space.versions();
        let report = space.run(&[flag, "-o", "json"]).exits(0).json();
        assert_eq!(
            outcomes(&report),
            [
                "sync-3 would-delete",
                "sync-2 would-delete",
                "sync-1 would-delete"
            ]
        );
        assert_eq!(space.versions(), before);
        let deletes = audit::wait_for(&space.name, "delete", 3);
        assert_eq!(deletes.len(), 3);
        for delete in deletes {
            let options = &delete["requestObject"];
            let in_query = text(&delete, "requestURI").contains("dryRun=All");
            assert!(in_query || options["dryRun"][0] == "All", "{delete:#}");
            assert!(options["preconditions"]["uid"].is_string(), "{delete:#}");
        }
    }
}

/// The flag never eats what follows: `--dry-run client` is not a way to say it, in kubectl neither.
#[test]
fn a_value_takes_an_equals_sign() {
    let space = Space::with(&JOBS);
    let before = space.versions();
    space.run(&["--yes", "--dry-run", "client"]).exits(2);
    assert_eq!(space.versions(), before);
}

#[test]
fn yes_does_not_make_a_dry_run_wet() {
    let space = Space::with(&JOBS);
    let before = space.versions();
    for args in [
        ["--dry-run", "--yes"],
        ["--yes", "--dry-run=server"],
        ["-y", "--dry-run=client"],
    ] {
        space.run(&args).exits(0);
    }
    assert_eq!(space.versions(), before);
}

#[test]
fn none_is_a_real_run() {
    let space = Space::with(&JOBS);
    space
        .run(&["--dry-run=none", "--yes", "--cascade=background"])
        .exits(0);
    space.holds(&["sync-4"]);
}

#[test]
fn the_table_of_a_dry_run_says_that_it_is_one() {
    let space = Space::with(&JOBS);
    let client = space.run(&["--dry-run=client"]).exits(0);
    let server = space.run(&["--dry-run=server"]).exits(0).shows(&["would"]);
    for run in [client, server] {
        let run = run.shows(&["sync-1", "sync-4", "PURGE", "SKIP"]);
        assert!(!run.out.contains("Purge 3 Jobs"), "{}", run.story());
        assert!(!run.err.contains("Purge 3 Jobs"), "{}", run.story());
    }
}

#[test]
fn a_dry_run_shows_who_may_not_delete() {
    let space = Space::with(&JOBS);
    let before = space.versions();
    let kubeconfig = space.kubeconfig_for("lister", &["list"]);
    let dry_run = |how: &str| run(space.tool_as(&kubeconfig, &[how, "-o", "json"]));
    dry_run("--dry-run=client").exits(0);
    let run = dry_run("--dry-run=server").exits(3);
    assert_eq!(
        outcomes(&run.json()),
        ["sync-3 failed", "sync-2 failed", "sync-1 failed"]
    );
    for name in ["sync-1", "sync-2", "sync-3"] {
        assert!(
            run.err.contains(&format!("{}/{name}", space.name)),
            "{}",
            run.story()
        );
    }
    assert_eq!(space.versions(), before);
}
