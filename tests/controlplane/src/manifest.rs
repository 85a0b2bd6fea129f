//! What a seeded object is in etcd: the JSON that kube-apiserver would write, as large as a real one.

use jiff::{SignedDuration, Timestamp};
use serde_json::{Map, Value, json};
use uuid::Uuid;

use crate::etcd::Entry;
use crate::seed::{SeedJob, State};

/// How many environment variables a Job's container has.
const SETTINGS: u32 = 14;

impl SeedJob {
    pub(crate) fn entry(&self) -> Entry {
        Entry {
            key: format!("/registry/jobs/{}/{}", self.namespace, self.name),
            value: self.manifest().to_string(),
        }
    }

    /// The Pod that it left behind when it finished.
    pub(crate) fn pod_entry(&self) -> Entry {
        let name = format!("{}-{}", self.name, &self.uid[..5]);
        let spec = self.spec();
        let mut spec = spec["template"]["spec"].clone();
        spec["nodeName"] = "node-0".into();
        let is_complete = self.state == State::Complete;
        let (started, ended) = (stamp(self.created), stamp(self.ended()));
        let pod = json!({
            "apiVersion": "v1",
            "kind": "Pod",
            "metadata": {
                "name": name,
                "namespace": self.namespace,
                "uid": Uuid::new_v4().to_string(),
                "creationTimestamp": started,
                "labels": self.pod_labels(),
                "ownerReferences": [{
                    "apiVersion": "batch/v1",
                    "kind": "Job",
                    "name": self.name,
                    "uid": self.uid,
                    "controller": true,
                    "blockOwnerDeletion": true,
                }],
            },
            "spec": spec,
            "status": {
                "phase": if is_complete { "Succeeded" } else { "Failed" },
                "startTime": started,
                "containerStatuses": [{
                    "name": "run",
                    "image": "quay.io/ibmmas/cli:12.11.1",
                    "imageID": "",
                    "ready": false,
                    "restartCount": 0,
                    "state": {"terminated": {
                        "exitCode": i32::from(!is_complete),
                        "startedAt": started,
                        "finishedAt": ended,
                    }},
                }],
            },
        });
        Entry {
            key: format!("/registry/pods/{}/{name}", self.namespace),
            value: pod.to_string(),
        }
    }

    /// The whole object as it will be in etcd.
    pub fn manifest(&self) -> Value {
        json!({
            "apiVersion": "batch/v1",
            "kind": "Job",
            "metadata": self.metadata(),
            "spec": self.spec(),
            "status": self.status(),
        })
    }

    fn ended(&self) -> Timestamp {
        self.created + SignedDuration::from_secs(self.duration.into())
    }

    fn metadata(&self) -> Value {
        let mut labels = self.pod_labels();
        labels.extend(
            self.labels
                .iter()
                .map(|(key, value)| (key.clone(), value.clone().into())),
        );
        let mut metadata = json!({
            "name": self.name,
            "namespace": self.namespace,
            "uid": self.uid,
            "generation": 1,
            "creationTimestamp": stamp(self.created),
            "labels": labels,
            "managedFields": self.managed_fields(),
        });
        if !self.annotations.is_empty() {
            metadata["annotations"] = json!(self.annotations);
        }
        if let Some(owner) = &self.owner {
            metadata["ownerReferences"] = json!([{
                "apiVersion": owner.api_version,
                "kind": owner.kind,
                "name": owner.name,
                "uid": owner.uid,
                "controller": owner.controller,
                "blockOwnerDeletion": owner.controller,
            }]);
        }
        if let Some(at) = self.deleted {
            metadata["deletionTimestamp"] = stamp(at).into();
            metadata["deletionGracePeriodSeconds"] = 0.into();
        }
        if !self.finalizers.is_empty() {
            metadata["finalizers"] = json!(self.finalizers);
        }
        metadata
    }

    /// The labels that kube-apiserver puts on a Job and its Pods.
    fn pod_labels(&self) -> Map<String, Value> {
        let of = |value: &String| Value::from(value.as_str());
        [
            ("batch.kubernetes.io/controller-uid", &self.uid),
            ("batch.kubernetes.io/job-name", &self.name),
            ("controller-uid", &self.uid),
            ("job-name", &self.name),
        ]
        .map(|(key, value)| (key.to_owned(), of(value)))
        .into_iter()
        .collect()
    }

    fn spec(&self) -> Value {
        let mut spec = json!({
            "parallelism": 1,
            "completions": 1,
            "backoffLimit": 3,
            "manualSelector": false,
            "completionMode": "NonIndexed",
            "suspend": self.state == State::Suspended,
            "podReplacementPolicy": "TerminatingOrFailed",
            "selector": {"matchLabels": {"batch.kubernetes.io/controller-uid": self.uid}},
            "template": {
                "metadata": {"labels": self.pod_labels()},
                "spec": {
                    "restartPolicy": "Never",
                    "terminationGracePeriodSeconds": 30,
                    "dnsPolicy": "ClusterFirst",
                    "schedulerName": "default-scheduler",
                    "securityContext": {},
                    "serviceAccountName": "sync",
                    "serviceAccount": "sync",
                    "containers": [self.container()],
                },
            },
        });
        if let Some(seconds) = self.ttl {
            spec["ttlSecondsAfterFinished"] = seconds.into();
        }
        spec
    }

