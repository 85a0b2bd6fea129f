//! What a file comes to: its Jobs, and what else there is.

use std::{borrow::Cow, collections::BTreeMap, mem};

use serde::Deserialize;
use serde_json::value::RawValue;

use super::{Contents, FileError, Head, stream::Misfit};
use crate::{
    decode::{
        self, Item, Text,
        job::{Identity, Intake, is_selected},
    },
    job::{
        Job,
        query::{Query, Scope},
    },
};

/// Gathers the Jobs of a file, document by document.
pub(super) struct Collector<'a> {
    query: &'a Query,
    intake: Intake,
    jobs: Vec<Job>,
    ungrouped: usize,
    list: List,
    documents: usize,
    /// Jobs of any kind, and lists that hold nothing: an empty list is an answer too.
    answers: usize,
    resource_versions: Vec<String>,
    /// How often each kind occurs that is no Job.
    ignored: BTreeMap<String, usize>,
}

/// The items of a list whose kind is not known yet.
#[derive(Default)]
struct List {
    jobs: Vec<Job>,
    ungrouped: usize,
    /// How many Jobs it has, asked for or not.
    answers: usize,
    /// How many of its items do not say what they are. They are Jobs in a JobList, and nothing in a List.
    untyped: usize,
    ignored: BTreeMap<String, usize>,
    /// What is wrong with the first Job with which something is wrong.
    trouble: Option<FileError>,
}

/// What comes of a Job.
enum Taken {
    Grouped(Box<Job>),
    /// It belongs to no group.
    Ungrouped,
    /// It was not asked for.
    Unwanted,
}

/// What an object says to be.
enum Kind {
    Job,
    Other(String),
    Untold,
}

impl Kind {
    fn new(api_version: Option<&str>, kind: Option<&str>) -> Kind {
        match (api_version, kind) {
            (Some("batch/v1"), Some("Job")) => Kind::Job,
            (Some("v1"), Some(kind)) => Kind::Other(kind.to_owned()),
            (Some(api_version), Some(kind)) => Kind::Other(format!("{kind} ({api_version})")),
            _ => Kind::Untold,
        }
    }
}

