//! Which Jobs are asked for, and what comes of it.

use super::{Job, label::LabelKey, selector::Selector};

/// Which Jobs to list.
#[derive(Debug, Clone)]
pub struct Query {
    /// They carry all of these labels.
    pub labels: Vec<LabelKey>,
    /// They match this as well.
    pub selector: Selector,
    /// Where they are.
    pub scope: Scope,
    /// The most Jobs in one answer; 0 asks for all at once.
    pub chunk_size: u32,
}

/// Where to look.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Scope {
    /// In every namespace.
    AllNamespaces,
    /// In one.
    Namespace(String),
}

/// Receives the Jobs of a list as they come. They count once the list is complete.
pub trait Sink {
    /// Forget what has come: the list starts over.
    fn start_over(&mut self);
    /// One more.
    fn take(&mut self, job: Job);
}

impl Sink for Vec<Job> {
    fn start_over(&mut self) {
        self.clear();
    }

    fn take(&mut self, job: Job) {
        self.push(job);
    }
}

/// What a single Job is found to be when it is read again.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Reread {
    /// There is no Job of that name.
    Absent,
    /// There is one, but not with the labels that were asked for.
    NotSelected {
        /// Whether it is another than the one that was read before.
        is_other: bool,
        /// Whether it is being deleted.
        is_terminating: bool,
    },
    /// There is one.
    Found(Job),
}
