//! What a server sends, in JSON and in protobuf. The field numbers are those of `k8s.io/api/batch/v1/generated.proto` and
//! `k8s.io/apimachinery/pkg/apis/meta/v1/generated.proto`.

use std::sync::Arc;

use jiff::Timestamp;
use serde_json::{Value, json};

use crate::job::{Job, LABEL, Mark, SELECTED, State};

/// The head of a list.
#[derive(Debug, Clone, Default)]
pub struct Head {
    pub version: String,
    pub token: String,
    pub remaining: Option<i64>,
}

/// How a body is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Form {
    Json,
    Protobuf,
}

fn labels(job: &Job) -> Vec<(&'static str, &'static str)> {
    let app = job.app.map(|app| (LABEL, app));
    let selected = job.is_selected.then_some(SELECTED);
    let mark = match job.mark {
        Some(Mark::KeepLabel) => Some(("jobclean/keep", "true")),
        _ => None,
    };
    [app, selected, mark].into_iter().flatten().collect()
}

fn annotations(job: &Job) -> Vec<(&'static str, String)> {
    let mark = match job.mark {
        Some(Mark::KeepAnnotation) => Some(("jobclean/keep", "true")),
        Some(Mark::ArgoSyncOptions) => Some((
            "argocd.argoproj.io/sync-options",
            "Replace=true,Prune=false",
        )),
        Some(Mark::HelmResourcePolicy) => Some(("helm.sh/resource-policy", "keep")),
        Some(Mark::FluxPrune) => Some(("kustomize.toolkit.fluxcd.io/prune", "disabled")),
        Some(Mark::HelmRelease) => Some(("meta.helm.sh/release-name", "shop")),
        Some(Mark::KeepLabel) | None => None,
    };
    let mark = mark.map(|(key, value)| (key, value.to_owned()));
    let touched = (job.touched > 0).then(|| ("example.com/touched", job.touched.to_string()));
    mark.into_iter().chain(touched).collect()
}

/// The conditions that are there, with whether they hold.
fn conditions(job: &Job) -> Vec<(&'static str, &'static str)> {
    match job.state {
        State::Complete => vec![("Suspended", "False"), ("Complete", "True")],
        State::Failed => vec![("FailureTarget", "True"), ("Failed", "True")],
        State::Running => Vec::new(),
        State::Suspended => vec![("Suspended", "True")],
        State::FailureTarget => vec![("FailureTarget", "True")],
    }
}

fn time(seconds: i64) -> String {
    Timestamp::from_second(seconds)
        .expect("in the calendar")
        .to_string()
}

/// A Job in JSON, whole or its metadata alone.
fn json_job(job: &Job, is_whole: bool) -> Value {
    let mut meta = json!({
        "name": &*job.name, "namespace": job.namespace, "uid": &*job.uid,
        "resourceVersion": job.version.to_string(), "creationTimestamp": time(job.created),
    });
    let map = |entries: Vec<(&'static str, String)>| {
        Value::Object(
            entries
                .into_iter()
                .map(|(key, value)| (key.to_owned(), value.into()))
                .collect(),
        )
    };
    meta["labels"] = map(labels(job)
        .into_iter()
        .map(|(key, value)| (key, value.to_owned()))
        .collect());
    meta["annotations"] = map(annotations(job));
    if let Some(deleted) = job.deleted {
        meta["deletionTimestamp"] = time(deleted).into();
        meta["deletionGracePeriodSeconds"] = 0.into();
    }
    if job.has_controller {
        meta["ownerReferences"] = json!([{
            "apiVersion": "batch/v1", "kind": "CronJob", "name": "nightly", "uid": "c", "controller": true,
        }]);
    }
    if !job.finalizers.is_empty() {
        meta["finalizers"] = json!(job.finalizers);
    }
    if !is_whole {
        return json!({"metadata": meta});
    }
    let conditions: Vec<Value> = conditions(job)
        .into_iter()
        .map(|(kind, status)| {
            json!({"type": kind, "status": status, "lastTransitionTime": time(job.finished)})
        })
        .collect();
    let mut status = json!({"startTime": time(job.created), "conditions": conditions});
    if job.state == State::Complete {
        status["completionTime"] = time(job.finished).into();
    }
    json!({"metadata": meta, "spec": {"suspend": job.state == State::Suspended}, "status": status})
}

