//! As whom and where kubectl and this tool come to the server, side by side: kubeconfigs, files and flags.
//!
//! Where the two differ on purpose, the test that shows it says why.

use std::fs;
use std::path::Path;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use serde_json::{Value, json};

use crate::support::kubeconfig::{Files, arg, config};
use crate::support::listener::Listener;
use crate::support::side_by_side::{SideBySide, service_account};
use crate::support::stub::{self, Stub};
use crate::support::{Space, plane, run};

fn at(door: &Listener, files: &Files) -> Value {
    json!({"server": format!("https://{}", door.address), "certificate-authority": files.ca()})
}

fn context(cluster: &str, user: &str, namespace: &str) -> Value {
    json!({"cluster": cluster, "user": user, "namespace": namespace})
}

fn list(paths: &[&Path]) -> std::ffi::OsString {
    std::env::join_paths(paths).unwrap()
}

#[test]
fn of_several_kubeconfigs_the_first_to_say_something_counts() {
    let (files, server) = (Files::new(), plane().server_url());
    let (front, back) = (Listener::plain(&server), Listener::plain(&server));
    let (ada, bob) = (files.user("ada", &[]), files.user("bob", &[]));
    // No current context, which is not the same as none that is empty.
    let first = files.write(
        "first",
        &config(&[("c", &at(&front, &files))], &[("u", &ada)], &[], Some("")).to_string(),
    );
    let second = files.write(
        "second",
        &config(
            &[("c", &at(&back, &files)), ("d", &at(&back, &files))],
            &[("u", &bob), ("v", &bob)],
            &[
                ("two", context("c", "u", "of-two")),
                ("other", context("d", "v", "of-other")),
            ],
            Some("two"),
        )
        .to_string(),
    );
    let third = files.write(
        "third",
        &config(
            &[("c", &json!({"server": stub::closed()}))],
            &[],
            &[
                ("two", context("d", "v", "of-three")),
                ("three", context("d", "u", "of-three")),
            ],
            Some("three"),
        )
        .to_string(),
    );
    let missing = files.path("missing");
    let several = |paths: &[&Path]| {
        SideBySide::new(&files)
            .env("KUBECONFIG", list(paths))
            .door("front", &front)
            .door("back", &back)
    };

    let seen = several(&[&missing, &first, &second, &third]).agree();
    seen.is("ada", &["front"]);
    assert_eq!(seen.known().namespace, "of-two");
    // In another order.
    let seen = several(&[&third, &second, &first])
        .args(&["--cluster=d"])
        .agree();
    seen.is("bob", &["back"]);
    assert_eq!(seen.known().namespace, "of-three");
    // Named by flags, one by one.
    let all = several(&[&first, &second, &missing, &third, &first]);
    all.clone()
        .args(&["--context=other"])
        .agree()
        .is("bob", &["back"]);
    all.clone()
        .args(&["--context=three"])
        .agree()
        .is("ada", &["back"]);
    all.clone()
        .args(&["--user=v"])
        .agree()
        .is("bob", &["front"]);
    let seen = all.clone().args(&["--namespace=by-flag"]).agree();
    assert_eq!(seen.known().namespace, "by-flag");
    all.clone().args(&["--context=absent"]).refuse(&["absent"]);
    all.args(&["--user=absent"]).refuse(&["absent"]);
    // A flag outranks the list, which outranks the home.
    let flag = several(&[&second]).args(&["--kubeconfig", arg(&third), "--cluster=d"]);
    flag.refuse(&["\"d\""]);
    fs::create_dir_all(files.path("home/.kube")).unwrap();
    fs::copy(&second, files.path("home/.kube/config")).unwrap();
    let home = SideBySide::new(&files)
        .door("front", &front)
        .door("back", &back);
    home.clone().agree().is("bob", &["back"]);
    home.env("KUBECONFIG", "").agree().is("bob", &["back"]);
}

