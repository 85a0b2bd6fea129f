//! What a kubeconfig file holds, read as Go reads it: what is absent or null is empty, and what has an unknown name is
//! passed over. So an entry that nothing uses cannot keep a run from its cluster.
//!
//! kube's own types ask more of every entry, whether it is used or not.

use std::collections::{HashMap, HashSet};

use kube::config::{AuthInfo, AuthProviderConfig, Cluster as ClusterInfo, Context, NamedExtension};
use secrecy::SecretString;
use serde::{Deserialize, Deserializer};
use serde_json::Value;

/// One kubeconfig, or several merged.
#[derive(Default, Deserialize)]
#[serde(default, rename_all = "kebab-case")]
pub struct Entries {
    pub current_context: Option<String>,
    #[serde(deserialize_with = "list")]
    pub contexts: Vec<Named<ContextFields>>,
    #[serde(deserialize_with = "list")]
    pub clusters: Vec<Named<ClusterFields>>,
    #[serde(deserialize_with = "list")]
    pub users: Vec<Named<UserFields>>,
}

/// An entry with its name, which may be empty.
#[derive(Default)]
pub struct Named<T> {
    pub name: String,
    pub entry: T,
}

/// Reads the entries of one kind, which stand below a key of their own beside the name.
macro_rules! named {
    ($key:ident: $fields:ty) => {
        impl<'de> Deserialize<'de> for Named<$fields> {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                #[derive(Deserialize)]
                struct Item {
                    #[serde(default, deserialize_with = "or_empty")]
                    name: String,
                    #[serde(default, deserialize_with = "or_empty")]
                    $key: $fields,
                }
                let item = Item::deserialize(deserializer)?;
                Ok(Named {
                    name: item.name,
                    entry: item.$key,
                })
            }
        }
    };
}

named!(context: ContextFields);
named!(cluster: ClusterFields);
named!(user: UserFields);

/// A context.
#[derive(Clone, Default, Deserialize)]
#[serde(default)]
pub struct ContextFields {
    cluster: Option<String>,
    user: Option<String>,
    namespace: Option<String>,
}

/// A cluster.
#[derive(Clone, Default, Deserialize)]
#[serde(default, rename_all = "kebab-case")]
pub struct ClusterFields {
    server: Option<String>,
    insecure_skip_tls_verify: Option<bool>,
    pub(crate) certificate_authority: Option<String>,
    certificate_authority_data: Option<String>,
    proxy_url: Option<String>,
    disable_compression: Option<bool>,
    tls_server_name: Option<String>,
    #[serde(deserialize_with = "list")]
    extensions: Vec<Extension>,
}

#[derive(Clone, Default, Deserialize)]
#[serde(default)]
struct Extension {
    #[serde(deserialize_with = "or_empty")]
    name: String,
    extension: Value,
}

/// A user. It may hold secrets, so nothing shows it.
#[derive(Clone, Default, Deserialize)]
#[serde(default, rename_all = "kebab-case")]
pub struct UserFields {
    username: Option<String>,
    password: Option<SecretText>,
    token: Option<SecretText>,
    #[serde(rename = "tokenFile")]
    pub(crate) token_file: Option<String>,
    pub(crate) client_certificate: Option<String>,
    client_certificate_data: Option<String>,
    pub(crate) client_key: Option<String>,
    client_key_data: Option<SecretText>,
    #[serde(rename = "as")]
    impersonate: Option<String>,
    as_uid: Option<String>,
    #[serde(deserialize_with = "list")]
    as_groups: Vec<String>,
    #[serde(deserialize_with = "or_empty")]
    as_user_extra: HashMap<String, Option<Vec<Option<String>>>>,
    auth_provider: Option<ProviderFields>,
    pub(crate) exec: Option<Exec>,
}

/// A text that is kept from being shown.
#[derive(Clone)]
struct SecretText(SecretString);

#[derive(Clone, Default, Deserialize)]
#[serde(default)]
struct ProviderFields {
    #[serde(deserialize_with = "or_empty")]
    name: String,
    #[serde(deserialize_with = "or_empty")]
    config: HashMap<String, Option<String>>,
}

/// The credential plugin of a user, as the kubeconfig has it: nothing in it is checked yet.
#[derive(Clone, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct Exec {
    pub(crate) api_version: Option<String>,
    pub(crate) command: Option<String>,
    #[serde(deserialize_with = "list")]
    pub(crate) args: Vec<String>,
    #[serde(deserialize_with = "list")]
    pub(crate) env: Vec<Variable>,
    pub(crate) install_hint: Option<String>,
    pub(crate) interactive_mode: Option<String>,
    #[serde(deserialize_with = "or_empty")]
    pub(crate) provide_cluster_info: bool,
}

/// A variable of a plugin's environment.
#[derive(Clone, Default, Deserialize)]
#[serde(default)]
pub(crate) struct Variable {
    #[serde(deserialize_with = "or_empty")]
    pub(crate) name: String,
    #[serde(deserialize_with = "or_empty")]
    pub(crate) value: String,
}

impl<'de> Deserialize<'de> for SecretText {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Ok(SecretText(String::deserialize(deserializer)?.into()))
    }
}

/// A value; an empty one for null.
fn or_empty<'de, D, T>(deserializer: D) -> Result<T, D::Error>
where
    D: Deserializer<'de>,
    T: Default + Deserialize<'de>,
{
    Ok(Option::deserialize(deserializer)?.unwrap_or_default())
}

