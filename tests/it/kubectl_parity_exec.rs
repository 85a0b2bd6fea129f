//! Credential plugins under kubectl and under this tool, side by side: how often they are called, with what, and what
//! becomes of what they print and say.

use std::path::Path;

use serde_json::{Value, json};

use crate::support::kubeconfig::{Files, arg};
use crate::support::plugin::{Plugin, V1, V1BETA1, credential, exec, token};
use crate::support::side_by_side::{SideBySide, Who, service_account};
use crate::support::{Space, Terminal, plane, run};

/// Without what is null: kubectl writes that out where there is nothing to tell.
fn without_nulls(value: Value) -> Value {
    match value {
        Value::Object(fields) => fields
            .into_iter()
            .filter(|(_, value)| !value.is_null())
            .map(|(name, value)| (name, without_nulls(value)))
            .collect(),
        other => other,
    }
}

/// One request of kubectl's.
const RAW: [&str; 3] = ["get", "--raw", "/apis/batch/v1/namespaces/default/jobs"];
const PLAN: [&str; 1] = ["--dry-run=client"];

#[test]
fn each_is_told_the_same_and_called_once() {
    let (files, space) = (Files::new(), Space::new());
    let (secret, account) = service_account(&space, "plugin");
    let extension = json!({"audience": "me", "deep": {"list": [1, null, "x"]}});
    let mut cluster = files.cluster();
    cluster["tls-server-name"] = "localhost".into();
    cluster["disable-compression"] = true.into();
    cluster["extensions"] = json!([
        {"name": "other", "extension": {"a": "b"}},
        {"name": "client.authentication.k8s.io/exec", "extension": extension},
    ]);
    for version in [V1, V1BETA1] {
        for provides in [false, true] {
            let printed = credential(version, json!({"token": secret}));
            let plugin = Plugin::printing(&files, &printed);
            let more = json!({
                "apiVersion": version, "provideClusterInfo": provides, "args": ["--a", "b c"],
                "env": [{"name": "SOME", "value": "thing"}],
            });
            let pair = SideBySide::on(&files, &cluster, &plugin.exec(more));
            let kubectl = pair.kubectl_seen();
            assert_eq!(kubectl.user(), account);
            let kubectl = plugin.take();
            assert_eq!(pair.tool_seen().user(), account);
            let tool = plugin.take();
            assert_eq!(kubectl.len(), 1);
            assert_eq!(tool.len(), 1);
            let (kubectl, tool) = (
                without_nulls(kubectl[0].clone()),
                without_nulls(tool[0].clone()),
            );
            assert_eq!(kubectl, tool);
            assert_eq!(tool["spec"]["cluster"].is_object(), provides);
            if provides {
                assert_eq!(tool["spec"]["cluster"]["config"]["audience"], "me");
            }
        }
    }
}

#[test]
fn what_it_is_given_arrives() {
    let (files, space) = (Files::new(), Space::new());
    let (secret, account) = service_account(&space, "plugin");
    let printed = files.write("token", &token(&secret).to_string());
    let script = format!(
        "[ \"$1/$2/$#\" = '--a/b c/2' ] && [ \"$SOME/$OTHERS\" = 'thing/too' ] && cat '{}'",
        arg(&printed)
    );
    let plugin = Plugin::new(&files, &script);
    let given = json!({
        "args": ["--a", "b c"],
        "env": [{"name": "SOME", "value": "thing"}, {"name": "PATH", "value": "/usr/bin:/bin"}],
    });
    let pair = || {
        SideBySide::new(&files)
            .env("OTHERS", "too")
            .env("SOME", "thing else")
    };
    let config = |exec: &Value| files.simple("config", &files.cluster(), exec);
    let by_path = config(&plugin.exec(given.clone()));
    pair().env("KUBECONFIG", by_path).agree().is(&account, &[]);
    // A path that is not whole begins where the kubeconfig is, a bare name on the caller's PATH.
    let relative = config(&exec(Path::new("./plugin"), given.clone()));
    pair().env("KUBECONFIG", relative).agree().is(&account, &[]);
    let named = config(&exec(Path::new("plugin"), given.clone()));
    let path = format!("/nowhere:{}:/usr/bin:/bin", arg(&files.path("")));
    let on_path = pair().env("KUBECONFIG", &named);
    on_path.clone().env("PATH", path).agree().is(&account, &[]);
    // Not where the program happens to run, even if the PATH says so.
    for nowhere in ["/usr/bin:/bin", ".:/usr/bin:/bin", ":/usr/bin:/bin", ""] {
        let pair = on_path.clone().within(files.path("")).env("PATH", nowhere);
        pair.refuse(&["plugin", "is not installed"]);
    }
    // What cannot be run is passed over.
    std::fs::create_dir_all(files.path("first")).unwrap();
    files.write("first/plugin", "no program");
    let path = format!(
        "{}:{}:/usr/bin:/bin",
        arg(&files.path("first")),
        arg(&files.path(""))
    );
    on_path.env("PATH", path).agree().is(&account, &[]);
    let misses_one = plugin.exec(json!({"args": ["--a"]}));
    pair()
        .env("KUBECONFIG", config(&misses_one))
        .refuse(&["exit code 1"]);
}

