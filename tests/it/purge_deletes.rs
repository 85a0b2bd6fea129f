//! What is deleted, and how.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::Duration;

use controlplane::{SeedJob, State};
use jiff::Timestamp;
use serde_json::{Value, json};

use crate::support::control_plane::hours_ago;
use crate::support::document::text;
use crate::support::stub::{self, Stub};
use crate::support::{LABEL, Run, Space, audit, jobs_of, outcomes, plane, run, tool, until};

#[test]
fn what_was_shown_is_what_goes() {
    let space = Space::new();
    let mut jobs = Vec::new();
    for group in 0..4 {
        for number in 0..9 {
            let name = format!("sync-{}", group * 100 + number);
            jobs.push(space.job(&format!("g{group}"), &name, (number * 5) % 9));
        }
    }
    jobs.push(space.job("g0", "sync-active", 50).state(State::Running));
    jobs.push(space.job("mixed", "one-thing", 50));
    jobs.push(space.job("mixed", "other-thing", 60));
    space.seed(&jobs);
    let shown = space
        .run(&["--dry-run=client", "-o", "json"])
        .exits(0)
        .json();
    let of = |document: &Value, verdict: &str| -> Vec<String> {
        jobs_of(document)
            .into_iter()
            .filter(|job| job["verdict"] == verdict)
            .map(|job| format!("{} {}", text(job, "name"), text(job, "uid")))
            .collect()
    };
    // The running Job is of another family in g0, which is held.
    assert_eq!(
        (of(&shown, "SKIP").len(), of(&shown, "PURGE").len()),
        (15, 24)
    );
    let names = space.run(&["--dry-run=client", "-o", "name"]).exits(0);
    assert_eq!(names.out.lines().count(), 24);

    let report = space
        .run(&["--yes", "--cascade=background", "-o", "json"])
        .exits(0)
        .json();
    for verdict in ["SKIP", "PURGE"] {
        assert_eq!(of(&report, verdict), of(&shown, verdict));
    }
    assert!(
        outcomes(&report)
            .iter()
            .all(|line| line.ends_with(" deleted"))
    );
    let left: Vec<String> = space
        .list()
        .iter()
        .map(|job| {
            let metadata = &job["metadata"];
            format!("{} {}", text(metadata, "name"), text(metadata, "uid"))
        })
        .collect();
    let mut skipped = of(&shown, "SKIP");
    skipped.sort_unstable();
    assert_eq!(left, skipped);

    let again = space.run(&["--yes", "-o", "json"]).exits(0).json();
    assert_eq!(again["summary"]["purge"], 0);
}

#[test]
fn every_delete_names_the_job_that_was_planned() {
    for (flag, policy) in [
        (None, "Foreground"),
        (Some("--cascade=foreground"), "Foreground"),
        (Some("--cascade=background"), "Background"),
        (Some("--cascade=orphan"), "Orphan"),
        (Some("--cascade=auto"), "Background"),
    ] {
        let space = Space::with(&[("sync-1", 2), ("sync-2", 1)]);
        let planned = space.list().remove(0);
        let mut args = vec!["--yes"];
        args.extend(flag);
        space.run(&args).exits(0);
        let deletes = audit::wait_for(&space.name, "delete", 1);
        assert_eq!(deletes.len(), 1, "{deletes:#?}");
        let options = &deletes[0]["requestObject"];
        assert_eq!(text(&deletes[0]["objectRef"], "name"), "sync-1");
        assert_eq!(options["propagationPolicy"], policy);
        let preconditions = &options["preconditions"];
        for field in ["uid", "resourceVersion"] {
            assert_eq!(
                preconditions[field], planned["metadata"][field],
                "{options}"
            );
        }
        assert_eq!(options.get("dryRun"), None, "{options}");
        until("the older one is gone", || space.names().len() == 1);
        space.holds(&["sync-2"]);
    }
}

/// The Pods of a Job that is not finished may still do something.
#[test]
fn auto_takes_the_pods_first_where_the_job_is_not_finished() {
    let space = Space::new();
    space.seed(&[
        space.job("g", "sync-1", 3).state(State::Suspended),
        space.job("g", "sync-2", 2).state(State::Failed),
        space.job("g", "sync-3", 1),
    ]);
    space
        .run(&["--yes", "--include-active", "--cascade=auto"])
        .exits(0);
    let deletes = audit::wait_for(&space.name, "delete", 2);
    let policies: BTreeMap<&str, &str> = deletes
        .iter()
        .map(|delete| {
            let policy = text(&delete["requestObject"], "propagationPolicy");
            (text(&delete["objectRef"], "name"), policy)
        })
        .collect();
    let expected = [("sync-1", "Foreground"), ("sync-2", "Background")];
    assert_eq!(policies, BTreeMap::from(expected));
}

