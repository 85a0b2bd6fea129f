//! A purge that is interrupted stops soon and tells what it did.

use std::io::Read;
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::Duration;

use crate::support::document;
use crate::support::http::{self, Stub};
use crate::support::{LABEL, outcomes, tool, until};

/// A server that takes its time for each of 27 deletes.
fn slow(milliseconds: u64) -> Stub {
    let jobs: Vec<_> = (1..=28)
        .map(|day| http::job(&format!("sync-{day}"), &format!("uid-{day}"), "7", day))
        .collect();
    Stub::new(move |asked| {
        if asked.method == "GET" {
            return http::list(&jobs);
        }
        thread::sleep(Duration::from_millis(milliseconds));
        http::status("200 OK", "", "", "")
    })
}

fn start(stub: &Stub) -> Child {
    let mut command = tool();
    command
        .args(["-s", &stub.url, "-n", "stub", "-L", LABEL])
        .args(["--yes", "-o", "json", "--concurrency=2"])
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    let child = command.spawn().unwrap();
    until("deletes are on their way", || {
        stub.asked_by("DELETE").len() >= 3
    });
    child
}

fn signal(child: &Child, name: &str) {
    let status = Command::new("kill")
        .args(["-s", name, &child.id().to_string()])
        .status();
    assert!(status.unwrap().success());
}

/// Its exit code and stdout. Not long after the signal, so nothing can fill a pipe.
fn end(mut child: Child) -> (Option<i32>, String) {
    for _ in 0..600 {
        if let Some(status) = child.try_wait().unwrap() {
            let mut out = String::new();
            child
                .stdout
                .take()
                .unwrap()
                .read_to_string(&mut out)
                .unwrap();
            return (status.code(), out);
        }
        thread::sleep(Duration::from_millis(50));
    }
    child.kill().unwrap();
    child.wait().unwrap();
    panic!("it does not end");
}

#[test]
fn the_first_signal_finishes_what_is_on_its_way_and_reports() {
    for (name, code) in [("INT", 130), ("TERM", 143)] {
        let stub = slow(200);
        let child = start(&stub);
        signal(&child, name);
        let (ended, out) = end(child);
        let report = document::from_json(&out);
        let lines = outcomes(&report);
        let count = |outcome: &str| lines.iter().filter(|line| line.ends_with(outcome)).count();
        assert_eq!(lines.len(), 27);
        let deleted = count(" deleted");
        assert_eq!(deleted, stub.asked_by("DELETE").len(), "{lines:?}");
        assert!((2..10).contains(&deleted), "{lines:?}");
        assert_eq!(count(" not-attempted"), 27 - deleted, "{lines:?}");
        assert_eq!(ended, Some(code), "SIG{name}");
    }
}

#[test]
fn the_second_signal_leaves_at_once() {
    let stub = slow(20_000);
    let mut command = tool();
    command
        .args(["-s", &stub.url, "-n", "stub", "-L", LABEL, "--yes"])
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    let mut child = command.spawn().unwrap();
    until("deletes are on their way", || {
        !stub.asked_by("DELETE").is_empty()
    });
    let began = std::time::Instant::now();
    // The first may not have been taken note of when the second comes, hence more than one.
    while child.try_wait().unwrap().is_none() {
        assert!(
            began.elapsed() < Duration::from_secs(10),
            "it does not leave"
        );
        signal(&child, "INT");
        thread::sleep(Duration::from_millis(300));
    }
    assert_eq!(end(child).0, Some(130));
}
