//! What a file comes to: its Jobs, and what else there is.

use std::{borrow::Cow, collections::BTreeMap, mem};

use serde::Deserialize;
use serde_json::value::RawValue;

use super::{Contents, FileError, Head, Wanted, stream::Misfit};
use crate::{
    decode::{
        self, Item, Text,
        job::{Identity, Intake},
    },
    job::Job,
};

/// Gathers the Jobs of a file, document by document.
pub(super) struct Collector<'a> {
    wanted: &'a Wanted<'a>,
    intake: Intake,
    jobs: Vec<Job>,
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
    /// How many Jobs it has, wanted or not.
    answers: usize,
    /// How many of its items do not say what they are. They are Jobs in a JobList, and nothing in a List.
    untyped: usize,
    ignored: BTreeMap<String, usize>,
    /// What is wrong with the first Job with which something is wrong.
    trouble: Option<FileError>,
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
    pub(super) fn new(wanted: &'a Wanted<'a>) -> Collector<'a> {
        Collector {
            wanted,
            intake: Intake::new(wanted.labels, Identity::Optional),
            jobs: Vec::new(),
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
            Ok(job) => self.list.jobs.extend(job),
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
                    self.jobs.extend(job);
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

    /// Take a Job in, if it is wanted.
    fn take(&mut self, mut job: decode::Job<'_>) -> Result<Option<Job>, FileError> {
        let wanted = self.wanted;
        let meta = job.metadata.get_or_insert_default();
        let namespace = meta
            .namespace
            .get_or_insert_with(|| Text(Cow::Owned(wanted.namespace.unwrap_or("default").into())));
        let matches = wanted.namespace.is_none_or(|wanted| *wanted == **namespace)
            && wanted.selector.matches(|key| meta.labels.get(key));
        if matches {
            Ok(self.intake.take(job)?)
        } else {
            Ok(None)
        }
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
