//! What a file comes to: its Jobs, and what else there is.

use std::{borrow::Cow, collections::BTreeMap};

use serde::Deserialize;
use serde_json::value::RawValue;

use super::{
    Contents, FileError, Head,
    latest::{Aside, Asides},
    stream::Misfit,
};
use crate::{
    decode::{
        self, Item, Text,
        job::{Identity, Intake, is_selected},
    },
    job::{Job, query::Query},
};

/// Gathers the Jobs of a file, document by document.
pub(super) struct Collector<'a> {
    query: &'a Query,
    intake: Intake,
    found: Found,
    /// The lists that have begun, each within the one before.
    open: Vec<List>,
    documents: usize,
    /// Jobs of any kind, and lists that hold nothing: an empty list is an answer too.
    answers: usize,
    resource_versions: Vec<String>,
    /// How often each kind occurs that is no Job.
    ignored: BTreeMap<String, usize>,
    asides: Asides,
}

/// Jobs in the order of the file.
#[derive(Default)]
struct Found {
    jobs: Vec<Job>,
    /// Those that are in no group, by who they are.
    asides: Vec<(u64, Aside)>,
}

/// The items of a list whose kind is not known yet.
#[derive(Default)]
struct List {
    found: Found,
    /// How many Jobs it has, asked for or not.
    answers: usize,
    /// How many of its items do not say what they are. They are Jobs in a JobList, and nothing in a List.
    untyped: usize,
    ignored: BTreeMap<String, usize>,
    /// What is wrong with the first Job with which something is wrong.
    trouble: Option<FileError>,
}

/// Where an item of a list belongs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Place {
    /// In the list: it has been taken in.
    Within,
    /// It is a list itself, to be read as a document.
    Nested,
}

/// What an object says to be.
enum Kind {
    Job,
    List,
    Other(String),
    Untold,
}

impl Kind {
    fn new(api_version: Option<&str>, kind: Option<&str>) -> Kind {
        match (api_version, kind) {
            (Some("batch/v1"), Some("Job")) => Kind::Job,
            (Some("batch/v1"), Some("JobList")) | (Some("v1"), Some("List")) => Kind::List,
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
            found: Found::default(),
            open: Vec::new(),
            documents: 0,
            answers: 0,
            resource_versions: Vec::new(),
            ignored: BTreeMap::new(),
            asides: Asides::default(),
        }
    }

    /// A document begins, which may be a list.
    pub(super) fn begin(&mut self) {
        self.open.push(List::default());
    }

    /// What has begun last ends, and is no document that counts.
    pub(super) fn end(&mut self) {
        self.open.pop();
    }

    /// There is something that holds no Job, and that is an answer.
    pub(super) fn empty_answer(&mut self) {
        self.documents += 1;
        self.answers += 1;
    }

    /// Take an item of a list for a Job, unless it says to be something else.
    pub(super) fn item(&mut self, found: Result<Item<'_>, Misfit>) -> Place {
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
        let mut list = self.open.pop().unwrap_or_default();
        match kind {
            Kind::List => {
                list.answers += 1;
                self.open.push(list);
                return Place::Nested;
            }
            Kind::Other(kind) => *list.ignored.entry(kind).or_default() += 1,
            Kind::Untold | Kind::Job => {
                list.untyped += usize::from(matches!(kind, Kind::Untold));
                list.answers += 1;
                let taken = job.and_then(|job| self.take(job, &mut list.found));
                if let Err(trouble) = taken {
                    list.trouble.get_or_insert(trouble);
                }
            }
        }
        self.open.push(list);
        Place::Within
    }

