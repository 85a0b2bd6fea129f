//! A server that wants fewer requests gets fewer, and one that refuses for good is not asked for ever.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use super::LINE;
use crate::support::account::{account, count};
use crate::support::control_plane::job_in;
use crate::support::own_control_plane::{namespace_of, own_control_plane, squeeze};
use crate::support::proxy::{Kind, Proxy, Reply, Seen};
use crate::support::running::{Gate, Running};
use crate::support::{ApiClient, Run, Space, outcomes, plane, run, tool, until};

const ARGS: [&str; 4] = ["--yes", "--cascade=background", "-o", "json"];

fn most_in_flight(deletes: &[Seen]) -> usize {
    let in_flight = deletes.iter().map(|seen| seen.request.in_flight);
    in_flight.max().unwrap()
}

/// The server's own priority and fairness answers 429, since this user may have one request at a time.
#[test]
fn a_real_servers_429_makes_it_slower_and_loses_nothing() {
    const LIMIT: usize = 16;
    let plane = own_control_plane();
    let user = "squeezed";
    squeeze(&plane, user);
    let namespace = namespace_of(&plane, 61);
    // As many as may leave together; what leaves after the first 429 is held until it can be counted.
    let (crowd, later) = (Gate::new(), Gate::new());
    let (crowd_passes, later_passes) = (crowd.turnstile(), later.turnstile());
    let (pressed, held) = (AtomicBool::new(false), Arc::new(AtomicUsize::new(0)));
    let holding = Arc::clone(&held);
    let proxy = Proxy::new(ApiClient::new(&plane, user, &[]), move |request, up| {
        if request.kind != Kind::Delete {
            return up.pass(request);
        }
        crowd_passes.pass();
        if pressed.load(Ordering::SeqCst) {
            holding.fetch_add(1, Ordering::SeqCst);
            later_passes.pass();
        }
        let reply = up.pass(request);
        pressed.fetch_or(reply.status == 429, Ordering::SeqCst);
        reply
    });
    let concurrency = format!("--concurrency={LIMIT}");
    let args = [&ARGS[..], &[&concurrency]].concat();
    let running = Running::start(proxy.tool_over(LINE, &namespace, &args));
    until("as many as may are in flight", || {
        proxy.count(Kind::Delete) == LIMIT
    });
    crowd.open();
    until("the server pushes back", || held.load(Ordering::SeqCst) > 0);
    // There are always more Jobs to try, so they come at once until no more may.
    let (mut most, mut since) = (0, Instant::now());
    while since.elapsed() < Duration::from_secs(1) {
        let now = held.load(Ordering::SeqCst);
        if now > most {
            (most, since) = (now, Instant::now());
        }
        thread::sleep(Duration::from_millis(20));
    }
    // Half of the limit, and what few successes of the crowd may have added.
    assert!(most <= LIMIT * 3 / 4, "{most} in flight after a 429");
    later.open();
    let report = running.finish().exits(0).json();
    assert_eq!(count(&report, "deleted"), 60);
    account(&report, &ApiClient::admin(&plane).jobs(&namespace));
    assert_eq!(most_in_flight(&proxy.seen_of(Kind::Delete)), LIMIT);
}

fn hundred() -> Space {
    let space = Space::new();
    let jobs: Vec<_> = (0..101)
        .map(|number| space.job("g", &format!("sync-{number:03}"), number))
        .collect();
    space.seed(&jobs);
    space
}

/// Fails unless it gave up soon, told why, and left everything that it did not try.
#[track_caller]
fn stopped_early(space: &Space, proxy: &Proxy, run: Run, why: &str) {
    let run = run.exits(3).complains(&[why, "early"]);
    let report = run.json();
    assert_eq!(space.names().len(), 101);
    account(&report, &ApiClient::admin(plane()).jobs(&space.name));
    let (failed, untried) = (count(&report, "failed"), count(&report, "not-attempted"));
    assert_eq!(failed + untried, 100);
    assert_eq!(failed, proxy.count(Kind::Delete) as u64);
    assert!((10..=64).contains(&failed), "{failed}");
}

/// The user has lost the right since he was asked about it.
#[test]
fn the_same_403_again_and_again_stops_early() {
    let space = hundred();
    space.kubeconfig_for("reader", &["list"]);
    let reader = ApiClient::new(plane(), &format!("reader-{}", space.name), &[]);
    let proxy = Proxy::new(
        ApiClient::admin(plane()),
        move |request, admin| match request.kind {
            Kind::Delete => reader.pass(request),
            _ => admin.pass(request),
        },
    );
    let run = run(proxy.tool_over(LINE, &space.name, &ARGS));
    stopped_early(&space, &proxy, run, "forbidden");
}

