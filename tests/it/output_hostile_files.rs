//! Text that comes from files: kubeconfigs, Jobs, saved plans, and what plugins for credentials say.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::PathBuf;
use std::process::Command;

use serde_json::{Value, json};

use crate::support::hostile_text::{FORMATS, HOSTILE, document, is_harmless, is_never_raw};
use crate::support::kubeconfig::{Files, arg, config};
use crate::support::stub;
use crate::support::{LABEL, Space, Terminal, plane, run, tool};

/// JSON that is YAML to every reader: what is not plain is written out.
fn plain(json: &Value) -> String {
    let mut plain = String::new();
    for char in json.to_string().chars() {
        match char {
            ' '..='~' => plain.push(char),
            _ => plain += &format!("\\u{:04x}", u32::from(char)),
        }
    }
    plain
}

/// The context, the cluster and the user of a kubeconfig, with names like this.
fn hostile_config(files: &Files) -> (PathBuf, Command) {
    let (cluster, user) = (files.cluster(), files.user("named", &["system:masters"]));
    let context = json!({"cluster": HOSTILE, "user": HOSTILE});
    let config = config(
        &[(HOSTILE, &cluster)],
        &[(HOSTILE, &user)],
        &[(HOSTILE, context)],
        Some(HOSTILE),
    );
    let path = files.write("config", &plain(&config));
    let mut command = tool();
    command.args(["--kubeconfig", arg(&path), "-L", LABEL, "-vvv"]);
    (path, command)
}

#[test]
fn names_of_a_kubeconfig() {
    let (space, files) = (Space::with(&[("sync-1", 2), ("sync-2", 1)]), Files::new());
    for format in FORMATS {
        let (_, mut command) = hostile_config(&files);
        command.args(["-n", &space.name, "--dry-run", "-o", format]);
        let run = run(command).exits(0);
        is_harmless(&run);
        if ["json", "yaml"].contains(&format) {
            assert_eq!(document(&run, format)["cluster"]["context"], HOSTILE);
        }
    }
    let (_, mut command) = hostile_config(&files);
    command.args(["-n", &space.name]);
    command.env("NO_COLOR", "1");
    let mut terminal = Terminal::start(&command, 200);
    terminal.wait_for("Purge 1 Job");
    terminal.enter("n");
    let left = terminal.finish().exits(4);
    for raw in [
        "\u{1b}[31m",
        "\u{1b}]",
        "\u{9b}",
        "\u{202e}",
        "\u{2066}",
        "\u{7}",
        "\u{8}",
    ] {
        assert!(!left.raw.contains(raw), "{raw:?} in {:?}", left.raw);
    }
}

#[test]
fn names_in_a_kubeconfig_that_lead_nowhere() {
    let files = Files::new();
    let (cluster, user) = (files.cluster(), files.user("named", &["system:masters"]));
    let context = |cluster: &str, user: &str, namespace: &str| json!({"cluster": cluster, "user": user, "namespace": namespace});
    let with = |field: &str, value: Value| {
        let mut cluster = cluster.clone();
        cluster[field] = value;
        cluster
    };
    let good = context("a", "a", "team");
    let exec = json!({"exec": {
        "apiVersion": "client.authentication.k8s.io/v1", "interactiveMode": "Never",
        "command": format!("/nowhere/{HOSTILE}"), "installHint": HOSTILE,
    }});
    let key = json!({"client-certificate": HOSTILE, "client-key": HOSTILE});
    let token = json!({"tokenFile": format!("/nowhere/{HOSTILE}")});
    for (what, cluster, user, context, current) in [
        ("no context", &cluster, &user, &good, HOSTILE),
        (
            "no cluster",
            &cluster,
            &user,
            &context(HOSTILE, "a", "team"),
            "a",
        ),
        (
            "no user",
            &cluster,
            &user,
            &context("a", HOSTILE, "team"),
            "a",
        ),
        (
            "no namespace",
            &cluster,
            &user,
            &context("a", "a", HOSTILE),
            "a",
        ),
        (
            "no address",
            &with("server", HOSTILE.into()),
            &user,
            &good,
            "a",
        ),
        (
            "no host",
            &with("server", format!("https://{HOSTILE}").into()),
            &user,
            &good,
            "a",
        ),
        (
            "no file",
            &with("certificate-authority", HOSTILE.into()),
            &user,
            &good,
            "a",
        ),
        (
            "no proxy",
            &with("proxy-url", HOSTILE.into()),
            &user,
            &good,
            "a",
        ),
        (
            "no name",
            &with("tls-server-name", HOSTILE.into()),
            &user,
            &good,
            "a",
        ),
        ("no plugin", &cluster, &exec, &good, "a"),
        ("no key", &cluster, &key, &good, "a"),
        ("no token", &cluster, &token, &good, "a"),
    ] {
        let config = config(
            &[("a", cluster)],
            &[("a", user)],
            &[("a", context.clone())],
            Some(current),
        );
        let path = files.write("config", &plain(&config));
        let mut command = tool();
        command.args(["--kubeconfig", arg(&path), "-vvv", "--dry-run=client"]);
        let run = run(command);
        assert!(matches!(run.code, Some(1 | 2)), "{what}: {}", run.story());
        println!("{what}");
        assert!(!run.err.contains("line 1"), "{what}: {}", run.story());
        is_harmless(&run);
    }
    for text in [
        format!("{HOSTILE}: ["),
        format!("clusters: \"{HOSTILE}"),
        HOSTILE.to_owned(),
    ] {
        let path = files.write("config", &text);
        let mut command = tool();
        command.args(["--kubeconfig", arg(&path), "-vvv", "--dry-run=client"]);
        is_harmless(&run(command).exits(1));
    }
}

