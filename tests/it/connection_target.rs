//! Which cluster is asked: kubeconfigs, contexts, servers, TLS, and what each request says of the tool.

use std::path::Path;
use std::process::Command;

use serde_json::json;

use crate::support::document::text;
use crate::support::kubeconfig::{Files, arg, config};
use crate::support::stub::{self, Stub};
use crate::support::{LABEL, Run, Space, audit, plane, run, tool, verdicts};

/// The tool with no kubeconfig, for a plan in this namespace.
fn planning(space: &Space, args: &[&str]) -> Command {
    let mut command = tool();
    command
        .args([
            "-n",
            &space.name,
            "-L",
            LABEL,
            "--dry-run=client",
            "-o",
            "json",
        ])
        .args(args);
    command
}

#[track_caller]
fn reaches(run: Run) -> serde_json::Value {
    let document = run.exits(0).json();
    assert_eq!(
        verdicts(&document),
        ["sync-2 SKIP newest", "sync-1 PURGE superseded"]
    );
    document["cluster"].clone()
}

fn space() -> Space {
    Space::with(&[("sync-1", 2), ("sync-2", 1)])
}

/// A web server that is no API server; unlike a server that refuses, it is not tried again.
fn elsewhere() -> Stub {
    Stub::new(|_| stub::status("404 Not Found", "", "NotFound", "page not found"))
}

fn admin(files: &Files, name: &str) -> std::path::PathBuf {
    files.simple(
        name,
        &files.cluster(),
        &files.user("admin", &["system:masters"]),
    )
}

#[test]
fn a_kubeconfig_is_found_by_flag_environment_and_home() {
    let (space, files) = (space(), Files::new());
    let good = admin(&files, "good");
    let expected = json!({"context": "only", "server": plane().server_url()});
    assert_eq!(
        reaches(run(planning(&space, &["--kubeconfig", arg(&good)]))),
        expected
    );

    let mut by_environment = planning(&space, &[]);
    by_environment.env("KUBECONFIG", &good);
    assert_eq!(reaches(run(by_environment)), expected);

    let home = files.path("home/.kube");
    std::fs::create_dir_all(&home).unwrap();
    std::fs::copy(&good, home.join("config")).unwrap();
    let mut by_home = planning(&space, &[]);
    by_home.env("HOME", files.path("home"));
    assert_eq!(reaches(run(by_home)), expected);

    // The flag outranks the environment, which outranks the home.
    let elsewhere = elsewhere();
    let bad = files.simple("bad", &json!({"server": elsewhere.url}), &json!({}));
    let mut flag_first = planning(&space, &["--kubeconfig", arg(&good)]);
    flag_first.env("KUBECONFIG", &bad);
    reaches(run(flag_first));
    let mut environment_first = planning(&space, &[]);
    environment_first
        .env("HOME", files.path("home"))
        .env("KUBECONFIG", &bad);
    run(environment_first).exits(1);
}

#[test]
fn a_list_of_kubeconfigs_is_merged_and_a_missing_one_skipped() {
    let (space, files) = (space(), Files::new());
    let clusters = files.write(
        "clusters",
        &config(&[("c", &files.cluster())], &[], &[], None).to_string(),
    );
    let users = files.write(
        "users",
        &config(
            &[("c", &json!({"server": stub::closed()}))],
            &[("u", &files.user("admin", &["system:masters"]))],
            &[("merged", json!({"cluster": "c", "user": "u"}))],
            Some("merged"),
        )
        .to_string(),
    );
    let missing = files.path("missing");
    let list = std::env::join_paths([&missing, &clusters, &users]).unwrap();
    let mut command = planning(&space, &[]);
    command.env("KUBECONFIG", list);
    assert_eq!(reaches(run(command))["context"], "merged");
}

#[test]
fn relative_paths_are_relative_to_the_kubeconfig() {
    let (space, files) = (space(), Files::new());
    files.user("admin", &["system:masters"]);
    files.ca();
    let kubeconfig = files.simple(
        "relative",
        &json!({"server": plane().server_url(), "certificate-authority": "ca.crt"}),
        &json!({"client-certificate": "admin.crt", "client-key": "admin.key"}),
    );
    reaches(run(planning(&space, &["--kubeconfig", arg(&kubeconfig)])));
}

