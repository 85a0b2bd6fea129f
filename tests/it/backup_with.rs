//! `--backup-with`: what a Job leaves beside itself is on disk before its delete leaves.

use std::fs;
use std::path::{Path, PathBuf};

use serde_json::{Value, json};

use crate::support::account::message;
use crate::support::backups::{PURGE, folders, index, json};
use crate::support::control_plane::{job_in, tool_as};
use crate::support::kubeconfig::{Files, arg};
use crate::support::kubelet::{Kubelet, PodOf, Told, event};
use crate::support::proxy::{Kind, Proxy, Reply};
use crate::support::tool::{Run, shell};
use crate::support::written_files::{entries, mode};
use crate::support::{ApiClient, Space, Terminal, audit, outcomes, plane, run, tool, until};

/// A purge in a space that saves this beside manifests.
#[track_caller]
fn purge(space: &Space, folder: &Path, with: &str) -> Run {
    run(space.tool(
        &[
            &PURGE[..],
            &["--backup", arg(folder), "--backup-with", with],
        ]
        .concat(),
    ))
}

/// The folder of a Job's backup.
#[track_caller]
fn folder_of(folder: &Path, job: &str) -> PathBuf {
    let mut found = folders(folder);
    found.retain(|path| {
        let name = path.file_name().unwrap().to_str().unwrap();
        name.starts_with(&format!("{job}-"))
    });
    assert_eq!(found.len(), 1, "{job}: {found:?}");
    found.remove(0)
}

/// The names of a list's objects; each says what it is.
fn names(list: &Value, kind: &str) -> Vec<String> {
    assert_eq!(
        (&list["apiVersion"], &list["kind"]),
        (&json!("v1"), &json!("List"))
    );
    let items = list["items"].as_array().unwrap().iter();
    items
        .map(|item| {
            assert_eq!(
                (&item["apiVersion"], &item["kind"]),
                (&json!("v1"), &json!(kind))
            );
            item["metadata"]["name"].as_str().unwrap().to_owned()
        })
        .collect()
}

fn uid_of(space: &Space, job: &str) -> String {
    let jobs = space.list();
    let job = jobs.iter().find(|found| found["metadata"]["name"] == job);
    job.unwrap()["metadata"]["uid"].as_str().unwrap().to_owned()
}

