//! Waiting until what was purged is gone: what holds it, what a deadline and a signal do, and that the report is true.

use std::collections::BTreeMap;
use std::process::Command;

use rustix::process::Signal;
use serde_json::{Value, json};

use crate::support::proxy::{Kind, Proxy};
use crate::support::running::Running;
use crate::support::{
    ApiClient, LABEL, Run, Space, Terminal, everywhere, jobs_of, outcomes, plane, run, until,
};

const HOLD: &str = "test.example/hold";

/// `sync-1` that a finalizer holds, `sync-2` that nothing holds, and `sync-3`, which stays.
fn held() -> Space {
    let space = Space::new();
    space.seed(&[
        space.job("g", "sync-1", 3).finalizer(HOLD),
        space.job("g", "sync-2", 2),
        space.job("g", "sync-3", 1),
    ]);
    space
}

/// Takes the finalizers off an object.
#[track_caller]
fn let_go(path: &str) {
    let patch = json!({"metadata": {"finalizers": null}});
    let (status, answer) = ApiClient::admin(plane()).ask("PATCH", path, Some(&patch));
    assert_eq!(status, 200, "{answer}");
}

/// The tool purging and waiting, once it waits.
#[track_caller]
fn waiting(command: Command) -> Running {
    let running = Running::start(command);
    until("it waits", || running.said().contains("waiting until"));
    running
}

fn purging(space: &Space, args: &[&str]) -> Command {
    space.tool(&[&["--yes", "--cascade=background", "-o", "json"], args].concat())
}

fn job<'a>(report: &'a Value, name: &str) -> &'a Value {
    let mut jobs = jobs_of(report).into_iter();
    jobs.find(|job| job["name"] == name).unwrap()
}

#[test]
fn it_stays_until_the_collector_has_taken_all() {
    let space = Space::new();
    let jobs: Vec<_> = (0..30)
        .map(|number| space.job("g", &format!("sync-{number}"), number))
        .collect();
    space.seed(&jobs);
    let report = space
        .run(&["--yes", "--wait", "-o", "json"])
        .exits(0)
        .json();
    space.holds(&["sync-0"]);
    let outcomes = outcomes(&report);
    assert_eq!(outcomes.len(), 29);
    assert!(
        outcomes.iter().all(|line| line.ends_with(" deleted")),
        "{outcomes:?}"
    );
    let held = jobs_of(&report)
        .into_iter()
        .find(|job| job.get("finalizers").is_some());
    assert_eq!(held, None);
}

#[test]
fn without_wait_it_does_not() {
    for args in [&[][..], &["--wait=false"]] {
        let space = held();
        let report = run(purging(&space, args)).exits(0).json();
        assert_eq!(outcomes(&report), ["sync-2 deleted", "sync-1 terminating"]);
        assert_eq!(job(&report, "sync-1").get("finalizers"), None);
    }
}

#[test]
fn a_deadline_ends_it_and_tells_what_holds_the_rest() {
    let space = held();
    let ended = run(purging(&space, &["--wait", "--timeout=2s"]))
        .exits(3)
        .complains(&["error: 1 Job still terminating after 2 s"]);
    let line = format!(
        "error: Job {}/sync-1 is still terminating: held by the finalizer {HOLD}",
        space.name
    );
    assert!(
        ended.err.lines().any(|said| said == line),
        "{}",
        ended.story()
    );
    let report = ended.json();
    assert_eq!(outcomes(&report), ["sync-2 deleted", "sync-1 terminating"]);
    assert_eq!(job(&report, "sync-1")["finalizers"], json!([HOLD]));
    assert_eq!(job(&report, "sync-2").get("finalizers"), None);
    assert_eq!(job(&report, "sync-1").get("pods"), None);
    space.holds(&["sync-1", "sync-3"]);
}

/// For people the same, and the totals come last.
#[test]
fn a_deadline_alone_waits_as_well() {
    let space = held();
    space
        .run(&["--yes", "--cascade=background", "--timeout=1s", "-q"])
        .exits(3)
        .complains(&[HOLD, "after 1 s"])
        .shows(&["2 Jobs purged in ", ": 1 deleted, 1 terminating"]);
}

