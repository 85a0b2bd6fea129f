//! What is secret is never shown: not at the highest verbosity, not in an error, not in a saved plan.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::PathBuf;
use std::thread;

use serde_json::{Value, json};

use crate::support::canary::{CANARY, hides};
use crate::support::kubeconfig::{Files, arg};
use crate::support::stub::{self, Stub};
use crate::support::{LABEL, Run, plane, run, together, tool};

/// Runs the tool at its loudest, and fails if the canary shows.
#[track_caller]
fn silent(args: &[&str]) -> Run {
    silent_with(args, &[])
}

#[track_caller]
fn silent_with(args: &[&str], environment: &[(&str, &str)]) -> Run {
    let mut command = tool();
    command
        .args(["-n", "default", "-L", LABEL, "-vvv", "--request-timeout=5s"])
        .args(args)
        .envs(environment.iter().copied());
    let run = run(command);
    assert!(!run.err.contains("panicked"), "{}", run.story());
    hides(CANARY, &run);
    run
}

/// Servers that grant, refuse and send elsewhere.
fn servers() -> [Stub; 4] {
    let answers: [fn() -> stub::Answer; 4] = [
        || stub::list(&[]),
        || stub::status("401 Unauthorized", "", "Unauthorized", "Unauthorized"),
        || stub::status("403 Forbidden", "", "Forbidden", "no"),
        || ("302 Found", "Location: /login\r\n", json!("elsewhere")),
    ];
    answers.map(|answer| Stub::new(move |_| answer()))
}

/// Kubeconfigs of these users against each of the [`servers`]: every secret in them stays one.
#[track_caller]
fn stay_secret(users: &[Value]) {
    let servers = servers();
    stay_secret_at(&servers.each_ref().map(|server| &*server.url), users);
}

/// The same at these addresses, all at once.
#[track_caller]
fn stay_secret_at(urls: &[&str], users: &[Value]) {
    let files = Files::new();
    thread::scope(|scope| {
        for (place, user) in users.iter().enumerate() {
            for url in urls {
                let name = format!("config-{place}-{}", url.replace("http://", ""));
                let config = files.simple(&name, &json!({"server": url}), user);
                scope.spawn(move || {
                    let flags = ["--dry-run=client", "-o", "json", "--kubeconfig"];
                    silent(&[&flags[..], &[arg(&config)]].concat());
                });
            }
        }
    });
}

#[test]
fn credentials_for_a_server_that_is_not_there() {
    let files = Files::new();
    stay_secret_at(
        &[&stub::closed()],
        &[
            json!({"token": CANARY}),
            json!({"tokenFile": files.write("token", CANARY)}),
            json!({"username": "ada", "password": CANARY}),
            plugin(&files, 0, Some("exit 3")),
            plugin(&files, 1, None),
        ],
    );
}

#[test]
fn a_token() {
    let files = Files::new();
    stay_secret(&[
        json!({"token": CANARY}),
        json!({"tokenFile": files.write("token", CANARY)}),
    ]);
    for server in servers() {
        let token = format!("--token={CANARY}");
        silent(&["-s", &server.url, &token, "--yes"]);
        // The tool does not send it over a connection that is not encrypted.
        let sent = &server.asked()[0].headers;
        assert!(!sent.contains(&CANARY.to_lowercase()), "{sent}");
    }
    // Where it is sent, the server does not know it.
    let (ca, token) = (files.ca(), format!("--token={CANARY}"));
    let flags = ["--certificate-authority", arg(&ca), "--yes"];
    silent(&[&["-s", &plane().server_url(), &token][..], &flags].concat())
        .exits(1)
        .complains(&["nauthorized"]);
}

/// No header could hold these.
#[test]
fn a_token_that_is_none() {
    let files = Files::new();
    stay_secret(&[
        json!({"token": format!("{CANARY}\n")}),
        json!({"token": format!("\u{1b}{CANARY}")}),
        json!({"token": format!("{CANARY}é")}),
        json!({"tokenFile": files.write("odd", &format!("a\n{CANARY}"))}),
    ]);
    let odd = format!("--token={CANARY}\n{CANARY}");
    silent(&["-s", &servers()[0].url, &odd, "--yes"]);
}

#[test]
fn a_password() {
    stay_secret(&[
        json!({"username": "ada", "password": CANARY}),
        json!({"username": "ada", "password": format!("{CANARY}\n")}),
    ]);
}

