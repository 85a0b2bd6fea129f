//! What each fuzz target does with what it is given, and holds to be true of the outcome. The tests give it the seeds.

use std::{path::Path, time::Duration};

use kubectl_jobclean::{
    cli::policy::{Flagged, PolicyFile, Said},
    cluster::retry::{Backoff, Tries},
    connection::exchange::parse_retry_after,
    decode::{
        self, DecodeError, ListReader, file as files,
        job::{Identity, Intake},
        metadata,
    },
    job::{
        family::of_name,
        grouping::Grouping,
        label::LabelKey,
        query::{Query, Scope},
        selector::Selector,
    },
    output::{
        Colour, Headers, Rows, Style, View, json, name, saved::SavedPlan, summary, table, yaml,
    },
    plan::{Plan, Snapshot, Source, max_purge::MaxPurge, retention::Policy, rules::Rules},
    text::is_unsafe,
    time::{HumanDuration, RequestTimeout},
};

/// Jobs for what judges some.
const JOBS: &str = include_str!("../data/sample-jobs.json");

fn intake() -> Intake {
    Intake::new(
        &"label:a".parse().unwrap(),
        &Default::default(),
        Identity::Required,
    )
}

fn is_taken_in(intake: &mut Intake, job: decode::Job<'_>) {
    if let Ok(Some(job)) = intake.take(job) {
        assert!(!job.uid().is_empty() && !job.resource_version().is_empty());
        assert!(!job.name().is_empty());
    }
}

/// A protobuf list from the server, as far as judged Jobs: whole, and in pieces.
pub fn list_protobuf(data: &[u8]) {
    let _ = decode::decode_status(data);
    let _ = decode::decode_reply(data);
    let mut intake = intake();
    let mut names = Vec::new();
    let mut reader = ListReader::default();
    let (mut taken, mut come) = (0, 0);
    let in_pieces = data
        .chunks(7)
        .try_for_each(|piece| {
            come += piece.len();
            reader.feed::<DecodeError>(piece, &mut |job| {
                taken = come;
                names.push(format!("{job:?}"));
                is_taken_in(&mut intake, job);
                Ok(())
            })
        })
        .and_then(|()| reader.finish());
    assert!(taken <= data.len());
    // What is read in pieces is what is read as a whole.
    if let Ok(meta) = in_pieces {
        let whole = decode::decode_protobuf(data).expect("it was whole in pieces");
        let all: Vec<String> = whole.items.iter().map(|job| format!("{job:?}")).collect();
        assert_eq!((meta, names), (whole.metadata, all));
    }
}

/// A JSON list from the server, as far as judged Jobs.
pub fn list_json(data: &[u8]) {
    if let Ok(list) = decode::decode_json(data) {
        let mut intake = intake();
        for job in list.items {
            is_taken_in(&mut intake, job);
        }
    }
}

/// A list of metadata alone from the server, in either encoding. The first byte chooses which.
pub fn list_metadata(data: &[u8]) {
    let Some((choice, body)) = data.split_first() else {
        return;
    };
    let content_type = match choice % 2 {
        0 => decode::PROTOBUF,
        _ => "application/json",
    };
    for kind in [metadata::Kind::Jobs, metadata::Kind::Pods] {
        let Ok(list) = metadata::decode(kind, content_type, body) else {
            continue;
        };
        for item in list.items {
            let meta = item.metadata;
            let meta = meta.expect("what has none cannot be told from others");
            for text in [meta.uid, meta.name, meta.namespace] {
                assert!(text.is_some_and(|text| !text.is_empty()));
            }
        }
    }
}

/// What stands in a file of Jobs.
fn snapshot(data: &[u8], query: Query) -> Option<Snapshot> {
    let contents = files::parse(data, &query).ok()?;
    Some(Snapshot {
        source: Source::File {
            path: "-".to_owned(),
        },
        grouping: query.grouping,
        ungrouped: contents.ungrouped,
        resource_version: contents.resource_version,
        taken_at: "2026-01-01T00:00:00Z".parse().unwrap(),
        jobs: contents.jobs,
    })
}