/// Writes protobuf.
#[derive(Default)]
struct Message(Vec<u8>);

impl Message {
    fn varint(&mut self, mut value: u64) {
        while value >= 0x80 {
            self.0.push(value as u8 | 0x80);
            value >>= 7;
        }
        self.0.push(value as u8);
    }

    fn bytes(&mut self, field: u64, value: &[u8]) {
        self.varint(field << 3 | 2);
        self.varint(value.len() as u64);
        self.0.extend_from_slice(value);
    }

    fn text(&mut self, field: u64, value: &str) {
        self.bytes(field, value.as_bytes());
    }

    fn number(&mut self, field: u64, value: i64) {
        self.varint(field << 3);
        self.varint(value.cast_unsigned());
    }

    fn time(&mut self, field: u64, seconds: i64) {
        let mut time = Message::default();
        time.number(1, seconds);
        time.number(2, 0);
        self.bytes(field, &time.0);
    }

    fn entry(&mut self, field: u64, key: &str, value: &str) {
        let mut entry = Message::default();
        entry.text(1, key);
        entry.text(2, value);
        self.bytes(field, &entry.0);
    }
}

fn protobuf_job(job: &Job, is_whole: bool) -> Vec<u8> {
    let mut meta = Message::default();
    meta.text(1, &job.name);
    meta.text(2, "");
    meta.text(3, job.namespace);
    meta.text(5, &job.uid);
    meta.text(6, &job.version.to_string());
    meta.time(8, job.created);
    if let Some(deleted) = job.deleted {
        meta.time(9, deleted);
        meta.number(10, 0);
    }
    labels(job)
        .into_iter()
        .for_each(|(key, value)| meta.entry(11, key, value));
    annotations(job)
        .into_iter()
        .for_each(|(key, value)| meta.entry(12, key, &value));
    if job.has_controller {
        let mut owner = Message::default();
        owner.text(1, "CronJob");
        owner.text(3, "nightly");
        owner.text(4, "c");
        owner.text(5, "batch/v1");
        owner.number(6, 1);
        meta.bytes(13, &owner.0);
    }
    job.finalizers.iter().for_each(|name| meta.text(14, name));
    let mut whole = Message::default();
    whole.bytes(1, &meta.0);
    if is_whole {
        let mut status = Message::default();
        for (kind, holds) in conditions(job) {
            let mut condition = Message::default();
            condition.text(1, kind);
            condition.text(2, holds);
            condition.time(4, job.finished);
            status.bytes(1, &condition.0);
        }
        status.time(2, job.created);
        if job.state == State::Complete {
            status.time(3, job.finished);
        }
        whole.bytes(2, &[]);
        whole.bytes(3, &status.0);
    }
    whole.0
}

fn envelope(version: &str, kind: &str, raw: &[u8]) -> Vec<u8> {
    let mut meta = Message::default();
    meta.text(1, version);
    meta.text(2, kind);
    let mut unknown = Message(b"k8s\0".to_vec());
    unknown.bytes(1, &meta.0);
    unknown.bytes(2, raw);
    unknown.text(3, "");
    unknown.text(4, "");
    unknown.0
}

/// A page of Jobs, whole or their metadata alone.
pub fn list(form: Form, is_whole: bool, head: &Head, jobs: &[Arc<Job>]) -> Vec<u8> {
    let kind = if is_whole {
        ("batch/v1", "JobList")
    } else {
        METADATA
    };
    match form {
        Form::Json => {
            let items = jobs.iter().map(|job| json_job(job, is_whole)).collect();
            json_list(kind, head, items)
        }
        Form::Protobuf => {
            let items = jobs.iter().map(|job| protobuf_job(job, is_whole)).collect();
            protobuf_list(kind, head, items)
        }
    }
}

/// What a Namespace says of itself.
#[derive(Debug, Clone)]
pub struct Namespace {
    pub name: &'static str,
    pub uid: String,
}

