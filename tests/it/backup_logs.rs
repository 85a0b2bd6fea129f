//! Logs in backups: whole, or known not to be; a node that has none to give holds nothing up for ever.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};

use controlplane::State;
use rustix::process::Signal;
use serde_json::{Value, json};

use crate::support::backups::{PURGE, folders, index};
use crate::support::kubeconfig::{Files, arg};
use crate::support::kubelet::{Asked, Kubelet, PodOf, Told, node_at};
use crate::support::proxy::{Kind, Proxy, Reply};
use crate::support::running::{Gate, Running};
use crate::support::tool::Run;
use crate::support::{ApiClient, Space, outcomes, plane, run, until};

/// Two Jobs: `sync-1` is to go.
fn two() -> Space {
    Space::with(&[("sync-1", 2), ("sync-2", 1)])
}

#[track_caller]
fn purge(space: &Space, folder: &Path, more: &[&str]) -> Run {
    let flags = ["--backup", arg(folder), "--backup-with=logs"];
    run(space.tool(&[&PURGE[..], &flags, more].concat()))
}

/// The folder of the only backup.
#[track_caller]
fn only(folder: &Path) -> PathBuf {
    let found = folders(folder);
    assert_eq!(found.len(), 1, "{found:?}");
    found[0].clone()
}

fn lines(count: usize) -> String {
    (0..count)
        .map(|number| format!("line {number} of a log\n"))
        .collect()
}

/// The files of the only line of the index, without the manifest.
#[track_caller]
fn logs(folder: &Path) -> Vec<Value> {
    let lines = index(folder);
    let mut files = lines[0]["files"].as_array().unwrap().clone();
    files.retain(|file| file["path"] != "manifest.json");
    files
}

#[track_caller]
fn missing(folder: &Path) -> Vec<Value> {
    index(folder)[0]["missing"].as_array().unwrap().clone()
}

#[test]
fn of_every_container_and_of_those_before() {
    let (space, files) = (two(), Files::new());
    let kubelet = Kubelet::new(|asked| {
        let Asked {
            container,
            previous,
            ..
        } = asked;
        Told::Log(format!(
            "{container} {previous}\n{}without an end",
            lines(3000)
        ))
    });
    PodOf {
        init: &["prepare"],
        containers: &[("run", 2), ("helper", 0)],
        ..PodOf::plain(&space, "sync-1", "sync-1-a", &kubelet.node)
    }
    .create();
    let folder = files.path("backup");
    purge(&space, &folder, &[]).exits(0);
    let saved = only(&folder).join("logs/sync-1-a");
    for (file, first) in [
        ("prepare.log", "prepare false"),
        ("run.log", "run false"),
        ("run.log.previous", "run true"),
        ("helper.log", "helper false"),
    ] {
        let log = fs::read_to_string(saved.join(file)).unwrap();
        assert_eq!(
            log,
            format!("{first}\n{}without an end", lines(3000)),
            "{file}"
        );
    }
    assert_eq!(fs::read_dir(&saved).unwrap().count(), 4);
    assert_eq!(missing(&folder), [json!(null); 0]);
}

#[test]
fn those_of_failed_jobs_alone() {
    let (space, files) = (Space::new(), Files::new());
    space.seed(&[
        space.job("g", "sync-1", 3).state(State::Failed),
        space.job("g", "sync-2", 2),
        space.job("g", "sync-3", 1),
    ]);
    let kubelet = Kubelet::new(|_| Told::Log("log\n".to_owned()));
    for job in ["sync-1", "sync-2"] {
        PodOf::plain(&space, job, &format!("{job}-a"), &kubelet.node).create();
    }
    let folder = files.path("backup");
    let flags = ["--backup", arg(&folder), "--backup-with=logs-failed"];
    space.run(&[&PURGE[..], &flags].concat()).exits(0);
    assert_eq!(folders(&folder).len(), 2);
    let asked = kubelet.asked();
    assert!(
        !asked.is_empty() && asked.iter().all(|asked| asked.pod == "sync-1-a"),
        "{asked:?}"
    );
}

/// An API server passes over that a node has cut a log off: it ends as a whole one does.
#[test]
fn a_log_that_is_cut_is_read_again() {
    let (space, files) = (two(), Files::new());
    let tries = AtomicUsize::new(0);
    let kubelet = Kubelet::new(move |asked| match asked.tail {
        None if tries.fetch_add(1, Ordering::SeqCst) == 0 => Told::Cut(lines(500), 5000),
        _ => Told::Log(lines(500)),
    });
    PodOf::plain(&space, "sync-1", "sync-1-a", &kubelet.node).create();
    let folder = files.path("backup");
    purge(&space, &folder, &[]).exits(0);
    let log = fs::read_to_string(only(&folder).join("logs/sync-1-a/run.log")).unwrap();
    assert_eq!(log, lines(500));
    assert_eq!(
        kubelet
            .asked()
            .iter()
            .filter(|asked| asked.tail.is_none())
            .count(),
        2
    );
}

