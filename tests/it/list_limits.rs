//! How much and how long: neither too soon given up, nor for ever gone on.

use std::process::Command;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use rustix::process::Signal;
use serde_json::Value;

use crate::support::account::count;
use crate::support::running::{Gate, Running};
use crate::support::stub::{self, Stub};
use crate::support::{LABEL, run, tool, until};

fn on(stub: &Stub, args: &[&str]) -> Command {
    let mut command = tool();
    command
        .args(["-s", &stub.url, "-n", "stub", "-L", LABEL, "-o", "json"])
        .args(args);
    command
}

/// A Job that stays and `count` Jobs that are to go, `sync-00000` and on.
fn jobs(count: usize) -> Vec<Value> {
    let old = |number| {
        let (name, uid) = (format!("sync-{number:05}"), format!("uid-{number}"));
        stub::job(&name, &uid, "7", 1)
    };
    let newest = stub::job("sync-99999", "uid-999", "7", 2);
    (0..count).map(old).chain([newest]).collect()
}

/// Refusals come faster than successes, so that many of them come in a row, though every third Job goes.
#[test]
fn fast_refusals_between_slow_successes_stop_nothing() {
    let jobs = jobs(120);
    let stub = Stub::new(move |asked| {
        if asked.method == "GET" {
            return stub::list(&jobs);
        }
        let (path, _) = asked.target.split_once('?').unwrap();
        let number: usize = path[path.len() - 3..].parse().unwrap();
        if !number.is_multiple_of(3) {
            return stub::status("403 Forbidden", "", "Forbidden", "not this one");
        }
        thread::sleep(Duration::from_millis(50));
        stub::status("200 OK", "", "", "")
    });
    let report = run(on(&stub, &["--yes"])).exits(3).json();
    assert_eq!(count(&report, "not-attempted"), 0, "{report:#}");
    assert_eq!(
        (count(&report, "failed"), count(&report, "deleted")),
        (80, 40)
    );
    assert_eq!(stub.asked_by("DELETE").len(), 120);
}

/// One that was told to come later does not make room for the next.
#[test]
fn a_server_that_pushes_back_is_left_alone_meanwhile() {
    const IN_FLIGHT: usize = 4;
    let jobs = jobs(60);
    let stub = Stub::new(move |asked| match asked.method.as_str() {
        "GET" => stub::list(&jobs),
        _ => stub::status(
            "429 Too Many Requests",
            "Retry-After: 2\r\n",
            "TooManyRequests",
            "later",
        ),
    });
    let concurrency = format!("--concurrency={IN_FLIGHT}");
    let running = Running::start(on(&stub, &["--yes", &concurrency]));
    until("deletes are on their way", || {
        stub.asked_by("DELETE").len() >= IN_FLIGHT
    });
    // That nothing comes shows only by waiting.
    thread::sleep(Duration::from_millis(1200));
    let sent = stub.asked_by("DELETE").len();
    running.signal(Signal::INT);
    let report = running.finish().exits(130).json();
    assert!(sent <= 2 * IN_FLIGHT, "{sent} deletes");
    assert_eq!(count(&report, "deleted"), 0);
}

/// Its pages hold nothing of interest, and each leads to the other.
#[test]
fn a_list_that_goes_in_circles_comes_to_an_end() {
    let stub = Stub::new(|asked| {
        let next = match asked.target.contains("continue=A") {
            true => "B",
            false => "A",
        };
        let mut other = stub::job("other", &format!("uid-{next}"), "7", 1);
        other["metadata"]["labels"] = serde_json::json!({});
        let (line, headers, mut page) = stub::list(&[other]);
        page["metadata"]["continue"] = next.into();
        (line, headers, page)
    });
    let run = run(on(&stub, &["--yes"])).fails_clearly(&["cannot list Jobs"]);
    let asked = stub.asked().len();
    assert!(asked <= 100, "{asked} requests\n{}", run.story());
    assert_eq!(stub.asked_by("DELETE").len(), 0);
}

#[test]
fn a_selector_too_long_for_a_request_is_told() {
    let stub = Stub::new(|_| stub::list(&[]));
    let values: Vec<String> = (0..9000).map(|number| format!("v{number}")).collect();
    let selector = format!("k in ({})", values.join(","));
    run(on(&stub, &["--yes", "-l", &selector])).fails_clearly(&["longer"]);
    assert_eq!(stub.asked().len(), 0);
}

/// The first request is never answered: that the second comes shows how long it was waited for.
#[test]
fn a_request_timeout_may_be_less_than_a_second() {
    let (gate, is_first) = (Gate::new(), AtomicBool::new(true));
    let turnstile = gate.turnstile();
    let stub = Stub::new(move |_| {
        if is_first.swap(false, Ordering::SeqCst) {
            turnstile.pass();
        }
        stub::list(&[])
    });
    run(on(
        &stub,
        &["--dry-run=client", "-q", "--request-timeout=500ms"],
    ))
    .exits(0);
    // The last asks whether there is such a namespace.
    assert_eq!(stub.asked().len(), 3);
}