#[test]
fn everything_that_is_asked_for_is_saved_and_nothing_of_others() {
    let (space, files) = (Space::three(), Files::new());
    let kubelet =
        Kubelet::new(|asked| Told::Log(format!("{} of {}\n", asked.container, asked.pod)));
    let pod = |job, name| PodOf::plain(&space, job, name, &kubelet.node).create();
    let first = pod("sync-1", "sync-1-a");
    pod("sync-1", "sync-1-b");
    pod("sync-2", "sync-2-a");
    // A Pod with the labels of a Job that it does not belong to.
    let stranger = json!({"metadata": {"labels": {
        "batch.kubernetes.io/controller-uid": uid_of(&space, "sync-1"),
    }}});
    pod("sync-3", "stranger");
    let path = format!("/api/v1/namespaces/{}/pods/stranger", space.name);
    let (status, answer) = ApiClient::admin(plane()).ask("PATCH", &path, Some(&stranger));
    assert_eq!(status, 200, "{answer}");
    event(
        &space,
        "Job",
        "sync-1",
        &uid_of(&space, "sync-1"),
        "Completed",
    );
    event(&space, "Pod", "sync-1-a", &first, "Pulled");
    event(
        &space,
        "Job",
        "sync-2",
        &uid_of(&space, "sync-2"),
        "Completed",
    );
    event(
        &space,
        "Pod",
        "sync-1-a",
        "another-pod-of-that-name",
        "Pulled",
    );
    let before = space.list();
    let folder = files.path("backup");
    let report = purge(&space, &folder, "status,pods,events,logs")
        .exits(0)
        .json();
    assert_eq!(outcomes(&report), ["sync-2 deleted", "sync-1 deleted"]);

    let saved = folder_of(&folder, "sync-1");
    let job = json(&saved.join("job.json"));
    let was = before
        .iter()
        .find(|job| job["metadata"]["name"] == "sync-1");
    let mut was = was.unwrap().clone();
    was["apiVersion"] = "batch/v1".into();
    was["kind"] = "Job".into();
    assert_eq!(job, was);
    assert!(job["status"]["conditions"].is_array());
    let pods = json(&saved.join("pods.json"));
    assert_eq!(names(&pods, "Pod"), ["sync-1-a", "sync-1-b"]);
    let events = json(&saved.join("events.json"));
    assert_eq!(names(&events, "Event").len(), 2);
    for pod in ["sync-1-a", "sync-1-b"] {
        let log = fs::read_to_string(saved.join(format!("logs/{pod}/run.log"))).unwrap();
        assert_eq!(log, format!("run of {pod}\n"));
    }
    for path in entries(&folder) {
        let expected = if path.is_dir() { 0o700 } else { 0o600 };
        assert_eq!(mode(&path), expected, "{}", path.display());
    }

    let lines = index(&folder);
    assert_eq!(lines.len(), 2);
    let line = lines.iter().find(|line| line["name"] == "sync-1").unwrap();
    assert_eq!(line["namespace"], space.name);
    assert_eq!(line["uid"], was["metadata"]["uid"]);
    assert_eq!(line["created"], was["metadata"]["creationTimestamp"]);
    assert_eq!(line["status"], "Complete");
    assert_eq!(
        line["group"],
        json!({"labels": {"test.example/group": "g"}})
    );
    assert_eq!(folder.join(line["path"].as_str().unwrap()), saved);
    assert_eq!(line["missing"], json!([]));
    let mut listed = Vec::new();
    for file in line["files"].as_array().unwrap() {
        let path = saved.join(file["path"].as_str().unwrap());
        assert_eq!(file["bytes"], fs::metadata(&path).unwrap().len(), "{file}");
        listed.push(path);
    }
    listed.sort_unstable();
    let there = entries(&saved).into_iter().filter(|path| path.is_file());
    assert_eq!(listed, there.collect::<Vec<_>>());
}

/// Without a word for it, no more than the manifest is saved, and nothing else is asked of the server.
#[test]
fn a_manifest_needs_no_more() {
    let (space, files) = (Space::three(), Files::new());
    let kubelet = Kubelet::new(|_| Told::Log("log\n".to_owned()));
    PodOf::plain(&space, "sync-1", "sync-1-a", &kubelet.node).create();
    let folder = files.path("backup");
    space
        .run(&[&PURGE[..], &["--backup", arg(&folder)]].concat())
        .exits(0);
    let saved = folder_of(&folder, "sync-1");
    assert_eq!(entries(&saved), [saved.join("manifest.json")]);
    assert_eq!(kubelet.asked(), []);
}

/// A Job that has its own selector has Pods without a label of its uid.
#[test]
fn the_pods_of_a_selector_of_ones_own() {
    let (space, files) = (Space::with(&[("sync-9", -1)]), Files::new());
    let admin = ApiClient::admin(plane());
    let job = json!({
        "apiVersion": "batch/v1", "kind": "Job",
        "metadata": {"name": "sync-1", "labels": {"test.example/group": "g"}},
        "spec": {
            "manualSelector": true, "suspend": true,
            "selector": {"matchExpressions": [
                {"key": "test.example/own", "operator": "In", "values": ["a", "b"]},
                {"key": "test.example/other", "operator": "DoesNotExist"},
            ]},
            "template": {
                "metadata": {"labels": {"test.example/own": "b"}},
                "spec": {"restartPolicy": "Never", "containers": [{"name": "run", "image": "example.com/none:1"}]},
            },
        },
    });
    let (status, answer) = admin.ask("POST", &space.path(), Some(&job));
    assert_eq!(status, 201, "{answer}");
    let uid = answer["metadata"]["uid"].as_str().unwrap();
    let pod = json!({
        "apiVersion": "v1", "kind": "Pod",
        "metadata": {
            "name": "mine", "labels": {"test.example/own": "b"},
            "ownerReferences": [{"apiVersion": "batch/v1", "kind": "Job", "name": "sync-1", "uid": uid}],
        },
        "spec": {"restartPolicy": "Never", "containers": [{"name": "run", "image": "example.com/none:1"}]},
    });
    let pods = format!("/api/v1/namespaces/{}/pods", space.name);
    let (status, answer) = admin.ask("POST", &pods, Some(&pod));
    assert_eq!(status, 201, "{answer}");
    let folder = files.path("backup");
    let flags = [
        &PURGE[..],
        &[
            "--include-active",
            "--mixed-groups=merge",
            "--backup",
            arg(&folder),
            "--backup-with=pods,logs",
        ],
    ]
    .concat();
    space.run(&flags).exits(0);
    let saved = folder_of(&folder, "sync-1");
    assert_eq!(names(&json(&saved.join("pods.json")), "Pod"), ["mine"]);
    // It was never on a node.
    assert_eq!(index(&folder)[0]["missing"][0]["path"], "logs/mine/run.log");
    assert!(!saved.join("logs").exists());
}

