//! Lists of metadata alone: read in either encoding, and not read if anything is amiss, since what is not in them
//! passes for gone.

use kubectl_jobclean::decode::{
    ObjectMeta,
    metadata::{Kind, MetadataList, Unreadable, decode},
};
use serde_json::{Value, json};

use crate::support::proto::SCHEMA;

const PROTOBUF: &str =
    "application/vnd.kubernetes.protobuf;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1";
const PARTIAL: &str = "k8s.io.apimachinery.pkg.apis.meta.v1.PartialObjectMetadataList";
const JOBS: &str = "k8s.io.api.batch.v1.JobList";

fn list(kind: &str) -> Value {
    let owner = json!({"apiVersion": "v1", "kind": "Job", "name": "sync", "uid": "owner-uid", "controller": true,
                       "blockOwnerDeletion": true});
    json!({
        "apiVersion": "meta.k8s.io/v1", "kind": kind,
        "metadata": {"resourceVersion": "7", "continue": "on"},
        "items": [
            {"metadata": {
                "name": "one", "namespace": "ns", "uid": "uid-1", "labels": {"a": "b"},
                "finalizers": ["foregroundDeletion", "example.com/é"], "ownerReferences": [owner],
                "managedFields": [{"manager": "m", "fieldsV1": {"f:metadata": {}}}],
            }},
            {"metadata": {"name": "two", "namespace": "ns", "uid": "uid-2"}},
        ],
    })
}

#[track_caller]
fn is_read(decoded: Result<MetadataList, Unreadable>) {
    let decoded = decoded.unwrap();
    assert_eq!(decoded.metadata.continue_token.as_deref(), Some("on"));
    let items: Vec<_> = decoded
        .items
        .into_iter()
        .map(|item| item.metadata.unwrap())
        .collect();
    assert_eq!(items.len(), 2);
    let identity = |meta: &ObjectMeta| {
        (
            meta.name.clone().unwrap().to_string(),
            meta.uid.clone().unwrap().to_string(),
        )
    };
    assert_eq!(identity(&items[0]), ("one".into(), "uid-1".into()));
    let finalizers: Vec<&str> = items[0].finalizers.iter().map(|text| &**text).collect();
    assert_eq!(finalizers, ["foregroundDeletion", "example.com/é"]);
    assert_eq!(items[0].owner_references.len(), 1);
    let owner = &items[0].owner_references[0];
    assert_eq!(owner.uid.as_deref(), Some("owner-uid"));
    assert_eq!(identity(&items[1]), ("two".into(), "uid-2".into()));
    assert!(items[1].finalizers.is_empty() && items[1].owner_references.is_empty());
}

#[test]
fn either_encoding_of_either_list_is_read() {
    for (kind, message) in [("PartialObjectMetadataList", PARTIAL), ("JobList", JOBS)] {
        let list = list(kind);
        is_read(decode(Kind::Jobs, PROTOBUF, &SCHEMA.body(message, &list)));
        is_read(decode(
            Kind::Jobs,
            "application/json",
            list.to_string().as_bytes(),
        ));
    }
}

#[test]
fn null_is_nothing() {
    let list = json!({"kind": "JobList", "metadata": {}, "items": null});
    let list = list.to_string();
    let decoded = decode(Kind::Jobs, "application/json", list.as_bytes()).unwrap();
    assert!(decoded.items.is_empty());
}

#[test]
fn a_body_that_was_cut_anywhere_is_not_read() {
    let list = list("PartialObjectMetadataList");
    let protobuf = SCHEMA.body(PARTIAL, &list);
    // What follows the object in the envelope says nothing.
    let whole = decode(Kind::Jobs, PROTOBUF, &protobuf);
    for end in 0..protobuf.len() {
        let cut = decode(Kind::Jobs, PROTOBUF, &protobuf[..end]);
        assert!(cut.is_err() || cut == whole, "at {end}: {cut:?}");
    }
    let json = list.to_string();
    for end in 0..json.len() {
        assert!(
            decode(Kind::Jobs, "application/json", &json.as_bytes()[..end]).is_err(),
            "at {end}"
        );
    }
}

#[test]
fn another_kind_is_not_read() {
    let status = json!({"apiVersion": "v1", "kind": "Status", "metadata": {}, "status": "Failure"});
    let body = SCHEMA.body("k8s.io.apimachinery.pkg.apis.meta.v1.Status", &status);
    assert_eq!(decode(Kind::Jobs, PROTOBUF, &body), Err(Unreadable::Kind));
    let jobs = list("JobList");
    let body = SCHEMA.body(JOBS, &jobs);
    let pods = decode(Kind::Pods, PROTOBUF, &body);
    assert_eq!(pods, Err(Unreadable::Kind));
    for text in [
        status.to_string(),
        "{}".to_owned(),
        r#"{"kind": "PodList", "items": []}"#.to_owned(),
    ] {
        let decoded = decode(Kind::Jobs, "application/json", text.as_bytes());
        assert_eq!(decoded, Err(Unreadable::Kind));
    }
}

#[test]
fn what_cannot_be_told_from_others_is_not_read() {
    for field in ["uid", "name", "namespace"] {
        let mut list = list("PartialObjectMetadataList");
        list["items"][1]["metadata"]
            .as_object_mut()
            .unwrap()
            .remove(field);
        let json = list.to_string();
        assert_eq!(
            decode(Kind::Jobs, "application/json", json.as_bytes()),
            Err(Unreadable::NoIdentity)
        );
        assert_eq!(
            decode(Kind::Jobs, PROTOBUF, &SCHEMA.body(PARTIAL, &list)),
            Err(Unreadable::NoIdentity)
        );
    }
}

/// Anyone who may write a Job can store such finalizers and owners.
#[test]
fn texts_that_are_not_utf_8_do_not_spoil_a_list() {
    let mut body = SCHEMA.body(PARTIAL, &list("PartialObjectMetadataList"));
    for text in ["foregroundDeletion", "owner-uid"] {
        let at = body
            .windows(text.len())
            .position(|bytes| bytes == text.as_bytes());
        body[at.unwrap()] = 0xff;
    }
    let decoded = decode(Kind::Jobs, PROTOBUF, &body).unwrap();
    let meta = decoded.items[0].metadata.as_ref().unwrap();
    assert_eq!(&*meta.finalizers[0], "\u{fffd}oregroundDeletion");
    let at = body.windows(5).position(|bytes| bytes == b"uid-1").unwrap();
    body[at] = 0xff;
    let decoded = decode(Kind::Jobs, PROTOBUF, &body);
    assert_eq!(decoded, Err(Unreadable::Damaged));
}
