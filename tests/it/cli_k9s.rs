//! `plugins.yaml`: what k9s would say of the file, and its commands run as k9s runs them.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::process::Command;

use controlplane::ARGOCD_INSTANCE;
use serde::Deserialize;

use crate::support::control_plane::job_in;
use crate::support::tool::{PROGRAM, home};
use crate::support::{Space, Terminal, plane};

/// The file, by what k9s knows of one: its schema allows these fields, and refuses the file for any other.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Plugins {
    plugins: BTreeMap<String, Plugin>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
struct Plugin {
    short_cut: String,
    description: String,
    scopes: Vec<String>,
    command: String,
    #[serde(default)]
    args: Vec<String>,
    #[serde(default, rename = "override")]
    overrides: bool,
    #[serde(default)]
    confirm: bool,
    #[serde(default)]
    dangerous: bool,
    #[serde(default)]
    background: bool,
    #[serde(default)]
    #[expect(dead_code, reason = "k9s allows it")]
    overwrite_output: bool,
}

/// Keys that k9s binds in every list of resources.
const ALWAYS: [&str; 40] = [
    "Enter",
    "Esc",
    "?",
    ":",
    "/",
    "Space",
    "Tab",
    "-",
    "[",
    "]",
    "Ctrl-A",
    "Ctrl-B",
    "Ctrl-C",
    "Ctrl-D",
    "Ctrl-E",
    "Ctrl-F",
    "Ctrl-G",
    "Ctrl-K",
    "Ctrl-O",
    "Ctrl-R",
    "Ctrl-S",
    "Ctrl-U",
    "Ctrl-W",
    "Ctrl-Z",
    "Ctrl-Space",
    "Ctrl-\\",
    "c",
    "d",
    "e",
    "g",
    "h",
    "j",
    "k",
    "l",
    "n",
    "y",
    "Shift-A",
    "Shift-G",
    "Shift-N",
    "Shift-P",
];
/// Those that it binds in one of them beyond that. Digits choose a namespace.
const IN_LISTS: [(&str, &[&str]); 3] = [
    (
        "jobs",
        &[
            "p", "o", "v", "w", "Shift-J", "Shift-V", "Shift-O", "Shift-S", "Shift-9",
        ],
    ),
    (
        "cronjobs",
        &[
            "t", "s", "o", "v", "u", "Shift-J", "Shift-L", "Shift-V", "Shift-S",
        ],
    ),
    ("namespaces", &["u", "Shift-S", "Shift-9"]),
];

fn plugins() -> BTreeMap<String, Plugin> {
    let path = controlplane::checkout().join("plugins.yaml");
    let file: Plugins = serde_saphyr::from_str(&fs::read_to_string(path).unwrap()).unwrap();
    file.plugins
}

#[test]
fn k9s_takes_the_file_and_the_keys_are_free() {
    let plugins = plugins();
    assert_eq!(plugins.len(), 4);
    let mut taken = Vec::new();
    for (name, plugin) in &plugins {
        assert!(
            !plugin.description.is_empty() && !plugin.overrides,
            "{name}"
        );
        assert!(!plugin.background, "{name} shows something");
        let letter = plugin.short_cut.strip_prefix("Shift-").unwrap_or_default();
        let is_key = letter.len() == 1 && letter.bytes().all(|b| b.is_ascii_uppercase());
        assert!(is_key, "{name}: k9s knows no key {:?}", plugin.short_cut);
        assert!(!ALWAYS.contains(&plugin.short_cut.as_str()), "{name}");
        // A key that is free in one of the three lists is not one that means something else in the next.
        for (list, keys) in IN_LISTS {
            assert!(
                !keys.contains(&plugin.short_cut.as_str()),
                "{name} in {list}"
            );
        }
        assert!(!plugin.scopes.is_empty(), "{name}");
        for scope in &plugin.scopes {
            assert!(
                IN_LISTS.iter().any(|(list, _)| list == scope),
                "{name}: {scope}"
            );
            let key = (scope.clone(), plugin.short_cut.clone());
            assert!(!taken.contains(&key), "{name}: {key:?} twice");
            taken.push(key);
        }
        // A read-only k9s leaves out what deletes. The tool asks, and k9s does not: it would show the words of the shell.
        let purges = !plugin.args.iter().any(|arg| arg.starts_with("--dry-run"));
        assert_eq!(
            (plugin.confirm, plugin.dangerous),
            (false, purges),
            "{name}"
        );
    }
}

/// Puts the variables in, as k9s does: `$NAME` or `${NAME}`, in any case, where the name in braces may have `%/: ` as well.
/// One that k9s does not know fails the plugin in old versions, and stays as it is in new ones.
fn fill(arg: &str, variables: &BTreeMap<&str, String>) -> String {
    let is_word = |c: char| c.is_alphanumeric() || matches!(c, '_' | '-');
    let mut filled = String::new();
    let mut rest = arg;
    while let Some((before, after)) = rest.split_once('$') {
        filled.push_str(before);
        let in_braces = after.strip_prefix('{').and_then(|after| {
            let (name, others) = after.split_once('}')?;
            let is_name = |c| is_word(c) || "%/: ".contains(c);
            name.chars().all(is_name).then_some((name, others))
        });
        let (name, others) = in_braces.unwrap_or_else(|| {
            let end = after.find(|c| !is_word(c)).unwrap_or(after.len());
            after.split_at(end)
        });
        match variables.get(name.to_uppercase().as_str()) {
            _ if name.is_empty() => filled.push('$'),
            Some(value) => filled.push_str(value),
            None => panic!("k9s knows no variable {name:?} in {arg:?}"),
        }
        rest = others;
    }
    filled + rest
}

