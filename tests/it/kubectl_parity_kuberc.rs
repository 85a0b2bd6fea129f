//! kuberc under kubectl and under this tool, side by side: a policy that kubectl finds in a file that is not quite right
//! holds here as well.

use std::path::Path;

use serde_json::{Value, json};

use crate::support::Space;
use crate::support::kubeconfig::{Files, arg};
use crate::support::plugin::{Plugin, exec, token};
use crate::support::side_by_side::{SideBySide, service_account};

const HEAD: &str = "apiVersion: kubectl.config.k8s.io/v1beta1\nkind: Preference\n";

/// The list of plugins that kubectl may run holds for this tool as well.
#[test]
fn only_what_kuberc_allows_is_run() {
    let (files, space) = (Files::new(), Space::new());
    let (secret, account) = service_account(&space, "plugin");
    let plugin = Plugin::printing(&files, &token(&secret));
    let by_path = files.simple("by-path", &files.cluster(), &plugin.exec(json!({})));
    let by_name = exec(Path::new("plugin"), json!({}));
    let by_name = files.simple("by-name", &files.cluster(), &by_name);
    let path = arg(&plugin.path);
    let folders = format!("{}:/usr/bin:/bin", arg(&files.path("")));
    let list = |entries: Value| json!({"credentialPluginPolicy": "Allowlist", "credentialPluginAllowlist": entries});
    for (more, by_path_is_good, by_name_is_good) in [
        (json!({}), true, true),
        (json!({"credentialPluginPolicy": "AllowAll"}), true, true),
        (json!({"credentialPluginPolicy": "DenyAll"}), false, false),
        (
            list(json!([{"command": "other"}, {"command": "plugin"}])),
            true,
            true,
        ),
        (list(json!([{"name": path}])), true, true),
        (list(json!([{"command": "other"}])), false, false),
        (
            list(json!([{"command": "/elsewhere/plugin"}])),
            false,
            false,
        ),
        (list(json!([])), false, false),
        (json!({"credentialPluginPolicy": "Denyall"}), false, false),
        (
            json!({"credentialPluginAllowlist": [{"command": "plugin"}]}),
            false,
            false,
        ),
    ] {
        let mut kuberc =
            json!({"apiVersion": "kubectl.config.k8s.io/v1beta1", "kind": "Preference"});
        let fields = more.as_object().unwrap().clone();
        kuberc.as_object_mut().unwrap().extend(fields);
        let kuberc = files.write("kuberc", &kuberc.to_string());
        for (config, is_good) in [(&by_path, by_path_is_good), (&by_name, by_name_is_good)] {
            println!("{more} {config:?}");
            let pair = SideBySide::new(&files)
                .env("KUBECONFIG", config)
                .env("PATH", &folders);
            let pair = pair.env("KUBERC", &kuberc);
            match is_good {
                true => pair.agree().is(&account, &[]),
                false => drop(pair.refuse(&["kuberc"])),
            }
            assert_eq!(plugin.take().len(), if is_good { 2 } else { 0 });
        }
    }
    // It is found without being named, and it may be missing then.
    let pair = SideBySide::new(&files).env("KUBECONFIG", &by_path);
    let found = pair.clone().env("KUBERC", "");
    found.agree().is(&account, &[]);
    std::fs::create_dir_all(files.path("home/.kube")).unwrap();
    let deny = "apiVersion: kubectl.config.k8s.io/v1beta1\nkind: Preference\ncredentialPluginPolicy: DenyAll\n";
    files.write("home/.kube/kuberc", deny);
    found.refuse(&["kuberc"]);
    pair.clone().agree().is(&account, &[]);
    files.write("home/.kube/kuberc", "[");
    found.agree().is(&account, &[]);
    pair.env("KUBERC", files.path("absent"))
        .refuse(&["kuberc", "absent"]);
}

