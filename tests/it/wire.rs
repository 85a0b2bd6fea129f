//! What Kubernetes sends, in both encodings, whole and damaged. Protobuf is written from Kubernetes' own `.proto` files,
//! so that a wrong field number shows.

use bytes::Bytes;
use kubectl_jobclean::{
    intake::{Identity, Intake, IntakeError},
    job::Job,
    wire::{
        self, DecodeError, JobList, ListMeta, ListReader, Text, decode_json, decode_protobuf,
        decode_status,
    },
};
use proptest::{
    collection::{btree_map, vec},
    option,
    prelude::*,
    sample::{Index, select},
    test_runner::Config,
};
use serde_json::{Value, json};

use crate::{
    jobs::{LABEL, label, minute},
    proto::SCHEMA,
};

const JOB_LIST: &str = "k8s.io.api.batch.v1.JobList";
const STATUS: &str = "k8s.io.apimachinery.pkg.apis.meta.v1.Status";

fn protobuf(list: &Value) -> Bytes {
    SCHEMA.body(JOB_LIST, list).into()
}

fn job_list(items: &[Value]) -> Value {
    json!({
        "apiVersion": "batch/v1",
        "kind": "JobList",
        "metadata": {
            "selfLink": "",
            "resourceVersion": "4711",
            "continue": "next",
            "remainingItemCount": 12,
        },
        "items": items,
    })
}

/// A Job as a cluster holds it: everything that is read, among much that is not.
fn full_job() -> Value {
    json!({
        "metadata": {
            "name": "load-1a2b3c",
            "generateName": "load-",
            "namespace": "team-a",
            "selfLink": "",
            "uid": "0f7b5c1e-0000-4000-8000-000000000001",
            "resourceVersion": "4700",
            "generation": 1,
            "creationTimestamp": "2026-11-23T10:00:00Z",
            "deletionTimestamp": "2026-11-23T11:00:00Z",
            "deletionGracePeriodSeconds": 0,
            "labels": {LABEL: "ledger", "empty": ""},
            "annotations": {"jobclean/keep": "true", "note": "größer ✓"},
            "ownerReferences": [
                {"apiVersion": "v1", "kind": "ConfigMap", "name": "c", "uid": "2"},
                {
                    "apiVersion": "batch/v1", "kind": "CronJob", "name": "nightly", "uid": "3",
                    "controller": true, "blockOwnerDeletion": true,
                },
            ],
            "finalizers": ["foregroundDeletion"],
            "managedFields": [{
                "manager": "kube-controller-manager", "operation": "Update", "apiVersion": "batch/v1",
                "time": "2026-11-23T10:00:42Z", "fieldsType": "FieldsV1", "subresource": "status",
                "fieldsV1": {"f:status": {"f:conditions": {}, "f:succeeded": {}}},
            }],
        },
        "spec": {
            "parallelism": 1,
            "completions": 1,
            "backoffLimit": 6,
            "suspend": false,
            "completionMode": "NonIndexed",
            "selector": {"matchLabels": {"batch.kubernetes.io/controller-uid": "0f7b5c1e"}},
            "template": {
                "metadata": {"creationTimestamp": null, "labels": {"job-name": "load-1a2b3c"}},
                "spec": {
                    "restartPolicy": "Never",
                    "containers": [{
                        "name": "main", "image": "busybox",
                        "command": ["sh", "-c", "sleep 42"],
                        "env": [{"name": "A", "value": "b"}],
                    }],
                },
            },
        },
        "status": {
            "conditions": [
                {"type": "Suspended", "status": "False", "reason": "JobResumed"},
                {
                    "type": "Complete", "status": "True", "reason": "CompletionsReached",
                    "message": "Reached expected number of succeeded pods",
                    "lastProbeTime": "2026-11-23T10:00:43Z",
                    "lastTransitionTime": "2026-11-23T10:00:42Z",
                },
            ],
            "startTime": "2026-11-23T10:00:01Z",
            "completionTime": "2026-11-23T10:00:41Z",
            "active": 0,
            "succeeded": 1,
            "ready": 0,
            "uncountedTerminatedPods": {},
        },
    })
}