#[test]
fn many_pods_and_their_events() {
    let (space, files) = (Space::with(&[("sync-1", 2), ("sync-2", 1)]), Files::new());
    for number in 0..12 {
        let name = format!("sync-1-{number:02}");
        let uid = PodOf {
            node: None,
            ..PodOf::plain(&space, "sync-1", &name, "")
        }
        .create();
        event(&space, "Pod", &name, &uid, "Pulled");
    }
    event(&space, "Pod", "other", "other-uid", "Pulled");
    event(
        &space,
        "Job",
        "sync-1",
        &uid_of(&space, "sync-1"),
        "Completed",
    );
    let folder = files.path("backup");
    purge(&space, &folder, "events").exits(0);
    let saved = folder_of(&folder, "sync-1");
    let events = json(&saved.join("events.json"));
    assert_eq!(names(&events, "Event").len(), 13);
    assert!(!saved.join("pods.json").exists());
}

/// Lists on the way that cannot be read are asked for again; ones that stay so keep the Job.
#[test]
fn what_the_server_does_not_give_keeps_the_job() {
    for (with, path) in [
        ("pods", "/pods?"),
        ("events", "/events?"),
        ("logs", "/log?"),
    ] {
        let (space, files) = (Space::three(), Files::new());
        let kubelet = Kubelet::new(|_| Told::Log("log\n".to_owned()));
        PodOf::plain(&space, "sync-1", "sync-1-a", &kubelet.node).create();
        let proxy = Proxy::new(ApiClient::admin(plane()), move |request, up| {
            if !request.target.contains(path) {
                return up.pass(request);
            }
            match request.again {
                1 => Reply::refusal(503, "ServiceUnavailable", "busy"),
                2 if path != "/log?" => up.pass(request).ends_at(20),
                _ => Reply::refusal(403, "Forbidden", "not any more"),
            }
        });
        let folder = files.path("backup");
        let flags = ["--backup", arg(&folder), "--backup-with", with];
        let report = run(proxy.tool(&space.name, &[&PURGE[..], &flags].concat()))
            .exits(3)
            .json();
        // What has no Pods has no logs.
        let expected = match with {
            "logs" => ["sync-2 deleted", "sync-1 failed"],
            _ => ["sync-2 failed", "sync-1 failed"],
        };
        assert_eq!(outcomes(&report), expected);
        let why = message(&report, "sync-1");
        assert!(
            why.contains("backed up") && why.contains("not any more"),
            "{why}"
        );
        // Nothing is left of what is not whole.
        let left = fs::read_dir(folder.join(&space.name)).unwrap().count();
        assert_eq!(left, usize::from(with == "logs"), "{with}");
        let deletes = proxy.count(Kind::Delete);
        assert_eq!(deletes, left);
    }
}

