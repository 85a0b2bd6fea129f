//! A Job's backup on disk: written before its delete leaves, and read to restore the Job. `docs/backup.md` has the layout.

pub mod draft;
pub mod folder;
mod index;
pub mod manifest;
pub mod shelf;

use std::{
    io,
    path::{Path, PathBuf},
    sync::Arc,
};

use serde_json::Value;

pub use self::{
    draft::{Draft, LogFile, ObjectList},
    index::Missing,
};

use self::{folder::private_dir, index::Index};
use crate::job::{Job, State, grouping::Grouping};

/// The manifest in the folder of a Job.
pub(crate) const MANIFEST: &str = "manifest.json";

/// What is saved of a Job beside its manifest, as it is asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Part {
    /// The Job as the server has it.
    Status,
    /// Its Pods.
    Pods,
    /// The events of the Job and of its Pods.
    Events,
    /// The logs of its Pods.
    Logs,
    /// The same, if the Job has failed.
    LogsFailed,
}

/// All that is saved of each Job beside its manifest.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Parts {
    pub status: bool,
    pub pods: bool,
    pub events: bool,
    pub logs: Logs,
}

/// The logs of which Jobs are saved.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Logs {
    #[default]
    None,
    /// Those of Jobs that have failed.
    Failed,
    All,
}

impl Parts {
    /// What these come to together.
    ///
    /// # Errors
    /// If they contradict each other; a fragment.
    pub fn new(parts: &[Part]) -> Result<Parts, &'static str> {
        let holds = |part| parts.contains(&part);
        Ok(Parts {
            status: holds(Part::Status),
            pods: holds(Part::Pods),
            events: holds(Part::Events),
            logs: match (holds(Part::Logs), holds(Part::LogsFailed)) {
                (true, true) => return Err("logs and logs-failed cannot be used together"),
                (true, false) => Logs::All,
                (false, true) => Logs::Failed,
                (false, false) => Logs::None,
            },
        })
    }

    /// Whether the logs of a Job in this state are saved.
    pub fn has_logs(self, state: State) -> bool {
        match self.logs {
            Logs::None => false,
            Logs::Failed => state == State::Failed,
            Logs::All => true,
        }
    }

    /// Whether the server has to be asked for more than a Job in this state.
    pub fn needs_more(self, state: State) -> bool {
        self.pods || self.events || self.has_logs(state)
    }
}

/// Where backups are kept, and what they hold: `DIR/NAMESPACE/NAME-UID/`.
#[derive(Debug, Clone)]
pub struct BackupDir {
    path: PathBuf,
    /// What is saved beside manifests.
    pub parts: Parts,
    grouping: Grouping,
    index: Arc<Index>,
}

impl BackupDir {
    /// Keep backups in this folder. It is made if it is not there, for this user alone.
    ///
    /// # Errors
    /// If it cannot be made.
    pub fn create(path: &Path, parts: Parts, grouping: Grouping) -> io::Result<BackupDir> {
        private_dir(path)?;
        Ok(BackupDir {
            path: path.to_owned(),
            parts,
            grouping,
            index: Arc::new(Index::new(path)),
        })
    }

    /// Begin the backup of a Job, with its manifest. `whole` is the Job as the server has it.
    ///
    /// # Errors
    /// If it cannot be written.
    pub fn begin(&self, job: &Job, whole: Value) -> io::Result<Draft> {
        let mut draft = Draft::new(self.clone(), job)?;
        if self.parts.status {
            draft.write(draft::JOB, &as_object(whole.clone()))?;
        }
        let manifest = manifest::manifest(whole, job.created(), job.status());
        draft.write(MANIFEST, &manifest)?;
        Ok(draft)
    }
}

/// An item of a list as an object that stands alone: lists leave out what their items are.
fn as_object(mut job: Value) -> Value {
    job["apiVersion"] = "batch/v1".into();
    job["kind"] = "Job".into();
    job
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn logs_are_those_of_all_or_of_failed_jobs() {
        let parts = |parts: &[Part]| Parts::new(parts);
        assert!(parts(&[Part::Logs, Part::LogsFailed]).is_err());
        let failed = parts(&[Part::LogsFailed, Part::LogsFailed]).unwrap();
        assert!(failed.needs_more(State::Failed) && !failed.needs_more(State::Complete));
        let all = parts(&[Part::Logs]).unwrap();
        assert!(all.has_logs(State::Complete));
        let status = parts(&[Part::Status]).unwrap();
        assert!(!status.needs_more(State::Failed));
    }
}
