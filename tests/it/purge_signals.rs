//! Signals in the middle of a purge of a real cluster: nothing that is in flight is lost, and nothing new begins.

use rustix::process::Signal;

use super::LINE;
use crate::support::account::{account, count};
use crate::support::proxy::{Kind, Proxy, Reply, Request};
use crate::support::running::{Gate, Running};
use crate::support::tool::shell;
use crate::support::{ApiClient, Space, Terminal, plane, until};

const ARGS: [&str; 5] = [
    "--yes",
    "--cascade=background",
    "--concurrency=4",
    "-o",
    "json",
];

fn twenty() -> Space {
    let space = Space::new();
    let jobs: Vec<_> = (0..21)
        .map(|number| space.job("g", &format!("sync-{number:02}"), number))
        .collect();
    space.seed(&jobs);
    space
}

/// A purge of 20 Jobs of which four are gone and four are on their way, held back by the gate.
fn midway(
    space: &Space,
    held: impl Fn(&Request, &ApiClient) -> Reply + Send + Sync + 'static,
) -> (Proxy, Gate, Running) {
    let gate = Gate::new();
    let turnstile = gate.turnstile();
    let proxy = Proxy::new(ApiClient::admin(plane()), move |request, up| {
        if request.kind == Kind::Delete && request.nth > 4 {
            turnstile.pass();
            return held(request, up);
        }
        up.pass(request)
    });
    let running = Running::start(proxy.tool_over(LINE, &space.name, &ARGS));
    until("four are on their way", || proxy.count(Kind::Delete) == 8);
    (proxy, gate, running)
}

#[test]
fn the_first_signal_lets_finish_what_is_in_flight() {
    for (signal, code) in [(Signal::INT, 130), (Signal::TERM, 143), (Signal::HUP, 143)] {
        let space = twenty();
        let (proxy, gate, running) = midway(&space, |request, up| up.pass(request));
        running.signal(signal);
        until("it has understood", || running.said().contains("stopping"));
        gate.open();
        let report = running.finish().exits(code).json();
        account(&report, &proxy.upstream().jobs(&space.name));
        assert_eq!(
            (count(&report, "deleted"), count(&report, "not-attempted")),
            (8, 12)
        );
        assert_eq!(
            proxy.count(Kind::Delete),
            8,
            "a delete began after {signal:?}"
        );
    }
}

#[test]
fn the_second_signal_leaves_at_once() {
    for (first, second, code) in [
        (Signal::INT, Signal::INT, 130),
        (Signal::TERM, Signal::TERM, 143),
        (Signal::HUP, Signal::TERM, 143),
    ] {
        let space = twenty();
        let (proxy, gate, mut running) = midway(&space, |request, up| up.pass(request));
        running.signal(first);
        until("it has understood", || running.said().contains("stopping"));
        assert!(!running.has_ended(), "what is in flight still may finish");
        running.signal(second);
        running.finish().exits(code);
        assert_eq!(proxy.count(Kind::Delete), 8);
        drop(gate);
        assert!(space.names().contains("sync-00"));
    }
}

/// A user who presses Ctrl-C several times need not wait until the tool has handled the first.
#[test]
fn signals_in_quick_succession_leave_at_once() {
    let space = twenty();
    let (proxy, gate, mut running) = midway(&space, |request, up| up.pass(request));
    until("it leaves", || {
        let has_ended = running.has_ended();
        if !has_ended {
            running.signal(Signal::INT);
        }
        has_ended
    });
    running.finish().exits(130);
    assert_eq!(proxy.count(Kind::Delete), 8);
    drop(gate);
}

/// The answer to a delete in flight is lost: the tool reports that it does not know whether the Job is gone.
#[test]
fn what_is_not_known_is_not_claimed() {
    let space = twenty();
    let (proxy, gate, running) = midway(&space, |request, up| {
        let real = up.pass(request);
        match request.nth {
            5 | 6 => Reply::reset(),
            _ => real,
        }
    });
    running.signal(Signal::INT);
    until("it has understood", || running.said().contains("stopping"));
    gate.open();
    let report = running.finish().exits(130).json();
    account(&report, &proxy.upstream().jobs(&space.name));
    assert_eq!(count(&report, "deleted"), 6);
    assert_eq!(count(&report, "failed"), 2);
    assert_eq!(count(&report, "not-attempted"), 12);
}