/// Two backups of the same Job: the delete of the first did not work out.
#[test]
fn an_earlier_backup_of_the_same_job_stays() {
    let (space, files) = (Space::with(&[("sync-1", 2), ("sync-2", 1)]), Files::new());
    let refusing = Proxy::new(ApiClient::admin(plane()), |request, up| {
        match request.kind {
            Kind::Delete => Reply::refusal(403, "Forbidden", "not now"),
            _ => up.pass(request),
        }
    });
    let folder = files.path("backup");
    let flags = [&PURGE[..], &["--backup", arg(&folder)]].concat();
    run(refusing.tool(&space.name, &flags)).exits(3);
    space.run(&flags).exits(0);
    let paths: Vec<String> = index(&folder)
        .iter()
        .map(|line| line["path"].as_str().unwrap().to_owned())
        .collect();
    assert_eq!(paths.len(), 2);
    assert_eq!(paths[1], format!("{}.1", paths[0]));
    let expected: Vec<PathBuf> = paths.iter().map(|path| folder.join(path)).collect();
    assert_eq!(folders(&folder), expected);
}

/// A line that another run, or a full disk, has left unfinished spoils no other.
#[test]
fn an_index_that_ends_within_a_line_goes_on_with_a_new_one() {
    let (space, files) = (Space::with(&[("sync-1", 2), ("sync-2", 1)]), Files::new());
    let folder = files.path("backup");
    fs::create_dir(&folder).unwrap();
    fs::write(folder.join("index.jsonl"), "{\"namespace\":\"a\",\"na").unwrap();
    space
        .run(&[&PURGE[..], &["--backup", arg(&folder)]].concat())
        .exits(0);
    let text = fs::read_to_string(folder.join("index.jsonl")).unwrap();
    let lines: Vec<&str> = text.lines().collect();
    assert_eq!(lines.len(), 2, "{text}");
    let line: Value = serde_json::from_str(lines[1]).unwrap();
    assert_eq!(line["name"], "sync-1");
}

/// The index leads to nothing that a link leads to.
#[test]
fn a_link_in_the_place_of_the_index_is_not_followed() {
    let (space, files) = (Space::with(&[("sync-1", 2), ("sync-2", 1)]), Files::new());
    let folder = files.path("backup");
    fs::create_dir(&folder).unwrap();
    let elsewhere = files.write("elsewhere", "whole\n");
    std::os::unix::fs::symlink(&elsewhere, folder.join("index.jsonl")).unwrap();
    let run = space
        .run(&[&PURGE[..], &["--backup", arg(&folder)]].concat())
        .exits(3);
    assert!(message(&run.json(), "sync-1").contains("link"));
    assert_eq!(fs::read_to_string(&elsewhere).unwrap(), "whole\n");
    space.holds(&["sync-1", "sync-2"]);
}

/// Of a log that is larger than a file may be, no half passes for a backup, and the Job stays.
#[test]
fn a_log_that_does_not_fit_keeps_its_job() {
    let (space, files) = (Space::three(), Files::new());
    let kubelet = Kubelet::new(|asked| match asked.pod.as_str() {
        "sync-1-a" => Told::Log("x".repeat(99).replace("xx", "y\n").repeat(8000)),
        _ => Told::Log("short\n".to_owned()),
    });
    PodOf::plain(&space, "sync-1", "sync-1-a", &kubelet.node).create();
    PodOf::plain(&space, "sync-2", "sync-2-a", &kubelet.node).create();
    let folder = files.path("backup");
    let flags = ["--backup", arg(&folder), "--backup-with=logs"];
    let command = space.tool(&[&PURGE[..], &flags].concat());
    let limited = shell(r#"trap '' XFSZ; ulimit -f 200; exec "$@""#, &command);
    let report = run(limited).exits(3).json();
    assert_eq!(outcomes(&report), ["sync-2 deleted", "sync-1 failed"]);
    let why = message(&report, "sync-1");
    assert!(why.contains("could not be backed up"), "{why}");
    space.holds(&["sync-1", "sync-3"]);
    assert_eq!(folders(&folder).len(), 1);
    assert_eq!(fs::read_dir(folder.join(&space.name)).unwrap().count(), 1);
}

/// How a command can have mounts of its own here, as root or as a user who may be one in a namespace.
#[cfg(target_os = "linux")]
fn with_own_mounts() -> &'static [&'static str] {
    let ways: [&[&str]; 3] = [
        &["unshare", "--mount"],
        &["unshare", "--mount", "--map-root-user"],
        &["sudo", "-n", "unshare", "--mount"],
    ];
    let can = |way: &&&[&str]| {
        let mut probe = std::process::Command::new(way[0]);
        probe
            .args(&way[1..])
            .args(["mount", "-t", "tmpfs", "none", "/mnt"]);
        probe.output().is_ok_and(|probe| probe.status.success())
    };
    ways.iter()
        .find(can)
        .expect("a file system can be mounted by unshare, as root, as a user, or with sudo")
}

