//! What Kubernetes sends, in both encodings, whole and damaged. Protobuf is written from Kubernetes' own `.proto` files,
//! so that a wrong field number shows.

use bytes::Bytes;
use kubectl_jobclean::decode::{
    self, DecodeError, JobList, ListMeta, ListReader, Reply, Text, decode_json, decode_protobuf,
    decode_reply, decode_status, job::IntakeError,
};
use serde_json::{Value, json};

use crate::support::{
    jobs::LABEL,
    lists::{both_bodies, full_job, job_list, protobuf, taken_in, unmeasured},
    proto::SCHEMA,
};

const STATUS: &str = "k8s.io.apimachinery.pkg.apis.meta.v1.Status";

fn seconds(text: &str) -> Option<decode::Time> {
    let stamp: jiff::Timestamp = text.parse().expect("a time");
    Some(decode::Time {
        seconds: Some(stamp.as_second()),
    })
}

/// [`full_job`] as it is to be read.
fn full_job_read() -> decode::Job<'static> {
    let text = |text: &'static str| Some(Text(text.into()));
    let map = |entries: &[(&'static str, &'static str)]| {
        let entry = |(key, value): &(&'static str, &'static str)| {
            (Text((*key).into()), Text((*value).into()))
        };
        decode::Map(entries.iter().map(entry).collect())
    };
    decode::Job {
        metadata: Some(decode::ObjectMeta {
            name: text("load-1a2b3c"),
            generate_name: text("load-"),
            namespace: text("team-a"),
            uid: text("0f7b5c1e-0000-4000-8000-000000000001"),
            resource_version: text("4700"),
            creation_timestamp: seconds("2026-11-23T10:00:00Z"),
            deletion_timestamp: seconds("2026-11-23T11:00:00Z"),
            labels: map(&[("empty", ""), (LABEL, "ledger")]),
            annotations: map(&[("jobclean/keep", "true"), ("note", "größer ✓")]),
            finalizers: text("foregroundDeletion").into_iter().collect(),
            owner_references: vec![
                decode::OwnerReference {
                    kind: text("ConfigMap"),
                    name: text("c"),
                    uid: text("2"),
                    controller: None,
                },
                decode::OwnerReference {
                    kind: text("CronJob"),
                    name: text("nightly"),
                    uid: text("3"),
                    controller: Some(true),
                },
            ],
        }),
        status: Some(decode::JobStatus {
            conditions: vec![
                decode::JobCondition {
                    kind: text("Suspended"),
                    status: text("False"),
                    last_transition_time: None,
                },
                decode::JobCondition {
                    kind: text("Complete"),
                    status: text("True"),
                    last_transition_time: seconds("2026-11-23T10:00:42Z"),
                },
            ],
            start_time: seconds("2026-11-23T10:00:01Z"),
            completion_time: seconds("2026-11-23T10:00:41Z"),
            succeeded: Some(1),
        }),
        size: None,
    }
}

fn size(job: &decode::Job<'_>) -> usize {
    job.size.map_or(0, |size| size.get() as usize)
}

