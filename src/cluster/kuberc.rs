//! Which credential plugins may run, by the user's preferences for kubectl (kuberc). Whoever keeps kubectl from running
//! a program that a kubeconfig names does not want it run by this tool either.

use std::{
    env, fs, io,
    path::{Path, PathBuf},
};

use serde::Deserialize;
use serde_json::Value;

use super::{flags::Console, kubeconfig::home};
use crate::error::{Error, Exit, io_words};

/// What may run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Policy {
    /// Whatever a kubeconfig names.
    AllowAll,
    /// Nothing.
    DenyAll,
    /// These, by name or path.
    Allowlist(Vec<String>),
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Preference {
    api_version: String,
    kind: String,
    credential_plugin_policy: Option<String>,
    credential_plugin_allowlist: Option<Vec<Entry>>,
}

#[derive(Deserialize)]
struct Entry {
    /// The field's older name.
    #[serde(default)]
    name: String,
    #[serde(default)]
    command: String,
}

impl Policy {
    /// Read it, as kubectl does: from the file that `KUBERC` names, else from the one beside the kubeconfig, which may
    /// be missing.
    ///
    /// # Errors
    /// If `KUBERC` names a file that cannot be read, or the policy is none that there is.
    pub(super) fn read(console: Console) -> Result<Policy, Error> {
        let named = env::var_os("KUBERC").filter(|name| !name.is_empty());
        if named.as_deref() == Some("off".as_ref()) {
            return Ok(Policy::AllowAll);
        }
        let is_named = named.is_some();
        let usual = || home().map(|home| home.join(".kube").join("kuberc"));
        let Some(path) = named.map(PathBuf::from).or_else(usual) else {
            return Ok(Policy::AllowAll);
        };
        let wrong = |why: &str| {
            Error::new(
                Exit::Failure,
                format!("cannot use kuberc {}: {why}", path.display()),
            )
            .hint("check it, or set KUBERC=off to do without")
        };
        let preference = match fs::read_to_string(&path) {
            Ok(text) => preference(&text),
            Err(error) if error.kind() == io::ErrorKind::NotFound && !is_named => Ok(None),
            Err(error) => Err(io_words(&error)),
        };
        match preference {
            Ok(Some(preference)) => preference.policy().map_err(wrong),
            Ok(None) => Ok(Policy::AllowAll),
            Err(why) if is_named => Err(wrong(&why)),
            // kubectl goes on then, too, and says so.
            Err(why) => {
                (console.say)(&format!("warning: {}", wrong(&why).message));
                Ok(Policy::AllowAll)
            }
        }
    }

    /// Whether a plugin may run: as the kubeconfig names it, or as the program that this leads to. `lookup` finds the
    /// program that a name means, if there is one.
    pub(super) fn admits(&self, command: &str, lookup: impl Fn(&str) -> Option<PathBuf>) -> bool {
        let entries = match self {
            Policy::AllowAll => return true,
            Policy::DenyAll => return false,
            Policy::Allowlist(entries) => entries,
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

/// The first document that is such preferences; none if there is no document at all.
fn preference(text: &str) -> Result<Option<Preference>, String> {
    let no_yaml = |_| "it is not valid YAML".to_owned();
    let documents: Vec<Value> = serde_saphyr::from_multiple(text).map_err(no_yaml)?;
    let mut documents = documents
        .into_iter()
        .filter(|one| !one.is_null())
        .peekable();
    if documents.peek().is_none() {
        return Ok(None);
    }
    let known = documents
        .filter_map(|one| serde_json::from_value::<Preference>(one).ok())
        .find(|one| {
            one.kind == "Preference"
                && [
                    "kubectl.config.k8s.io/v1alpha1",
                    "kubectl.config.k8s.io/v1beta1",
                ]
                .contains(&one.api_version.as_str())
        });
    known
        .map(Some)
        .ok_or_else(|| "it holds no Preference that is known here".to_owned())
}

impl Preference {
    fn policy(self) -> Result<Policy, &'static str> {
        if self.api_version.ends_with("v1alpha1") {
            // It had no such thing.
            return Ok(Policy::AllowAll);
        }
        let policy = self.credential_plugin_policy.unwrap_or_default();
        match (policy.as_str(), self.credential_plugin_allowlist) {
            ("" | "AllowAll", None) => Ok(Policy::AllowAll),
            ("DenyAll", None) => Ok(Policy::DenyAll),
            ("" | "AllowAll" | "DenyAll", Some(_)) => {
                Err("it has a credentialPluginAllowlist without the policy Allowlist")
            }
            ("Allowlist", Some(entries)) if !entries.is_empty() => {
                let entries = entries.into_iter().map(|entry| match entry {
                    Entry { name, command } if command.is_empty() || name == command => name,
                    Entry { name, command } if name.is_empty() => command,
                    _ => String::new(),
                });
                let entries: Vec<String> = entries.collect();
                match entries.iter().any(String::is_empty) {
                    true => {
                        Err("an entry of its credentialPluginAllowlist names no command, or two")
                    }
                    false => Ok(Policy::Allowlist(entries)),
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

    fn policy(rest: &str) -> Result<Policy, &'static str> {
        let head = "apiVersion: kubectl.config.k8s.io/v1beta1\nkind: Preference\n";
        let found = preference(&format!("{head}{rest}")).unwrap();
        found.unwrap().policy()
    }

    #[test]
    fn policies_are_read_as_kubectl_reads_them() {
        assert_eq!(policy(""), Ok(Policy::AllowAll));
        assert_eq!(policy("defaults: []"), Ok(Policy::AllowAll));
        assert_eq!(
            policy("credentialPluginPolicy: DenyAll"),
            Ok(Policy::DenyAll)
        );
        let list = "credentialPluginPolicy: Allowlist\ncredentialPluginAllowlist:";
        let expected = Policy::Allowlist(vec!["a".to_owned(), "/b".to_owned()]);
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
        assert!(preference("").unwrap().is_none());
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
            Policy::Allowlist(entries.iter().map(|entry| (*entry).to_owned()).collect())
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
        assert!(Policy::AllowAll.admits("a", lookup));
        assert!(!Policy::DenyAll.admits("a", lookup));
    }
}