#[test]
fn contents_of_files() {
    let files = Files::new();
    let mut job = stub::job("sync-1", "uid-1", "7", 1);
    for (key, value) in [("apiVersion", "batch/v1"), ("kind", "Job")] {
        job[key] = value.into();
    }
    job["metadata"]["labels"][LABEL] = HOSTILE.into();
    let mut other = job.clone();
    other["metadata"]["name"] = HOSTILE.into();
    other["metadata"]["uid"] = HOSTILE.into();
    other["metadata"]["creationTimestamp"] = "2025-01-02T00:00:00Z".into();
    let list = json!({"apiVersion": "v1", "kind": "List", "items": [job, other]});
    let plan = |text: &str, format: &str| {
        let path = files.write("jobs", text);
        let mut command = tool();
        command.args(["-f", arg(&path), "-L", LABEL, "-vvv", "-o", format]);
        run(command)
    };
    for format in FORMATS {
        let run = plan(&list.to_string(), format).exits(0);
        is_harmless(&run);
        if ["json", "yaml"].contains(&format) {
            let document = document(&run, format);
            assert_eq!(document["groups"][0]["jobs"][1]["name"], HOSTILE);
        }
    }
    let mut strange = list.clone();
    strange["kind"] = HOSTILE.into();
    let mut stamped = list.clone();
    stamped["items"][0]["metadata"]["creationTimestamp"] = HOSTILE.into();
    let mut typed = list.clone();
    typed["items"][0]["metadata"] = HOSTILE.into();
    let texts = [strange, stamped, typed].map(|list| list.to_string());
    let broken = [
        format!("kind: {HOSTILE}: ["),
        format!("\"{HOSTILE}"),
        HOSTILE.to_owned(),
    ];
    for text in texts.iter().chain(&broken) {
        is_harmless(&plan(text, "table").exits(1));
    }
}

#[test]
fn contents_of_a_saved_plan() {
    let space = Space::with(&[("sync-1", 2), ("sync-2", 1)]);
    let saved = crate::support::saved_plan::Saved::of(&space, &[]);
    let whole = saved.document();
    let edits: [fn(&mut Value); 6] = [
        |plan| plan[HOSTILE] = "more".into(),
        |plan| plan["apiVersion"] = HOSTILE.into(),
        |plan| plan["cluster"]["server"] = HOSTILE.into(),
        |plan| plan["groups"][0]["jobs"][0]["verdict"] = HOSTILE.into(),
        |plan| plan["groups"][0]["jobs"][0]["name"] = HOSTILE.into(),
        |plan| plan["saved"]["identity"]["uid"] = HOSTILE.into(),
    ];
    for edit in edits {
        let mut plan = whole.clone();
        edit(&mut plan);
        fs::write(&saved.path, plan.to_string()).unwrap();
        is_harmless(&saved.run(&["--dry-run", "-vvv"]));
        is_harmless(&saved.run(&["--yes", "-vvv"]));
    }
    let mut plan = whole.clone();
    plan["cluster"]["context"] = HOSTILE.into();
    fs::write(&saved.path, plan.to_string()).unwrap();
    is_harmless(&saved.run(&["--dry-run", "-vvv"]));
}

/// A plugin for credentials that does this.
fn plugin(files: &Files, script: &str) -> PathBuf {
    let path = files.write("plugin", &format!("#!/bin/sh\n{script}\n"));
    fs::set_permissions(&path, fs::Permissions::from_mode(0o700)).unwrap();
    let user = json!({"exec": {
        "apiVersion": "client.authentication.k8s.io/v1", "interactiveMode": "Never",
        "command": path,
    }});
    files.simple("config", &files.cluster(), &user)
}

/// It is a program of the user's, and its lines are shown as such: they may say anything, but not steer the terminal.
#[test]
fn words_of_a_credentials_plugin() {
    let files = Files::new();
    files.write("words", HOSTILE);
    let words = files.path("words");
    let words = arg(&words);
    let token = plane().token();
    let credential = json!({
        "apiVersion": "client.authentication.k8s.io/v1", "kind": "ExecCredential",
        "status": {"token": token},
    });
    for (script, code) in [
        (format!("cat {words} >&2; exit 7"), 1),
        (format!("cat {words}"), 1),
        (format!("cat {words} >&2; echo '{credential}'"), 1),
        (format!("cat {words} >&2; kill -9 $$"), 1),
    ] {
        let config = plugin(&files, &script);
        let mut command = tool();
        command
            .args(["--kubeconfig", arg(&config), "-n", "default", "-L", LABEL])
            .args(["-vvv", "--dry-run=client"]);
        is_never_raw(&run(command).exits(code));
    }
}