/// What is in the script is the script's: a variable of k9s there would be read as shell.
#[test]
fn k9s_puts_nothing_into_the_scripts() {
    for (name, plugin) in plugins() {
        assert_eq!((&*plugin.command, &*plugin.args[0]), ("sh", "-c"), "{name}");
        let script = &plugin.args[1];
        assert_eq!(&fill(script, &BTreeMap::new()), script, "{name}");
    }
}

/// The command of a plugin for a row of a list, as k9s starts it in its terminal.
fn command(plugin: &Plugin, namespace: &str, name: &str, kubeconfig: &str) -> Command {
    let variables = BTreeMap::from([
        ("CONTEXT", plane().context().to_owned()),
        ("CLUSTER", plane().context().to_owned()),
        ("USER", "admin".to_owned()),
        ("KUBECONFIG", kubeconfig.to_owned()),
        ("NAMESPACE", namespace.to_owned()),
        ("NAME", name.to_owned()),
    ]);
    let folder = Path::new(PROGRAM).parent().unwrap();
    let mut command = Command::new(&plugin.command);
    command
        .args(plugin.args.iter().map(|arg| fill(arg, &variables)))
        .env("PATH", plane().path_with(folder).unwrap())
        .env("HOME", home())
        .env("KUBERC", "off")
        .current_dir(home());
    command
}

/// A namespace with Jobs of the label that the tool takes if none is named.
fn space() -> Space {
    let space = Space::new();
    let jobs = [("sync-1", 3), ("sync-2", 2), ("sync-3", 1)];
    space.seed(&jobs.map(|(name, age)| job_in(&space.name, ARGOCD_INSTANCE, "shop", name, age)));
    space
}

fn plugin(name: &str) -> Plugin {
    plugins()
        .remove(name)
        .unwrap_or_else(|| panic!("no plugin {name}"))
}

/// The rows that k9s offers a plugin for: a Job of a namespace, or the namespace itself, which is in none.
fn row<'a>(plugin: &Plugin, space: &'a Space) -> (&'a str, &'a str) {
    match plugin.scopes.as_slice() {
        [scope] if scope == "jobs" => (&space.name, "sync-1"),
        [scope] if scope == "namespaces" => ("-", &space.name),
        scopes => panic!("{scopes:?}"),
    }
}

fn kubeconfig() -> String {
    plane().kubeconfig().display().to_string()
}

#[test]
fn the_dry_runs_show_what_the_server_would_do() {
    for name in ["jobclean-dry-run", "jobclean-namespace-dry-run"] {
        let space = space();
        let plugin = plugin(name);
        let (namespace, row) = row(&plugin, &space);
        let mut terminal = Terminal::start(&command(&plugin, namespace, row, &kubeconfig()), 160);
        terminal.wait_for("Enter goes back to k9s.");
        let screen = terminal.text();
        assert!(screen.contains("2 would-delete"), "{name}\n{screen}");
        assert!(!screen.contains("exit code"), "{name}\n{screen}");
        terminal.send("\r");
        terminal.finish().exits(0);
        space.holds(&["sync-1", "sync-2", "sync-3"]);
    }
}

#[test]
fn the_purges_ask_and_delete_on_yes() {
    for name in ["jobclean-purge", "jobclean-namespace-purge"] {
        let (space, bystander) = (space(), space());
        let plugin = plugin(name);
        let (namespace, row) = row(&plugin, &space);
        let mut terminal = Terminal::start(&command(&plugin, namespace, row, &kubeconfig()), 160);
        terminal.wait_for("Purge 2 Jobs");
        terminal.enter("y");
        terminal.wait_for("Enter goes back to k9s.");
        terminal.send("\r");
        terminal.finish().exits(0);
        // The collector takes those that are deleted in the foreground when it gets to them.
        crate::support::until(name, || space.names().len() == 1);
        space.holds(&["sync-3"]);
        bystander.holds(&["sync-1", "sync-2", "sync-3"]);
    }
}

#[test]
fn the_row_of_all_namespaces_is_all_of_them() {
    let spaces = [space(), space()];
    let plugin = plugin("jobclean-namespace-purge");
    let mut terminal = Terminal::start(&command(&plugin, "-", "all", &kubeconfig()), 160);
    terminal.wait_for(" namespaces from ");
    terminal.enter("n");
    terminal.wait_for("exit code 4");
    terminal.send("\r");
    terminal.finish().exits(0);
    for space in spaces {
        space.holds(&["sync-1", "sync-2", "sync-3"]);
    }
}

#[test]
fn a_failure_stays_on_the_screen_with_its_exit_code() {
    // k9s has no KUBECONFIG, and the home has no kubeconfig: the context is not to be found.
    let plugin = plugin("jobclean-dry-run");
    let mut terminal = Terminal::start(&command(&plugin, "default", "sync-1", ""), 160);
    terminal.wait_for("Enter goes back to k9s.");
    let screen = terminal.text();
    assert!(
        screen.contains("error: ") && screen.contains("exit code 1"),
        "{screen}"
    );
    terminal.send("\r");
    terminal.finish().exits(0);
}
