//! The least role that a run can do with, and its binding to a service account.

use std::{
    collections::BTreeMap,
    io::{self, Write},
};

use serde_json::{Value, json};

use crate::{
    cli::{Cli, DryRun, ServiceAccount},
    job::query::Scope,
};

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

/// What a run asks of the API server and cannot do without.
pub fn needs(run: &Cli) -> Vec<Need> {
    let only_plans = run.action.save_plan.is_some() || run.action.dry_run == DryRun::Client;
    if run.which.filename.is_some() {
        vec![]
    } else if only_plans {
        vec![Need::ListJobs]
    } else {
        vec![Need::ListJobs, Need::DeleteJobs]
    }
}
