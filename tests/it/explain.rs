//! `explain NAME`: why one Job is kept or purged.

use std::path::Path;

use controlplane::SeedJob;

use crate::support::control_plane::hours_ago;
use crate::support::{LABEL, Run, Space, plane, run as run_tool, tool};

fn explain(space: &Space, args: &[&str]) -> Run {
    explain_as(plane().kubeconfig(), space, args)
}

fn explain_as(kubeconfig: &Path, space: &Space, args: &[&str]) -> Run {
    let mut command = tool();
    command.arg("explain").arg("--kubeconfig").arg(kubeconfig);
    command.args(["-n", &space.name]).args(args);
    run_tool(command)
}

#[test]
fn it_tells_the_group_the_family_the_rank_and_the_rules() {
    let space = Space::new();
    let tracked = |name: &str, age| {
        let id = format!("shop:batch/Job:{}/{name}", space.name);
        SeedJob::new(&space.name, name, hours_ago(age))
            .annotation("argocd.argoproj.io/tracking-id", id)
    };
    space.seed(&[
        tracked("db-migrate-1a2b3c", 30),
        tracked("db-migrate-2b3c4d", 20).annotation("jobclean/keep", "true"),
        tracked("db-migrate-3c4d5e", 10),
        SeedJob::new(&space.name, "manual-1", hours_ago(5)),
    ]);
    let before = space.versions();
    explain(&space, &["db-migrate-1a2b3c"]).exits(0).shows(&[
        "PURGE (superseded)",
        "application=shop",
        "argocd.argoproj.io/tracking-id",
        "db-migrate",
        "3 of 3",
        "--keep 3",
    ]);
    explain(&space, &["db-migrate-2b3c4d"])
        .exits(0)
        .shows(&["SKIP (protected)", "2 of 3"]);
    explain(&space, &["db-migrate-2b3c4d", "--keep=2"])
        .exits(0)
        .shows(&["SKIP (newest, protected)", "--keep"]);
    explain(&space, &["manual-1"]).exits(0).shows(&[
        "belongs to no group",
        "argocd.argoproj.io/tracking-id",
        "--group-by",
    ]);
    explain(&space, &["manual-1", "-L", "app"])
        .exits(0)
        .shows(&["the label app"]);
    explain(&space, &["manual-1", "--group-by=family"])
        .exits(0)
        .shows(&["SKIP (newest)", "family"]);
    explain(&space, &["nothing"])
        .exits(1)
        .complains(&["there is no Job nothing in namespace"]);
    for args in [&[][..], &[""], &["A"]] {
        explain(&space, args).exits(2);
    }
    assert_eq!(space.versions(), before, "it changes nothing");
}

/// The right to list is enough.
#[test]
fn it_needs_no_more_than_list() {
    let space = Space::three();
    let kubeconfig = space.kubeconfig_for("lister", &["list"]);
    explain_as(&kubeconfig, &space, &["-L", LABEL, "sync-1"])
        .exits(0)
        .shows(&["PURGE (superseded)"]);
}
