//! kuberc under kubectl and under this tool, side by side: a policy that kubectl finds in a file that is not quite right
//! holds here as well.

use serde_json::json;

use crate::support::Space;
use crate::support::kubeconfig::Files;
use crate::support::pair::{Pair, service_account};
use crate::support::plugin::{Plugin, token};

const HEAD: &str = "apiVersion: kubectl.config.k8s.io/v1beta1\nkind: Preference\n";

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
        let pair = Pair::new(&files).env("KUBECONFIG", &config);
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

/// kubectl goes on without a policy that it cannot read, with a warning. Whoever wrote it meant something else.
#[test]
fn a_policy_that_cannot_be_read_allows_nothing() {
    let (files, space) = (Files::new(), Space::new());
    let (secret, account) = service_account(&space, "plugin");
    let plugin = Plugin::printing(&files, &token(&secret));
    let pair = Pair::on(&files, &files.cluster(), &plugin.exec(json!({}))).env("KUBERC", "");
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
    let pair = Pair::on(&files, &files.cluster(), &plugin.exec(json!({}))).env("KUBERC", deny);
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
