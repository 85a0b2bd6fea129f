//! Kubeconfigs that kubectl takes, whatever their other entries are like.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use serde_json::{Value, json};

use crate::support::control_plane::tool_as;
use crate::support::kubeconfig::{Files, arg};
use crate::support::plugin::{Plugin, V1, credential};
use crate::support::proxy::{Kind, Proxy};
use crate::support::tool::home;
use crate::support::{ApiClient, LABEL, Run, Space, plane, run};

fn space() -> Space {
    Space::with(&[("sync-1", 2), ("sync-2", 1)])
}

/// Plans with this kubeconfig.
fn plan(space: &Space, kubeconfig: &std::path::Path) -> Run {
    let mut command = tool_as(kubeconfig);
    command.args([
        "-n",
        &space.name,
        "-L",
        LABEL,
        "--dry-run=client",
        "-o",
        "name",
    ]);
    run(command)
}

/// Whether kubectl gets through with it.
fn kubectl(space: &Space, kubeconfig: &std::path::Path) -> bool {
    let mut command = std::process::Command::new(plane().kubectl());
    // Where it keeps what it found out about the server.
    command
        .env_clear()
        .env("HOME", home())
        .env("KUBERC", "off")
        .args([
            "--kubeconfig",
            arg(kubeconfig),
            "-n",
            &space.name,
            "get",
            "jobs",
        ]);
    command.output().unwrap().status.success()
}

#[track_caller]
fn works(space: &Space, kubeconfig: &std::path::Path, what: &str) {
    assert!(kubectl(space, kubeconfig), "kubectl does not take {what}");
    let run = plan(space, kubeconfig).exits(0);
    assert_eq!(run.out, "job.batch/sync-1\n", "{what}\n{}", run.story());
}

/// A good kubeconfig as a value.
fn good(files: &Files) -> Value {
    let path = files.simple(
        "good",
        &files.cluster(),
        &files.user("admin", &["system:masters"]),
    );
    serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap()
}

/// One odd entry beside the good ones, which nothing uses.
#[test]
fn an_entry_that_nothing_uses_keeps_no_run_from_its_cluster() {
    let (space, files) = (space(), Files::new());
    let user = |user: Value| ("users", json!({"name": "odd", "user": user}));
    let exec = |more: Value| {
        let mut exec = json!({"apiVersion": V1, "command": "x", "interactiveMode": "Never"});
        exec.as_object_mut()
            .unwrap()
            .extend(more.as_object().unwrap().clone());
        user(json!({"exec": exec}))
    };
    let odd = [
        (
            "contexts",
            json!({"name": "odd", "context": {"user": "only"}}),
        ),
        (
            "contexts",
            json!({"name": "odd", "context": {"cluster": null}}),
        ),
        ("contexts", json!({"name": "odd", "context": {}})),
        ("contexts", json!({"name": "odd", "context": null})),
        ("contexts", json!({"name": "odd"})),
        ("contexts", json!({"context": {"cluster": "only"}})),
        (
            "contexts",
            json!({"name": null, "context": {"cluster": "only"}}),
        ),
        ("contexts", Value::Null),
        ("clusters", json!({"cluster": {"server": "https://x"}})),
        (
            "clusters",
            json!({"name": "odd", "cluster": {"extensions": [{"extension": {"a": 1}}]}}),
        ),
        ("clusters", json!({"name": "odd", "cluster": null})),
        ("clusters", Value::Null),
        ("users", json!({"user": {"token": "x"}})),
        ("users", Value::Null),
        user(Value::Null),
        user(json!({"auth-provider": {}})),
        user(json!({"auth-provider": {"name": "oidc", "config": null}})),
        user(json!({"auth-provider": {"name": "oidc", "config": {"client-id": null}}})),
        user(json!({"as-user-extra": {"a": null}})),
        exec(json!({"args": ["a", null]})),
        exec(json!({"args": null, "env": null})),
        exec(json!({"env": [{"name": "A", "value": null}]})),
        exec(json!({"interactiveMode": "Sometimes"})),
        exec(json!({"interactiveMode": ""})),
        exec(json!({"provideClusterInfo": null})),
    ];
    for (number, (kind, entry)) in odd.into_iter().enumerate() {
        let mut config = good(&files);
        config[kind].as_array_mut().unwrap().push(entry.clone());
        let path = files.write(&format!("odd-{number}"), &config.to_string());
        works(&space, &path, &format!("{kind}: {entry}"));
    }
}

#[test]
fn the_entry_in_use_is_named_if_it_is_odd() {
    let (space, files) = (space(), Files::new());
    let mut config = good(&files);
    config["contexts"][0]["context"] = json!({"user": "only"});
    let path = files.write("no-cluster", &config.to_string());
    plan(&space, &path).fails_clearly(&["the context", "only", "names no cluster"]);
}