/// Two Jobs that the Job controller gave a Pod each; and a seeded one that is newer than both.
fn with_pods() -> Space {
    let space = Space::new();
    for name in ["sync-11111", "sync-22222"] {
        let manifest = json!({
            "apiVersion": "batch/v1", "kind": "Job",
            "metadata": {"name": name, "namespace": space.name, "labels": {LABEL: "g"}},
            "spec": {"template": {"spec": {
                "restartPolicy": "Never",
                "containers": [{"name": "run", "image": "example.com/none:1"}],
            }}},
        });
        plane().kubectl_apply(&manifest.to_string()).unwrap();
    }
    until("each Job has a Pod", || pods(&space).len() == 2);
    // Among equals the name that sorts first is the newest.
    let keeper = SeedJob::new(&space.name, "sync-00000", Timestamp::now()).label(LABEL, "g");
    space.seed(&[keeper]);
    space
}

fn pods(space: &Space) -> Vec<Value> {
    let list = plane()
        .get_json(&format!("/api/v1/namespaces/{}/pods", space.name))
        .unwrap();
    list["items"].as_array().unwrap().clone()
}

fn finish(space: &Space) {
    for pod in pods(space) {
        let name = text(&pod["metadata"], "name");
        plane()
            .kubectl_run([
                "patch",
                "pod",
                name,
                "--namespace",
                &space.name,
                "--subresource=status",
                "--type=merge",
                "--patch",
                r#"{"status":{"phase":"Succeeded"}}"#,
            ])
            .unwrap();
    }
    until("the Jobs are complete", || {
        let complete = |job: &Value| {
            let conditions = job["status"]["conditions"].as_array();
            conditions.is_some_and(|all| {
                all.iter()
                    .any(|one| one["type"] == "Complete" && one["status"] == "True")
            })
        };
        space.list().iter().all(complete)
    });
}

#[test]
fn foreground_takes_the_pods_along() {
    let space = with_pods();
    assert_eq!(
        space.run(&["--dry-run=client", "-o", "name"]).exits(0).out,
        ""
    );
    finish(&space);
    assert_eq!(pods(&space).len(), 2);
    let report = space.run(&["--yes", "-o", "json"]).exits(0).json();
    assert_eq!(report["summary"]["purge"], 2);
    for line in outcomes(&report) {
        assert!(
            line.ends_with(" deleted") || line.ends_with(" terminating"),
            "{line}"
        );
    }
    until("the Jobs are gone", || space.names().len() == 1);
    // Not a moment later: the Pods go first.
    assert_eq!(pods(&space), [Value::Null; 0]);
    space.holds(&["sync-00000"]);
}

#[test]
fn background_takes_the_job_at_once_and_the_pods_later() {
    let space = with_pods();
    finish(&space);
    let report = space
        .run(&["--yes", "--cascade=background", "-o", "json"])
        .exits(0)
        .json();
    // In the order of the plan, which depends on whether a second began between the two.
    let mut outcomes = outcomes(&report);
    outcomes.sort();
    assert_eq!(outcomes, ["sync-11111 deleted", "sync-22222 deleted"]);
    space.holds(&["sync-00000"]);
    until("the Pods are gone", || pods(&space).is_empty());
}

#[test]
fn orphan_leaves_the_pods() {
    let space = with_pods();
    finish(&space);
    space.run(&["--yes", "--cascade=orphan"]).exits(0);
    until("the Jobs are gone", || space.names().len() == 1);
    let left = pods(&space);
    assert_eq!(left.len(), 2);
    for pod in left {
        assert_eq!(pod["metadata"].get("ownerReferences"), None, "{pod}");
        assert_eq!(pod["metadata"].get("deletionTimestamp"), None, "{pod}");
    }
}

#[test]
fn a_finalizer_makes_it_terminating() {
    let space = Space::new();
    space.seed(&[
        space.job("g", "sync-2", 1),
        space.job("g", "sync-1", 2).finalizer("test.example/hold"),
    ]);
    let report = space
        .run(&["--yes", "--cascade=background", "-o", "json"])
        .exits(0)
        .json();
    assert_eq!(outcomes(&report), ["sync-1 terminating"]);
    assert_eq!(
        space.plan(&[]),
        ["sync-2 SKIP newest", "sync-1 SKIP terminating"]
    );
}

#[test]
fn nothing_outside_the_namespace_or_the_label_goes() {
    let (space, other) = (Space::new(), Space::with(&[("sync-1", 2), ("sync-2", 1)]));
    space.seed(&[
        space.job("g", "sync-2", 1),
        space.job("g", "sync-1", 2),
        SeedJob::new(&space.name, "sync-0", hours_ago(9)).label("test.example/else", "g"),
    ]);
    space.run(&["--yes", "--cascade=background"]).exits(0);
    space.holds(&["sync-0", "sync-2"]);
    other.holds(&["sync-1", "sync-2"]);
}