#[test]
fn without_a_terminal_a_plugin_cannot_ask() {
    let (files, space) = (Files::new(), Space::new());
    let (secret, account) = service_account(&space, "plugin");
    for (version, mode, is_good) in [
        (V1, "Never", true),
        (V1, "IfAvailable", true),
        (V1, "Always", false),
        (V1, "", false),
        (V1BETA1, "Never", true),
        (V1BETA1, "IfAvailable", true),
        (V1BETA1, "Always", false),
        (V1BETA1, "", true),
    ] {
        println!("{version} {mode}");
        let plugin = Plugin::printing(&files, &credential(version, json!({"token": secret})));
        let mut user = plugin.exec(json!({"apiVersion": version, "interactiveMode": mode}));
        if mode.is_empty() {
            user["exec"]
                .as_object_mut()
                .unwrap()
                .remove("interactiveMode");
        }
        let pair = SideBySide::on(&files, &files.cluster(), &user);
        if is_good {
            pair.agree().is(&account, &[]);
            let told = plugin.take();
            assert_eq!(told.len(), 2);
            assert!(
                told.iter().all(|told| told["spec"]["interactive"] == false),
                "{told:?}"
            );
        } else {
            let word = if mode.is_empty() {
                "interactiveMode"
            } else {
                "terminal"
            };
            pair.refuse(&[word]);
            assert_eq!(plugin.take().len(), 0);
        }
    }
}

#[test]
fn in_a_terminal_it_may_ask() {
    let (files, space) = (Files::new(), Space::new());
    let (secret, account) = service_account(&space, "plugin");
    let printed = files.write("token", &token(&secret).to_string());
    let script = format!(
        "printf 'Code? ' >&2; read code; [ \"$code\" = sesame ] && [ -t 2 ] && cat '{}'",
        arg(&printed)
    );
    let plugin = Plugin::new(&files, &script);
    for mode in ["IfAvailable", "Always"] {
        let user = plugin.exec(json!({"interactiveMode": mode}));
        let pair = SideBySide::on(&files, &files.cluster(), &user);
        for command in [pair.kubectl(&["auth", "whoami"]), pair.tool(&PLAN)] {
            let mut terminal = Terminal::start(&command, 200);
            terminal.wait_for("Code? ");
            terminal.send("sesame\r");
            let left = terminal.finish();
            assert!(left.text.contains(&account), "{}", left.text);
            let told = plugin.take();
            assert_eq!(told.len(), 1);
            assert_eq!(told[0]["spec"]["interactive"], true);
        }
    }
    // Who may not ask does not, and has no terminal to do it on.
    let never = SideBySide::on(&files, &files.cluster(), &plugin.exec(json!({})));
    for command in [never.kubectl(&RAW), never.tool(&PLAN)] {
        let left = Terminal::start(&command, 200).finish();
        assert_ne!(left.code, 0, "{}", left.text);
        assert!(left.text.contains("exit code 1"), "{}", left.text);
    }
}

#[test]
fn its_failure_is_told_in_its_own_words() {
    let files = Files::new();
    let script = "echo 'Your session has ended.' >&2; echo 'Run corp-login again.' >&2; exit 7";
    let plugin = Plugin::new(&files, script);
    let pair = SideBySide::on(&files, &files.cluster(), &plugin.exec(json!({})));
    for command in [pair.kubectl(&RAW), pair.tool(&PLAN)] {
        let run = run(command).exits(1);
        let own = "Your session has ended.\nRun corp-login again.\n";
        assert!(run.err.starts_with(own), "{}", run.story());
        assert!(
            run.err.contains("failed with exit code 7"),
            "{}",
            run.story()
        );
        assert_eq!(plugin.take().len(), 1, "{}", run.story());
    }
    // It is heard when it does well, too: it may be a code to enter somewhere.
    let space = Space::new();
    let (secret, _) = service_account(&space, "plugin");
    let printed = files.write("token", &token(&secret).to_string());
    let script = format!(
        "echo 'Enter ABCD at the door.' >&2; cat '{}'",
        arg(&printed)
    );
    Plugin::new(&files, &script);
    for run in [
        run(pair.kubectl(&["auth", "whoami"])),
        run(pair.tool(&[&PLAN[..], &["-q"]].concat())),
    ] {
        assert!(
            run.err.starts_with("Enter ABCD at the door.\n"),
            "{}",
            run.story()
        );
    }
}

