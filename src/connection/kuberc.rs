//! Which credential plugins may run, by the user's preferences for kubectl (kuberc). A user who keeps kubectl from
//! running a program that a kubeconfig names does not want this tool to run it either.

use std::{
    env, fs, io,
    path::{Path, PathBuf},
};

use serde::Deserialize;
use serde_json::Value;

use super::{console::Console, kubeconfig::home};
use crate::{
    error::{Error, io_words},
    text::decode,
};

/// With what the fields begin that the policy is in.
const POLICY: &str = "credentialPlugin";

/// What may run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PluginPolicy {
    /// Whatever a kubeconfig names.
    AllowAll,
    /// Nothing.
    DenyAll,
    /// These, by name or path.
    Allowlist(Vec<String>),
}

/// What the user prefers, as far as it is about plugins.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Preference {
    api_version: String,
    kind: String,
    credential_plugin_policy: Option<String>,
    credential_plugin_allowlist: Option<Vec<Entry>>,
}

#[derive(Deserialize)]
struct Entry {
    /// The field's older name.
    name: Option<String>,
    command: Option<String>,
}

impl PluginPolicy {
    /// Read it, as kubectl does: from the file that `KUBERC` names, else from the one beside the kubeconfig, which may
    /// be missing.
    ///
    /// # Errors
    /// If `KUBERC` names a file that cannot be read, or the policy is unknown.
    pub(crate) fn read(console: &dyn Console) -> Result<PluginPolicy, Error> {
        let named = env::var_os("KUBERC").filter(|name| !name.is_empty());
        let is_off = env::var("KUBECTL_KUBERC").is_ok_and(|on| on.eq_ignore_ascii_case("false"));
        if is_off || named.as_deref() == Some("off".as_ref()) {
            return Ok(PluginPolicy::AllowAll);
        }
        let is_named = named.is_some();
        let usual = || home().map(|home| home.join(".kube").join("kuberc"));
        let Some(path) = named.map(PathBuf::from).or_else(usual) else {
            return Ok(PluginPolicy::AllowAll);
        };
        let wrong = |why: &str| {
            Error::failure(format!("cannot use kuberc {}: {why}", path.display()))
                .hint("check it, or set KUBERC=off to do without")
        };
        let (preference, has_policy) = match fs::read(&path) {
            Ok(bytes) => {
                let text =
                    decode(&bytes).unwrap_or_else(|_| String::from_utf8_lossy(&bytes).into());
                (preference(&text), text.contains(POLICY))
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound && !is_named => (Ok(None), false),
            Err(error) => (Err(io_words(&error)), false),
        };
        match preference {
            Ok(Some(preference)) => preference.policy().map_err(wrong),
            Ok(None) => Ok(PluginPolicy::AllowAll),
            // A policy that cannot be read must not count as absent.
            Err(why) if is_named || has_policy => Err(wrong(&why)),
            // kubectl goes on then, too, and says so.
            Err(why) => {
                console.warn(&wrong(&why).message);
                Ok(PluginPolicy::AllowAll)
            }
        }
    }

    /// Whether a plugin may run: as the kubeconfig names it, or as the program that this leads to. `lookup` finds the
    /// program that a name means, if there is one.
    pub(crate) fn admits(&self, command: &str, lookup: impl Fn(&str) -> Option<PathBuf>) -> bool {
        let entries = match self {
            PluginPolicy::AllowAll => return true,
            PluginPolicy::DenyAll => return false,
            PluginPolicy::Allowlist(entries) => entries,
        };
        let program = lookup(command);
        let is_same = |entry: &String| {
            entry == command
                || program.as_deref().is_some_and(|program| {
                    Path::new(entry) == program || lookup(entry).as_deref() == Some(program)
                })
        };
        entries.iter().any(is_same)
    }
}

/// The first document that is such preferences; none if there is no document at all. As in kubectl, one that is broken
/// does not spoil the others.
///
/// # Errors
/// If there are documents, and none of them is; why, as a fragment.
pub fn preference(text: &str) -> Result<Option<Preference>, String> {
    let mut is_empty = true;
    let mut is_yaml = true;
    for document in documents(text) {
        let options = serde_saphyr::options! {
            // As Go reads it.
            duplicate_keys: serde_saphyr::DuplicateKeyPolicy::LastWins,
        };
        match serde_saphyr::from_str_with_options::<Value>(&document, options) {
            Ok(Value::Null) => continue,
            Ok(found) => match serde_json::from_value::<Preference>(found) {
                Ok(known) if known.is_known() => return Ok(Some(known)),
                _ => {}
            },
            Err(_) => is_yaml = false,
        }
        is_empty = false;
    }
    match (is_empty, is_yaml) {
        (true, _) => Ok(None),
        (_, true) => Err("it contains no known Preference".to_owned()),
        (_, false) => Err("it is not valid YAML".to_owned()),
    }
}

/// The documents of a text, told apart by their separators alone.
fn documents(text: &str) -> Vec<String> {
    let is_separator = |line: &str| {
        let rest = line.strip_prefix("---").map(str::trim);
        rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('#'))
    };
    let mut documents = vec![String::new()];
    for line in text.lines() {
        match documents.last_mut() {
            Some(document) if !is_separator(line) => {
                document.push_str(line);
                document.push('\n');
            }
            _ => documents.push(String::new()),
        }
    }
    documents.retain(|document| !document.trim().is_empty());
    documents
}

