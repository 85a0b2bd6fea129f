//! Whether the user may delete is asked before the question, and nothing more than `list` and `delete` is needed.

use serde_json::json;

use crate::support::control_plane::job_in;
use crate::support::kubeconfig::arg;
use crate::support::proxy::{Kind, Proxy, Reply};
use crate::support::{ApiClient, Space, Terminal, audit, outcomes, plane, run, tool, until};

fn as_user(kubeconfig: &std::path::Path, space: &Space) -> std::process::Command {
    space.tool_as(kubeconfig, &["--cascade=background"])
}

#[test]
fn who_may_not_delete_is_not_asked() {
    let space = Space::three();
    let lister = space.kubeconfig_for("lister", &["list"]);
    let left = Terminal::start(&as_user(&lister, &space), 160).finish();
    assert!(!left.text.contains("Purge 2"), "{}", left.text);
    let error = left.text.lines().find(|line| line.starts_with("error: "));
    let error = error.unwrap_or_else(|| panic!("no error:\n{}", left.text));
    assert!(error.contains("delete"), "{error}");
    left.exits(1);
    space.holds(&["sync-1", "sync-2", "sync-3"]);
    assert!(audit::all(&space.name, "delete").is_empty());
}

#[test]
fn who_may_is_asked() {
    let space = Space::three();
    let cleaner = space.kubeconfig_for("cleaner", &["list", "delete"]);
    let mut terminal = Terminal::start(&as_user(&cleaner, &space), 160);
    terminal.wait_for("Purge 2 Jobs");
    terminal.enter("y");
    terminal.finish().exits(0);
    space.holds(&["sync-3"]);
}

/// Where the server does not say what the user may do, the deletes show it.
#[test]
fn a_review_that_is_refused_does_not_stop_a_purge() {
    for (status, reason) in [
        (403, "Forbidden"),
        (404, "NotFound"),
        (405, "MethodNotAllowed"),
    ] {
        let space = Space::three();
        let proxy = Proxy::new(ApiClient::admin(plane()), move |request, up| match request
            .target
            .contains("selfsubject")
        {
            true => Reply::refusal(status, reason, "no reviews here"),
            false => up.pass(request),
        });
        let command = proxy.tool(&space.name, &["--cascade=background"]);
        let mut terminal = Terminal::start(&command, 160);
        terminal.wait_for("Purge 2 Jobs");
        assert!(proxy.count(Kind::Other) > 0, "there was no review");
        terminal.enter("y");
        terminal.finish().exits(0);
        space.holds(&["sync-3"]);
    }
}

#[test]
fn nothing_to_purge_needs_no_right_to() {
    let space = Space::with(&[("sync-1", 1)]);
    let lister = space.kubeconfig_for("lister", &["list"]);
    Terminal::start(&as_user(&lister, &space), 160)
        .finish()
        .exits(0);
}

/// Lets a user list Jobs everywhere and delete them in one namespace.
fn half_right(space: &Space) -> std::path::PathBuf {
    let user = format!("half-{}", space.name);
    let role = json!({
        "apiVersion": "rbac.authorization.k8s.io/v1", "kind": "ClusterRole",
        "metadata": {"name": user},
        "rules": [{"apiGroups": ["batch"], "resources": ["jobs"], "verbs": ["list"]}],
    });
    let binding = json!({
        "apiVersion": "rbac.authorization.k8s.io/v1", "kind": "ClusterRoleBinding",
        "metadata": {"name": user},
        "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": user},
        "subjects": [{"apiGroup": "rbac.authorization.k8s.io", "kind": "User", "name": user}],
    });
    plane()
        .kubectl_apply(&format!("{role}\n---\n{binding}\n"))
        .unwrap();
    let kubeconfig = space.kubeconfig_for("half", &["delete"]);
    until("RBAC lets the user list everywhere", || {
        let upstream = ApiClient::new(plane(), &user, &[]);
        upstream.get("/apis/batch/v1/jobs?limit=1").status == 200
    });
    kubeconfig
}

#[test]
fn rights_in_one_namespace_of_many_are_some() {
    let (first, second) = (Space::new(), Space::new());
    let key = format!("test.example/{}", first.name);
    for space in [&first, &second] {
        let job = |name: &str, age| job_in(&space.name, &key, "g", name, age);
        space.seed(&[job("sync-1", 2), job("sync-2", 1)]);
    }
    let kubeconfig = half_right(&first);
    let mut command = tool();
    command
        .args(["--kubeconfig", arg(&kubeconfig), "-A", "-L", &key])
        .arg("--cascade=background");
    let mut terminal = Terminal::start(&command, 160);
    terminal.wait_for("Purge 2 Jobs in 2 groups");
    terminal.enter("y");
    terminal.finish().exits(3);
    first.holds(&["sync-2"]);
    second.holds(&["sync-1", "sync-2"]);
}

/// What the audit log has of a user, without repetitions.
fn used(user: &str) -> Vec<String> {
    let mut used: Vec<String> = audit::requests(&format!("\"username\":\"{user}\""))
        .iter()
        // Before the test begins, kubectl is asked whether the rights are there.
        .filter(|event| !event["userAgent"].to_string().contains("kubectl/"))
        .map(|event| {
            let of = |field: &str| event["objectRef"][field].as_str().unwrap_or("-").to_owned();
            let verb = event["verb"].as_str().unwrap();
            let resource = [of("apiGroup"), of("resource"), of("subresource")].join("/");
            format!("{verb} {resource}")
        })
        .collect();
    used.sort_unstable();
    used.dedup();
    used
}

#[test]
fn list_and_delete_are_all_it_uses() {
    let space = Space::three();
    let cleaner = space.kubeconfig_for("cleaner", &["list", "delete"]);
    let mut command = as_user(&cleaner, &space);
    command.args(["--yes", "-o", "json"]);
    let report = run(command).exits(0).json();
    assert_eq!(outcomes(&report).len(), 2);
    audit::wait_for(&space.name, "delete", 2);
    let user = format!("cleaner-{}", space.name);
    // It also asks what git wants, and may go without an answer: that there are no such kinds is told by their groups.
    assert_eq!(
        used(&user),
        [
            "delete batch/jobs/-",
            "get -/-/-",
            "list argoproj.io/applications/-",
            "list batch/jobs/-",
            "list kustomize.toolkit.fluxcd.io/kustomizations/-",
        ]
    );
}
