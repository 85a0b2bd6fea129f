//! The part of Kubernetes' `batch/v1` JobList that this tool reads, in protobuf and in JSON.
//!
//! One set of slim messages serves both encodings: fields that no verdict needs (managedFields, the Pod template) are
//! skipped, not stored. The field numbers are those of `k8s.io/api/batch/v1/generated.proto` and
//! `k8s.io/apimachinery/pkg/apis/meta/v1/generated.proto`; the JSON names are those of the same types.

use std::collections::BTreeMap;

use jiff::Timestamp;
use prost::Message;
use serde::{Deserialize, Deserializer};

/// `k8s.io/apimachinery/pkg/runtime.Unknown`: the envelope of every protobuf body.
#[derive(Clone, PartialEq, Message)]
struct Unknown {
    #[prost(message, optional, tag = "1")]
    type_meta: Option<TypeMeta>,
    #[prost(bytes = "bytes", optional, tag = "2")]
    raw: Option<bytes::Bytes>,
}

/// `apiVersion` and `kind`.
#[derive(Clone, PartialEq, Eq, Message, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct TypeMeta {
    /// The group and version, `batch/v1` for one.
    #[prost(string, optional, tag = "1")]
    pub api_version: Option<String>,
    /// The kind, `JobList` for one.
    #[prost(string, optional, tag = "2")]
    pub kind: Option<String>,
}

/// One page of a list of Jobs.
#[derive(Clone, PartialEq, Message, Deserialize)]
pub struct JobList {
    /// Where in the cluster's history it was read, and how to go on.
    #[prost(message, optional, tag = "1")]
    #[serde(default)]
    pub metadata: Option<ListMeta>,
    /// The Jobs.
    #[prost(message, repeated, tag = "2")]
    #[serde(default, deserialize_with = "null_is_default")]
    pub items: Vec<Job>,
}

/// `metadata` of a list.
#[derive(Clone, PartialEq, Eq, Message, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ListMeta {
    /// The snapshot that the page belongs to.
    #[prost(string, optional, tag = "2")]
    pub resource_version: Option<String>,
    /// The token that asks for the next page; absent or empty on the last.
    #[prost(string, optional, tag = "3")]
    #[serde(rename = "continue")]
    pub continue_token: Option<String>,
}

/// A Job.
#[derive(Clone, PartialEq, Message, Deserialize)]
pub struct Job {
    /// Who it is.
    #[prost(message, optional, tag = "1")]
    #[serde(default)]
    pub metadata: Option<ObjectMeta>,
    /// How far it has come.
    #[prost(message, optional, tag = "3")]
    #[serde(default)]
    pub status: Option<JobStatus>,
}

/// `metadata` of an object.
#[derive(Clone, PartialEq, Message, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ObjectMeta {
    /// Name.
    #[prost(string, optional, tag = "1")]
    pub name: Option<String>,
    /// Namespace.
    #[prost(string, optional, tag = "3")]
    pub namespace: Option<String>,
    /// Identity.
    #[prost(string, optional, tag = "5")]
    pub uid: Option<String>,
    /// Version.
    #[prost(string, optional, tag = "6")]
    pub resource_version: Option<String>,
    /// When the server made it.
    #[prost(message, optional, tag = "8")]
    pub creation_timestamp: Option<Time>,
    /// When somebody deleted it.
    #[prost(message, optional, tag = "9")]
    pub deletion_timestamp: Option<Time>,
    /// Labels.
    #[prost(btree_map = "string, string", tag = "11")]
    #[serde(default, deserialize_with = "null_is_default")]
    pub labels: BTreeMap<String, String>,
    /// Annotations.
    #[prost(btree_map = "string, string", tag = "12")]
    #[serde(default, deserialize_with = "null_is_default")]
    pub annotations: BTreeMap<String, String>,
    /// Owners.
    #[prost(message, repeated, tag = "13")]
    #[serde(default, deserialize_with = "null_is_default")]
    pub owner_references: Vec<OwnerReference>,
}

