//! A Job's manifest is on disk before its delete leaves, and brings the Job back.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

use controlplane::{Owner, State};
use serde_json::{Value, json};

use crate::support::account::{account, message};
use crate::support::backups::{PURGE, folders, index, manifests};
use crate::support::control_plane::job_in;
use crate::support::kubeconfig::{Files, arg};
use crate::support::proxy::{Kind, Proxy};
use crate::support::tool::shell;
use crate::support::written_files::{entries, is_told, mode};
use crate::support::{ApiClient, LABEL, Space, audit, everywhere, outcomes, plane, run, until};

/// The manifest of this name, if it is there while others may still be being written: those do not have their names yet.
fn manifest(folder: &Path, name: &str) -> Option<Value> {
    let mut found = manifests(folder).into_values();
    let mut found = found
        .by_ref()
        .filter(|manifest| manifest["metadata"]["name"] == name);
    let first = found.next();
    assert!(found.next().is_none(), "{name} is there twice");
    first
}

/// The labels that a server makes of a Job's name and uid.
const DERIVED: [&str; 4] = [
    "batch.kubernetes.io/controller-uid",
    "batch.kubernetes.io/job-name",
    "controller-uid",
    "job-name",
];

/// What a Job is but for what a server sets; its own uid is taken out of what stays.
fn essence(job: &Value) -> Value {
    let metadata = &job["metadata"];
    let (name, uid) = (&metadata["name"], metadata["uid"].as_str().unwrap());
    let mut labels = metadata["labels"].clone();
    let kept = labels.as_object_mut().unwrap();
    kept.retain(|key, value| !DERIVED.contains(&key.as_str()) || value != uid && value != name);
    // A restored Job does not run, and says where it comes from.
    let mut annotations = metadata["annotations"].clone();
    if let Some(annotations) = annotations.as_object_mut() {
        annotations.retain(|key, _| !key.starts_with("jobclean/"));
    }
    let annotations = Some(annotations).filter(|annotations| *annotations != json!({}));
    let mut spec = job["spec"].clone();
    spec.as_object_mut().unwrap().remove("suspend");
    let essence = json!({
        "name": name, "namespace": metadata["namespace"],
        "labels": labels, "annotations": annotations,
        "ownerReferences": metadata["ownerReferences"], "finalizers": metadata["finalizers"],
        "spec": spec,
    });
    serde_json::from_str(&essence.to_string().replace(uid, "UID")).unwrap()
}

#[test]
fn it_is_there_before_the_delete_leaves() {
    let (space, files) = (Space::three(), Files::new());
    let folder = files.path("backup");
    let watched = folder.clone();
    let missing = Arc::new(Mutex::new(Vec::new()));
    let noted = Arc::clone(&missing);
    let proxy = Proxy::new(ApiClient::admin(plane()), move |request, up| {
        if request.kind == Kind::Delete && manifest(&watched, &request.name()).is_none() {
            noted.lock().unwrap().push(request.name());
        }
        up.pass(request)
    });
    let args = [&PURGE[..], &["--backup", arg(&folder)]].concat();
    let report = run(proxy.tool(&space.name, &args)).exits(0).json();
    assert_eq!(outcomes(&report), ["sync-2 deleted", "sync-1 deleted"]);
    assert_eq!(*missing.lock().unwrap(), [""; 0]);
    assert_eq!(proxy.count(Kind::Delete), 2);
    // What stays needs none.
    assert_eq!(manifests(&folder).len(), 2);
}