#[test]
fn once_it_is_let_go_it_is_deleted() {
    let space = held();
    let running = waiting(purging(&space, &["--wait", "--timeout=0"]));
    let_go(&format!("{}/sync-1", space.path()));
    let report = running.finish().exits(0).json();
    assert_eq!(outcomes(&report), ["sync-2 deleted", "sync-1 deleted"]);
    assert_eq!(report["summary"]["outcomes"]["terminating"], 0);
    space.holds(&["sync-3"]);
}

/// A Job with the same name and another uid is another Job.
#[test]
fn a_new_job_of_the_same_name_is_not_waited_for() {
    let space = held();
    let running = waiting(purging(&space, &["--wait"]));
    let admin = ApiClient::admin(plane());
    let_go(&format!("{}/sync-1", space.path()));
    until("it is gone", || !space.names().contains("sync-1"));
    admin.create_job(&space.name, "sync-1", "g");
    let report = running.finish().exits(3).json();
    assert_eq!(outcomes(&report), ["sync-2 deleted", "sync-1 recreated"]);
    space.holds(&["sync-1", "sync-3"]);
}

/// It no longer matches what was listed, and is there all the same.
#[test]
fn a_job_that_loses_its_labels_does_not_pass_for_gone() {
    let space = Space::new();
    let jobs: Vec<_> = (0..12)
        .map(|number| {
            let job = space.job("g", &format!("sync-{number}"), number);
            if number == 0 {
                job
            } else {
                job.finalizer(HOLD)
            }
        })
        .collect();
    space.seed(&jobs);
    let running = waiting(purging(&space, &["--timeout=3s", "--chunk-size=5"]));
    let admin = ApiClient::admin(plane());
    let patch = json!({"metadata": {"labels": {LABEL: null}}});
    for number in 1..12 {
        admin.patch_job(&space.name, &format!("sync-{number}"), &patch);
    }
    let ended = running.finish().exits(3);
    let report = ended.json();
    let outcomes = outcomes(&report);
    assert_eq!(outcomes.len(), 11);
    for number in 1..12 {
        let name = format!("sync-{number}");
        assert!(
            outcomes.contains(&format!("{name} terminating")),
            "{outcomes:?}"
        );
        assert_eq!(job(&report, &name)["finalizers"], json!([HOLD]));
    }
    // Not one line each without end.
    let lines = ended.err.lines().filter(|line| line.contains(HOLD));
    assert_eq!(lines.count(), 10, "{}", ended.err);
    assert!(ended.err.contains("1 more"), "{}", ended.err);
}

#[test]
fn a_signal_ends_it_with_a_true_report() {
    for (signal, code) in [(Signal::INT, 130), (Signal::TERM, 143)] {
        let space = held();
        let running = waiting(purging(&space, &["--wait", "-vv"]));
        until("it has looked", || {
            running.said().contains("still terminating after")
        });
        running.signal(signal);
        let ended = running.finish().exits(code);
        let report = ended.json();
        assert_eq!(outcomes(&report), ["sync-2 deleted", "sync-1 terminating"]);
        assert_eq!(job(&report, "sync-1")["finalizers"], json!([HOLD]));
        assert!(!ended.err.contains("error:"), "{}", ended.err);
        assert!(ended.err.contains(HOLD), "{}", ended.err);
    }
}

