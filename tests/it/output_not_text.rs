//! What anyone who may write a Job can store in it, in protobuf: bytes that are not UTF-8. They spoil nothing for others.

use serde_json::{Value, json};

use crate::support::control_plane::everywhere;
use crate::support::proto::SCHEMA;
use crate::support::proxy::Request;
use crate::support::{ApiClient, Space, plane, run, verdicts};

/// A text that is there once, and whose first byte is replaced.
const SPOILT: &str = "?spoilt?";

/// Sends a Job in protobuf, with a byte in it that is not UTF-8.
#[track_caller]
fn send(method: &str, target: &str, job: &Value, status: u16) {
    let mut body = SCHEMA.body("k8s.io.api.batch.v1.Job", job);
    let at = body
        .windows(SPOILT.len())
        .position(|bytes| bytes == SPOILT.as_bytes());
    body[at.unwrap()] = 0xff;
    let kind = "application/vnd.kubernetes.protobuf";
    let headers = ["content-type", "accept"].map(|name| (name.to_owned(), kind.to_owned()));
    let request = Request::new(method.to_owned(), target.to_owned(), headers.to_vec(), body);
    let answer = ApiClient::admin(plane()).pass(&request);
    let words = String::from_utf8_lossy(&answer.body);
    assert_eq!(answer.status, status, "{words}");
}

fn job(space: &Space, key: &str, name: &str) -> Value {
    let containers = json!([{"name": "run", "image": "example.com/none:1"}]);
    json!({
        "apiVersion": "batch/v1", "kind": "Job",
        "metadata": {"name": name, "namespace": space.name, "labels": {key: "g"}},
        "spec": {"suspend": true, "template": {"spec": {"restartPolicy": "Never", "containers": containers}}},
    })
}

#[test]
fn a_tenant_does_not_spoil_a_run_for_everyone() {
    let key = "test.example/not-text";
    let (space, tenant) = (Space::new(), Space::new());
    let mut noted = job(&tenant, key, "noted");
    noted["metadata"]["annotations"] = json!({"note": SPOILT});
    send("POST", &tenant.path(), &noted, 201);
    let mut owned = job(&tenant, key, "owned");
    // The garbage collector leaves what belongs to a kind that it does not know.
    owned["metadata"]["ownerReferences"] = json!([
        {"apiVersion": "test.example/v1", "kind": SPOILT, "name": "a", "uid": "1", "controller": true},
    ]);
    send("POST", &tenant.path(), &owned, 201);
    space.seed(&[2, 1].map(|age| {
        let name = format!("sync-{age}");
        crate::support::control_plane::job_in(&space.name, key, "g", &name, age)
    }));
    let args = ["--yes", "--cascade=background", "-o", "json"];
    let report = run(everywhere(key, &args)).exits(0).json();
    // Which of the two is the newest depends on whether a second began between them.
    let mut all = verdicts(&report);
    for verdict in &mut all {
        *verdict = verdict.replace("mixed-group,newest", "mixed-group");
    }
    all.sort();
    assert_eq!(
        all,
        [
            "noted SKIP active,mixed-group",
            "owned SKIP active,mixed-group,owned",
            "sync-1 SKIP newest",
            "sync-2 PURGE superseded",
        ]
    );
    space.holds(&["sync-1"]);
    // Their names are shown like any other's.
    let wide = run(everywhere(key, &["--dry-run=client", "-o", "wide"])).exits(0);
    wide.shows(&["noted", "owned"]);
}