#[test]
fn context_cluster_and_user_choose() {
    let (space, files) = (space(), Files::new());
    let bad_user = json!({"token": "wrong"});
    let elsewhere = elsewhere();
    let bad_cluster = json!({"server": elsewhere.url});
    let kubeconfig = files.write(
        "config",
        &config(
            &[("good", &files.cluster()), ("bad", &bad_cluster)],
            &[
                ("good", &files.user("admin", &["system:masters"])),
                ("bad", &bad_user),
            ],
            &[
                ("good", json!({"cluster": "good", "user": "good"})),
                ("bad-cluster", json!({"cluster": "bad", "user": "good"})),
                ("bad-user", json!({"cluster": "good", "user": "bad"})),
            ],
            Some("bad-cluster"),
        )
        .to_string(),
    );
    let plan = |args: &[&str]| {
        let common = ["--kubeconfig", arg(&kubeconfig)];
        run(planning(&space, &[&common[..], args].concat()))
    };
    plan(&[]).exits(1);
    assert_eq!(reaches(plan(&["--context", "good"]))["context"], "good");
    reaches(plan(&["--cluster", "good"]));
    plan(&["--context", "bad-user"]).exits(1);
    reaches(plan(&["--context", "bad-user", "--user", "good"]));
    plan(&["--context", "good", "--cluster", "bad"]).exits(1);
    plan(&["--context", "good", "--user", "bad"]).exits(1);
}

#[test]
fn what_the_kubeconfig_does_not_hold_is_named() {
    let (space, files) = (space(), Files::new());
    let good = admin(&files, "good");
    for (flag, name) in [
        ("--context", "no-such-context"),
        ("--cluster", "no-such-cluster"),
        ("--user", "no-such-user"),
    ] {
        run(planning(&space, &["--kubeconfig", arg(&good), flag, name])).fails_clearly(&[name]);
    }
    let dangling = config(
        &[],
        &[],
        &[("only", json!({"cluster": "absent", "user": "absent"}))],
        Some("only"),
    );
    let dangling = files.write("dangling", &dangling.to_string());
    run(planning(&space, &["--kubeconfig", arg(&dangling)])).fails_clearly(&["absent"]);
    let no_current = config(&[("c", &files.cluster())], &[], &[], Some("gone"));
    let no_current = files.write("no-current", &no_current.to_string());
    run(planning(&space, &["--kubeconfig", arg(&no_current)])).fails_clearly(&["gone"]);
}

#[test]
fn a_kubeconfig_that_cannot_be_read_is_named() {
    let (space, files) = (space(), Files::new());
    let garbled = files.write("garbled", "clusters: [\n");
    let no_config = files.write("no-config", "just words\n");
    let missing = files.path("missing");
    let folder = files.path("folder");
    std::fs::create_dir(&folder).unwrap();
    for bad in [&garbled, &no_config, &missing, &folder] {
        run(planning(&space, &["--kubeconfig", arg(bad)])).fails_clearly(&[arg(bad)]);
    }
    let mut by_environment = planning(&space, &[]);
    by_environment.env("KUBECONFIG", &garbled);
    run(by_environment).fails_clearly(&[arg(&garbled)]);
}

#[test]
fn without_any_kubeconfig_that_is_said() {
    let space = space();
    let run = run(planning(&space, &[])).fails_clearly(&["kubeconfig"]);
    assert!(run.err.contains("--kubeconfig"), "{}", run.story());
}

#[test]
fn server_replaces_the_kubeconfigs() {
    let (space, files) = (space(), Files::new());
    let elsewhere = elsewhere();
    let cluster = json!({"server": elsewhere.url, "certificate-authority": files.ca()});
    let kubeconfig = files.simple(
        "config",
        &cluster,
        &files.user("admin", &["system:masters"]),
    );
    let plan = |args: &[&str]| {
        let common = ["--kubeconfig", arg(&kubeconfig)];
        run(planning(&space, &[&common[..], args].concat()))
    };
    plan(&[]).exits(1);
    for flag in ["-s", "--server"] {
        let cluster = reaches(plan(&[flag, &plane().server_url()]));
        assert_eq!(cluster["server"], plane().server_url());
    }
}

