//! A Job that is touched between the plan and its delete is read again, by a list, and judged by what it is then.

use controlplane::{SeedJob, State};
use serde_json::{Value, json};

use crate::support::account::{account, message};
use crate::support::proxy::{Kind, Proxy, Reply, Request};
use crate::support::{ApiClient, LABEL, Space, outcomes, plane, run};

/// `sync-3` is kept; `sync-1` and `sync-2` are to go.
fn three() -> (Space, SeedJob) {
    let space = Space::new();
    let first = space.job("g", "sync-1", 3);
    space.seed(&[
        first.clone(),
        space.job("g", "sync-2", 2),
        space.job("g", "sync-3", 1),
    ]);
    (space, first)
}

/// Purges as a user who may list and delete and nothing else; `before` sees each delete of `sync-1` before the server.
#[track_caller]
fn purge(
    space: &Space,
    args: &[&str],
    before: impl Fn(&Request, &ApiClient) + Send + Sync + 'static,
) -> (Proxy, Value) {
    let user = format!("plain-{}", space.name);
    space.kubeconfig_for("plain", &["list", "delete"]);
    let admin = ApiClient::admin(plane());
    let proxy = Proxy::new(ApiClient::new(plane(), &user, &[]), move |request, up| {
        if request.kind == Kind::Delete && request.name() == "sync-1" {
            before(request, &admin);
        }
        up.pass(request)
    });
    let args = [&["--yes", "--cascade=background", "-o", "json"], args].concat();
    let report = run(proxy.tool(&space.name, &args)).exits(0).json();
    let gets = proxy.seen().into_iter().filter(|seen| {
        seen.request.method == "GET" && !matches!(seen.request.kind, Kind::List | Kind::Reread)
    });
    assert_eq!(gets.count(), 0, "it may list and delete, no more");
    (proxy, report)
}

fn patch(space: &Space, patch: Value) -> impl Fn(&Request, &ApiClient) + Send + Sync + 'static {
    let namespace = space.name.clone();
    move |request, admin| {
        if request.again == 1 {
            admin.patch_job(&namespace, "sync-1", &patch);
        }
    }
}

/// Fails unless `sync-1` stayed and the report says why.
#[track_caller]
fn stays(space: &Space, proxy: &Proxy, report: &Value, why: &str) {
    assert_eq!(outcomes(report), ["sync-2 deleted", "sync-1 changed"]);
    let message = message(report, "sync-1");
    assert!(message.contains(why), "{why:?} is not in {message:?}");
    space.holds(&["sync-1", "sync-3"]);
    let deletes = proxy.seen_of(Kind::Delete);
    let tries = deletes
        .iter()
        .filter(|seen| seen.request.name() == "sync-1");
    assert_eq!(tries.count(), 1, "it is not tried again");
}

#[test]
fn a_change_of_no_interest_does_not_save_it() {
    let (space, _) = three();
    let (proxy, report) = purge(
        &space,
        &[],
        patch(&space, json!({"metadata": {"labels": {"touched": "yes"}}})),
    );
    assert_eq!(outcomes(&report), ["sync-2 deleted", "sync-1 deleted"]);
    account(&report, &proxy.upstream().jobs(&space.name));
    let rereads = proxy.seen_of(Kind::Reread);
    assert_eq!(rereads.len(), 1);
    let target = &rereads[0].request.target;
    assert!(target.contains("metadata"), "{target}");
    let tries: Vec<Value> = proxy
        .seen_of(Kind::Delete)
        .iter()
        .filter(|seen| seen.request.name() == "sync-1")
        .map(|seen| seen.request.json()["preconditions"].clone())
        .collect();
    assert_eq!(tries.len(), 2);
    assert_eq!(tries[0]["uid"], tries[1]["uid"]);
    assert_ne!(tries[0]["resourceVersion"], tries[1]["resourceVersion"]);
}

#[test]
fn a_job_that_is_relabelled_stays() {
    for labels in [json!({LABEL: "other"}), json!({LABEL: null})] {
        let (space, _) = three();
        let (proxy, report) = purge(
            &space,
            &[],
            patch(&space, json!({"metadata": {"labels": labels}})),
        );
        stays(&space, &proxy, &report, "label");
    }
}

#[test]
fn a_job_that_the_selector_no_longer_selects_stays() {
    let (space, _) = three();
    let (proxy, report) = purge(
        &space,
        &["-l", "hold!=yes"],
        patch(&space, json!({"metadata": {"labels": {"hold": "yes"}}})),
    );
    stays(&space, &proxy, &report, "label");
}

#[test]
fn a_job_that_is_protected_stays() {
    for metadata in [
        json!({"annotations": {"jobclean/keep": "true"}}),
        json!({"labels": {"jobclean/keep": "true"}}),
        json!({"annotations": {"argocd.argoproj.io/sync-options": "Delete=false"}}),
    ] {
        let (space, _) = three();
        let (proxy, report) = purge(&space, &[], patch(&space, json!({"metadata": metadata})));
        stays(&space, &proxy, &report, "protected");
    }
}