    /// Take a document whose items have been taken already.
    pub(super) fn document(&mut self, head: &Head) -> Result<(), FileError> {
        self.documents += 1;
        let list = self.open.pop().unwrap_or_default();
        let (Some(Some(api_version)), Some(Some(kind))) = (&head.api_version, &head.kind) else {
            return Err(FileError::NotAnObject);
        };
        match Kind::new(Some(api_version), Some(kind)) {
            Kind::List if kind == "List" && list.untyped > 0 => Err(FileError::NotAnObject),
            Kind::List => self.list(head, list),
            Kind::Other(kind) => {
                *self.ignored.entry(kind).or_default() += 1;
                Ok(())
            }
            Kind::Job | Kind::Untold => {
                self.answers += 1;
                let job = decode::Job {
                    metadata: part(head.metadata.as_deref())?,
                    status: part(head.status.as_deref())?,
                };
                let mut found = std::mem::take(&mut self.found);
                let taken = self.take(job, &mut found);
                self.found = found;
                taken
            }
        }
    }

    /// A watch has seen this object go.
    pub(super) fn deleted(&mut self, object: &str) -> Result<(), FileError> {
        self.empty_answer();
        let item: Item<'_> =
            serde_json::from_str(object).map_err(|error| super::stream::malformed(&error))?;
        let kind = Kind::new(item.api_version.as_deref(), item.kind.as_deref());
        if let (Kind::Job, Some(meta)) = (kind, item.metadata) {
            let version = meta.resource_version.as_deref().unwrap_or_default();
            let who = self.asides.who(
                meta.namespace.as_deref().unwrap_or_default(),
                meta.name.as_deref().unwrap_or_default(),
            );
            let aside = Aside::new(version, self.found.jobs.len(), false);
            self.found.asides.push((who, aside));
        }
        Ok(())
    }

    fn list(&mut self, head: &Head, list: List) -> Result<(), FileError> {
        if let Some(trouble) = list.trouble {
            return Err(trouble);
        }
        let meta: decode::ListMeta = part(head.metadata.as_deref())?.unwrap_or_default();
        if meta.continue_token.is_some_and(|token| !token.is_empty()) {
            return Err(FileError::Page);
        }
        self.resource_versions.extend(meta.resource_version);
        self.answers += if list.ignored.is_empty() {
            list.answers.max(1)
        } else {
            list.answers
        };
        for (kind, count) in list.ignored {
            *self.ignored.entry(kind).or_default() += count;
        }
        let before = self.found.jobs.len();
        let asides = list.found.asides.into_iter();
        let asides = asides.map(|(who, aside)| (who, aside.after(before)));
        self.found.asides.extend(asides);
        if self.found.jobs.is_empty() {
            self.found.jobs = list.found.jobs;
        } else {
            self.found.jobs.extend(list.found.jobs);
        }
        Ok(())
    }

    /// Take a Job in, if it was asked for.
    fn take(&mut self, mut job: decode::Job<'_>, found: &mut Found) -> Result<(), FileError> {
        let query = self.query;
        let scope = query.scope.namespace();
        let meta = job.metadata.get_or_insert_default();
        let namespace = meta
            .namespace
            .get_or_insert_with(|| Text(Cow::Owned(scope.unwrap_or("default").into())));
        let is_there =
            scope.is_none_or(|scope| *scope == **namespace) && query.excludes(namespace).is_none();
        if !is_there {
            return Ok(());
        }
        let who = (self.asides).who(namespace, meta.name.as_deref().unwrap_or_default());
        let version = meta.resource_version.clone().unwrap_or_default();
        let is_asked_for = is_selected(&job, query);
        let grouped = if is_asked_for {
            self.intake.take(job)?
        } else {
            None
        };
        match grouped {
            Some(job) => found.jobs.push(job),
            None => {
                let aside = Aside::new(&version, found.jobs.len(), is_asked_for);
                found.asides.push((who, aside));
            }
        }
        Ok(())
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
        let mut jobs = self.found.jobs;
        for (who, aside) in self.found.asides {
            self.asides.add(who, aside);
        }
        let ungrouped = self.asides.settle(&mut jobs);
        Ok(Contents {
            jobs,
            ungrouped,
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