/// A disk that is full for real: what does not fit is not deleted, and what fits is.
#[cfg(target_os = "linux")]
#[test]
fn a_full_disk_keeps_the_job() {
    let (space, files) = (Space::seven(), Files::new());
    let path = space.path();
    let kubelet = Kubelet::new(move |asked| {
        if asked.pod != "sync-4-a" {
            return Told::Log("short\n".to_owned());
        }
        // Not before the others are saved and gone.
        let admin = ApiClient::admin(plane());
        until("the others are gone", || {
            admin.get(&path).json()["items"].as_array().unwrap().len() == 2
        });
        Told::Log("0123456789abcde\n".repeat(128 << 10))
    });
    for number in 1..=6 {
        let job = format!("sync-{number}");
        PodOf::plain(&space, &job, &format!("{job}-a"), &kubelet.node).create();
    }
    let folder = files.path("backup");
    fs::create_dir(&folder).unwrap();
    let flags = ["--backup", arg(&folder), "--backup-with=logs"];
    let command = space.tool(&[&PURGE[..], &flags].concat());
    // A file system of 1 MiB that ends with the command. What is in it is told before that.
    let [report, left] = ["report", "left"].map(|name| files.path(name));
    let script = format!(
        r#"mount -t tmpfs -o size=1m,mode=0700 none "{0}" || exit 77
           "$@" > "{1}"; code=$?; ls -A "{0}/{3}" > "{2}"; exit $code"#,
        arg(&folder),
        arg(&report),
        arg(&left),
        space.name,
    );
    let inside = shell(&script, &command);
    let way = with_own_mounts();
    let mut mounts = std::process::Command::new(way[0]);
    mounts
        .args(&way[1..])
        .arg(inside.get_program())
        .args(inside.get_args())
        .current_dir(inside.get_current_dir().unwrap());
    run(mounts)
        .exits(3)
        .complains(&["sync-4: it was not deleted, since it could not be backed up: no space left"]);
    let report: Value = serde_json::from_str(&fs::read_to_string(report).unwrap()).unwrap();
    assert!(outcomes(&report).contains(&"sync-4 failed".to_owned()));
    space.holds(&["sync-4", "sync-7"]);
    // Nothing is left of what is not whole.
    let left = fs::read_to_string(left).unwrap();
    let jobs: Vec<&str> = left.lines().map(|name| &name[..6]).collect();
    assert_eq!(jobs, ["sync-1", "sync-2", "sync-3", "sync-5", "sync-6"]);
}

/// Gives a user these rights in a space.
fn user_with(space: &Space, user: &str, rules: Value) -> PathBuf {
    let kubeconfig = space.kubeconfig_for(user, &["list", "delete"]);
    let name = format!("{user}-{}", space.name);
    let role = json!({
        "apiVersion": "rbac.authorization.k8s.io/v1", "kind": "Role",
        "metadata": {"name": format!("{name}-more"), "namespace": space.name}, "rules": rules,
    });
    let binding = json!({
        "apiVersion": "rbac.authorization.k8s.io/v1", "kind": "RoleBinding",
        "metadata": {"name": format!("{name}-more"), "namespace": space.name},
        "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "Role", "name": format!("{name}-more")},
        "subjects": [{"apiGroup": "rbac.authorization.k8s.io", "kind": "User", "name": name}],
    });
    plane()
        .kubectl_apply(&format!("{role}\n---\n{binding}\n"))
        .unwrap();
    for rule in rules.as_array().unwrap() {
        let (verb, resource) = (rule["verbs"][0].as_str(), rule["resources"][0].as_str());
        until("RBAC lets the user in", || {
            let mut can = plane().kubectl_command(["auth", "can-i", verb.unwrap()]);
            let resource = resource.unwrap().split('/').collect::<Vec<_>>();
            can.arg(resource[0]);
            can.args(resource.get(1).map(|sub| format!("--subresource={sub}")));
            can.args(["--namespace", &space.name, "--kubeconfig"])
                .arg(&kubeconfig);
            can.output().unwrap().status.success()
        });
    }
    kubeconfig
}

