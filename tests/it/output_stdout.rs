//! What happens when stdout cannot be written: nothing is deleted that was not shown, and nothing that was done is lost.

use std::fs::File;
use std::io::{self, BufRead, BufReader};
use std::process::Stdio;
use std::sync::Mutex;

use crate::support::document;
use crate::support::kubeconfig::{Files, arg};
use crate::support::proxy::{Kind, Proxy};
use crate::support::running::{Ended, Running};
use crate::support::{ApiClient, LABEL, Space, plane, tool};

const FOR_PEOPLE: [&str; 4] = ["table", "wide", "summary", "name"];
const FOR_PROGRAMS: [&str; 3] = ["json", "yaml", "tsv"];
const ALL: [&str; 7] = ["table", "wide", "summary", "name", "json", "yaml", "tsv"];

/// Purges with this as stdout.
fn purge(space: &Space, output: &str, stdout: Stdio) -> (Proxy, Ended) {
    let proxy = Proxy::new(ApiClient::admin(plane()), |request, up| up.pass(request));
    let args = ["--yes", "--cascade=background", "-o", output];
    let mut command = proxy.tool(&space.name, &args);
    command.stdout(stdout);
    let ended = Running::start_into(command).finish();
    (proxy, ended)
}

/// A pipe without a reader.
fn closed() -> Stdio {
    let (_, writer) = io::pipe().unwrap();
    writer.into()
}

fn full() -> Stdio {
    File::options()
        .write(true)
        .open("/dev/full")
        .unwrap()
        .into()
}

#[test]
fn a_plan_that_cannot_be_shown_is_not_carried_out() {
    let space = Space::three();
    for output in FOR_PEOPLE {
        for stdout in [closed(), full()] {
            let (proxy, ended) = purge(&space, output, stdout);
            assert_eq!(proxy.count(Kind::Delete), 0, "{output}");
            let ended = ended.exits(1);
            assert!(ended.err.contains("error: cannot write"), "{}", ended.err);
        }
    }
    space.holds(&["sync-1", "sync-2", "sync-3"]);
}

/// The report comes after the deed; if it cannot be written there, stderr says what was done.
#[test]
fn a_report_that_cannot_be_written_is_told_on_stderr() {
    for output in FOR_PROGRAMS {
        for stdout in [closed(), full()] {
            let space = Space::three();
            let (proxy, ended) = purge(&space, output, stdout);
            assert_eq!(proxy.count(Kind::Delete), 2, "{output}");
            assert!(ended.err.contains("2 deleted"), "{output}: {}", ended.err);
            assert!(
                ended.err.contains("cannot write"),
                "{output}: {}",
                ended.err
            );
            space.holds(&["sync-3"]);
            // A program that reads it does not know what was done.
            ended.exits(3);
        }
    }
}

/// What people see has been shown, up to the last line.
#[test]
fn counts_that_cannot_be_written_are_told_on_stderr() {
    for output in ["table", "summary"] {
        let space = Space::three();
        let (reader, writer) = io::pipe().unwrap();
        let reader = Mutex::new(Some(reader));
        let proxy = Proxy::new(ApiClient::admin(plane()), move |request, up| {
            if request.kind == Kind::Delete {
                // The plan stands there by now, and is all that is read.
                drop(reader.lock().unwrap().take());
            }
            up.pass(request)
        });
        let args = ["--yes", "--cascade=background", "-o", output];
        let mut command = proxy.tool(&space.name, &args);
        command.stdout(writer);
        let ended = Running::start_into(command).finish().exits(3);
        assert!(ended.err.contains("2 deleted"), "{}", ended.err);
        space.holds(&["sync-3"]);
    }
}

/// What the server says to a dry run is known from the report alone.
#[test]
fn a_report_of_a_dry_run_that_cannot_be_written_is_not_lost_silently() {
    let space = Space::three();
    for output in ALL {
        for stdout in [closed(), full()] {
            let mut command = space.tool(&["--dry-run", "-o", output]);
            command.stdout(stdout);
            let ended = Running::start_into(command).finish().exits(3);
            for words in ["cannot write", "2 would-delete", "hint: "] {
                assert!(ended.err.contains(words), "{output}: {}", ended.err);
            }
            // Once is enough.
            assert_eq!(
                ended.err.matches("2 would-delete").count(),
                1,
                "{}",
                ended.err
            );
        }
    }
    space.holds(&["sync-1", "sync-2", "sync-3"]);
}

