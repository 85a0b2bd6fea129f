//! Which Jobs are asked for, and what comes of it.

use std::{collections::BTreeSet, fmt, sync::Arc};

use super::{
    Job, field::FieldSelector, grouping::Grouping, pattern::NamespacePattern, rules::Match,
    selector::Selector,
};

/// Which Jobs to list.
#[derive(Debug, Clone)]
pub struct Query {
    /// What makes them groups. Where that is a label, only Jobs that have it are listed.
    pub grouping: Grouping,
    /// They match this as well.
    pub selector: Selector,
    /// And this.
    pub fields: FieldSelector,
    /// Where they are.
    pub scope: Scope,
    /// Where they are not.
    pub excluded: Vec<NamespacePattern>,
    /// What the rules of a policy are for, in their order: each Job says which is its own.
    pub rules: Arc<[Match]>,
    /// The most Jobs in one answer; 0 asks for all at once.
    pub chunk_size: u32,
}

impl Query {
    /// All Jobs of a scope.
    pub fn all(grouping: Grouping, scope: Scope, chunk_size: u32) -> Query {
        Query {
            grouping,
            scope,
            chunk_size,
            selector: Selector::default(),
            fields: FieldSelector::default(),
            excluded: Vec::new(),
            rules: Arc::default(),
        }
    }

    /// What leaves this namespace out, if it is left out.
    pub fn excludes(&self, namespace: &str) -> Option<&NamespacePattern> {
        self.excluded
            .iter()
            .find(|pattern| pattern.matches(namespace))
    }
}

/// Where to look.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Scope {
    /// In every namespace.
    AllNamespaces,
    /// In one.
    Namespace(String),
}

impl Scope {
    /// The one namespace, if it is one.
    pub fn namespace(&self) -> Option<&str> {
        match self {
            Scope::AllNamespaces => None,
            Scope::Namespace(namespace) => Some(namespace),
        }
    }
}

impl fmt::Display for Scope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Scope::AllNamespaces => f.write_str("any namespace"),
            Scope::Namespace(namespace) => write!(f, "namespace {namespace}"),
        }
    }
}

/// Receives the Jobs of a list as they come. They count once the list is complete.
pub trait Sink {
    /// Forget what has come: the list starts over.
    fn start_over(&mut self);
    /// One more.
    fn take(&mut self, job: Job);
    /// The namespaces in which it knows Jobs from before. A list that leaves one of them out is not believed.
    fn namespaces(&self) -> BTreeSet<&str>;
}

impl Sink for Vec<Job> {
    fn start_over(&mut self) {
        self.clear();
    }

    fn take(&mut self, job: Job) {
        self.push(job);
    }

    fn namespaces(&self) -> BTreeSet<&str> {
        BTreeSet::new()
    }
}

/// What a single Job is found to be when it is read again.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Reread {
    /// There is no Job of that name.
    Absent,
    /// There is one, but it is not among those that were asked for.
    NotSelected {
        /// Whether it is another than the one that was read before.
        is_other: bool,
        /// Whether it is being deleted.
        is_terminating: bool,
    },
    /// There is one.
    Found(Job),
}
