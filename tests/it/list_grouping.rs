//! What makes Jobs one group: an application, labels and annotations, or a family alone.

use controlplane::SeedJob;

use crate::support::control_plane::{hours_ago, tool_as};
use crate::support::files::{Files, arg};
use crate::support::{LABEL, Run, Space, jobs_of, plane, run as run_tool, verdicts};

const TRACKING_ID: &str = "argocd.argoproj.io/tracking-id";
const INSTANCE: &str = "argocd.argoproj.io/instance";

fn job(space: &Space, name: &str, age: i64) -> SeedJob {
    SeedJob::new(&space.name, name, hours_ago(age))
}

/// A Job that Argo CD 3 has marked.
fn tracked(space: &Space, application: &str, name: &str, age: i64) -> SeedJob {
    let id = format!("{application}:batch/Job:{}/{name}", space.name);
    job(space, name, age).annotation(TRACKING_ID, id)
}

/// The tool in a namespace, without a word about labels.
fn shown(space: &Space, args: &[&str]) -> Run {
    let mut command = tool_as(plane().kubeconfig());
    command.args(["-n", &space.name]).args(args);
    run_tool(command)
}

/// Its plan, a line a Job.
fn plan(space: &Space, args: &[&str]) -> Vec<String> {
    let run = shown(space, &[&["--dry-run=client", "-o", "json"], args].concat());
    verdicts(&run.exits(0).json())
}

/// An application with two hooks, one of which another application has as well; a copy, and what nothing marks.
fn shop() -> Space {
    let space = Space::new();
    let id_of_another = format!("shop:batch/Job:{}/db-migrate-1a2b3c", space.name);
    space.seed(&[
        tracked(&space, "shop", "db-migrate-1a2b3c", 30),
        tracked(&space, "shop", "db-migrate-2b3c4d", 20),
        tracked(&space, "shop", "create-user-1a2b3c", 30),
        tracked(&space, "team_other", "db-migrate-3c4d5e", 10),
        job(&space, "db-migrate-4d5e6f", 40).label(INSTANCE, "shop"),
        job(&space, "db-migrate-5e6f7a", 5).annotation(TRACKING_ID, id_of_another),
        job(&space, "manual-1", 5),
    ]);
    space
}

#[test]
fn applications_are_groups_and_their_families_are_judged_alone() {
    let space = shop();
    let expected = [
        "create-user-1a2b3c SKIP newest",
        "db-migrate-2b3c4d SKIP newest",
        "db-migrate-1a2b3c PURGE superseded",
        "db-migrate-4d5e6f PURGE superseded",
        "db-migrate-3c4d5e SKIP newest",
    ];
    assert_eq!(plan(&space, &[]), expected);
    assert_eq!(plan(&space, &["--group-by=application"]), expected);
    let held = plan(&space, &["--mixed-groups=hold"]);
    assert!(held.iter().all(|line| !line.contains("PURGE")), "{held:?}");
    let document = shown(&space, &["--dry-run=client", "-o", "json"])
        .exits(0)
        .json();
    assert_eq!(document["groupBy"], "application");
    assert_eq!(document["labels"], serde_json::json!([]));
    assert_eq!(document["groups"][0]["application"], "shop");
    assert_eq!(document["groups"][0]["family"], "create-user");
    assert_eq!(document["summary"]["jobs"], 5);
    assert_eq!(document["summary"]["ungrouped"], 2);
    let run = shown(&space, &["--dry-run=client"]).exits(0);
    run.shows(&[
        "application=shop",
        "family db-migrate",
        "2 Jobs belong to no group and stay",
    ]);
}

#[test]
fn what_belongs_to_no_group_is_never_purged() {
    let space = shop();
    shown(&space, &["--yes", "--cascade=background"]).exits(0);
    space.holds(&[
        "create-user-1a2b3c",
        "db-migrate-2b3c4d",
        "db-migrate-3c4d5e",
        "db-migrate-5e6f7a",
        "manual-1",
    ]);
}

