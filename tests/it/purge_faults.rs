//! Deletes whose answers are lost, late or garbled: each is sent again, hits nothing else, and counts once.

use std::process::Command;
use std::thread;

use rustix::process::Signal;
use serde_json::{Value, json};

use super::LINE;
use crate::support::account::{account, count, message};
use crate::support::kubeconfig::{Files, arg};
use crate::support::proxy::{Kind, Proxy, Reply, Request};
use crate::support::running::Running;
use crate::support::tool::shell;
use crate::support::{ApiClient, LABEL, Space, outcomes, plane, run};

const ARGS: [&str; 5] = ["--yes", "--request-timeout=2s", "-o", "json", "-v"];

/// Purges through a proxy that does this to deletes, and holds the report against the cluster.
#[track_caller]
fn purge(
    space: &Space,
    args: &[&str],
    code: i32,
    delete: impl Fn(&Request, &ApiClient) -> Reply + Send + Sync + 'static,
) -> (Proxy, Value) {
    let proxy = Proxy::new(
        ApiClient::admin(plane()),
        move |request, up| match request.kind {
            Kind::Delete => delete(request, up),
            _ => up.pass(request),
        },
    );
    let args = [&ARGS[..], args].concat();
    let report = run(proxy.tool_over(LINE, &space.name, &args))
        .exits(code)
        .json();
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
    // No other client deleted any.
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
    // A proxy may ask to come again later when it is too late for that.
    for status in [429, 500, 502, 503, 504] {
        let report = answered_by(move |_| Reply::refusal(status, "Trouble", "it broke"));
        assert_eq!(count(&report, "deleted"), 6, "{status}");
    }
}

/// What is no answer of an API server to this very delete.
#[test]
fn a_success_that_is_about_something_else() {
    type Change = fn(&mut Value);
    let changes: [(&str, Change); 6] = [
        ("another uid", |answer| {
            answer["details"]["uid"] = "another".into();
        }),
        ("another kind", |answer| answer["kind"] = "Pod".into()),
        ("a list", |answer| answer["kind"] = "JobList".into()),
        ("another Job", |answer| {
            *answer = json!({
                "apiVersion": "batch/v1", "kind": "Job",
                "metadata": {"name": "a", "uid": "another", "deletionTimestamp": "2026-01-01T00:00:00Z"},
            });
        }),
        ("no kind", |answer| *answer = json!({"status": "ok"})),
        ("nothing", |answer| *answer = Value::Null),
    ];
    for (what, change) in changes {
        let report = answered_by(move |real| as_json(real).alter(change));
        assert_eq!(count(&report, "deleted"), 6, "{what}");
    }
    let report = answered_by(|_| Reply::web_page(200));
    assert_eq!(count(&report, "deleted"), 6, "a web page");
}

/// The answer to a delete as one in JSON.
fn as_json(real: Reply) -> Reply {
    assert_eq!(real.status, 200);
    let kind = ("content-type".to_owned(), "application/json".to_owned());
    let status = json!({"apiVersion": "v1", "kind": "Status", "status": "Success", "details": {}});
    Reply::new(200, vec![kind], status.to_string().into_bytes())
}

/// None of them reaches the server, and all of them say that it went well.
#[test]
fn a_false_success_is_not_believed() {
    type Answer = fn(&Request) -> Reply;
    let answers: [(&str, Answer); 4] = [
        ("a web page", |_| Reply::web_page(200)),
        ("a Status that says Failure", |_| {
            let mut refusal = Reply::refusal(403, "Forbidden", "not for you");
            refusal.status = 200;
            refusal
        }),
        ("another Job's Status", |_| {
            let mut status = Reply::refusal(200, "", "");
            status = status.alter(|status| {
                status["status"] = "Success".into();
                status["details"] = json!({"uid": "another"});
            });
            status
        }),
        ("the Job as it was", |request| {
            let uid = request.json()["preconditions"]["uid"].clone();
            let kind = ("content-type".to_owned(), "application/json".to_owned());
            let job = json!({"kind": "Job", "apiVersion": "batch/v1", "metadata": {"uid": uid}});
            Reply::new(200, vec![kind], job.to_string().into_bytes())
        }),
    ];
    thread::scope(|scope| {
        for (what, answer) in answers {
            scope.spawn(move || {
                let space = Space::three();
                for dry_run in [true, false] {
                    let proxy =
                        Proxy::new(
                            ApiClient::admin(plane()),
                            move |request, up| match request.kind {
                                Kind::Delete if request.again == 1 => answer(request),
                                _ => up.pass(request),
                            },
                        );
                    let mode = if dry_run { "--dry-run" } else { "--yes" };
                    let args = [mode, "--cascade=background", "-o", "json"];
                    let run = run(proxy.tool_over(LINE, &space.name, &args));
                    let report = run.json();
                    if !dry_run {
                        account(&report, &proxy.upstream().jobs(&space.name));
                    }
                    if what == "a Status that says Failure" {
                        assert_eq!(run.code, Some(3), "{what}");
                        assert_eq!(count(&report, "failed"), 2, "{what}");
                        assert!(message(&report, "sync-1").contains("not for you"));
                    } else if dry_run {
                        // The Job itself is what a dry run of a foreground delete shows.
                        let tries = if what == "the Job as it was" { 2 } else { 4 };
                        assert_eq!(count(&report, "would-delete"), 2, "{what}");
                        assert_eq!(proxy.count(Kind::Delete), tries, "{what}");
                    } else {
                        assert_eq!(count(&report, "deleted"), 2, "{what}");
                        assert_eq!(proxy.count(Kind::Delete), 4, "{what}");
                    }
                }
            });
        }
    });
}