#[test]
fn a_password_of_a_proxy() {
    let files = Files::new();
    let nowhere = stub::closed().replace("http://", "");
    let proxies = [
        format!("http://ada:{CANARY}@{nowhere}"),
        format!("socks5://ada:{CANARY}@{nowhere}"),
        format!("nonsense://ada:{CANARY}@{nowhere}"),
        format!("http://ada:{CANARY}@"),
    ];
    let elsewhere = "https://example.com:6443";
    let plain = files.simple("plain", &json!({"server": elsewhere}), &json!({}));
    thread::scope(|scope| {
        for (place, proxy) in proxies.iter().enumerate() {
            let cluster = json!({"server": elsewhere, "proxy-url": proxy});
            let config = files.simple(&format!("proxy-{place}"), &cluster, &json!({}));
            let plain = &plain;
            scope.spawn(move || {
                silent(&["--kubeconfig", arg(&config), "--dry-run=client"]).exits(1);
            });
            scope.spawn(move || {
                let flags = ["--kubeconfig", arg(plain), "--dry-run=client"];
                silent_with(&flags, &[("HTTPS_PROXY", proxy)]).exits(1);
            });
        }
    });
}

/// A plan names its server, but holds no credentials for it.
#[test]
fn a_password_in_a_servers_address() {
    let files = Files::new();
    let stub = Stub::new(|_| stub::list(&[]));
    let with = |url: &str| url.replace("http://", &format!("http://ada:{CANARY}@"));
    together(
        &[("there", &stub.url), ("gone", &stub::closed())],
        |(name, url)| {
            let cluster = json!({"server": with(url)});
            let config = files.simple(name, &cluster, &json!({}));
            let plan = files.path(&format!("{name}.json"));
            let config = ["--kubeconfig", arg(&config), "-o", "json"];
            silent(&[&config[..], &["--save-plan", arg(&plan)]].concat());
            let written = fs::read_to_string(&plan).unwrap_or_default();
            assert!(!written.contains(CANARY), "{written}");
        },
    );
}

/// What a saved plan says of who made it.
#[test]
fn credentials_are_in_no_saved_plan() {
    let files = Files::new();
    let stub = Stub::new(|asked| match asked.target.contains("kube-system") {
        true => stub::status("403 Forbidden", "", "Forbidden", "not for you"),
        false => stub::list(&[]),
    });
    let credential = json!({
        "apiVersion": "client.authentication.k8s.io/v1", "kind": "ExecCredential",
        "status": {"token": CANARY},
    });
    for user in [
        json!({"token": CANARY}),
        json!({"username": "ada", "password": CANARY}),
        plugin(&files, 0, Some(&format!("echo '{credential}'"))),
    ] {
        let config = files.simple("config", &json!({"server": stub.url}), &user);
        let plan = files.path("plan.json");
        silent(&["--kubeconfig", arg(&config), "--save-plan", arg(&plan)]).exits(0);
        assert!(!fs::read_to_string(&plan).unwrap().contains(CANARY));
    }
}

#[test]
fn a_client_key() {
    let (files, certificate) = (
        Files::new(),
        plane().client_certificate("ada", &[]).unwrap(),
    );
    let encoded = |text: &str| {
        use base64::Engine as _;
        base64::engine::general_purpose::STANDARD.encode(text)
    };
    let pem = format!("-----BEGIN PRIVATE KEY-----\n{CANARY}\n-----END PRIVATE KEY-----\n");
    let keys = [
        CANARY.to_owned(),
        format!("!{CANARY}"),
        encoded(CANARY),
        encoded(&pem),
    ];
    for key in keys {
        let user = json!({
            "client-certificate-data": encoded(&certificate.0), "client-key-data": key,
        });
        let config = files.simple("config", &files.cluster(), &user);
        let run = silent(&["--kubeconfig", arg(&config), "--dry-run=client"]).exits(1);
        hides(&encoded(CANARY), &run);
    }
    // The real one, too: no line of it, in either form.
    let user = json!({
        "client-certificate-data": encoded(&certificate.0),
        "client-key-data": encoded(&certificate.1),
    });
    let config = files.simple("config", &files.cluster(), &user);
    let run = silent(&["--kubeconfig", arg(&config), "--dry-run=client"]).exits(1);
    hides(&encoded(&certificate.1)[..40], &run);
    for line in certificate.1.lines().filter(|line| line.len() > 30) {
        hides(line, &run);
    }
}

