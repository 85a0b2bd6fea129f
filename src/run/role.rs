//! The least role that a run can do with, and its binding to a service account.

use std::{
    collections::BTreeMap,
    io::{self, Write},
};

use k8s_openapi::{
    Resource as _,
    api::rbac::v1::{
        ClusterRole, ClusterRoleBinding, PolicyRule, Role, RoleBinding, RoleRef, Subject,
    },
    apimachinery::pkg::apis::meta::v1::ObjectMeta,
};
use serde::Serialize;

use super::stdout;
use crate::{
    cli::{Goal, PlanSource, Run, ServiceAccount},
    connection::target::default_namespace,
    error::{Error, Exit},
    gitops::{Mode, Places},
    job::query::Scope,
    output::saved::SavedPlan,
    text::harmless,
};

/// What a run asks of the API server and cannot do without.
///
/// Questions that every user may ask (whether deletes are allowed) and those that may stay unanswered (which cluster it
/// is) are not among them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Need {
    /// List Jobs; one Job is read again, for a conflict or a backup, by a list as well.
    ListJobs,
    /// Delete a Job by name. A dry run on the server is such a delete.
    DeleteJobs,
    /// Read the Namespace of the Jobs, which may keep all of them.
    GetNamespace,
    /// The same of every namespace.
    ListNamespaces,
    /// List what Argo CD wants.
    ListApplications,
    /// List what Flux wants.
    ListKustomizations,
}

impl Need {
    /// Group, resource and verb.
    fn right(self) -> (&'static str, &'static str, &'static str) {
        match self {
            Need::ListJobs => ("batch", "jobs", "list"),
            Need::DeleteJobs => ("batch", "jobs", "delete"),
            Need::GetNamespace => ("", "namespaces", "get"),
            Need::ListNamespaces => ("", "namespaces", "list"),
            Need::ListApplications => ("argoproj.io", "applications", "list"),
            Need::ListKustomizations => ("kustomize.toolkit.fluxcd.io", "kustomizations", "list"),
        }
    }
}

/// What a run needs, and where.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Grant {
    /// The name of the role.
    name: &'static str,
    /// What it needs.
    needs: Vec<Need>,
    /// Where it needs that.
    scope: Scope,
}

impl Grant {
    /// What is needed to do with Jobs what a run does. A role that only plans has a name of its own, so that neither is
    /// widened or narrowed by the other.
    fn of_jobs(goal: &Goal, scope: Scope, asks_namespaces: bool) -> Grant {
        let (name, mut needs) = match goal {
            Goal::Save(_) | Goal::Show => ("jobclean-plan", vec![Need::ListJobs]),
            Goal::TryOnServer | Goal::Purge(_) => {
                ("jobclean", vec![Need::ListJobs, Need::DeleteJobs])
            }
        };
        if asks_namespaces {
            needs.push(match scope {
                Scope::AllNamespaces => Need::ListNamespaces,
                Scope::Namespace(_) => Need::GetNamespace,
            });
        }
        Grant { name, needs, scope }
    }

    /// What is needed to read what GitOps tools want, wherever that stands. Applications on another cluster need nothing
    /// here.
    fn of_tools(places: &Places) -> Vec<Grant> {
        let mut needs = vec![Need::ListKustomizations];
        if places.argocd_context.is_none() {
            needs.insert(0, Need::ListApplications);
        }
        let namespaces = places.namespaces.iter().cloned().map(Scope::Namespace);
        let everywhere = places.namespaces.is_empty().then_some(Scope::AllNamespaces);
        let grant = |scope| Grant {
            name: "jobclean-gitops",
            needs: needs.clone(),
            scope,
        };
        everywhere
            .into_iter()
            .chain(namespaces)
            .map(grant)
            .collect()
    }

    fn rules(&self) -> Vec<PolicyRule> {
        let mut verbs: BTreeMap<(&str, &str), Vec<String>> = BTreeMap::new();
        for need in &self.needs {
            let (group, resource, verb) = need.right();
            verbs
                .entry((group, resource))
                .or_default()
                .push(verb.to_owned());
        }
        let rule = |((group, resource), verbs): ((&str, &str), _)| PolicyRule {
            api_groups: Some(vec![group.to_owned()]),
            resources: Some(vec![resource.to_owned()]),
            verbs,
            ..PolicyRule::default()
        };
        verbs.into_iter().map(rule).collect()
    }

