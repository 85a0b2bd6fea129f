//! Jobs from a file: what `kubectl get jobs -o json` or `-o yaml` printed, or manifests by the document.
//!
//! JSON is read while it comes: a million Jobs are a few gigabytes. YAML is read as a whole.

mod collect;
mod stream;

use std::{
    fs,
    io::{self, Read},
};

use serde::de::IgnoredAny;
use serde_json::value::RawValue;

use self::{collect::Collector, stream::Stream};
use super::job::IntakeError;
use crate::job::{Job, query::Query};

/// What a file holds.
#[derive(Debug)]
pub struct Contents {
    /// The Jobs that were asked for and belong to a group.
    pub jobs: Vec<Job>,
    /// How many others were asked for, which belong to none.
    pub ungrouped: usize,
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
    Json(String),
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
pub fn read(path: &str, query: &Query) -> Result<Contents, FileError> {
    match path {
        "-" => parse(io::stdin().lock(), query),
        _ => parse(fs::File::open(path)?, query),
    }
}

/// Parse what a file holds while it is read.
///
/// # Errors
/// As [`read`].
pub fn parse(input: impl Read, query: &Query) -> Result<Contents, FileError> {
    let mut stream = Stream::new(input);
    let mut collector = Collector::new(query);
    stream.passes("\u{feff}".as_bytes())?;
    let mut is_first = true;
    while let Some(next) = stream.peek()? {
        match next {
            b'{' => read_document(&mut stream, &mut collector)?,
            // YAML may hold JSON documents, separated as YAML separates them.
            b'-' if stream.passes(b"---")? => {
                is_first = true;
                continue;
            }
            _ if is_first => {
                read_yaml(&stream.into_rest()?, &mut collector)?;
                break;
            }
            _ => stream.expect(b'{')?,
        }
        is_first = false;
    }
    collector.finish()
}

fn read_yaml(text: &[u8], collector: &mut Collector) -> Result<(), FileError> {
    let text = std::str::from_utf8(text).map_err(|_| FileError::NotText)?;
    // The parser's limits are those for a configuration file. What could make a short text explode stays limited: aliases.
    let options = serde_saphyr::options! {
        budget: serde_saphyr::budget! {
            max_events: usize::MAX,
            max_nodes: usize::MAX,
            max_documents: usize::MAX,
            max_total_scalar_bytes: usize::MAX,
        },
    };
    let documents: Vec<serde_json::Value> = serde_saphyr::from_multiple_with_options(text, options)
        .map_err(|error| FileError::Yaml(one_line(&error.to_string())))?;
    for document in documents.iter().filter(|document| !document.is_null()) {
        if !document.is_object() {
            return Err(FileError::NotAnObject);
        }
        let json = document.to_string();
        read_document(&mut Stream::new(json.as_bytes()), collector)?;
    }
    Ok(())
}

/// The outermost members of a document, but for a list's items; the rest is left unread until its kind is known.
#[derive(Default)]
struct Head {
    api_version: Option<Option<String>>,
    kind: Option<Option<String>>,
    metadata: Option<Box<RawValue>>,
    status: Option<Box<RawValue>>,
    items: Option<()>,
}

fn read_document(
    stream: &mut Stream<impl Read>,
    collector: &mut Collector,
) -> Result<(), FileError> {
    let mut head = Head::default();
    stream.expect(b'{')?;
    let mut is_first = true;
    while stream.goes_on(b'}', is_first)? {
        is_first = false;
        let name: String = stream.value()?;
        stream.expect(b':')?;
        let is_new = match name.as_str() {
            "apiVersion" => head.api_version.replace(stream.value()?).is_none(),
            "kind" => head.kind.replace(stream.value()?).is_none(),
            "metadata" => head.metadata.replace(stream.value()?).is_none(),
            "status" => head.status.replace(stream.value()?).is_none(),
            "items" => {
                read_items(stream, collector)?;
                head.items.replace(()).is_none()
            }
            _ => stream.value::<IgnoredAny>().map(|_| true)?,
        };
        if !is_new {
            return Err(FileError::Malformed(format!("duplicate field `{name}`")));
        }
    }
    collector.document(&head)
}

/// A list may be long, and says only after its items what they are: they are taken for Jobs until then.
fn read_items(stream: &mut Stream<impl Read>, collector: &mut Collector) -> Result<(), FileError> {
    if stream.peek()? != Some(b'[') {
        // Go writes an empty slice as null now and then.
        return stream.value::<()>();
    }
    stream.expect(b'[')?;
    let mut is_first = true;
    while stream.goes_on(b']', is_first)? {
        is_first = false;
        stream.item(&mut |found| collector.item(found))?;
    }
    Ok(())
}

/// The parser shows the lines around the fault as well; the first says where it is.
fn one_line(text: &str) -> String {
    let line = text.lines().next().unwrap_or_default();
    line.strip_prefix("error: ").unwrap_or(line).to_owned()
}