/// kubectl passes over kubeconfigs that do not exist and then asks `localhost:8080`, or the server of the Pod. This tool
/// deletes: after a typo it must not use a server that the user did not name.
#[test]
fn without_a_kubeconfig_no_server_is_guessed() {
    let files = Files::new();
    let pair = SideBySide::new(&files).env("KUBECONFIG", files.path("missing"));
    let kubectl = pair.kubectl_seen();
    assert!(
        kubectl.run.err.contains("localhost:8080"),
        "{}",
        kubectl.run.story()
    );
    let tool = pair
        .tool_seen()
        .run
        .fails_clearly(&["none of the files in KUBECONFIG exists"]);
    assert!(!tool.err.contains("localhost"), "{}", tool.story());
    // Nor by the variable that kubectl has for it.
    let elsewhere = Stub::new(|_| stub::list(&[]));
    let pair = SideBySide::new(&files).env("KUBERNETES_MASTER", &elsewhere.url);
    run(pair.kubectl(&["get", "--raw", "/anything"])).exits(0);
    assert_eq!(elsewhere.asked().len(), 1);
    pair.tool_seen().run.fails_clearly(&["there is no cluster"]);
    assert_eq!(elsewhere.asked().len(), 1);
}

#[test]
fn what_one_file_says_twice_is_not_used() {
    let files = Files::new();
    let (server, ada) = (
        Listener::plain(&plane().server_url()),
        files.user("ada", &[]),
    );
    let (cluster, other) = (at(&server, &files), json!({"server": stub::closed()}));
    let whole =
        |clusters: &[(&str, &Value)], users: &[(&str, &Value)], contexts: &[(&str, Value)]| {
            config(clusters, users, contexts, Some("a")).to_string()
        };
    let (a, b) = (context("a", "a", "x"), context("b", "b", "y"));
    let once = whole(&[("a", &cluster)], &[("a", &ada)], &[("a", a.clone())]);
    let pair = |text: &str| {
        let path = files.write("config", text);
        SideBySide::new(&files)
            .env("KUBECONFIG", path)
            .door("server", &server)
    };
    pair(&once).agree().is("ada", &["server"]);
    pair(&format!("---\n{once}\n---\n"))
        .agree()
        .is("ada", &["server"]);
    for (twice, what) in [
        (
            whole(
                &[("a", &cluster), ("a", &other)],
                &[("a", &ada)],
                &[("a", a.clone())],
            ),
            "cluster",
        ),
        (
            whole(
                &[("a", &cluster)],
                &[("a", &ada), ("a", &json!({}))],
                &[("a", a.clone())],
            ),
            "user",
        ),
        (
            whole(&[("a", &cluster)], &[("a", &ada)], &[("a", a), ("a", b)]),
            "context",
        ),
    ] {
        pair(&twice).refuse(&["two entries", what]);
    }
    // kubectl reads the first document alone. The tool refuses it: the user meant something by the second one.
    let several = pair(&format!("{once}\n---\ncurrent-context: b\n"));
    assert_eq!(several.kubectl_seen().user(), "ada");
    several
        .tool_seen()
        .run
        .fails_clearly(&["several YAML documents"]);
}

#[test]
fn relative_paths_begin_where_the_kubeconfig_is() {
    let (files, space) = (Files::new(), Space::new());
    let (token, account) = service_account(&space, "by-file");
    files.ca();
    files.certificate("ada", &[]);
    files.write("token", &token);
    fs::create_dir_all(files.path("a/b")).unwrap();
    let nested = config(
        &[(
            "c",
            &json!({"server": plane().server_url(), "certificate-authority": "../../ca.crt"}),
        )],
        &[
            (
                "file",
                &json!({"client-certificate": "../../ada.crt", "client-key": "../../ada.key"}),
            ),
            ("token", &json!({"tokenFile": "../../token"})),
        ],
        &[
            ("file", context("c", "file", "x")),
            ("token", context("c", "token", "x")),
        ],
        Some("file"),
    );
    let path = files.write("a/b/config", &nested.to_string());
    let elsewhere = SideBySide::new(&files).env("KUBECONFIG", path.clone());
    elsewhere.agree().is("ada", &[]);
    elsewhere
        .args(&["--context=token"])
        .agree()
        .is(&account, &[]);
    // The kubeconfig's own path may be relative, too: to where the program runs.
    for (folder, name) in [("a", "b/config"), ("a/b", "config"), ("a/b", "./config")] {
        let pair = SideBySide::new(&files).within(files.path(folder));
        pair.clone().env("KUBECONFIG", name).agree().is("ada", &[]);
        pair.args(&["--kubeconfig", name]).agree().is("ada", &[]);
    }
    // Paths of flags begin where the program runs.
    let flags = [
        "--client-certificate=ada.crt",
        "--client-key=ada.key",
        "--context=token",
    ];
    let pair = SideBySide::new(&files).within(files.path("")).args(&flags);
    // Both a token and a certificate: the server prefers the certificate.
    pair.env("KUBECONFIG", path).agree().is("ada", &[]);
}