#[test]
fn annotations_and_labels_group_together() {
    let space = Space::new();
    let release = |name: &str, age, release: &str, app: &str| {
        job(&space, name, age)
            .annotation("example.com/release", release)
            .label("app", app)
    };
    space.seed(&[
        release("a-1", 30, "one", "x"),
        release("a-2", 20, "one", "x"),
        release("a-3", 10, "one", "y"),
        release("a-4", 10, "two", "x"),
        job(&space, "a-5", 5).label("app", "x"),
        job(&space, "a-6", 5).annotation("example.com/release", "one"),
    ]);
    let args = ["--group-by", "annotation:example.com/release,label:app"];
    assert_eq!(
        plan(&space, &args),
        [
            "a-2 SKIP newest",
            "a-1 PURGE superseded",
            "a-3 SKIP newest",
            "a-4 SKIP newest",
        ]
    );
    assert_eq!(
        plan(&space, &["--group-by=label:app"]),
        plan(&space, &["-L", "app"])
    );
    let document = shown(
        &space,
        &[&args[..], &["--dry-run=client", "-o", "json"]].concat(),
    );
    let document = document.exits(0).json();
    assert_eq!(
        document["groups"][0]["annotations"]["example.com/release"],
        "one"
    );
    assert_eq!(document["groups"][0]["labels"]["app"], "x");
}

#[test]
fn a_family_alone_groups_every_job() {
    let space = Space::new();
    space.seed(&[
        job(&space, "nightly-20260101", 30),
        job(&space, "nightly-20260102", 20),
        job(&space, "load-0", 10),
        job(&space, "load-1", 10),
    ]);
    assert_eq!(
        plan(&space, &["--group-by=family"]),
        [
            "load-0 SKIP newest",
            "load-1 SKIP newest",
            "nightly-20260102 SKIP newest",
            "nightly-20260101 PURGE superseded",
        ]
    );
    shown(&space, &["--group-by=family", "--mixed-groups=merge"])
        .exits(2)
        .complains(&["--group-by family", "--mixed-groups"]);
    shown(
        &space,
        &["--group-by=family", "--yes", "--cascade=background"],
    )
    .exits(0);
    space.holds(&["load-0", "load-1", "nightly-20260102"]);
}

/// A saved plan knows how it was made, and is carried out the same way.
#[test]
fn a_saved_plan_knows_its_grouping() {
    let space = shop();
    let files = Files::new();
    let saved = files.path("plan.json");
    shown(
        &space,
        &["--exclude-namespace=kube-*", "--save-plan", arg(&saved)],
    )
    .exits(0);
    // What would be the newest of its family joins it meanwhile.
    space.seed(&[tracked(&space, "shop", "db-migrate-6f7a8b", 1)]);
    let mut command = tool_as(plane().kubeconfig());
    command.args([
        "--plan",
        arg(&saved),
        "--yes",
        "--cascade=background",
        "-o",
        "json",
    ]);
    let report = run_tool(command).exits(0).json();
    assert_eq!(report["groupBy"], "application");
    let gone: Vec<_> = jobs_of(&report)
        .into_iter()
        .filter(|job| job["outcome"] == "deleted")
        .map(|job| job["name"].as_str().unwrap().to_owned())
        .collect();
    assert_eq!(gone, ["db-migrate-1a2b3c", "db-migrate-4d5e6f"]);
    let mut command = tool_as(plane().kubeconfig());
    command.args(["--plan", arg(&saved), "--group-by=family"]);
    run_tool(command).exits(2);
}

/// A Job that joins while a plan waits can tell that others stand for different work.
#[test]
fn a_sibling_that_came_since_keeps_a_job() {
    let space = Space::new();
    space.seed(&[
        tracked(&space, "shop", "load-1", 30),
        tracked(&space, "shop", "load-2", 20),
    ]);
    assert_eq!(
        plan(&space, &[]),
        ["load-2 SKIP newest", "load-1 PURGE superseded"]
    );
    let files = Files::new();
    let saved = files.path("plan.json");
    shown(&space, &["--save-plan", arg(&saved)]).exits(0);
    space.seed(&[tracked(&space, "shop", "load-3", 20)]);
    let mut command = tool_as(plane().kubeconfig());
    command.args(["--plan", arg(&saved), "--yes", "--cascade=background"]);
    run_tool(command).exits(0);
    space.holds(&["load-1", "load-2", "load-3"]);
}