fn seconds(text: &str) -> Option<wire::Time> {
    let stamp: jiff::Timestamp = text.parse().expect("a time");
    Some(wire::Time {
        seconds: Some(stamp.as_second()),
    })
}

/// [`full_job`] as it is to be read.
fn full_job_read() -> wire::Job<'static> {
    let text = |text: &'static str| Some(Text(text.into()));
    let map = |entries: &[(&'static str, &'static str)]| {
        let entry = |(key, value): &(&'static str, &'static str)| {
            (Text((*key).into()), Text((*value).into()))
        };
        wire::Map(entries.iter().map(entry).collect())
    };
    wire::Job {
        metadata: Some(wire::ObjectMeta {
            name: text("load-1a2b3c"),
            namespace: text("team-a"),
            uid: text("0f7b5c1e-0000-4000-8000-000000000001"),
            resource_version: text("4700"),
            creation_timestamp: seconds("2026-11-23T10:00:00Z"),
            deletion_timestamp: seconds("2026-11-23T11:00:00Z"),
            labels: map(&[("empty", ""), (LABEL, "ledger")]),
            annotations: map(&[("jobclean/keep", "true"), ("note", "größer ✓")]),
            owner_references: vec![
                wire::OwnerReference {
                    kind: text("ConfigMap"),
                    name: text("c"),
                    controller: None,
                },
                wire::OwnerReference {
                    kind: text("CronJob"),
                    name: text("nightly"),
                    controller: Some(true),
                },
            ],
        }),
        status: Some(wire::JobStatus {
            conditions: vec![
                wire::JobCondition {
                    kind: text("Suspended"),
                    status: text("False"),
                    last_transition_time: None,
                },
                wire::JobCondition {
                    kind: text("Complete"),
                    status: text("True"),
                    last_transition_time: seconds("2026-11-23T10:00:42Z"),
                },
            ],
            start_time: seconds("2026-11-23T10:00:01Z"),
            completion_time: seconds("2026-11-23T10:00:41Z"),
        }),
    }
}

fn taken_in(list: JobList<'_>) -> Result<Vec<Option<Job>>, IntakeError> {
    let mut intake = Intake::new(&[label(LABEL)], Identity::Required);
    list.items.into_iter().map(|job| intake.take(job)).collect()
}

#[test]
fn both_encodings_of_a_full_object_are_read_alike_and_right() {
    let list = job_list(&[full_job(), full_job()]);
    let expected = JobList {
        metadata: ListMeta {
            resource_version: Some("4711".to_owned()),
            continue_token: Some("next".to_owned()),
        },
        items: vec![full_job_read(), full_job_read()],
    };
    let (json, protobuf) = both_bodies(&list);
    assert_eq!(decode_json(&json).expect("JSON"), expected);
    assert_eq!(decode_protobuf(&protobuf).expect("protobuf"), expected);
}

#[test]
fn an_empty_list_is_a_list() {
    let list = json!({
        "apiVersion": "batch/v1", "kind": "JobList", "metadata": {"resourceVersion": "1"}, "items": [],
    });
    let (json, protobuf) = both_bodies(&list);
    let json = decode_json(&json).expect("JSON");
    assert_eq!(json.items, []);
    assert_eq!(decode_protobuf(&protobuf).expect("protobuf"), json);
    // Go writes a nil slice as null.
    let null = list.to_string().replace("[]", "null");
    assert_eq!(decode_json(null.as_bytes()).expect("JSON"), json);
}