#[test]
fn what_kubectl_makes_of_a_slip_counts_here_too() {
    let (files, space) = (Files::new(), Space::new());
    let (secret, account) = service_account(&space, "plugin");
    let plugin = Plugin::printing(&files, &token(&secret));
    let config = files.simple("config", &files.cluster(), &plugin.exec(json!({})));
    let path = plugin.path.display();
    let (allow, deny) = (
        "credentialPluginPolicy: AllowAll\n",
        "credentialPluginPolicy: DenyAll\n",
    );
    let list = "credentialPluginPolicy: Allowlist\ncredentialPluginAllowlist:\n";
    for (kuberc, is_good) in [
        (format!("{HEAD}{allow}{deny}"), false),
        (format!("{HEAD}{deny}{allow}"), true),
        (format!("{HEAD}aliases: []\naliases: []\n{deny}"), false),
        (format!("a: [\n---\n{HEAD}{deny}"), false),
        (format!("{HEAD}{deny}---\na: [\n"), false),
        (format!("---\n{HEAD}{deny}---\n{HEAD}{allow}"), false),
        (
            format!("{HEAD}{list}- name: null\n  command: {path}\n"),
            true,
        ),
        (
            format!("{HEAD}{list}- command: null\n  name: {path}\n"),
            true,
        ),
        (
            format!("{HEAD}{list}- name: null\n  command: other\n"),
            false,
        ),
        (format!("\u{feff}{HEAD}{deny}"), false),
        (format!("{HEAD}unknown: {{}}\n{deny}"), false),
    ] {
        println!("{kuberc}");
        std::fs::create_dir_all(files.path("home/.kube")).unwrap();
        let named = files.write("kuberc", &kuberc);
        files.write("home/.kube/kuberc", &kuberc);
        let pair = SideBySide::new(&files).env("KUBECONFIG", &config);
        for pair in [
            pair.clone().env("KUBERC", named),
            pair.clone().env("KUBERC", ""),
        ] {
            match is_good {
                true => pair.agree().is(&account, &[]),
                false => drop(pair.refuse(&["kuberc"])),
            }
        }
    }
}

/// kubectl goes on without a policy that it cannot read, with a warning. The tool stops instead.
#[test]
fn a_policy_that_cannot_be_read_allows_nothing() {
    let (files, space) = (Files::new(), Space::new());
    let (secret, account) = service_account(&space, "plugin");
    let plugin = Plugin::printing(&files, &token(&secret));
    let pair = SideBySide::on(&files, &files.cluster(), &plugin.exec(json!({}))).env("KUBERC", "");
    std::fs::create_dir_all(files.path("home/.kube")).unwrap();
    for kuberc in [
        format!("{HEAD}credentialPluginPolicy: [DenyAll]\n"),
        format!("{HEAD}credentialPluginPolicy: DenyAll\na: [\n"),
        format!("{HEAD}credentialPluginPolicy: Allowlist\ncredentialPluginAllowlist: nothing\n"),
    ] {
        println!("{kuberc}");
        files.write("home/.kube/kuberc", &kuberc);
        pair.tool_seen().run.fails_clearly(&["kuberc"]);
        assert_eq!(plugin.take().len(), 0);
    }
    // What holds no policy is no reason to do without credentials.
    files.write("home/.kube/kuberc", "a: [\n");
    pair.agree().is(&account, &[]);
}

#[test]
fn kuberc_can_be_switched_off() {
    let (files, space) = (Files::new(), Space::new());
    let (secret, account) = service_account(&space, "plugin");
    let plugin = Plugin::printing(&files, &token(&secret));
    let deny = files.write(
        "kuberc",
        &format!("{HEAD}credentialPluginPolicy: DenyAll\n"),
    );
    let pair =
        SideBySide::on(&files, &files.cluster(), &plugin.exec(json!({}))).env("KUBERC", deny);
    for (switch, is_off) in [
        ("false", true),
        ("False", true),
        ("true", false),
        ("0", false),
        ("", false),
    ] {
        println!("{switch}");
        let pair = pair.clone().env("KUBECTL_KUBERC", switch);
        match is_off {
            true => pair.agree().is(&account, &[]),
            false => drop(pair.refuse(&["kuberc"])),
        }
    }
}
