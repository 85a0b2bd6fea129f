//! Waiting while the server is in trouble: it looks again, not for ever, and never says of a Job that it is gone
//! because it could not be seen.

use std::sync::atomic::{AtomicUsize, Ordering};

use serde_json::{Value, json};

use crate::support::proxy::{Proxy, Reply, Request};
use crate::support::running::{Ended, Running};
use crate::support::{ApiClient, Space, outcomes, plane, until};

const HOLD: &str = "test.example/hold";
const STILL: [&str; 10] = [
    "sync-1 terminating",
    "sync-2 terminating",
    "sync-3 terminating",
    "sync-4 terminating",
    "sync-5 terminating",
    "sync-6 terminating",
    "sync-7 terminating",
    "sync-8 terminating",
    "sync-9 terminating",
    "sync-10 terminating",
];

/// Ten Jobs that a finalizer holds, and `sync-0`, which stays; and more than a page of others, which are not its business.
fn ten() -> Space {
    let space = Space::new();
    let mut jobs = vec![space.job("g", "sync-0", 0)];
    let held = STILL.iter().enumerate().map(|(age, line)| {
        let name = line.split(' ').next().unwrap();
        let age = i64::try_from(age).unwrap() + 1;
        space.job("g", name, age).finalizer(HOLD)
    });
    jobs.extend(held);
    jobs.extend(
        (0..9).map(|number| space.job(&format!("{number}"), &format!("other-{number}"), 1)),
    );
    space.seed(&jobs);
    space
}

/// Whether a request looks for what is left, and which of them it is, from 1.
fn looks(request: &Request, count: &AtomicUsize) -> Option<usize> {
    let accept = request.headers.iter().find(|(name, _)| name == "accept")?;
    let is_look =
        accept.1.contains("PartialObjectMetadataList") && request.target.contains("/jobs?");
    is_look.then(|| count.fetch_add(1, Ordering::SeqCst) + 1)
}

/// Starts a purge that waits, by way of a proxy that answers its looks like this.
fn purging(
    space: &Space,
    args: &[&str],
    answer: impl Fn(usize, &Request, &ApiClient) -> Reply + Send + Sync + 'static,
) -> (Proxy, Running) {
    let count = AtomicUsize::new(0);
    let proxy = Proxy::new(ApiClient::admin(plane()), move |request, up| {
        match looks(request, &count) {
            Some(nth) => answer(nth, request, up),
            None => up.pass(request),
        }
    });
    let always = [
        "--yes",
        "--cascade=background",
        "-o",
        "json",
        "--chunk-size=4",
    ];
    let running = Running::start(proxy.tool(&space.name, &[&always, args].concat()));
    (proxy, running)
}

/// Lets all of them go once it waits, and then all are deleted.
#[track_caller]
fn ends_well(space: &Space, running: Running) -> Ended {
    until("it waits", || running.said().contains("waiting until"));
    let admin = ApiClient::admin(plane());
    for line in STILL {
        let name = line.split(' ').next().unwrap();
        admin.patch_job(
            &space.name,
            name,
            &json!({"metadata": {"finalizers": null}}),
        );
    }
    let ended = running.finish().exits(0);
    let deleted = STILL.map(|line| line.replace("terminating", "deleted"));
    assert_eq!(outcomes(&ended.json()), deleted);
    ended
}

#[track_caller]
fn still_there(ended: &Ended) -> Value {
    let report = ended.json();
    assert_eq!(outcomes(&report), STILL);
    report
}

#[test]
fn trouble_that_passes_is_waited_out() {
    let space = ten();
    let (proxy, running) = purging(&space, &["--wait", "-v"], |nth, request, up| match nth {
        1 => Reply::refusal(429, "TooManyRequests", "come again").header("retry-after", 1),
        2 => Reply::refusal(500, "InternalError", "oh"),
        3 => Reply::reset(),
        4 => up.pass(request).cut(60),
        5 => up.pass(request).ends_at(60),
        6 => Reply::new(
            200,
            vec![("content-type".into(), "text/html".into())],
            b"<html>".to_vec(),
        ),
        _ => up.pass(request),
    });
    let ended = ends_well(&space, running);
    assert!(ended.err.contains("before looking again"), "{}", ended.err);
    assert!(proxy.seen().len() > 6);
}

/// A list as a server sends it that gives metadata in JSON only, changed.
fn altered(request: &Request, up: &ApiClient, change: impl FnOnce(&mut Value)) -> Reply {
    let accept = "application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1";
    up.pass(&request.with_header("accept", accept))
        .alter(change)
}

