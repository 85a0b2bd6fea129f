//! Jobs from a file: what `kubectl get jobs -o json` or `-o yaml` printed, or manifests by the document.

use std::{
    collections::BTreeMap,
    fs,
    io::{self, Read},
};

use serde::Deserialize;
use serde_json::value::RawValue;

use crate::{
    intake::{Identity, Intake, IntakeError},
    job::Job,
    selector::{LabelKey, Selector},
    wire,
};

/// Which Jobs of the file are wanted.
#[derive(Debug)]
pub struct Wanted<'a> {
    /// They carry all of these labels.
    pub labels: &'a [LabelKey],
    /// They match this as well.
    pub selector: &'a Selector,
    /// They are in this namespace, if one is given.
    pub namespace: Option<&'a str>,
}

/// What a file holds.
#[derive(Debug)]
pub struct Contents {
    /// The Jobs that were wanted.
    pub jobs: Vec<Job>,
    /// The resourceVersion of the list, if the file is one.
    pub resource_version: String,
    /// What else it holds, `2 Pod, 1 Service` for one; empty if nothing.
    pub ignored: String,
}

/// Why a file gives no plan. The text is a lowercase fragment that does not name the file.
#[derive(Debug, thiserror::Error)]
pub enum FileError {
    /// It cannot be read.
    #[error("{0}")]
    Read(#[from] io::Error),
    /// It is not UTF-8.
    #[error("it is not UTF-8 text")]
    NotText,
    /// It has no document in it.
    #[error("it is empty")]
    Empty,
    /// It is not JSON.
    #[error("it is not valid JSON: {0}")]
    Json(serde_json::Error),
    /// It is not YAML.
    #[error("it is not valid YAML: {0}")]
    Yaml(String),
    /// A document is not an object of Kubernetes.
    #[error(
        "it holds something that is not a Kubernetes object: a document without apiVersion and kind"
    )]
    NotAnObject,
    /// A field of an object is not what Kubernetes has there.
    #[error("it holds an object that is not as Kubernetes writes it: {0}")]
    Malformed(String),
    /// It holds other things only.
    #[error("it holds {0}, but no Job of batch/v1")]
    NoJobs(String),
    /// A Job in it cannot be judged.
    #[error("it holds {0}")]
    Job(#[from] IntakeError),
}

/// Read a file, or standard input if the path is `-`.
///
/// # Errors
/// If it cannot be read, or holds anything but Kubernetes objects, or no Job, JobList or List at all.
pub fn read(path: &str, wanted: &Wanted) -> Result<Contents, FileError> {
    let mut bytes = Vec::new();
    if path == "-" {
        io::stdin().lock().read_to_end(&mut bytes)?;
    } else {
        fs::File::open(path)?.read_to_end(&mut bytes)?;
    }
    parse(&bytes, wanted)
}

/// Parse what a file holds.
///
/// # Errors
/// As [`read`], but for the reading.
pub fn parse(bytes: &[u8], wanted: &Wanted) -> Result<Contents, FileError> {
    let text = std::str::from_utf8(bytes).map_err(|_| FileError::NotText)?;
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let mut reader = Reader::new(wanted);
    match text.trim_start().chars().next() {
        None => return Err(FileError::Empty),
        // YAML may hold JSON documents, parted as YAML parts them.
        Some('{') if !text.lines().any(|line| line.starts_with("---")) => reader.read_json(text)?,
        Some(_) => reader.read_yaml(text)?,
    }
    reader.finish()
}

/// The outermost fields of any object; the rest is left unread until its kind is known.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Head<'a> {
    api_version: Option<String>,
    kind: Option<String>,
    #[serde(borrow)]
    metadata: Option<&'a RawValue>,
    #[serde(borrow)]
    items: Option<Vec<&'a RawValue>>,
}

struct Reader<'a> {
    wanted: &'a Wanted<'a>,
    intake: Intake,
    jobs: Vec<Job>,
    documents: usize,
    /// Jobs of any kind, and lists that hold nothing: an empty list is an answer too.
    answers: usize,
    resource_versions: Vec<String>,
    ignored: BTreeMap<String, usize>,
}

impl<'a> Reader<'a> {
    fn new(wanted: &'a Wanted<'a>) -> Self {
        Reader {
            wanted,
            intake: Intake::new(wanted.labels, Identity::Optional),
            jobs: Vec::new(),
            documents: 0,
            answers: 0,
            resource_versions: Vec::new(),
            ignored: BTreeMap::new(),
        }
    }

