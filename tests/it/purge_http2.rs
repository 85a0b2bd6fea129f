//! Deletes share a connection where the server speaks HTTP/2, and what that connection can do to them.

use std::collections::BTreeSet;
use std::sync::Mutex;

use serde_json::json;

use crate::support::account::{account, count};
use crate::support::kubeconfig::{Files, arg};
use crate::support::listener::Listener;
use crate::support::own_control_plane::{going_away, namespace_of};
use crate::support::proxy::{Kind, Line, Proxy, Reply, Request, Tls};
use crate::support::running::{Gate, Running};
use crate::support::{ApiClient, LABEL, Space, plane, run, tool, until};

const ARGS: [&str; 5] = ["--yes", "--cascade=background", "-v", "-o", "json"];

/// A proxy that does this to deletes.
fn proxy(delete: impl Fn(&Request, &ApiClient) -> Reply + Send + Sync + 'static) -> Proxy {
    Proxy::new(
        ApiClient::admin(plane()),
        move |request, up| match request.kind {
            Kind::Delete => delete(request, up),
            _ => up.pass(request),
        },
    )
}

/// The ports that deletes came from, each of which is a connection.
fn connections(proxy: &Proxy) -> BTreeSet<u16> {
    let deletes = proxy.seen_of(Kind::Delete).into_iter();
    deletes.map(|seen| seen.request.port).collect()
}

#[test]
fn deletes_share_a_connection_and_lists_have_their_own() {
    let space = Space::seven();
    let proxy = proxy(|request, up| up.pass(request));
    run(proxy.tool_over(Line::Http2, &space.name, &ARGS)).exits(0);
    space.holds(&["sync-7"]);
    for seen in proxy.seen() {
        let line = match seen.request.kind {
            Kind::Delete => Line::Http2,
            _ => Line::Http1,
        };
        assert_eq!(seen.request.line, line, "{seen:?}");
    }
    assert_eq!(connections(&proxy).len(), 1);
}

/// So that no delete waits for it.
#[test]
fn the_connection_is_there_before_the_deletes() {
    let space = Space::seven();
    let (proxy, gate) = Gate::before(ApiClient::admin(plane()), |request| {
        request.kind == Kind::GitOps
    });
    let running = Running::start(proxy.tool_over(Line::Http2, &space.name, &ARGS));
    until("it asks what git wants", || proxy.count(Kind::GitOps) > 0);
    until("it has connected", || proxy.shared_connections() == 1);
    gate.open();
    running.finish().exits(0);
    space.holds(&["sync-7"]);
    assert_eq!(proxy.shared_connections(), 1);
}

/// As with kubectl.
#[test]
fn a_user_can_do_without() {
    for (value, line) in [("1", Line::Http1), ("", Line::Http2)] {
        let space = Space::three();
        let proxy = proxy(|request, up| up.pass(request));
        let mut command = proxy.tool_over(Line::Http2, &space.name, &ARGS);
        command.env("DISABLE_HTTP2", value);
        run(command).exits(0);
        space.holds(&["sync-3"]);
        for seen in proxy.seen_of(Kind::Delete) {
            assert_eq!(seen.request.line, line, "{value:?}");
        }
    }
}

#[test]
fn a_server_that_does_not_speak_it_gets_a_connection_for_each() {
    let (space, files) = (Space::seven(), Files::new());
    let tls = Tls::common().without_http2();
    let admin = ApiClient::admin(plane());
    let proxy = Proxy::with(tls, admin, |request, up| up.pass(request));
    let config = files.simple("config", &proxy.cluster(), &json!({}));
    let mut command = tool();
    command
        .args(["--kubeconfig", arg(&config), "-n", &space.name, "-L", LABEL])
        .args(ARGS);
    let report = run(command).exits(0).json();
    assert_eq!(count(&report, "deleted"), 6);
    assert_eq!(proxy.count(Kind::Delete), 6);
    for seen in proxy.seen_of(Kind::Delete) {
        assert_eq!(seen.request.line, Line::Http1);
    }
    space.holds(&["sync-7"]);
}

/// kube-apiserver takes no more than 100 on one.
#[test]
fn more_than_a_connection_takes_are_on_several() {
    let space = Space::new();
    let jobs = (0..129).map(|number| space.job("g", &format!("sync-{number:03}"), number));
    space.seed(&jobs.collect::<Vec<_>>());
    let (proxy, gate) = Gate::before(ApiClient::admin(plane()), |request| {
        request.kind == Kind::Delete
    });
    let args = [&ARGS[..], &["--concurrency=128"]].concat();
    let running = Running::start(proxy.tool_over(Line::Http2, &space.name, &args));
    until("all are in flight", || proxy.count(Kind::Delete) == 128);
    gate.open();
    running.finish().exits(0);
    space.holds(&["sync-000"]);
    assert_eq!(connections(&proxy).len(), 2);
    assert_eq!(proxy.count(Kind::Delete), 128);
}

/// All are in flight when it is lost, half of them with effect.
#[test]
fn a_lost_connection_loses_all_that_is_on_it() {
    let space = Space::seven();
    let gate = Gate::new();
    let turnstile = gate.turnstile();
    let proxy = self::proxy(move |request, up| {
        if request.again > 1 {
            return up.pass(request);
        }
        if request.nth % 2 == 0 {
            let _ = up.pass(request);
        }
        turnstile.pass();
        Reply::hung_up()
    });
    let running = Running::start(proxy.tool_over(Line::Http2, &space.name, &ARGS));
    until("all are in flight", || proxy.count(Kind::Delete) == 6);
    gate.open();
    let ended = running.finish().exits(0);
    let report = ended.json();
    // No other client deleted any.
    assert_eq!(count(&report, "deleted"), 6, "{report:#}");
    account(&report, &proxy.upstream().jobs(&space.name));
    assert_eq!(proxy.count(Kind::Delete), 12, "each is sent again, once");
    assert_eq!(connections(&proxy).len(), 2);
    assert!(ended.err.contains("waiting "), "{}", ended.err);
}

