//! What happens when stdout cannot be written: nothing is deleted that was not shown, and nothing that was done is lost.

use std::fs::File;
use std::io::{self, BufRead, BufReader};
use std::process::Stdio;

use crate::support::document;
use crate::support::proxy::{Kind, Proxy};
use crate::support::running::{Ended, Running};
use crate::support::{Space, Upstream, plane};

const FOR_PEOPLE: [&str; 4] = ["table", "wide", "summary", "name"];
const FOR_PROGRAMS: [&str; 2] = ["json", "yaml"];

/// Purges with this as stdout.
fn purge(space: &Space, output: &str, stdout: Stdio) -> (Proxy, Ended) {
    let proxy = Proxy::new(Upstream::admin(plane()), |request, up| up.pass(request));
    let args = ["--yes", "--cascade=background", "-o", output];
    let mut command = proxy.tool(&space.name, &args);
    command.stdout(stdout);
    let ended = Running::start_into(command).finish();
    (proxy, ended)
}

/// A pipe that nobody reads.
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
            // What was done decides.
            ended.exits(0);
        }
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
    let proxy = Proxy::new(Upstream::admin(plane()), |request, up| up.pass(request));
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

/// Nobody needs stderr for the right thing to be done.
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
