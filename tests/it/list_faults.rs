//! A list that breaks on the way: the whole of it in the end, or nothing is planned and nothing deleted.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD as BASE64;
use serde_json::{Value, json};

use crate::support::api_client::ApiClient;
use crate::support::proxy::{Kind, Proxy, Reply, Request};
use crate::support::{Run, Space, Terminal, outcomes, plane, run, verdicts};

/// What becomes of a page.
type Fault = fn(&Request, &ApiClient) -> Reply;

const ARGS: [&str; 4] = ["--cascade=background", "--request-timeout=1s", "-o", "json"];

const PLAN: [&str; 7] = [
    "sync-7 SKIP newest",
    "sync-6 PURGE superseded",
    "sync-5 PURGE superseded",
    "sync-4 PURGE superseded",
    "sync-3 PURGE superseded",
    "sync-2 PURGE superseded",
    "sync-1 PURGE superseded",
];

/// No fault is worth more requests than this.
const MOST_REQUESTS: usize = 50;

/// Purges through a proxy that does this to pages of the list, which hold `size` Jobs each. The newest stand on the last
/// ones: who loses a page takes an old Job for the newest.
fn purge_in_pages(
    space: &Space,
    size: usize,
    args: &[&str],
    rule: impl Fn(&Request, &ApiClient) -> Reply + Send + Sync + 'static,
) -> (Proxy, Run) {
    let proxy = Proxy::new(ApiClient::admin(plane()), move |request, up| {
        match request.kind {
            // A tool that asks without end fails below rather than by the clock.
            Kind::List if request.nth > MOST_REQUESTS => Reply::reset(),
            Kind::List => rule(request, up),
            _ => up.pass(request),
        }
    });
    let size = format!("--chunk-size={size}");
    let args = [&ARGS[..], &[&size], args].concat();
    let run = run(proxy.tool(&space.name, &args));
    let lists = proxy.count(Kind::List);
    assert!(lists <= MOST_REQUESTS, "{lists} requests\n{}", run.story());
    (proxy, run)
}

fn purge(
    space: &Space,
    args: &[&str],
    rule: impl Fn(&Request, &ApiClient) -> Reply + Send + Sync + 'static,
) -> (Proxy, Run) {
    purge_in_pages(space, 2, args, rule)
}

/// Fails unless all of it was planned and done.
#[track_caller]
fn is_whole(space: &Space, proxy: &Proxy, run: Run) {
    let report = run.exits(0).json();
    assert_eq!(verdicts(&report), PLAN);
    assert!(
        outcomes(&report)
            .iter()
            .all(|line| line.ends_with(" deleted")),
        "{report:#}"
    );
    assert_eq!(proxy.count(Kind::Delete), 6);
    space.holds(&["sync-7"]);
}

/// Fails unless nothing was planned and nothing was done.
#[track_caller]
fn is_nothing(space: &Space, proxy: &Proxy, run: Run) {
    let run = run.exits(1).complains(&["error: "]);
    assert_eq!(run.out, "", "a plan from part of a list\n{}", run.story());
    assert_eq!(proxy.count(Kind::Delete), 0);
    assert_eq!(space.names().len(), 7);
}

/// A page of the list that goes wrong once: the first (`1`) or the one after it (`2`).
#[track_caller]
fn once(page: usize, fault: Fault) -> Proxy {
    let space = Space::seven();
    let (proxy, run) = purge(&space, &["--yes"], move |request, up| {
        match request.continues() == (page == 2) && request.nth == page {
            true => fault(request, up),
            false => up.pass(request),
        }
    });
    is_whole(&space, &proxy, run);
    proxy
}

#[test]
fn a_page_cut_in_its_body() {
    once(1, cut);
    once(2, cut);
}

fn cut(request: &Request, up: &ApiClient) -> Reply {
    let page = up.pass(request);
    let half = page.body.len() / 2;
    page.cut(half)
}

/// No length is announced, and the body ends early: to HTTP this is a good answer.
#[test]
fn a_page_that_ends_early_wherever_that_is() {
    let space = Space::seven();
    let whole = Arc::new(AtomicUsize::new(0));
    // The first page of the list, cut to this many of 24 parts.
    let plan = |parts: usize| {
        let length = Arc::clone(&whole);
        let (proxy, run) = purge_in_pages(&space, 0, &["--dry-run=client"], move |request, up| {
            let page = up.pass(request);
            length.store(page.body.len(), Ordering::SeqCst);
            let bytes = page.body.len() * parts / 24;
            match request.nth {
                1 => page.ends_at(bytes),
                _ => page,
            }
        });
        assert_eq!(verdicts(&run.exits(0).json()), PLAN, "{parts}");
        assert_eq!(
            proxy.count(Kind::List),
            if parts < 24 { 2 } else { 1 },
            "{parts}"
        );
    };
    thread::scope(|scope| {
        for first in 0..5 {
            let plan = &plan;
            scope.spawn(move || (first..=24).step_by(5).for_each(plan));
        }
    });
    assert!(whole.load(Ordering::SeqCst) > 24 * 20);
}