/// Of a body that was cut off, either nothing is read or all of it: a page that lost its last Jobs without a word would
/// make a predecessor look newest.
#[test]
fn a_body_that_is_cut_short_never_gives_a_shorter_list() {
    let list = job_list(&[full_job(), full_job(), full_job()]);
    let body = protobuf(&list);
    let whole = decode_protobuf(&body).expect("protobuf");
    for end in 0..body.len() {
        if let Ok(read) = decode_protobuf(&body.slice(..end)) {
            let (items, total) = (read.items.len(), body.len());
            assert_eq!(read, whole, "{end} of {total} bytes give {items} Jobs");
        }
    }
    let json = list.to_string();
    for end in 0..json.len() {
        assert!(decode_json(&json.as_bytes()[..end]).is_err(), "{end}");
    }
}

#[test]
fn a_body_without_its_object_is_damaged() {
    // The mark and a TypeMeta, and nothing after it.
    let body = Bytes::from_static(b"k8s\0\x0a\x13\x0a\x08batch/v1\x12\x07JobList");
    assert!(decode_protobuf(&body).is_err());
}

#[test]
fn the_mark_must_be_there() {
    let body = protobuf(&job_list(&[]));
    let without = body.slice(4..);
    let other = Bytes::from([b"k8t\0", &body[4..]].concat());
    for body in [without, other, Bytes::new(), Bytes::from_static(b"k8s")] {
        assert!(matches!(decode_protobuf(&body), Err(DecodeError::Magic)));
    }
}

#[test]
fn another_kind_is_named() {
    for (kind, told) in [
        ("PodList", "PodList"),
        ("Status", "Status"),
        ("", "nameless object"),
    ] {
        let mut list = job_list(&[full_job()]);
        list["kind"] = kind.into();
        let (json, protobuf) = both_bodies(&list);
        for result in [decode_protobuf(&protobuf), decode_json(&json)] {
            let error = result.expect_err(kind).to_string();
            assert_eq!(error, format!("it holds a {told}, not a JobList"));
        }
    }
    assert!(matches!(decode_json(b"{}"), Err(DecodeError::Kind(_))));
    let mark_only = Bytes::from_static(b"k8s\0");
    assert!(matches!(
        decode_protobuf(&mark_only),
        Err(DecodeError::Kind(_))
    ));
}

/// Go's zero Time is null in JSON and an empty message in protobuf. Neither is 1970, and neither is a deletion.
#[test]
fn a_time_that_is_not_set_is_no_time() {
    let mut job = full_job();
    job["metadata"]["creationTimestamp"] = Value::Null;
    let unborn = job_list(&[job]);
    let (json, protobuf) = both_bodies(&unborn);
    for list in [decode_json(&json), decode_protobuf(&protobuf)] {
        let list = list.expect("a list");
        let error = taken_in(list).expect_err("nobody can say how old it is");
        assert!(matches!(error, IntakeError::NoCreation(_)), "{error}");
    }
    let mut job = full_job();
    job["metadata"]["deletionTimestamp"] = Value::Null;
    let (json, protobuf) = both_bodies(&job_list(&[job]));
    let json = decode_json(&json).expect("JSON");
    let protobuf = decode_protobuf(&protobuf).expect("protobuf");
    assert_eq!(taken_in(json), taken_in(protobuf));
}

fn both_bodies(list: &Value) -> (Vec<u8>, Bytes) {
    (list.to_string().into_bytes(), protobuf(list))
}

#[test]
fn a_status_tells_why_in_both_encodings() {
    let status = json!({
        "apiVersion": "v1", "kind": "Status", "metadata": {"continue": "x"}, "status": "Failure",
        "message": "jobs.batch \"a\" is forbidden", "reason": "Forbidden",
        "details": {"name": "a", "group": "batch", "kind": "jobs", "uid": "1", "retryAfterSeconds": 2},
        "code": 403,
    });
    let protobuf = Bytes::from(SCHEMA.body(STATUS, &status));
    for body in [protobuf, Bytes::from(status.to_string())] {
        let read = decode_status(&body).expect("a Status");
        assert_eq!(read.reason.as_deref(), Some("Forbidden"));
        let message = read.message.as_deref();
        assert_eq!(message, Some("jobs.batch \"a\" is forbidden"));
    }
    let page = Bytes::from_static(b"<html>502 Bad Gateway</html>");
    assert_eq!(decode_status(&page), None);
}