/// Makes the server itself deny deletes of Jobs in a namespace, with a message that this CEL expression gives.
fn deny_deletes(space: &Space, message: &str) {
    let name = format!("deny-{}", space.name);
    let policy = json!({
        "apiVersion": "admissionregistration.k8s.io/v1", "kind": "ValidatingAdmissionPolicy",
        "metadata": {"name": name},
        "spec": {
            "matchConstraints": {"resourceRules": [{
                "apiGroups": ["batch"], "apiVersions": ["v1"], "operations": ["DELETE"], "resources": ["jobs"],
            }]},
            "validations": [{"expression": "false", "messageExpression": message}],
        },
    });
    let binding = json!({
        "apiVersion": "admissionregistration.k8s.io/v1", "kind": "ValidatingAdmissionPolicyBinding",
        "metadata": {"name": name},
        "spec": {
            "policyName": name, "validationActions": ["Deny"],
            "matchResources": {"namespaceSelector": {"matchLabels": {
                "kubernetes.io/metadata.name": space.name,
            }}},
        },
    });
    plane()
        .kubectl_apply(&format!("{policy}\n---\n{binding}\n"))
        .unwrap();
    let admin = ApiClient::admin(plane());
    until("the policy is in force", || {
        let target = format!("{}/sync-000?dryRun=All", space.path());
        let (status, answer) = admin.ask("DELETE", &target, None);
        let message = answer["message"].as_str().unwrap_or_default();
        status != 200 && message.contains("no deletes today")
    });
}

fn denied(message: &str) {
    let space = hundred();
    deny_deletes(&space, message);
    let proxy = Proxy::new(ApiClient::admin(plane()), |request, up| up.pass(request));
    let run = run(proxy.tool_over(LINE, &space.name, &ARGS));
    stopped_early(&space, &proxy, run, "no deletes today");
}

#[test]
fn the_same_denial_by_admission_stops_early() {
    denied("'no deletes today'");
}

/// As policy engines say it, with the object's name and without quotes.
#[test]
fn a_denial_that_names_each_job_is_the_same_denial() {
    denied("'Job/' + request.namespace + '/' + request.name + ' was blocked: no deletes today'");
}

/// Half of the Jobs cannot go: that is no reason to leave the other half.
#[test]
fn refusals_between_successes_stop_nothing() {
    let space = hundred();
    space.kubeconfig_for("reader", &["list"]);
    let reader = ApiClient::new(plane(), &format!("reader-{}", space.name), &[]);
    let proxy = Proxy::new(ApiClient::admin(plane()), move |request, admin| {
        let is_odd = request.name().ends_with(['1', '3', '5', '7', '9']);
        match request.kind {
            Kind::Delete if is_odd => reader.pass(request),
            _ => admin.pass(request),
        }
    });
    // So few at a time that refusals cannot gather until 20 of them stand in a row.
    let args = [&ARGS[..], &["--concurrency=4"]].concat();
    let report: Value = run(proxy.tool_over(LINE, &space.name, &args))
        .exits(3)
        .json();
    account(&report, &proxy.upstream().jobs(&space.name));
    assert_eq!(
        (count(&report, "failed"), count(&report, "deleted")),
        (50, 50)
    );
    assert_eq!(outcomes(&report).len(), 100);
    // Successes make it send more at a time, but never more than that.
    assert!(most_in_flight(&proxy.seen_of(Kind::Delete)) <= 4);
    assert_eq!(space.names().len(), 51);
}

/// What is refused in one namespace may be allowed in the next.
#[test]
fn a_denial_stops_its_namespace_alone() {
    let key = &format!("test.example/stopped-{LINE:?}");
    // In the order of the plan.
    let spaces = [Space::new(), Space::new(), Space::new()];
    for space in &spaces {
        let jobs: Vec<_> = (0..61)
            .map(|number| job_in(&space.name, key, "g", &format!("sync-{number:02}"), number))
            .collect();
        space.seed(&jobs);
    }
    let denied = [&spaces[0], &spaces[1]].map(|space| format!("/{}/", space.name));
    let proxy = Proxy::new(ApiClient::admin(plane()), move |request, up| {
        let is_denied = denied.iter().any(|denied| request.target.contains(denied));
        if request.kind != Kind::Delete || !is_denied {
            return up.pass(request);
        }
        let words = format!("jobs.batch \"{}\" is forbidden: not today", request.name());
        Reply::refusal(403, "Forbidden", &words)
    });
    let mut command = tool();
    command.args(proxy.way(LINE));
    command.args(["-A", "-L", key]).args(ARGS);
    let run = run(command).exits(3);
    let report = run.json();
    assert_eq!(count(&report, "deleted"), 60, "{report:#}");
    let (failed, untried) = (count(&report, "failed"), count(&report, "not-attempted"));
    assert_eq!(failed + untried, 120);
    assert_eq!(failed + 60, proxy.count(Kind::Delete) as u64);
    assert!((40..=104).contains(&failed), "{failed}");
    assert_eq!(spaces[2].names().len(), 1);
    for space in &spaces[..2] {
        assert_eq!(space.names().len(), 61);
        let told = format!("stopped early in namespace {}: ", space.name);
        assert!(run.err.contains(&told), "{}", run.story());
    }
    assert!(
        !run.err
            .contains(&format!("in namespace {}", spaces[2].name))
    );
}
