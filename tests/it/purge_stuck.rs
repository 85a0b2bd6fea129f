//! Jobs that were deleted and do not go: how long for, what holds them, and that a run that waits waits for them, too.

use controlplane::SeedJob;
use serde_json::json;

use crate::support::control_plane::hours_ago;
use crate::support::kubeconfig::{Files, arg};
use crate::support::running::Running;
use crate::support::{ApiClient, LABEL, Space, jobs_of, outcomes, plane, run, tool, until};

const HOLD: &str = "test.example/hold";
const OTHER: &str = "test.example/other";

/// `sync-1` was deleted 200 hours ago, and `sync-2` 50; a finalizer holds each.
fn stuck() -> Space {
    let space = Space::new();
    let deleted = |name: &str, age, hours, finalizer: &str| -> SeedJob {
        let job = space.job("g", name, age).finalizer(finalizer);
        job.deleted(hours_ago(hours))
    };
    space.seed(&[
        deleted("sync-1", 300, 200, HOLD),
        deleted("sync-2", 200, 50, OTHER),
        space.job("g", "sync-3", 1),
    ]);
    space
}

#[test]
fn how_long_and_what_holds_them_is_told() {
    let space = stuck();
    for args in [&["--dry-run=client"][..], &["--yes"]] {
        let run = space.run(args).exits(0);
        let run = run.shows(&[
            "terminating (8d, test.example/hold)",
            "terminating (2d2h, test.example/other)",
            "2 Jobs are terminating already",
        ]);
        run.complains(&[
            "2 Jobs have been terminating for up to 8d",
            "held by the finalizers test.example/hold, test.example/other",
            &format!("Job {}/sync-1", space.name),
        ]);
    }
    let plan = space
        .run(&["--dry-run=client", "-o", "json"])
        .exits(0)
        .json();
    let warnings = plan["warnings"].to_string();
    assert!(warnings.contains("terminating for up to 8d"), "{warnings}");
    for job in jobs_of(&plan) {
        let (finalizers, deleted) = match job["name"].as_str().unwrap() {
            "sync-1" => (json!([HOLD]), json!(hours_ago(200).to_string())),
            "sync-2" => (json!([OTHER]), json!(hours_ago(50).to_string())),
            _ => (json!(null), json!(null)),
        };
        assert_eq!(
            (&job["finalizers"], &job["deletionTimestamp"]),
            (&finalizers, &deleted)
        );
    }
}

/// A purge in the foreground takes its time, and says nothing of it.
#[test]
fn what_has_just_been_deleted_is_no_warning() {
    let space = Space::new();
    let held = space
        .job("g", "sync-1", 30)
        .finalizer(HOLD)
        .deleted(hours_ago(0));
    space.seed(&[held, space.job("g", "sync-2", 1)]);
    let run = space.run(&["--dry-run=client"]).exits(0);
    assert!(
        !run.err.contains("have been terminating"),
        "{}",
        run.story()
    );
    run.shows(&["terminating (", HOLD, "1 Job is terminating already"]);
}

#[test]
fn a_run_that_waits_waits_for_them_too() {
    let space = stuck();
    let run = space.run(&["--yes", "--timeout=1s", "-o", "json"]).exits(3);
    let run = run.complains(&["2 Jobs still terminating", "sync-1", HOLD, "sync-2", OTHER]);
    assert_eq!(run.json()["summary"]["purge"], 0);
    // They go while it waits.
    let running = Running::start(space.tool(&["--yes", "--wait", "-o", "json"]));
    until("it waits", || {
        running.said().contains("waiting until 2 Jobs are gone")
    });
    let admin = ApiClient::admin(plane());
    for name in ["sync-1", "sync-2"] {
        admin.patch_job(
            &space.name,
            name,
            &json!({"metadata": {"finalizers": null}}),
        );
    }
    running.finish().exits(0);
    space.holds(&["sync-3"]);
    // A run that does not wait does not care.
    stuck().run(&["--yes"]).exits(0);
}

/// Beside those that this run deletes.
#[test]
fn what_was_purged_goes_and_what_was_stuck_stays() {
    let space = stuck();
    space.seed(&[space.job("g", "sync-0", 400)]);
    let args = [
        "--yes",
        "--timeout=2s",
        "--cascade=background",
        "-o",
        "json",
    ];
    let run = space.run(&args).exits(3);
    assert_eq!(outcomes(&run.json()), ["sync-0 deleted"]);
    run.complains(&["2 Jobs still terminating"]);
}

/// For this run it is gone, since something else deletes it; that it is still there is seen all the same.
#[test]
fn what_something_else_has_begun_to_delete_is_not_gone_while_it_is_there() {
    let space = Space::new();
    space.seed(&[
        space.job("g", "sync-1", 3).finalizer(HOLD),
        space.job("g", "sync-2", 2),
    ]);
    let namespace = space.name.clone();
    let proxy = crate::support::proxy::Proxy::new(ApiClient::admin(plane()), move |request, up| {
        if request.kind == crate::support::proxy::Kind::Delete {
            up.delete_job(&namespace, "sync-1");
        }
        up.pass(request)
    });
    let args = [
        "--yes",
        "--timeout=1s",
        "--cascade=background",
        "-o",
        "json",
    ];
    let run = run(proxy.tool(&space.name, &args)).exits(3);
    assert_eq!(outcomes(&run.json()), ["sync-1 terminating"]);
}

/// A file says as much of them as a cluster does.
#[test]
fn a_file_tells_it_too() {
    let space = stuck();
    let files = Files::new();
    let list = json!({"apiVersion": "batch/v1", "kind": "JobList", "items": space.list()});
    let file = files.write("jobs.json", &list.to_string());
    let mut command = tool();
    command.args(["-f", arg(&file), "-L", LABEL]);
    let run = run(command).exits(0);
    run.shows(&["terminating (8d, test.example/hold)"])
        .complains(&["2 Jobs have been terminating for up to 8d"]);
}