#[test]
fn a_log_that_is_always_cut_does_not_pass_for_a_whole_one() {
    let (space, files) = (two(), Files::new());
    let kubelet = Kubelet::new(|asked| match asked.tail {
        None => Told::Cut(lines(500), 5000),
        Some(_) => Told::Log(lines(500)),
    });
    PodOf::plain(&space, "sync-1", "sync-1-a", &kubelet.node).create();
    let folder = files.path("backup");
    let run = purge(&space, &folder, &["-v"]).exits(0);
    run.complains(&[
        "no logs/sync-1-a/run.log: it was cut off after 5000 bytes",
        "1 log could not be had",
    ]);
    let saved = only(&folder).join("logs/sync-1-a");
    assert!(!saved.join("run.log").exists());
    assert_eq!(
        fs::read_to_string(saved.join("run.log.partial")).unwrap(),
        &lines(500)[..5000]
    );
    assert_eq!(missing(&folder)[0]["path"], "logs/sync-1-a/run.log");
    assert_eq!(logs(&folder)[0]["path"], "logs/sync-1-a/run.log.partial");
    space.holds(&["sync-2"]);
}

#[test]
fn a_longer_log_is_said_to_be_truncated() {
    let (space, files) = (two(), Files::new());
    let kubelet = Kubelet::new(|_| Told::Log("0123456789abcde\n".repeat(700_000)));
    PodOf::plain(&space, "sync-1", "sync-1-a", &kubelet.node).create();
    let folder = files.path("backup");
    purge(&space, &folder, &[]).exits(0);
    assert_eq!(
        logs(&folder),
        [json!({"path": "logs/sync-1-a/run.log", "bytes": 10 << 20, "truncated": true})]
    );
    let log = only(&folder).join("logs/sync-1-a/run.log");
    assert_eq!(fs::metadata(log).unwrap().len(), 10 << 20);
}

/// Ten containers fill what the logs of a Job may have.
#[test]
fn the_logs_of_one_job_are_not_without_end() {
    let (space, files) = (two(), Files::new());
    let kubelet = Kubelet::new(|_| Told::Log("0123456789abcde\n".repeat(656_000)));
    let names: Vec<String> = (0..12).map(|number| format!("c{number:02}")).collect();
    let containers: Vec<(&str, u32)> = names.iter().map(|name| (name.as_str(), 0)).collect();
    PodOf {
        containers: &containers,
        ..PodOf::plain(&space, "sync-1", "sync-1-a", &kubelet.node)
    }
    .create();
    let folder = files.path("backup");
    purge(&space, &folder, &[]).exits(0);
    let bytes = logs(&folder)
        .iter()
        .map(|file| file["bytes"].as_u64().unwrap())
        .sum::<u64>();
    assert_eq!(bytes, 100 << 20);
    let missing = missing(&folder);
    let paths: Vec<&Value> = missing.iter().map(|log| &log["path"]).collect();
    assert_eq!(paths, ["logs/sync-1-a/c10.log", "logs/sync-1-a/c11.log"]);
    assert!(
        missing[0]["reason"]
            .to_string()
            .contains("more than 100 MiB"),
        "{missing:?}"
    );
    space.holds(&["sync-2"]);
}

#[test]
fn the_log_of_a_container_that_runs_is_said_to_be_one() {
    let (space, files) = (two(), Files::new());
    let kubelet = Kubelet::new(|asked| match asked.tail {
        None => Told::Log(lines(10)),
        Some(_) => panic!("its end is not known"),
    });
    PodOf {
        is_running: true,
        ..PodOf::plain(&space, "sync-1", "sync-1-a", &kubelet.node)
    }
    .create();
    let folder = files.path("backup");
    purge(&space, &folder, &[]).exits(0);
    assert_eq!(logs(&folder)[0]["running"], true);
}