/// Something between here and the server answers for it. That the Jobs are there and have not changed shows that it was no
/// conflict and that they are not gone; asking again and again would not change that.
#[test]
fn a_refusal_of_a_job_that_has_not_changed_has_failed() {
    for (status, reason, words) in [
        (
            409,
            "Conflict",
            "admission webhook \"guard\" denied the request",
        ),
        (
            404,
            "NotFound",
            "the server could not find the requested resource",
        ),
        (404, "NotFound", "namespaces \"x\" not found"),
    ] {
        let space = Space::seven();
        let (proxy, report) = purge(&space, &["--cascade=background"], 3, move |_, _| {
            Reply::refusal(status, reason, words)
        });
        assert_eq!(count(&report, "failed"), 6, "{words}");
        assert!(message(&report, "sync-1").contains(words), "{report:#}");
        assert_eq!(proxy.count(Kind::Delete), 6, "{words}");
        assert_eq!(proxy.count(Kind::Reread), 6, "{words}");
        assert_eq!(space.names().len(), 7);
    }
}

/// The first answer is lost on the way, in the way of a proxy that asks to come again later. With `foreground` the Job is
/// still there.
#[test]
fn a_job_that_is_still_there_is_not_gone() {
    for status in [429, 503] {
        let space = Space::new();
        let held = space.job("g", "sync-1", 2).finalizer("test.example/hold");
        space.seed(&[held, space.job("g", "sync-2", 1)]);
        for (args, code) in [(&["--timeout=1s"][..], 3), (&[], 0)] {
            let (_proxy, report) = purge(&space, args, code, move |request, up| {
                let real = up.pass(request);
                match request.again {
                    1 => Reply::refusal(status, "Trouble", "later").header("retry-after", 0),
                    _ => real,
                }
            });
            assert_eq!(outcomes(&report), ["sync-1 terminating"], "{status}");
            let free = json!({"metadata": {"finalizers": null}});
            ApiClient::admin(plane()).patch_job(&space.name, "sync-1", &free);
            crate::support::until("it is gone", || space.names().len() == 1);
            space.seed(&[space.job("g", "sync-1", 2).finalizer("test.example/hold")]);
        }
    }
}

/// A signal comes while a Job waits to be tried again, after its delete has taken effect.
#[test]
fn what_may_have_been_deleted_is_not_called_untried() {
    for status in [429, 503] {
        let space = Space::three();
        let proxy = Proxy::new(ApiClient::admin(plane()), move |request, up| {
            let real = up.pass(request);
            match request.kind {
                Kind::Delete => {
                    Reply::refusal(status, "Trouble", "later").header("retry-after", 30)
                }
                _ => real,
            }
        });
        let args = ["--yes", "--cascade=background", "-o", "json", "-v"];
        let running = Running::start(proxy.tool_over(LINE, &space.name, &args));
        crate::support::until("both wait to be tried again", || {
            running.said().matches("waiting ").count() == 2
        });
        running.signal(Signal::TERM);
        let report = running.finish().exits(143).json();
        assert_eq!(count(&report, "failed"), 2, "{status} {report:#}");
        assert!(message(&report, "sync-1").contains("later"), "{report:#}");
        space.holds(&["sync-3"]);
    }
}

/// There are proxies that take a DELETE for a request without a body.
#[test]
fn a_body_that_is_dropped_changes_nothing() {
    let drops = |request: &Request, up: &ApiClient| {
        let mut bare = request.clone();
        if request.kind == Kind::Delete {
            bare.body.clear();
            bare.headers
                .retain(|(name, _)| name != "content-length" && name != "content-type");
        }
        up.pass(&bare)
    };
    let space = Space::seven();
    let proxy = Proxy::new(ApiClient::admin(plane()), drops);
    let report = run(proxy.tool_over(LINE, &space.name, &["--dry-run", "-o", "json"]))
        .exits(0)
        .json();
    assert_eq!(count(&report, "would-delete"), 6);
    assert_eq!(space.names().len(), 7);
    // The preconditions hold all the same: this one is another Job by now.
    let namespace = space.name.clone();
    let (_proxy, report) = purge(&space, &["--cascade=foreground"], 0, move |request, up| {
        if request.name() == "sync-1" && request.again == 1 {
            assert!(up.delete_job(&namespace, "sync-1"));
            up.create_job(&namespace, "sync-1", "g");
        }
        drops(request, up)
    });
    assert!(
        outcomes(&report).contains(&"sync-1 changed".to_owned()),
        "{report:#}"
    );
    // `orphan` is what batch/v1 does where no policy is named; with `foreground` the Jobs wait for the collector.
    assert_eq!(count(&report, "terminating"), 5, "{report:#}");
}

