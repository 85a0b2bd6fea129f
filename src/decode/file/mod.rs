//! Jobs from a file: what `kubectl get jobs -o json` or `-o yaml` printed, also of a watch, or manifests by the document.
//!
//! JSON is read while it comes, compressed or not: a million Jobs are a few gigabytes. YAML and UTF-16 are read as a
//! whole.

mod collect;
mod latest;
mod slim;
mod stream;

use std::{
    borrow::Cow,
    collections::BTreeMap,
    fs,
    io::{self, BufReader, Read},
};

use flate2::bufread::MultiGzDecoder;
use serde::de::IgnoredAny;
use serde_json::value::RawValue;

pub use self::collect::{NAMESPACE, listed};

use self::{
    collect::{Collector, Place},
    stream::Stream,
};
use super::job::IntakeError;
use crate::{
    gitops::Claims,
    job::{Job, query::Query},
    text::{decode, is_wide, quoted, yaml},
};

/// What a file holds.
#[derive(Debug)]
pub struct Contents {
    /// The Jobs that were asked for and belong to a group.
    pub jobs: Vec<Job>,
    /// How many others were asked for, which belong to none.
    pub ungrouped: usize,
    /// The resourceVersion of the list, if the file is one.
    pub resource_version: String,
    /// How often each other kind occurs.
    pub ignored: BTreeMap<String, usize>,
    /// What the Applications and Kustomizations in it say, and the Namespaces.
    pub claims: Claims,
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
    /// Its compressed text is damaged, or ends too early.
    #[error("its gzip is damaged or cut off")]
    Gzip,
    /// A message stands before a document or after it.
    #[error(
        "a line of it is a message and no document ({0}): write only standard output into the file, as `2>/dev/null` does"
    )]
    Message(String),
    /// The server has refused something that was asked for.
    #[error("it holds an error of the API server, so that Jobs may be missing: {0}")]
    Refused(String),
    /// It holds Jobs as another version of the API has them.
    #[error(
        "it holds {0}, but only batch/v1 can be read; get them again, as `kubectl get jobs.v1.batch -o json` does"
    )]
    OtherVersion(String),
    /// It is one page of a list.
    #[error(
        "it is one page of a list that goes on: a plan from a part may take an old Job for the newest; \
         get the whole list, as `kubectl get jobs -o json` does"
    )]
    Page,
    /// A watch in it has failed; the server's words.
    #[error("its watch has ended with an error, so that what came after it is missing: {0}")]
    Watch(String),
    /// Lists stand within lists.
    #[error("its lists stand within lists more than {MAX_DEPTH} times over")]
    Depth,
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
        "-" => {
            let input = io::stdin().lock();
            // While a piece is parsed, the program at the other end of a pipe can write the next one.
            #[cfg(target_os = "linux")]
            if rustix::pipe::fcntl_getpipe_size(&input).is_ok_and(|size| size < stream::CHUNK) {
                let _ = rustix::pipe::fcntl_setpipe_size(&input, stream::CHUNK);
            }
            parse(input, query)
        }
        _ => parse(fs::File::open(path)?, query),
    }
}

/// How deep lists may stand within lists.
const MAX_DEPTH: usize = 16;

/// Parse what a file holds while it is read.
///
/// # Errors
/// As [`read`].
pub fn parse(mut input: impl Read, query: &Query) -> Result<Contents, FileError> {
    let mut collector = Collector::new(query);
    let mut mark = [0; 2];
    let length = read_up_to(&mut input, &mut mark)?;
    let input = mark[..length].chain(input);
    match mark {
        [0x1f, 0x8b] => {
            // It is known to be compressed, so that what cannot be read is damaged.
            let unpacked = MultiGzDecoder::new(BufReader::new(input));
            read_text(unpacked, &mut collector).map_err(|error| match error {
                FileError::Read(_) => FileError::Gzip,
                other => other,
            })?;
        }
        _ => read_text(input, &mut collector)?,
    }
    collector.finish()
}

/// Fill a buffer as far as there is something.
fn read_up_to(input: &mut impl Read, buffer: &mut [u8]) -> io::Result<usize> {
    let mut length = 0;
    while length < buffer.len() {
        match input.read(&mut buffer[length..])? {
            0 => break,
            read => length += read,
        }
    }
    Ok(length)
}