fn ends_early(request: &Request, up: &ApiClient) -> Reply {
    let page = up.pass(request);
    let most = page.body.len() - 1;
    page.ends_at(most)
}

#[test]
fn a_page_that_does_not_decode() {
    once(1, garbled);
    once(2, garbled);
    once(2, foreign);
}

fn garbled(request: &Request, up: &ApiClient) -> Reply {
    up.pass(request).garbled()
}

/// An answer of something else, as a captive portal gives it.
fn foreign(_: &Request, _: &ApiClient) -> Reply {
    Reply::web_page(200)
}

#[test]
fn a_page_whose_connection_is_reset() {
    once(1, reset);
    once(2, reset);
}

fn reset(request: &Request, up: &ApiClient) -> Reply {
    drop(up.pass(request));
    Reply::reset()
}

#[test]
fn a_page_that_stalls() {
    let proxy = once(2, stalls);
    assert!(proxy.count(Kind::List) >= 5);
}

fn stalls(request: &Request, up: &ApiClient) -> Reply {
    let page = up.pass(request);
    let half = page.body.len() / 2;
    page.stalls(half)
}

#[test]
fn pages_of_differing_versions() {
    let proxy = once(2, other_version);
    let seen = proxy.seen_of(Kind::List);
    assert!(!seen[2].request.continues(), "it begins anew");
}

fn json_page(request: &Request, up: &ApiClient) -> Reply {
    up.pass(&request.with_header("accept", "application/json"))
}

fn other_version(request: &Request, up: &ApiClient) -> Reply {
    json_page(request, up).alter(|page| page["metadata"]["resourceVersion"] = "7".into())
}

#[test]
fn a_job_that_is_listed_twice() {
    let proxy = once(2, twice);
    assert_eq!(
        proxy
            .seen_of(Kind::List)
            .iter()
            .filter(|seen| !seen.request.continues())
            .count(),
        2
    );
}

/// The newest, on a page that adds little to what has come before: it must not be taken for an older one.
#[test]
fn the_last_job_that_is_listed_twice() {
    let space = Space::seven();
    let (proxy, run) = purge_in_pages(&space, 3, &["--yes"], |request, up| match request.nth {
        3 => twice(request, up),
        _ => up.pass(request),
    });
    is_whole(&space, &proxy, run);
    assert_eq!(proxy.count(Kind::List), 6, "it begins anew");
}

fn twice(request: &Request, up: &ApiClient) -> Reply {
    json_page(request, up).alter(|page| {
        let items = page["items"].as_array_mut().unwrap();
        items.push(items[0].clone());
    })
}

#[test]
fn an_expired_continue_token_is_not_used_again() {
    let proxy = once(2, expired);
    let seen = proxy.seen_of(Kind::List);
    assert!(!seen[2].request.continues(), "it begins anew");
    assert!(
        !seen
            .iter()
            .any(|seen| seen.request.target.contains("mixes"))
    );
}

/// A real one offers a token that goes on with another snapshot.
fn expired(_: &Request, _: &ApiClient) -> Reply {
    Reply::refusal(410, "Expired", "the continue token is too old")
        .alter(|status| status["metadata"]["continue"] = "mixes".into())
}

/// Nothing is on the page, but more is to come.
#[test]
fn an_empty_page_goes_on() {
    let proxy = once(2, empty);
    let seen = proxy.seen_of(Kind::List);
    assert_eq!(seen.len(), 5, "four pages and the empty one");
    assert!(seen[1..].iter().all(|seen| seen.request.continues()));
}

/// The token that a request came with.
fn token_of(request: &Request) -> String {
    let mut query = request.target.split(['?', '&']);
    let token = query.find_map(|part| part.strip_prefix("continue="));
    let token = percent_encoding::percent_decode_str(token.unwrap());
    token.decode_utf8().unwrap().into_owned()
}

/// No token comes twice: this one is longer each time, and means the same.
fn empty(request: &Request, up: &ApiClient) -> Reply {
    let token = BASE64.decode(token_of(request)).unwrap();
    let token = BASE64.encode([&token[..], b" "].concat());
    json_page(request, up).alter(|page| {
        page["items"] = json!([]);
        page["metadata"]["continue"] = token.into();
    })
}