/// `metav1.OwnerReference`.
#[derive(Clone, PartialEq, Eq, Message, Deserialize)]
pub struct OwnerReference {
    /// Kind of the owner.
    #[prost(string, optional, tag = "1")]
    pub kind: Option<String>,
    /// Name of the owner.
    #[prost(string, optional, tag = "3")]
    pub name: Option<String>,
    /// Whether the owner is the controller.
    #[prost(bool, optional, tag = "6")]
    pub controller: Option<bool>,
}

/// `batchv1.JobStatus`.
#[derive(Clone, PartialEq, Message, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct JobStatus {
    /// What is known of it.
    #[prost(message, repeated, tag = "1")]
    #[serde(default, deserialize_with = "null_is_default")]
    pub conditions: Vec<JobCondition>,
    /// When its controller took it up.
    #[prost(message, optional, tag = "2")]
    pub start_time: Option<Time>,
    /// When it completed; a Failed Job has none.
    #[prost(message, optional, tag = "3")]
    pub completion_time: Option<Time>,
}

/// `batchv1.JobCondition`.
#[derive(Clone, PartialEq, Message, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct JobCondition {
    /// `Complete`, `Failed`, `Suspended`, …
    #[prost(string, optional, tag = "1")]
    #[serde(rename = "type")]
    pub kind: Option<String>,
    /// `True`, `False` or `Unknown`.
    #[prost(string, optional, tag = "2")]
    pub status: Option<String>,
    /// When the status last changed.
    #[prost(message, optional, tag = "4")]
    pub last_transition_time: Option<Time>,
}

/// The part of `metav1.Status` that matters here: why a request was refused.
#[derive(Clone, PartialEq, Eq, Message, Deserialize)]
pub struct Status {
    /// What went wrong, for people.
    #[prost(string, optional, tag = "3")]
    pub message: Option<String>,
    /// What went wrong, for programs: `Forbidden`, `Conflict`, `Expired`, …
    #[prost(string, optional, tag = "4")]
    pub reason: Option<String>,
}

/// `metav1.Time`: seconds since the epoch in protobuf, RFC 3339 text in JSON.
///
/// A time that is not set is a message without seconds in protobuf, and `null` in JSON.
#[derive(Clone, Copy, PartialEq, Eq, Message)]
pub struct Time {
    /// Seconds since 1970-01-01T00:00:00Z.
    #[prost(int64, optional, tag = "1")]
    pub seconds: Option<i64>,
}

impl<'de> Deserialize<'de> for Time {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = std::borrow::Cow::<str>::deserialize(deserializer)?;
        let stamp: Timestamp = text.parse().map_err(serde::de::Error::custom)?;
        Ok(Time {
            seconds: Some(stamp.as_second()),
        })
    }
}

/// Go writes an empty map or slice as `null` now and then.
fn null_is_default<'de, D, T>(deserializer: D) -> Result<T, D::Error>
where
    D: Deserializer<'de>,
    T: Deserialize<'de> + Default,
{
    Ok(Option::deserialize(deserializer)?.unwrap_or_default())
}

