//! What a file comes to: its Jobs, and what else there is.

use std::{borrow::Cow, collections::BTreeMap};

use serde::Deserialize;
use serde_json::value::RawValue;

use super::{
    Contents, FileError, Head,
    latest::{Found, Mark},
    slim::printed,
    stream::Misfit,
};
use crate::{
    decode::{
        self, Item, ObjectMeta, Text,
        gitops::{self, Parts},
        job::{Identity, Intake, is_selected, keep_marks},
        metadata::Object,
    },
    gitops::{Answer, Claims, Tool},
    job::query::Query,
    text::quoted,
};

/// The kind that says whether all Jobs in it are to stay.
pub const NAMESPACE: &str = "Namespace";

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
    claims: Claims,
    /// Which tools have an object in it that is not as they write it.
    damaged: Vec<Tool>,
}

/// The items of a list whose kind is not known yet.
#[derive(Default)]
struct List {
    /// What had been found before it.
    mark: Mark,
    /// How many Jobs it has, asked for or not.
    answers: usize,
    /// How many of its items do not say what they are. They are Jobs in a JobList, and nothing in a List.
    untyped: usize,
    ignored: BTreeMap<String, usize>,
    /// What is wrong with the first Job with which something is wrong.
    trouble: Option<FileError>,
}

/// An object that a watch has seen go.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Gone<'a> {
    #[serde(borrow)]
    api_version: Option<Text<'a>>,
    #[serde(borrow)]
    kind: Option<Text<'a>>,
    #[serde(borrow)]
    metadata: Option<ObjectMeta<'a>>,
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
    /// Jobs in a version that this program cannot read.
    OtherVersion(String),
    /// An answer of the server; it may be that it refused what else was asked for.
    Status,
    /// An object of a GitOps tool.
    GitOps(Tool),
    Other(String),
    Untold,
}

impl Kind {
    fn new(api_version: Option<&str>, kind: Option<&str>) -> Kind {
        match (api_version, kind) {
            (Some("batch/v1"), Some("Job")) => Kind::Job,
            (Some("batch/v1"), Some("JobList")) | (Some("v1"), Some("List")) => Kind::List,
            (Some(api_version), Some(kind @ ("Job" | "JobList")))
                if api_version.starts_with("batch/") =>
            {
                Kind::OtherVersion(format!("a {kind} of {api_version}"))
            }
            (Some("v1"), Some("Status")) => Kind::Status,
            (Some("argoproj.io/v1alpha1"), Some("Application")) => Kind::GitOps(Tool::ArgoCd),
            (Some("kustomize.toolkit.fluxcd.io/v1"), Some("Kustomization")) => {
                Kind::GitOps(Tool::Flux)
            }
            (Some("argoproj.io/v1alpha1"), Some("ApplicationList"))
            | (Some("kustomize.toolkit.fluxcd.io/v1"), Some("KustomizationList")) => Kind::List,
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
            intake: Intake::new(&query.grouping, &query.rules, Identity::Optional),
            found: Found::default(),
            open: Vec::new(),
            documents: 0,
            answers: 0,
            resource_versions: Vec::new(),
            ignored: BTreeMap::new(),
            claims: Claims::default(),
            damaged: Vec::new(),
        }
    }

    /// A document begins, which may be a list.
    pub(super) fn begin(&mut self) {
        self.open.push(List {
            mark: self.found.mark(),
            ..List::default()
        });
    }

    /// What has begun last ends, and has no items that count.
    pub(super) fn end(&mut self) {
        if let Some(list) = self.open.pop() {
            self.found.back_to(list.mark);
        }
    }

    /// There is something that holds no Job, and that is an answer.
    pub(super) fn empty_answer(&mut self) {
        self.documents += 1;
        self.answers += 1;
    }

