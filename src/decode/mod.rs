//! The part of Kubernetes' `batch/v1` JobList that this tool reads, in protobuf and in JSON.
//!
//! One set of slim types serves both encodings: fields that no verdict needs (managedFields, the Pod template) are
//! skipped, and texts are borrowed from the body. In protobuf, the field numbers are those of `k8s.io/api/batch/v1/generated.proto` and
//! `k8s.io/apimachinery/pkg/apis/meta/v1/generated.proto`; the JSON names are those of the same
//! types.

#[cfg(feature = "cli")]
pub mod file;
pub mod gitops;
pub mod job;
mod list;
pub mod metadata;
mod protobuf;

use std::{borrow::Cow, fmt, num::NonZeroU32, ops::Deref};

use jiff::Timestamp;
use serde::{
    Deserialize, Deserializer,
    de::{Error as _, MapAccess, Visitor},
};

pub use self::{
    list::{ListReader, OBJECT_MAX},
    protobuf::Damage,
};

use self::protobuf::{Message, Unknown};

/// `apiVersion` and `kind`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct TypeMeta {
    /// The group and version, `batch/v1` for one.
    pub api_version: Option<String>,
    /// The kind, `JobList` for one.
    pub kind: Option<String>,
}

/// One page of a list of Jobs.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
pub struct JobList<'a> {
    /// Where in the cluster's history it was read, and how to go on.
    #[serde(default, deserialize_with = "null_is_default")]
    pub metadata: ListMeta,
    /// The Jobs. The server always says them: a list without is not one of none.
    #[serde(borrow, deserialize_with = "null_is_default")]
    pub items: Vec<Job<'a>>,
}

/// `metadata` of a list.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ListMeta {
    /// The snapshot that the page belongs to.
    pub resource_version: Option<String>,
    /// The token that asks for the next page; absent or empty on the last.
    #[serde(rename = "continue")]
    pub continue_token: Option<String>,
    /// How many objects are on the pages after this one, where the server says it.
    pub remaining_item_count: Option<i64>,
}

/// A Job.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
pub struct Job<'a> {
    /// Who it is.
    #[serde(borrow, default)]
    pub metadata: Option<ObjectMeta<'a>>,
    /// How far it has come.
    #[serde(borrow, default)]
    pub status: Option<JobStatus<'a>>,
    /// How many bytes it was read from, without layout, if its reader has counted them.
    #[serde(skip)]
    pub size: Option<NonZeroU32>,
}

/// A number of bytes, as far as it is known.
pub(crate) fn size_of(bytes: usize) -> Option<NonZeroU32> {
    NonZeroU32::new(u32::try_from(bytes).ok()?)
}

/// A Job that may say itself what it is, as it does in a file.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Item<'a> {
    /// The group and version.
    #[serde(borrow)]
    pub api_version: Option<Text<'a>>,
    /// The kind.
    #[serde(borrow)]
    pub kind: Option<Text<'a>>,
    /// Who it is.
    #[serde(borrow)]
    pub metadata: Option<ObjectMeta<'a>>,
    /// How far it has come.
    #[serde(borrow)]
    pub status: Option<JobStatus<'a>>,
    /// How many bytes its text has on one line.
    #[serde(skip)]
    pub size: Option<NonZeroU32>,
}

/// `metadata` of an object.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ObjectMeta<'a> {
    /// Name.
    #[serde(borrow)]
    pub name: Option<Text<'a>>,
    /// What the server completed to the name, if it was asked to.
    #[serde(borrow)]
    pub generate_name: Option<Text<'a>>,
    /// Namespace.
    #[serde(borrow)]
    pub namespace: Option<Text<'a>>,
    /// Identity.
    #[serde(borrow)]
    pub uid: Option<Text<'a>>,
    /// Version.
    #[serde(borrow)]
    pub resource_version: Option<Text<'a>>,
    /// When the server made it.
    pub creation_timestamp: Option<Time>,
    /// When its deletion was requested.
    pub deletion_timestamp: Option<Time>,
    /// Labels.
    #[serde(borrow, default, deserialize_with = "null_is_default")]
    pub labels: Map<'a>,
    /// Annotations.
    #[serde(borrow, default, deserialize_with = "null_is_default")]
    pub annotations: Map<'a>,
    /// Owners.
    #[serde(borrow, default, deserialize_with = "null_is_default")]
    pub owner_references: Vec<OwnerReference<'a>>,
    /// What has to be done before it may go.
    #[serde(borrow, default, deserialize_with = "null_is_default")]
    pub finalizers: Vec<Text<'a>>,
}

/// `metav1.OwnerReference`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
pub struct OwnerReference<'a> {
    /// Kind of the owner.
    #[serde(borrow)]
    pub kind: Option<Text<'a>>,
    /// Name of the owner.
    #[serde(borrow)]
    pub name: Option<Text<'a>>,
    /// Identity of the owner.
    #[serde(borrow)]
    pub uid: Option<Text<'a>>,
    /// Whether the owner is the controller.
    pub controller: Option<bool>,
}