/// What a part needs, and the right that is missing for it.
#[test]
fn a_missing_right_is_said_before_the_question() {
    let rule = |verb: &str, resource: &str| json!({"apiGroups": [""], "resources": [resource], "verbs": [verb]});
    let pods = rule("list", "pods");
    for (user, rules, with, missing) in [
        ("none", json!([]), "pods", "list pods"),
        ("pods", json!([pods]), "pods,logs", "get pods/log"),
        (
            "logs",
            json!([pods, rule("get", "pods/log")]),
            "logs,events",
            "list events",
        ),
    ] {
        let (space, files) = (Space::three(), Files::new());
        let kubeconfig = user_with(&space, user, rules);
        let folder = files.path("backup");
        let flags = [
            "--cascade=background",
            "--backup",
            arg(&folder),
            "--backup-with",
            with,
        ];
        let left = Terminal::start(&space.tool_as(&kubeconfig, &flags), 160).finish();
        assert!(!left.text.contains("Purge 2"), "{}", left.text);
        let error = left.text.lines().find(|line| line.starts_with("error: "));
        let error = error.unwrap_or_else(|| panic!("no error:\n{}", left.text));
        assert!(
            error.contains(missing) && error.contains("--backup-with"),
            "{error}"
        );
        left.exits(1);
        // Without a question as well: every single Job would fail.
        let unasked = [&PURGE[..], &flags[1..]].concat();
        let run = run(space.tool_as(&kubeconfig, &unasked)).exits(1);
        run.complains(&["error: ", missing, "--backup-with", "hint: ", "rbac"]);
        space.holds(&["sync-1", "sync-2", "sync-3"]);
        assert!(audit::all(&space.name, "delete").is_empty());
    }
}

/// With the role that `rbac` prints the run can be done.
#[test]
fn the_role_for_a_backup_is_enough() {
    let (space, files) = (Space::three(), Files::new());
    let kubelet = Kubelet::new(|_| Told::Log("log\n".to_owned()));
    PodOf::plain(&space, "sync-1", "sync-1-a", &kubelet.node).create();
    let folder = files.path("backup");
    let flags = [
        "--backup",
        arg(&folder),
        "--backup-with=status,pods,events",
        "--backup-with=logs",
    ];
    let rbac = |more: &[&str]| {
        let mut command = tool();
        command
            .args(["rbac", "-n", &space.name])
            .args(flags)
            .args(more);
        run(command).exits(0).out
    };
    let printed = rbac(&[]);
    let (cleaner, backup) = printed.split_once("---\n").unwrap();
    assert!(!cleaner.contains("pods"), "{cleaner}");
    let role: Value = serde_saphyr::from_str(backup).unwrap();
    assert_eq!(role["metadata"]["name"], "jobclean-backup");
    let rules = role["rules"].as_array().unwrap().clone();
    assert_eq!(rules.len(), 3, "{role:#}");
    let kubeconfig = user_with(&space, "cleaner", Value::Array(rules));
    run(space.tool_as(&kubeconfig, &[&PURGE[..], &flags].concat())).exits(0);
    space.holds(&["sync-3"]);
    assert_eq!(
        fs::read_to_string(folder_of(&folder, "sync-1").join("logs/sync-1-a/run.log")).unwrap(),
        "log\n"
    );
    // A plan needs none of it.
    assert!(!rbac(&["--dry-run=client"]).contains("pods"));
}