/// Why a body is not the JobList that it should be. The text is a lowercase fragment without details of the body.
#[derive(Debug, thiserror::Error)]
pub enum DecodeError {
    /// It does not start as Kubernetes' protobuf bodies do.
    #[error("it does not begin with the mark of a Kubernetes protobuf body")]
    Magic,
    /// It holds another kind of object.
    #[error("it holds a {0}, not a JobList")]
    Kind(String),
    /// It ends before its object begins.
    #[error("it ends before its object begins")]
    NoObject,
    /// Its protobuf is broken or cut short.
    #[error("its protobuf is damaged: {0}")]
    Protobuf(#[from] prost::DecodeError),
    /// Its JSON is broken or cut short.
    #[error("its JSON is damaged: {0}")]
    Json(#[from] serde_json::Error),
}

/// The Content-Type of protobuf bodies; parameters may follow.
pub const PROTOBUF: &str = "application/vnd.kubernetes.protobuf";
/// The four bytes before every protobuf body.
const MAGIC: &[u8] = b"k8s\0";

/// Read a protobuf body: the mark, then `runtime.Unknown`, holding a JobList.
pub fn decode_protobuf(body: &bytes::Bytes) -> Result<JobList, DecodeError> {
    let unknown = open_envelope(body)?;
    expect_job_list(unknown.type_meta.and_then(|meta| meta.kind))?;
    // A list has at least its metadata. A body that ends before it was cut short, and is not a list of nothing.
    Ok(JobList::decode(unknown.raw.ok_or(DecodeError::NoObject)?)?)
}

/// Read a Status in either encoding; `None` if something else than the API server answered.
pub fn decode_status(body: &bytes::Bytes) -> Option<Status> {
    match open_envelope(body) {
        Ok(unknown) => Status::decode(unknown.raw?).ok(),
        Err(_) => serde_json::from_slice(body).ok(),
    }
}

fn open_envelope(body: &bytes::Bytes) -> Result<Unknown, DecodeError> {
    if !body.starts_with(MAGIC) {
        return Err(DecodeError::Magic);
    }
    Ok(Unknown::decode(body.slice(MAGIC.len()..))?)
}

/// What the beginning of a body tells of the page after it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Early {
    /// More of the body may tell.
    NotYet,
    /// Nothing that can be relied on, or that there is none.
    Never,
    /// Its token.
    Token(String),
}

/// Find the next page's token in the beginning of a protobuf body, where it stands before the items.
pub fn early_token(content_type: &str, body: &[u8]) -> Early {
    if !content_type.starts_with(PROTOBUF) {
        return Early::Never;
    }
    let Some(mut rest) = body.strip_prefix(MAGIC) else {
        return if MAGIC.starts_with(body) {
            Early::NotYet
        } else {
            Early::Never
        };
    };
    // Over the envelope's other fields into `raw`, whose end has not come yet.
    loop {
        match open_field(rest) {
            None => return Early::NotYet,
            Some((RAW, _, begun)) => {
                rest = begun;
                break;
            }
            Some((_, length, begun)) => match begun.get(length..) {
                None => return Early::NotYet,
                Some(after) => rest = after,
            },
        }
    }
    match open_field(rest) {
        None => Early::NotYet,
        Some((METADATA, length, begun)) => match begun.get(..length) {
            None => Early::NotYet,
            Some(metadata) => ListMeta::decode(metadata)
                .ok()
                .and_then(|meta| meta.continue_token)
                .filter(|token| !token.is_empty())
                .map_or(Early::Never, Early::Token),
        },
        Some(_) => Early::Never,
    }
}

/// The key of the envelope's field `raw`, and of a list's `metadata`: the field's number, and that a length follows.
const RAW: u64 = 2 << 3 | 2;
const METADATA: u64 = 1 << 3 | 2;

/// The key and length of a field, and what has come of its value and after it.
fn open_field(mut rest: &[u8]) -> Option<(u64, usize, &[u8])> {
    let key = prost::encoding::decode_varint(&mut rest).ok()?;
    let length = prost::encoding::decode_varint(&mut rest).ok()?;
    Some((key, usize::try_from(length).ok()?, rest))
}

/// Read a JSON body holding a JobList.
pub fn decode_json(body: &[u8]) -> Result<JobList, DecodeError> {
    let meta: TypeMeta = serde_json::from_slice(body)?;
    expect_job_list(meta.kind)?;
    Ok(serde_json::from_slice(body)?)
}

fn expect_job_list(kind: Option<String>) -> Result<(), DecodeError> {
    match kind.as_deref() {
        Some("JobList") => Ok(()),
        other => Err(DecodeError::Kind(
            other
                .filter(|kind| !kind.is_empty())
                .unwrap_or("nameless object")
                .to_owned(),
        )),
    }
}