/// `batchv1.JobStatus`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct JobStatus<'a> {
    /// What is known of it.
    #[serde(borrow, default, deserialize_with = "null_is_default")]
    pub conditions: Vec<JobCondition<'a>>,
    /// When its controller took it up.
    pub start_time: Option<Time>,
    /// When it completed; a Failed Job has none.
    pub completion_time: Option<Time>,
    /// How many of its Pods have succeeded.
    pub succeeded: Option<i32>,
}

/// `batchv1.JobCondition`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct JobCondition<'a> {
    /// `Complete`, `Failed`, `Suspended`, …
    #[serde(borrow, rename = "type")]
    pub kind: Option<Text<'a>>,
    /// `True`, `False` or `Unknown`.
    #[serde(borrow)]
    pub status: Option<Text<'a>>,
    /// When the status last changed.
    pub last_transition_time: Option<Time>,
}

/// The part of `metav1.Status` that matters here: what came of a request, and what it was about.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
pub struct Status {
    /// `Success` or `Failure`.
    pub status: Option<String>,
    /// What went wrong, for people.
    pub message: Option<String>,
    /// What went wrong, for programs: `Forbidden`, `Conflict`, `Expired`, …
    pub reason: Option<String>,
    /// Which object it is about.
    #[serde(default, deserialize_with = "details_of_kubernetes")]
    pub details: Option<StatusDetails>,
}

/// The part of `metav1.StatusDetails` that matters here.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
pub struct StatusDetails {
    /// Name of the object.
    pub name: Option<String>,
    /// Its resource, such as `jobs`.
    pub kind: Option<String>,
    /// Identity of the object.
    pub uid: Option<String>,
}

/// What a server answers to a DELETE.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Reply {
    Status(Status),
    /// A Job, of which the answer may hold no more than the metadata.
    Job {
        /// Its identity.
        uid: String,
        /// Whether it has a deletionTimestamp.
        is_terminating: bool,
    },
}

/// `metav1.Time`: seconds since the epoch in protobuf, RFC 3339 text in JSON.
///
/// A time that is not set is a message without seconds in protobuf, and `null` in JSON.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Time {
    /// Seconds since 1970-01-01T00:00:00Z.
    pub seconds: Option<i64>,
}

impl<'de> Deserialize<'de> for Time {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = Text::deserialize(deserializer)?;
        let stamp: Timestamp = text.parse().map_err(D::Error::custom)?;
        Ok(Time {
            seconds: Some(stamp.as_second()),
        })
    }
}

/// A text of the body that it was read from, copied only where it stands there escaped.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Text<'a>(pub Cow<'a, str>);

impl Deref for Text<'_> {
    type Target = str;

    fn deref(&self) -> &str {
        &self.0
    }
}

impl<'de: 'a, 'a> Deserialize<'de> for Text<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Borrow;

        impl<'de> Visitor<'de> for Borrow {
            type Value = Text<'de>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a string")
            }

            fn visit_borrowed_str<E>(self, text: &'de str) -> Result<Text<'de>, E> {
                Ok(Text(Cow::Borrowed(text)))
            }

            fn visit_str<E>(self, text: &str) -> Result<Text<'de>, E> {
                Ok(Text(Cow::Owned(text.to_owned())))
            }
        }

        deserializer.deserialize_str(Borrow)
    }
}

/// A map of texts, in the order of the body.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Map<'a>(pub Vec<(Text<'a>, Text<'a>)>);

impl Map<'_> {
    /// The value of a key. Of entries with the same key the last one counts.
    pub fn get(&self, key: &str) -> Option<&str> {
        let entry = self.0.iter().rev().find(|(found, _)| &**found == key);
        entry.map(|(_, value)| &**value)
    }
}

impl<'de: 'a, 'a> Deserialize<'de> for Map<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Entries;

        impl<'de> Visitor<'de> for Entries {
            type Value = Map<'de>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a map of strings")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Map<'de>, A::Error> {
                let mut entries = Vec::with_capacity(8);
                // Go reads null as the empty text.
                while let Some((key, value)) = map.next_entry::<_, Option<Text<'de>>>()? {
                    entries.push((key, value.unwrap_or_default()));
                }
                Ok(Map(entries))
            }
        }

        deserializer.deserialize_map(Entries)
    }
}

/// Go writes an empty map or slice as `null` now and then.
pub(crate) fn null_is_default<'de, D, T>(deserializer: D) -> Result<T, D::Error>
where
    D: Deserializer<'de>,
    T: Deserialize<'de> + Default,
{
    Ok(Option::deserialize(deserializer)?.unwrap_or_default())
}