#[test]
fn a_hundred_deletes_are_all_accounted_for() {
    let space = Space::new();
    let jobs: Vec<_> = (0..121)
        .map(|number| space.job("g", &format!("sync-{number}"), number))
        .collect();
    space.seed(&jobs);
    let report = space
        .run(&[
            "--yes",
            "--cascade=background",
            "--concurrency=256",
            "-o",
            "json",
        ])
        .exits(0)
        .json();
    assert_eq!(outcomes(&report).len(), 120);
    assert_eq!(report["summary"]["outcomes"]["deleted"], 120);
    space.holds(&["sync-0"]);
}

/// The tool against a stub, as JSON, with `args`.
fn on_stub(stub: &Stub, args: &[&str]) -> Run {
    let mut command = tool();
    command
        .args([
            "-s", &stub.url, "-n", "stub", "-L", LABEL, "--yes", "-o", "json",
        ])
        .args(args);
    run(command)
}

#[test]
fn at_most_as_many_deletes_are_in_flight_as_allowed() {
    for allowed in [1, 3] {
        let (now, most) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
        let (in_flight, highest) = (Arc::clone(&now), Arc::clone(&most));
        let jobs: Vec<_> = (1..=20)
            .map(|day| stub::job(&format!("sync-{day}"), &format!("uid-{day}"), "7", day))
            .collect();
        let stub = Stub::new(move |asked| {
            if asked.method == "GET" {
                return stub::list(&jobs);
            }
            let count = in_flight.fetch_add(1, Ordering::SeqCst) + 1;
            highest.fetch_max(count, Ordering::SeqCst);
            // Long enough for others to come if there are any.
            thread::sleep(Duration::from_millis(60));
            in_flight.fetch_sub(1, Ordering::SeqCst);
            stub::status("200 OK", "", "", "")
        });
        let report = on_stub(&stub, &[&format!("--concurrency={allowed}")])
            .exits(0)
            .json();
        assert_eq!(outcomes(&report).len(), 19);
        assert_eq!(stub.asked_by("DELETE").len(), 19);
        assert_eq!(most.load(Ordering::SeqCst), allowed);
    }
}

#[test]
fn pressure_is_waited_out() {
    let denied = AtomicUsize::new(0);
    let jobs: Vec<_> = (1..=6)
        .map(|day| stub::job(&format!("sync-{day}"), &format!("uid-{day}"), "7", day))
        .collect();
    let stub = Stub::new(move |asked| {
        if asked.method == "GET" {
            return stub::list(&jobs);
        }
        match denied.fetch_add(1, Ordering::SeqCst) {
            0 => stub::status(
                "429 Too Many Requests",
                "Retry-After: 1\r\n",
                "TooManyRequests",
                "slow down",
            ),
            1 => stub::status(
                "503 Service Unavailable",
                "Retry-After: 1\r\n",
                "ServiceUnavailable",
                "not now",
            ),
            _ => stub::status("200 OK", "", "", ""),
        }
    });
    let report = on_stub(&stub, &[]).exits(0).json();
    assert_eq!(report["summary"]["outcomes"]["deleted"], 5, "{report:#}");
    assert_eq!(stub.asked_by("DELETE").len(), 7);
}

#[test]
fn one_failure_does_not_stop_the_others() {
    let jobs: Vec<_> = (1..=6)
        .map(|day| stub::job(&format!("sync-{day}"), &format!("uid-{day}"), "7", day))
        .collect();
    let stub = Stub::new(move |asked| {
        if asked.method == "GET" {
            return stub::list(&jobs);
        }
        if asked.target.contains("/jobs/sync-3") {
            return stub::status("403 Forbidden", "", "Forbidden", "the webhook says no");
        }
        if asked.target.contains("/jobs/sync-4") {
            return stub::no_job("sync-4");
        }
        stub::status("200 OK", "", "", "")
    });
    let run = on_stub(&stub, &[])
        .exits(3)
        .complains(&["stub/sync-3", "the webhook says no"]);
    let report = run.json();
    assert_eq!(
        outcomes(&report),
        [
            "sync-5 deleted",
            "sync-4 gone",
            "sync-3 failed",
            "sync-2 deleted",
            "sync-1 deleted"
        ]
    );
    let jobs = jobs_of(&report);
    let failed = jobs.iter().find(|job| job["name"] == "sync-3").unwrap();
    assert!(
        text(failed, "message").contains("the webhook says no"),
        "{failed}"
    );
    assert!(!run.err.contains("sync-2"), "{}", run.story());
}

#[test]
fn a_page_that_cannot_be_read_deletes_nothing() {
    let jobs = [
        stub::job("sync-2", "b", "7", 2),
        stub::job("sync-1", "a", "7", 1),
    ];
    let list = stub::list(&jobs);
    let mut broken = list.2.clone();
    broken["items"][0]["metadata"]["creationTimestamp"] = "yesterday".into();
    let stub = Stub::new(move |asked| match asked.method.as_str() {
        "GET" => ("200 OK", "", broken.clone()),
        _ => stub::status("200 OK", "", "", ""),
    });
    on_stub(&stub, &[]).exits(1);
    assert!(stub.asked_by("DELETE").is_empty());
}