#[test]
fn rights_in_one_namespace_of_many_are_enough_to_go_on() {
    let (first, second, files) = (Space::new(), Space::new(), Files::new());
    let key = format!("test.example/{}", first.name);
    for space in [&first, &second] {
        let job = |name: &str, age| job_in(&space.name, &key, "g", name, age);
        space.seed(&[job("sync-1", 2), job("sync-2", 1)]);
    }
    let forbidden = second.name.clone();
    let proxy = Proxy::new(ApiClient::admin(plane()), move |request, up| {
        let is_pods = request.target.contains(&format!("/{forbidden}/pods"));
        let body = String::from_utf8_lossy(&request.body);
        let reviewed = request.target.contains("selfsubject") && body.contains("\"pods\"");
        match reviewed && !body.contains("\"namespace\":\"it-") {
            true => up
                .pass(request)
                .alter(|review| review["status"] = json!({"allowed": false})),
            false if is_pods => Reply::refusal(403, "Forbidden", "no Pods for you"),
            false => up.pass(request),
        }
    });
    let folder = files.path("backup");
    let mut command = tool();
    command
        .args(["-s", &proxy.url, "-A", "-L", &key])
        .args(PURGE);
    command.args(["--backup", arg(&folder), "--backup-with=pods"]);
    let report = run(command).exits(3).json();
    let told = outcomes(&report);
    assert_eq!(
        told.iter().filter(|line| line.ends_with("deleted")).count(),
        1,
        "{told:?}"
    );
    first.holds(&["sync-2"]);
    second.holds(&["sync-1", "sync-2"]);
}

#[test]
fn mistakes_are_told_before_anything_happens() {
    let space = Space::three();
    for (flags, words) in [
        (&["--backup-with=logs"][..], "--backup"),
        (&["--backup=b", "--backup-with="], "--backup-with"),
        (&["--backup=b", "--backup-with=logs,"], "--backup-with"),
        (&["--backup=b", "--backup-with=log"], "--backup-with"),
        (
            &["--backup=b", "--backup-with=logs,logs-failed"],
            "cannot be used together",
        ),
        (
            &[
                "--backup=b",
                "--backup-with=logs",
                "--backup-with=logs-failed",
            ],
            "cannot be used together",
        ),
    ] {
        let run = space.run(&[&["--yes"][..], flags].concat()).exits(2);
        assert_eq!(run.out, "", "{}", run.story());
        run.complains(&["error: ", words]);
    }
    space.holds(&["sync-1", "sync-2", "sync-3"]);
}

#[test]
fn a_dry_run_reads_and_writes_nothing() {
    let (space, files) = (Space::three(), Files::new());
    let kubelet = Kubelet::new(|_| Told::Log("log\n".to_owned()));
    PodOf::plain(&space, "sync-1", "sync-1-a", &kubelet.node).create();
    let folder = files.path("backup");
    for how in ["--dry-run", "--dry-run=client"] {
        space
            .run(&[how, "--backup", arg(&folder), "--backup-with=logs,pods"])
            .exits(0);
    }
    assert!(!folder.exists());
    assert_eq!(kubelet.asked(), []);
}

#[test]
fn a_saved_plan_goes_with_it() {
    let (space, files) = (Space::three(), Files::new());
    let kubelet = Kubelet::new(|_| Told::Log("log\n".to_owned()));
    PodOf::plain(&space, "sync-1", "sync-1-a", &kubelet.node).create();
    let (plan, folder) = (files.path("plan.json"), files.path("backup"));
    space.run(&["--save-plan", arg(&plan)]).exits(0);
    let mut command = tool_as(plane().kubeconfig());
    command.args(["--plan", arg(&plan), "--yes", "--cascade=background"]);
    command.args(["--backup", arg(&folder), "--backup-with=logs"]);
    run(command).exits(0);
    space.holds(&["sync-3"]);
    assert!(
        folder_of(&folder, "sync-1")
            .join("logs/sync-1-a/run.log")
            .is_file()
    );
}