/// A log that never can come is no reason to keep a Job.
#[test]
fn what_can_never_come_is_noted() {
    let refusing = |status, why| move |_: &Asked| Told::Refused(status, why);
    let gone = Kubelet::new(refusing(404, "pod does not exist"));
    let waiting = Kubelet::new(refusing(400, "container is waiting to start"));
    let broken = Kubelet::new(refusing(500, "the disk of the node is broken"));
    // Nothing listens at port 1.
    let refused = node_at(1);
    let noted = |node: Option<&str>, why: &str| {
        let (space, files) = (two(), Files::new());
        PodOf {
            node,
            ..PodOf::plain(&space, "sync-1", "sync-1-a", "")
        }
        .create();
        let folder = files.path("backup");
        let report = purge(&space, &folder, &[]).exits(0);
        assert_eq!(outcomes(&report.json()), ["sync-1 deleted"]);
        let missing = missing(&folder);
        assert_eq!(missing.len(), 1);
        assert_eq!(missing[0]["path"], "logs/sync-1-a/run.log");
        let reason = missing[0]["reason"].as_str().unwrap();
        assert!(reason.contains(why), "{why}: {reason}");
        assert!(!only(&folder).join("logs").exists());
        space.holds(&["sync-2"]);
    };
    // At the same time, since what may pass is waited for.
    std::thread::scope(|scope| {
        for (node, why) in [
            (Some(gone.node.as_str()), "could not find"),
            (Some(&waiting.node), "waiting to start"),
            (Some(&broken.node), "disk of the node is broken"),
            (Some(&refused), "refused"),
            (Some("no-such-node"), "not found"),
            (None, "never assigned to a node"),
        ] {
            let noted = &noted;
            scope.spawn(move || noted(node, why));
        }
    });
    // What is no passing trouble is not asked for twice.
    assert_eq!((gone.asked().len(), waiting.asked().len()), (1, 1));
    assert_eq!(broken.asked().len(), 3);
}

/// A kubelet that is started again gives nothing for some seconds. Its logs are worth that.
#[test]
fn a_kubelet_that_starts_again_is_waited_for() {
    let (space, files) = (two(), Files::new());
    let first: OnceLock<Instant> = OnceLock::new();
    let kubelet = Kubelet::new(move |_| {
        if first.get_or_init(Instant::now).elapsed() < Duration::from_secs(10) {
            return Told::Refused(503, "the kubelet is starting");
        }
        Told::Log(lines(10))
    });
    PodOf::plain(&space, "sync-1", "sync-1-a", &kubelet.node).create();
    let folder = files.path("backup");
    purge(&space, &folder, &[]).exits(0);
    assert_eq!(missing(&folder), [json!(null); 0]);
    let log = fs::read_to_string(only(&folder).join("logs/sync-1-a/run.log")).unwrap();
    assert_eq!(log, lines(10));
}

/// One delete may be in flight, and six Jobs wait for logs that do not come.
#[test]
fn a_node_that_hangs_holds_up_no_other() {
    let (space, files) = (Space::new(), Files::new());
    let jobs = (1..=9).map(|number| space.job("g", &format!("sync-{number}"), 10 - number));
    space.seed(&jobs.collect::<Vec<_>>());
    let (hanging, healthy) = (
        Kubelet::new(|_| Told::Nothing),
        Kubelet::new(|_| Told::Log("log\n".to_owned())),
    );
    // Jobs are deleted newest first, so those on the node that hangs come first.
    for number in 1..=8 {
        let node = if number > 2 { &hanging } else { &healthy };
        let job = format!("sync-{number}");
        PodOf::plain(&space, &job, &format!("{job}-a"), &node.node).create();
    }
    let folder = files.path("backup");
    let flags = [
        "--backup",
        arg(&folder),
        "--backup-with=logs",
        "--concurrency=1",
    ];
    let running = Running::start(space.tool(&[&PURGE[..], &flags].concat()));
    until("the others are gone", || space.names().len() == 7);
    space.holds(&[
        "sync-3", "sync-4", "sync-5", "sync-6", "sync-7", "sync-8", "sync-9",
    ]);
    running.signal(Signal::INT);
    running.finish().exits(130);
    assert_eq!(index(&folder).len(), 2);
}

/// What has not answered for one log is not asked for all the others: a node may have had thousands of Pods.
#[test]
fn a_node_that_hangs_is_given_up() {
    let (space, files) = (Space::seven(), Files::new());
    let kubelet = Kubelet::new(|_| Told::Nothing);
    for number in 1..=6 {
        let job = format!("sync-{number}");
        PodOf::plain(&space, &job, &format!("{job}-a"), &kubelet.node).create();
    }
    let folder = files.path("backup");
    purge(&space, &folder, &["--request-timeout=3s"]).exits(0);
    space.holds(&["sync-7"]);
    let lines = index(&folder);
    let lacking = lines.iter().filter(|line| line["missing"] != json!([]));
    assert_eq!(lacking.count(), 6);
    // Two at a time, three tries each.
    let asked = kubelet.asked().len();
    assert!((3..=6).contains(&asked), "{asked}");
}

