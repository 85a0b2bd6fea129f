//! The kinds of Argo CD and Flux, as far as an API server needs to keep them, and objects as these tools write them.

use std::thread;
use std::time::{Duration, Instant};

use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};

use crate::error::{Error, Result};
use crate::samples::SAMPLE_APPLICATIONS;
use crate::server::ControlPlane;

/// A kind of object of a GitOps tool.
pub struct GitOpsKind {
    pub group: &'static str,
    pub version: &'static str,
    pub kind: &'static str,
    pub plural: &'static str,
    /// Whether its status has a subresource of its own: Flux's has, Argo CD's has not.
    pub has_status: bool,
}

/// All of them.
pub const GITOPS_KINDS: [GitOpsKind; 2] = [
    GitOpsKind {
        group: "argoproj.io",
        version: "v1alpha1",
        kind: "Application",
        plural: "applications",
        has_status: false,
    },
    GitOpsKind {
        group: "kustomize.toolkit.fluxcd.io",
        version: "v1",
        kind: "Kustomization",
        plural: "kustomizations",
        has_status: true,
    },
];

/// The API server begins to serve a new kind within a second or two.
const SERVED_WITHIN: Duration = Duration::from_secs(30);

impl GitOpsKind {
    /// The path of its objects, in one namespace or in all.
    pub fn path(&self, namespace: Option<&str>) -> String {
        let GitOpsKind {
            group,
            version,
            plural,
            ..
        } = self;
        match namespace {
            None => format!("/apis/{group}/{version}/{plural}"),
            Some(namespace) => format!("/apis/{group}/{version}/namespaces/{namespace}/{plural}"),
        }
    }

    fn definition(&self) -> Value {
        let any = json!({"type": "object", "x-kubernetes-preserve-unknown-fields": true});
        let mut served = json!({
            "name": self.version, "served": true, "storage": true,
            "schema": {"openAPIV3Schema": {
                "type": "object", "properties": {"spec": any, "operation": any, "status": any},
            }},
        });
        if self.has_status {
            served["subresources"] = json!({"status": {}});
        }
        json!({
            "apiVersion": "apiextensions.k8s.io/v1", "kind": "CustomResourceDefinition",
            "metadata": {"name": format!("{}.{}", self.plural, self.group)},
            "spec": {
                "group": self.group, "scope": "Namespaced", "versions": [served],
                "names": {
                    "kind": self.kind, "listKind": format!("{}List", self.kind),
                    "plural": self.plural, "singular": self.kind.to_lowercase(),
                },
            },
        })
    }
}

impl ControlPlane {
    /// Makes the kinds of Argo CD and Flux, and waits until they are served.
    pub fn serve_gitops_kinds(&self) -> Result<()> {
        let definitions = GITOPS_KINDS.map(|kind| kind.definition().to_string());
        self.kubectl_apply(&definitions.join("\n---\n"))?;
        let deadline = Instant::now() + SERVED_WITHIN;
        for kind in &GITOPS_KINDS {
            while let Err(why) = self.get_json(&kind.path(None)) {
                if Instant::now() > deadline {
                    let plural = kind.plural;
                    return Err(Error::new(format!("{plural} are not served: {why}")));
                }
                thread::sleep(Duration::from_millis(100));
            }
        }
        Ok(())
    }

    /// Makes the Applications of the sample Jobs, compared a minute ago. The kinds are served.
    pub fn seed_sample_applications(&self, now: Timestamp) -> Result<()> {
        let compared = now - SignedDuration::from_mins(1);
        self.seed_namespace("argocd")?;
        let applications = SAMPLE_APPLICATIONS.map(|(name, namespace, in_git, left_git)| {
            let listed = |names: &[&str], more: Value| -> Vec<Value> {
                let names = names.iter();
                names
                    .map(|name| listed_job(namespace, name, &more))
                    .collect()
            };
            let resources = [
                listed(in_git, json!({"status": "Synced"})),
                listed(
                    left_git,
                    json!({"status": "OutOfSync", "requiresPruning": true}),
                ),
            ];
            let mut application = application(name, namespace, compared, &resources.concat());
            application["metadata"]["namespace"] = "argocd".into();
            application.to_string()
        });
        self.kubectl_apply(&applications.join("\n---\n")).map(drop)
    }
}

/// A Job in the status of an Application.
pub fn listed_job(namespace: &str, name: &str, more: &Value) -> Value {
    let mut entry = json!({
        "group": "batch", "version": "v1", "kind": "Job", "namespace": namespace, "name": name,
    });
    for (field, value) in more.as_object().into_iter().flatten() {
        entry[field] = value.clone();
    }
    entry
}

/// An Application for the cluster that it is on.
pub fn application(name: &str, namespace: &str, compared: Timestamp, resources: &[Value]) -> Value {
    let source = json!({"repoURL": "https://git.example.com/shop.git", "path": "deploy"});
    let destination = json!({"server": "https://kubernetes.default.svc", "namespace": namespace});
    json!({
        "apiVersion": "argoproj.io/v1alpha1", "kind": "Application",
        "metadata": {"name": name},
        "spec": {"source": source, "destination": destination},
        "status": {
            "reconciledAt": compared.strftime("%FT%TZ").to_string(),
            "sync": {
                "status": "OutOfSync",
                "comparedTo": {"source": source, "destination": destination},
            },
            "resources": resources,
        },
    })
}

/// A Kustomization that is ready, with these Jobs of a namespace in its inventory.
pub fn kustomization(namespace: &str, jobs: &[&str]) -> Value {
    let entries: Vec<Value> = (jobs.iter())
        .map(|job| json!({"id": format!("{namespace}_{job}_batch_Job"), "v": "v1"}))
        .collect();
    json!({
        "apiVersion": "kustomize.toolkit.fluxcd.io/v1", "kind": "Kustomization",
        "metadata": {"name": "shop"},
        "spec": {"prune": false},
        "status": {
            "observedGeneration": 1,
            "conditions": [{"type": "Ready", "status": "True"}],
            "inventory": {"entries": entries},
        },
    })
}
