//! The least role that a run can do with, and its binding to a service account.

use std::{
    collections::BTreeMap,
    io::{self, Write},
};

use serde_json::{Value, json};

use super::show;
use crate::{
    cli::{Goal, PlanSource, Run, Selection, ServiceAccount},
    connection::target::default_namespace,
    error::{Error, Exit},
    job::query::Scope,
    output::saved::SavedPlan,
    text::harmless,
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

/// Print the least role that a run needs, and its binding to an account. No cluster is contacted.
///
/// # Errors
/// If the run needs no rights, or another account's, or it does not say where; or if it cannot be written.
pub fn print_role(run: &Run, account: Option<&ServiceAccount>) -> Result<Exit, Error> {
    let Run::OnCluster(wanted) = run else {
        let message = "this run needs no rights: it only shows what is in a file";
        return Err(Error::new(Exit::Usage, message).hint("leave --filename out"));
    };
    if let Some(user) = &wanted.connection.impersonate {
        let message = format!(
            "with --as the rights are those of another: {}",
            harmless(user)
        );
        return Err(Error::new(Exit::Usage, message)
            .hint("leave --as and its companions out, and bind the role to whom they name"));
    }
    let scope = match &wanted.plan {
        PlanSource::Saved(path) => {
            let plan = SavedPlan::load(path, wanted.chunk_size).map_err(|error| {
                let message = format!("cannot read the plan {}: {error}", path.display());
                Error::failure(message).hint("save the plan anew with --save-plan")
            })?;
            plan.query.scope
        }
        PlanSource::Listed(Selection {
            scope: Some(scope), ..
        }) => scope.clone(),
        PlanSource::Listed(_) => {
            let namespace = default_namespace(&wanted.connection).map_err(|error| {
                let message = format!("cannot tell the namespace: {error}");
                Error::failure(message).hint("name it with -n, or give -A for all")
            })?;
            Scope::Namespace(namespace)
        }
    };
    let grant = Grant {
        needs: match &wanted.goal {
            Goal::Save(_) | Goal::Show => vec![Need::ListJobs],
            Goal::TryOnServer | Goal::Purge(_) => vec![Need::ListJobs, Need::DeleteJobs],
        },
        scope,
    };
    show::write_only(|out| grant.write(out, account))?;
    Ok(Exit::Success)
}
