//! A Job that changes between the plan, its backup and its delete.

use std::path::Path;
use std::sync::Mutex;

use controlplane::SeedJob;
use serde_json::{Value, json};

use crate::backup::{PURGE, manifests};
use crate::support::account::account;
use crate::support::kubeconfig::{Files, arg};
use crate::support::proxy::{Kind, Proxy, Request};
use crate::support::{Space, Upstream, outcomes, plane, run};

/// Purges with a backup; `meanwhile` is called once before the first request of this kind about `sync-1`.
#[track_caller]
fn touched(
    space: &Space,
    folder: &Path,
    kind: Kind,
    meanwhile: impl Fn(&Upstream) + Send + Sync + 'static,
) -> Value {
    let once = Mutex::new(Some(meanwhile));
    let about = |request: &Request| match request.kind {
        Kind::Delete => request.name() == "sync-1",
        _ => request.target.contains("sync-1"),
    };
    let proxy = Proxy::new(Upstream::admin(plane()), move |request, up| {
        if request.kind == kind
            && about(request)
            && let Some(meanwhile) = once.lock().unwrap().take()
        {
            meanwhile(up);
        }
        up.pass(request)
    });
    let args = [&PURGE[..], &["--backup", arg(folder)]].concat();
    let report = run(proxy.tool(&space.name, &args)).exits(0).json();
    account(&report, &proxy.upstream().jobs(&space.name));
    report
}

/// Before its backup, and between that and its delete.
const MOMENTS: [Kind; 2] = [Kind::Reread, Kind::Delete];

#[test]
fn a_job_that_is_touched_is_kept_and_deleted_as_it_is_then() {
    for moment in MOMENTS {
        let (space, files) = (Space::three(), Files::new());
        let (folder, namespace) = (files.path("backup"), space.name.clone());
        let report = touched(&space, &folder, moment, move |admin| {
            let patch = json!({"metadata": {"annotations": {"touched": "yes"}}});
            admin.patch_job(&namespace, "sync-1", &patch);
        });
        assert_eq!(
            outcomes(&report),
            ["sync-2 deleted", "sync-1 deleted"],
            "{moment:?}"
        );
        space.holds(&["sync-3"]);
        let newest = manifests(&folder)
            .into_values()
            .any(|manifest| manifest["metadata"]["annotations"]["touched"] == "yes");
        assert!(newest, "{moment:?}: what was deleted was never kept");
    }
}

#[test]
fn a_job_that_is_protected_meanwhile_stays() {
    for moment in MOMENTS {
        let (space, files) = (Space::three(), Files::new());
        let (folder, namespace) = (files.path("backup"), space.name.clone());
        let report = touched(&space, &folder, moment, move |admin| {
            let patch = json!({"metadata": {"labels": {"jobclean/keep": "true"}}});
            admin.patch_job(&namespace, "sync-1", &patch);
        });
        assert_eq!(
            outcomes(&report),
            ["sync-2 deleted", "sync-1 changed"],
            "{moment:?}"
        );
        space.holds(&["sync-1", "sync-3"]);
    }
}

#[test]
fn a_job_that_is_replaced_meanwhile_stays() {
    for moment in MOMENTS {
        let (space, files) = (Space::three(), Files::new());
        let (folder, namespace) = (files.path("backup"), space.name.clone());
        let again: SeedJob = space.job("g", "sync-1", 30);
        let report = touched(&space, &folder, moment, move |admin| {
            assert!(admin.delete_job(&namespace, "sync-1"));
            plane().seed(std::slice::from_ref(&again)).unwrap();
        });
        assert_eq!(
            outcomes(&report),
            ["sync-2 deleted", "sync-1 changed"],
            "{moment:?}"
        );
        space.holds(&["sync-1", "sync-3"]);
    }
}

#[test]
fn a_job_that_is_gone_meanwhile_is_gone() {
    for moment in MOMENTS {
        let (space, files) = (Space::three(), Files::new());
        let (folder, namespace) = (files.path("backup"), space.name.clone());
        let report = touched(&space, &folder, moment, move |admin| {
            assert!(admin.delete_job(&namespace, "sync-1"));
        });
        assert_eq!(
            outcomes(&report),
            ["sync-2 deleted", "sync-1 gone"],
            "{moment:?}"
        );
        space.holds(&["sync-3"]);
    }
}
