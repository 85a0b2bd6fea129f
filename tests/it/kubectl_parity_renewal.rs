//! Runs that last longer than their credentials, which are renewed on the way: by plugins, and from files.

use std::fs;

use serde_json::json;

use crate::support::kubeconfig::{Files, arg};
use crate::support::plugin::{Plugin, V1, credential, token};
use crate::support::side_by_side::{SideBySide, service_account};
use crate::support::{LABEL, Space, Terminal, audit, plane, run, until};

/// One request of kubectl's, and of the tool's.
const RAW: [&str; 3] = ["get", "--raw", "/apis/batch/v1/namespaces/default/jobs"];
const PLAN: [&str; 1] = ["--dry-run=client"];

/// When credentials expired before they came. They are used once all the same, as there are no better, so that it is no
/// matter of time when others are had.
const EXPIRED: &str = "2020-01-01T00:00:00Z";

/// An account that may list and delete here, with its token and name.
fn cleaner(space: &Space, name: &str) -> (String, String) {
    let (token, account) = service_account(space, name);
    space.allow("User", &account, &["list", "delete"]);
    until("RBAC lets the account in", || {
        ["list", "delete"].iter().all(|verb| {
            let mut can = plane().kubectl_command(["auth", "can-i", verb, "jobs.batch"]);
            can.args(["--namespace", &space.name, "--as", &account]);
            can.output().unwrap().status.success()
        })
    });
    (token, account)
}

/// The users that deleted here.
fn deleters(space: &Space, count: usize) -> Vec<String> {
    let mut users: Vec<String> = audit::wait_for(&space.name, "delete", count)
        .iter()
        .filter(|event| event["responseStatus"]["code"] == 200)
        .map(|event| event["user"]["username"].as_str().unwrap().to_owned())
        .collect();
    users.dedup();
    users
}

/// How many requests this user made.
fn requests_by(user: &str) -> usize {
    let about = audit::settled(user).into_iter();
    // Others may have asked what this user may do.
    about
        .filter(|event| event["user"]["username"] == user)
        .count()
}

/// The tool in a terminal with its plan shown and its question asked.
fn asking(pair: &SideBySide<'_>, space: &Space, more: &[&str]) -> Terminal {
    let args = ["-n", &space.name, "-L", LABEL, "--cascade=background"];
    let mut terminal = Terminal::start(&pair.tool(&[&args[..], more].concat()), 200);
    terminal.wait_for("Purge ");
    terminal
}

/// Says yes, after which all that is to go goes, and every delete is this user's.
#[track_caller]
fn is_finished_by(user: &str, mut terminal: Terminal, space: &Space) {
    terminal.enter("y");
    terminal.finish().exits(0);
    space.holds(&["job-00"]);
    assert_eq!(deleters(space, 29), [user]);
}

/// Waits until the server does not know a token any more.
fn forget(files: &Files, space: &Space, name: &str, token: &str) {
    let account = format!("serviceaccount/{name}");
    plane()
        .kubectl_run(["delete", &account, "--namespace", &space.name])
        .unwrap();
    let pair = SideBySide::new(files).args(&["-s", &plane().server_url(), "--token", token]);
    let ca = files.ca();
    let pair = pair.args(&["--certificate-authority", arg(&ca)]);
    until("the token is forgotten", || {
        run(pair.kubectl(&["auth", "whoami"]))
            .err
            .contains("Unauthorized")
    });
}

fn stale(space: &Space) -> Vec<String> {
    let jobs: Vec<_> = (0..30)
        .map(|n| space.job("g", &format!("job-{n:02}"), n + 1))
        .collect();
    space.seed(&jobs);
    jobs[1..]
        .iter()
        .map(|job| job.get_name().to_owned())
        .collect()
}

#[test]
fn credentials_that_expire_are_renewed_on_the_way() {
    let (files, space) = (Files::new(), Space::new());
    stale(&space);
    let (first, first_user) = cleaner(&space, "first");
    let (second, second_user) = cleaner(&space, "second");
    let expired = json!({"token": first, "expirationTimestamp": EXPIRED});
    let plugin = Plugin::changing(&files, &credential(V1, expired), &token(&second));
    // To log in again takes longer than a request may.
    let script = fs::read_to_string(&plugin.path).unwrap();
    fs::write(&plugin.path, script.replace("*) ", "*) sleep 6; ")).unwrap();
    let pair = SideBySide::on(&files, &files.cluster(), &plugin.exec(json!({})));
    let terminal = asking(&pair, &space, &["--request-timeout=5s"]);
    is_finished_by(&second_user, terminal, &space);
    assert_eq!(plugin.take().len(), 2);
    assert_eq!(requests_by(&first_user), 1);
}

