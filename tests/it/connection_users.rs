//! Who the tool is to the server: certificates and tokens.

use std::path::Path;

use serde_json::{Value, json};

use crate::support::kubeconfig::{Files, arg};
use crate::support::{Run, Space, audit, plane, run};

fn plan(space: &Space, kubeconfig: &Path, args: &[&str]) -> Run {
    let flags = ["--dry-run=client", "-o", "json"];
    run(space.tool_as(kubeconfig, &[&flags[..], args].concat()))
}

/// The user of the last list in this namespace, as the server saw it.
fn user_seen(space: &Space, lists: usize) -> Value {
    let mut seen = audit::wait_for(&space.name, "list", lists);
    assert_eq!(seen.len(), lists);
    seen.remove(lists - 1)["user"].clone()
}

#[test]
fn a_second_user_comes_by_certificate_flags() {
    let (space, files) = (Space::with(&[("sync-1", 1)]), Files::new());
    let anonymous = files.simple("anonymous", &files.cluster(), &json!({}));
    plan(&space, &anonymous, &[]).exits(1);

    let (certificate, key) = files.certificate("second", &["test-second"]);
    space.allow("Group", "test-second", &["list"]);
    let flags = [
        "--client-certificate",
        arg(&certificate),
        "--client-key",
        arg(&key),
    ];
    crate::support::until("RBAC lets the group in", || {
        plan(&space, &anonymous, &flags).code == Some(0)
    });
    let lists = audit::settled(&space.name);
    let last = &lists.last().unwrap()["user"];
    assert_eq!(last["username"], "second");
    assert_eq!(
        last["groups"],
        json!(["test-second", "system:authenticated"])
    );
}

#[test]
fn the_flags_outrank_the_kubeconfigs_certificate() {
    let (space, files) = (Space::with(&[("sync-1", 1)]), Files::new());
    let first = files.simple(
        "first",
        &files.cluster(),
        &files.user("first", &["system:masters"]),
    );
    let data = plane()
        .kubeconfig_for("first", &["system:masters"])
        .unwrap();
    let (certificate, key) = files.certificate("second", &["system:masters"]);
    let flags = [
        "--client-certificate",
        arg(&certificate),
        "--client-key",
        arg(&key),
    ];
    plan(&space, &first, &[]).exits(0);
    assert_eq!(user_seen(&space, 1)["username"], "first");
    plan(&space, &first, &flags).exits(0);
    assert_eq!(user_seen(&space, 2)["username"], "second");
    plan(&space, &data, &flags).exits(0);
    assert_eq!(user_seen(&space, 3)["username"], "second");
}

#[test]
fn credentials_that_cannot_be_read_are_named() {
    let (space, files) = (Space::new(), Files::new());
    let anonymous = files.simple("anonymous", &files.cluster(), &json!({}));
    let (certificate, key) = files.certificate("second", &[]);
    let missing = files.path("missing.pem");
    let garbled = files.write("garbled.pem", "no key\n");
    for (certificate, key, bad) in [
        (&missing, &key, &missing),
        (&certificate, &missing, &missing),
        (&garbled, &key, &garbled),
        (&certificate, &garbled, &garbled),
    ] {
        let flags = [
            "--client-certificate",
            arg(certificate),
            "--client-key",
            arg(key),
        ];
        let run = plan(&space, &anonymous, &flags).fails_clearly(&[arg(bad)]);
        assert!(!run.err.contains("BEGIN"), "{}", run.story());
    }
}

#[test]
fn a_token_says_who_asks() {
    let (space, files) = (Space::new(), Files::new());
    let (user, group) = controlplane::TOKEN_USER;
    for (number, credentials) in [
        json!({}),
        json!({"token": "wrong"}),
        json!({"tokenFile": files.write("wrong", "wrong")}),
    ]
    .iter()
    .enumerate()
    {
        let kubeconfig = files.simple("config", &files.cluster(), credentials);
        plan(&space, &kubeconfig, &["--token", plane().token()])
            .fails_clearly(&["forbidden", user]);
        let seen = user_seen(&space, number + 1);
        assert_eq!(seen["username"], user);
        assert_eq!(seen["groups"], json!([group, "system:authenticated"]));
    }
}

/// A certificate and a token at once: whom kubectl is then, the tool is too.
#[test]
fn a_token_beside_a_certificate_means_what_it_means_to_kubectl() {
    let (space, files) = (Space::with(&[("sync-1", 1)]), Files::new());
    let admin = files.simple(
        "admin",
        &files.cluster(),
        &files.user("admin", &["system:masters"]),
    );
    let mut who = plane().kubectl_command(["auth", "whoami", "-o", "json", "--token"]);
    who.args([plane().token(), "--kubeconfig", arg(&admin)]);
    let who = run(who).exits(0).foreign_json();
    plan(&space, &admin, &["--token", plane().token()]);
    assert_eq!(
        user_seen(&space, 1)["username"],
        who["status"]["userInfo"]["username"]
    );
}

#[test]
fn a_token_in_the_kubeconfig_works_and_never_shows() {
    let space = Space::new();
    let kubeconfig = plane().kubeconfig_with_token().unwrap();
    let run = plan(&space, &kubeconfig, &["-vvvv"])
        .exits(1)
        .complains(&["forbidden"]);
    assert!(!run.err.contains(plane().token()), "{}", run.story());
    assert_eq!(user_seen(&space, 1)["username"], controlplane::TOKEN_USER.0);
}

#[test]
fn a_wrong_token_is_unauthorized() {
    let (space, files) = (Space::with(&[("sync-1", 2), ("sync-2", 1)]), Files::new());
    let anonymous = files.simple("anonymous", &files.cluster(), &json!({}));
    let run = plan(&space, &anonymous, &["--token", "not-a-token"])
        .fails_clearly(&[&plane().server_url()]);
    assert!(
        run.err.to_lowercase().contains("unauthorized") || run.err.contains("401"),
        "{}",
        run.story()
    );
    assert!(!run.err.contains("not-a-token"), "{}", run.story());
    space.holds(&["sync-1", "sync-2"]);
}