/// A page of Namespaces, of which the metadata alone is asked for.
pub fn namespaces(form: Form, head: &Head, namespaces: &[Namespace]) -> Vec<u8> {
    match form {
        Form::Json => {
            let items = namespaces.iter().map(|Namespace { name, uid }| {
                json!({"metadata": {"name": name, "uid": uid, "resourceVersion": "1"}})
            });
            json_list(METADATA, head, items.collect())
        }
        Form::Protobuf => {
            let items = namespaces.iter().map(|Namespace { name, uid }| {
                let mut meta = Message::default();
                meta.text(1, name);
                meta.text(5, uid);
                meta.text(6, "1");
                let mut whole = Message::default();
                whole.bytes(1, &meta.0);
                whole.0
            });
            protobuf_list(METADATA, head, items.collect())
        }
    }
}

/// The version and the kind of a list of metadata.
const METADATA: (&str, &str) = ("meta.k8s.io/v1", "PartialObjectMetadataList");

fn json_list((version, kind): (&str, &str), head: &Head, items: Vec<Value>) -> Vec<u8> {
    let mut meta = json!({"resourceVersion": head.version});
    if !head.token.is_empty() {
        meta["continue"] = head.token.clone().into();
    }
    if let Some(remaining) = head.remaining {
        meta["remainingItemCount"] = remaining.into();
    }
    let list = json!({"kind": kind, "apiVersion": version, "metadata": meta, "items": items});
    list.to_string().into_bytes()
}

fn protobuf_list((version, kind): (&str, &str), head: &Head, items: Vec<Vec<u8>>) -> Vec<u8> {
    let mut meta = Message::default();
    meta.text(1, "");
    meta.text(2, &head.version);
    meta.text(3, &head.token);
    if let Some(remaining) = head.remaining {
        meta.number(4, remaining);
    }
    let mut list = Message::default();
    list.bytes(1, &meta.0);
    items.iter().for_each(|item| list.bytes(2, item));
    envelope(version, kind, &list.0)
}

/// The metadata of a Job that was deleted and waits.
pub fn terminating(form: Form, job: &Job) -> Vec<u8> {
    match form {
        Form::Json => {
            let mut object = json_job(job, false);
            object["kind"] = "PartialObjectMetadata".into();
            object["apiVersion"] = "meta.k8s.io/v1".into();
            object.to_string().into_bytes()
        }
        Form::Protobuf => envelope(
            "meta.k8s.io/v1",
            "PartialObjectMetadata",
            &protobuf_job(job, false),
        ),
    }
}

/// What a Status says.
#[derive(Debug, Clone, Default)]
pub struct Status<'a> {
    pub code: u16,
    pub reason: &'a str,
    pub message: &'a str,
    /// The name and the uid of the Job that it is about.
    pub about: Option<(&'a str, &'a str)>,
    /// A new token, as an expired list has one.
    pub token: &'a str,
}

/// A Status: one of success if its code says so.
pub fn status(form: Form, status: &Status<'_>) -> Vec<u8> {
    let outcome = if status.code < 300 {
        "Success"
    } else {
        "Failure"
    };
    match form {
        Form::Json => {
            let mut object =
                json!({"kind": "Status", "apiVersion": "v1", "metadata": {}, "status": outcome});
            if status.code >= 300 {
                object["message"] = status.message.into();
                object["reason"] = status.reason.into();
                object["code"] = status.code.into();
            }
            if !status.token.is_empty() {
                object["metadata"]["continue"] = status.token.into();
            }
            if let Some((name, uid)) = status.about {
                object["details"] = json!({"name": name, "group": "batch", "kind": "jobs"});
                if !uid.is_empty() {
                    object["details"]["uid"] = uid.into();
                }
            }
            object.to_string().into_bytes()
        }
        Form::Protobuf => {
            let mut message = Message::default();
            let mut meta = Message::default();
            meta.text(3, status.token);
            message.bytes(1, &meta.0);
            message.text(2, outcome);
            message.text(3, status.message);
            message.text(4, status.reason);
            if let Some((name, uid)) = status.about {
                let mut details = Message::default();
                details.text(1, name);
                details.text(2, "batch");
                details.text(3, "jobs");
                details.text(6, uid);
                message.bytes(5, &details.0);
            }
            message.number(6, i64::from(status.code));
            envelope("v1", "Status", &message.0)
        }
    }
}