/// A few kilobytes unpack to gigabytes; what is kept of them is bounded.
#[test]
fn an_answer_without_end_is_not_kept() {
    let space = Space::three();
    let files = Files::new();
    let bomb = files.path("bomb.gz");
    let script = format!("head -c 1500000000 /dev/zero | gzip -1 > '{}'", arg(&bomb));
    assert!(
        Command::new("sh")
            .args(["-c", &script])
            .status()
            .unwrap()
            .success()
    );
    let bomb = std::fs::read(bomb).unwrap();
    for status in [200, 500] {
        let bomb = bomb.clone();
        let proxy = Proxy::new(ApiClient::admin(plane()), move |request, up| {
            match (request.kind, request.again) {
                (Kind::Delete, 1) => {
                    let headers = [
                        ("content-type", "application/json"),
                        ("content-encoding", "gzip"),
                    ];
                    let headers = headers.map(|(name, value)| (name.to_owned(), value.to_owned()));
                    Reply::new(status, headers.to_vec(), bomb.clone())
                }
                _ => up.pass(request),
            }
        });
        let args = [
            "--yes",
            "--cascade=background",
            "--concurrency=2",
            "-o",
            "json",
        ];
        // The answers would take six times this.
        let script = "ulimit -v 500000; exec \"$@\"";
        let run = run(shell(script, &proxy.tool_over(LINE, &space.name, &args)));
        let report = run.exits(0).json();
        assert_eq!(count(&report, "deleted"), 2, "{status}");
        assert_eq!(proxy.count(Kind::Delete), 4);
        space.seed(&[space.job("g", "sync-1", 40), space.job("g", "sync-2", 30)]);
    }
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
            2 => Reply::refusal(502, "BadGateway", "no server is there"),
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

/// Purges while the answer to the first delete of this Job is lost, and this is done to the namespace before the second.
#[track_caller]
fn meanwhile(
    space: &Space,
    name: &'static str,
    change: impl Fn(&ApiClient, &str) + Send + Sync + 'static,
) -> (Proxy, Value) {
    let namespace = space.name.clone();
    purge(space, &["--cascade=background"], 0, move |request, up| {
        let real = up.pass(request);
        if request.name() == name && request.again == 1 {
            change(up, &namespace);
            return Reply::reset();
        }
        real
    })
}

/// Between the two tries a Job of that name is made anew: the second must not hit it.
#[test]
fn a_lost_answer_about_a_job_whose_name_is_taken_again() {
    let space = Space::seven();
    let (proxy, report) = meanwhile(&space, "sync-3", |up, namespace| {
        up.create_job(namespace, "sync-3", "g");
    });
    space.holds(&["sync-3", "sync-7"]);
    assert_eq!(count(&report, "deleted") + count(&report, "changed"), 6);
    assert!(proxy.count(Kind::Delete) >= 7);
}

/// The same, but the new Job is not of those that are cleaned up. Ours is deleted all the same.
#[test]
fn a_lost_answer_about_a_job_whose_name_another_kind_of_job_takes() {
    for label in [None, Some("elsewhere")] {
        let space = Space::seven();
        let (_, report) = meanwhile(&space, "sync-3", move |up, namespace| {
            up.create_job(namespace, "sync-3", "g");
            let label = json!({"metadata": {"labels": {LABEL: label}}});
            up.patch_job(namespace, "sync-3", &label);
        });
        assert_eq!(count(&report, "deleted"), 6, "{report:#}");
        space.holds(&["sync-3", "sync-7"]);
    }
}

/// What is being deleted is the new Job: ours is gone, and does not wait for anything.
#[test]
fn a_lost_answer_about_a_job_whose_name_is_taken_by_one_that_goes() {
    let space = Space::seven();
    let (_, report) = meanwhile(&space, "sync-3", |up, namespace| {
        up.create_job(namespace, "sync-3", "g");
        let hold = json!({"metadata": {"finalizers": ["test.example/hold"]}});
        up.patch_job(namespace, "sync-3", &hold);
        up.delete_job(namespace, "sync-3");
    });
    assert_eq!(count(&report, "deleted"), 6, "{report:#}");
    space.holds(&["sync-3", "sync-7"]);
}

/// A Job that waits for its finalizer is deleted, however it is labelled by then.
#[test]
fn a_lost_answer_about_a_job_that_is_relabelled_and_waits() {
    let space = Space::new();
    let held = space.job("g", "sync-1", 2).finalizer("test.example/hold");
    space.seed(&[held, space.job("g", "sync-2", 1)]);
    let (_, report) = meanwhile(&space, "sync-1", |up, namespace| {
        let label = json!({"metadata": {"labels": {LABEL: null}}});
        up.patch_job(namespace, "sync-1", &label);
    });
    assert_eq!(outcomes(&report), ["sync-1 terminating"]);
}

/// Only the API server knows that a Job is not there; a proxy that knows no such path does not.
#[test]
fn not_found_from_a_proxy_is_not_gone() {
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
    let uids = ApiClient::admin(plane()).jobs(&space.name);
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
