//! What is about to be deleted is on disk before its delete leaves, and what came of it after.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use std::sync::{Arc, Mutex};

use fastrand::Rng;
use rustix::process::Signal;
use serde_json::Value;

use crate::support::backups::PURGE;
use crate::support::journals::{adds_up, in_doubt, lines, of};
use crate::support::kubeconfig::{Files, arg};
use crate::support::proxy::{Kind, Proxy, Request};
use crate::support::random::at_once;
use crate::support::running::{Gate, Running};
use crate::support::tool::shell;
use crate::support::written_files::{is_told, mode};
use crate::support::{ApiClient, LABEL, Space, audit, outcomes, plane, run, tool, until};

/// A purge that reports and writes a journal.
fn journaled(path: &Path) -> Vec<&str> {
    [&PURGE[..], &["--journal", arg(path)]].concat()
}

/// The newest and this many others.
fn superseded(count: i64) -> Space {
    let space = Space::new();
    let jobs: Vec<_> = (0..=count)
        .map(|number| space.job("g", &format!("sync-{number:02}"), number))
        .collect();
    space.seed(&jobs);
    space
}

/// The value of a parameter in the query of a request.
fn parameter<'a>(request: &'a Request, name: &str) -> &'a str {
    let query = request.target.split_once('?').unwrap().1;
    let mut parameters = query.split('&').filter_map(|pair| pair.split_once('='));
    parameters.find(|(key, _)| *key == name).unwrap().1
}

#[test]
fn a_delete_is_announced_before_it_leaves() {
    let (space, files) = (superseded(20), Files::new());
    let path = files.path("journal");
    let watched = path.clone();
    let missing = Arc::new(Mutex::new(Vec::new()));
    let noted = Arc::clone(&missing);
    let proxy = Proxy::new(ApiClient::admin(plane()), move |request, up| {
        if request.kind == Kind::Delete {
            // Others are being written: the last line may be half there.
            let journal = fs::read_to_string(&watched).unwrap();
            let is_announced = journal
                .split_inclusive('\n')
                .filter_map(|line| serde_json::from_str::<Value>(line).ok())
                .any(|line| {
                    line["event"] == "sent"
                        && line["namespace"] == space_of(request)
                        && line["name"] == request.name()
                        && line["uid"] == parameter(request, "uid")
                        && line["resourceVersion"] == parameter(request, "resourceVersion")
                });
            if !is_announced {
                noted.lock().unwrap().push(request.name());
            }
        }
        up.pass(request)
    });
    let report = run(proxy.tool(&space.name, &journaled(&path)))
        .exits(0)
        .json();
    assert_eq!(*missing.lock().unwrap(), [""; 0]);
    assert_eq!(proxy.count(Kind::Delete), 20);
    adds_up(&lines(&path), &report, 0);
}

fn space_of(request: &Request) -> &str {
    let (_, rest) = request.target.split_once("/namespaces/").unwrap();
    rest.split('/').next().unwrap()
}

