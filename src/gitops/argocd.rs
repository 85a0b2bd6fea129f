//! What Argo CD's Applications say of Jobs.
//!
//! Read in the sources of Argo CD 3.5.1; 2.9 to 3.3 do the same: `status.resources` names every object that git has, and
//! those that it had (`controller/state.go`, `CompareAppState`).

use std::collections::HashMap;

use super::{Answer, By, Claim, Says, Tool, Unsettled, Wanted};
use crate::job::{Job, ids::Stamp, mark::ArgoMark};

/// An Application, as far as Jobs go.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Application {
    pub namespace: Box<str>,
    pub name: Box<str>,
    pub destination: Destination,
    /// The namespace of the Argo CD that it belongs to, if it says so (2.8 and later).
    pub controller_namespace: Option<Box<str>>,
    /// When it was last compared with git.
    pub reconciled_at: Option<Stamp>,
    /// Why its status is not to be trusted.
    pub unsettled: Option<Unsettled>,
    /// Whether a sync is in progress, whatever else there is.
    pub is_syncing: bool,
    /// The Jobs in its `status.resources`.
    pub jobs: Vec<Listed>,
}

/// The cluster that an Application is for.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Destination {
    pub server: Option<Box<str>>,
    /// A name that only Argo CD can look up, but for its own cluster's.
    pub name: Option<Box<str>>,
}

/// A Job in an Application's `status.resources`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Listed {
    pub namespace: Box<str>,
    pub name: Box<str>,
    pub status: Status,
    /// Whether the object in the cluster is a hook.
    pub is_hook: bool,
    /// Whether it is in the cluster and not among what git has; hooks never are among that.
    pub requires_pruning: bool,
}

/// How an object compares with git.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Status {
    Synced,
    OutOfSync,
    Unknown,
    /// It was not compared.
    Absent,
}

/// Where the Jobs are, as an Application would name it.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Here {
    /// The address of the API server, if it is known.
    pub server: Option<String>,
    /// Whether Applications are read on another cluster, so that their own is not this one.
    pub is_elsewhere: bool,
}

/// The address and the name of the cluster that Argo CD runs on
/// (`pkg/apis/application/v1alpha1/application_defaults.go`).
const IN_CLUSTER: (&str, &str) = ("https://kubernetes.default.svc", "in-cluster");

/// How far an Application speaks for the cluster.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Reach {
    /// For every Job of it.
    All,
    /// For Jobs that carry its mark: whether it means this cluster cannot be told.
    Marked,
    /// For none.
    None,
}

/// The Jobs of a namespace that Applications list, by name, and the places of these.
type ByName = HashMap<Box<str>, Vec<(usize, Listed)>>;

/// All Applications that were read.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Applications {
    answer: Answer,
    here: Here,
    all: Vec<(Application, Reach)>,
    /// The Jobs that they list, by namespace and name, and the places of the Applications.
    listed: HashMap<Box<str>, ByName>,
    /// The places of the Applications by what they may be called in a mark.
    named: HashMap<Box<str>, Vec<usize>>,
}

impl Applications {
    /// Nothing has been read.
    pub fn new(here: Here) -> Applications {
        Applications {
            here,
            ..Applications::default()
        }
    }

    /// Take one in.
    pub fn add(&mut self, mut application: Application) {
        let place = self.all.len();
        for name in application.marks() {
            self.named.entry(name).or_default().push(place);
        }
        for job in std::mem::take(&mut application.jobs) {
            let of_namespace = self.listed.entry(job.namespace.clone()).or_default();
            let of_job = of_namespace.entry(job.name.clone()).or_default();
            of_job.push((place, job));
        }
        let reach = application.reach(&self.here);
        self.all.push((application, reach));
    }

    /// What came of asking for them.
    pub fn answered(&mut self, answer: Answer) {
        self.answer = answer;
    }

    /// What came of asking for them.
    pub fn answer(&self) -> &Answer {
        &self.answer
    }

    /// How many were read.
    pub fn len(&self) -> usize {
        self.all.len()
    }

    /// Whether none was.
    pub fn is_empty(&self) -> bool {
        self.all.is_empty()
    }

    /// Whether they are on another cluster than the Jobs.
    pub fn are_elsewhere(&self) -> bool {
        self.here.is_elsewhere
    }

    /// When the last of all comparisons was.
    pub fn last_compared(&self) -> Option<Stamp> {
        let all = self.all.iter();
        all.filter_map(|(app, _)| app.reconciled_at).max()
    }

    fn of_job(&self, job: &Job) -> &[(usize, Listed)] {
        let of_namespace = self.listed.get(job.namespace());
        let listed = of_namespace.and_then(|jobs| jobs.get(job.name()));
        listed.map_or(&[], Vec::as_slice)
    }

    /// The places of the Applications that a mark names and that may mean this cluster.
    fn of_mark(&self, mark: &ArgoMark) -> impl Iterator<Item = usize> {
        let places = self.named.get(&*mark.application).into_iter().flatten();
        places
            .copied()
            .filter(|place| self.all[*place].1 != Reach::None)
    }