impl<'a> Collector<'a> {
    pub(super) fn new(query: &'a Query) -> Collector<'a> {
        Collector {
            query,
            intake: Intake::new(&query.grouping, Identity::Optional),
            jobs: Vec::new(),
            ungrouped: 0,
            list: List::default(),
            documents: 0,
            answers: 0,
            resource_versions: Vec::new(),
            ignored: BTreeMap::new(),
        }
    }

    /// Take an item of a list for a Job, unless it says to be something else.
    pub(super) fn item(&mut self, found: Result<Item<'_>, Misfit>) {
        let (kind, job) = match found {
            Ok(item) => (
                Kind::new(item.api_version.as_deref(), item.kind.as_deref()),
                Ok(decode::Job {
                    metadata: item.metadata,
                    status: item.status,
                }),
            ),
            Err(Misfit {
                type_meta: meta,
                why,
            }) => (
                Kind::new(meta.api_version.as_deref(), meta.kind.as_deref()),
                Err(why),
            ),
        };
        match kind {
            Kind::Other(kind) => {
                *self.list.ignored.entry(kind).or_default() += 1;
                return;
            }
            Kind::Untold => self.list.untyped += 1,
            Kind::Job => {}
        }
        self.list.answers += 1;
        match job.and_then(|job| self.take(job)) {
            Ok(Taken::Grouped(job)) => self.list.jobs.push(*job),
            Ok(Taken::Ungrouped) => self.list.ungrouped += 1,
            Ok(Taken::Unwanted) => {}
            Err(trouble) => {
                self.list.trouble.get_or_insert(trouble);
            }
        }
    }

    /// Take a document whose items have been taken already.
    pub(super) fn document(&mut self, head: &Head) -> Result<(), FileError> {
        self.documents += 1;
        let list = mem::take(&mut self.list);
        let (Some(Some(api_version)), Some(Some(kind))) = (&head.api_version, &head.kind) else {
            return Err(FileError::NotAnObject);
        };
        match (api_version.as_str(), kind.as_str()) {
            ("batch/v1", "JobList") => self.list(head, list),
            ("v1", "List") if list.untyped > 0 => Err(FileError::NotAnObject),
            ("v1", "List") => self.list(head, list),
            _ => match Kind::new(Some(api_version), Some(kind)) {
                Kind::Other(kind) => {
                    *self.ignored.entry(kind).or_default() += 1;
                    Ok(())
                }
                Kind::Job | Kind::Untold => {
                    self.answers += 1;
                    let job = self.take(decode::Job {
                        metadata: part(head.metadata.as_deref())?,
                        status: part(head.status.as_deref())?,
                    })?;
                    match job {
                        Taken::Grouped(job) => self.jobs.push(*job),
                        Taken::Ungrouped => self.ungrouped += 1,
                        Taken::Unwanted => {}
                    }
                    Ok(())
                }
            },
        }
    }

    fn list(&mut self, head: &Head, list: List) -> Result<(), FileError> {
        if let Some(trouble) = list.trouble {
            return Err(trouble);
        }
        let meta: Option<decode::ListMeta> = part(head.metadata.as_deref())?;
        self.resource_versions
            .extend(meta.and_then(|meta| meta.resource_version));
        self.answers += if list.ignored.is_empty() {
            list.answers.max(1)
        } else {
            list.answers
        };
        self.ungrouped += list.ungrouped;
        for (kind, count) in list.ignored {
            *self.ignored.entry(kind).or_default() += count;
        }
        if self.jobs.is_empty() {
            self.jobs = list.jobs
        } else {
            self.jobs.extend(list.jobs)
        }
        Ok(())
    }

    /// Take a Job in, if it was asked for.
    fn take(&mut self, mut job: decode::Job<'_>) -> Result<Taken, FileError> {
        let query = self.query;
        let scope = match &query.scope {
            Scope::AllNamespaces => None,
            Scope::Namespace(namespace) => Some(namespace.as_str()),
        };
        let meta = job.metadata.get_or_insert_default();
        let namespace = meta
            .namespace
            .get_or_insert_with(|| Text(Cow::Owned(scope.unwrap_or("default").into())));
        let is_there = scope.is_none_or(|scope| *scope == **namespace)
            && !query
                .excluded
                .iter()
                .any(|pattern| pattern.matches(namespace));
        if !is_there || !is_selected(&job, query) {
            return Ok(Taken::Unwanted);
        }
        let job = self.intake.take(job)?;
        Ok(job.map_or(Taken::Ungrouped, |job| Taken::Grouped(Box::new(job))))
    }

    /// What the file has come to.
    pub(super) fn finish(mut self) -> Result<Contents, FileError> {
        let ignored = self
            .ignored
            .iter()
            .map(|(kind, count)| format!("{count} {kind}"))
            .collect::<Vec<_>>()
            .join(", ");
        if self.documents == 0 {
            return Err(FileError::Empty);
        }
        if self.answers == 0 {
            return Err(FileError::NoJobs(ignored));
        }
        Ok(Contents {
            jobs: self.jobs,
            ungrouped: self.ungrouped,
            // Several lists are several snapshots: then no one version is true.
            resource_version: match self.resource_versions.len() {
                1 => self.resource_versions.remove(0),
                _ => String::new(),
            },
            ignored,
        })
    }
}

/// Read a part of a document.
fn part<'t, T: Deserialize<'t>>(text: Option<&'t RawValue>) -> Result<Option<T>, FileError> {
    let Some(text) = text else { return Ok(None) };
    serde_json::from_str(text.get()).map_err(|error| super::stream::malformed(&error))
}
