//! A Job whose delete meets a conflict is read again, by a list, however that goes; `purge_moments` has what it may find.

use serde_json::{Value, json};

use super::LINE;
use crate::support::account::{account, message};
use crate::support::backups::PURGE;
use crate::support::proxy::{Kind, Proxy, Reply, Request};
use crate::support::{ApiClient, LABEL, Space, outcomes, plane, run};

/// Purges three Jobs' oldest two. The delete of `sync-1` meets a conflict, since its metadata are patched right before, and
/// `reread` answers each second reading.
#[track_caller]
fn purge(
    space: &Space,
    patch: Value,
    reread: impl Fn(&Request, &ApiClient) -> Reply + Send + Sync + 'static,
) -> (Proxy, Value) {
    let namespace = space.name.clone();
    let proxy = Proxy::new(ApiClient::admin(plane()), move |request, up| {
        if request.kind == Kind::Delete && request.name() == "sync-1" && request.again == 1 {
            up.patch_job(&namespace, "sync-1", &json!({"metadata": patch}));
        }
        match request.kind {
            Kind::Reread => reread(request, up),
            _ => up.pass(request),
        }
    });
    let report = run(proxy.tool_over(LINE, &space.name, &PURGE))
        .exits(0)
        .json();
    account(&report, &proxy.upstream().jobs(&space.name));
    assert_eq!(proxy.count(Kind::Other), 0, "it lists and deletes, no more");
    (proxy, report)
}

/// Another client keeps writing to the Job: the tool stops trying.
#[test]
fn a_job_that_never_rests_is_left_alone() {
    let space = Space::three();
    let namespace = space.name.clone();
    let touched = |value: String| json!({"annotations": {"touched": value}});
    let (proxy, report) = purge(&space, touched("first".to_owned()), move |request, up| {
        let reply = up.pass(request);
        let patch = json!({"metadata": touched(request.nth.to_string())});
        up.patch_job(&namespace, "sync-1", &patch);
        reply
    });
    assert_eq!(outcomes(&report), ["sync-2 deleted", "sync-1 changed"]);
    assert!(!message(&report, "sync-1").is_empty());
    assert!((2..=20).contains(&proxy.count(Kind::Reread)));
}

/// Trouble on the second reading is trouble like any other.
#[test]
fn a_second_reading_that_breaks_is_made_again() {
    let space = Space::three();
    let relabel = json!({"labels": {LABEL: "h"}});
    let (proxy, report) = purge(&space, relabel, |request, up| match request.nth {
        1 => Reply::reset(),
        2 => Reply::refusal(500, "InternalError", "not now"),
        3 => up.pass(request).ends_at(30),
        _ => up.pass(request),
    });
    assert_eq!(outcomes(&report), ["sync-2 deleted", "sync-1 changed"]);
    assert_eq!(proxy.count(Kind::Reread), 4);
}

/// A list that shows nothing of a Job is no sign that it is gone, unless it is the list that was asked for.
#[test]
fn a_second_reading_that_is_not_what_was_asked_for_is_made_again() {
    type Change = fn(&mut Value);
    let changes: [(&str, Change); 6] = [
        ("no items", |list| {
            list.as_object_mut().unwrap().remove("items");
        }),
        ("another kind", |list| list["kind"] = "PodList".into()),
        ("no version", |list| {
            list["metadata"]["resourceVersion"] = "".into()
        }),
        ("older", |list| {
            list["metadata"]["resourceVersion"] = "1".into()
        }),
        ("more remain", |list| {
            list["metadata"]["remainingItemCount"] = 1.into()
        }),
        ("goes on", |list| list["metadata"]["continue"] = "on".into()),
    ];
    for (what, change) in changes {
        let protect = json!({"annotations": {"jobclean/keep": "true"}});
        let (proxy, report) = purge(&Space::three(), protect, move |request, up| {
            first_altered(request, up, |list| {
                list["items"] = json!([]);
                change(list);
            })
        });
        let told = ["sync-2 deleted", "sync-1 changed"];
        assert_eq!(outcomes(&report), told, "{what}");
        assert_eq!(proxy.count(Kind::Reread), 2, "{what}");
    }
}

/// The list by its name shows another Job, or more than one.
#[test]
fn a_second_reading_of_another_job_is_made_again() {
    type Change = fn(&mut Value);
    let changes: [Change; 3] = [
        |list| list["items"][0]["metadata"]["name"] = "sync-3".into(),
        |list| list["items"][0]["metadata"]["namespace"] = "other".into(),
        |list| {
            let items = list["items"].as_array_mut().unwrap();
            items.push(items[0].clone());
        },
    ];
    for change in changes {
        let touch = json!({"annotations": {"touched": "x"}});
        let (proxy, report) = purge(&Space::three(), touch, move |request, up| {
            first_altered(request, up, change)
        });
        assert_eq!(outcomes(&report), ["sync-2 deleted", "sync-1 deleted"]);
        assert_eq!(proxy.count(Kind::Reread), 2);
    }
}

/// The server's answer, with a change if it is the first.
fn first_altered(request: &Request, up: &ApiClient, change: impl FnOnce(&mut Value)) -> Reply {
    if request.nth == 1 {
        let json = request.with_header("accept", "application/json");
        return up.pass(&json).alter(change);
    }
    up.pass(request)
}
