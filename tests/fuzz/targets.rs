//! What each fuzz target does with what it is given, and holds to be true of the outcome. The tests give it the seeds.

use std::{path::Path, sync::LazyLock, time::Duration};

use kubectl_jobclean::{
    backup::{
        manifest::{manifest, restorable},
        shelf::Told,
    },
    cli::policy::{Flagged, PolicyFile, Said},
    cluster::{
        retry::{Backoff, Tries},
        traces::{self, Object},
    },
    connection::{
        der::{self, Certificate, KeyKind},
        exchange::parse_retry_after,
        exec,
        identity::Identity as ClientIdentity,
        kubeconfig as kubeconfigs,
        kuberc::{self as kubercs, PluginPolicy},
        oidc, trust,
    },
    decode::{
        self, DecodeError, ListReader, file as files,
        gitops::{self as gitops_lists, Page},
        job::{Identity, Intake},
        metadata,
    },
    error::Error,
    gitops::flux::JOB_ID,
    job::{
        Job,
        family::of_name,
        grouping::Grouping,
        ids::Stamp,
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
use rustls::RootCertStore;
use serde_json::Value;

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
    if let Ok(Some(job)) = intake.take(&job) {
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

/// A list of what GitOps tools want. The first byte chooses of which kind.
pub fn gitops(data: &[u8]) {
    let Some((choice, body)) = data.split_first() else {
        return;
    };
    let Ok(page) = serde_json::from_slice::<Page<'_>>(body) else {
        return;
    };
    for parts in &page.items {
        if choice % 2 == 0 {
            let Ok(application) = gitops_lists::application(parts) else {
                continue;
            };
            assert!(application.jobs.iter().all(|job| !job.name.is_empty()));
            assert!(application.unsettled.is_some() || !application.is_syncing);
        } else if let Ok(kustomization) = gitops_lists::kustomization(parts) {
            let mut ids = kustomization.jobs.iter();
            assert!(ids.all(|id| id.ends_with(JOB_ID)));
        }
    }
}

/// The Job whose Pods are looked for.
static OWNER: LazyLock<Job> = LazyLock::new(|| {
    let query = Query::all(Grouping::Application, Scope::AllNamespaces, 0);
    let jobs = snapshot(JOBS.as_bytes(), query).expect("Jobs").jobs;
    jobs.into_iter().next().expect("a Job")
});

/// The Pods of a Job, as a server lists them: each that is taken for its own names it as its owner.
pub fn pods(data: &[u8]) {
    let Ok(objects) = serde_json::from_slice::<Vec<Object>>(data) else {
        return;
    };
    for object in &objects {
        if let Some(found) = object.get("selector").and_then(traces::selector) {
            assert!(!found.is_empty());
        }
    }
    for (pod, object) in traces::owned(objects, &OWNER) {
        assert_eq!(object["metadata"]["name"], *pod.name);
        let owners = object["metadata"]["ownerReferences"].to_string();
        assert!(owners.contains(&OWNER.uid().to_string()));
    }
}

/// A manifest from a backup: what is created of it does not run, and has no owner that it could go with. What a backup
/// is made of is read from it again.
pub fn backup(data: &[u8]) {
    let Ok(value) = serde_json::from_slice::<Value>(data) else {
        return;
    };
    if let Ok(told) = Told::by(&value, "a") {
        let job = restorable(value.clone());
        assert_eq!(job["spec"]["suspend"], true);
        let metadata = job["metadata"].as_object().expect("metadata");
        for field in [
            "uid",
            "resourceVersion",
            "ownerReferences",
            "deletionTimestamp",
        ] {
            assert!(!metadata.contains_key(field), "{field}");
        }
        // Nothing is lost that tells what it is.
        assert_eq!(Told::by(&job, "a"), Ok(told));
    }
    let is_job = value.pointer("/metadata/namespace") == Some(&Value::from("a"))
        && value["spec"].is_object();
    let name = value.pointer("/metadata/name").and_then(Value::as_str);
    if let (true, Some(name)) = (is_job, name) {
        let created = Stamp::from_second(1_700_000_000).expect("a moment");
        let saved = manifest(value.clone(), created, "Complete");
        if let Ok(told) = Told::by(&saved, "a") {
            assert_eq!((told.name, told.status), (name, "Complete"));
            assert_eq!(told.created.as_second(), 1_700_000_000);
        }
    }
}

/// A certificate or a key, in DER or in PEM: what it says of itself is what rustls reads.
pub fn certificate(data: &[u8]) {
    let readable = trust::certificates(data).unwrap_or_default();
    for der in readable.iter().cloned().chain([data.into()]) {
        let found = Certificate::parse(&der);
        let mut roots = RootCertStore::empty();
        if let (Some(found), Ok(())) = (&found, roots.add(der.clone())) {
            assert_eq!(found.subject, &*roots.roots[0].subject);
        }
        if let Some(found) = found {
            assert!(!found.key_kind().words().is_empty());
            assert!(!found.may_sign() || (1..=3).contains(&found.version));
        }
    }
    let is_known = KeyKind::of_private(data) != KeyKind::Unknown;
    assert!(!is_known || der::key_form(data).is_some());
    let _ = der::signature_name(data);
    let _ = der::key_kind_of_algorithm(data);
    let provider = rustls::crypto::ring::default_provider();
    if let Err(error) = ClientIdentity::new(data, data).for_tls(&provider) {
        assert_is_harmless(&error);
    }
}

/// Stands in a kubeconfig for `$`, and in no message.
const SECRET: &str = "s3cr3t-t0k3n";

/// A kubeconfig. No error shows the lines around a fault.
pub fn kubeconfig(data: &[u8]) {
    let text = String::from_utf8_lossy(data).replace('$', SECRET);
    let entries = match kubeconfigs::parse(text.as_bytes(), Path::new("config")) {
        Ok(entries) => entries,
        Err(error) => {
            let shows_names = error.message.contains("two entries");
            assert!(shows_names || !error.to_string().contains(SECRET));
            return assert_is_harmless(&error);
        }
    };
    for user in entries.users {
        let (user, _) = user.entry.split();
        let Some(provider) = user.auth_provider.filter(|found| found.name == "oidc") else {
            continue;
        };
        match oidc::id_token(&provider) {
            Ok(token) => assert!(!token.is_empty()),
            Err(error) => assert!(!error.to_string().contains(SECRET), "{error}"),
        }
    }
}

/// Which plugins a user allows: a list of those is not empty, and none of them is.
pub fn kuberc(data: &str) {
    let Ok(Some(found)) = kubercs::preference(data) else {
        return;
    };
    if let Ok(PluginPolicy::Allowlist(entries)) = found.policy() {
        assert!(!entries.is_empty() && entries.iter().all(|entry| !entry.is_empty()));
    }
}

/// What a credential plugin prints: credentials are there, and nothing shows a token.
pub fn credentials(data: &[u8]) {
    let version = "client.authentication.k8s.io/v1";
    if let Ok(found) = exec::read(data, version) {
        assert!(found.authorization.is_some() || found.identity.is_some());
        assert!(found.authorization.is_none_or(|value| value.is_sensitive()));
    }
}

/// What a message says came from elsewhere, and is one line all the same.
fn assert_is_harmless(error: &Error) {
    assert!(!error.message.is_empty() && error.hint.is_some());
    let raw = error.message.chars().find(|char| is_unsafe(*char));
    assert_eq!(raw, None, "{:?}", error.message);
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