/// PyYAML writes what is there twice once, and an alias the second time.
#[test]
fn many_aliases_and_many_entries_are_read() {
    let (space, files) = (space(), Files::new());
    let good = serde_saphyr::to_string(&good(&files)).unwrap();
    let (before, users) = good.split_once("users:").unwrap();
    let mut aliases = format!("{before}shared: &shared\n  token: x\nusers:");
    for number in 0..200 {
        aliases += &format!("\n- name: u{number}\n  user: *shared");
    }
    aliases += users;
    works(&space, &files.write("aliases", &aliases), "200 aliases");
    let mut many = good.clone();
    for (kind, entry) in [
        ("contexts", "context"),
        ("clusters", "cluster"),
        ("users", "user"),
    ] {
        let head = format!("{kind}:");
        let more: String = (0..10_000)
            .map(|number| format!("\n- name: n{number}\n  {entry}: {{}}"))
            .collect();
        many = many.replacen(&head, &format!("{head}{more}"), 1);
    }
    works(
        &space,
        &files.write("many", &many),
        "10,000 entries of each kind",
    );
    // Ten levels of ten aliases each stand for ten billion values.
    let mut bomb = "a0: &a0 x\n".to_owned();
    for level in 1..11 {
        let aliases = vec![format!("*a{}", level - 1); 10].join(", ");
        bomb += &format!("a{level}: &a{level} [{aliases}]\n");
    }
    let bomb = files.write("bomb", &format!("{bomb}{good}"));
    let run = plan(&space, &bomb).exits(1);
    assert!(run.err.contains("alias"), "{}", run.story());
    assert!(
        !run.err.contains("Budget") && !run.err.contains("max_"),
        "{}",
        run.story()
    );
}

/// As Go's decoder does: line breaks are passed over, and blanks are not.
#[test]
fn base64_may_be_wrapped() {
    let (space, files) = (space(), Files::new());
    let (certificate, key) = plane()
        .client_certificate("admin", &["system:masters"])
        .unwrap();
    let text = |pem: &str, between: &str| {
        let text = BASE64.encode(pem);
        let lines: Vec<&str> = text
            .as_bytes()
            .chunks(64)
            .map(|line| std::str::from_utf8(line).unwrap())
            .collect();
        lines.join(between)
    };
    for (between, is_read) in [("\n", true), ("\r\n", true), (" ", false), ("\t", false)] {
        let cluster = json!({
            "server": plane().server_url(),
            "certificate-authority-data": text(plane().ca_pem(), between),
        });
        let user = json!({
            "client-certificate-data": text(&certificate, between),
            "client-key-data": text(&key, between),
        });
        let path = files.simple("wrapped", &cluster, &user);
        if is_read {
            works(&space, &path, between);
        } else {
            assert!(!kubectl(&space, &path));
            plan(&space, &path).fails_clearly(&["not valid base64"]);
        }
    }
    // A block of YAML, as people and tools write it.
    for (head, crlf) in [("|", false), ("|", true), ("!!binary |", false)] {
        // What is tagged so is decoded by YAML already, and base64 again below that.
        let is_binary = head.starts_with("!!");
        let block = |pem: &str| {
            let inner = if is_binary {
                BASE64.encode(pem)
            } else {
                pem.to_owned()
            };
            text(&inner, "\n      ")
        };
        let mut yaml = format!(
            "apiVersion: v1\nkind: Config\ncurrent-context: only\ncontexts:\n- name: only\n  context: {{cluster: only, user: only}}\n\
             clusters:\n- name: only\n  cluster:\n    server: {}\n    certificate-authority-data: {head}\n      {}\n\
             users:\n- name: only\n  user:\n    client-certificate-data: {head}\n      {}\n    client-key-data: {head}\n      {}\n",
            plane().server_url(),
            block(plane().ca_pem()),
            block(&certificate),
            block(&key),
        );
        if crlf {
            yaml = yaml.replace('\n', "\r\n");
        }
        works(
            &space,
            &files.write("block", &yaml),
            &format!("{head} {crlf}"),
        );
    }
}

/// Go's zero time is what a plugin prints that does not know when its credentials expire.
#[test]
fn credentials_that_expire_at_the_beginning_of_time_never_do() {
    let (space, files) = (Space::seven(), Files::new());
    let status = json!({"token": "x", "expirationTimestamp": "0001-01-01T00:00:00Z"});
    let plugin = Plugin::printing(&files, &credential(V1, status));
    let proxy = Proxy::new(ApiClient::admin(plane()), |request, up| {
        let mut request = request.clone();
        request.headers.retain(|(name, _)| name != "authorization");
        up.pass(&request)
    });
    let path = files.simple("config", &proxy.cluster(), &plugin.exec(json!({})));
    let mut command = tool_as(&path);
    command.args([
        "-n",
        &space.name,
        "-L",
        LABEL,
        "--yes",
        "--cascade=background",
        "--concurrency=1",
    ]);
    run(command).exits(0);
    assert_eq!(proxy.count(Kind::Delete), 6);
    assert_eq!(plugin.take().len(), 1);
}

/// As with the flag: what answers there would decide unseen what is deleted.
#[test]
fn a_kubeconfig_that_skips_the_check_is_no_place_to_delete_unasked() {
    let (space, files) = (space(), Files::new());
    let cluster = json!({"server": plane().server_url(), "insecure-skip-tls-verify": true});
    let path = files.simple(
        "config",
        &cluster,
        &files.user("admin", &["system:masters"]),
    );
    let with = |flags: &[&str]| {
        let mut command = tool_as(&path);
        command.args(["-n", &space.name, "-L", LABEL]).args(flags);
        run(command)
    };
    let refused = with(&["--yes"]).exits(2);
    assert_eq!(refused.out, "");
    for words in ["insecure-skip-tls-verify", "only", "--yes", "config"] {
        assert!(refused.err.contains(words), "{words}\n{}", refused.story());
    }
    space.holds(&["sync-1", "sync-2"]);
    with(&["--dry-run=client"])
        .exits(0)
        .complains(&["is not checked"]);
    let saved = files.path("plan.json");
    with(&["--save-plan", arg(&saved)]).exits(0);
    let mut command = tool_as(&path);
    command.args(["--plan", arg(&saved), "--yes", "--cascade=background"]);
    run(command).exits(0);
    space.holds(&["sync-2"]);
}
