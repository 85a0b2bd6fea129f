//! About how many bytes the Jobs take in the API server's store.

use controlplane::Etcd;
use serde_json::{Value, json};

use crate::support::document::text;
use crate::support::kubeconfig::{Files, arg};
use crate::support::proxy::Proxy;
use crate::support::saved_plan::Saved;
use crate::support::{ApiClient, LABEL, Space, jobs_of, plane, run, tool, until};

/// The Jobs differ in a number alone and are of one second: they are versions here all the same.
const JUDGED: [&str; 2] = ["--include-active", "--mixed-groups=merge"];

/// The plan of those, as a document.
const PLAN: [&str; 5] = [JUDGED[0], JUDGED[1], "--dry-run=client", "-o", "json"];

/// Three Jobs that the server has encoded itself, of different sizes; two are to be purged.
fn encoded() -> Space {
    let space = Space::new();
    let admin = ApiClient::admin(plane());
    for (name, more) in [("sync-1", 0), ("sync-2", 10_000), ("sync-3", 100_000)] {
        let template = json!({"spec": {
            "restartPolicy": "Never",
            "containers": [{"name": "run", "image": "example.com/none:1"}],
        }});
        let job = json!({
            "apiVersion": "batch/v1", "kind": "Job",
            "metadata": {
                "name": name, "labels": {LABEL: "g"}, "annotations": {"test.example/more": "x".repeat(more)},
            },
            "spec": {"suspend": true, "template": template},
        });
        let (status, answer) = admin.ask("POST", &space.path(), Some(&job));
        assert_eq!(status, 201, "{answer}");
    }
    space
}

fn bytes(job: &Value) -> usize {
    job["bytes"].as_u64().unwrap() as usize
}

/// What the Jobs to purge take; fails unless the summary says the same.
#[track_caller]
fn purged(plan: &Value) -> usize {
    let jobs = jobs_of(plan).into_iter();
    let purged = jobs.filter(|job| job["verdict"] == "PURGE").map(bytes);
    let purged = purged.sum();
    assert_eq!(plan["summary"]["purgeBytes"], purged);
    purged
}

#[test]
fn they_are_those_of_the_store() {
    let space = encoded();
    let etcd = Etcd::at(&plane().etcd_url()).unwrap();
    // Until its controller has seen them, they change.
    until("plan and store tell the same", || {
        let plan = space.run(&PLAN).exits(0).json();
        let jobs = jobs_of(&plan);
        assert_eq!(jobs.len(), 3);
        purged(&plan);
        jobs.into_iter().all(|job| {
            let key = format!("jobs/{}/{}", space.name, text(job, "name"));
            etcd.length_of(&key).unwrap().abs_diff(bytes(job)) < 64
        })
    });
    let summary = space.run(&[&JUDGED[..], &["--dry-run=client", "-o", "summary"]].concat());
    let summary = summary.exits(0);
    let plan = space.run(&PLAN).exits(0).json();
    let size = (purged(&plan) + 500) / 1000;
    let said = format!("Jobs to purge take about {size} kB in the API server's store\n");
    summary.shows(&["SIZE", &format!("{size}kB"), &said]);
}

/// What speaks JSON alone, and files, let it be told roughly: JSON is longer.
#[test]
fn json_is_an_estimate() {
    let space = encoded();
    let exact = purged(&space.run(&PLAN).exits(0).json());
    let proxy = Proxy::new(ApiClient::admin(plane()), |request, up| {
        up.pass(&request.with_header("accept", "application/json"))
    });
    let of_json = purged(&run(proxy.tool(&space.name, &PLAN)).exits(0).json());
    let files = Files::new();
    let list = json!({"apiVersion": "batch/v1", "kind": "JobList", "items": space.list()});
    let one_by_one: String = space.list().iter().fold(String::new(), |text, job| {
        let mut job = job.clone();
        job["apiVersion"] = "batch/v1".into();
        job["kind"] = "Job".into();
        format!("{text}{job:#}\n---\n")
    });
    let of_file = |text: &str| {
        let file = files.write("jobs", text);
        let mut command = tool();
        command.args(["-L", LABEL, "-f", arg(&file), "-o", "json"]);
        command.args(JUDGED);
        purged(&run(command).exits(0).json())
    };
    // Layout does not count, and neither does what a list has beside its items.
    let of_list = of_file(&list.to_string());
    assert_eq!(of_file(&format!("{list:#}")), of_list);
    let estimates = [of_json, of_list, of_file(&one_by_one)];
    for estimate in estimates {
        assert!(
            (exact / 2..exact * 3).contains(&estimate),
            "{exact}: {estimates:?}"
        );
    }
}

/// A saved plan says it as well; one of an earlier version did not.
#[test]
fn a_saved_plan_knows_them() {
    let space = Space::three();
    let saved = Saved::of(&space, &[]);
    let now = purged(&space.run(&PLAN).exits(0).json());
    let carried_out = |saved: &Saved| saved.run(&["--dry-run=client", "-o", "json"]).exits(0);
    assert_eq!(purged(&carried_out(&saved).json()), now);
    saved.edit(|document| {
        for job in document["groups"][0]["jobs"].as_array_mut().unwrap() {
            job.as_object_mut().unwrap().remove("bytes").unwrap();
        }
    });
    // What is there now is known.
    assert_eq!(purged(&carried_out(&saved).json()), now);
    let report = saved.run(&["--yes", "-o", "json"]).exits(0);
    assert_eq!(report.json()["summary"]["purgeBytes"], Value::Null);
}
