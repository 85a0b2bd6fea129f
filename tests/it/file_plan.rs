//! A plan from a file is the plan of the cluster that the file came from.

use std::fs::{self, File};
use std::path::Path;

use controlplane::State;
use serde_json::{Value, json};

use crate::support::control_plane::{hours_ago, job_in};
use crate::support::document::without_bytes;
use crate::support::job_file::from_file;
use crate::support::kubeconfig::{Files, arg};
use crate::support::running::Running;
use crate::support::{ApiClient, Space, plane, run, together, tool, until};

/// Jobs of several namespaces under one key of their own.
fn scattered(key: &str) -> [Space; 2] {
    let spaces = [Space::new(), Space::new()];
    for space in &spaces {
        let job = |group: &str, name: &str, age| {
            job_in(&space.name, key, group, name, age)
                .label("env", if age % 2 == 0 { "even" } else { "odd" })
                .label("number", age.to_string())
        };
        space.seed(&[
            job("g", "sync-1", 9),
            job("g", "sync-2", 8).state(State::Failed),
            job("g", "sync-3", 7),
            job("g", "sync-4", 7),
            job("h", "sync-5", 6).state(State::Suspended),
            job("h", "sync-6", 5),
            job("h", "sync-7", 4).annotation("jobclean/keep", "true"),
            job("", "one-thing", 3),
            job("", "other-thing", 2),
            job("i", "sync-8", 8)
                .deleted(hours_ago(1))
                .finalizer("test.example/hold"),
            job("i", "sync-9", 9),
        ]);
    }
    spaces
}

fn both_ways(key: &str, file: &Path, args: &[&str]) -> (Value, Value) {
    let ask = |source: &[&str]| {
        let mut command = tool();
        command
            .args(["-L", key, "-o", "json"])
            .args(source)
            .args(args);
        let mut plan = run(command).exits(0).json();
        // Of a file they are an estimate.
        without_bytes(&mut plan);
        plan
    };
    let kubeconfig = arg(plane().kubeconfig());
    let cluster = ask(&["--kubeconfig", kubeconfig, "--dry-run=client", "-A"]);
    let from_file = ask(&["-f", arg(file)]);
    (cluster, from_file)
}

#[test]
fn kubectls_output_gives_the_clusters_plan() {
    let (key, files) = ("test.example/file-plan", Files::new());
    let spaces = scattered(key);
    for format in ["json", "yaml"] {
        let got = plane()
            .kubectl_run(["get", "jobs", "-A", "-l", key, "-o", format])
            .unwrap();
        let file = files.write(format, &got);
        for args in [
            &[][..],
            &["--keep=2"],
            &["--mixed-groups=split", "--include-active"],
            &["--keep-succeeded=1", "--keep-failed=1"],
            &["--keep-superseded-within=8h", "--keep-finished-within=9h"],
            &["--mixed-groups=split", "--family=-[a-z]+"],
        ] {
            let (cluster, from_file) = both_ways(key, &file, args);
            assert_eq!(cluster["groups"], from_file["groups"], "{format} {args:?}");
            assert_eq!(cluster["summary"], from_file["summary"]);
            assert_eq!(cluster["summary"]["jobs"], 22);
        }
    }
    // Namespace and name are looked at as in a cluster.
    let file = files.path("json");
    let one = run({
        let mut command = tool();
        command.args([
            "-L",
            key,
            "-o",
            "json",
            "-f",
            arg(&file),
            "-n",
            &spaces[0].name,
        ]);
        command
    })
    .exits(0)
    .json();
    assert_eq!(one["summary"]["jobs"], 11, "{one:#}");
}