    pub(super) fn visit<'a>(&'a self, job: &'a Job, visit: &mut dyn FnMut(Claim<'a>)) {
        let marks = job.marks();
        let mark = marks.and_then(|marks| marks.argocd.as_ref());
        let is_marked =
            |place: usize| mark.is_some_and(|mark| self.of_mark(mark).any(|of| of == place));
        let listed = self.of_job(job);
        for (place, listed) in listed {
            let (application, reach) = &self.all[*place];
            let speaks = match reach {
                Reach::All => true,
                Reach::Marked => is_marked(*place),
                Reach::None => false,
            };
            if let Some(says) = speaks.then(|| application.says(listed)).flatten() {
                visit(Claim {
                    by: By::Application(application),
                    says,
                });
            }
        }
        let Some((marks, mark)) = marks.zip(mark) else {
            return;
        };
        for place in self.of_mark(mark) {
            if listed.iter().any(|(other, _)| *other == place) {
                continue;
            }
            let (application, _) = &self.all[place];
            let why = if marks.is_hook {
                // It is listed only when the sync that made it has ended.
                application.is_syncing.then_some(Unsettled::Syncing)
            } else {
                let seen = application.reconciled_at;
                let is_seen = seen.is_some_and(|seen| seen.timestamp() > job.created().timestamp());
                let not_seen = (!is_seen).then_some(Unsettled::NotSeen);
                application.unsettled.or(not_seen)
            };
            if let Some(why) = why {
                visit(Claim {
                    by: By::Application(application),
                    says: Says::Unsettled(why),
                });
            }
        }
        // That reading broke off tells that there is an Argo CD, which may have set Kubernetes' own label too.
        if matches!(self.answer, Answer::Broken(_)) {
            visit(Claim {
                by: By::Tool(Tool::ArgoCd),
                says: Says::Unsettled(Unsettled::Unreadable),
            });
        }
    }

    /// Whether a Job is certainly marked, and no Application answers for it. A hook is not missed when it is gone.
    pub(super) fn is_silent_on(&self, job: &Job) -> bool {
        let marks = job.marks();
        let mark = marks.and_then(|marks| marks.argocd.as_ref());
        let is_heard = !matches!(self.answer, Answer::NotAsked | Answer::Broken(_));
        is_heard && mark.is_some_and(|mark| mark.is_certain && self.of_mark(mark).next().is_none())
    }
}

impl Application {
    /// What it may be called in a mark: its name, or its namespace and name where Argo CD has another namespace
    /// (`InstanceName` in `pkg/apis/application/v1alpha1/types.go`).
    fn marks(&self) -> Vec<Box<str>> {
        let long = || format!("{}_{}", self.namespace, self.name).into_boxed_str();
        match &self.controller_namespace {
            Some(controller) if *controller == self.namespace => vec![self.name.clone()],
            Some(_) => vec![long()],
            None => vec![self.name.clone(), long()],
        }
    }

    fn reach(&self, here: &Here) -> Reach {
        let Destination { server, name } = &self.destination;
        let is_in_cluster = name.as_deref() == Some(IN_CLUSTER.1)
            || (server.as_deref())
                .is_some_and(|server| server.trim_end_matches('/') == IN_CLUSTER.0);
        if is_in_cluster {
            return if here.is_elsewhere {
                Reach::None
            } else {
                Reach::All
            };
        }
        match (server, &here.server) {
            (Some(server), Some(here)) if same_server(server, here) => Reach::All,
            _ => Reach::Marked,
        }
    }

    /// What it says of a Job that it lists and that it speaks for.
    fn says(&self, job: &Listed) -> Option<Says> {
        if job.is_hook {
            // The sync fails if it misses a Job that it waits for (`gitops-engine/pkg/sync/sync_context.go`).
            if self.is_syncing {
                return Some(Says::Unsettled(Unsettled::Syncing));
            }
            // It is made again at the next sync in any case.
            return None;
        }
        let is_compared = matches!(job.status, Status::Synced | Status::OutOfSync);
        if is_compared && !job.requires_pruning {
            return Some(Says::Wanted(Wanted::InGit));
        }
        if let Some(why) = self.unsettled {
            return Some(Says::Unsettled(why));
        }
        (job.status == Status::Unknown && !job.requires_pruning)
            .then_some(Says::Wanted(Wanted::NotPermitted))
    }
}

/// Whether two addresses are of one server, however they are spelt.
pub fn same_server(a: &str, b: &str) -> bool {
    let plain = |server: &str| {
        let server = server.trim_end_matches('/').to_ascii_lowercase();
        let port = if server.starts_with("https://") {
            ":443"
        } else {
            ":80"
        };
        server
            .strip_suffix(port)
            .map(str::to_owned)
            .unwrap_or(server)
    };
    plain(a) == plain(b)
}
