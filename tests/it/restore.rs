//! `restore`: Jobs of a backup are created again, suspended, and never over one that is there.

use std::fs;
use std::path::{Path, PathBuf};

use controlplane::{Owner, State};
use serde_json::{Value, json};

use crate::support::backups::{PURGE, folders, json};
use crate::support::kubeconfig::{Files, arg};
use crate::support::proxy::{Proxy, Reply};
use crate::support::tool::Run;
use crate::support::{ApiClient, Space, Terminal, audit, outcomes, plane, run, tool, until};

/// Purges all but the newest of a space into a folder.
#[track_caller]
fn purge(space: &Space, folder: &Path, flags: &[&str]) {
    let args = [&PURGE[..], &["--backup", arg(folder)], flags].concat();
    space.run(&args).exits(0);
}

/// The tool that restores as the user of this kubeconfig.
fn restoring(kubeconfig: &Path, args: &[&str]) -> std::process::Command {
    let mut command = tool();
    command.arg("restore").args(args);
    command.arg("--kubeconfig").arg(kubeconfig);
    command
}

/// Restores as the admin.
fn restore(args: &[&str]) -> Run {
    run(restoring(plane().kubeconfig(), args))
}

fn job(space: &Space, name: &str) -> Value {
    let jobs = space.list();
    let found = jobs.into_iter().find(|job| job["metadata"]["name"] == name);
    found.unwrap_or_else(|| panic!("no {name}"))
}

/// The lines of stdout that end in an outcome.
fn told(run: &Run, space: &Space) -> Vec<String> {
    let prefix = format!("{}/", space.name);
    let lines = run
        .out
        .lines()
        .filter_map(|line| line.strip_prefix(&prefix));
    let words = lines.filter(|line| line.split(' ').count() == 2);
    words.map(str::to_owned).collect()
}

#[test]
fn jobs_come_back_suspended_and_without_owners() {
    let (space, files) = (Space::new(), Files::new());
    let owner = plane().cron_job(&space.name, "nightly").unwrap();
    space.seed(&[
        space.job("g", "sync-1", 30).state(State::Failed),
        space
            .job("g", "sync-2", 20)
            .owner(Owner::cron_job("nightly", &owner)),
        space.job("g", "sync-3", 10),
    ]);
    let before = [job(&space, "sync-1"), job(&space, "sync-2")];
    let folder = files.path("backup");
    purge(
        &space,
        &folder,
        &["--include-owned", "--backup-with=status,pods"],
    );
    space.holds(&["sync-3"]);
    let run = restore(&[arg(&folder), "--yes"]).exits(0);
    assert_eq!(
        told(&run, &space),
        ["sync-1 created", "sync-2 created"],
        "{}",
        run.story()
    );
    let run = run.shows(&["2 Jobs to restore: 2 created", "Failed"]);
    for old in &before {
        let created = old["metadata"]["creationTimestamp"].as_str().unwrap();
        let new = job(&space, old["metadata"]["name"].as_str().unwrap());
        assert_eq!(new["spec"]["suspend"], true);
        assert_eq!(new["metadata"]["ownerReferences"], Value::Null);
        assert_eq!(new["metadata"]["annotations"]["jobclean/created"], created);
        assert_eq!(
            new["spec"]["template"]["spec"],
            old["spec"]["template"]["spec"]
        );
        assert!(run.out.contains(created), "{}", run.story());
    }
    // The collector takes what has an owner that is gone; these stay, and they do not run.
    until("the controller has seen them", || {
        let jobs = space.list();
        let restored = jobs
            .iter()
            .filter(|job| job["metadata"]["name"] != "sync-3");
        let seen = |job: &Value| {
            job["status"]["conditions"]
                .to_string()
                .contains("Suspended")
        };
        restored.map(seen).filter(|seen| *seen).count() == 2
    });
    let pods = ApiClient::admin(plane()).get(&format!("/api/v1/namespaces/{}/pods", space.name));
    assert_eq!(pods.json()["items"], json!([]));
}

/// It is as old as the Job that it was made from, not as young as it is.
#[test]
fn a_restored_job_is_not_the_newest_of_its_group() {
    let (space, files) = (Space::three(), Files::new());
    let folder = files.path("backup");
    purge(&space, &folder, &[]);
    restore(&[arg(&folder), "--yes"]).exits(0);
    let expected = [
        "sync-3 SKIP newest",
        "sync-2 PURGE superseded",
        "sync-1 PURGE superseded",
    ];
    assert_eq!(space.plan(&["--include-active"]), expected);
    until("the controller has seen them", || {
        job(&space, "sync-1")["status"]["conditions"]
            .to_string()
            .contains("Suspended")
    });
    assert_eq!(space.plan(&["--include-active"]), expected);
}

