//! What git and Helm still want: a Job that is deleted although git still has it is made and run again.
//!
//! These rules only ever add reasons to keep a Job. That a tool does not want a Job purges nothing.

pub mod argocd;
pub mod flux;

use std::fmt;

use serde::{Deserialize, Serialize};

use self::{
    argocd::{Application, Applications},
    flux::{Kustomization, Kustomizations},
};
use crate::job::{
    Job,
    mark::{self, OtherTool},
    namespaces::Holders,
};

/// How far a run heeds what GitOps tools say.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "lowercase")]
pub enum Mode {
    /// A Job stays that a tool still wants, or whose tool cannot tell now whether it does.
    #[default]
    Auto,
    /// A Job that a tool has marked goes only if that tool says that it no longer wants it.
    Require,
    /// No tool is asked, and marks of tools mean nothing.
    Ignore,
}

impl Mode {
    /// The word that flags and documents have for it.
    pub fn as_str(self) -> &'static str {
        match self {
            Mode::Auto => "auto",
            Mode::Require => "require",
            Mode::Ignore => "ignore",
        }
    }
}

/// Where the objects of the tools are read.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Places {
    /// The context of the kubeconfig that leads to Argo CD, if it runs on another cluster.
    pub argocd_context: Option<String>,
    /// The namespaces; every one if none is named.
    pub namespaces: Vec<String>,
}

/// What came of asking for the objects of a tool.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum Answer {
    /// They were not asked for.
    #[default]
    NotAsked,
    /// All of them were read.
    Read,
    /// There is no such kind of object.
    Absent,
    /// This user may not list them.
    Forbidden,
    /// Reading them broke off; why, as a fragment.
    Broken(String),
}

impl Answer {
    /// Whether it says less of what the tool wants.
    pub fn is_worse_than(&self, other: &Answer) -> bool {
        let rank = |answer: &Answer| match answer {
            Answer::Read => 0,
            Answer::NotAsked => 1,
            Answer::Absent => 2,
            Answer::Forbidden => 3,
            Answer::Broken(_) => 4,
        };
        rank(self) > rank(other)
    }
}

/// What others than the Jobs themselves say of them: the tools, and the namespaces.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Claims {
    pub argocd: Applications,
    pub flux: Kustomizations,
    /// Whether they were asked in some namespaces only.
    pub is_of_some_namespaces: bool,
    /// The namespaces that keep all of their Jobs, which is no tool's business.
    pub holders: Holders,
}

/// What one claimant says of a Job.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Claim<'a> {
    pub by: By<'a>,
    pub says: Says,
}

/// Who says it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum By<'a> {
    Application(&'a Application),
    Kustomization(&'a Kustomization),
    /// A release of Helm, by the mark on the Job.
    Release(&'a str),
    /// A tool that was not heard.
    Tool(Tool),
}

/// A tool that makes Jobs from git.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Tool {
    ArgoCd,
    Flux,
    Other(OtherTool),
}

impl Tool {
    /// Its name, as its makers write it.
    pub fn as_str(self) -> &'static str {
        match self {
            Tool::ArgoCd => "Argo CD",
            Tool::Flux => "Flux",
            Tool::Other(tool) => tool.as_str(),
        }
    }
}

impl fmt::Display for By<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            By::Application(by) => write!(f, "Application {}/{}", by.namespace, by.name),
            By::Kustomization(by) => write!(f, "Kustomization {}/{}", by.namespace, by.name),
            By::Release(name) => write!(f, "Helm release {name}"),
            By::Tool(tool) => f.write_str(tool.as_str()),
        }
    }
}

/// What is said of a Job.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Says {
    /// Deleted, it would be made and run again.
    Wanted(Wanted),
    /// That is not known now.
    Unsettled(Unsettled),
}

impl Says {
    /// Why, as a fragment.
    pub fn why(self) -> &'static str {
        match self {
            Says::Wanted(why) => why.as_str(),
            Says::Unsettled(why) => why.as_str(),
        }
    }
}

/// How it is known that a Job is wanted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Wanted {
    InGit,
    NotPermitted,
    InInventory,
    InRelease,
}

impl Wanted {
    fn as_str(self) -> &'static str {
        match self {
            Wanted::InGit => "in git",
            Wanted::NotPermitted => "in git, though its project does not permit it",
            Wanted::InInventory => "in its inventory",
            Wanted::InRelease => "in the manifest of the release",
        }
    }
}

/// Why a tool cannot say now whether it wants a Job.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unsettled {
    /// Argo CD: a sync is in progress.
    Syncing,
    /// Argo CD: the comparison with git has failed.
    ComparisonError,
    /// Argo CD: the spec cannot be used.
    InvalidSpecError,
    /// Argo CD: something else went wrong; the status may be too large to be stored.
    UnknownError,
    /// Argo CD: nothing has been compared.
    NotCompared,
    /// Argo CD: the spec has changed since it was compared.
    SpecChanged,
    /// Argo CD: it is told not to look at this application.
    SkipReconcile,
    /// Argo CD: it is asked to look again.
    RefreshAsked,
    /// Argo CD: it was compared with manifests of a user's machine.
    LocalManifests,
    /// Argo CD: the status is older than the Job.
    NotSeen,
    /// Flux: it is about to apply.
    Reconciling,
    /// Flux: the last apply, or getting its source, has failed.
    NotReady,
    /// Flux: the spec has changed since it was applied.
    NotObserved,
    /// Flux: the last revision that it tried is not the one that is applied.
    NotApplied,
    /// The objects of the tool could not be read to the end.
    Unreadable,
    /// The tool has marked it, and does not answer for it.
    Unanswered,
}