/// A kubeconfig whose certificate authority signed nothing here.
fn distrusting(files: &Files) -> std::path::PathBuf {
    let cluster =
        json!({"server": plane().server_url(), "certificate-authority": files.wrong_ca()});
    files.simple(
        "distrusting",
        &cluster,
        &files.user("admin", &["system:masters"]),
    )
}

fn with(space: &Space, kubeconfig: &Path, args: &[&str]) -> Run {
    let common = ["--kubeconfig", arg(kubeconfig)];
    run(planning(space, &[&common[..], args].concat()))
}

#[test]
fn a_wrong_certificate_authority_is_refused() {
    let (space, files) = (space(), Files::new());
    let distrusting = distrusting(&files);
    with(&space, &distrusting, &[]).fails_clearly(&[&plane().server_url(), "certificate"]);
    let ca = files.ca();
    reaches(with(
        &space,
        &distrusting,
        &["--certificate-authority", arg(&ca)],
    ));
    let good = admin(&files, "good");
    let wrong = files.wrong_ca();
    with(&space, &good, &["--certificate-authority", arg(&wrong)]).fails_clearly(&["certificate"]);
    let missing = files.path("missing.crt");
    with(&space, &good, &["--certificate-authority", arg(&missing)])
        .fails_clearly(&[arg(&missing)]);
    let garbled = files.write("garbled.crt", "no certificate\n");
    with(&space, &good, &["--certificate-authority", arg(&garbled)])
        .fails_clearly(&[arg(&garbled)]);
}

#[test]
fn verification_is_skipped_only_on_demand() {
    let (space, files) = (space(), Files::new());
    let distrusting = distrusting(&files);
    with(&space, &distrusting, &[]).exits(1);
    reaches(with(&space, &distrusting, &["--insecure-skip-tls-verify"]));
    reaches(with(
        &space,
        &distrusting,
        &["--insecure-skip-tls-verify=true"],
    ));
    with(&space, &distrusting, &["--insecure-skip-tls-verify=false"]).exits(1);
}

#[test]
fn the_servers_name_can_be_given() {
    let (space, files) = (space(), Files::new());
    let good = admin(&files, "good");
    reaches(with(
        &space,
        &good,
        &["--tls-server-name", "kubernetes.default.svc"],
    ));
    let wrong = "elsewhere.example";
    with(&space, &good, &["--tls-server-name", wrong]).fails_clearly(&["certificate"]);
    let mut cluster = files.cluster();
    cluster["tls-server-name"] = wrong.into();
    let named = files.simple("named", &cluster, &files.user("admin", &["system:masters"]));
    with(&space, &named, &[]).exits(1);
    reaches(with(&space, &named, &["--tls-server-name", "localhost"]));
}

#[test]
fn every_request_says_who_asks() {
    let space = space();
    let user = format!("agent-{}", space.name);
    let kubeconfig = plane().kubeconfig_for(&user, &["system:masters"]).unwrap();
    let args = ["--yes", "--chunk-size=1", "--cascade=background"];
    run(space.tool_as(&kubeconfig, &args)).exits(0);
    audit::wait_for(&user, "delete", 1);
    let requests = audit::requests(&user);
    assert!(requests.len() >= 3, "{requests:#?}");
    for request in requests {
        let agent = text(&request, "userAgent");
        let rest = agent
            .strip_prefix(&format!("kubectl-jobclean/{} (", env!("CARGO_PKG_VERSION")))
            .unwrap_or_else(|| panic!("{agent}"));
        let (system, machine) = rest.strip_suffix(')').unwrap().split_once('/').unwrap();
        assert_eq!(system, std::env::consts::OS);
        assert!(
            !machine.is_empty() && !machine.contains([' ', '/']),
            "{agent}"
        );
    }
}

#[test]
fn compression_can_be_declined() {
    let stub = Stub::new(|_| stub::list(&[]));
    let ask = |args: &[&str]| {
        let mut command = tool();
        command
            .args(["-s", &stub.url, "-n", "stub", "--dry-run=client"])
            .args(args);
        run(command).exits(0);
        let asked = stub.asked();
        asked
            .last()
            .unwrap()
            .headers
            .contains("accept-encoding: gzip")
    };
    assert!(ask(&[]));
    assert!(!ask(&["--disable-compression"]));
    assert!(ask(&["--disable-compression=false"]));
}
