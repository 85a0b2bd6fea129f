//! How a list is asked for again: bounded, as late as the server asks but no later than is sane, and not in silence.

use std::thread;
use std::time::{Duration, Instant};

use rustix::process::Signal;

use crate::support::api_client::ApiClient;
use crate::support::proxy::{Kind, Proxy, Reply, Request};
use crate::support::running::Running;
use crate::support::{Space, plane, until, verdicts};

const PLAN: [&str; 2] = ["sync-2 SKIP newest", "sync-1 PURGE superseded"];

const PLANNING: [&str; 4] = ["--dry-run=client", "-o", "json", "-v"];

fn two() -> Space {
    Space::with(&[("sync-1", 2), ("sync-2", 1)])
}

/// Starts planning through a proxy that answers lists like this.
fn plan(
    space: &Space,
    list: impl Fn(&Request, &ApiClient) -> Reply + Send + Sync + 'static,
) -> (Proxy, Running) {
    let proxy = Proxy::new(
        ApiClient::admin(plane()),
        move |request, up| match request.kind {
            Kind::List => list(request, up),
            _ => up.pass(request),
        },
    );
    let running = Running::start(proxy.tool(&space.name, &PLANNING));
    (proxy, running)
}

/// How many seconds it says that it waits.
fn seconds_of(said: &str) -> Vec<f64> {
    let waits = said.split("waiting ").skip(1);
    let seconds = waits.filter_map(|rest| rest.split_once(" s"));
    seconds
        .filter_map(|(number, _)| number.parse().ok())
        .collect()
}

#[test]
fn trouble_that_passes_is_waited_out_and_told() {
    let space = two();
    for (status, reason) in [
        (429, "TooManyRequests"),
        (500, "InternalError"),
        (502, "BadGateway"),
        (503, "ServiceUnavailable"),
        (504, "Timeout"),
    ] {
        let (proxy, running) = plan(&space, move |request, up| match request.nth {
            1 => Reply::refusal(status, reason, "the reason of the day"),
            _ => up.pass(request),
        });
        let ended = running.finish().exits(0);
        assert_eq!(verdicts(&ended.json()), PLAN);
        assert_eq!(proxy.count(Kind::List), 2);
        assert_eq!(seconds_of(&ended.err).len(), 1, "{status} {}", ended.err);
        assert!(
            ended.err.contains("the reason of the day"),
            "{status} {}",
            ended.err
        );
    }
}

/// Proxies refuse in a form of their own.
#[test]
fn a_refusal_need_not_be_a_status() {
    let space = two();
    let (proxy, running) = plan(&space, |request, up| match request.nth {
        1 => Reply::new(502, Vec::new(), b"upstream is away".to_vec()),
        2 => Reply::new(503, Vec::new(), Vec::new()),
        3 => Reply::new(504, Vec::new(), vec![0, 159, 146, 150]),
        _ => up.pass(request),
    });
    let ended = running.finish().exits(0);
    assert_eq!(verdicts(&ended.json()), PLAN);
    assert_eq!(proxy.count(Kind::List), 4);
    assert_eq!(seconds_of(&ended.err).len(), 3, "{}", ended.err);
    assert!(
        ended.err.contains("502") && ended.err.contains("504"),
        "{}",
        ended.err
    );
}

#[test]
fn a_retry_waits_as_long_as_the_server_asks() {
    let space = two();
    let (proxy, running) = plan(&space, |request, up| match request.nth {
        1 => Reply::refusal(429, "TooManyRequests", "slow down").header("retry-after", 1),
        _ => up.pass(request),
    });
    let began = Instant::now();
    let ended = running.finish().exits(0);
    assert!(began.elapsed() >= Duration::from_secs(1));
    assert!(seconds_of(&ended.err)[0] >= 1.0, "{}", ended.err);
    assert_eq!(proxy.count(Kind::List), 2);
}