/// Each of these shows nothing of the Jobs, and none of them is what was asked for.
#[test]
fn a_list_that_is_not_what_was_asked_for_shows_nothing() {
    type Change = fn(&mut Value);
    let empties: [(&str, Change); 6] = [
        ("another kind", |list| list["kind"] = "PodList".into()),
        ("no version", |list| {
            list["metadata"]["resourceVersion"] = "".into()
        }),
        ("older", |list| {
            list["metadata"]["resourceVersion"] = "1".into()
        }),
        ("more remain", |list| {
            list["metadata"]["remainingItemCount"] = 9.into()
        }),
        ("elsewhere", |list| {
            list["items"] =
                json!([{"metadata": {"name": "sync-1", "namespace": "other", "uid": "1"}}]);
        }),
        ("a status", |list| {
            *list = json!({"kind": "Status", "status": "Success"})
        }),
    ];
    let empty = |change: Change, request: &Request, up: &ApiClient| {
        altered(request, up, |list| {
            list["items"] = json!([]);
            list["metadata"]["continue"] = "".into();
            list["metadata"]
                .as_object_mut()
                .unwrap()
                .remove("remainingItemCount");
            change(list);
        })
    };
    std::thread::scope(|scope| {
        for (what, change) in empties {
            scope.spawn(move || {
                // It passes.
                let space = ten();
                let (_proxy, running) = purging(&space, &["--wait"], move |nth, request, up| {
                    if nth == 1 {
                        empty(change, request, up)
                    } else {
                        up.pass(request)
                    }
                });
                ends_well(&space, running);
                // It stays.
                let space = ten();
                let (_proxy, running) =
                    purging(&space, &["--timeout=3s"], move |_, request, up| {
                        empty(change, request, up)
                    });
                let ended = running.finish().exits(3);
                still_there(&ended);
                assert!(
                    ended.err.contains("cannot be seen"),
                    "{what}: {}",
                    ended.err
                );
            });
        }
    });
}

/// A page that is missing is no sign that its Jobs are gone.
#[test]
fn a_snapshot_that_expires_is_begun_anew() {
    let space = ten();
    let (_proxy, running) = purging(&space, &["--timeout=3s"], |nth, request, up| {
        if nth % 3 == 2 && request.continues() {
            return Reply::refusal(410, "Expired", "too old");
        }
        up.pass(request)
    });
    still_there(&running.finish().exits(3));
}

#[test]
fn a_server_that_sends_json_is_understood() {
    for accept in [
        "application/json",
        "application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1",
    ] {
        let space = ten();
        let (_proxy, running) = purging(&space, &["--timeout=2s"], move |_, request, up| {
            up.pass(&request.with_header("accept", accept))
        });
        let report = still_there(&running.finish().exits(3));
        let held = report["groups"].to_string().matches(HOLD).count();
        assert_eq!(held, 10, "{report:#}");
    }
}

#[test]
fn what_may_not_be_seen_is_not_gone() {
    let space = ten();
    let (_proxy, running) = purging(&space, &["--wait"], |_, _, _| {
        Reply::refusal(403, "Forbidden", "jobs.batch is forbidden: not any more")
    });
    let ended = running.finish().exits(3);
    still_there(&ended);
    let words = "cannot be seen whether they are: jobs.batch is forbidden: not any more";
    assert!(ended.err.contains(words), "{}", ended.err);
}

/// What holds them is known from before.
#[test]
fn trouble_that_stays_ends_with_the_deadline() {
    let space = ten();
    let (_proxy, running) = purging(&space, &["--timeout=4s"], |nth, request, up| match nth {
        1..=6 => up.pass(request),
        _ => Reply::reset(),
    });
    let ended = running.finish().exits(3);
    let report = still_there(&ended);
    let held = report["groups"].to_string().matches(HOLD).count();
    assert_eq!(held, 10, "{report:#}");
    assert!(ended.err.contains("after 4 s"), "{}", ended.err);
}

/// It is polite: a list for each look, in chunks, and ever longer pauses.
#[test]
fn it_looks_less_and_less_often() {
    let space = ten();
    let (proxy, running) = purging(&space, &["--timeout=6s"], |_, request, up| up.pass(request));
    still_there(&running.finish().exits(3));
    let seen = proxy.seen();
    let looks = seen.iter().filter(|seen| {
        let accept = seen
            .request
            .headers
            .iter()
            .find(|(name, _)| name == "accept");
        accept.is_some_and(|(_, value)| value.contains("PartialObjectMetadataList"))
    });
    let (first, rest): (Vec<_>, Vec<_>) = looks.partition(|seen| !seen.request.continues());
    // Pauses of 0.5, 0.75, 1.1, 1.7, 2.5 s; and one last look.
    assert!((2..=7).contains(&first.len()), "{}", first.len());
    // Twenty Jobs in pages of four.
    assert!(
        rest.len() >= 4 * (first.len() - 1),
        "{} {}",
        first.len(),
        rest.len()
    );
    let limited = |seen: &&_| -> bool {
        let seen: &&crate::support::proxy::Seen = seen;
        seen.request.target.contains("limit=4")
    };
    assert!(first.iter().all(limited) && rest.iter().all(limited));
}
