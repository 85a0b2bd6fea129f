//! The tool never prints what a Job's containers have in their environment.

use std::{fs, thread};

use crate::support::canary::{CANARY, hides};
use crate::support::kubeconfig::{Files, arg};
use crate::support::proxy::{Kind, Proxy, Reply};
use crate::support::{ApiClient, LABEL, Space, plane, run, tool};

/// What a Job's containers are given: neither on the way to a purge nor in what is kept of it.
#[test]
fn the_environment_of_a_job() {
    let (space, files) = (Space::three(), Files::new());
    let secret = "value-0-sync";
    assert!(space.list()[0].to_string().contains(secret));
    let path = files.path("plan.json");
    hides(
        secret,
        &space.run(&["--save-plan", arg(&path), "-vvv"]).exits(0),
    );
    assert!(!fs::read_to_string(&path).unwrap().contains(secret));
    for format in ["table", "wide", "json", "yaml"] {
        for how in ["--dry-run", "--dry-run=client"] {
            hides(secret, &space.run(&[how, "-vvv", "-o", format]).exits(0));
        }
    }
    let backup = files.path("backup");
    let run = space.run(&[
        "--yes",
        "-vvv",
        "--cascade=background",
        "--backup",
        arg(&backup),
    ]);
    hides(secret, &run.exits(0));
}

/// Answers that end in the middle of it, on the way to a plan and to a backup.
#[test]
fn the_environment_of_a_job_in_an_answer_that_is_cut() {
    let space = Space::three();
    let files = Files::new();
    let secret = "value-0-sync";
    // The first `times` answers to the same request are spoilt.
    let spoiling = |kinds: &'static [Kind], times: usize| {
        Proxy::new(ApiClient::admin(plane()), move |request, up| {
            let real = up.pass(&request.with_header("accept", "application/json"));
            let text = String::from_utf8_lossy(&real.body).into_owned();
            let meant = kinds.contains(&request.kind) && request.again <= times;
            match text.find(secret).filter(|_| meant) {
                Some(start) if request.again % 2 == 1 => real.ends_at(start + secret.len()),
                Some(start) => {
                    let garbled = text[start..].replacen("value", "\u{1}value", 1);
                    let body = text[..start].to_owned() + &garbled;
                    Reply::new(200, real.headers, body.into_bytes())
                }
                None => real,
            }
        })
    };
    let (lists, others) = (
        spoiling(&[Kind::List], usize::MAX),
        spoiling(&[Kind::Reread, Kind::Delete], 2),
    );
    let backup = files.path("backup");
    let flags = ["--yes", "-vvv", "--backup", arg(&backup)];
    thread::scope(|scope| {
        for (proxy, code) in [(&lists, 1), (&others, 0)] {
            let (space, flags) = (&space, &flags);
            scope.spawn(move || hides(secret, &run(proxy.tool(&space.name, flags)).exits(code)));
        }
    });
    // They came, and were asked for again.
    assert!(lists.count(Kind::List) > 2);
    assert!(others.count(Kind::Reread) > 4);
}

/// A mistake right beside a secret value: a message that quoted the line would show it.
#[test]
fn the_environment_of_a_job_in_a_file() {
    let (files, whole) = (Files::new(), format!("\
apiVersion: batch/v1
kind: Job
metadata: {{name: a, namespace: b, uid: c, creationTimestamp: '2026-01-01T00:00:00Z', labels: {{{LABEL}: g}}}}
spec:
  template:
    spec:
      containers:
      - name: run
        env: [{{name: SECRET, value: '{CANARY}'}}]
"));
    let value = |instead: &str| {
        let value = format!("value: '{CANARY}'");
        assert!(whole.contains(&value));
        whole.replace(&value, &format!("value: {instead}"))
    };
    let mistakes = [
        ("a quote", value(&format!("'{CANARY}"))),
        ("a colon", value(&format!("a: {CANARY}"))),
        ("an alias", value(&format!("*{CANARY}"))),
        ("a tag", value(&format!("!!int {CANARY}"))),
        ("a control character", value(&format!("\u{1}{CANARY}"))),
        ("a bracket", whole.replace("}]", "}")),
        ("a tab", whole.replace("        env", "\tenv")),
        ("below", format!("{whole}]\n")),
    ];
    let plan = |text: &str, format: &str| {
        let path = files.write("jobs.yaml", text);
        let mut command = tool();
        command.args(["-f", arg(&path), "-L", LABEL, "-vvv", "-o", format]);
        let run = run(command);
        hides(CANARY, &run);
        run
    };
    for format in ["table", "wide", "json", "yaml"] {
        plan(&whole, format).exits(0);
    }
    for (what, text) in mistakes {
        println!("{what}");
        plan(&text, "table").exits(1);
    }
}
