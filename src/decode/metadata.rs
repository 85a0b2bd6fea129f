//! Lists of which only the metadata is wanted, in protobuf and in JSON: of Jobs that are on their way out, and of Pods.
//!
//! A server that knows how sends a `PartialObjectMetadataList`. One that does not sends the list itself, whose items
//! have their metadata in the same place. The field numbers are those of
//! `k8s.io/apimachinery/pkg/apis/meta/v1/generated.proto`.

use serde::Deserialize;

use super::{
    ListMeta, ObjectMeta, PROTOBUF, Text, TypeMeta, null_is_default, open_envelope,
    protobuf::{Damage, Message, Value},
};

/// What to ask for, the best first.
pub const ACCEPT: &str = "application/vnd.kubernetes.protobuf;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1, \
                          application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1, application/json";

/// What is listed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    Jobs,
    Pods,
    Namespaces,
}

impl Kind {
    /// Whether a list of this kind is one of these objects, whole or reduced to their metadata.
    fn is_listed_in(self, list: &str) -> bool {
        let whole = match self {
            Kind::Jobs => "JobList",
            Kind::Pods => "PodList",
            Kind::Namespaces => "NamespaceList",
        };
        list == "PartialObjectMetadataList" || list == whole
    }
}

/// One page of a list.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
pub struct MetadataList<'a> {
    /// How to go on.
    #[serde(default, deserialize_with = "null_is_default")]
    pub metadata: ListMeta,
    /// The objects. The server always says them: a list without is not one of none.
    #[serde(borrow, deserialize_with = "null_is_default")]
    pub items: Vec<Object<'a>>,
}

/// An object.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
pub struct Object<'a> {
    #[serde(borrow, default)]
    pub metadata: Option<ObjectMeta<'a>>,
}

impl<'a> Message<'a> for MetadataList<'a> {
    fn set(&mut self, field: u64, value: Value<'a>) -> Result<(), Damage> {
        match field {
            1 => self.metadata = value.message()?,
            2 => self.items.push(value.message()?),
            _ => {}
        }
        Ok(())
    }
}

impl<'a> Message<'a> for Object<'a> {
    fn set(&mut self, field: u64, value: Value<'a>) -> Result<(), Damage> {
        if field == 1 {
            self.metadata = Some(value.message()?);
        }
        Ok(())
    }
}

/// Why a body is not the list that it should be: a lowercase fragment without details of the body.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Unreadable {
    /// It is broken or cut short.
    #[error("it is damaged")]
    Damaged,
    /// It holds something else.
    #[error("it holds another kind of object")]
    Kind,
    /// An object in it cannot be told from others.
    #[error("an object in it has no name, namespace or uid")]
    NoIdentity,
}

/// Read a page. What cannot be told from others is an error: it would pass for gone.
///
/// # Errors
/// If it is not such a page as a whole.
pub fn decode<'a>(
    kind: Kind,
    content_type: &str,
    body: &'a [u8],
) -> Result<MetadataList<'a>, Unreadable> {
    let known = |meta: &TypeMeta| {
        if kind.is_listed_in(meta.kind.as_deref().unwrap_or_default()) {
            Ok(())
        } else {
            Err(Unreadable::Kind)
        }
    };
    let list = if content_type.starts_with(PROTOBUF) {
        let envelope = open_envelope(body).map_err(|_| Unreadable::Damaged)?;
        known(&envelope.type_meta)?;
        // A body that ends before its object was cut short, and is not a list of nothing.
        let raw = envelope.raw.ok_or(Unreadable::Damaged)?;
        MetadataList::read(raw).map_err(|_| Unreadable::Damaged)?
    } else {
        known(&serde_json::from_slice(body).map_err(|_| Unreadable::Damaged)?)?;
        serde_json::from_slice(body).map_err(|_| Unreadable::Damaged)?
    };
    let identified = |object: &Object| {
        object.metadata.as_ref().is_some_and(|meta| {
            let is_said = |text: &Option<Text>| text.as_ref().is_some_and(|text| !text.is_empty());
            let is_in_namespace = kind == Kind::Namespaces || is_said(&meta.namespace);
            is_said(&meta.uid) && is_said(&meta.name) && is_in_namespace
        })
    };
    if list.items.iter().all(identified) {
        Ok(list)
    } else {
        Err(Unreadable::NoIdentity)
    }
}