/// Read text in any encoding that Windows and Unix write.
fn read_text(mut input: impl Read, collector: &mut Collector) -> Result<(), FileError> {
    let mut mark = [0; 2];
    let length = read_up_to(&mut input, &mut mark)?;
    let mut input = mark[..length].chain(input);
    if is_wide(&mark[..length]) {
        let mut bytes = Vec::new();
        input.read_to_end(&mut bytes)?;
        let text = decode(&bytes).map_err(|_| FileError::NotText)?;
        return read_documents(&mut Stream::new(text.as_bytes()), collector);
    }
    read_documents(&mut Stream::new(input), collector)
}

fn read_documents(stream: &mut Stream<'_>, collector: &mut Collector) -> Result<(), FileError> {
    // Another document may follow JSON as it is, or after a line as YAML separates documents.
    let mut may_be_yaml = true;
    while let Some(next) = stream.peek()? {
        match next {
            b'{' => read_document(stream, collector, 0)?,
            b'[' => read_array(stream, collector)?,
            // What was put together of several files has it in the middle as well.
            0xef if stream.passes(BYTE_ORDER_MARK)? => continue,
            b'-' if stream.passes("---")? => {
                may_be_yaml = true;
                continue;
            }
            _ if may_be_yaml => return read_yaml(&stream.rest_of_it()?, collector),
            _ => {
                return Err(match message(stream.line()?) {
                    Some(line) => FileError::Message(quoted(line)),
                    None => stream.invalid("expected `{`", 1, 1),
                });
            }
        }
        may_be_yaml = false;
    }
    Ok(())
}

/// An array of documents.
fn read_array(stream: &mut Stream<'_>, collector: &mut Collector) -> Result<(), FileError> {
    read_objects(stream, &mut |stream| read_document(stream, collector, 0))?;
    collector.empty_answer();
    Ok(())
}

/// Read an array, and each of the objects in it with this.
fn read_objects(
    stream: &mut Stream<'_>,
    read: &mut dyn FnMut(&mut Stream<'_>) -> Result<(), FileError>,
) -> Result<(), FileError> {
    stream.expect(b'[')?;
    let mut is_first = true;
    while stream.goes_on(b']', is_first)? {
        is_first = false;
        if stream.peek()? != Some(b'{') {
            return Err(FileError::NotAnObject);
        }
        read(stream)?;
    }
    Ok(())
}

fn read_yaml(text: &[u8], collector: &mut Collector) -> Result<(), FileError> {
    let text = std::str::from_utf8(text).map_err(|_| FileError::NotText)?;
    let first = text.lines().find(|line| !line.trim().is_empty());
    if let Some(line) = first.and_then(message) {
        return Err(FileError::Message(quoted(line)));
    }
    let documents: Vec<serde_json::Value> =
        serde_saphyr::from_multiple_with_options(&without_marks(text), yaml::limits()).map_err(
            |error| {
                let said = text.lines().find_map(message);
                let said = said.or(first.filter(|line| is_prose(line)));
                match said {
                    Some(line) => FileError::Message(quoted(line)),
                    None => FileError::Yaml(yaml::words(&error)),
                }
            },
        )?;
    for document in documents.iter().filter(|document| !document.is_null()) {
        let json = document.to_string();
        let mut stream = Stream::new(json.as_bytes());
        match document {
            serde_json::Value::Array(_) => read_array(&mut stream, collector)?,
            serde_json::Value::Object(_) => read_document(&mut stream, collector, 0)?,
            serde_json::Value::String(line) => return Err(FileError::Message(quoted(line))),
            _ => return Err(FileError::NotAnObject),
        }
    }
    Ok(())
}

/// What Windows writes at the beginning of a text.
const BYTE_ORDER_MARK: &str = "\u{feff}";

/// A text without the marks at the beginning of lines, where files that were put together have them.
fn without_marks(text: &str) -> Cow<'_, str> {
    if !text.contains(BYTE_ORDER_MARK) {
        return Cow::Borrowed(text);
    }
    let lines = text.split_inclusive('\n');
    Cow::Owned(
        lines
            .map(|line| line.trim_start_matches(BYTE_ORDER_MARK))
            .collect(),
    )
}