/// A finished Job whose one Pod cannot go, by a user who may do no more than this with Pods.
fn with_a_held_pod(verbs: &[&str]) -> (Space, Run) {
    let space = Space::with(&[("sync-1", 2), ("sync-2", 1)]);
    let admin = ApiClient::admin(plane());
    let uid = admin.jobs(&space.name)["sync-1"].clone();
    let owner = json!({"apiVersion": "batch/v1", "kind": "Job", "name": "sync-1", "uid": uid,
                       "controller": true, "blockOwnerDeletion": true});
    let pods = format!("/api/v1/namespaces/{}/pods", space.name);
    for (name, owners) in [("sync-1-abcde", json!([owner])), ("stranger", json!([]))] {
        let pod = json!({
            "apiVersion": "v1", "kind": "Pod",
            "metadata": {"name": name, "finalizers": [HOLD], "ownerReferences": owners},
            "spec": {"containers": [{"name": "run", "image": "example.com/none:1"}],
                     "automountServiceAccountToken": false},
        });
        let (status, answer) = admin.ask("POST", &pods, Some(&pod));
        assert_eq!(status, 201, "{answer}");
    }
    let kubeconfig = space.kubeconfig_for("purger", &["list", "delete"]);
    let user = format!("purger-{}", space.name);
    if !verbs.is_empty() {
        let role = json!({
            "apiVersion": "rbac.authorization.k8s.io/v1", "kind": "Role",
            "metadata": {"name": "pods", "namespace": space.name},
            "rules": [{"apiGroups": [""], "resources": ["pods"], "verbs": verbs}],
        });
        let binding = json!({
            "apiVersion": "rbac.authorization.k8s.io/v1", "kind": "RoleBinding",
            "metadata": {"name": "pods", "namespace": space.name},
            "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "Role", "name": "pods"},
            "subjects": [{"apiGroup": "rbac.authorization.k8s.io", "kind": "User", "name": user}],
        });
        plane()
            .kubectl_apply(&format!("{role}\n---\n{binding}\n"))
            .unwrap();
        until("RBAC lets the user see Pods", || {
            let mut can = plane().kubectl_command(["auth", "can-i", "list", "pods"]);
            can.args(["--namespace", &space.name, "--kubeconfig"])
                .arg(&kubeconfig);
            can.output().unwrap().status.success()
        });
    }
    let args = ["--yes", "--timeout=2s", "-o", "json"];
    let run = run(space.tool_as(&kubeconfig, &args)).exits(3);
    let_go(&format!("{pods}/sync-1-abcde"));
    let_go(&format!("{pods}/stranger"));
    (space, run)
}

#[test]
fn pods_that_hold_a_job_are_named_where_they_may_be_read() {
    let (_space, run) = with_a_held_pod(&["list"]);
    let run = run.complains(&["foregroundDeletion", "which waits for Pod sync-1-abcde"]);
    assert!(!run.err.contains("stranger"), "{}", run.story());
    let report = run.json();
    let sync_1 = job(&report, "sync-1");
    assert_eq!(sync_1["finalizers"], json!(["foregroundDeletion"]));
    assert_eq!(
        sync_1["pods"],
        json!([{"name": "sync-1-abcde", "finalizers": [HOLD]}])
    );
}

#[test]
fn where_pods_may_not_be_read_nothing_is_said_of_them() {
    let (_space, run) = with_a_held_pod(&[]);
    let run = run.complains(&["foregroundDeletion"]);
    assert!(!run.err.to_lowercase().contains("pod"), "{}", run.story());
    let report = run.json();
    let sync_1 = job(&report, "sync-1");
    assert_eq!(sync_1["finalizers"], json!(["foregroundDeletion"]));
    assert_eq!(sync_1.get("pods"), None);
}

/// More namespaces than are listed one by one.
#[test]
fn it_waits_in_every_namespace() {
    let key = format!("test.example/wait-{}", std::process::id());
    let spaces: Vec<Space> = (0..10).map(|_| Space::new()).collect();
    for space in &spaces {
        space.seed(&[
            space.job("g", "sync-1", 2).label(&key, "g").finalizer(HOLD),
            space.job("g", "sync-2", 1).label(&key, "g"),
        ]);
    }
    let running = waiting(everywhere(&key, &["--yes", "--wait", "-o", "json"]));
    for space in &spaces {
        let_go(&format!("{}/sync-1", space.path()));
    }
    let report = running.finish().exits(0).json();
    assert_eq!(outcomes(&report), ["sync-1 deleted"; 10]);
}

#[test]
fn a_dry_run_has_nothing_to_wait_for() {
    let space = held();
    for how in ["--dry-run", "--dry-run=client"] {
        space.run(&[how, "--wait", "--timeout=9h"]).exits(0);
    }
    space.holds(&["sync-1", "sync-2", "sync-3"]);
}

