//! What a Job says of who manages it.
//!
//! The keys were looked up in Argo CD 3.5 (`util/argo/resource_tracking.go`), Flux's kustomize-controller 1.9
//! (`internal/controller/kustomization_controller.go`) and helm-controller 1.6 (`internal/postrender`), Helm 4.2
//! (`pkg/action/validate.go`), Config Sync 1.22 (`pkg/metadata`), Fleet 0.16 (`internal/cmd/agent/deployer`) and kapp 0.60
//! (`pkg/kapp/resources`).

use std::sync::Arc;

/// The annotation with which Helm names the release whose manifest an object is in.
pub const HELM_RELEASE: &str = "meta.helm.sh/release-name";

/// The tools that manage a Job, as it says itself. The Jobs of an application have them in common.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Default)]
pub struct Marks {
    /// The application of Argo CD that it belongs to.
    pub argocd: Option<ArgoMark>,
    /// The Kustomization of Flux that it belongs to.
    pub flux: Option<Kustomization>,
    /// The release of Helm whose manifest it is in. Helm does not mark hooks like this.
    pub release: Option<Arc<str>>,
    /// Whether Argo CD or Helm runs it as a hook.
    pub is_hook: bool,
    /// Another tool, whose objects are not read.
    pub other: Option<OtherTool>,
}

impl Marks {
    /// What makes Jobs with these marks, as a person would name it.
    pub fn maker(&self) -> Option<String> {
        let argocd = self.argocd.as_ref().filter(|mark| mark.is_certain);
        argocd
            .map(|mark| format!("Argo CD (application {})", mark.application))
            .or_else(|| {
                let Kustomization { namespace, name } = self.flux.as_ref()?;
                Some(format!("Flux (Kustomization {namespace}/{name})"))
            })
            .or_else(|| Some(format!("Helm (release {})", self.release.as_ref()?)))
            .or_else(|| self.other.map(|tool| tool.as_str().to_owned()))
    }
}

/// An application, as Argo CD writes it onto what belongs to it: `NAME`, or `NAMESPACE_NAME`.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct ArgoMark {
    pub application: Arc<str>,
    /// Whether the mark alone tells that Argo CD manages the Job. Kubernetes' own label does not, since others set it as
    /// well: it counts only if there is such an application.
    pub is_certain: bool,
}

/// Which Kustomization.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Kustomization {
    pub namespace: Arc<str>,
    pub name: Arc<str>,
}

/// A tool that makes Jobs again and is not asked about them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum OtherTool {
    /// Flux's HelmRelease.
    HelmRelease,
    ConfigSync,
    Fleet,
    Kapp,
}

impl OtherTool {
    /// Its name, as its makers write it.
    pub fn as_str(self) -> &'static str {
        match self {
            OtherTool::HelmRelease => "a HelmRelease of Flux",
            OtherTool::ConfigSync => "Config Sync",
            OtherTool::Fleet => "Rancher Fleet",
            OtherTool::Kapp => "kapp",
        }
    }
}