fn text() -> impl Strategy<Value = String> {
    prop_oneof![
        "[a-z0-9-]{0,8}",
        select(vec!["True", "False", "Complete", "é✓💥"]).prop_map(str::to_owned)
    ]
}

fn time() -> impl Strategy<Value = Value> {
    (-1_000_i64..2_000_000_000).prop_map(|seconds| {
        let stamp = minute(0) + jiff::SignedDuration::from_secs(seconds);
        stamp.to_string().into()
    })
}

/// An object that has some of these members.
fn object(members: Vec<(&'static str, BoxedStrategy<Value>)>) -> BoxedStrategy<Value> {
    let member = |(name, value): (&'static str, BoxedStrategy<Value>)| {
        option::of(value).prop_map(move |value| value.map(|value| (name.to_owned(), value)))
    };
    let members: Vec<_> = members.into_iter().map(member).collect();
    members
        .prop_map(|members| Value::Object(members.into_iter().flatten().collect()))
        .boxed()
}

fn any_wire_job() -> BoxedStrategy<Value> {
    let string = || text().prop_map(Value::from).boxed();
    let yes_or_no = || any::<bool>().prop_map(Value::from).boxed();
    let map = || {
        btree_map(text(), text(), 0..4)
            .prop_map(|map| json!(map))
            .boxed()
    };
    let list = |item: BoxedStrategy<Value>| vec(item, 0..3).prop_map(Value::Array).boxed();
    let owner = object(vec![
        ("kind", string()),
        ("name", string()),
        ("uid", string()),
        ("controller", yes_or_no()),
    ]);
    let condition = object(vec![
        ("type", string()),
        ("status", string()),
        ("reason", string()),
        ("lastTransitionTime", time().boxed()),
    ]);
    let metadata = object(vec![
        ("name", string()),
        ("generateName", string()),
        ("namespace", string()),
        ("uid", string()),
        ("resourceVersion", string()),
        ("generation", any::<i64>().prop_map(Value::from).boxed()),
        ("creationTimestamp", time().boxed()),
        ("deletionTimestamp", time().boxed()),
        ("labels", map()),
        ("annotations", map()),
        ("ownerReferences", list(owner)),
        ("finalizers", list(string())),
    ]);
    let spec = object(vec![
        ("completions", any::<i32>().prop_map(Value::from).boxed()),
        ("suspend", yes_or_no()),
        ("completionMode", string()),
    ]);
    let status = object(vec![
        ("conditions", list(condition)),
        ("startTime", time().boxed()),
        ("completionTime", time().boxed()),
        ("active", any::<i32>().prop_map(Value::from).boxed()),
    ]);
    object(vec![
        ("metadata", metadata),
        ("spec", spec),
        ("status", status),
    ])
}

/// What a body comes to when it is fed in pieces that end at these places.
fn in_pieces(body: &[u8], ends: &[usize]) -> Result<(ListMeta, Vec<String>), DecodeError> {
    let mut reader = ListReader::default();
    let mut jobs = Vec::new();
    let mut begin = 0;
    for end in ends.iter().copied().chain([body.len()]) {
        let mut on_job = |job: wire::Job<'_>| {
            jobs.push(format!("{job:?}"));
            Ok(())
        };
        reader.feed::<DecodeError>(&body[begin..end], &mut on_job)?;
        begin = end;
    }
    Ok((reader.finish()?, jobs))
}