#[test]
fn what_jobs_carry_is_proposed_as_commands() {
    let space = Space::new();
    space.seed(&[
        job(&space, "a-1", 30)
            .label("app", "x")
            .annotation("team", "red"),
        job(&space, "a-2", 20)
            .label("app", "x")
            .annotation("team", "red"),
        job(&space, "b-1", 10).label("app", "y"),
    ]);
    let flag = format!("-n {}", space.name);
    for args in [&[][..], &["-L", "none"], &["--group-by=annotation:none"]] {
        let run = shown(&space, &[args, &["--dry-run=client"]].concat()).exits(0);
        for line in [
            format!("kubectl jobclean {flag} -L app --dry-run=client   # 3 Jobs, 2 values"),
            format!(
                "kubectl jobclean {flag} --group-by annotation:team --dry-run=client   # 2 Jobs, 1 value"
            ),
            format!("kubectl jobclean {flag} --group-by family --dry-run=client"),
        ] {
            assert!(run.err.contains(&line), "{line} in {}", run.err);
        }
    }
    // As soon as every Job has a group there is nothing to propose.
    let run = shown(&space, &["-L", "app", "--dry-run=client"]).exits(0);
    assert!(!run.err.contains("hint:"), "{}", run.err);
}

#[test]
fn a_namespace_that_does_not_exist_is_an_error() {
    let mut command = tool_as(plane().kubeconfig());
    command.args(["-n", "it-there-is-none", "--dry-run=client"]);
    run_tool(command)
        .exits(1)
        .complains(&["there is no namespace it-there-is-none"]);
    // An empty one is none, and neither is one that the user may not read.
    let space = Space::new();
    let run = shown(&space, &["--dry-run=client"]).exits(0);
    assert!(
        run.err.contains("there is no Job in namespace"),
        "{}",
        run.err
    );
    let kubeconfig = space.kubeconfig_for("lister", &["list"]);
    run_tool(space.tool_as(&kubeconfig, &["--dry-run=client"])).exits(0);
}

#[test]
fn fields_and_namespaces_narrow_the_list() {
    let space = Space::with(&[("sync-1", 30), ("sync-2", 20), ("sync-3", 10)]);
    assert_eq!(
        space.plan(&["--field-selector", "metadata.name!=sync-3"]),
        ["sync-2 SKIP newest", "sync-1 PURGE superseded"]
    );
    space
        .run(&["--field-selector", "spec.suspend=true", "--dry-run=client"])
        .exits(1)
        .complains(&["not supported"]);
    for (args, words) in [
        (["--field-selector", ""], "empty"),
        (["--field-selector", "sync-1"], "FIELD=VALUE"),
        (["--exclude-namespace", ""], "empty"),
        (["--exclude-namespace", "it-*"], "leave no namespace"),
    ] {
        space.run(&args).exits(2).complains(&[words]);
    }
    // The keeper of a field selector is the newest of what it selects.
    let args = [
        "--field-selector=metadata.name!=sync-3",
        "--yes",
        "--cascade=background",
    ];
    space.run(&args).exits(0);
    space.holds(&["sync-2", "sync-3"]);
    let other = Space::with(&[("sync-1", 30), ("sync-2", 20)]);
    let mut command = tool_as(plane().kubeconfig());
    command.args(["-A", "-L", LABEL, "--dry-run=client", "-o", "json"]);
    command.args(["--exclude-namespace", &format!("kube-*,{}", space.name)]);
    let document = run_tool(command).exits(0).json();
    let groups = document["groups"].as_array().unwrap();
    let has = |name: &str| groups.iter().any(|group| group["namespace"] == name);
    assert!(has(&other.name) && !has(&space.name));
}

#[test]
fn time_after_superseding_and_finishing_keeps() {
    let space = Space::with(&[
        ("sync-1", 30),
        ("sync-2", 20),
        ("sync-3", 10),
        ("sync-4", 5),
    ]);
    assert_eq!(
        space.plan(&["--keep-superseded-within=15h"]),
        [
            "sync-4 SKIP newest",
            "sync-3 SKIP recently-superseded",
            "sync-2 SKIP recently-superseded",
            "sync-1 PURGE superseded",
        ]
    );
    assert_eq!(
        space.plan(&["--keep=2", "--keep-superseded-within=7h"]),
        [
            "sync-4 SKIP newest",
            "sync-3 SKIP newest",
            "sync-2 SKIP recently-superseded",
            "sync-1 PURGE superseded",
        ]
    );
    assert_eq!(
        space.plan(&["--keep-finished-within=21h"]),
        [
            "sync-4 SKIP newest,recently-finished",
            "sync-3 SKIP recently-finished",
            "sync-2 SKIP recently-finished",
            "sync-1 PURGE superseded",
        ]
    );
}
