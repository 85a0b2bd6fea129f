//! The API server dies in the middle of a purge, as by kill -9.

use controlplane::ControlPlane;

use super::LINE;
use crate::support::account::{account, count};
use crate::support::own_control_plane::{Etcd, fresh, namespace_of, own_control_plane};
use crate::support::proxy::{Kind, Proxy};
use crate::support::running::{Gate, Running};
use crate::support::{ApiClient, outcomes, until};

const ARGS: [&str; 7] = [
    "--yes",
    "--cascade=background",
    "--concurrency=8",
    "--request-timeout=5s",
    "-v",
    "-o",
    "json",
];

/// Starts a purge of 60 Jobs and kills the server when a part of them is gone.
fn killed(plane: &ControlPlane, namespace: &str) -> (Proxy, Running) {
    let (proxy, gate) = Gate::before(ApiClient::admin(plane), move |request| {
        request.kind == Kind::Delete && request.nth > 20
    });
    let running = Running::start(proxy.tool_over(LINE, namespace, &ARGS));
    until("a part is gone and more is on its way", || {
        let deletes = proxy.seen_of(Kind::Delete);
        let done = deletes.iter().filter(|seen| seen.status == 200).count();
        done == 20 && deletes.len() > 20
    });
    plane.kill_apiserver();
    gate.open();
    until("it has noticed", || running.said().contains("waiting "));
    (proxy, running)
}

#[test]
fn it_goes_on_when_the_server_is_back() {
    let plane = own_control_plane();
    let namespace = namespace_of(&plane, 61);
    let (_proxy, running) = killed(&plane, &namespace);
    plane.restart_apiserver().unwrap();
    let report = running.finish().exits(0).json();
    assert_eq!(count(&report, "deleted"), 60);
    let left = ApiClient::admin(&plane).jobs(&namespace);
    account(&report, &left);
    assert_eq!(left.into_keys().collect::<Vec<_>>(), ["job-000"]);
}

/// More than a minute, nearly all of it waiting; the other tests run beside it.
#[test]
fn it_gives_up_when_the_server_stays_away() {
    let plane = fresh();
    let namespace = namespace_of(&plane, 61);
    let mut left = ApiClient::admin(&plane).jobs(&namespace);
    let (_proxy, running) = killed(&plane, &namespace);
    let ended = running.finish().exits(3);
    assert!(ended.err.contains("error"), "{}", ended.err);
    let report = ended.json();
    let there = Etcd::of(&plane).jobs(&namespace);
    left.retain(|name, _| there.contains(name));
    account(&report, &left);
    assert_eq!(outcomes(&report).len(), 60);
    assert_eq!(count(&report, "deleted"), 20);
    assert_eq!(
        count(&report, "failed") + count(&report, "not-attempted"),
        40
    );
    assert_eq!(left.len(), 41);
}
