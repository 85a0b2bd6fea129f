//! What holds of everything that Kubernetes sends: both encodings read alike, a body reads the same wherever it is parted,
//! and nothing damaged panics.

use kubectl_jobclean::decode::{
    self, DecodeError, ListMeta, ListReader, decode_json, decode_protobuf, decode_status,
};
use proptest::{
    collection::{btree_map, vec},
    option,
    prelude::*,
    sample::{Index, select},
    test_runner::Config,
};
use serde_json::{Value, json};

use crate::support::{
    jobs::minute,
    lists::{both_bodies, full_job, job_list, protobuf, taken_in, unmeasured},
};

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
        let mut on_job = |job: decode::Job<'_>| {
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
    let mut on_job = |_: decode::Job<'_>| -> Result<(), DecodeError> { panic!("it is not whole") };
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
        prop_assert_eq!(json, unmeasured(protobuf));
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