impl Unsettled {
    fn as_str(self) -> &'static str {
        match self {
            Unsettled::Syncing => "a sync is in progress",
            Unsettled::ComparisonError => "its comparison with git has failed (ComparisonError)",
            Unsettled::InvalidSpecError => "its spec is invalid (InvalidSpecError)",
            Unsettled::UnknownError => "it has an UnknownError",
            Unsettled::NotCompared => "it has not been compared with git",
            Unsettled::SpecChanged => "its spec has changed and was not compared yet",
            Unsettled::SkipReconcile => "its annotation skip-reconcile freezes its status",
            Unsettled::RefreshAsked => "a refresh is due",
            Unsettled::LocalManifests => "it was compared with local manifests, not with git",
            Unsettled::NotSeen => "its status is older than the Job",
            Unsettled::Reconciling => "it is reconciling",
            Unsettled::NotReady => "it is not ready",
            Unsettled::NotObserved => "its spec has changed and was not applied yet",
            Unsettled::NotApplied => "the last revision that it tried is not applied",
            Unsettled::Unreadable => "its objects could not be read",
            Unsettled::Unanswered => {
                "it marked the Job, and no object of it was found that names the Job"
            }
        }
    }
}

/// What all claims on a Job come to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Opinion {
    pub is_wanted: bool,
    pub is_unsettled: bool,
}

impl Claims {
    /// What all claims on a Job come to.
    pub fn opinion(&self, job: &Job, mode: Mode) -> Opinion {
        let mut opinion = Opinion::default();
        self.visit(job, mode, &mut |claim| match claim.says {
            Says::Wanted(_) => opinion.is_wanted = true,
            Says::Unsettled(_) => opinion.is_unsettled = true,
        });
        opinion
    }

    /// All claims on a Job.
    pub fn of<'a>(&'a self, job: &'a Job, mode: Mode) -> Vec<Claim<'a>> {
        let mut claims = Vec::new();
        self.visit(job, mode, &mut |claim| claims.push(claim));
        claims
    }

    fn visit<'a>(&'a self, job: &'a Job, mode: Mode, visit: &mut dyn FnMut(Claim<'a>)) {
        if mode == Mode::Ignore {
            return;
        }
        if let Some(release) = job.marks().and_then(|marks| marks.release.as_ref()) {
            visit(Claim {
                by: By::Release(release),
                says: Says::Wanted(Wanted::InRelease),
            });
        }
        self.argocd.visit(job, visit);
        self.flux.visit(job, visit);
        if mode == Mode::Require
            && let Some(tool) = self.unanswered(job)
        {
            visit(Claim {
                by: By::Tool(tool),
                says: Says::Unsettled(Unsettled::Unanswered),
            });
        }
    }

    /// As [`Claims::unanswered`], if the Job would be made again were it still in git: a hook of Argo CD is made again in
    /// any case.
    pub fn missed(&self, job: &Job) -> Option<Tool> {
        let is_hook = job.marks().is_some_and(|marks| marks.is_hook);
        self.unanswered(job)
            .filter(|tool| *tool != Tool::ArgoCd || !is_hook)
    }

    /// What came of asking for the objects of a tool; `None` if its objects are never asked for.
    pub fn answer(&self, tool: Tool) -> Option<&Answer> {
        match tool {
            Tool::ArgoCd => Some(self.argocd.answer()),
            Tool::Flux => Some(self.flux.answer()),
            Tool::Other(_) => None,
        }
    }

    /// The tools whose objects could not be read to the end, and why.
    pub fn unreadable(&self) -> impl Iterator<Item = (Tool, &str)> {
        let tools = [Tool::ArgoCd, Tool::Flux].into_iter();
        tools.filter_map(|tool| match self.answer(tool) {
            Some(Answer::Broken(why)) => Some((tool, why.as_str())),
            _ => None,
        })
    }

    /// The tool that has marked a Job, if none that has marked it answers for it.
    pub fn unanswered(&self, job: &Job) -> Option<Tool> {
        let marks = job.marks()?;
        if marks.release.is_some() {
            return None;
        }
        let silent = [
            self.argocd.is_silent_on(job).then_some(Tool::ArgoCd),
            self.flux.is_silent_on(job).then_some(Tool::Flux),
            marks.other.map(Tool::Other),
        ];
        silent.into_iter().flatten().next()
    }
}

/// How a person would name what has marked a Job and does not answer for it.
pub fn owner(job: &Job, tool: Tool) -> Option<String> {
    let marks = job.marks()?;
    match tool {
        Tool::ArgoCd => Some(marks.argocd.as_ref()?.application.to_string()),
        Tool::Flux => {
            let mark::Kustomization { namespace, name } = marks.flux.as_ref()?;
            Some(format!("{namespace}/{name}"))
        }
        Tool::Other(_) => None,
    }
}
