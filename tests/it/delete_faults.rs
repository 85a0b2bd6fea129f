//! Deletes whose answers are lost, late or garbled: each is sent again, hits nothing else, and counts once.

use serde_json::Value;

use crate::support::account::{account, count, message};
use crate::support::proxy::{Kind, Proxy, Reply, Request};
use crate::support::{Space, Upstream, outcomes, plane, run};

const ARGS: [&str; 5] = ["--yes", "--request-timeout=2s", "-o", "json", "-v"];

/// Purges through a proxy that does this to deletes, and holds the report against the cluster.
#[track_caller]
fn purge(
    space: &Space,
    args: &[&str],
    code: i32,
    delete: impl Fn(&Request, &Upstream) -> Reply + Send + Sync + 'static,
) -> (Proxy, Value) {
    let proxy = Proxy::new(Upstream::admin(plane()), move |request, up| {
        match request.kind {
            Kind::Delete => delete(request, up),
            _ => up.pass(request),
        }
    });
    let args = [&ARGS[..], args].concat();
    let report = run(proxy.tool(&space.name, &args)).exits(code).json();
    account(&report, &proxy.upstream().jobs(&space.name));
    (proxy, report)
}

/// The first delete of each Job takes effect, and this becomes of the answer.
#[track_caller]
fn answered_by(answer: impl Fn(Reply) -> Reply + Send + Sync + 'static) -> Value {
    let space = Space::seven();
    let (proxy, report) = purge(&space, &["--cascade=background"], 0, move |request, up| {
        let real = up.pass(request);
        match request.again {
            1 => answer(real),
            _ => real,
        }
    });
    assert_eq!(count(&report, "deleted") + count(&report, "gone"), 6);
    assert_eq!(proxy.count(Kind::Delete), 12, "each is sent again, once");
    space.holds(&["sync-7"]);
    report
}

#[test]
fn an_answer_that_is_reset() {
    let report = answered_by(|_| Reply::reset());
    // Nobody else was there.
    assert_eq!(count(&report, "deleted"), 6);
}

#[test]
fn an_answer_that_is_cut() {
    let report = answered_by(|real| real.cut(40));
    assert_eq!(count(&report, "deleted"), 6);
}

#[test]
fn an_answer_that_ends_early() {
    answered_by(|real| real.ends_at(40));
}

#[test]
fn an_answer_that_stalls() {
    let report = answered_by(|real| real.stalls(10));
    assert_eq!(count(&report, "deleted"), 6);
}

#[test]
fn an_answer_that_does_not_decode() {
    answered_by(|mut real| {
        real.body.reverse();
        real
    });
}

#[test]
fn a_servers_failure_after_it_did_it() {
    for status in [500, 502, 504] {
        let report = answered_by(move |_| Reply::refusal(status, "Trouble", "it broke"));
        assert_eq!(count(&report, "deleted"), 6, "{status}");
    }
    answered_by(|_| Reply::refusal(503, "ServiceUnavailable", "it broke"));
}

#[test]
fn a_delete_that_never_arrived() {
    let space = Space::seven();
    let (proxy, report) = purge(
        &space,
        &["--cascade=background"],
        0,
        |request, up| match request.again {
            1 => Reply::reset(),
            2 => Reply::refusal(502, "BadGateway", "nobody is there"),
            _ => up.pass(request),
        },
    );
    assert_eq!(count(&report, "deleted"), 6);
    assert_eq!(proxy.count(Kind::Delete), 18);
}

/// The Job waits for its finalizer, so the second try finds another version of it.
#[test]
fn a_lost_answer_about_a_job_that_waits_for_a_finalizer() {
    let space = Space::new();
    let held = space.job("g", "sync-1", 2).finalizer("test.example/hold");
    space.seed(&[held, space.job("g", "sync-2", 1)]);
    for cascade in ["background", "foreground"] {
        let args = [&format!("--cascade={cascade}")[..], "--include-active"];
        let (proxy, report) = purge(&space, &args[..1], 0, |request, up| {
            let real = up.pass(request);
            match request.again {
                1 => Reply::reset(),
                _ => real,
            }
        });
        assert_eq!(outcomes(&report), ["sync-1 terminating"], "{args:?}");
        assert_eq!(proxy.count(Kind::Delete), 2);
        let gone = serde_json::json!({"metadata": {"finalizers": null}});
        proxy.upstream().patch_job(&space.name, "sync-1", &gone);
        crate::support::until("it is gone", || space.names().len() == 1);
        space.seed(&[space.job("g", "sync-1", 2).finalizer("test.example/hold")]);
    }
}

/// Between the two tries somebody makes a Job of that name anew: the second must not hit it.
#[test]
fn a_lost_answer_about_a_job_whose_name_is_taken_again() {
    let space = Space::seven();
    let namespace = space.name.clone();
    let (proxy, report) = purge(&space, &["--cascade=background"], 0, move |request, up| {
        let real = up.pass(request);
        if request.name() == "sync-3" && request.again == 1 {
            up.create_job(&namespace, "sync-3", "g");
            return Reply::reset();
        }
        real
    });
    space.holds(&["sync-3", "sync-7"]);
    assert_eq!(count(&report, "deleted") + count(&report, "changed"), 6);
    assert!(proxy.count(Kind::Delete) >= 7);
}

/// Only the API server knows that a Job is not there; a proxy that knows no such path does not.
#[test]
fn not_found_by_somebody_else_is_not_gone() {
    let space = Space::seven();
    let (_, report) = purge(
        &space,
        &["--cascade=background"],
        3,
        |request, up| match request.name().as_str() {
            "sync-2" => Reply::new(404, Vec::new(), b"404 page not found".to_vec()),
            _ => up.pass(request),
        },
    );
    assert_eq!(count(&report, "failed"), 1);
    assert!(message(&report, "sync-2").contains("404"), "{report:#}");
    space.holds(&["sync-2", "sync-7"]);
}

/// Whatever goes on with its connection, a delete names the very Job that was planned.
#[test]
fn each_try_carries_the_same_preconditions() {
    let space = Space::seven();
    let versions = space.versions();
    let uids = Upstream::admin(plane()).jobs(&space.name);
    let (proxy, _) = purge(&space, &[], 0, |request, up| match request.again {
        1 => Reply::reset(),
        _ => up.pass(request),
    });
    for seen in proxy.seen_of(Kind::Delete) {
        let (name, options) = (seen.request.name(), seen.request.json());
        let preconditions = &options["preconditions"];
        assert_eq!(preconditions["uid"], *uids[&name], "{options}");
        assert_eq!(
            preconditions["resourceVersion"], *versions[&name],
            "{options}"
        );
        assert_eq!(options["propagationPolicy"], "Foreground");
    }
}