/// One file may serve every run, and each run is told from the others.
#[test]
fn runs_follow_each_other_in_one_file() {
    let files = Files::new();
    let path = files.path("journal");
    let mut runs: Vec<Vec<Value>> = Vec::new();
    for code in ["first", "second"] {
        let space = Space::three();
        let args = journaled(&path);
        let command = shell(r#"umask 0; exec "$@""#, &space.tool(&args));
        let report = run(command).exits(0).json();
        let before: usize = runs.iter().map(Vec::len).sum();
        let own = lines(&path).split_off(before);
        adds_up(&own, &report, 0);
        assert_eq!(own[0]["version"], env!("CARGO_PKG_VERSION"), "{code}");
        assert_eq!(own[0]["context"], report["cluster"]["context"]);
        runs.push(own);
    }
    assert_ne!(runs[0][0]["run"], runs[1][0]["run"]);
    assert_eq!(mode(&path), 0o600);
}

/// The run before was cut off in the middle of a line.
#[test]
fn a_line_that_was_cut_off_spoils_no_other() {
    let (space, files) = (Space::three(), Files::new());
    let cut = r#"{"event":"sent","na"#;
    let path = files.write("journal", cut);
    let report = space.run(&journaled(&path)).exits(0).json();
    let journal = fs::read_to_string(&path).unwrap();
    let (first, rest) = journal.split_once('\n').unwrap();
    assert_eq!(first, cut);
    let own: Vec<Value> = rest
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    adds_up(&own, &report, 0);
}

/// A run that is killed leaves a journal that names what is not known, and another run does the rest.
#[test]
fn after_a_kill_the_few_in_doubt_are_named() {
    let (space, undisturbed, files) = (superseded(20), superseded(20), Files::new());
    let path = files.path("journal");
    let (proxy, gate) = Gate::before(ApiClient::admin(plane()), move |request| {
        request.kind == Kind::Delete && request.nth > 7
    });
    let args = [&journaled(&path)[..], &["--concurrency=4"]].concat();
    let running = Running::start(proxy.tool(&space.name, &args));
    until("four are on their way", || proxy.count(Kind::Delete) == 11);
    running.signal(Signal::KILL);
    assert_eq!(running.finish().code, None);
    let deletes = proxy.seen_of(Kind::Delete);
    let held: BTreeSet<String> = deletes[7..]
        .iter()
        .map(|seen| seen.request.name())
        .collect();
    let lines = lines(&path);
    assert_eq!(in_doubt(&lines), held);
    assert_eq!(of(&lines, "outcome").len(), 7);
    assert!(of(&lines, "end").is_empty());
    // Whether they take effect after all or not.
    gate.open();
    let rerun = space.run(&journaled(&path)).exits(0).json();
    undisturbed.run(&journaled(&files.path("other"))).exits(0);
    until("what was on its way has arrived", || {
        space.names().len() == 1
    });
    assert_eq!(space.names(), undisturbed.names());
    adds_up(&self::lines(&path)[lines.len()..], &rerun, 0);
}

/// Whenever it is killed, no delete was sent that is not in the journal, and no more are in doubt than were in flight.
#[test]
fn it_may_be_killed_at_any_moment() {
    at_once(12, |seed| {
        let mut dice = Rng::with_seed(seed);
        let (space, files) = (superseded(30), Files::new());
        let path = files.path("journal");
        let (last, concurrency) = (dice.usize(1..30), dice.usize(1..9));
        let proxy = Proxy::new(ApiClient::admin(plane()), |request, up| up.pass(request));
        let flag = format!("--concurrency={concurrency}");
        let args = [&journaled(&path)[..], &[&flag]].concat();
        let mut running = Running::start(proxy.tool(&space.name, &args));
        until("it is time to kill it", || {
            proxy.count(Kind::Delete) >= last || running.has_ended()
        });
        running.signal(Signal::KILL);
        running.finish();
        // A line may be cut off where it was killed.
        let journal = fs::read_to_string(&path).unwrap();
        let whole: Vec<Value> = journal
            .lines()
            .filter_map(|line| serde_json::from_str(line).ok())
            .collect();
        assert!(journal.lines().count() - whole.len() <= 1, "{journal}");
        let sent: BTreeSet<String> = of(&whole, "sent")
            .iter()
            .map(|line| line["name"].as_str().unwrap().to_owned())
            .collect();
        for seen in proxy.seen_of(Kind::Delete) {
            assert!(sent.contains(&seen.request.name()), "{seen:?}");
        }
        assert!(in_doubt(&whole).len() <= concurrency, "{journal}");
        space.run(&journaled(&path)).exits(0);
        until("what was on its way has arrived", || {
            space.names().len() == 1
        });
    });
}

/// The disk is full, as far as the tool can see, after some deletes.
#[test]
fn what_cannot_be_written_down_is_not_deleted() {
    let (space, files) = (superseded(20), Files::new());
    // Room for the run, and for some of its deletes.
    let path = files.write("journal", &"\n".repeat(64 * 512 - 2_000));
    let args = [&journaled(&path)[..], &["--concurrency=2"]].concat();
    let run = run(shell(
        r#"trap '' XFSZ; ulimit -f 64; exec "$@""#,
        &space.tool(&args),
    ));
    let run = run.exits(3);
    let errors: Vec<&str> = run
        .err
        .lines()
        .filter(|line| line.starts_with("error: "))
        .collect();
    assert_eq!(errors.len(), 1, "{}", run.story());
    for words in ["stopped early", arg(&path), "file too large"] {
        assert!(errors[0].contains(words), "{words}\n{}", run.story());
    }
    let report = run.json();
    let told = outcomes(&report);
    let count = |outcome: &str| told.iter().filter(|line| line.ends_with(outcome)).count();
    let deleted = count(" deleted");
    assert!(deleted > 0, "{told:?}");
    assert!(count(" not-attempted") > 10, "{told:?}");
    assert_eq!(deleted + count(" not-attempted"), 20, "{told:?}");
    assert_eq!(
        audit::wait_for(&space.name, "delete", deleted).len(),
        deleted
    );
    assert_eq!(space.names().len(), 21 - deleted);
    let journal = fs::read_to_string(&path).unwrap();
    let sent: BTreeSet<String> = journal
        .lines()
        .filter_map(|line| serde_json::from_str::<Value>(line).ok())
        .filter(|line| line["event"] == "sent")
        .map(|line| line["name"].as_str().unwrap().to_owned())
        .collect();
    let gone = told.iter().filter_map(|line| line.strip_suffix(" deleted"));
    for name in gone {
        assert!(sent.contains(name), "{name}");
    }
    assert!(!journal.contains(r#""event":"end""#));
}

/// Nothing is to be deleted, and that this was so cannot be written down either.
#[test]
fn a_run_whose_end_cannot_be_written_down_says_so() {
    let (space, files) = (Space::with(&[("sync-1", 1)]), Files::new());
    let path = files.write("journal", &"\n".repeat(512));
    let args = journaled(&path);
    let run = run(shell(
        r#"trap '' XFSZ; ulimit -f 1; exec "$@""#,
        &space.tool(&args),
    ));
    let run = run.exits(3);
    let is_told = run
        .err
        .lines()
        .any(|line| line.starts_with("error: ") && line.contains(arg(&path)));
    assert!(is_told, "{}", run.story());
}

#[test]
fn where_there_can_be_no_journal_nothing_happens() {
    let (space, files) = (Space::three(), Files::new());
    let file = files.write("file", "whole\n");
    let pipe = files.path("pipe");
    let made = std::process::Command::new("mkfifo").arg(&pipe).status();
    assert!(made.unwrap().success());
    let folder = file.parent().unwrap().to_owned();
    let before = space.versions();
    let full = Path::new("/dev/full").to_owned();
    for path in [file.join("journal"), files.path("a/b"), folder, pipe, full] {
        let run = space.run(&["--yes", "--journal", arg(&path)]);
        is_told(run, &path);
    }
    assert_eq!(fs::read_to_string(&file).unwrap(), "whole\n");
    assert_eq!(space.versions(), before);
    assert!(audit::all(&space.name, "delete").is_empty());
}

/// Two runs would mix what they write, and which of them is in doubt about a Job.
#[test]
fn one_run_at_a_time_writes_it() {
    let (space, other, files) = (superseded(5), Space::three(), Files::new());
    let path = files.path("journal");
    let (proxy, gate) = Gate::before(ApiClient::admin(plane()), move |request| {
        request.kind == Kind::Delete
    });
    let running = Running::start(proxy.tool(&space.name, &journaled(&path)));
    until("its deletes are on their way", || {
        proxy.count(Kind::Delete) == 5
    });
    let refused = other.run(&["--yes", "--journal", arg(&path)]);
    is_told(refused, &path);
    other.holds(&["sync-1", "sync-2", "sync-3"]);
    gate.open();
    let report = running.finish().exits(0).json();
    adds_up(&lines(&path), &report, 0);
}

#[test]
fn a_signal_leaves_a_whole_journal() {
    let (space, files) = (superseded(20), Files::new());
    let path = files.path("journal");
    let (proxy, gate) = Gate::before(ApiClient::admin(plane()), move |request| {
        request.kind == Kind::Delete && request.nth > 4
    });
    let args = [&journaled(&path)[..], &["--concurrency=4"]].concat();
    let running = Running::start(proxy.tool(&space.name, &args));
    until("four are on their way", || proxy.count(Kind::Delete) == 8);
    running.signal(Signal::INT);
    until("it has understood", || running.said().contains("stopping"));
    gate.open();
    let report = running.finish().exits(130).json();
    let lines = lines(&path);
    adds_up(&lines, &report, 130);
    assert_eq!(of(&lines, "sent").len(), 8);
    assert_eq!(of(&lines, "outcome").len(), 20);
}

/// What the server said to a delete stays; what a wait has seen since is told as well.
#[test]
fn a_wait_is_told_apart() {
    let (space, files) = (Space::three(), Files::new());
    let path = files.path("journal");
    let args = ["--yes", "--wait", "-o", "json", "--journal", arg(&path)];
    let report = space.run(&args).exits(0).json();
    assert_eq!(outcomes(&report), ["sync-2 deleted", "sync-1 deleted"]);
    let lines = lines(&path);
    for (event, expected) in [("outcome", "terminating"), ("waited", "deleted")] {
        let told = of(&lines, event);
        assert_eq!(told.len(), 2, "{lines:#?}");
        for line in told {
            assert_eq!(line["outcome"], expected, "{line}");
        }
    }
    assert_eq!(lines.last().unwrap()["outcomes"]["deleted"], 2);
}

#[test]
fn what_deletes_nothing_writes_nothing() {
    let (space, files) = (Space::three(), Files::new());
    let path = files.path("journal");
    for (args, code) in [
        (&["--yes", "--max-purge=1"][..], 5),
        (&[], 2),
        (&["--dry-run"], 2),
        (&["--dry-run=client"], 2),
        (&["--save-plan", "plan.json"], 2),
        (&["--yes", "--journal=-"], 2),
    ] {
        let run = space.run(&[args, &["--journal", arg(&path)]].concat());
        let run = run.exits(code);
        let written = fs::read_to_string(&path).unwrap_or_default();
        assert_eq!(written, "", "{}", run.story());
    }
    let jobs = files.write(
        "jobs.json",
        r#"{"apiVersion":"v1","kind":"List","items":[]}"#,
    );
    let mut command = tool();
    command.args(["-L", LABEL, "-f", arg(&jobs), "--journal", arg(&path)]);
    run(command).exits(2).complains(&["--journal"]);
    space.holds(&["sync-1", "sync-2", "sync-3"]);
}