#[test]
fn one_that_is_there_stays_as_it_is() {
    let (space, files) = (Space::three(), Files::new());
    let folder = files.path("backup");
    purge(&space, &folder, &[]);
    let admin = ApiClient::admin(plane());
    admin.create_job(&space.name, "sync-1", "g");
    let before = job(&space, "sync-1")["metadata"]["uid"].clone();
    let run = restore(&[arg(&folder), "--yes"]).exits(0);
    assert_eq!(told(&run, &space), ["sync-1 exists", "sync-2 created"]);
    run.shows(&["2 Jobs to restore: 1 created, 1 exists"]);
    let after = job(&space, "sync-1");
    assert_eq!(after["metadata"]["uid"], before);
    assert_eq!(
        after["metadata"]["annotations"]["jobclean/created"],
        Value::Null
    );
    for verb in ["update", "patch", "delete"] {
        let events = audit::all(&space.name, verb);
        let ours = |event: &&Value| {
            event["userAgent"].to_string().contains("jobclean")
                && event["objectRef"]["name"] == "sync-1"
        };
        let ours: Vec<_> = events.iter().filter(ours).collect();
        assert!(ours.len() <= usize::from(verb == "delete"), "{ours:#?}");
    }
}

#[test]
fn of_several_backups_the_newest_is_taken_unless_another_is_named() {
    let (space, files) = (Space::new(), Files::new());
    let folder = files.path("backup");
    for (which, age) in [("first", 9), ("second", 5)] {
        let old = space.job("g", "sync-1", age).annotation("which", which);
        space.seed(&[old, space.job("g", "sync-2", 1)]);
        purge(&space, &folder, &[]);
    }
    let which = || job(&space, "sync-1")["metadata"]["annotations"]["which"].clone();
    let run = restore(&[arg(&folder), "--yes"]).exits(0);
    assert_eq!(told(&run, &space), ["sync-1 created"]);
    assert_eq!(which(), "second");
    ApiClient::admin(plane()).delete_job(&space.name, "sync-1");
    let older = folders(&folder).into_iter().find(|folder| {
        json(&folder.join("manifest.json"))["metadata"]["annotations"]["which"] == "first"
    });
    let older = older
        .unwrap()
        .file_name()
        .unwrap()
        .to_str()
        .unwrap()
        .to_owned();
    restore(&[arg(&folder), &older, "--yes"]).exits(0);
    assert_eq!(which(), "first");
}

#[test]
fn names_and_a_namespace_narrow_it() {
    let (first, second, files) = (Space::three(), Space::three(), Files::new());
    let folder = files.path("backup");
    for space in [&first, &second] {
        purge(space, &folder, &[]);
    }
    let of = |space: &Space, name: &str| format!("{}/{name}", space.name);
    restore(&[arg(&folder), &of(&first, "sync-1"), "--yes"]).exits(0);
    first.holds(&["sync-1", "sync-3"]);
    second.holds(&["sync-3"]);
    restore(&[arg(&folder), "sync-2", "-n", &second.name, "--yes"]).exits(0);
    first.holds(&["sync-1", "sync-3"]);
    second.holds(&["sync-2", "sync-3"]);
    // A name that is not there is most likely a mistake.
    let run = restore(&[arg(&folder), "sync-2", "sync-9", "--yes"]).exits(1);
    assert_eq!(run.out, "", "{}", run.story());
    run.complains(&["error: there is no backup of sync-9 in", "hint: "]);
    first.holds(&["sync-1", "sync-3"]);
    restore(&[arg(&folder), "sync-2", "--yes"]).exits(0);
    first.holds(&["sync-1", "sync-2", "sync-3"]);
}

#[test]
fn it_asks_first() {
    let (space, files) = (Space::three(), Files::new());
    let folder = files.path("backup");
    purge(&space, &folder, &[]);
    // Without a terminal there is no question, and nothing is created.
    let run = restore(&[arg(&folder)]).exits(2);
    run.shows(&["sync-1", "Complete"])
        .complains(&["nothing was created", "--yes"]);
    let start = || Terminal::start(&restoring(plane().kubeconfig(), &[arg(&folder)]), 160);
    let mut terminal = start();
    terminal.wait_for(&format!("Restore 2 Jobs in namespace {}", space.name));
    terminal.enter("n");
    let left = terminal.finish();
    assert!(left.text.contains("Nothing was created"), "{}", left.text);
    left.exits(4);
    space.holds(&["sync-3"]);
    let mut terminal = start();
    terminal.wait_for("[y/N/l]");
    terminal.enter("y");
    terminal.finish().exits(0);
    space.holds(&["sync-1", "sync-2", "sync-3"]);
}