/// A purge that the server told to come back after `seconds`, once it waits for that.
fn waiting(space: &Space, seconds: u32) -> (Proxy, Running) {
    let proxy = Proxy::new(
        ApiClient::admin(plane()),
        move |request, up| match request.kind {
            Kind::Delete => {
                Reply::refusal(429, "TooManyRequests", "later").header("retry-after", seconds)
            }
            _ => up.pass(request),
        },
    );
    let running =
        Running::start(proxy.tool_over(LINE, &space.name, &[&ARGS[..], &["-v"]].concat()));
    until("it waits", || running.said().contains("waiting "));
    (proxy, running)
}

/// While it waits because the server pushed back, there is nothing to wait for any more.
#[test]
fn a_signal_ends_a_wait() {
    let (space, other_space) = (twenty(), twenty());
    let (proxy, running) = waiting(&space, 30);
    // It shows how time goes by: it waits less long, and nothing ends that.
    let (other_proxy, _other) = waiting(&other_space, 20);
    running.signal(Signal::INT);
    let ended = running.finish().exits(130);
    for proxy in [&proxy, &other_proxy] {
        let deletes = proxy.seen_of(Kind::Delete);
        let has_waited = deletes.iter().any(|seen| seen.request.again > 1);
        assert!(!has_waited, "a wait came to its end");
    }
    account(&ended.json(), &proxy.upstream().jobs(&space.name));
    assert_eq!(count(&ended.json(), "deleted"), 0);
    assert_eq!(space.names().len(), 21);
}

#[test]
fn a_signal_while_it_lists_deletes_nothing() {
    for (signal, code) in [(Signal::INT, 130), (Signal::TERM, 143), (Signal::HUP, 143)] {
        let space = twenty();
        let (proxy, _gate) = Gate::before(ApiClient::admin(plane()), move |request| {
            request.kind == Kind::List
        });
        let running = Running::start(proxy.tool_over(LINE, &space.name, &ARGS));
        until("it lists", || proxy.count(Kind::List) == 1);
        running.signal(signal);
        let ended = running.finish().exits(code);
        assert_eq!(ended.out, "");
        assert_eq!(proxy.count(Kind::Delete), 0);
        assert_eq!(space.names().len(), 21);
    }
}

/// Ctrl-C reaches it through the terminal, which gets its cursor back.
#[test]
fn the_terminal_is_as_it_was() {
    let space = twenty();
    let (proxy, gate) = Gate::before(ApiClient::admin(plane()), move |request| {
        request.kind == Kind::Delete && request.nth > 4
    });
    let args = ["--yes", "--cascade=background", "--concurrency=4"];
    let mut terminal = Terminal::start(&proxy.tool_over(LINE, &space.name, &args), 120);
    until("four are on their way", || proxy.count(Kind::Delete) == 8);
    terminal.send("\u{3}");
    terminal.wait_for("stopping");
    gate.open();
    let left = terminal.finish().exits(130);
    assert!(
        left.text.contains("8 deleted") && left.text.contains("12 not-attempted"),
        "{}",
        left.text
    );
    assert_eq!(space.names().len(), 13);
}

/// Started by nohup, a run goes on when its terminal goes away; and stops all the same when it is asked to.
#[cfg(target_os = "linux")]
#[test]
fn nohup_lets_a_run_go_on_without_its_terminal() {
    let space = twenty();
    let (proxy, gate) = Gate::before(ApiClient::admin(plane()), move |request| {
        request.kind == Kind::Delete && request.nth > 4
    });
    let mut command = shell(
        "trap '' HUP; exec \"$@\"",
        &proxy.tool_over(LINE, &space.name, &ARGS),
    );
    command.env("PATH", std::env::var_os("PATH").unwrap());
    let running = Running::start(command);
    until("four are on their way", || proxy.count(Kind::Delete) == 8);
    running.signal(Signal::HUP);
    running.signal(Signal::HUP);
    gate.open();
    let report = running.finish().exits(0).json();
    assert_eq!(count(&report, "deleted"), 20);
    space.holds(&["sync-00"]);
}