/// The same page again and again, as a broken cache would serve it.
fn goes_round(request: &Request, up: &ApiClient) -> Reply {
    json_page(request, up).alter(|page| page["metadata"]["continue"] = token_of(request).into())
}

/// A cycle of pages, each of which is new to the one before it.
fn goes_round_in_twos(request: &Request, up: &ApiClient) -> Reply {
    let token = BASE64.decode(token_of(request)).unwrap();
    let spaces = token.iter().rev().take_while(|byte| **byte == b' ').count();
    let bare = &token[..token.len() - spaces];
    let next = if spaces == 0 {
        [bare, b" "].concat()
    } else {
        bare.to_vec()
    };
    json_page(request, up).alter(|page| {
        page["items"] = json!([]);
        page["metadata"]["continue"] = BASE64.encode(next).into();
    })
}

fn no_version(request: &Request, up: &ApiClient) -> Reply {
    json_page(request, up).alter(|page| page["metadata"]["resourceVersion"] = "".into())
}

fn ends_too_soon(request: &Request, up: &ApiClient) -> Reply {
    json_page(request, up).alter(|page| {
        page["metadata"]["continue"] = "".into();
        page["metadata"]["remainingItemCount"] = 2.into();
    })
}

fn another_kind(request: &Request, up: &ApiClient) -> Reply {
    json_page(request, up).alter(|page| page["kind"] = "PodList".into())
}

fn another_namespace(request: &Request, up: &ApiClient) -> Reply {
    json_page(request, up).alter(|page| page["items"][0]["metadata"]["namespace"] = "other".into())
}

fn no_label(request: &Request, up: &ApiClient) -> Reply {
    json_page(request, up).alter(|page| page["items"][0]["metadata"]["labels"] = json!({"a": "b"}))
}

fn not_selected(request: &Request, up: &ApiClient) -> Reply {
    json_page(request, up).alter(|page| {
        page["items"][0]["metadata"]["labels"]["app"] = "x".into();
    })
}

/// What a list that is not the server's would look like. One page of it is enough to begin anew.
#[test]
fn a_list_that_is_not_what_was_asked_for() {
    let faults: [Fault; 6] = [
        no_version,
        ends_too_soon,
        another_kind,
        another_namespace,
        no_label,
        not_selected,
    ];
    for page in [1, 2] {
        thread::scope(|scope| {
            for fault in faults {
                scope.spawn(move || {
                    let space = Space::seven();
                    let args = ["--yes", "-l", "app!=x"];
                    let (proxy, run) = purge(&space, &args, move |request, up| {
                        match request.continues() == (page == 2) && request.nth == page {
                            true => fault(request, up),
                            false => up.pass(request),
                        }
                    });
                    is_whole(&space, &proxy, run);
                });
            }
        });
    }
}

/// A cache that answers in the server's place shows what was, and a Job that has been protected since would be deleted.
#[test]
fn a_second_list_is_not_older_than_the_first() {
    for (stale_for, code) in [(1, 0), (usize::MAX, 1)] {
        let space = Space::seven();
        let namespace = space.name.clone();
        let before = Arc::new(Mutex::new(None));
        let proxy = Proxy::new(ApiClient::admin(plane()), move |request, up| {
            if request.kind != Kind::List {
                return up.pass(request);
            }
            if request.nth == 1 {
                // What was there before something else moved the cluster on.
                *before.lock().unwrap() = Some(up.pass(request));
                let note = json!({"metadata": {"annotations": {"note": "x"}}});
                up.patch_job(&namespace, "sync-7", &note);
                return up.pass(request);
            }
            let protect = json!({"metadata": {"annotations": {"jobclean/keep": "true"}}});
            up.patch_job(&namespace, "sync-1", &protect);
            if request.nth <= stale_for.saturating_add(1) {
                let stale = before.lock().unwrap();
                return stale.clone().unwrap();
            }
            up.pass(request)
        });
        let tool = proxy.tool(&space.name, &["--cascade=background", "-o", "json", "-v"]);
        let mut terminal = Terminal::start(&tool, 200);
        terminal.wait_for("Purge 6 Jobs");
        terminal.enter("y");
        let left = terminal.finish().exits(code);
        assert!(
            left.raw.contains("older than what was seen before"),
            "{}",
            left.text
        );
        if code == 0 {
            space.holds(&["sync-1", "sync-7"]);
        } else {
            assert_eq!(space.names().len(), 7);
            assert_eq!(proxy.count(Kind::Delete), 0);
        }
    }
}

