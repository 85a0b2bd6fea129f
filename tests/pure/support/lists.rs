//! Lists of Jobs as Kubernetes sends them. Protobuf is written from the field numbers in its own `.proto` files.

use std::sync::Arc;

use bytes::Bytes;
use kubectl_jobclean::{
    decode::{
        JobList,
        job::{Identity, Intake, IntakeError},
    },
    job::{Job, grouping::Grouping},
};
use serde_json::{Value, json};

use super::{
    jobs::{LABEL, label},
    proto::SCHEMA,
};

const JOB_LIST: &str = "k8s.io.api.batch.v1.JobList";

/// A list's body in protobuf.
pub fn protobuf(list: &Value) -> Bytes {
    SCHEMA.body(JOB_LIST, list).into()
}

/// A list of these Jobs.
pub fn job_list(items: &[Value]) -> Value {
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
pub fn full_job() -> Value {
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

/// What is judged of a list.
pub fn taken_in(list: JobList<'_>) -> Result<Vec<Option<Job>>, IntakeError> {
    let mut intake = Intake::new(
        &Grouping::labels(vec![label(LABEL)]),
        &Arc::default(),
        Identity::Required,
    );
    list.items
        .into_iter()
        .map(|job| intake.take(&job))
        .collect()
}

/// The list without the lengths of its items, which are not those of the other encoding.
pub fn unmeasured(mut list: JobList<'_>) -> JobList<'_> {
    for job in &mut list.items {
        job.size = None;
    }
    list
}

/// A list's body in JSON and in protobuf.
pub fn both_bodies(list: &Value) -> (Vec<u8>, Bytes) {
    (list.to_string().into_bytes(), protobuf(list))
}
