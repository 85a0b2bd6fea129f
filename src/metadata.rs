//! Lists of which only the metadata is wanted, in protobuf and in JSON: of Jobs that are on their way out, and of Pods.
//!
//! A server that knows how sends a `PartialObjectMetadataList`. One that does not sends the list itself, whose items
//! have their metadata in the same place. The field numbers are those of
//! `k8s.io/apimachinery/pkg/apis/meta/v1/generated.proto`.

use prost::Message;
use serde::{Deserialize, Deserializer};

use crate::wire;

/// What to ask for, the best first.
pub const ACCEPT: &str = "application/vnd.kubernetes.protobuf;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1, \
                          application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1, application/json";

/// The kinds of lists that are believed.
const KINDS: [&str; 3] = ["PartialObjectMetadataList", "JobList", "PodList"];

/// One page of a list.
#[derive(Clone, PartialEq, Message, Deserialize)]
pub struct MetadataList {
    /// How to go on.
    #[prost(message, optional, tag = "1")]
    #[serde(default)]
    pub metadata: Option<ListMeta>,
    /// The objects.
    #[prost(message, repeated, tag = "2")]
    #[serde(default, deserialize_with = "null_is_default")]
    pub items: Vec<Item>,
}

/// `metadata` of a list.
#[derive(Clone, PartialEq, Eq, Message, Deserialize)]
pub struct ListMeta {
    /// The token that asks for the next page; absent or empty on the last.
    #[prost(string, optional, tag = "3")]
    #[serde(rename = "continue")]
    pub continue_token: Option<String>,
}

/// An object.
#[derive(Clone, PartialEq, Eq, Message, Deserialize)]
pub struct Item {
    /// Who it is.
    #[prost(message, optional, tag = "1")]
    #[serde(default)]
    pub metadata: Option<ObjectMeta>,
}

/// `metadata` of an object.
#[derive(Clone, PartialEq, Eq, Message, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ObjectMeta {
    /// Name.
    #[prost(string, tag = "1")]
    #[serde(default)]
    pub name: String,
    /// Identity.
    #[prost(string, tag = "5")]
    #[serde(default)]
    pub uid: String,
    /// Owners.
    #[prost(message, repeated, tag = "13")]
    #[serde(default, deserialize_with = "null_is_default")]
    pub owner_references: Vec<Owner>,
    /// What has to be done before it may go.
    #[prost(string, repeated, tag = "14")]
    #[serde(default, deserialize_with = "null_is_default")]
    pub finalizers: Vec<String>,
}

/// `metav1.OwnerReference`.
#[derive(Clone, PartialEq, Eq, Message, Deserialize)]
pub struct Owner {
    /// Identity of the owner.
    #[prost(string, tag = "4")]
    #[serde(default)]
    pub uid: String,
}

#[derive(Clone, PartialEq, Eq, Message, Deserialize)]
struct TypeMeta {
    #[prost(string, tag = "2")]
    #[serde(default)]
    kind: String,
}

/// `k8s.io/apimachinery/pkg/runtime.Unknown`: the envelope of every protobuf body.
#[derive(Clone, PartialEq, Message)]
struct Envelope {
    #[prost(message, optional, tag = "1")]
    type_meta: Option<TypeMeta>,
    #[prost(bytes = "vec", optional, tag = "2")]
    raw: Option<Vec<u8>>,
}

/// The four bytes before every protobuf body.
const MAGIC: &[u8] = b"k8s\0";

/// Why a body is not the list that it should be: a lowercase fragment without details of the body.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Unreadable {
    /// It is broken or cut short.
    #[error("it is damaged")]
    Damaged,
    /// It holds something else.
    #[error("it is no list of these")]
    Kind,
    /// An object in it cannot be told from others.
    #[error("something in it has no name or no uid")]
    NoIdentity,
}

/// Read a page. What cannot be told from others is an error: it would pass for gone.
///
/// # Errors
/// If it is not such a page as a whole.
pub fn decode(content_type: &str, body: &[u8]) -> Result<MetadataList, Unreadable> {
    let list = match content_type.starts_with(wire::PROTOBUF) {
        true => {
            let body = body.strip_prefix(MAGIC).ok_or(Unreadable::Damaged)?;
            let envelope = Envelope::decode(body).map_err(|_| Unreadable::Damaged)?;
            known(&envelope.type_meta.unwrap_or_default())?;
            // A body that ends before its object was cut short, and is not a list of nothing.
            let raw = envelope.raw.ok_or(Unreadable::Damaged)?;
            MetadataList::decode(&*raw).map_err(|_| Unreadable::Damaged)?
        }
        false => {
            known(&serde_json::from_slice(body).map_err(|_| Unreadable::Damaged)?)?;
            serde_json::from_slice(body).map_err(|_| Unreadable::Damaged)?
        }
    };
    let identified = |item: &Item| {
        let meta = item.metadata.as_ref();
        meta.is_some_and(|meta| !meta.uid.is_empty() && !meta.name.is_empty())
    };
    match list.items.iter().all(identified) {
        true => Ok(list),
        false => Err(Unreadable::NoIdentity),
    }
}

fn known(meta: &TypeMeta) -> Result<(), Unreadable> {
    match KINDS.contains(&meta.kind.as_str()) {
        true => Ok(()),
        false => Err(Unreadable::Kind),
    }
}

/// Go writes an empty slice as `null` now and then.
fn null_is_default<'de, D, T>(deserializer: D) -> Result<T, D::Error>
where
    D: Deserializer<'de>,
    T: Deserialize<'de> + Default,
{
    Ok(Option::deserialize(deserializer)?.unwrap_or_default())
}