/// `head` has seen enough. That is no failure of a run that only shows something.
#[test]
fn a_reader_that_leaves_early_is_no_failure_of_what_only_shows() {
    let space = Space::three();
    let files = Files::new();
    let plan = files.path("plan.json");
    let jobs = files.write(
        "jobs.json",
        &serde_json::json!({
            "apiVersion": "batch/v1", "kind": "JobList", "metadata": {}, "items": space.list(),
        })
        .to_string(),
    );
    for output in ALL {
        for args in [
            &["--dry-run=client", "-o", output][..],
            &["--save-plan", arg(&plan), "-o", output],
            &["-f", arg(&jobs), "-o", output],
        ] {
            let mut command = match args[0] {
                "-f" => {
                    let mut command = tool();
                    command.args(["-L", LABEL]);
                    command
                }
                _ => space.tool(&[]),
            };
            command.args(args).stdout(closed());
            let ended = Running::start_into(command).finish().exits(0);
            assert!(!ended.err.contains("error"), "{args:?}: {}", ended.err);
        }
    }
    for args in [
        &["version"][..],
        &["completion", "bash"],
        &["rbac", "-n", "a"],
        &["--help"],
    ] {
        let mut command = tool();
        command.args(args).stdout(closed());
        let ended = Running::start_into(command).finish().exits(0);
        assert_eq!(ended.err, "", "{args:?}");
    }
    // So is a run that will delete nothing, also where it cannot ask.
    let one = Space::with(&[("sync-1", 1)]);
    for output in ALL {
        for (space, args, code) in [
            (&one, &["--yes"][..], 0),
            (&one, &["--dry-run"], 0),
            (&space, &["--yes", "--max-purge=1"], 5),
            (&space, &[], 2),
        ] {
            let mut command = space.tool(&["-o", output]);
            command.args(args).stdout(closed());
            let ended = Running::start_into(command).finish().exits(code);
            assert!(!ended.err.contains("cannot write"), "{}", ended.err);
        }
    }
    space.holds(&["sync-1", "sync-2", "sync-3"]);
    // A full disk is one.
    for args in [
        &["version"][..],
        &["--version"],
        &["completion", "bash"],
        &["rbac", "-n", "a"],
        &["--help"],
        &["-h"],
        &["rbac", "--help"],
    ] {
        let mut command = tool();
        command.args(args).stdout(full());
        let ended = Running::start_into(command).finish().exits(1);
        assert!(
            ended.err.starts_with("error: cannot write"),
            "{args:?}: {}",
            ended.err
        );
    }
    for args in [
        &["--dry-run=client"][..],
        &["--dry-run=client", "-o", "yaml"],
    ] {
        let mut command = space.tool(args);
        command.stdout(full());
        let ended = Running::start_into(command).finish().exits(1);
        assert!(ended.err.contains("cannot write"), "{}", ended.err);
    }
}

/// As `| head -1` does it: the first line is read, and the plan is too large for what a pipe holds.
#[test]
fn a_plan_of_which_only_the_first_line_is_read_is_not_carried_out() {
    let space = Space::new();
    let jobs: Vec<_> = (0..1000)
        .map(|number| {
            let name = format!("a-job-with-a-name-that-is-long-enough-to-fill-a-pipe-{number:04}");
            space.job("g", &name, number)
        })
        .collect();
    space.seed(&jobs);
    let proxy = Proxy::new(ApiClient::admin(plane()), |request, up| up.pass(request));
    let (reader, writer) = io::pipe().unwrap();
    let args = ["--yes", "--cascade=background", "-o", "wide"];
    let mut command = proxy.tool(&space.name, &args);
    command.stdout(writer);
    let running = Running::start_into(command);
    let mut line = String::new();
    BufReader::new(reader).read_line(&mut line).unwrap();
    assert!(!line.is_empty());
    running.finish().exits(1);
    assert_eq!(proxy.count(Kind::Delete), 0);
    assert_eq!(space.list().len(), 1000);
}

/// A run does not depend on stderr.
#[test]
fn a_stderr_that_cannot_be_written_changes_nothing() {
    let space = Space::three();
    let mut command = space.tool(&["--yes", "--cascade=background", "-o", "json", "-vv"]);
    let output = command
        .stdin(Stdio::null())
        .stderr(full())
        .stdout(Stdio::piped())
        .spawn();
    let output = output.unwrap().wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(0));
    let report = document::from_json(&String::from_utf8(output.stdout).unwrap());
    assert_eq!(
        crate::support::outcomes(&report),
        ["sync-2 deleted", "sync-1 deleted"]
    );
    space.holds(&["sync-3"]);
}