#[test]
fn fields_and_namespaces_narrow_alike() {
    let (key, files) = ("test.example/file-fields", Files::new());
    let spaces = scattered(key);
    let got = plane()
        .kubectl_run(["get", "jobs", "-A", "-l", key, "-o", "json"])
        .unwrap();
    let file = files.write("jobs", &got);
    let here = &spaces[0].name;
    for (args, jobs) in [
        (format!("--field-selector=metadata.namespace={here}"), 11),
        (
            format!("--field-selector=metadata.namespace!={here},metadata.name==sync-1"),
            1,
        ),
        (format!("--exclude-namespace=kube-*,{here}"), 11),
        ("--exclude-namespace=it-*".to_owned(), 0),
    ] {
        let (cluster, from_file) = both_ways(key, &file, &[&args]);
        assert_eq!(cluster["groups"], from_file["groups"], "{args}");
        assert_eq!(cluster["summary"]["jobs"], jobs, "{args}");
    }
    let (cluster, from_file) = both_ways(key, &file, &["--field-selector=status.successful=1"]);
    assert_eq!(cluster["groups"], from_file["groups"]);
    assert_ne!(cluster["summary"]["jobs"], 0);
    let mut command = tool();
    command.args(["-f", arg(&file), "--field-selector=spec.suspend=true"]);
    run(command)
        .exits(2)
        .complains(&["metadata.name", "spec.suspend"]);
    // One Job of the file explained, and one that it does not have.
    let explain = |name: &str| {
        let mut command = tool();
        command.args(["explain", name, "-L", key, "-f", arg(&file)]);
        run(command)
    };
    explain("sync-1").exits(0).shows(&["Family", "Rank"]);
    explain("nothing").exits(1).complains(&["nothing"]);
}

#[test]
fn a_selector_selects_alike() {
    let (key, files) = ("test.example/file-selector", Files::new());
    scattered(key);
    let got = plane()
        .kubectl_run(["get", "jobs", "-A", "-l", key, "-o", "json"])
        .unwrap();
    let file = files.write("jobs", &got);
    for selector in [
        "env=even",
        "env==odd",
        "env!=even",
        "env",
        "!env",
        "absent!=x",
        "!absent",
        "absent",
        "env in (even,odd)",
        "env notin (even)",
        "absent notin (even)",
        "number>6",
        "number<6",
        "env>1",
        "absent<1",
        "env=odd,number in (7,9), !absent",
        "env=",
    ] {
        let (cluster, from_file) = both_ways(key, &file, &["-l", selector]);
        assert_eq!(cluster["groups"], from_file["groups"], "{selector}");
    }
}

#[test]
fn what_kubectl_saw_while_it_watched_gives_the_plan_of_what_is_left() {
    let files = Files::new();
    let formats = [
        &["-o=json"][..],
        &["-o=yaml"],
        &["-o=json", "--output-watch-events"],
        &["-o=yaml", "--output-watch-events"],
    ];
    together(&formats, |format| {
        let space = Space::with(&[("sync-10001", 5), ("sync-10002", 4), ("sync-10003", 3)]);
        let seen = files.path(&format.concat());
        let mut watch = plane().kubectl_command(["get", "jobs", "-w", "-n"]);
        watch.arg(&space.name).args(*format);
        watch.stdout(File::create(&seen).unwrap());
        let watch = Running::start_into(watch);
        let saw = |what: &str| {
            until(what, || fs::read_to_string(&seen).unwrap().contains(what));
        };
        saw("sync-10003");
        let label = json!({"metadata": {"labels": {"test.example/seen": "labelled"}}});
        ApiClient::admin(plane()).patch_job(&space.name, "sync-10001", &label);
        saw("labelled");
        space.seed(&[space.job("g", "sync-10004", 1)]);
        saw("sync-10004");
        // Without its events a watch does not tell that a Job is gone.
        if format.len() > 1 {
            ApiClient::admin(plane()).delete_job(&space.name, "sync-10003");
            saw("DELETED");
        }
        drop(watch);
        let mut cluster = space.run(&["-o", "json", "--dry-run=client"]).json();
        let mut from_file = from_file(&seen, &["-o", "json"]).exits(0).json();
        for plan in [&mut cluster, &mut from_file] {
            without_bytes(plan);
        }
        assert_eq!(from_file["groups"], cluster["groups"], "{format:?}");
    });
}