/// What comes from a login page or a proxy is said to, at once, and not taken for a lack of rights.
#[test]
fn something_that_is_no_api_server_is_named_at_once() {
    let page = || b"<!DOCTYPE html>\n<html>Log in</html>".to_vec();
    let html = || {
        vec![(
            "content-type".to_owned(),
            "text/html; charset=utf-8".to_owned(),
        )]
    };
    for (status, headers, body) in [
        (200, html(), page()),
        (200, Vec::new(), page()),
        (
            302,
            vec![("location".to_owned(), "/login".to_owned())],
            Vec::new(),
        ),
        (307, html(), page()),
        (401, html(), page()),
        (403, html(), page()),
        (404, html(), page()),
    ] {
        let space = Space::seven();
        let (proxy, run) = purge(&space, &["--yes"], move |_, _| {
            Reply::new(status, headers.clone(), body.clone())
        });
        let run = run.fails_clearly(&["is not a Kubernetes API server", &status.to_string()]);
        assert!(!run.err.contains("jobs.batch"), "{}", run.story());
        assert_eq!(proxy.count(Kind::List), 1, "{status}");
    }
}

/// All of these at once, since most of the time goes into waiting.
#[test]
fn what_never_works_ends_with_nothing_deleted() {
    let faults: [(&str, Fault); 17] = [
        ("cut", cut),
        ("ends early", ends_early),
        ("garbled", garbled),
        ("foreign", foreign),
        ("reset", reset),
        ("stalls", stalls),
        ("other version", other_version),
        ("twice", twice),
        ("expired", expired),
        ("empty", empty),
        ("goes round", goes_round),
        ("goes round in twos", goes_round_in_twos),
        ("no version", no_version),
        ("ends too soon", ends_too_soon),
        ("another kind", another_kind),
        ("another namespace", another_namespace),
        ("no label", no_label),
    ];
    let failed = thread::scope(|scope| {
        let runs: Vec<_> = faults
            .iter()
            .map(|(name, fault)| {
                let fault = *fault;
                let run = scope.spawn(move || {
                    let space = Space::seven();
                    let (proxy, run) = purge(&space, &["--yes"], move |request, up| match request
                        .continues()
                    {
                        true => fault(request, up),
                        false => up.pass(request),
                    });
                    is_nothing(&space, &proxy, run);
                });
                (name, run)
            })
            .collect();
        runs.into_iter()
            .filter_map(|(name, run)| run.join().is_err().then_some(*name))
            .collect::<Vec<_>>()
    });
    assert_eq!(
        failed, [""; 0],
        "these do not end well; each says why above"
    );
}

/// Who does not speak protobuf answers in JSON.
#[test]
fn json_is_understood_as_well() {
    let space = Space::seven();
    let (proxy, run) = purge(&space, &["--yes"], json_page);
    is_whole(&space, &proxy, run);
    for seen in proxy.seen_of(Kind::List) {
        let (_, accept) = seen
            .request
            .headers
            .iter()
            .find(|(name, _)| name == "accept")
            .unwrap();
        assert!(
            accept.starts_with("application/vnd.kubernetes.protobuf"),
            "{accept}"
        );
        assert!(accept.contains("application/json"), "{accept}");
    }
}

/// A fresh read, and the same question on each page.
#[test]
fn pages_are_of_one_question() {
    let space = Space::seven();
    let (proxy, run) = purge(&space, &["--yes", "-l", "app!=x"], |request, up| {
        up.pass(request)
    });
    is_whole(&space, &proxy, run);
    let without_token = |target: &str| {
        let parts = target
            .split('&')
            .filter(|part| !part.starts_with("continue="));
        parts.collect::<Vec<_>>().join("&")
    };
    let seen = proxy.seen_of(Kind::List);
    assert_eq!(seen.len(), 4);
    let first = without_token(&seen[0].request.target);
    for seen in &seen {
        assert_eq!(without_token(&seen.request.target), first);
        assert!(
            !seen.request.target.contains("resourceVersion"),
            "{}",
            seen.request.target
        );
    }
}

#[test]
fn a_job_without_what_a_verdict_needs_fails_the_list() {
    for (field, value) in [
        ("uid", Value::Null),
        ("creationTimestamp", Value::Null),
        ("resourceVersion", Value::Null),
    ] {
        let space = Space::seven();
        let (proxy, run) = purge(&space, &["--yes"], move |request, up| {
            let page = json_page(request, up);
            page.alter(|page| page["items"][0]["metadata"][field] = value.clone())
        });
        is_nothing(&space, &proxy, run);
    }
}