/// A file of Jobs, planned and written in every form.
pub fn file(data: &[u8]) {
    let query = Query::all("label:a".parse().unwrap(), Scope::AllNamespaces, 0);
    let Some(snapshot) = snapshot(data, query) else {
        return;
    };
    let count = snapshot.jobs.len();
    let plan = Plan::new(snapshot, &Policy::default());
    assert_eq!(plan.summary().jobs, count);
    let style = Style {
        width: Some(80),
        colour: Colour::Off,
        headers: Headers::Show,
        rows: Rows::All,
    };
    let mut out = Vec::new();
    table::write(&mut out, View::Plan(&plan), table::Columns::Wide, style).unwrap();
    summary::write(&mut out, View::Plan(&plan), style, None).unwrap();
    name::write(&mut out, View::Plan(&plan)).unwrap();
    json::write(&mut out, View::Plan(&plan), Rows::All).unwrap();
    yaml::write(&mut out, View::Plan(&plan), Rows::All).unwrap();
    let text = String::from_utf8(out).unwrap();
    let raw = text.chars().find(|&char| char != '\n' && is_unsafe(char));
    assert_eq!(raw, None, "{text:?}");
}

/// A saved plan: what is believed makes sense.
pub fn saved_plan(data: &[u8]) {
    if let Ok(saved) = SavedPlan::parse(data, 500) {
        for group in &saved.plan.groups {
            assert!(group.purge_count() < group.jobs.len());
        }
    }
}

/// A policy: whatever it says, a group keeps at least one Job, and the words about it are harmless.
pub fn policy(data: &str) {
    let policy = match PolicyFile::parse(Path::new("policy.yaml"), data) {
        Ok(file) => file.policy(
            &Flagged {
                said: &Said::default(),
                mixed_groups: None,
                family: None,
                gitops: None,
            },
            &Grouping::Application,
        ),
        Err(why) => Err(why),
    };
    let policy = match policy {
        Ok(policy) => policy,
        Err(why) => return assert!(!why.is_empty() && why.len() < 10_000, "{why}"),
    };
    let query = Query {
        rules: (policy.rules.as_ref().map(Rules::matches)).unwrap_or_default(),
        ..Query::all(Grouping::Application, Scope::AllNamespaces, 500)
    };
    let plan = Plan::new(snapshot(JOBS.as_bytes(), query).expect("Jobs"), &policy);
    assert!(!plan.groups.is_empty());
    for group in &plan.groups {
        assert!(group.purge_count() < group.jobs.len());
    }
}

/// A Retry-After header: whatever it says, no wait is longer than it may be.
pub fn retry_after(data: &str) {
    let mut backoff = Backoff::new(Tries::for_list());
    if let Some(delay) = backoff.next_delay(parse_retry_after(data)) {
        assert!(delay <= Duration::from_secs(33), "{delay:?}");
    }
}

/// A length of time or a limit as users write them.
pub fn duration(data: &str) {
    let _ = data.parse::<RequestTimeout>();
    let _ = data.parse::<MaxPurge>();
    if data.parse::<HumanDuration>().is_ok() {
        assert!(data.ends_with(['d', 'h', 'm', 's']));
        assert!(data.starts_with(|char: char| char.is_ascii_digit()));
    }
}

/// A label selector and a label key: what is accepted reads the same again.
pub fn selector(data: &str) {
    if let Ok(key) = data.parse::<LabelKey>() {
        assert!(key.as_str().parse::<Selector>().is_ok());
    }
    if let Ok(selector) = data.parse::<Selector>() {
        assert_eq!(selector.to_string().parse(), Ok(selector.clone()));
        let _ = selector.matches(|key| (key == "a").then_some("1"));
    }
}

/// The family of a name: a part of it from its beginning, and its own family.
pub fn family(name: &str) {
    let stem = of_name(name);
    // That of a hook has its phase behind a space.
    let (prefix, phase) = match stem.rsplit_once(' ') {
        Some((prefix, phase)) if !name.contains(' ') => (prefix, Some(phase)),
        _ => (&*stem, None),
    };
    assert!(name.starts_with(prefix) && phase.is_none_or(|phase| name.contains(phase)));
    assert_eq!(stem.is_empty(), name.is_empty());
    if stem != name && phase.is_none() {
        assert_eq!(of_name(&stem), stem);
        assert_eq!(of_name(&format!("{name}-1a2b3c")), stem);
    }
}