/// It is there, so it is not given up after a few tries.
#[test]
fn a_server_that_asks_for_time_gets_it() {
    let space = two();
    let (proxy, running) = plan(&space, |request, up| match request.nth {
        1..=8 => Reply::refusal(429, "TooManyRequests", "slow down").header("retry-after", 1),
        _ => up.pass(request),
    });
    let ended = running.finish().exits(0);
    assert_eq!(verdicts(&ended.json()), PLAN);
    assert_eq!(proxy.count(Kind::List), 9);
}

#[test]
fn not_even_zero_seconds_are_no_pause() {
    let space = two();
    let (_proxy, running) = plan(&space, |request, up| match request.nth {
        1..=3 => Reply::refusal(429, "TooManyRequests", "at once").header("retry-after", 0),
        _ => up.pass(request),
    });
    let waits = seconds_of(&running.finish().exits(0).err);
    assert_eq!(waits.len(), 3);
    assert!(waits.iter().all(|seconds| *seconds >= 0.1), "{waits:?}");
}

#[test]
fn a_huge_or_senseless_retry_after_is_not_believed() {
    let space = two();
    thread::scope(|scope| {
        for value in [
            "86400",
            "18446744073709551615",
            "99999999999999999999",
            "-1",
            "soon",
            "",
        ] {
            let space = &space;
            scope.spawn(move || {
                let (proxy, running) = plan(space, move |_, _| {
                    Reply::refusal(503, "ServiceUnavailable", "later").header("retry-after", value)
                });
                until("it says that it waits", || {
                    !seconds_of(&running.said()).is_empty()
                });
                let seconds = seconds_of(&running.said())[0];
                assert!(seconds <= 60.0, "{value}: {seconds}");
                // It does not sleep so deeply that it cannot be stopped.
                running.signal(Signal::TERM);
                let ended = running.finish().exits(143);
                assert_eq!(ended.out, "");
                if seconds > 20.0 {
                    assert_eq!(proxy.count(Kind::List), 1, "{value}");
                }
            });
        }
    });
}

/// All of these at once, since most of the time goes into waiting.
#[test]
fn trouble_that_stays_ends_the_run() {
    let space = two();
    thread::scope(|scope| {
        for status in [429, 500, 502, 503, 504] {
            let space = &space;
            scope.spawn(move || {
                let (proxy, running) = plan(space, move |_, _| {
                    Reply::refusal(status, "Trouble", "it never works")
                });
                let ended = running.finish().exits(1);
                assert_eq!(ended.out, "");
                assert!(ended.err.contains("it never works"), "{}", ended.err);
                let lists = proxy.count(Kind::List);
                // More than one, and fewer than kube's own retries would make of it. A server that asks for time gets what
                // there is.
                let most = if status == 429 { 25 } else { 10 };
                assert!((2..=most).contains(&lists), "{status}: {lists}");
                assert_eq!(seconds_of(&ended.err).len(), lists - 1, "{}", ended.err);
            });
        }
    });
}

/// What trying again cannot help is not tried again.
#[test]
fn a_refusal_for_good_is_final() {
    let space = two();
    for status in [400, 401, 403, 404, 405, 406, 422] {
        let (proxy, running) = plan(&space, move |_, _| {
            Reply::refusal(status, "Refused", "not for you")
        });
        let ended = running.finish().exits(1);
        assert_eq!(ended.out, "");
        assert!(ended.err.contains("not for you"), "{}", ended.err);
        assert_eq!(proxy.count(Kind::List), 1, "{status}");
    }
}

/// A thousand tools that were told the same do not come back in the same moment.
#[test]
fn waits_are_jittered() {
    let space = two();
    let waits = thread::scope(|scope| {
        let runs: Vec<_> = (0..6)
            .map(|_| {
                scope.spawn(|| {
                    let (_proxy, running) = plan(&space, |request, up| match request.nth {
                        1..=3 => Reply::refusal(500, "InternalError", "no"),
                        _ => up.pass(request),
                    });
                    seconds_of(&running.finish().exits(0).err)
                })
            })
            .collect();
        runs.into_iter()
            .map(|run| run.join().unwrap())
            .collect::<Vec<_>>()
    });
    assert!(waits.iter().all(|wait| wait.len() == 3), "{waits:?}");
    assert!(waits.iter().any(|wait| *wait != waits[0]), "{waits:?}");
}