/// A line, if it is one that kubectl writes to stderr.
fn message(line: &str) -> Option<&str> {
    let line = line.trim_end();
    let is_said = ["Warning: ", "warning: ", "error: ", "Error from server"];
    // As klog writes it: a letter for the severity, and the month and day.
    let (severity, date) = line.split_at_checked(1)?;
    let date = date.split(' ').next().unwrap_or_default();
    let is_logged =
        "IWEF".contains(severity) && date.len() == 4 && date.bytes().all(|b| b.is_ascii_digit());
    (is_logged || is_said.iter().any(|begin| line.starts_with(begin))).then_some(line)
}

/// Whether a line has words where YAML of Kubernetes has the name of a field.
fn is_prose(line: &str) -> bool {
    let name = line.split(':').next().unwrap_or_default();
    name.trim_end().contains(' ') && line.starts_with(char::is_alphanumeric)
}

/// The outermost members of a document, but for a list's items; the rest is left unread until its kind is known.
#[derive(Default)]
struct Head {
    api_version: Option<Option<String>>,
    kind: Option<Option<String>>,
    metadata: Option<Box<RawValue>>,
    status: Option<Box<RawValue>>,
    spec: Option<Box<RawValue>>,
    operation: Option<Box<RawValue>>,
    /// What the server says to people, in a Status.
    message: Option<Box<RawValue>>,
    items: Option<()>,
    /// What has happened to the object below, in an event of a watch.
    event: Option<Box<RawValue>>,
    object: Option<Box<RawValue>>,
}

/// Read a document, which stands in this many lists.
fn read_document(
    stream: &mut Stream<'_>,
    collector: &mut Collector,
    depth: usize,
) -> Result<(), FileError> {
    if depth > MAX_DEPTH {
        return Err(FileError::Depth);
    }
    let mut head = Head::default();
    collector.begin();
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
            "spec" => head.spec.replace(stream.value()?).is_none(),
            "operation" => head.operation.replace(stream.value()?).is_none(),
            "message" => head.message.replace(stream.value()?).is_none(),
            "type" => head.event.replace(stream.value()?).is_none(),
            "object" => head.object.replace(stream.value()?).is_none(),
            "items" => {
                read_items(stream, collector, depth)?;
                head.items.replace(()).is_none()
            }
            _ => stream.value::<IgnoredAny>().map(|_| true)?,
        };
        if !is_new {
            return Err(FileError::Malformed(format!("duplicate field `{name}`")));
        }
    }
    match (&head.event, &head.object) {
        (Some(event), Some(object)) if head.api_version.is_none() && head.kind.is_none() => {
            collector.end();
            read_event(event.get(), object.get(), collector, depth)
        }
        _ => collector.document(&head),
    }
}

/// Read an event of a watch.
fn read_event(
    event: &str,
    object: &str,
    collector: &mut Collector,
    depth: usize,
) -> Result<(), FileError> {
    match event {
        r#""ADDED""# | r#""MODIFIED""# => {
            read_document(&mut Stream::new(object.as_bytes()), collector, depth + 1)
        }
        r#""DELETED""# => collector.deleted(object),
        // It only tells how far the watch has come.
        r#""BOOKMARK""# => {
            collector.empty_answer();
            Ok(())
        }
        r#""ERROR""# => {
            let status = super::decode_status(object.as_bytes()).and_then(|status| status.message);
            Err(FileError::Watch(quoted(&status.unwrap_or_default())))
        }
        _ => Err(FileError::NotAnObject),
    }
}

/// A list may be long, and says only after its items what they are: they are taken for Jobs until then.
fn read_items(
    stream: &mut Stream<'_>,
    collector: &mut Collector,
    depth: usize,
) -> Result<(), FileError> {
    if stream.peek()? != Some(b'[') {
        // Go writes an empty slice as null now and then.
        return stream.value::<()>();
    }
    read_objects(stream, &mut |stream| {
        stream.item(&mut |found, text| {
            if collector.item(found, text)? == Place::Within {
                return Ok(());
            }
            read_document(&mut Stream::new(text.as_bytes()), collector, depth + 1)
        })
    })
}