#[test]
fn only_its_user_may_read_it() {
    let (space, files) = (Space::three(), Files::new());
    let folder = files.path("backup");
    let args = [&PURGE[..], &["--backup", arg(&folder)]].concat();
    run(shell(r#"umask 0; exec "$@""#, &space.tool(&args))).exits(0);
    assert_eq!(mode(&folder), 0o700);
    for path in entries(&folder) {
        let expected = if path.is_dir() { 0o700 } else { 0o600 };
        assert_eq!(mode(&path), expected, "{}", path.display());
    }
}

/// Jobs of every kind: purged, and made anew by kubectl from what was kept.
#[test]
fn kubectl_brings_the_jobs_back() {
    let (space, files) = (Space::new(), Files::new());
    let owner = plane().cron_job(&space.name, "nightly").unwrap();
    let hard = "a: 'b'\n# \"c\"\t\\ ✓ {{d}}\u{85}\n";
    space.seed(&[
        space.job("g", "sync-1", 90),
        space
            .job("g", "sync-2", 80)
            .state(State::Failed)
            .annotation("test.example/text", hard)
            .annotation("test.example/empty", "")
            .annotation("test.example/number", "0123")
            .label("test.example/yes", "yes")
            .ttl(100),
        space
            .job("g", "sync-3", 70)
            .owner(Owner::cron_job("nightly", &owner)),
        space.job("g", "sync-4", 60).state(State::Suspended),
        space.job("g", "sync-9", -1),
    ]);
    let admin = ApiClient::admin(plane());
    let template = |labels: Value| {
        json!({
            "metadata": {"labels": labels},
            "spec": {"restartPolicy": "OnFailure", "containers": [{"name": "run", "image": "example.com/none:1"}]},
        })
    };
    let manual = json!({
        "apiVersion": "batch/v1", "kind": "Job",
        "metadata": {"name": "sync-5", "labels": {LABEL: "g"}},
        "spec": {
            "manualSelector": true, "suspend": true, "completions": 3, "parallelism": 2,
            "completionMode": "Indexed", "activeDeadlineSeconds": 600, "backoffLimitPerIndex": 1,
            "selector": {"matchLabels": {"test.example/own": "sync-5"}},
            "template": template(json!({"test.example/own": "sync-5"})),
        },
    });
    let plain = json!({
        "apiVersion": "batch/v1", "kind": "Job",
        "metadata": {"generateName": "sync-", "name": "sync-6", "labels": {LABEL: "g"}},
        "spec": {"suspend": true, "template": template(json!({"test.example/own": "sync-6"}))},
    });
    // A server takes its labels from its Pods', its own among them.
    let mut bare = plain.clone();
    bare["metadata"] = json!({"name": "sync-7"});
    bare["spec"]["template"]["metadata"]["labels"][LABEL] = "g".into();
    for job in [manual, plain, bare] {
        let (status, answer) = admin.ask("POST", &space.path(), Some(&job));
        assert_eq!(status, 201, "{answer}");
    }
    let before = space.list();
    let folder = files.path("backup");
    let flags = [
        "--include-active",
        "--include-owned",
        "--mixed-groups=merge",
        "--backup",
        arg(&folder),
    ];
    let report = space.run(&[&PURGE[..], &flags].concat()).exits(0).json();
    assert_eq!(outcomes(&report).len(), 7);
    space.holds(&["sync-9"]);

    plane()
        .kubectl_run(["create", "-R", "-f", arg(&folder)])
        .unwrap();
    let after = space.list();
    assert_eq!(after.len(), before.len());
    for (old, new) in before.iter().zip(&after) {
        assert_eq!(essence(new), essence(old));
        let is_other = old["metadata"]["uid"] != new["metadata"]["uid"];
        assert_eq!(is_other, old["metadata"]["name"] != "sync-9");
        if is_other {
            assert_eq!(new["spec"]["suspend"], true);
            let annotations = &new["metadata"]["annotations"];
            let created = &old["metadata"]["creationTimestamp"];
            assert_eq!(annotations["jobclean/created"], *created);
        }
    }
    let status = |name: &str| {
        let job = after
            .iter()
            .find(|job| job["metadata"]["name"] == name)
            .unwrap();
        job["metadata"]["annotations"]["jobclean/status"].clone()
    };
    assert_eq!(status("sync-1"), "Complete");
    assert_eq!(status("sync-2"), "Failed");
    assert_eq!(status("sync-4"), "Suspended");
}

/// A migration that is restored from its backup must not run again, nor make the one after it look superseded.
#[test]
fn what_was_restored_does_not_run_and_is_not_the_newest() {
    let (space, files) = (Space::three(), Files::new());
    let folder = files.path("backup");
    let args = [&PURGE[..], &["--backup", arg(&folder)]].concat();
    space.run(&args).exits(0);
    let create = || {
        plane()
            .kubectl_run(["create", "-R", "-f", arg(&folder)])
            .unwrap()
    };
    create();
    let suspended = || {
        let jobs = space.list();
        let mut restored = jobs
            .iter()
            .filter(|job| job["metadata"]["name"] != "sync-3");
        restored.all(|job| {
            job["status"]["conditions"]
                .to_string()
                .contains("Suspended")
        })
    };
    until("the controller has seen them", suspended);
    let plan = [
        "sync-3 SKIP newest",
        "sync-2 SKIP active",
        "sync-1 SKIP active",
    ];
    assert_eq!(space.plan(&[]), plan);
    let pods = ApiClient::admin(plane()).get(&format!("/api/v1/namespaces/{}/pods", space.name));
    assert_eq!(pods.json()["items"], json!([]));
    // They are as old as they were, so that they may be purged like before, and restored again.
    let again = [&args[..], &["--include-active"]].concat();
    let report = space.run(&again).exits(0).json();
    assert_eq!(outcomes(&report), ["sync-2 deleted", "sync-1 deleted"]);
    assert_eq!(manifests(&folder).len(), 4);
    let mut ages = BTreeSet::new();
    for manifest in manifests(&folder).into_values() {
        let created = &manifest["metadata"]["annotations"]["jobclean/created"];
        ages.insert((
            manifest["metadata"]["name"].to_string(),
            created.to_string(),
        ));
    }
    assert_eq!(ages.len(), 2, "{ages:?}");
    // A person who lets one run means it: it is as young as it is.
    for path in manifests(&folder).into_keys() {
        let _ = plane().kubectl_run(["create", "-f", arg(&path)]);
    }
    ApiClient::admin(plane()).patch_job(
        &space.name,
        "sync-1",
        &json!({"spec": {"suspend": false}}),
    );
    until("it has started", || {
        let jobs = space.list();
        let mut jobs = jobs.iter();
        jobs.any(|job| {
            job["metadata"]["name"] == "sync-1" && job["status"]["startTime"].is_string()
        })
    });
    let plan = space.plan(&["--include-active"]);
    assert_eq!(
        plan,
        [
            "sync-1 SKIP newest",
            "sync-3 PURGE superseded",
            "sync-2 PURGE superseded"
        ]
    );
}

/// A Job's name may have 253 characters, and a file's name with the uid behind it not.
#[test]
fn a_long_name_is_cut_and_told_from_others() {
    let (space, files) = (Space::new(), Files::new());
    let long = "x".repeat(251);
    let (first, second) = (format!("{long}-1"), format!("{long}-2"));
    space.seed(&[
        space.job("g", &first, 3),
        space.job("g", &second, 2),
        space.job("g", &format!("{long}-3"), 1),
    ]);
    let folder = files.path("backup");
    let args = [
        &PURGE[..],
        &["--mixed-groups=merge", "--backup", arg(&folder)],
    ]
    .concat();
    space.run(&args).exits(0);
    let kept = manifests(&folder);
    let names: Vec<&str> = kept
        .values()
        .map(|manifest| manifest["metadata"]["name"].as_str().unwrap())
        .collect();
    assert_eq!(names.len(), 2);
    assert!(names.contains(&&*first) && names.contains(&&*second));
    for path in folders(&folder) {
        assert!(path.file_name().unwrap().len() <= 200, "{}", path.display());
    }
}

/// A link in the folder's place leads elsewhere, and so would the manifests.
#[test]
fn a_link_in_the_place_of_a_namespaces_folder_is_not_followed() {
    let (space, files) = (Space::three(), Files::new());
    let (folder, elsewhere) = (files.path("backup"), files.path("elsewhere"));
    fs::create_dir(&folder).unwrap();
    fs::create_dir(&elsewhere).unwrap();
    std::os::unix::fs::symlink(&elsewhere, folder.join(&space.name)).unwrap();
    let args = [&PURGE[..], &["--backup", arg(&folder)]].concat();
    let report = space.run(&args).exits(3).json();
    assert_eq!(outcomes(&report), ["sync-2 failed", "sync-1 failed"]);
    assert!(message(&report, "sync-1").contains("link"), "{report:#}");
    assert_eq!(entries(&elsewhere), [""; 0].map(PathBuf::from));
    space.holds(&["sync-1", "sync-2", "sync-3"]);
    // The folder itself may be one, as for a disk that is mounted elsewhere.
    let link = files.path("link");
    std::os::unix::fs::symlink(&elsewhere, &link).unwrap();
    let args = [&PURGE[..], &["--backup", arg(&link)]].concat();
    space.run(&args).exits(0);
    assert_eq!(manifests(&elsewhere).len(), 2);
}

/// A user's label that only looks like one of the server's stays in the backup.
#[test]
fn what_a_user_wrote_comes_back() {
    let (space, files) = (Space::new(), Files::new());
    let old = space.job("g", "sync-1", 2).label("job-name", "mine");
    space.seed(&[old, space.job("g", "sync-2", 1)]);
    let folder = files.path("backup");
    let args = [&PURGE[..], &["--backup", arg(&folder)]].concat();
    space.run(&args).exits(0);
    let kept = manifest(&folder, "sync-1").unwrap();
    assert_eq!(kept["metadata"]["labels"]["job-name"], "mine");
}

/// What is bigger than the disk takes, as far as the tool can see, is not deleted; the rest is.
#[test]
fn a_job_that_cannot_be_backed_up_stays() {
    let (space, files) = (Space::new(), Files::new());
    let huge = "x".repeat(200_000);
    space.seed(&[
        space.job("g", "sync-1", 40),
        space.job("g", "sync-2", 30).annotation("huge", huge),
        space.job("g", "sync-3", 20),
        space.job("g", "sync-4", 10),
    ]);
    let before = space.versions();
    let folder = files.path("backup");
    let args = [&PURGE[..], &["--backup", arg(&folder)]].concat();
    let run = run(shell(
        r#"trap '' XFSZ; ulimit -f 64; exec "$@""#,
        &space.tool(&args),
    ))
    .exits(3);
    let report = run.json();
    assert_eq!(
        outcomes(&report),
        ["sync-3 deleted", "sync-2 failed", "sync-1 deleted"]
    );
    account(&report, &ApiClient::admin(plane()).jobs(&space.name));
    let why = message(&report, "sync-2");
    assert!(why.contains("backed up") || why.contains("backup"), "{why}");
    space.holds(&["sync-2", "sync-4"]);
    assert_eq!(space.versions()["sync-2"], before["sync-2"]);
    let deletes = audit::wait_for(&space.name, "delete", 2);
    assert_eq!(deletes.len(), 2);
    // No half of it is left.
    assert_eq!(manifests(&folder).len(), 2);
    assert_eq!(fs::read_dir(folder.join(&space.name)).unwrap().count(), 2);
}

/// The folder is there, but what belongs below it cannot be.
#[test]
fn a_folder_that_fails_half_way_fails_for_its_jobs_alone() {
    let (first, second, files) = (Space::new(), Space::new(), Files::new());
    let key = format!("test.example/{}", first.name);
    for space in [&first, &second] {
        let job = |name: &str, age| job_in(&space.name, &key, "g", name, age);
        space.seed(&[job("sync-1", 3), job("sync-2", 2), job("sync-3", 1)]);
    }
    let folder = files.path("backup");
    fs::create_dir(&folder).unwrap();
    fs::write(folder.join(&second.name), "in the way\n").unwrap();
    let args = [&PURGE[..], &["--backup", arg(&folder)]].concat();
    let report = run(everywhere(&key, &args)).exits(3).json();
    assert_eq!(
        outcomes(&report),
        [
            "sync-2 deleted",
            "sync-1 deleted",
            "sync-2 failed",
            "sync-1 failed"
        ]
    );
    first.holds(&["sync-3"]);
    second.holds(&["sync-1", "sync-2", "sync-3"]);
    assert!(audit::all(&second.name, "delete").is_empty());
}

#[test]
fn where_there_can_be_no_folder_nothing_happens() {
    let (space, files) = (Space::three(), Files::new());
    let file = files.write("file", "whole\n");
    let before = space.versions();
    for folder in [file.clone(), file.join("backup"), file.join("a/b")] {
        let run = space.run(&["--yes", "--backup", arg(&folder)]);
        assert_eq!(run.out, "", "{}", run.story());
        is_told(run, &folder);
    }
    space.run(&["--yes", "--backup="]).exits(2);
    assert_eq!(fs::read_to_string(&file).unwrap(), "whole\n");
    assert_eq!(entries(file.parent().unwrap()), [file]);
    assert_eq!(space.versions(), before);
    assert!(audit::all(&space.name, "delete").is_empty());
}

/// One folder may serve every run: what an earlier one kept stays.
#[test]
fn an_earlier_backup_is_not_lost() {
    let (space, files) = (Space::new(), Files::new());
    let folder = files.path("backup");
    let args = [&PURGE[..], &["--backup", arg(&folder)]].concat();
    for text in ["first", "second"] {
        let old = space.job("g", "sync-1", 2).annotation("which", text);
        space.seed(&[old, space.job("g", "sync-2", 1)]);
        space.run(&args).exits(0);
        space.holds(&["sync-2"]);
    }
    let kept: Vec<String> = manifests(&folder)
        .into_values()
        .map(|manifest| manifest["metadata"]["annotations"]["which"].to_string())
        .collect();
    let mut sorted = kept;
    sorted.sort_unstable();
    assert_eq!(sorted, ["\"first\"", "\"second\""]);
    assert_eq!(index(&folder).len(), 2);
}

#[test]
fn what_deletes_nothing_keeps_nothing() {
    let (space, files) = (Space::three(), Files::new());
    let folder = files.path("backup");
    for args in [
        &["--dry-run=client"][..],
        &["--dry-run"],
        &["--yes", "--max-purge=1"],
        &[],
    ] {
        let run = space.run(&[args, &["--backup", arg(&folder)]].concat());
        assert!(matches!(run.code, Some(0 | 2 | 5)), "{}", run.story());
        let left = folder.exists().then(|| entries(&folder));
        assert!(left.is_none_or(|left| left.is_empty()), "{}", run.story());
    }
    space.holds(&["sync-1", "sync-2", "sync-3"]);
}

#[test]
fn it_takes_no_more_rights_than_a_purge() {
    let (space, files) = (Space::three(), Files::new());
    let cleaner = space.kubeconfig_for("cleaner", &["list", "delete"]);
    let folder = files.path("backup");
    let args = [&PURGE[..], &["--backup", arg(&folder)]].concat();
    run(space.tool_as(&cleaner, &args)).exits(0);
    space.holds(&["sync-3"]);
    assert_eq!(manifests(&folder).len(), 2);
}