#[test]
fn a_job_that_runs_again_stays() {
    for state in [State::Running, State::Suspended] {
        let (space, first) = three();
        let again = first.state(state);
        let (proxy, report) = purge(&space, &[], move |request, _| {
            if request.again == 1 {
                plane().seed(std::slice::from_ref(&again)).unwrap();
            }
        });
        stays(&space, &proxy, &report, "active");
    }
}

#[test]
fn a_job_that_is_replaced_stays() {
    let (space, _) = three();
    let namespace = space.name.clone();
    let (proxy, report) = purge(&space, &[], move |request, admin| {
        if request.again == 1 {
            assert!(admin.delete_job(&namespace, "sync-1"));
            admin.create_job(&namespace, "sync-1", "g");
        }
    });
    stays(&space, &proxy, &report, "another Job");
}

#[test]
fn a_job_that_another_client_deletes_is_gone() {
    let (space, _) = three();
    let namespace = space.name.clone();
    let (proxy, report) = purge(&space, &[], move |_, admin| {
        assert!(admin.delete_job(&namespace, "sync-1"));
    });
    assert_eq!(outcomes(&report), ["sync-2 deleted", "sync-1 gone"]);
    account(&report, &proxy.upstream().jobs(&space.name));
}

#[test]
fn a_job_that_another_client_has_begun_to_delete_is_gone() {
    let space = Space::new();
    space.seed(&[
        space.job("g", "sync-1", 3).finalizer("test.example/hold"),
        space.job("g", "sync-2", 2),
    ]);
    let namespace = space.name.clone();
    let (_proxy, report) = purge(&space, &[], move |request, admin| {
        if request.again == 1 {
            admin.delete_job(&namespace, "sync-1");
        }
    });
    assert_eq!(outcomes(&report), ["sync-1 gone"]);
}

/// Another client keeps writing to the Job: the tool stops trying.
#[test]
fn a_job_that_never_rests_is_left_alone() {
    let (space, _) = three();
    let namespace = space.name.clone();
    let (proxy, report) = purge(&space, &[], move |request, admin| {
        let touch = json!({"metadata": {"annotations": {"touched": request.again.to_string()}}});
        admin.patch_job(&namespace, "sync-1", &touch);
    });
    assert_eq!(outcomes(&report), ["sync-2 deleted", "sync-1 changed"]);
    account(&report, &proxy.upstream().jobs(&space.name));
    assert!(!message(&report, "sync-1").is_empty());
    assert!((2..=20).contains(&proxy.count(Kind::Reread)));
}

/// Trouble on the second reading is trouble like any other.
#[test]
fn a_second_reading_that_breaks_is_made_again() {
    let (space, _) = three();
    let namespace = space.name.clone();
    let proxy = Proxy::new(ApiClient::admin(plane()), move |request, up| {
        if request.kind == Kind::Delete && request.name() == "sync-1" && request.again == 1 {
            up.patch_job(
                &namespace,
                "sync-1",
                &json!({"metadata": {"labels": {LABEL: "h"}}}),
            );
        }
        match (request.kind, request.nth) {
            (Kind::Reread, 1) => Reply::reset(),
            (Kind::Reread, 2) => Reply::refusal(500, "InternalError", "not now"),
            (Kind::Reread, 3) => up.pass(request).ends_at(30),
            _ => up.pass(request),
        }
    });
    let args = ["--yes", "--cascade=background", "-o", "json"];
    let report = run(proxy.tool(&space.name, &args)).exits(0).json();
    assert_eq!(outcomes(&report), ["sync-2 deleted", "sync-1 changed"]);
    account(&report, &proxy.upstream().jobs(&space.name));
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
        let (space, _) = three();
        let touch = patch(
            &space,
            json!({"metadata": {"annotations": {"jobclean/keep": "true"}}}),
        );
        let proxy = Proxy::new(ApiClient::admin(plane()), move |request, up| {
            if request.kind == Kind::Delete && request.name() == "sync-1" {
                touch(request, up);
            }
            if request.kind == Kind::Reread && request.nth == 1 {
                let json = request.with_header("accept", "application/json");
                return up.pass(&json).alter(|list| {
                    list["items"] = json!([]);
                    change(list);
                });
            }
            up.pass(request)
        });
        let args = ["--yes", "--cascade=background", "-o", "json"];
        let report = run(proxy.tool(&space.name, &args)).exits(0).json();
        assert_eq!(
            outcomes(&report),
            ["sync-2 deleted", "sync-1 changed"],
            "{what}"
        );
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
        let (space, _) = three();
        let touch = patch(
            &space,
            json!({"metadata": {"annotations": {"touched": "x"}}}),
        );
        let proxy = Proxy::new(ApiClient::admin(plane()), move |request, up| {
            if request.kind == Kind::Delete && request.name() == "sync-1" {
                touch(request, up);
            }
            if request.kind == Kind::Reread && request.nth == 1 {
                let json = request.with_header("accept", "application/json");
                return up.pass(&json).alter(change);
            }
            up.pass(request)
        });
        let args = ["--yes", "--cascade=background", "-o", "json"];
        let report = run(proxy.tool(&space.name, &args)).exits(0).json();
        assert_eq!(outcomes(&report), ["sync-2 deleted", "sync-1 deleted"]);
        assert_eq!(proxy.count(Kind::Reread), 2);
    }
}
