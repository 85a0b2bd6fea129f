//! The least role that a run can do with, and its binding to a service account.

use std::{
    collections::BTreeMap,
    io::{self, Write},
    str::FromStr,
};

use serde_json::{Value, json};

use crate::cluster::list::Scope;

/// The API group of roles and bindings.
const GROUP: &str = "rbac.authorization.k8s.io";

/// What a run asks of the API server and cannot do without.
///
/// Questions that every user may ask (whether deletes are allowed) and those that may stay unanswered (which cluster it
/// is) are not among them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Need {
    /// List Jobs; one Job is read again, for a conflict or a backup, by a list as well.
    ListJobs,
    /// Delete a Job by name. A dry run on the server is such a delete.
    DeleteJobs,
}

impl Need {
    /// Group, resource and verb.
    fn right(self) -> (&'static str, &'static str, &'static str) {
        match self {
            Need::ListJobs => ("batch", "jobs", "list"),
            Need::DeleteJobs => ("batch", "jobs", "delete"),
        }
    }
}

/// What a run needs, and where.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Grant {
    /// What it needs.
    pub needs: Vec<Need>,
    /// Where it needs that.
    pub scope: Scope,
}

impl Grant {
    /// The name of the role. One that only plans has another, so that neither is widened or narrowed by the other.
    pub fn name(&self) -> &'static str {
        match self.needs.contains(&Need::DeleteJobs) {
            true => "jobclean",
            false => "jobclean-plan",
        }
    }

    fn rules(&self) -> Vec<Value> {
        let mut verbs: BTreeMap<(&str, &str), Vec<&str>> = BTreeMap::new();
        for need in &self.needs {
            let (group, resource, verb) = need.right();
            verbs.entry((group, resource)).or_default().push(verb);
        }
        verbs
            .into_iter()
            .map(|((group, resource), verbs)| {
                json!({"apiGroups": [group], "resources": [resource], "verbs": verbs})
            })
            .collect()
    }

    /// Write the role, and its binding if there is somebody to bind it to, as YAML for `kubectl apply`.
    ///
    /// # Errors
    /// If the writer fails.
    pub fn write(&self, out: &mut dyn Write, account: Option<&ServiceAccount>) -> io::Result<()> {
        let (role, binding) = match self.scope {
            Scope::AllNamespaces => ("ClusterRole", "ClusterRoleBinding"),
            Scope::Namespace(_) => ("Role", "RoleBinding"),
        };
        document(
            out,
            &json!({
                "apiVersion": format!("{GROUP}/v1"),
                "kind": role,
                "metadata": self.metadata(self.name()),
                "rules": self.rules(),
            }),
        )?;
        let Some(ServiceAccount { namespace, name }) = account else {
            return Ok(());
        };
        // Its name has the account's in it, so that a role can be bound to another one beside it.
        let bound = format!("{}:{namespace}:{name}", self.name());
        writeln!(out, "---")?;
        document(
            out,
            &json!({
                "apiVersion": format!("{GROUP}/v1"),
                "kind": binding,
                "metadata": self.metadata(&bound),
                "roleRef": {"apiGroup": GROUP, "kind": role, "name": self.name()},
                "subjects": [{"kind": "ServiceAccount", "name": name, "namespace": namespace}],
            }),
        )
    }

    fn metadata(&self, name: &str) -> Value {
        match &self.scope {
            Scope::AllNamespaces => json!({"name": name}),
            Scope::Namespace(namespace) => json!({"name": name, "namespace": namespace}),
        }
    }
}

fn document(out: &mut dyn Write, object: &Value) -> io::Result<()> {
    let mut text = serde_saphyr::to_string(object).map_err(io::Error::other)?;
    if !text.ends_with('\n') {
        text.push('\n');
    }
    out.write_all(text.as_bytes())
}

/// A service account by namespace and name, as kubectl's `--serviceaccount` takes it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ServiceAccount {
    /// Its namespace.
    pub namespace: String,
    /// Its name.
    pub name: String,
}

impl FromStr for ServiceAccount {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<ServiceAccount, Self::Err> {
        let (namespace, name) = text.split_once(':').ok_or("write it as NS:NAME")?;
        let is_label = |part: &str| {
            let inner = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit();
            part.bytes().next().is_some_and(inner)
                && part.bytes().last().is_some_and(inner)
                && part.bytes().all(|b| inner(b) || b == b'-')
        };
        let fits = namespace.len() <= 63 && name.len() <= 253;
        if !fits || !is_label(namespace) || !name.split('.').all(is_label) {
            return Err(
                "write it as NS:NAME, each of lower-case letters, digits and '-'; NAME may have '.' in it",
            );
        }
        Ok(ServiceAccount {
            namespace: namespace.to_owned(),
            name: name.to_owned(),
        })
    }
}