/// What a proxy calls details may have any form.
fn details_of_kubernetes<'de, D>(deserializer: D) -> Result<Option<StatusDetails>, D::Error>
where
    D: Deserializer<'de>,
{
    let value = serde_json::Value::deserialize(deserializer)?;
    Ok(serde_json::from_value(value).ok())
}

/// Why a body is not the JobList that it should be. The text is a lowercase fragment without details of the body.
#[derive(Debug, thiserror::Error)]
pub enum DecodeError {
    /// It does not start as Kubernetes' protobuf bodies do.
    #[error("it does not begin with the mark of a Kubernetes protobuf body")]
    Magic,
    /// It holds another kind of object.
    #[error("it holds a {0}, not a JobList of batch/v1")]
    Kind(String),
    /// It ends before its object begins.
    #[error("it ends before its object begins")]
    NoObject,
    /// Its protobuf is broken or cut short.
    #[error("its protobuf is damaged: {0}")]
    Protobuf(#[from] Damage),
    /// A Job in it cannot be told from others, or not be put into a group.
    #[error("the name, uid, resourceVersion or a label of Job {0} is not UTF-8")]
    NotText(String),
    /// Its JSON is broken or cut short.
    #[error("its JSON is damaged: {0}")]
    Json(#[from] serde_json::Error),
}

/// The Content-Type of protobuf bodies; parameters may follow.
pub const PROTOBUF: &str = "application/vnd.kubernetes.protobuf";
/// The four bytes before every protobuf body.
const MAGIC: &[u8] = b"k8s\0";

/// Read a whole protobuf body: the mark, then `runtime.Unknown`, holding a JobList.
pub fn decode_protobuf(body: &[u8]) -> Result<JobList<'_>, DecodeError> {
    let unknown = open_envelope(body)?;
    expect_job_list(&unknown.type_meta)?;
    // A list has at least its metadata. A body that ends before it was cut short, and is not a list of nothing.
    Ok(JobList::read(unknown.raw.ok_or(DecodeError::NoObject)?)?)
}

/// Read a Status in either encoding; `None` if it is something else. Proxies answer with JSON of their own, which may have
/// a message as well.
pub fn decode_status(body: &[u8]) -> Option<Status> {
    match open_envelope(body) {
        Ok(unknown) => {
            let is_status = unknown.type_meta.kind.as_deref() == Some("Status");
            Status::read(unknown.raw.filter(|_| is_status)?).ok()
        }
        Err(_) => {
            let meta: TypeMeta = serde_json::from_slice(body).ok()?;
            let may_be = meta.kind.is_none_or(|kind| kind == "Status");
            may_be.then(|| serde_json::from_slice(body).ok())?
        }
    }
}

/// Read what a server answered to a DELETE, in either encoding; `None` if it is not what an API server answers to one.
pub fn decode_reply(body: &[u8]) -> Option<Reply> {
    let job = |job: Job<'_>| {
        let meta = job.metadata.unwrap_or_default();
        let time = meta.deletion_timestamp.and_then(|time| time.seconds);
        Reply::Job {
            uid: meta.uid.unwrap_or_default().0.into_owned(),
            is_terminating: time.is_some(),
        }
    };
    match open_envelope(body) {
        Ok(unknown) => {
            let raw = unknown.raw?;
            match unknown.type_meta.kind.as_deref()? {
                "Status" => Status::read(raw).ok().map(Reply::Status),
                "Job" | "PartialObjectMetadata" => Job::read(raw).ok().map(job),
                _ => None,
            }
        }
        Err(_) => {
            let meta: TypeMeta = serde_json::from_slice(body).ok()?;
            match meta.kind.as_deref()? {
                "Status" => serde_json::from_slice(body).ok().map(Reply::Status),
                "Job" | "PartialObjectMetadata" => serde_json::from_slice(body).ok().map(job),
                _ => None,
            }
        }
    }
}

fn open_envelope(body: &[u8]) -> Result<Unknown<'_>, DecodeError> {
    let envelope = body.strip_prefix(MAGIC).ok_or(DecodeError::Magic)?;
    Ok(Unknown::read(envelope)?)
}

/// Read a JSON body holding a JobList.
pub fn decode_json(body: &[u8]) -> Result<JobList<'_>, DecodeError> {
    let meta: TypeMeta = serde_json::from_slice(body)?;
    expect_job_list(&meta)?;
    Ok(serde_json::from_slice(body)?)
}

fn expect_job_list(found: &TypeMeta) -> Result<(), DecodeError> {
    let text = |text: &Option<String>| text.clone().unwrap_or_default();
    match (&*text(&found.kind), &*text(&found.api_version)) {
        ("JobList", "batch/v1") => Ok(()),
        ("", _) => Err(DecodeError::Kind("nameless object".to_owned())),
        ("JobList", version) => Err(DecodeError::Kind(format!("JobList of {version}"))),
        (kind, _) => Err(DecodeError::Kind(kind.to_owned())),
    }
}
