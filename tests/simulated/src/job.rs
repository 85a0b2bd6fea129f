//! A Job as the simulated server holds it, and a judgement of its own of which Jobs may be purged.

use std::sync::Arc;

/// Where Jobs are.
pub const NAMESPACES: [&str; 3] = ["alpha", "beta", "gamma"];
/// Where there never are any. All of them and those with Jobs are too many for a list in parts where little is left of it.
pub const EMPTY_NAMESPACES: [&str; 9] = [
    "argocd",
    "blank",
    "cert-manager",
    "default",
    "flux-system",
    "ingress",
    "kube-node-lease",
    "kube-public",
    "kube-system",
];
/// The values of the label that makes groups.
pub const APPS: [&str; 3] = ["", "ledger", "shop"];
/// The label that makes groups.
pub const LABEL: &str = "example.com/app";
/// The label that runs with a selector select by.
pub const SELECTED: (&str, &str) = ("example.com/tier", "batch");

/// What identifies a Job as long as it is there.
pub type Key = (&'static str, Arc<str>);

/// A Job.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Job {
    pub namespace: &'static str,
    pub name: Arc<str>,
    pub uid: Arc<str>,
    pub version: u64,
    /// In seconds, by the server's clock, as the others.
    pub created: i64,
    pub finished: i64,
    pub state: State,
    /// The value of [`LABEL`], if it has it.
    pub app: Option<&'static str>,
    /// Whether it has the label [`SELECTED`].
    pub is_selected: bool,
    pub mark: Option<Mark>,
    pub has_controller: bool,
    pub finalizers: Vec<&'static str>,
    pub deleted: Option<i64>,
    /// Changes in nothing that matters here.
    pub touched: u32,
}

/// What its conditions say.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum State {
    Complete,
    Failed,
    Running,
    Suspended,
    FailureTarget,
}

/// A mark that keeps it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mark {
    KeepAnnotation,
    KeepLabel,
    ArgoSyncOptions,
    HelmResourcePolicy,
    FluxPrune,
    /// It is in a release of Helm: heeded as what git wants.
    HelmRelease,
}

impl Mark {
    pub const ALL: [Mark; 6] = [
        Mark::KeepAnnotation,
        Mark::KeepLabel,
        Mark::ArgoSyncOptions,
        Mark::HelmResourcePolicy,
        Mark::FluxPrune,
        Mark::HelmRelease,
    ];
}

/// What a run keeps.
#[derive(Debug, Clone, Copy)]
pub struct Rules {
    pub keep: usize,
    pub keep_succeeded: usize,
    pub keep_failed: usize,
    /// Seconds.
    pub keep_within: Option<i64>,
    pub includes_active: bool,
    pub includes_owned: bool,
    pub heeds_gitops: bool,
    /// Whether it selects by [`SELECTED`].
    pub selects: bool,
}

impl Job {
    pub fn key(&self) -> Key {
        (self.namespace, Arc::clone(&self.name))
    }

    pub fn is_finished(&self) -> bool {
        matches!(self.state, State::Complete | State::Failed)
    }
}

impl Rules {
    /// Whether a Job is in a group of this run at all.
    pub fn takes(&self, job: &Job) -> bool {
        job.app.is_some() && (job.is_selected || !self.selects)
    }

    /// Whether something in the Job itself keeps it, however old it is.
    pub fn keeps_by_itself(&self, job: &Job) -> bool {
        let is_marked = match job.mark {
            None => false,
            Some(Mark::HelmRelease) => self.heeds_gitops,
            Some(_) => true,
        };
        is_marked
            || job.deleted.is_some()
            || (!self.includes_active && !job.is_finished())
            || (!self.includes_owned && job.has_controller)
    }

    /// The uids of those of a snapshot that may be purged. This is written from the README, and not from the product.
    pub fn purges(&self, snapshot: &[Arc<Job>], now: i64) -> Vec<Arc<str>> {
        let mut jobs: Vec<&Arc<Job>> = snapshot.iter().filter(|job| self.takes(job)).collect();
        jobs.sort_by(|a, b| {
            (a.namespace, a.app, -a.created, &a.name).cmp(&(
                b.namespace,
                b.app,
                -b.created,
                &b.name,
            ))
        });
        let group = |job: &Job| (job.namespace, job.app);
        let mut purges = Vec::new();
        for jobs in jobs.chunk_by(|a, b| group(a) == group(b)) {
            let (mut newest, mut succeeded, mut failed) = (0, 0, 0);
            for job in jobs {
                let mut keeps = self.keeps_by_itself(job);
                if job.deleted.is_none() {
                    newest += 1;
                    succeeded += usize::from(job.state == State::Complete);
                    failed += usize::from(job.state == State::Failed);
                    keeps |= newest <= self.keep
                        || (job.state == State::Complete && succeeded <= self.keep_succeeded)
                        || (job.state == State::Failed && failed <= self.keep_failed);
                }
                keeps |= self
                    .keep_within
                    .is_some_and(|within| now - job.created <= within);
                if !keeps {
                    purges.push(Arc::clone(&job.uid));
                }
            }
        }
        purges
    }

    /// Whether one of a snapshot is among the newest that stay.
    pub fn is_newest(&self, snapshot: &[Arc<Job>], uid: &str) -> bool {
        let rank = |job: &Job| (-job.created, Arc::clone(&job.name));
        snapshot.iter().any(|job| {
            let newer = snapshot.iter().filter(|other| {
                self.takes(other)
                    && other.deleted.is_none()
                    && (other.namespace, other.app) == (job.namespace, job.app)
                    && rank(other) < rank(job)
            });
            *job.uid == *uid
                && self.takes(job)
                && job.deleted.is_none()
                && newer.count() < self.keep
        })
    }
}