#[test]
fn a_dry_run_creates_nothing() {
    let (space, files) = (Space::three(), Files::new());
    let folder = files.path("backup");
    purge(&space, &folder, &[]);
    ApiClient::admin(plane()).create_job(&space.name, "sync-1", "g");
    let run = restore(&[arg(&folder), "--dry-run"]).exits(0);
    assert_eq!(told(&run, &space), ["sync-1 exists", "sync-2 would-create"]);
    // No cluster is needed for what is in the folder.
    let mut command = tool();
    command.args(["restore", arg(&folder), "--dry-run=client"]);
    let shown = run_and_show(command);
    assert!(shown.contains("sync-2"), "{shown}");
    space.holds(&["sync-1", "sync-3"]);
}

fn run_and_show(command: std::process::Command) -> String {
    let run = run(command).exits(0);
    assert_eq!(run.err, "", "{}", run.story());
    run.out
}

#[test]
fn what_the_server_refuses_is_told_of_each() {
    let (space, files) = (Space::three(), Files::new());
    let folder = files.path("backup");
    purge(&space, &folder, &[]);
    let lister = space.kubeconfig_for("lister", &["list"]);
    let left = Terminal::start(&restoring(&lister, &[arg(&folder)]), 160).finish();
    assert!(
        left.text.contains("you may not create Jobs"),
        "{}",
        left.text
    );
    left.exits(1);
    let run = run(restoring(&lister, &[arg(&folder), "--yes"])).exits(3);
    assert_eq!(told(&run, &space), ["sync-1 failed", "sync-2 failed"]);
    run.complains(&["cannot create Job", "forbidden"]);
    // The right to create is enough.
    let creator = space.kubeconfig_for("creator", &["create"]);
    crate::support::run(restoring(&creator, &[arg(&folder), "--yes"])).exits(0);
    space.holds(&["sync-1", "sync-2", "sync-3"]);
}

/// An answer that is lost on the way is asked for again, and the Job is not called another's.
#[test]
fn trying_again_is_safe() {
    let (space, files) = (Space::three(), Files::new());
    let folder = files.path("backup");
    purge(&space, &folder, &[]);
    let proxy = Proxy::new(ApiClient::admin(plane()), |request, up| {
        match (request.method.as_str(), request.nth) {
            ("POST", 1) => Reply::refusal(429, "TooManyRequests", "later").header("retry-after", 1),
            ("POST", 2) => up.pass(request).cut(10),
            _ => up.pass(request),
        }
    });
    let mut command = tool();
    command.args(["restore", arg(&folder), "--yes", "-s", &proxy.url]);
    let run = run(command).exits(0);
    assert_eq!(told(&run, &space), ["sync-1 created", "sync-2 created"]);
    space.holds(&["sync-1", "sync-2", "sync-3"]);
}

/// An answer is lost of a Job that stood there before, so that another try learns of it: it was not created.
#[test]
fn after_a_lost_answer_it_is_told_whose_job_is_there() {
    let (space, files) = (Space::three(), Files::new());
    let folder = files.path("backup");
    purge(&space, &folder, &[]);
    // Restored before: nothing but who has created it tells it from what this run would create.
    restore(&[arg(&folder), "--yes", "sync-1"]).exits(0);
    let restore_through = |proxy: &Proxy| {
        let mut command = tool();
        command.args(["restore", arg(&folder), "--yes", "-s", &proxy.url]);
        run(command).exits(0)
    };
    let lost = Proxy::new(ApiClient::admin(plane()), |request, up| {
        let reply = up.pass(request);
        match request.method.as_str() {
            "POST" if request.nth <= 2 => reply.cut(10),
            _ => reply,
        }
    });
    let run = restore_through(&lost);
    assert_eq!(
        told(&run, &space),
        ["sync-1 exists", "sync-2 created"],
        "{}",
        run.story()
    );
    // Without the right to list it is not known.
    let blind = Proxy::new(ApiClient::admin(plane()), |request, up| {
        match (request.method.as_str(), request.nth) {
            ("POST", 1..=2) => up.pass(request).cut(10),
            ("GET", _) => Reply::refusal(403, "Forbidden", "jobs.batch is forbidden"),
            _ => up.pass(request),
        }
    });
    let run = restore_through(&blind);
    assert_eq!(told(&run, &space), ["sync-1 exists", "sync-2 exists"]);
    run.complains(&[
        "it is not known whether this run has created it",
        "forbidden",
    ]);
}