#[test]
fn both_encodings_of_a_full_object_are_read_alike_and_right() {
    let list = job_list(&[full_job(), full_job()]);
    let expected = JobList {
        metadata: ListMeta {
            resource_version: Some("4711".to_owned()),
            continue_token: Some("next".to_owned()),
            remaining_item_count: Some(12),
        },
        items: vec![full_job_read(), full_job_read()],
    };
    let (json, protobuf) = both_bodies(&list);
    assert_eq!(decode_json(&json).expect("JSON"), expected);
    let list = decode_protobuf(&protobuf).expect("protobuf");
    // A key and a length of two bytes stand before each item, and other things before the first.
    let sizes: Vec<usize> = list.items.iter().map(size).collect();
    assert_eq!(sizes[0], sizes[1]);
    assert!(
        (400..(protobuf.len() - 2 * 3) / 2).contains(&sizes[0]),
        "{sizes:?}"
    );
    let other = job_list(&[full_job()]);
    let without = self::protobuf(&other);
    assert_eq!(sizes[1] + 3, protobuf.len() - without.len());
    assert_eq!(unmeasured(list), expected);
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
            assert_eq!(
                error,
                format!("it holds a {told}, not a JobList of batch/v1")
            );
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
        let error = taken_in(list).expect_err("its age is unknown");
        assert!(matches!(error, IntakeError::NoCreation(_)), "{error}");
    }
    let mut job = full_job();
    job["metadata"]["deletionTimestamp"] = Value::Null;
    let (json, protobuf) = both_bodies(&job_list(&[job]));
    let json = decode_json(&json).expect("JSON");
    let protobuf = decode_protobuf(&protobuf).expect("protobuf");
    assert_eq!(taken_in(json), taken_in(unmeasured(protobuf)));
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
        assert_eq!(read.status.as_deref(), Some("Failure"));
        let details = read.details.clone().expect("details");
        let text = |text: Option<String>| text.unwrap_or_default();
        assert_eq!(text(details.name), "a");
        assert_eq!(text(details.kind), "jobs");
        assert_eq!(text(details.uid), "1");
        assert_eq!(decode_reply(&body), Some(Reply::Status(read)));
    }
    let page = Bytes::from_static(b"<html>502 Bad Gateway</html>");
    assert_eq!(decode_status(&page), None);
}

/// A proxy may answer in JSON of its own.
#[test]
fn a_message_of_a_proxy_is_read_whatever_its_details_are() {
    let foreign = r#"{"message": "no healthy upstream", "details": "none", "status": null}"#;
    let read = decode_status(foreign.as_bytes()).expect("a message");
    assert_eq!(read.message.as_deref(), Some("no healthy upstream"));
    assert_eq!(read.details, None);
    assert_eq!(decode_reply(foreign.as_bytes()), None);
    let job = json!({"kind": "Job", "message": "x"});
    assert_eq!(decode_status(job.to_string().as_bytes()), None);
}

#[test]
fn a_reply_to_a_delete_may_be_the_job() {
    let mut job = full_job();
    for is_terminating in [true, false] {
        if !is_terminating {
            job["metadata"]["deletionTimestamp"] = Value::Null;
        }
        for (version, kind, message) in [
            ("batch/v1", "Job", "k8s.io.api.batch.v1.Job"),
            (
                "meta.k8s.io/v1",
                "PartialObjectMetadata",
                "k8s.io.apimachinery.pkg.apis.meta.v1.PartialObjectMetadata",
            ),
        ] {
            let mut object = json!({"apiVersion": version, "kind": kind});
            object["metadata"] = job["metadata"].clone();
            let expected = Reply::Job {
                uid: "0f7b5c1e-0000-4000-8000-000000000001".to_owned(),
                is_terminating,
            };
            let protobuf = Bytes::from(SCHEMA.body(message, &object));
            for body in [protobuf, Bytes::from(object.to_string())] {
                assert_eq!(decode_reply(&body).as_ref(), Some(&expected), "{kind}");
            }
        }
    }
    let list = job_list(&[full_job()]);
    let (json, protobuf) = both_bodies(&list);
    for body in [&json[..], &protobuf[..], b"{}", b"<html>", b""] {
        assert_eq!(decode_reply(body), None);
    }
}

#[test]
fn a_list_of_another_version_is_not_read() {
    let mut list = job_list(&[full_job()]);
    list["apiVersion"] = "batch/v2".into();
    let (json, protobuf) = both_bodies(&list);
    for refused in [decode_json(&json), decode_protobuf(&protobuf)] {
        let words = refused.expect_err("another version").to_string();
        assert!(words.contains("batch/v2"), "{words}");
    }
}

/// The body of a list of this Job, with a byte of a text replaced by one that no UTF-8 has.
fn spoilt(text: &str) -> Vec<u8> {
    let mut body = protobuf(&job_list(&[full_job()])).to_vec();
    let at = body
        .windows(text.len())
        .position(|bytes| bytes == text.as_bytes());
    body[at.expect(text)] = 0xff;
    body
}