#[test]
fn waiting_for_what_is_not_deleted_is_a_mistake() {
    let space = held();
    let mistakes: &[&[&str]] = &[
        &["--yes", "--wait=false", "--timeout=5s"],
        &["--yes", "--wait=perhaps"],
        &["--yes", "--wait", "false"],
        &["--yes", "--timeout=5"],
        &["--yes", "--timeout=-1s"],
        &["--yes", "--timeout="],
        &["--filename=-", "--wait"],
        &["--filename=-", "--timeout=5s"],
        &["--save-plan=plan.json", "--wait"],
        &["--save-plan=plan.json", "--timeout=5s"],
    ];
    for mistake in mistakes {
        let run = space.run(mistake).exits(2).complains(&["error: "]);
        assert_eq!(run.out, "", "{}", run.story());
    }
    space.holds(&["sync-1", "sync-2", "sync-3"]);
}

#[test]
fn a_terminal_shows_how_many_are_left() {
    let space = held();
    let args = ["--yes", "--cascade=background", "--wait"];
    let mut terminal = Terminal::start(&space.tool(&args), 120);
    terminal.wait_for("1 Job still terminating");
    let_go(&format!("{}/sync-1", space.path()));
    let left = terminal.finish().exits(0);
    assert!(
        left.text.contains("2 Jobs purged in ") && left.text.contains(": 2 deleted"),
        "{}",
        left.text
    );
    assert!(!left.text.contains("still terminating"), "{}", left.text);
}

/// Before the question, so that the answer may be another.
#[test]
fn a_purge_that_keeps_the_collector_busy_for_long_is_told_of() {
    let space = Space::new();
    let jobs: Vec<_> = (0..=700)
        .map(|number| space.job("g", &format!("sync-{number}"), number))
        .collect();
    space.seed(&jobs);
    let told = |args: &[&str]| -> BTreeMap<&str, bool> {
        let run = space.run(args).exits(2);
        let words = ["these 700 Jobs", "minutes", "--cascade=background"];
        words.map(|word| (word, run.err.contains(word))).into()
    };
    assert!(told(&[]).values().all(|told| *told), "{:?}", told(&[]));
    let background = told(&["--cascade=background"]);
    assert!(background.values().all(|told| !told), "{background:?}");
    // A few Jobs are nothing to speak of.
    let few = held();
    let run = few.run(&[]).exits(2);
    assert!(!run.err.contains("collector"), "{}", run.story());
}

/// Git still has it: something makes the Job again as soon as it is gone.
#[test]
fn what_is_made_again_meanwhile_is_said() {
    for (args, marks, message) in [
        (
            &["--cascade=background"][..],
            json!({"argocd.argoproj.io/tracking-id": "shop:batch/Job:NS/sync-1"}),
            "a new Job has its name, made again by Argo CD (application shop)",
        ),
        (&[], json!({}), "a new Job has its name"),
    ] {
        let space = Space::with(&[("sync-1", 30), ("sync-2", 20), ("sync-3", 10)]);
        let namespace = space.name.clone();
        let marks: Value =
            serde_json::from_str(&marks.to_string().replace("NS", &space.name)).unwrap();
        let proxy = Proxy::new(ApiClient::admin(plane()), move |request, up| {
            let reply = up.pass(request);
            if request.kind == Kind::Delete && request.name() == "sync-1" {
                until("it is gone", || !up.jobs(&namespace).contains_key("sync-1"));
                up.create_job(&namespace, "sync-1", "g");
                up.patch_job(
                    &namespace,
                    "sync-1",
                    &json!({"metadata": {"annotations": marks}}),
                );
            }
            reply
        });
        let args = [&["--yes", "--wait", "-o", "json"], args].concat();
        let run = run(proxy.tool(&space.name, &args));
        let run = run
            .exits(3)
            .complains(&["sync-1 was deleted and is there again: ", message]);
        let report = run.json();
        assert_eq!(outcomes(&report), ["sync-2 deleted", "sync-1 recreated"]);
        assert_eq!(job(&report, "sync-1")["message"], message);
        assert_eq!(report["summary"]["outcomes"]["recreated"], 1);
        space.holds(&["sync-1", "sync-3"]);
    }
}