/// Kueue lets a Job of a queue run, suspended or not.
#[test]
fn a_restored_job_is_in_no_queue() {
    let (space, files) = (Space::new(), Files::new());
    let queued = space.job("g", "sync-1", 2);
    space.seed(&[
        queued.label("kueue.x-k8s.io/queue-name", "batch"),
        space.job("g", "sync-2", 1),
    ]);
    let folder = files.path("backup");
    purge(&space, &folder, &[]);
    restore(&[arg(&folder), "--yes"]).exits(0);
    let metadata = job(&space, "sync-1")["metadata"].clone();
    assert_eq!(
        metadata["labels"]["kueue.x-k8s.io/queue-name"],
        Value::Null,
        "{metadata}"
    );
    assert_eq!(metadata["annotations"]["jobclean/queue-name"], "batch");
}

/// What runs though it should not is told, whatever has changed it.
#[test]
fn a_job_that_is_not_suspended_has_failed() {
    let (space, files) = (Space::three(), Files::new());
    let folder = files.path("backup");
    purge(&space, &folder, &[]);
    let proxy = Proxy::new(ApiClient::admin(plane()), |request, up| {
        let reply = up.pass(request);
        match request.method.as_str() {
            "POST" if request.nth == 1 => reply.alter(|job| job["spec"]["suspend"] = false.into()),
            _ => reply,
        }
    });
    let mut command = tool();
    command.args(["restore", arg(&folder), "--yes", "-s", &proxy.url]);
    let run = run(command).exits(3);
    let words = told(&run, &space);
    let failed = words.iter().filter(|line| line.ends_with(" failed"));
    assert_eq!(failed.count(), 1, "{words:?}");
    run.complains(&["was created, but not suspended"]);
}

/// The layout of older backups: a file a Job.
#[test]
fn an_older_layout_is_read() {
    let (space, files) = (Space::three(), Files::new());
    let folder = files.path("backup");
    purge(&space, &folder, &[]);
    for saved in folders(&folder) {
        fs::rename(
            saved.join("manifest.json"),
            saved.with_added_extension("json"),
        )
        .unwrap();
        fs::remove_dir_all(&saved).unwrap();
    }
    let run = restore(&[arg(&folder), "--yes"]).exits(0);
    assert_eq!(told(&run, &space), ["sync-1 created", "sync-2 created"]);
    space.holds(&["sync-1", "sync-2", "sync-3"]);
}

/// A folder with one backup, whose manifest is changed.
struct Forged {
    space: Space,
    files: Files,
    manifest: PathBuf,
}

impl Forged {
    fn new() -> Self {
        let (space, files) = (Space::with(&[("sync-1", 2), ("sync-2", 1)]), Files::new());
        let folder = files.path("backup");
        purge(&space, &folder, &[]);
        let manifest = folders(&folder).remove(0).join("manifest.json");
        Self {
            space,
            files,
            manifest,
        }
    }

    fn change(&self, change: impl FnOnce(&mut Value)) {
        let mut manifest = json(&self.manifest);
        change(&mut manifest);
        fs::write(&self.manifest, manifest.to_string()).unwrap();
    }

    fn restore(&self) -> Run {
        restore(&[arg(&self.files.path("backup")), "--yes"])
    }
}

/// What was changed in the file makes no Job run, and gives it no owner.
#[test]
fn a_forged_manifest_does_not_run() {
    let forged = Forged::new();
    forged.change(|manifest| {
        manifest["spec"]["suspend"] = false.into();
        manifest["metadata"]["uid"] = "11111111-1111-1111-1111-111111111111".into();
        manifest["metadata"]["resourceVersion"] = "7".into();
        manifest["metadata"]["ownerReferences"] = json!([
            {"apiVersion": "v1", "kind": "ConfigMap", "name": "x", "uid": "x"}
        ]);
        manifest["status"] = json!({"succeeded": 1});
    });
    forged.restore().exits(0);
    let job = job(&forged.space, "sync-1");
    assert_eq!(job["spec"]["suspend"], true);
    assert_eq!(job["metadata"]["ownerReferences"], Value::Null);
}