    /// As large as a real one: this is most of what a list of Jobs carries.
    fn container(&self) -> Value {
        let script =
            "set -e; mas-devops-configure --instance $INSTANCE --namespace $NAMESPACE\n".repeat(6);
        let env: Vec<Value> = (0..SETTINGS)
            .map(|number| json!({"name": format!("SETTING_{number}"), "value": format!("value-{number}-{}", self.name)}))
            .collect();
        json!({
            "name": "run",
            "image": "quay.io/ibmmas/cli:12.11.1",
            "imagePullPolicy": "IfNotPresent",
            "command": ["/bin/sh", "-c", script],
            "env": env,
            "resources": {
                "limits": {"cpu": "500m", "memory": "512Mi"},
                "requests": {"cpu": "10m", "memory": "64Mi"},
            },
            "terminationMessagePath": "/dev/termination-log",
            "terminationMessagePolicy": "File",
        })
    }

    fn managed_fields(&self) -> Value {
        let env: Map<String, Value> = (0..SETTINGS)
            .map(|number| (format!("k:{{\"name\":\"SETTING_{number}\"}}"), json!({})))
            .collect();
        let container = json!({".": {}, "f:command": {}, "f:env": env, "f:image": {}, "f:name": {}, "f:resources": {}});
        json!([
            {
                "manager": "argocd-controller",
                "operation": "Apply",
                "apiVersion": "batch/v1",
                "time": stamp(self.created),
                "fieldsType": "FieldsV1",
                "fieldsV1": {
                    "f:metadata": {"f:annotations": {}, "f:labels": {}},
                    "f:spec": {
                        "f:backoffLimit": {},
                        "f:template": {"f:spec": {
                            "f:containers": {"k:{\"name\":\"run\"}": container},
                            "f:restartPolicy": {},
                            "f:serviceAccountName": {},
                        }},
                    },
                },
            },
            {
                "manager": "kube-controller-manager",
                "operation": "Update",
                "apiVersion": "batch/v1",
                "time": stamp(self.ended()),
                "fieldsType": "FieldsV1",
                "subresource": "status",
                "fieldsV1": {"f:status": {
                    "f:conditions": {},
                    "f:completionTime": {},
                    "f:ready": {},
                    "f:startTime": {},
                    "f:succeeded": {},
                    "f:terminating": {},
                    "f:uncountedTerminatedPods": {},
                }},
            },
        ])
    }

    fn status(&self) -> Value {
        let started = stamp(self.created);
        let ended = stamp(self.ended());
        let conditions = |types: &[&str], reason: &str, message: &str| -> Value {
            types
                .iter()
                .map(|kind| {
                    json!({
                        "type": kind,
                        "status": "True",
                        "lastProbeTime": ended,
                        "lastTransitionTime": ended,
                        "reason": reason,
                        "message": message,
                    })
                })
                .collect()
        };
        let failed = (
            "BackoffLimitExceeded",
            "Job has reached the specified backoff limit",
        );
        let mut status = json!({"ready": 0, "terminating": 0, "uncountedTerminatedPods": {}});
        match self.state {
            State::Complete => {
                let types = ["SuccessCriteriaMet", "Complete"];
                status["conditions"] = conditions(
                    &types,
                    "CompletionsReached",
                    "Reached expected number of succeeded pods",
                );
                status["completionTime"] = ended.into();
                status["succeeded"] = 1.into();
            }
            State::Failed => {
                status["conditions"] = conditions(&["FailureTarget", "Failed"], failed.0, failed.1);
                status["failed"] = 4.into();
            }
            State::FailureTarget => {
                status["conditions"] = conditions(&["FailureTarget"], failed.0, failed.1);
                status["failed"] = 3.into();
                status["terminating"] = 1.into();
            }
            State::Running => {
                status["active"] = 1.into();
                status["ready"] = 1.into();
            }
            State::Suspended => {
                status["conditions"] = conditions(&["Suspended"], "JobSuspended", "Job suspended");
            }
        }
        // The Job controller takes the start time of a suspended Job away.
        if self.state != State::Suspended {
            status["startTime"] = started.into();
        }
        status
    }
}

fn stamp(at: Timestamp) -> String {
    at.strftime("%Y-%m-%dT%H:%M:%SZ").to_string()
}

/// What a namespace is in etcd.
pub(crate) fn namespace_entry(name: &str) -> Entry {
    let namespace = json!({
        "apiVersion": "v1",
        "kind": "Namespace",
        "metadata": {
            "name": name,
            "uid": Uuid::new_v4().to_string(),
            "creationTimestamp": stamp(Timestamp::now()),
            "labels": {"kubernetes.io/metadata.name": name},
        },
        "spec": {"finalizers": ["kubernetes"]},
        "status": {"phase": "Active"},
    });
    Entry {
        key: format!("/registry/namespaces/{name}"),
        value: namespace.to_string(),
    }
}
