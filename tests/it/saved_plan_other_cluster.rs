//! A saved plan is for the cluster that it was made on.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use serde_json::{Value, json};

use crate::support::kubeconfig::{Files, arg};
use crate::support::own_control_plane::{namespace_of, own_control_plane};
use crate::support::proxy::{Kind, Proxy, Reply};
use crate::support::saved_plan::Saved;
use crate::support::{ApiClient, Run, Space, audit, plane, run, tool};

#[track_caller]
fn is_refused(space: &Space, run: Run, words: &[&str]) {
    run.fails_clearly(words);
    space.holds(&["sync-1", "sync-2", "sync-3"]);
    assert!(audit::all(&space.name, "delete").is_empty());
}

#[test]
fn another_address_is_another_cluster() {
    let space = Space::three();
    let saved = Saved::of(&space, &[]);
    let proxy = Proxy::new(ApiClient::admin(plane()), |request, up| up.pass(request));
    let mut command = tool();
    command
        .args(["--plan", arg(&saved.path), "-s", &proxy.url, "--yes"])
        .arg("--cascade=background");
    is_refused(&space, run(command), &[&proxy.url]);
    assert_eq!(proxy.count(Kind::Delete), 0);
    for server in ["https://example.com:6443", "", "https://127.0.0.1:1"] {
        let saved = Saved::of(&space, &[]);
        saved.edit(|document| document["cluster"]["server"] = server.into());
        for args in [&["--yes"][..], &["--dry-run"], &["--dry-run=client"]] {
            is_refused(&space, saved.run(args), &[]);
        }
    }
}

/// A context may be called anything.
#[test]
fn another_name_of_the_context_is_no_other_cluster() {
    let (space, files) = (Space::three(), Files::new());
    let renamed = files.simple(
        "config",
        &files.cluster(),
        &files.user("renamed", &["system:masters"]),
    );
    let saved = Saved::of(&space, &[]);
    run(saved.tool_as(&renamed, &["--yes"])).exits(0);
    space.holds(&["sync-3"]);
}

fn identity(document: &mut Value) -> &mut Value {
    &mut document["saved"]["identity"]
}

#[test]
fn another_authority_is_another_cluster() {
    let (space, files) = (Space::three(), Files::new());
    let saved = Saved::of(&space, &[]);
    saved.edit(|document| {
        let hash = identity(document)["caSha256"].as_str().unwrap().to_owned();
        let other = hash.replace(|char: char| char.is_ascii_digit(), "f");
        assert_ne!(other, hash);
        identity(document)["caSha256"] = other.into();
    });
    is_refused(&space, saved.run(&["--yes"]), &[]);
    // One that the file forgot, and one that the kubeconfig does not name.
    saved.edit(|document| {
        let fields = identity(document).as_object_mut().unwrap();
        fields.remove("caSha256").unwrap();
    });
    is_refused(&space, saved.run(&["--yes"]), &[]);
    let saved = Saved::of(&space, &[]);
    let user = files.user("bare", &["system:masters"]);
    let cluster = json!({
        "server": plane().server_url(), "certificate-authority": files.wrong_ca(),
    });
    let wrong = files.simple("wrong", &cluster, &user);
    is_refused(&space, run(saved.tool_as(&wrong, &["--yes"])), &[]);
}

#[test]
fn another_kube_system_is_another_cluster() {
    let space = Space::three();
    let saved = Saved::of(&space, &[]);
    saved.edit(|document| {
        assert!(identity(document)["uid"].is_string(), "{document:#}");
        identity(document)["uid"] = "00000000-0000-4000-8000-000000000000".into();
    });
    for args in [&["--yes"][..], &["--dry-run"], &["--dry-run=client"]] {
        is_refused(&space, saved.run(args), &["another cluster"]);
    }
}

/// The same Jobs even, at an address of its own.
#[test]
fn another_control_plane_is_refused() {
    let other = own_control_plane();
    let space = Space::three();
    let saved = Saved::of(&space, &[]);
    let run = run(saved.tool_as(other.kubeconfig(), &["--yes"]));
    is_refused(&space, run, &[&other.server_url()]);
}

/// An address that leads to another cluster now, over which no certificate stands: the uid tells.
#[test]
fn another_cluster_at_the_same_address_is_refused() {
    let other = own_control_plane();
    let namespace = namespace_of(&other, 3);
    let swapped = Arc::new(AtomicBool::new(false));
    let (is_swapped, elsewhere) = (Arc::clone(&swapped), ApiClient::admin(&other));
    let proxy = Proxy::new(
        ApiClient::admin(plane()),
        move |request, up| match is_swapped.load(Ordering::SeqCst) {
            true => elsewhere.pass(request),
            false => up.pass(request),
        },
    );
    plane().seed_namespace(&namespace).unwrap();
    let space = Space { name: namespace };
    space.seed(&[space.job("g", "job-000", 2), space.job("g", "job-001", 3)]);
    let saved = Saved::by(proxy.tool(&space.name, &[]));
    let carry_out = |args: &[&str]| {
        let mut command = tool();
        command
            .args(["--plan", arg(&saved.path), "-s", &proxy.url])
            .args(args);
        run(command)
    };
    swapped.store(true, Ordering::SeqCst);
    carry_out(&["--yes"]).fails_clearly(&["another cluster"]);
    assert_eq!(proxy.count(Kind::Delete), 0);
    swapped.store(false, Ordering::SeqCst);
    carry_out(&["--yes", "--cascade=background"]).exits(0);
    space.holds(&["job-000"]);
}

/// A run that may not read `kube-system` compares address and certificate, whichever of the two runs it is.
#[test]
fn a_kube_system_that_may_not_be_read_does_not_stop_a_run() {
    for (saver, worker) in [(false, false), (true, false), (false, true)] {
        let space = Space::three();
        let cleaner = space.kubeconfig_for("cleaner", &["list", "delete"]);
        let who = |is_admin| match is_admin {
            true => plane().kubeconfig(),
            false => &*cleaner,
        };
        let saved = Saved::by(space.tool_as(who(saver), &[]));
        let known = identity(&mut saved.document())["uid"].is_string();
        assert_eq!(known, saver, "{:#}", saved.document());
        run(saved.tool_as(who(worker), &["--yes"])).exits(0);
        space.holds(&["sync-3"]);
    }
}

/// It may be read, and the plan says what it was: trouble on the way is no reason not to look.
#[test]
fn a_kube_system_that_cannot_be_read_just_now_is_waited_for_or_refused() {
    let space = Space::three();
    let troubled = Arc::new(AtomicBool::new(false));
    let is_troubled = Arc::clone(&troubled);
    let proxy = Proxy::new(ApiClient::admin(plane()), move |request, up| {
        let about = request.kind == Kind::Other && request.target.contains("kube-system");
        match about && is_troubled.load(Ordering::SeqCst) {
            true => Reply::refusal(500, "InternalError", "not now"),
            false => up.pass(request),
        }
    });
    let saved = Saved::by(proxy.tool(&space.name, &[]));
    troubled.store(true, Ordering::SeqCst);
    let mut command = tool();
    command
        .args(["--plan", arg(&saved.path), "-s", &proxy.url, "--yes"])
        .arg("--cascade=background");
    run(command).exits(1).complains(&["error: "]);
    assert_eq!(proxy.count(Kind::Delete), 0);
    space.holds(&["sync-1", "sync-2", "sync-3"]);
}