    fn read_json(&mut self, text: &str) -> Result<(), FileError> {
        for document in serde_json::Deserializer::from_str(text).into_iter::<&RawValue>() {
            self.read_document(document.map_err(FileError::Json)?)?;
        }
        Ok(())
    }

    fn read_yaml(&mut self, text: &str) -> Result<(), FileError> {
        let documents: Vec<serde_json::Value> = serde_saphyr::from_multiple(text)
            .map_err(|error| FileError::Yaml(one_line(&error.to_string())))?;
        for document in documents.iter().filter(|document| !document.is_null()) {
            let json = serde_json::value::to_raw_value(document).map_err(FileError::Json)?;
            self.read_document(&json)?;
        }
        Ok(())
    }

    fn read_document(&mut self, document: &RawValue) -> Result<(), FileError> {
        self.documents += 1;
        if !document.get().starts_with('{') {
            return Err(FileError::NotAnObject);
        }
        let head: Head = part(document)?;
        let (Some(api_version), Some(kind)) = (head.api_version, head.kind) else {
            return Err(FileError::NotAnObject);
        };
        match (api_version.as_str(), kind.as_str()) {
            ("batch/v1", "Job") => self.read_job(document),
            ("batch/v1", "JobList") => {
                let items = self.open_list(head.metadata, head.items)?;
                items.into_iter().try_for_each(|item| self.read_job(item))
            }
            ("v1", "List") => {
                let items = self.open_list(head.metadata, head.items)?;
                items.into_iter().try_for_each(|item| self.read_item(item))
            }
            _ => {
                self.ignore(&api_version, &kind);
                Ok(())
            }
        }
    }

    fn ignore(&mut self, api_version: &str, kind: &str) {
        let what = match api_version {
            "v1" => kind.to_owned(),
            _ => format!("{kind} ({api_version})"),
        };
        *self.ignored.entry(what).or_default() += 1;
    }

    fn open_list<'r>(
        &mut self,
        metadata: Option<&RawValue>,
        items: Option<Vec<&'r RawValue>>,
    ) -> Result<Vec<&'r RawValue>, FileError> {
        if let Some(metadata) = metadata {
            let meta: wire::ListMeta = part(metadata)?;
            self.resource_versions.extend(meta.resource_version);
        }
        let items = items.unwrap_or_default();
        self.answers += usize::from(items.is_empty());
        Ok(items)
    }

    /// An item of a v1 List says itself what it is.
    fn read_item(&mut self, item: &RawValue) -> Result<(), FileError> {
        let meta: wire::TypeMeta = part(item)?;
        match (meta.api_version.as_deref(), meta.kind.as_deref()) {
            (Some("batch/v1"), Some("Job")) => self.read_job(item),
            (Some(api_version), Some(kind)) => {
                self.ignore(api_version, kind);
                Ok(())
            }
            _ => Err(FileError::NotAnObject),
        }
    }

    fn read_job(&mut self, job: &RawValue) -> Result<(), FileError> {
        self.answers += 1;
        let mut job: wire::Job = part(job)?;
        let meta = job.metadata.get_or_insert_default();
        let namespace = meta
            .namespace
            .get_or_insert_with(|| wire::Text(self.wanted.namespace.unwrap_or("default").into()));
        let matches = self
            .wanted
            .namespace
            .is_none_or(|wanted| *wanted == **namespace)
            && self.wanted.selector.matches(|key| meta.labels.get(key));
        if matches {
            self.jobs.extend(self.intake.take(job)?);
        }
        Ok(())
    }

    fn finish(mut self) -> Result<Contents, FileError> {
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

/// Read a part of a document. Lines and columns within a part mean nothing to whoever looks at the file.
fn part<'a, T: Deserialize<'a>>(text: &'a RawValue) -> Result<T, FileError> {
    serde_json::from_str(text.get()).map_err(|error| {
        let message = error.to_string();
        let what = message.split(" at line ").next().unwrap_or_default();
        FileError::Malformed(what.to_owned())
    })
}

/// The parser shows the lines around the fault as well; the first says where it is.
fn one_line(text: &str) -> String {
    let line = text.lines().next().unwrap_or_default();
    line.strip_prefix("error: ").unwrap_or(line).to_owned()
}