#[test]
fn certificates_that_expire_are_renewed_on_the_way() {
    let (files, space) = (Files::new(), Space::new());
    stale(&space);
    let of = |user: &str| {
        plane()
            .client_certificate(user, &["system:masters"])
            .unwrap()
    };
    let status = |(certificate, key): (String, String)| json!({"clientCertificateData": certificate, "clientKeyData": key});
    let [first_user, second_user] =
        ["first", "second"].map(|user| format!("{user}-{}", space.name));
    let mut first = status(of(&first_user));
    first["expirationTimestamp"] = EXPIRED.into();
    let second = credential(V1, status(of(&second_user)));
    let plugin = Plugin::changing(&files, &credential(V1, first), &second);
    let pair = SideBySide::on(&files, &files.cluster(), &plugin.exec(json!({})));
    let terminal = asking(&pair, &space, &[]);
    is_finished_by(&second_user, terminal, &space);
    assert_eq!(plugin.take().len(), 2);
    assert_eq!(requests_by(&first_user), 1);
}

/// Many requests at once find that the server does not know their token any more: one call is enough, and each is sent
/// once more. kubectl calls its plugin then, too, but leaves the request failed; that would end a purge halfway.
#[test]
fn credentials_that_are_not_taken_any_more_are_renewed_once() {
    let (files, space) = (Files::new(), Space::new());
    stale(&space);
    let (first, _) = cleaner(&space, "first");
    let (second, second_user) = cleaner(&space, "second");
    let plugin = Plugin::changing(&files, &token(&first), &token(&second));
    let pair = SideBySide::on(&files, &files.cluster(), &plugin.exec(json!({})));
    let terminal = asking(&pair, &space, &[]);
    forget(&files, &space, "first", &first);
    is_finished_by(&second_user, terminal, &space);
    assert_eq!(plugin.take().len(), 2);
}

/// As many calls as kubectl makes, where the plugin has nothing that the server takes.
#[test]
fn credentials_that_are_never_taken_are_asked_for_twice() {
    let files = Files::new();
    let plugin = Plugin::printing(&files, &token("wrong"));
    let pair = SideBySide::on(&files, &files.cluster(), &plugin.exec(json!({})));
    run(pair.kubectl(&RAW))
        .exits(1)
        .complains(&["Unauthorized"]);
    assert_eq!(plugin.take().len(), 2);
    run(pair.tool(&PLAN)).exits(1).complains(&["nauthorized"]);
    assert_eq!(plugin.take().len(), 2);
    let plugin = Plugin::changing(&files, &token("wrong"), &token("wrong again"));
    run(pair.tool(&PLAN)).exits(1).complains(&["nauthorized"]);
    assert_eq!(plugin.take().len(), 2);
    // What has expired before it came is used all the same, and asked for at each request.
    let past = json!({"token": "wrong", "expirationTimestamp": EXPIRED});
    let plugin = Plugin::printing(&files, &credential(V1, past));
    run(pair.kubectl(&RAW)).exits(1);
    let kubectl = plugin.take().len();
    run(pair.tool(&PLAN)).exits(1);
    let tool = plugin.take().len();
    assert!(tool <= kubectl, "{tool} calls, kubectl made {kubectl}");
}

/// The kubelet, or another program, replaces a token in a file while a run lasts.
#[test]
fn a_token_file_is_read_again() {
    let (files, space) = (Files::new(), Space::new());
    stale(&space);
    let (first, first_user) = cleaner(&space, "first");
    let (second, second_user) = cleaner(&space, "second");
    let file = files.write("token", &first);
    let pair = SideBySide::on(&files, &files.cluster(), &json!({"tokenFile": file}));
    let terminal = asking(&pair, &space, &[]);
    forget(&files, &space, "first", &first);
    files.write("token", &format!("{second}\n"));
    is_finished_by(&second_user, terminal, &space);
    assert_eq!(
        audit::wait_for(&space.name, "list", 1)[0]["user"]["username"],
        first_user.as_str()
    );
}