    /// Write the role, and its binding if an account is given, as YAML for `kubectl apply`.
    ///
    /// # Errors
    /// If the writer fails.
    fn write(&self, out: &mut dyn Write, account: Option<&ServiceAccount>) -> io::Result<()> {
        let (metadata, rules) = (self.metadata(self.name.to_owned()), Some(self.rules()));
        match self.scope {
            Scope::AllNamespaces => {
                let aggregation_rule = None;
                document(
                    out,
                    &ClusterRole {
                        aggregation_rule,
                        metadata,
                        rules,
                    },
                )?;
            }
            Scope::Namespace(_) => document(out, &Role { metadata, rules })?,
        }
        let Some(ServiceAccount { namespace, name }) = account else {
            return Ok(());
        };
        // Its name has the account's in it, so that a role can be bound to another one beside it.
        let metadata = self.metadata(format!("{}:{namespace}:{name}", self.name));
        let role_ref = |kind: &str| RoleRef {
            api_group: Role::GROUP.to_owned(),
            kind: kind.to_owned(),
            name: self.name.to_owned(),
        };
        let subjects = Some(vec![Subject {
            api_group: None,
            kind: "ServiceAccount".to_owned(),
            name: name.clone(),
            namespace: Some(namespace.clone()),
        }]);
        writeln!(out, "---")?;
        match self.scope {
            Scope::AllNamespaces => document(
                out,
                &ClusterRoleBinding {
                    metadata,
                    role_ref: role_ref(ClusterRole::KIND),
                    subjects,
                },
            ),
            Scope::Namespace(_) => document(
                out,
                &RoleBinding {
                    metadata,
                    role_ref: role_ref(Role::KIND),
                    subjects,
                },
            ),
        }
    }

    fn metadata(&self, name: String) -> ObjectMeta {
        ObjectMeta {
            name: Some(name),
            namespace: self.scope.namespace().map(str::to_owned),
            ..ObjectMeta::default()
        }
    }
}

fn document(out: &mut dyn Write, object: &impl Serialize) -> io::Result<()> {
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
            .hint("leave out --as and the flags that go with it, and bind the role to the user that they name"));
    }
    let (scope, tools, asks_namespaces) = match &wanted.plan {
        PlanSource::Saved { path, .. } => {
            let plan = SavedPlan::load(path, wanted.chunk_size).map_err(|error| {
                let message = format!("cannot read the plan {}: {error}", path.display());
                Error::failure(message).hint("save the plan again with --save-plan")
            })?;
            let is_required = plan.policy.gitops == Mode::Require;
            let asks_namespaces = plan.policy.asks_namespaces;
            let tools = is_required.then_some(plan.places);
            (plan.query.scope, tools, asks_namespaces)
        }
        PlanSource::Listed(selection) => {
            let scope = if selection.is_in_context {
                let namespace = default_namespace(&wanted.connection).map_err(|error| {
                    let message = format!("cannot tell the namespace: {error}");
                    Error::failure(message).hint("name it with -n, or give -A for all")
                })?;
                Scope::Namespace(namespace)
            } else {
                selection.query.scope.clone()
            };
            // A run can do without them, so they are printed if they are asked for.
            let is_asked = match selection.gitops {
                Some(mode) => mode != Mode::Ignore,
                None => selection.places != Places::default(),
            };
            let tools = is_asked.then(|| selection.places.clone());
            (scope, tools, selection.policy.asks_namespaces)
        }
    };
    let mut grants = vec![Grant::of_jobs(&wanted.goal, scope, asks_namespaces)];
    grants.extend(tools.iter().flat_map(Grant::of_tools));
    stdout::write_only(|out| {
        for (index, grant) in grants.iter().enumerate() {
            if index > 0 {
                writeln!(out, "---")?;
            }
            grant.write(out, account)?;
        }
        Ok(())
    })?;
    Ok(Exit::Success)
}