/// A list, in which each null is an empty item; an empty list for null.
fn list<'de, D, T>(deserializer: D) -> Result<Vec<T>, D::Error>
where
    D: Deserializer<'de>,
    T: Default + Deserialize<'de>,
{
    let items: Option<Vec<Option<T>>> = Option::deserialize(deserializer)?;
    let items = items.unwrap_or_default().into_iter();
    Ok(items.map(Option::unwrap_or_default).collect())
}

impl Entries {
    /// Take over from the next file of a list what this one does not have.
    pub(crate) fn merge(&mut self, next: Entries) {
        if self.current_context.is_none() {
            self.current_context = next.current_context;
        }
        append_new(&mut self.contexts, next.contexts);
        append_new(&mut self.clusters, next.clusters);
        append_new(&mut self.users, next.users);
    }
}

/// Append those whose name is not there yet.
fn append_new<T>(known: &mut Vec<Named<T>>, next: Vec<Named<T>>) {
    let names: HashSet<String> = known.iter().map(|entry| entry.name.clone()).collect();
    known.extend(
        next.into_iter()
            .filter(|entry| !names.contains(&entry.name)),
    );
}

impl From<ContextFields> for Context {
    fn from(fields: ContextFields) -> Context {
        Context {
            cluster: fields.cluster.unwrap_or_default(),
            user: fields.user,
            namespace: fields.namespace,
            ..Context::default()
        }
    }
}

impl From<ClusterFields> for ClusterInfo {
    fn from(fields: ClusterFields) -> ClusterInfo {
        let extensions = fields.extensions.into_iter().map(|found| NamedExtension {
            name: found.name,
            extension: found.extension,
        });
        ClusterInfo {
            server: fields.server,
            insecure_skip_tls_verify: fields.insecure_skip_tls_verify,
            certificate_authority: fields.certificate_authority,
            certificate_authority_data: fields.certificate_authority_data,
            proxy_url: fields.proxy_url,
            disable_compression: fields.disable_compression,
            tls_server_name: fields.tls_server_name,
            extensions: Some(extensions.collect()),
            ..ClusterInfo::default()
        }
    }
}

impl UserFields {
    /// The user in kube's terms, and the plugin, for which kube's terms are too narrow.
    pub fn split(self) -> (AuthInfo, Option<Exec>) {
        let secret = |text: SecretText| text.0;
        let texts = |values: Option<Vec<Option<String>>>| {
            let values = values.unwrap_or_default().into_iter();
            values.map(Option::unwrap_or_default).collect()
        };
        let extra = self.as_user_extra.into_iter();
        let user = AuthInfo {
            username: self.username,
            password: self.password.map(secret),
            token: self.token.map(secret),
            token_file: self.token_file,
            client_certificate: self.client_certificate,
            client_certificate_data: self.client_certificate_data,
            client_key: self.client_key,
            client_key_data: self.client_key_data.map(secret),
            impersonate: self.impersonate,
            impersonate_uid: self.as_uid,
            impersonate_groups: Some(self.as_groups),
            impersonate_user_extra: Some(extra.map(|(key, values)| (key, texts(values))).collect()),
            auth_provider: self.auth_provider.map(|provider| {
                let config = provider.config.into_iter();
                AuthProviderConfig {
                    name: provider.name,
                    config: config
                        .map(|(key, value)| (key, value.unwrap_or_default()))
                        .collect(),
                    ..AuthProviderConfig::default()
                }
            }),
            ..AuthInfo::default()
        };
        (user, self.exec)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Entries {
        serde_saphyr::from_str(text).unwrap()
    }

    #[test]
    fn what_is_null_is_empty_as_in_go() {
        let entries = read(
            "{current-context: null, contexts: [null, {name: null, context: null}, {context: {cluster: null}}],
              clusters: null, users: [{name: u, user: {as-groups: [null, g], as-user-extra: {a: null, b: [null]},
              auth-provider: {config: {expiry: null}}, tokenFile: null, token: null,
              exec: {args: [a, null], env: [null, {name: A, value: null}], interactiveMode: Sometimes,
                     provideClusterInfo: null, more: [{}]}}}]}",
        );
        assert_eq!(entries.current_context, None);
        assert!(entries.clusters.is_empty());
        assert_eq!(entries.contexts.len(), 3);
        for context in entries.contexts {
            assert_eq!(context.name, "");
            assert_eq!(Context::from(context.entry).cluster, "");
        }
        let (user, exec) = entries.users.into_iter().next().unwrap().entry.split();
        assert!(user.token.is_none());
        assert_eq!(user.impersonate_groups.unwrap(), ["", "g"]);
        let extra = user.impersonate_user_extra.unwrap();
        assert_eq!(
            (extra["a"].len(), &extra["b"][..]),
            (0, &[String::new()][..])
        );
        let provider = user.auth_provider.unwrap();
        assert_eq!((&*provider.name, &*provider.config["expiry"]), ("", ""));
        let exec = exec.unwrap();
        assert_eq!(exec.args, ["a", ""]);
        let variables = exec.env.iter().map(|one| (&*one.name, &*one.value));
        assert_eq!(variables.collect::<Vec<_>>(), [("", ""), ("A", "")]);
        assert_eq!(exec.interactive_mode.as_deref(), Some("Sometimes"));
        assert!(!exec.provide_cluster_info);
    }

    #[test]
    fn names_are_read_as_they_are_written() {
        let entries = read("contexts: [{Name: a, Context: {Cluster: c}, cluster: {}, user: 7}]");
        assert_eq!(entries.contexts[0].name, "");
        assert_eq!(Context::from(entries.contexts[0].entry.clone()).cluster, "");
    }
}
