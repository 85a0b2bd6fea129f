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
    backup::{Logs, Parts},
    cli::{Goal, PlanSource, Purge, Run, ServiceAccount},
    cluster::access::Right,
    connection::target::default_namespace,
    error::{Error, Exit},
    gitops::{Mode, Places},
    job::query::Scope,
    output::saved::SavedPlan,
    text::harmless,
};

/// Namespaces may keep all of their Jobs.
const LIST_NAMESPACES: Right = Right::new("list", "", "namespaces");
const GET_NAMESPACE: Right = Right::new("get", "", "namespaces");
const LIST_APPLICATIONS: Right = Right::new("list", "argoproj.io", "applications");
const LIST_KUSTOMIZATIONS: Right =
    Right::new("list", "kustomize.toolkit.fluxcd.io", "kustomizations");

/// What a backup asks of the API server beyond what a purge does, and for which parts of it.
pub(super) fn needs_of(parts: Parts) -> Vec<(Right, &'static str)> {
    let logs = match parts.logs {
        Logs::None => None,
        Logs::Failed => Some("logs-failed"),
        Logs::All => Some("logs"),
    };
    let pods = parts.pods.then_some("pods");
    let events = parts.events.then_some("events");
    // Events and logs are those of the Job's Pods, which a list tells.
    [
        pods.or(logs)
            .or(events)
            .map(|part| (Right::LIST_PODS, part)),
        events.map(|part| (Right::LIST_EVENTS, part)),
        logs.map(|part| (Right::GET_LOGS, part)),
    ]
    .into_iter()
    .flatten()
    .collect()
}

/// What a run needs, and where.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Grant {
    /// The name of the role.
    name: &'static str,
    /// What it needs. Questions that every user may ask (whether deletes are allowed) and those that may stay unanswered
    /// (which cluster it is) are not among that.
    needs: Vec<Right>,
    /// Where it needs that.
    scope: Scope,
}

impl Grant {
    /// What is needed to do with Jobs what a run does. A role that only plans has a name of its own, so that neither is
    /// widened or narrowed by the other.
    fn of_jobs(goal: &Goal, scope: Scope, asks_namespaces: bool) -> Grant {
        let (name, mut needs) = match goal {
            // One Job is read again, for a conflict or a backup, by a list as well.
            Goal::Save(_) | Goal::Show => ("jobclean-plan", vec![Right::LIST_JOBS]),
            // A dry run on the server is a delete.
            Goal::TryOnServer | Goal::Purge(_) => {
                ("jobclean", vec![Right::LIST_JOBS, Right::DELETE_JOBS])
            }
        };
        if asks_namespaces {
            needs.push(match scope {
                Scope::AllNamespaces => LIST_NAMESPACES,
                Scope::Namespace(_) => GET_NAMESPACE,
            });
        }
        Grant { name, needs, scope }
    }

    /// What is needed to save what a backup holds beside manifests. It has a name of its own, too: a run without that
    /// narrows nothing.
    fn of_backup(goal: &Goal, scope: Scope) -> Option<Grant> {
        let Goal::Purge(Purge {
            backup: Some(backup),
            ..
        }) = goal
        else {
            return None;
        };
        let needs = needs_of(backup.parts).into_iter();
        let needs: Vec<Right> = needs.map(|(right, _)| right).collect();
        (!needs.is_empty()).then_some(Grant {
            name: "jobclean-backup",
            needs,
            scope,
        })
    }

    /// What is needed to read what GitOps tools want, wherever that stands. Applications on another cluster need nothing
    /// here.
    fn of_tools(places: &Places) -> Vec<Grant> {
        let mut needs = vec![LIST_KUSTOMIZATIONS];
        if places.argocd_context.is_none() {
            needs.insert(0, LIST_APPLICATIONS);
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
        let mut verbs: BTreeMap<(&str, String), Vec<String>> = BTreeMap::new();
        for right in &self.needs {
            verbs
                .entry((right.group, right.role_resource()))
                .or_default()
                .push(right.verb.to_owned());
        }
        let rule = |((group, resource), verbs): ((&str, String), _)| PolicyRule {
            api_groups: Some(vec![group.to_owned()]),
            resources: Some(vec![resource]),
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
    let mut grants = vec![Grant::of_jobs(&wanted.goal, scope.clone(), asks_namespaces)];
    grants.extend(Grant::of_backup(&wanted.goal, scope));
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