/// A plugin for credentials that does this, with a canary in its environment and its arguments.
fn plugin(files: &Files, place: usize, script: Option<&str>) -> Value {
    let path = match script {
        Some(script) => {
            let path = files.write(
                &format!("plugin-{place}"),
                &format!("#!/bin/sh\n{script}\n"),
            );
            fs::set_permissions(&path, fs::Permissions::from_mode(0o700)).unwrap();
            path
        }
        None => PathBuf::from("no-such-plugin"),
    };
    json!({"exec": {
        "apiVersion": "client.authentication.k8s.io/v1", "interactiveMode": "Never",
        "command": path, "args": ["--secret", CANARY],
        "env": [{"name": "SECRET", "value": format!("{CANARY}-env")}],
    }})
}

#[test]
fn what_a_credentials_plugin_is_given_and_gives() {
    let files = Files::new();
    let credential = json!({
        "apiVersion": "client.authentication.k8s.io/v1", "kind": "ExecCredential",
        "status": {"token": CANARY},
    })
    .to_string();
    let half = &credential[..credential.len() - 1];
    let strange = credential.replace("client.authentication.k8s.io/v1", "example.com/v1");
    let typed = credential
        .replace("\"token\":\"", "\"token\":[\"")
        .replace("\"}}", "\"]}}");
    let scripts = [
        Some(format!("echo '{credential}'")),
        Some(format!("echo '{half}'")),
        Some(format!("echo '{strange}'")),
        Some(format!("echo '{typed}'")),
        Some(format!("echo '{CANARY}'")),
        Some(format!("echo '{credential}'; exit 3")),
        Some("exit 3".to_owned()),
        Some("kill -9 $$".to_owned()),
        Some("true".to_owned()),
        None,
    ];
    let plugins = scripts.iter().enumerate();
    let users = plugins.map(|(place, script)| plugin(&files, place, script.as_deref()));
    stay_secret(&users.collect::<Vec<_>>());
}

/// A kubeconfig with a mistake right beside its secrets.
#[test]
fn a_garbled_kubeconfig() {
    let (files, whole) = (
        Files::new(),
        format!(
            "\
apiVersion: v1
kind: Config
current-context: a
contexts: [{{name: a, context: {{cluster: a, user: a}}}}]
clusters: [{{name: a, cluster: {{server: 'https://127.0.0.1:1'}}}}]
users:
- name: a
  user:
    token: {CANARY}
    password: {CANARY}
    client-key-data: {CANARY}
"
        ),
    );
    for (what, text) in [
        ("a bracket", whole.replace("token: ", "token: [")),
        ("a quote", whole.replace("token: ", "token: '")),
        (
            "a list",
            whole
                .replace("token: ", "token: [a, ")
                .replacen("secret\n", "secret]\n", 1),
        ),
        (
            "a mapping",
            whole
                .replace("token: ", "token: {a: ")
                .replacen("secret\n", "secret}\n", 1),
        ),
        ("a tab", whole.replace("    token: ", "\ttoken: ")),
        ("less indented", whole.replace("    token: ", " token: ")),
        (
            "more indented",
            whole.replace("    token: ", "      token: "),
        ),
        ("no colon", whole.replace("token: ", "token ")),
        ("another colon", whole.replace("token: ", "token: a: ")),
        (
            "twice",
            whole.replace("    token: ", "    token: a\n    token: "),
        ),
        ("an alias", whole.replace("token: ", "token: *")),
        ("a tag", whole.replace("token: ", "token: !!int ")),
        ("binary", whole.replace("token: ", "token: !!binary ")),
        ("no list", whole.replace("- name: a\n", "  name: a\n")),
        (
            "a user of text",
            whole.replace("user:\n    token: ", "user: "),
        ),
        (
            "a control character",
            whole.replace("token: ", "token: \u{1}"),
        ),
        ("an exec of text", whole.replace("token: ", "exec: ")),
        ("a secret as a key", whole.replace("token: ", "? ")),
        (
            "cut",
            whole.split_at(whole.find("secret").unwrap()).0.to_owned() + "secret: {",
        ),
    ] {
        println!("{what}");
        let config = files.write("config", &text);
        silent(&["--kubeconfig", arg(&config), "--dry-run=client"]).exits(1);
    }
}