/// The server says so itself, and so it is no delete of ours that another client's was.
#[test]
fn what_the_server_refused_to_begin_with_was_not_sent() {
    let replies = [
        (
            Reply::refused as fn() -> Reply,
            1,
            "the server did not begin with the request",
        ),
        (Reply::reset, 0, "the server broke off the request"),
    ];
    for (reply, gone, words) in replies {
        let space = Space::seven();
        let namespace = space.name.clone();
        let proxy = proxy(move |request, up| {
            if request.again > 1 {
                return up.pass(request);
            }
            if request.name() == "sync-1" {
                assert!(up.delete_job(&namespace, "sync-1"));
            }
            reply()
        });
        let run = run(proxy.tool_over(Line::Http2, &space.name, &ARGS));
        let report = run.exits(0).complains(&[words]).json();
        assert_eq!(count(&report, "gone"), gone, "{report:#}");
        assert_eq!(count(&report, "deleted"), 6 - gone, "{report:#}");
        assert_eq!(connections(&proxy).len(), 1, "the connection stays");
    }
}

/// A delete that was answered was begun with, whatever is said afterwards.
#[test]
fn an_answer_that_is_taken_back_may_be_true() {
    let space = Space::seven();
    let proxy = proxy(|request, up| match request.again {
        1 => up.pass(request).taken_back(10),
        _ => up.pass(request),
    });
    let report = run(proxy.tool_over(Line::Http2, &space.name, &ARGS))
        .exits(0)
        .json();
    // No other client deleted any.
    assert_eq!(count(&report, "deleted"), 6, "{report:#}");
    assert_eq!(proxy.count(Kind::Delete), 12);
}

/// What is on the connection is answered, and what comes after takes another one.
#[test]
fn a_server_that_wants_no_more_on_a_connection_loses_nothing() {
    let space = Space::new();
    let jobs = (0..21).map(|number| space.job("g", &format!("sync-{number:02}"), number));
    space.seed(&jobs.collect::<Vec<_>>());
    let gate = Gate::new();
    let turnstile = gate.turnstile();
    let proxy = proxy(move |request, up| match request.nth {
        1 => up.pass(request).last(),
        2..=10 => {
            turnstile.pass();
            up.pass(request)
        }
        _ => up.pass(request),
    });
    let args = [&ARGS[..], &["--concurrency=10"]].concat();
    let running = Running::start(proxy.tool_over(Line::Http2, &space.name, &args));
    until("the others go on", || proxy.count(Kind::Delete) == 20);
    gate.open();
    let report = running.finish().exits(0).json();
    assert_eq!(count(&report, "deleted"), 20);
    assert_eq!(proxy.count(Kind::Delete), 20, "none is sent again");
    assert_eq!(connections(&proxy).len(), 2);
    space.holds(&["sync-00"]);
}

/// It takes its place on the connection with it, and nothing else.
#[test]
fn a_delete_without_an_answer_does_not_disturb_the_others() {
    let space = Space::seven();
    let gate = Gate::new();
    let turnstile = gate.turnstile();
    let proxy = proxy(move |request, up| {
        if request.name() == "sync-1" && request.again == 1 {
            turnstile.pass();
        }
        up.pass(request)
    });
    let args = [&ARGS[..], &["--request-timeout=5s"]].concat();
    let report = run(proxy.tool_over(Line::Http2, &space.name, &args))
        .exits(0)
        .json();
    assert_eq!(count(&report, "deleted"), 6);
    assert_eq!(proxy.count(Kind::Delete), 7, "that one is sent again, once");
    assert_eq!(connections(&proxy).len(), 2, "on another connection");
}

/// kube-apiserver does so at random, so that connections spread over all servers. What it has not begun with is sent again.
#[test]
fn a_real_server_that_goes_away_now_and_then_loses_nothing() {
    let plane = going_away();
    let namespace = namespace_of(&plane, 1001);
    let door = Listener::plain(&plane.server_url());
    let server = format!("https://{}", door.address);
    let mut command = tool();
    command
        .args(["--kubeconfig", arg(plane.kubeconfig()), "-s", &server])
        .args(["-n", &namespace, "-L", LABEL])
        .args(ARGS);
    let report = run(command).exits(0).json();
    assert_eq!(count(&report, "deleted"), 1000);
    // A plan has a few, and one for deletes would do.
    assert!(door.comers() > 10, "{}", door.comers());
}

/// Nothing is said any more, and no request has a limit of its own.
#[test]
fn a_connection_that_goes_silent_is_given_up() {
    let space = Space::seven();
    let silent = Mutex::new(true);
    let proxy = proxy(move |request, up| {
        let real = up.pass(request);
        match std::mem::take(&mut *silent.lock().unwrap()) {
            true => Reply::silence(),
            false => real,
        }
    });
    let args = [&ARGS[..], &["--request-timeout=0"]].concat();
    let run = run(proxy.tool_over(Line::Http2, &space.name, &args)).exits(0);
    let words = "the server gave no sign of life for 45 s";
    let report = run.complains(&[words]).json();
    assert_eq!(count(&report, "deleted"), 6, "{report:#}");
    assert_eq!(connections(&proxy).len(), 2);
}
