//! A Job that changes between the plan, its backup and its delete.

use std::sync::Mutex;

use serde_json::json;

use crate::support::account::account;
use crate::support::backups::{PURGE, manifests};
use crate::support::control_plane::job_in;
use crate::support::kubeconfig::{Files, arg};
use crate::support::proxy::{Kind, Proxy, Request};
use crate::support::{ApiClient, LABEL, Space, outcomes, plane, run};

/// Before its backup, and between that and its delete.
const MOMENTS: [Kind; 2] = [Kind::Reread, Kind::Delete];

/// Purges with a backup, once for each moment at which `meanwhile` is called, with the namespace, to change `sync-1`; it comes
/// to this outcome, and to these Jobs. Returns the files of each, with the backup.
#[track_caller]
fn touched(
    outcome: &str,
    left: &[&str],
    meanwhile: impl Fn(&str, &ApiClient) + Copy + Send + Sync + 'static,
) -> Vec<Files> {
    MOMENTS
        .map(|moment| {
            let (space, files) = (Space::three(), Files::new());
            let (folder, namespace) = (files.path("backup"), space.name.clone());
            let is_done = Mutex::new(false);
            let about = |request: &Request| match request.kind {
                Kind::Delete => request.name() == "sync-1",
                _ => request.target.contains("sync-1"),
            };
            let proxy = Proxy::new(ApiClient::admin(plane()), move |request, up| {
                if request.kind == moment && about(request) {
                    let mut is_done = is_done.lock().unwrap();
                    if !*is_done {
                        meanwhile(&namespace, up);
                        *is_done = true;
                    }
                }
                up.pass(request)
            });
            let args = [&PURGE[..], &["--backup", arg(&folder)]].concat();
            let report = run(proxy.tool(&space.name, &args)).exits(0).json();
            account(&report, &proxy.upstream().jobs(&space.name));
            let sync_1 = format!("sync-1 {outcome}");
            assert_eq!(outcomes(&report), ["sync-2 deleted", &sync_1], "{moment:?}");
            space.holds(left);
            files
        })
        .into()
}

#[test]
fn a_job_that_is_touched_is_kept_and_deleted_as_it_is_then() {
    let kept = touched("deleted", &["sync-3"], |namespace, admin| {
        let patch = json!({"metadata": {"annotations": {"touched": "yes"}}});
        admin.patch_job(namespace, "sync-1", &patch);
    });
    for (files, moment) in kept.iter().zip(MOMENTS) {
        let newest = manifests(&files.path("backup"))
            .into_values()
            .any(|manifest| manifest["metadata"]["annotations"]["touched"] == "yes");
        assert!(newest, "{moment:?}: what was deleted was never kept");
    }
}

#[test]
fn a_job_that_is_protected_meanwhile_stays() {
    touched("changed", &["sync-1", "sync-3"], |namespace, admin| {
        let patch = json!({"metadata": {"labels": {"jobclean/keep": "true"}}});
        admin.patch_job(namespace, "sync-1", &patch);
    });
}

#[test]
fn a_job_that_is_replaced_meanwhile_stays() {
    touched("changed", &["sync-1", "sync-3"], |namespace, admin| {
        assert!(admin.delete_job(namespace, "sync-1"));
        let again = job_in(namespace, LABEL, "g", "sync-1", 30);
        plane().seed(&[again]).unwrap();
    });
}

#[test]
fn a_job_that_is_gone_meanwhile_is_gone() {
    touched("gone", &["sync-3"], |namespace, admin| {
        assert!(admin.delete_job(namespace, "sync-1"));
    });
}