#[test]
fn how_to_install_one_that_is_missing_is_said() {
    let files = Files::new();
    for command in ["no-such-plugin", "/no/such/plugin"] {
        let more = json!({"installHint": "Get it with:\n  corp-get plugin"});
        let user = exec(Path::new(command), more);
        let pair = SideBySide::on(&files, &files.cluster(), &user);
        let kubectl = run(pair.kubectl(&RAW)).exits(1);
        // kubectl keeps the hint for itself where a whole path leads nowhere, though the kubeconfig's owner wrote it.
        if !command.contains('/') {
            kubectl.complains(&["Get it with:", "corp-get plugin"]);
        }
        let tool = run(pair.tool(&PLAN)).fails_clearly(&[command, "is not installed"]);
        tool.complains(&["hint: ", "Get it with:", "corp-get plugin"]);
    }
}

#[test]
fn what_it_prints_must_be_credentials() {
    let (files, space) = (Files::new(), Space::new());
    let (secret, account) = service_account(&space, "plugin");
    let (certificate, key) = plane().client_certificate("ada", &[]).unwrap();
    let (_, other_key) = plane().client_certificate("bob", &[]).unwrap();
    let pair = |printed: &str, more: Value| {
        let file = files.write("printed", printed);
        let plugin = Plugin::new(&files, &format!("cat '{}'", arg(&file)));
        SideBySide::on(&files, &files.cluster(), &plugin.exec(more))
    };
    let yaml = format!("apiVersion: {V1}\nkind: ExecCredential\nstatus:\n  token: {secret}\n");
    pair(&yaml, json!({})).agree().is(&account, &[]);
    let nulls = json!({
        "token": secret, "clientCertificateData": null, "clientKeyData": null, "expirationTimestamp": null,
    });
    pair(&credential(V1, nulls).to_string(), json!({}))
        .agree()
        .is(&account, &[]);
    let null = json!({"token": null, "clientCertificateData": certificate, "clientKeyData": key});
    pair(&credential(V1, null).to_string(), json!({}))
        .agree()
        .is("ada", &[]);
    let both = json!({"token": secret, "clientCertificateData": certificate, "clientKeyData": key});
    pair(&credential(V1, both).to_string(), json!({}))
        .agree()
        .is("ada", &[]);
    for (printed, more) in [
        ("".to_owned(), json!({})),
        ("no credentials".to_owned(), json!({})),
        (
            credential(V1BETA1, json!({"token": secret})).to_string(),
            json!({}),
        ),
        (token(&secret).to_string(), json!({"apiVersion": V1BETA1})),
        (
            token(&secret).to_string(),
            json!({"apiVersion": "client.authentication.k8s.io/v1alpha1"}),
        ),
        (token(&secret).to_string(), json!({"apiVersion": ""})),
        (
            token(&secret)
                .to_string()
                .replace("ExecCredential", "Other"),
            json!({}),
        ),
        (
            json!({"apiVersion": V1, "kind": "ExecCredential"}).to_string(),
            json!({}),
        ),
        (token("").to_string(), json!({})),
        (token("a\nb").to_string(), json!({})),
        (
            credential(V1, json!({"clientCertificateData": certificate})).to_string(),
            json!({}),
        ),
        (
            credential(V1, json!({"clientKeyData": key})).to_string(),
            json!({}),
        ),
        (
            credential(
                V1,
                json!({"clientCertificateData": certificate, "clientKeyData": other_key}),
            )
            .to_string(),
            json!({}),
        ),
        (
            credential(
                V1,
                json!({"token": secret, "expirationTimestamp": "tomorrow"}),
            )
            .to_string(),
            json!({}),
        ),
    ] {
        let seen = pair(&printed, more.clone()).agree();
        assert_eq!(
            seen.who,
            Who::Unasked,
            "{printed} {more}\n{}",
            seen.run.story()
        );
        seen.run.fails_clearly(&[]);
    }
}