    /// Take an item of a list for a Job, unless it says to be something else.
    pub(super) fn item(
        &mut self,
        found: Result<Item<'_>, Misfit>,
        text: &str,
    ) -> Result<Place, FileError> {
        let (kind, job) = match found {
            Ok(item) => (
                Kind::new(item.api_version.as_deref(), item.kind.as_deref()),
                Ok(decode::Job {
                    metadata: item.metadata,
                    status: item.status,
                    size: item.size,
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
        let is_untyped = matches!(kind, Kind::Untold);
        match kind {
            Kind::List => {
                self.list().answers += 1;
                return Ok(Place::Nested);
            }
            Kind::OtherVersion(what) => return Err(FileError::OtherVersion(what)),
            Kind::Status => {
                let status = decode::decode_status(text.as_bytes()).unwrap_or_default();
                refused(status.status, status.message)?;
                *self.list().ignored.entry("Status".into()).or_default() += 1;
            }
            Kind::GitOps(tool) => match serde_json::from_str(text) {
                Ok(parts) => self.claim(tool, &parts),
                Err(_) => self.damaged.push(tool),
            },
            Kind::Other(kind) => {
                if kind == NAMESPACE {
                    let namespace: Object<'_> = serde_json::from_str(text)
                        .map_err(|error| super::stream::malformed(&error))?;
                    self.hold(namespace.metadata.as_ref());
                }
                *self.list().ignored.entry(kind).or_default() += 1;
            }
            Kind::Untold | Kind::Job => {
                let taken = job.and_then(|job| self.take(job));
                let list = self.list();
                list.untyped += usize::from(is_untyped);
                list.answers += 1;
                if let Err(trouble) = taken {
                    list.trouble.get_or_insert(trouble);
                }
            }
        }
        Ok(Place::Within)
    }

    /// The list that has begun last.
    fn list(&mut self) -> &mut List {
        if self.open.is_empty() {
            self.begin();
        }
        let last = self.open.len() - 1;
        &mut self.open[last]
    }

    /// Take a document whose items have been taken already.
    pub(super) fn document(&mut self, head: &Head) -> Result<(), FileError> {
        self.documents += 1;
        let (Some(Some(api_version)), Some(Some(kind))) = (&head.api_version, &head.kind) else {
            return Err(FileError::NotAnObject);
        };
        match Kind::new(Some(api_version), Some(kind)) {
            Kind::List => return self.end_list(head, kind == "List"),
            Kind::OtherVersion(what) => return Err(FileError::OtherVersion(what)),
            Kind::Status => {
                refused(
                    part(head.status.as_deref())?,
                    part(head.message.as_deref())?,
                )?;
                *self.ignored.entry("Status".into()).or_default() += 1;
            }
            Kind::GitOps(tool) => self.claim(
                tool,
                &Parts {
                    metadata: head.metadata.as_deref(),
                    spec: head.spec.as_deref(),
                    status: head.status.as_deref(),
                    operation: head.operation.as_deref(),
                },
            ),
            Kind::Other(other) => {
                let list = self.list();
                if list.answers > list.untyped {
                    return Err(FileError::Malformed(format!("a {other} with Jobs in it")));
                }
                if other == NAMESPACE {
                    self.hold(part(head.metadata.as_deref())?.as_ref());
                }
                *self.ignored.entry(other).or_default() += 1;
            }
            Kind::Job | Kind::Untold => {
                self.end();
                self.answers += 1;
                let parts = [&head.metadata, &head.spec, &head.status];
                let texts = parts.into_iter().flatten().map(|text| text.get());
                return self.take(decode::Job {
                    metadata: part(head.metadata.as_deref())?,
                    status: part(head.status.as_deref())?,
                    size: decode::size_of(texts.map(printed).sum()),
                });
            }
        }
        self.end();
        Ok(())
    }

    /// Take in what an object of a GitOps tool says.
    fn claim(&mut self, tool: Tool, parts: &Parts<'_>) {
        let claims = &mut self.claims;
        let taken = match tool {
            Tool::ArgoCd => gitops::application(parts).map(|found| claims.argocd.add(found)),
            _ => gitops::kustomization(parts).map(|found| claims.flux.add(found)),
        };
        if taken.is_err() {
            self.damaged.push(tool);
        }
    }

    /// Take in whether a Namespace keeps all of its Jobs. Each time that it is there it may say so.
    fn hold(&mut self, meta: Option<&ObjectMeta<'_>>) {
        if let Some(meta) = meta
            && let Some(name) = &meta.name
        {
            self.claims.holders.add(name, keep_marks(meta));
        }
    }

    /// A watch has seen this object go.
    pub(super) fn deleted(&mut self, object: &str) -> Result<(), FileError> {
        self.documents += 1;
        let mut gone: Gone<'_> =
            serde_json::from_str(object).map_err(|error| super::stream::malformed(&error))?;
        match Kind::new(gone.api_version.as_deref(), gone.kind.as_deref()) {
            Kind::Job => {
                self.answers += 1;
                let meta = gone.metadata.get_or_insert_default();
                self.complete(meta);
                self.found.put_aside(meta, false);
                Ok(())
            }
            Kind::OtherVersion(what) => Err(FileError::OtherVersion(what)),
            // What it said before is still taken in: that only ever keeps Jobs.
            Kind::GitOps(_) => Ok(()),
            Kind::Other(kind) => {
                *self.ignored.entry(kind).or_default() += 1;
                Ok(())
            }
            Kind::List | Kind::Status | Kind::Untold => Err(FileError::NotAnObject),
        }
    }

    fn end_list(&mut self, head: &Head, is_of_any_kind: bool) -> Result<(), FileError> {
        let list = self.open.pop().unwrap_or_default();
        if is_of_any_kind && list.untyped > 0 {
            return Err(FileError::NotAnObject);
        }
        if let Some(trouble) = list.trouble {
            return Err(trouble);
        }
        let meta: decode::ListMeta = part(head.metadata.as_deref())?.unwrap_or_default();
        let goes_on = meta.continue_token.is_some_and(|token| !token.is_empty());
        if goes_on || meta.remaining_item_count.is_some_and(|count| count > 0) {
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
        Ok(())
    }

    /// Take a Job in, if it was asked for.
    fn take(&mut self, mut job: decode::Job<'_>) -> Result<(), FileError> {
        let query = self.query;
        let meta = job.metadata.get_or_insert_default();
        self.complete(meta);
        let namespace = meta.namespace.as_deref().unwrap_or_default();
        let is_there = (query.scope.namespace()).is_none_or(|scope| scope == namespace)
            && query.excludes(namespace).is_none();
        if !is_there {
            return Ok(());
        }
        let is_asked_for = is_selected(&job, query);
        let grouped = if is_asked_for {
            self.intake.take(&job)?
        } else {
            None
        };
        match grouped {
            Some(grouped) => self.found.push(grouped),
            None => {
                let meta = job.metadata.unwrap_or_default();
                self.found.put_aside(&meta, is_asked_for);
            }
        }
        Ok(())
    }

    /// Say where an object is that does not say it: manifests leave that to the command that applies them.
    fn complete(&self, meta: &mut ObjectMeta<'_>) {
        if meta.namespace.is_none() {
            let scope = self.query.scope.namespace().unwrap_or("default");
            meta.namespace = Some(Text(Cow::Owned(scope.to_owned())));
        }
    }

    /// What the file has come to.
    pub(super) fn finish(mut self) -> Result<Contents, FileError> {
        if self.documents == 0 {
            return Err(FileError::Empty);
        }
        if self.answers == 0 {
            let read = [
                ("Application", self.claims.argocd.len()),
                ("Kustomization", self.claims.flux.len()),
            ];
            let read = read.into_iter().filter(|(_, count)| *count > 0);
            let mut kinds = self.ignored;
            kinds.extend(read.map(|(kind, count)| (kind.to_owned(), count)));
            return Err(FileError::NoJobs(listed(&kinds)));
        }
        let answer = |tool, is_empty: bool| {
            if self.damaged.contains(&tool) {
                Answer::Broken("an object in the file is not as the tool writes it".to_owned())
            } else if is_empty {
                Answer::Absent
            } else {
                Answer::Read
            }
        };
        let mut claims = self.claims;
        let (argocd, flux) = (
            answer(Tool::ArgoCd, claims.argocd.is_empty()),
            answer(Tool::Flux, claims.flux.is_empty()),
        );
        claims.argocd.answered(argocd);
        claims.flux.answered(flux);
        let (jobs, ungrouped) = self.found.settle();
        Ok(Contents {
            jobs,
            ungrouped,
            // Several lists are several snapshots: then no one version is true.
            resource_version: match self.resource_versions.len() {
                1 => self.resource_versions.remove(0),
                _ => String::new(),
            },
            ignored: self.ignored,
            claims,
        })
    }
}

/// Kinds, and how often each occurs: `2 Pod, 1 Service`.
pub fn listed(kinds: &BTreeMap<String, usize>) -> String {
    let kinds = kinds.iter().map(|(kind, count)| format!("{count} {kind}"));
    kinds.collect::<Vec<_>>().join(", ")
}

/// An answer of the server that says that something went wrong.
fn refused(status: Option<String>, message: Option<String>) -> Result<(), FileError> {
    match status.as_deref() {
        Some("Failure") => Err(FileError::Refused(quoted(&message.unwrap_or_default()))),
        _ => Ok(()),
    }
}

/// Read a part of a document.
fn part<'t, T: Deserialize<'t>>(text: Option<&'t RawValue>) -> Result<Option<T>, FileError> {
    let Some(text) = text else { return Ok(None) };
    serde_json::from_str(text.get()).map_err(|error| super::stream::malformed(&error))
}