#[test]
fn a_broken_backup_is_named_and_nothing_is_created() {
    type Spoil = fn(&Forged);
    let cases: [(&str, Spoil); 9] = [
        ("not JSON", |forged| {
            fs::write(&forged.manifest, "{\"kind").unwrap()
        }),
        ("longer than", |forged| {
            let file = fs::File::create(&forged.manifest).unwrap();
            file.set_len(17 << 20).unwrap();
        }),
        ("not the manifest of a Job", |forged| {
            forged.change(|manifest| manifest["kind"] = "Pod".into());
        }),
        ("no valid name", |forged| {
            forged.change(|manifest| manifest["metadata"]["name"] = "../sync".into());
        }),
        ("another namespace", |forged| {
            forged.change(|manifest| manifest["metadata"]["namespace"] = "kube-system".into());
        }),
        ("no spec", |forged| {
            forged.change(|manifest| manifest["spec"] = Value::Null);
        }),
        ("when the Job was created", |forged| {
            forged.change(|manifest| {
                manifest["metadata"]["annotations"] = json!({"jobclean/created": "once"});
            });
        }),
        ("is in the future", |forged| {
            forged.change(|manifest| {
                let annotations = &mut manifest["metadata"]["annotations"];
                annotations["jobclean/created"] = "2999-01-01T00:00:00Z".into();
            });
        }),
        ("not JSON", |forged| {
            fs::write(&forged.manifest, "[".repeat(100_000)).unwrap();
        }),
    ];
    for (why, spoil) in cases {
        let forged = Forged::new();
        spoil(&forged);
        let run = forged.restore().exits(1);
        assert_eq!(run.out, "", "{}", run.story());
        let run = run.complains(&["error: cannot read", arg(&forged.manifest), why, "hint: "]);
        assert_eq!(run.err.lines().count(), 2, "{}", run.story());
        forged.space.holds(&["sync-2"]);
    }
}

/// What is hidden, or a link, is no backup.
#[test]
fn links_and_unfinished_backups_are_passed_over() {
    let forged = Forged::new();
    let folder = forged.files.path("backup");
    let namespace = folder.join(&forged.space.name);
    let saved = forged.manifest.parent().unwrap();
    fs::rename(saved, namespace.join(".unfinished-abc")).unwrap();
    let elsewhere = forged.files.path("elsewhere");
    fs::rename(namespace.join(".unfinished-abc"), &elsewhere).unwrap();
    fs::create_dir(saved).unwrap();
    std::os::unix::fs::symlink(elsewhere.join("manifest.json"), &forged.manifest).unwrap();
    std::os::unix::fs::symlink(&elsewhere, namespace.join("linked")).unwrap();
    let linked = folder.join("other-namespace");
    std::os::unix::fs::symlink(&namespace, &linked).unwrap();
    let run = forged.restore().exits(0);
    let passed_over = format!("{} is passed over", linked.display());
    run.complains(&[
        "is passed over",
        &passed_over,
        "there is no backup to restore",
    ]);
    forged.space.holds(&["sync-2"]);
}

#[test]
fn where_there_is_no_folder() {
    let files = Files::new();
    let missing = files.path("missing");
    let run = restore(&[arg(&missing), "--yes"]).exits(1);
    run.complains(&["error: cannot read", arg(&missing), "hint: "]);
    let run = restore(&["--yes"]).exits(2);
    run.complains(&["<DIR>"]);
    for name in ["", " ", "a/b/c", "Not_A/b", "/b"] {
        restore(&[arg(&missing), name]).exits(2);
    }
}

/// What comes back is purged again as before, and can be restored again.
#[test]
fn a_restored_job_is_backed_up_as_old_as_it_was() {
    let (space, files) = (Space::three(), Files::new());
    let folder = files.path("backup");
    purge(&space, &folder, &[]);
    restore(&[arg(&folder), "--yes"]).exits(0);
    let again = [&PURGE[..], &["--include-active", "--backup", arg(&folder)]].concat();
    let report = space.run(&again).exits(0).json();
    assert_eq!(outcomes(&report), ["sync-2 deleted", "sync-1 deleted"]);
    let run = restore(&[arg(&folder), "--yes"]).exits(0);
    assert_eq!(told(&run, &space), ["sync-1 created", "sync-2 created"]);
    assert_eq!(folders(&folder).len(), 4);
}