/// Reads a whole body through the reader of pieces; how many Jobs it had.
fn read_in_pieces(body: &[u8]) -> Result<usize, DecodeError> {
    let (mut reader, mut count) = (ListReader::default(), 0);
    for piece in body.chunks(7) {
        reader.feed(piece, &mut |_| {
            count += 1;
            Ok::<_, DecodeError>(())
        })?;
    }
    reader.finish().map(|_| count)
}

/// Anyone who may write a Job can store such texts, which the server does not check.
#[test]
fn texts_that_are_not_utf_8_do_not_spoil_a_list() {
    for text in ["größer", "note", "CronJob", "nightly", "Complete"] {
        let body = spoilt(text);
        let list = decode_protobuf(&body).unwrap_or_else(|why| panic!("{text}: {why}"));
        assert_eq!(list.items.len(), 1);
        assert_eq!(read_in_pieces(&body).expect(text), 1);
    }
}

/// What a Job is, and which group it is in, is never guessed.
#[test]
fn a_job_whose_identity_is_not_utf_8_is_named() {
    for (text, name) in [
        ("load-1a2b3c", "team-a/\u{fffd}oad-1a2b3c"),
        ("team-a", "\u{fffd}eam-a/load-1a2b3c"),
        ("0f7b5c1e", "team-a/load-1a2b3c"),
        ("4700", "team-a/load-1a2b3c"),
        ("ledger", "team-a/load-1a2b3c"),
    ] {
        let error = read_in_pieces(&spoilt(text)).expect_err(text).to_string();
        assert!(error.contains(name), "{text}: {error}");
    }
}

#[test]
fn an_object_longer_than_any_is_not_waited_for() {
    let mut reader = ListReader::default();
    let whole = protobuf(&job_list(&[]));
    // The list goes on with an item of 4 GiB: its key and its length are all that comes.
    let mut body = b"k8s\0\x0a\x13\x0a\x08batch/v1\x12\x07JobList".to_vec();
    assert!(whole.starts_with(&body), "{whole:?}");
    body.extend_from_slice(b"\x12\x80\x80\x80\x80\x80\x01\x12\xff\xff\xff\xff\x0f");
    let fed = reader.feed(&body, &mut |_| Ok::<_, DecodeError>(()));
    let error = fed.expect_err("4 GiB").to_string();
    assert!(error.contains("too long"), "{error}");
}

/// A restored Job is as old as what it was restored from, until it has run itself. Nothing makes a Job younger.
#[test]
fn a_restored_job_keeps_its_age_until_it_has_run() {
    let (stamped, earlier, later) = (
        "2026-11-23T10:00:00Z",
        "2026-01-01T00:00:00Z",
        "2027-01-01T00:00:00Z",
    );
    let started = json!({"startTime": "2026-11-23T10:01:00Z"});
    let failed = json!({"conditions": [{"type": "Failed", "status": "True"}]});
    let suspended = json!({"conditions": [{"type": "Suspended", "status": "True"}]});
    for (annotation, status, expected) in [
        (earlier, json!({}), earlier),
        (earlier, suspended, earlier),
        ("2026-01-01T01:00:00+01:00", json!({}), earlier),
        (earlier, started, stamped),
        (earlier, failed, stamped),
        (later, json!({}), stamped),
        ("yesterday", json!({}), stamped),
        ("", json!({}), stamped),
    ] {
        let mut job = full_job();
        job["metadata"]["annotations"] = json!({"jobclean/created": annotation});
        job["status"] = status;
        let (json, protobuf) = both_bodies(&job_list(&[job]));
        for list in [decode_json(&json), decode_protobuf(&protobuf)] {
            let taken = taken_in(list.expect("a list")).expect("a Job");
            let created = taken[0].as_ref().expect("a Job").created().to_string();
            assert_eq!(created, expected, "{annotation:?}");
        }
    }
}
