//! Kubeconfigs of every shape.

use std::path::PathBuf;

use serde_json::{Value, json};

pub use super::files::{Files, arg};

use super::plane;

impl Files {
    /// Writes the control plane's certificate authority.
    pub fn ca(&self) -> PathBuf {
        self.write("ca.crt", plane().ca_pem())
    }

    /// Writes a certificate authority that signed nothing here.
    pub fn wrong_ca(&self) -> PathBuf {
        let other = rcgen::generate_simple_self_signed(["other".to_owned()]).unwrap();
        self.write("wrong-ca.crt", &other.cert.pem())
    }

    /// Writes a client certificate and its key.
    pub fn certificate(&self, user: &str, groups: &[&str]) -> (PathBuf, PathBuf) {
        let (certificate, key) = plane().client_certificate(user, groups).unwrap();
        let certificate = self.write(&format!("{user}.crt"), &certificate);
        (certificate, self.write(&format!("{user}.key"), &key))
    }

    /// The good cluster.
    pub fn cluster(&self) -> Value {
        json!({"server": plane().server_url(), "certificate-authority": self.ca()})
    }

    /// A user with a certificate.
    pub fn user(&self, user: &str, groups: &[&str]) -> Value {
        let (certificate, key) = self.certificate(user, groups);
        json!({"client-certificate": certificate, "client-key": key})
    }

    /// A kubeconfig of one context, `only`.
    pub fn simple(&self, name: &str, cluster: &Value, user: &Value) -> PathBuf {
        let config = config(
            &[("only", cluster)],
            &[("only", user)],
            &[("only", json!({"cluster": "only", "user": "only"}))],
            Some("only"),
        );
        self.write(name, &config.to_string())
    }
}

/// A kubeconfig. JSON is YAML.
pub fn config(
    clusters: &[(&str, &Value)],
    users: &[(&str, &Value)],
    contexts: &[(&str, Value)],
    current: Option<&str>,
) -> Value {
    let named = |kind: &str, entries: Vec<(&str, Value)>| -> Value {
        entries
            .into_iter()
            .map(|(name, value)| json!({"name": name, kind: value}))
            .collect()
    };
    let mut config = json!({
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": named("cluster", clusters.iter().map(|(name, value)| (*name, (*value).clone())).collect()),
        "users": named("user", users.iter().map(|(name, value)| (*name, (*value).clone())).collect()),
        "contexts": named("context", contexts.to_vec()),
    });
    if let Some(current) = current {
        config["current-context"] = current.into();
    }
    config
}