#[test]
fn the_servers_certificate_is_checked_by_the_same_authority() {
    let files = Files::new();
    let (server, ada) = (plane().server_url(), files.user("ada", &[]));
    let (right, wrong) = (files.ca(), files.wrong_ca());
    let data = |path: &Path| BASE64.encode(fs::read(path).unwrap());
    let both = fs::read_to_string(&wrong).unwrap() + plane().ca_pem();
    let both = files.write("both.crt", &both);
    let cluster = |more: Value| {
        let mut cluster = json!({"server": server});
        cluster
            .as_object_mut()
            .unwrap()
            .extend(more.as_object().unwrap().clone());
        cluster
    };
    for good in [
        json!({"certificate-authority": right}),
        json!({"certificate-authority-data": data(&right)}),
        json!({"certificate-authority": both}),
        json!({"certificate-authority": right, "certificate-authority-data": ""}),
        json!({"insecure-skip-tls-verify": true}),
        json!({"certificate-authority": right, "insecure-skip-tls-verify": false}),
    ] {
        println!("{good}");
        SideBySide::on(&files, &cluster(good), &ada)
            .agree()
            .is("ada", &[]);
    }
    for (bad, word) in [
        (
            json!({"certificate-authority": wrong}),
            "authority that is not trusted",
        ),
        (
            json!({"certificate-authority-data": data(&wrong)}),
            "authority that is not trusted",
        ),
        (json!({}), "authority that is not trusted"),
        (
            json!({"certificate-authority": files.path("absent")}),
            "absent",
        ),
        (json!({"certificate-authority-data": "!"}), "base64"),
        (
            json!({"certificate-authority-data": BASE64.encode("none")}),
            "PEM",
        ),
        (
            json!({"certificate-authority": right, "certificate-authority-data": data(&right)}),
            "both as a file and as data",
        ),
        (
            json!({"certificate-authority": right, "insecure-skip-tls-verify": true}),
            "not to be checked",
        ),
    ] {
        println!("{bad}");
        SideBySide::on(&files, &cluster(bad), &ada).refuse(&[word]);
    }
    let distrusting = cluster(json!({"certificate-authority-data": data(&wrong)}));
    let distrusting = SideBySide::on(&files, &distrusting, &ada);
    distrusting
        .clone()
        .args(&["--certificate-authority", arg(&right)])
        .agree()
        .is("ada", &[]);
    distrusting
        .clone()
        .args(&["--insecure-skip-tls-verify"])
        .agree()
        .is("ada", &[]);
    distrusting
        .args(&["--insecure-skip-tls-verify=false"])
        .refuse(&["not trusted"]);
}

#[test]
fn the_name_in_the_servers_certificate_can_be_told() {
    let files = Files::new();
    let ada = files.user("ada", &[]);
    let named = |name: &str| {
        let mut cluster = files.cluster();
        cluster["tls-server-name"] = name.into();
        SideBySide::on(&files, &cluster, &ada)
    };
    named("kubernetes.default.svc").agree().is("ada", &[]);
    named("").agree().is("ada", &[]);
    let wrong = named("elsewhere.example");
    wrong.refuse(&["another name"]);
    wrong
        .clone()
        .args(&["--tls-server-name=localhost"])
        .agree()
        .is("ada", &[]);
    // Another server does not inherit it.
    wrong
        .args(&["--server", &plane().server_url()])
        .agree()
        .is("ada", &[]);
    named("")
        .args(&["--tls-server-name=elsewhere.example"])
        .refuse(&["another name"]);
}

/// What is read from a pipe is there once: it is looked at like any other, and once.
#[test]
fn a_kubeconfig_may_come_by_a_pipe() {
    let files = Files::new();
    let simple = files.simple("config", &files.cluster(), &files.user("ada", &[]));
    let by_pipe = |file: &Path| {
        let script = format!("cat '{}' | \"$0\" \"$@\"", arg(file));
        SideBySide::new(&files)
            .under(["/bin/sh", "-c", &script].map(Into::into))
            .args(&["--kubeconfig", "/dev/stdin"])
    };
    by_pipe(&simple).tool_seen().is("ada", &[]);
    let text = fs::read_to_string(&simple).unwrap();
    let twice = files.write("twice", &format!("{text}\n---\n{text}\n"));
    let seen = by_pipe(&twice).tool_seen();
    seen.run.fails_clearly(&["several YAML documents"]);
}