/// What it comes to when it is read as a whole.
fn at_once(body: &[u8]) -> Result<(ListMeta, Vec<String>), DecodeError> {
    let list = decode_protobuf(body)?;
    let jobs = list.items.iter().map(|job| format!("{job:?}")).collect();
    Ok((list.metadata, jobs))
}

#[test]
fn wherever_a_body_is_parted_it_reads_the_same() {
    let body = protobuf(&job_list(&[full_job(), full_job()]));
    let whole = at_once(&body).expect("a list");
    assert_eq!(whole.1.len(), 2);
    for at in 0..=body.len() {
        assert_eq!(in_pieces(&body, &[at]).expect("a list"), whole, "{at}");
    }
    let every: Vec<usize> = (0..body.len()).collect();
    assert_eq!(in_pieces(&body, &every).expect("a list"), whole);
}

#[test]
fn a_body_that_comes_in_pieces_and_ends_early_is_no_list() {
    let body = protobuf(&job_list(&[full_job(), full_job()]));
    let whole = at_once(&body).expect("a list");
    for end in 0..body.len() {
        match in_pieces(&body[..end], &[end / 2]) {
            // Only the envelope's last fields are missing, which are of no use.
            Ok(read) => assert_eq!(read, whole, "{end}"),
            Err(error) => assert!(!error.to_string().is_empty()),
        }
    }
    // Nor is one whose last Job claims more than the list has.
    let longer = [&body[..], &[0]].concat();
    in_pieces(&longer, &[]).expect_err("a stray byte after the end");
}

#[test]
fn the_token_is_known_before_the_first_job_has_come() {
    let body = protobuf(&job_list(&[full_job()]));
    let mut reader = ListReader::default();
    let early = body.len() / 2;
    let mut on_job = |_: wire::Job<'_>| -> Result<(), DecodeError> { panic!("it is not whole") };
    reader
        .feed(&body[..early], &mut on_job)
        .expect("a beginning");
    assert_eq!(reader.continue_token(), Some("next"));
}

proptest! {
    #![proptest_config(Config { cases: 256, failure_persistence: None, ..Config::default() })]

    #[test]
    fn any_object_is_read_alike_from_both_encodings(items in vec(any_wire_job(), 0..4)) {
        let (json, protobuf) = both_bodies(&job_list(&items));
        let json = decode_json(&json).expect("JSON");
        let protobuf = decode_protobuf(&protobuf).expect("protobuf");
        prop_assert_eq!(json.items.len(), items.len());
        prop_assert_eq!(json, protobuf);
    }

    #[test]
    fn a_damaged_body_reads_the_same_in_pieces(
        at in any::<Index>(), byte in any::<u8>(), ends in vec(any::<Index>(), 0..4),
    ) {
        let mut body = protobuf(&job_list(&[full_job(), full_job()])).to_vec();
        let at = at.index(body.len());
        body[at] = byte;
        let mut ends: Vec<usize> = ends.iter().map(|end| end.index(body.len())).collect();
        ends.sort_unstable();
        match in_pieces(&body, &ends) {
            Ok(read) => prop_assert_eq!(read, at_once(&body).expect("a list")),
            // In pieces it is stricter: no field but texts and messages, the kind first, one list.
            Err(error) => prop_assert!(!error.to_string().is_empty()),
        }
    }

    #[test]
    fn garbage_never_panics(body in vec(any::<u8>(), 0..64)) {
        let marked = [b"k8s\0".as_slice(), &body].concat();
        let _ = decode_protobuf(&marked);
        let _ = decode_status(&body);
        let _ = decode_json(&body);
    }

    #[test]
    fn a_flipped_byte_never_panics(at in any::<Index>(), byte in any::<u8>()) {
        let mut body = protobuf(&job_list(&[full_job(), full_job()])).to_vec();
        let at = at.index(body.len());
        body[at] = byte;
        if let Ok(list) = decode_protobuf(&body) {
            let _ = taken_in(list);
        }
    }
}
