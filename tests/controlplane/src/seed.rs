//! Jobs written straight into etcd, so that creation time, state and number are free to choose.
//!
//! kube-apiserver reads JSON there, whatever it writes itself, and its watches tell the controllers.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;
use uuid::{Builder, Uuid};

use crate::error::Result;
use crate::etcd::{BATCH, Etcd};
use crate::manifest::namespace_entry;
use crate::server::ControlPlane;

/// What a seeded Job's status says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum State {
    /// Ended well.
    Complete,
    /// Ended badly.
    Failed,
    /// Has one active Pod; with controllers on, the Job controller makes one.
    Running,
    /// `spec.suspend` is true.
    Suspended,
    /// Going to fail: its Pods still end. With controllers on, the Job controller soon makes it Failed.
    FailureTarget,
}

/// An owner reference.
#[derive(Clone, Debug)]
pub struct Owner {
    /// Such as `batch/v1`.
    pub api_version: String,
    /// Such as `CronJob`.
    pub kind: String,
    /// The owner's name.
    pub name: String,
    /// The owner's uid. With controllers on, the garbage collector deletes a Job whose owners are all absent.
    pub uid: String,
    /// Whether the owner is the managing controller.
    pub controller: bool,
}

impl Owner {
    /// The controlling CronJob of this name and uid.
    pub fn cron_job(name: &str, uid: &str) -> Self {
        let text = str::to_owned;
        Self {
            api_version: text("batch/v1"),
            kind: text("CronJob"),
            name: text(name),
            uid: text(uid),
            controller: true,
        }
    }
}

/// A Job to write into etcd; made by [`SeedJob::new`] and changed by the methods named like its parts.
#[derive(Clone, Debug)]
pub struct SeedJob {
    pub(crate) namespace: String,
    pub(crate) name: String,
    pub(crate) uid: String,
    pub(crate) created: Timestamp,
    pub(crate) duration: u32,
    pub(crate) state: State,
    pub(crate) labels: BTreeMap<String, String>,
    pub(crate) annotations: BTreeMap<String, String>,
    pub(crate) owner: Option<Owner>,
    pub(crate) deleted: Option<Timestamp>,
    pub(crate) finalizers: Vec<String>,
    pub(crate) ttl: Option<u32>,
}

impl SeedJob {
    /// A complete Job of one minute, without labels but those of the Job controller.
    pub fn new(namespace: impl Into<String>, name: impl Into<String>, created: Timestamp) -> Self {
        Self {
            namespace: namespace.into(),
            name: name.into(),
            uid: Uuid::new_v4().to_string(),
            created,
            duration: 60,
            state: State::Complete,
            labels: BTreeMap::new(),
            annotations: BTreeMap::new(),
            owner: None,
            deleted: None,
            finalizers: Vec::new(),
            ttl: None,
        }
    }

    /// Adds a label.
    #[must_use]
    pub fn label(mut self, key: impl Into<String>, value: impl Into<String>) -> Self {
        self.labels.insert(key.into(), value.into());
        self
    }

    /// Adds an annotation.
    #[must_use]
    pub fn annotation(mut self, key: impl Into<String>, value: impl Into<String>) -> Self {
        self.annotations.insert(key.into(), value.into());
        self
    }

    /// Sets the state.
    #[must_use]
    pub fn state(mut self, state: State) -> Self {
        self.state = state;
        self
    }

    /// Sets how many seconds it ran.
    #[must_use]
    pub fn duration(mut self, seconds: u32) -> Self {
        self.duration = seconds;
        self
    }

    /// Sets the owner.
    #[must_use]
    pub fn owner(mut self, owner: Owner) -> Self {
        self.owner = Some(owner);
        self
    }

    /// Sets the uid.
    #[must_use]
    pub fn uid(mut self, uid: impl Into<String>) -> Self {
        self.uid = uid.into();
        self
    }

    /// Sets a uid that follows from `seed`, for runs that must be alike.
    #[must_use]
    pub fn uid_from(self, seed: u64) -> Self {
        let mut bytes = [0; 16];
        bytes[..8].copy_from_slice(&seed.wrapping_mul(0x9e37_79b9_7f4a_7c15).to_be_bytes());
        bytes[8..].copy_from_slice(&seed.to_be_bytes());
        self.uid(Builder::from_random_bytes(bytes).into_uuid().to_string())
    }

    /// Sets `deletionTimestamp`. Without a finalizer such a Job does not exist in a real cluster.
    #[must_use]
    pub fn deleted(mut self, at: Timestamp) -> Self {
        self.deleted = Some(at);
        self
    }

    /// Adds a finalizer.
    #[must_use]
    pub fn finalizer(mut self, name: impl Into<String>) -> Self {
        self.finalizers.push(name.into());
        self
    }

    /// Sets `ttlSecondsAfterFinished` (no TTL controller runs here).
    #[must_use]
    pub fn ttl(mut self, seconds: u32) -> Self {
        self.ttl = Some(seconds);
        self
    }

    /// Its namespace.
    pub fn get_namespace(&self) -> &str {
        &self.namespace
    }

    /// Its name.
    pub fn get_name(&self) -> &str {
        &self.name
    }

    /// Its uid.
    pub fn get_uid(&self) -> &str {
        &self.uid
    }
}

impl Etcd {
    /// Writes the Jobs, and the namespaces that are missing. A Job that is there already is replaced.
    pub fn seed(self, jobs: &[SeedJob]) -> Result<()> {
        let namespaces: BTreeSet<&str> = jobs.iter().map(SeedJob::get_namespace).collect();
        for name in namespaces {
            self.create(&namespace_entry(name))?;
        }
        self.put_all(jobs, BATCH, SeedJob::entry)
    }

    /// Writes the Pod that each finished Job left behind.
    pub fn seed_pods(self, jobs: &[SeedJob]) -> Result<()> {
        let finished = |job: &&SeedJob| matches!(job.state, State::Complete | State::Failed);
        let finished: Vec<&SeedJob> = jobs.iter().filter(finished).collect();
        // One in each transaction. All that is written in one has the same revision, and a watch that was broken off among
        // them goes on after it: the garbage collector would never hear of the rest.
        self.put_all(&finished, 1, |job| job.pod_entry())
    }
}

impl ControlPlane {
    /// Writes the Jobs, and the namespaces that are missing. A Job that is there already is replaced.
    pub fn seed(&self, jobs: &[SeedJob]) -> Result<()> {
        self.etcd.seed(jobs)
    }

    /// Writes a namespace unless it is there.
    pub fn seed_namespace(&self, name: &str) -> Result<()> {
        self.etcd.create(&namespace_entry(name)).map(drop)
    }
}
