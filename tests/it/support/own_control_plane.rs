//! A control plane that tests may maltreat, one at a time, and what they do to it.

use std::collections::BTreeSet;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::ops::Deref;
use std::sync::{Mutex, MutexGuard, PoisonError};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use controlplane::{ControlPlane, Controllers, Options};
use serde_json::{Value, json};

use super::control_plane::job_in;
use super::{ApiClient, LABEL};

/// Without a cache of Jobs, which would answer for etcd, and small enough that fairness can squeeze a user.
const FLAGS: [&str; 3] = [
    "--watch-cache-sizes=jobs.batch#0",
    "--max-requests-inflight=40",
    "--max-mutating-requests-inflight=40",
];

/// The control plane while one test has it.
pub struct OwnControlPlane(MutexGuard<'static, Option<ControlPlane>>);

/// Waits for the control plane, which the first test that asks starts. No controllers run there.
pub fn own_control_plane() -> OwnControlPlane {
    static PLANE: Mutex<Option<ControlPlane>> = Mutex::new(None);
    // A test that failed left it running, or it will be seen.
    let mut plane = PLANE.lock().unwrap_or_else(PoisonError::into_inner);
    if plane.is_none() {
        *plane = Some(fresh());
    }
    OwnControlPlane(plane)
}

/// Another of its kind for a test that needs it long, or that ruins it.
pub fn fresh() -> ControlPlane {
    start(&FLAGS)
}

/// A control plane that now and then wants no more requests on a connection of HTTP/2, as often as it can be told to.
pub fn going_away() -> ControlPlane {
    start(&["--goaway-chance=0.02"])
}

/// A control plane with the cache of Jobs that most have, and no controllers. It holds no Jobs and no namespaces but the
/// cluster's own when a test gets it: a test that looks at every namespace sees its own Jobs and no others.
pub fn empty_control_plane() -> OwnControlPlane {
    static PLANE: Mutex<Option<ControlPlane>> = Mutex::new(None);
    let mut plane = PLANE.lock().unwrap_or_else(PoisonError::into_inner);
    clear(plane.get_or_insert_with(|| start(&[])));
    OwnControlPlane(plane)
}

/// Takes away what other tests left: all Jobs, and their namespaces.
pub fn clear(plane: &ControlPlane) {
    let etcd = Etcd::of(plane);
    for prefix in ["jobs/", "namespaces/part-", "namespaces/private-"] {
        etcd.forget(&format!("/registry/{prefix}"));
    }
}

fn start(flags: &[&str]) -> ControlPlane {
    let options = Options {
        controllers: Controllers::Off,
        apiserver_flags: flags.iter().copied().map(str::to_owned).collect(),
        ..Options::default()
    };
    ControlPlane::start(options).unwrap()
}

impl Deref for OwnControlPlane {
    type Target = ControlPlane;

    fn deref(&self) -> &ControlPlane {
        self.0.as_ref().unwrap()
    }
}

/// Makes a namespace with a group of `count` complete Jobs: `job-000` is the newest, each next one an hour older.
pub fn namespace_of(plane: &ControlPlane, count: u32) -> String {
    let namespace = plane.namespace("private").unwrap();
    let job = |number| {
        let name = format!("job-{number:03}");
        job_in(&namespace, LABEL, "g", &name, i64::from(number) + 1)
    };
    plane
        .seed(&(0..count).map(job).collect::<Vec<_>>())
        .unwrap();
    namespace
}

/// The etcd below a control plane.
pub struct Etcd {
    address: String,
}

impl Etcd {
    /// That of this one.
    pub fn of(plane: &ControlPlane) -> Self {
        Self {
            address: plane.etcd_url().replace("http://", ""),
        }
    }

    /// Makes one more revision and forgets all before it.
    pub fn compact(&self) {
        let key = BASE64.encode("/jobclean/compacted");
        let put = self.post("/v3/kv/put", &json!({"key": key, "value": ""}));
        let revision = &put["header"]["revision"];
        self.post(
            "/v3/kv/compaction",
            &json!({"revision": revision, "physical": true}),
        );
    }

    /// Removes all keys that begin with this.
    fn forget(&self, prefix: &str) {
        let (rest, last) = prefix.as_bytes().split_at(prefix.len() - 1);
        // All keys from here to just before the one that has the next character instead of the last.
        let end = [rest, &[last[0] + 1]].concat();
        let range = json!({"key": BASE64.encode(prefix), "range_end": BASE64.encode(end)});
        self.post("/v3/kv/deleterange", &range);
        // They all go at one revision. kube-apiserver takes its cache to be at that revision when it has seen the first of
        // them; one revision more makes a consistent read wait for the rest.
        let step = BASE64.encode("/jobclean/step");
        self.post("/v3/kv/put", &json!({"key": step, "value": ""}));
    }

    /// The names of a namespace's Jobs, which are there to see when no API server is.
    pub fn jobs(&self, namespace: &str) -> BTreeSet<String> {
        let prefix = format!("/registry/jobs/{namespace}/");
        // All keys from here to just before the one that has the next character instead of the last.
        let end = format!("/registry/jobs/{namespace}0");
        let range = json!({
            "key": BASE64.encode(&prefix), "range_end": BASE64.encode(end), "keys_only": true,
        });
        let found = self.post("/v3/kv/range", &range);
        let keys = found["kvs"].as_array().into_iter().flatten();
        keys.map(|entry| {
            let key = BASE64.decode(entry["key"].as_str().unwrap()).unwrap();
            String::from_utf8(key).unwrap()[prefix.len()..].to_owned()
        })
        .collect()
    }

    fn post(&self, path: &str, body: &Value) -> Value {
        let body = body.to_string();
        let mut stream = TcpStream::connect(&self.address).unwrap();
        write!(
            stream,
            "POST {path} HTTP/1.0\r\nHost: etcd\r\nContent-Length: {}\r\n\r\n{body}",
            body.len()
        )
        .unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        let (head, body) = answer.split_once("\r\n\r\n").unwrap();
        assert!(head.contains(" 200 "), "{answer}");
        serde_json::from_str(body).unwrap()
    }
}

/// Makes requests of this user few: the server takes one at a time and answers 429 to those beside it.
pub fn squeeze(plane: &ControlPlane, user: &str) {
    let level = json!({
        "apiVersion": "flowcontrol.apiserver.k8s.io/v1", "kind": "PriorityLevelConfiguration",
        "metadata": {"name": user},
        "spec": {"type": "Limited", "limited": {
            "nominalConcurrencyShares": 1, "lendablePercent": 0, "borrowingLimitPercent": 0,
            "limitResponse": {"type": "Reject"},
        }},
    });
    let subject = json!({"kind": "User", "user": {"name": user}});
    let rule = json!({
        "verbs": ["*"], "apiGroups": ["*"], "resources": ["*"],
        "namespaces": ["*"], "clusterScope": true,
    });
    let schema = json!({
        "apiVersion": "flowcontrol.apiserver.k8s.io/v1", "kind": "FlowSchema",
        "metadata": {"name": user},
        "spec": {
            "priorityLevelConfiguration": {"name": user}, "matchingPrecedence": 50,
            "rules": [{"subjects": [subject], "resourceRules": [rule]}],
        },
    });
    let binding = json!({
        "apiVersion": "rbac.authorization.k8s.io/v1", "kind": "ClusterRoleBinding",
        "metadata": {"name": user},
        "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": "cluster-admin"},
        "subjects": [{"apiGroup": "rbac.authorization.k8s.io", "kind": "User", "name": user}],
    });
    plane
        .kubectl_apply(&format!("{level}\n---\n{schema}\n---\n{binding}\n"))
        .unwrap();
    let uid = plane.get_json(&format!(
        "/apis/flowcontrol.apiserver.k8s.io/v1/flowschemas/{user}"
    ));
    let uid = uid.unwrap()["metadata"]["uid"].as_str().unwrap().to_owned();
    let squeezed = ApiClient::new(plane, user, &[]);
    super::until("the user is squeezed and has its rights", || {
        let reply = squeezed.get("/apis/batch/v1/jobs");
        let schema = reply
            .headers
            .iter()
            .find(|(name, _)| name == "x-kubernetes-pf-flowschema-uid");
        reply.status == 200 && schema.is_some_and(|(_, value)| *value == uid)
    });
}
