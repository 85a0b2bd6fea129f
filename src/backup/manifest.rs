//! A Job's manifest, ready for `kubectl create -f`.

use serde_json::{Map, Value, json};

use crate::job::{CREATED, ids::Stamp, label::DERIVED_LABELS};

/// The annotation that says how the Job ended that a manifest was made from.
pub(super) const STATUS: &str = "jobclean/status";

/// The label that puts a Job into a queue of Kueue.
const QUEUE_LABEL: &str = "kueue.x-k8s.io/queue-name";
/// The annotation that keeps its value.
const QUEUE: &str = "jobclean/queue-name";

/// Fields of `metadata` that the server sets itself, or that would make a new Job look half deleted.
const SERVER_SET: [&str; 7] = [
    "uid",
    "resourceVersion",
    "creationTimestamp",
    "deletionTimestamp",
    "deletionGracePeriodSeconds",
    "generation",
    "managedFields",
];
/// Finalizers that belong to a delete that is under way.
const DELETE_FINALIZERS: [&str; 2] = ["foregroundDeletion", "orphan"];

/// Make of a Job as the server has it a manifest that the server takes for a new one.
///
/// Everything that a person wrote stays. What goes: the fields that the server sets, the status, and, unless the Job
/// has a selector of its own (`manualSelector`), the selector and labels that the server derives from the old uid.
///
/// A Job that is made from it does not run, since it did already: it is suspended. Nor does it become the newest of its
/// group: it tells when the old one was created, and how that ended, in kubectl's word.
pub fn manifest(mut job: Value, created: Stamp, status: &str) -> Value {
    let identity = job["metadata"].clone();
    job["apiVersion"] = "batch/v1".into();
    job["kind"] = "Job".into();
    let manual = job["spec"]["manualSelector"] == Value::Bool(true);
    if let Some(object) = job.as_object_mut() {
        object.remove("status");
    }
    if let Some(metadata) = job["metadata"].as_object_mut() {
        drop_server_set(metadata);
        if let Some(Value::Array(finalizers)) = metadata.get_mut("finalizers") {
            finalizers
                .retain(|finalizer| !DELETE_FINALIZERS.iter().any(|known| finalizer == known));
        }
        drop_empty(metadata, "finalizers");
        let annotations = metadata.entry("annotations").or_insert_with(|| json!({}));
        if !annotations.is_object() {
            *annotations = json!({});
        }
        annotations[CREATED] = created.to_string().into();
        annotations[STATUS] = status.into();
    }
    if let Some(spec) = job["spec"].as_object_mut() {
        spec.insert("suspend".to_owned(), true.into());
    }
    if !manual {
        for labels in ["/metadata", "/spec/template/metadata"] {
            let Some(metadata) = job.pointer_mut(labels).and_then(Value::as_object_mut) else {
                continue;
            };
            if let Some(Value::Object(labels)) = metadata.get_mut("labels") {
                labels.retain(|key, value| {
                    !DERIVED_LABELS
                        .iter()
                        .any(|(label, of)| key == label && *value == identity[of])
                });
            }
            drop_empty(metadata, "labels");
        }
        if let Some(spec) = job["spec"].as_object_mut() {
            spec.remove("selector");
            spec.remove("manualSelector");
        }
    }
    job
}

/// Make of a manifest that lay on a disk a Job to be created. Whatever became of the file, it does not run, and no owner
/// that has gone takes it along: the garbage collector deletes what names an owner that is not there. Nor is it in a
/// queue: Kueue lets a Job run whose turn it is, suspended or not.
pub fn restorable(mut manifest: Value) -> Value {
    if let Some(object) = manifest.as_object_mut() {
        object.remove("status");
    }
    if let Some(metadata) = manifest["metadata"].as_object_mut() {
        drop_server_set(metadata);
        metadata.remove("ownerReferences");
        let labels = metadata.get_mut("labels").and_then(Value::as_object_mut);
        if let Some(queue) = labels.and_then(|labels| labels.remove(QUEUE_LABEL)) {
            drop_empty(metadata, "labels");
            let annotations = metadata.entry("annotations").or_insert_with(|| json!({}));
            if let Some(annotations) = annotations.as_object_mut() {
                annotations.insert(QUEUE.to_owned(), queue);
            }
        }
    }
    manifest["spec"]["suspend"] = true.into();
    manifest
}

fn drop_server_set(metadata: &mut Map<String, Value>) {
    for field in SERVER_SET {
        metadata.remove(field);
    }
}

fn drop_empty(object: &mut Map<String, Value>, field: &str) {
    let empty = match object.get(field) {
        Some(Value::Array(list)) => list.is_empty(),
        Some(Value::Object(map)) => map.is_empty(),
        _ => false,
    };
    if empty {
        object.remove(field);
    }
}