/// Ctrl-C does not wait for a log, and what has no whole backup is not deleted.
#[test]
fn a_signal_does_not_wait_for_logs() {
    let (space, files) = (Space::three(), Files::new());
    let kubelet = Kubelet::new(|asked| match asked.pod.as_str() {
        "sync-1-a" => Told::Nothing,
        _ => Told::Log("log\n".to_owned()),
    });
    for job in ["sync-1", "sync-2"] {
        PodOf::plain(&space, job, &format!("{job}-a"), &kubelet.node).create();
    }
    let folder = files.path("backup");
    let flags = ["--backup", arg(&folder), "--backup-with=logs"];
    let running = Running::start(space.tool(&[&PURGE[..], &flags].concat()));
    until("one waits for its log, and the other is gone", || {
        let asked = kubelet.asked();
        asked.iter().any(|asked| asked.pod == "sync-1-a") && !space.names().contains("sync-2")
    });
    running.signal(Signal::INT);
    let report = running.finish().exits(130).json();
    assert_eq!(
        outcomes(&report),
        ["sync-2 deleted", "sync-1 not-attempted"]
    );
    space.holds(&["sync-1", "sync-3"]);
    assert_eq!(folders(&folder).len(), 1);
}

/// Where the server refuses all deletes, no log is waited for any more.
#[test]
fn a_namespace_that_is_given_up_does_not_wait_for_logs() {
    let (space, files, gate) = (Space::new(), Files::new(), Gate::new());
    let jobs = (0..30).map(|number| space.job("g", &format!("sync-{number:02}"), number));
    space.seed(&jobs.collect::<Vec<_>>());
    let kubelet = Kubelet::new(|_| Told::Nothing);
    // The newest that is to go, so it comes first.
    PodOf::plain(&space, "sync-01", "sync-01-a", &kubelet.node).create();
    let turnstile = gate.turnstile();
    let proxy = Proxy::new(ApiClient::admin(plane()), move |request, up| {
        if request.kind == Kind::Delete {
            turnstile.pass();
            return Reply::refusal(403, "Forbidden", "no");
        }
        up.pass(request)
    });
    let folder = files.path("backup");
    let flags = [
        "--backup",
        arg(&folder),
        "--backup-with=logs",
        "--request-timeout=5s",
        "--concurrency=2",
    ];
    let running = Running::start(proxy.tool(&space.name, &[&PURGE[..], &flags].concat()));
    until("one waits for its log", || !kubelet.asked().is_empty());
    gate.open();
    let report = running.finish().exits(3).json();
    assert!(
        outcomes(&report).contains(&"sync-01 not-attempted".to_owned()),
        "{report}"
    );
    assert_eq!(kubelet.asked().len(), 1);
    assert_eq!(space.names().len(), 30);
}

/// What breaks between the tool and the API server is not the node's fault, and is got over.
#[test]
fn a_connection_that_breaks_within_a_log_is_got_over() {
    let (space, files) = (two(), Files::new());
    let kubelet = Kubelet::new(|_| Told::Log(lines(500)));
    PodOf::plain(&space, "sync-1", "sync-1-a", &kubelet.node).create();
    let proxy = Proxy::new(ApiClient::admin(plane()), |request, up| {
        match (request.target.contains("limitBytes"), request.again) {
            (true, 1) => up.pass(request).cut(3000),
            (true, 2) => up.pass(request).cut(0),
            _ => up.pass(request),
        }
    });
    let folder = files.path("backup");
    let flags = ["--backup", arg(&folder), "--backup-with=logs"];
    run(proxy.tool(&space.name, &[&PURGE[..], &flags].concat())).exits(0);
    let log = fs::read_to_string(only(&folder).join("logs/sync-1-a/run.log")).unwrap();
    assert_eq!(log, lines(500));
}

/// A Job that changes while its logs are read is backed up again, and deleted as it is then.
#[test]
fn a_job_that_changes_meanwhile_is_backed_up_as_it_is_then() {
    let (space, files) = (Arc::new(two()), Files::new());
    let (changing, times) = (Arc::clone(&space), AtomicUsize::new(0));
    let kubelet = Kubelet::new(move |_| {
        if times.fetch_add(1, Ordering::SeqCst) == 0 {
            let patch = json!({"metadata": {"labels": {"touched": "yes"}}});
            ApiClient::admin(plane()).patch_job(&changing.name, "sync-1", &patch);
        }
        Told::Log("log\n".to_owned())
    });
    PodOf::plain(&space, "sync-1", "sync-1-a", &kubelet.node).create();
    let folder = files.path("backup");
    let report = purge(&space, &folder, &[]).exits(0).json();
    assert_eq!(outcomes(&report), ["sync-1 deleted"]);
    let manifests = crate::support::backups::manifests(&folder);
    assert_eq!(manifests.len(), 2);
    let touched = manifests
        .values()
        .filter(|manifest| manifest["metadata"]["labels"]["touched"] == "yes");
    assert_eq!(touched.count(), 1);
}