impl Preference {
    fn is_known(&self) -> bool {
        let versions = [
            "kubectl.config.k8s.io/v1alpha1",
            "kubectl.config.k8s.io/v1beta1",
        ];
        self.kind == "Preference" && versions.contains(&self.api_version.as_str())
    }

    /// What it says of plugins.
    ///
    /// # Errors
    /// If it cannot be understood; why, as a fragment.
    pub fn policy(self) -> Result<PluginPolicy, &'static str> {
        if self.api_version.ends_with("v1alpha1") {
            // It had no such thing.
            return Ok(PluginPolicy::AllowAll);
        }
        let policy = self.credential_plugin_policy.unwrap_or_default();
        match (policy.as_str(), self.credential_plugin_allowlist) {
            ("" | "AllowAll", None) => Ok(PluginPolicy::AllowAll),
            ("DenyAll", None) => Ok(PluginPolicy::DenyAll),
            ("" | "AllowAll" | "DenyAll", Some(_)) => {
                Err("it has a credentialPluginAllowlist without the policy Allowlist")
            }
            ("Allowlist", Some(entries)) if !entries.is_empty() => {
                let entries = entries.into_iter().map(|entry| {
                    let name = entry.name.unwrap_or_default();
                    let command = entry.command.unwrap_or_default();
                    match (name.as_str(), command.as_str()) {
                        (_, "") => name,
                        ("", _) => command,
                        (one, other) if one == other => name,
                        _ => String::new(),
                    }
                });
                let entries: Vec<String> = entries.collect();
                if entries.iter().any(String::is_empty) {
                    Err("an entry of its credentialPluginAllowlist names no command, or two")
                } else {
                    Ok(PluginPolicy::Allowlist(entries))
                }
            }
            ("Allowlist", _) => Err("its credentialPluginAllowlist is empty"),
            _ => Err("its credentialPluginPolicy is not known"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn policy(rest: &str) -> Result<PluginPolicy, &'static str> {
        let head = "apiVersion: kubectl.config.k8s.io/v1beta1\nkind: Preference\n";
        let found = preference(&format!("{head}{rest}")).unwrap();
        found.unwrap().policy()
    }

    #[test]
    fn policies_are_read_as_kubectl_reads_them() {
        assert_eq!(policy(""), Ok(PluginPolicy::AllowAll));
        assert_eq!(policy("defaults: []"), Ok(PluginPolicy::AllowAll));
        assert_eq!(
            policy("credentialPluginPolicy: DenyAll"),
            Ok(PluginPolicy::DenyAll)
        );
        let list = "credentialPluginPolicy: Allowlist\ncredentialPluginAllowlist:";
        let expected = PluginPolicy::Allowlist(vec!["a".to_owned(), "/b".to_owned()]);
        assert_eq!(
            policy(&format!("{list} [name: a, command: /b]")),
            Ok(expected)
        );
        for wrong in [
            "credentialPluginPolicy: Denyall",
            "credentialPluginPolicy: Allowlist",
            "credentialPluginAllowlist: [command: a]",
            &format!("{list} []"),
            &format!("{list} [{{}}]"),
            &format!("{list} [{{name: a, command: b}}]"),
        ] {
            assert!(policy(wrong).is_err(), "{wrong}");
        }
        let again = "credentialPluginPolicy: AllowAll\ncredentialPluginPolicy: DenyAll";
        assert_eq!(policy(again), Ok(PluginPolicy::DenyAll));
        let null = policy(&format!("{list} [{{name: null, command: a}}]"));
        assert_eq!(null, Ok(PluginPolicy::Allowlist(vec!["a".to_owned()])));
        let deny = "apiVersion: kubectl.config.k8s.io/v1beta1\nkind: Preference\ncredentialPluginPolicy: DenyAll";
        let behind = preference(&format!("a: [\n--- # next\n{deny}\n---\n"));
        assert_eq!(behind.unwrap().unwrap().policy(), Ok(PluginPolicy::DenyAll));
        assert!(preference("").unwrap().is_none());
        assert!(preference("---\n# nothing\n---\n").unwrap().is_none());
        assert!(preference("a: [").is_err());
        assert!(preference("kind: Preference\napiVersion: v1").is_err());
    }

    #[test]
    fn a_plugin_is_known_by_its_name_or_its_program() {
        let lookup = |name: &str| match name {
            "a" => Some(PathBuf::from("/bin/a")),
            "b" | "c" => None,
            path => Some(PathBuf::from(path)),
        };
        let of = |entries: &[&str]| {
            PluginPolicy::Allowlist(entries.iter().map(|entry| (*entry).to_owned()).collect())
        };
        for (entries, command, expected) in [
            (&["a"][..], "a", true),
            (&["/bin/a"], "a", true),
            (&["a"], "/bin/a", true),
            (&["b", "a"], "a", true),
            (&["a"], "/tmp/a", false),
            (&["/tmp/a"], "a", false),
            (&["b"], "a", false),
            (&["b"], "b", true),
            (&["b"], "c", false),
        ] {
            let found = of(entries).admits(command, lookup);
            assert_eq!(found, expected, "{entries:?} and {command}");
        }
        assert!(PluginPolicy::AllowAll.admits("a", lookup));
        assert!(!PluginPolicy::DenyAll.admits("a", lookup));
    }
}
