//! What may be asked beyond `list` and `delete`, and is never needed: whether a delete would be allowed, and which
//! cluster this is.

use http::{Request, StatusCode, header};
use kube::client::Body;
use serde::Deserialize;
use serde_json::json;

use super::{Cluster, list::escape};

/// What the server thinks of a delete before it is sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Access {
    /// It would be allowed.
    Allowed,
    /// It would not; the authorizer's reason, if it gave one.
    Denied(String),
    /// Nobody can tell: the question itself was refused, or not answered.
    Unknown,
}

#[derive(Deserialize)]
struct Review {
    status: ReviewStatus,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct ReviewStatus {
    allowed: bool,
    #[serde(default)]
    reason: String,
}

#[derive(Deserialize)]
struct Namespace {
    metadata: NamespaceMeta,
}

#[derive(Deserialize)]
struct NamespaceMeta {
    uid: String,
}

impl Cluster {
    /// Ask whether Jobs may be deleted, in one namespace or in all.
    pub async fn may_delete(&self, namespace: Option<&str>) -> Access {
        let review = json!({
            "apiVersion": "authorization.k8s.io/v1",
            "kind": "SelfSubjectAccessReview",
            "spec": {"resourceAttributes": {
                "verb": "delete", "group": "batch", "resource": "jobs", "namespace": namespace.unwrap_or_default(),
            }},
        });
        let request = Request::post("/apis/authorization.k8s.io/v1/selfsubjectaccessreviews")
            .header(header::CONTENT_TYPE, "application/json")
            .header(header::ACCEPT, "application/json")
            .body(Body::from(review.to_string().into_bytes()))
            .expect("a fixed path makes a valid URI");
        let Ok(answer) = self.call(request).await else {
            return Access::Unknown;
        };
        match serde_json::from_slice::<Review>(&answer.body) {
            Ok(review) if answer.status.is_success() => match review.status.allowed {
                true => Access::Allowed,
                false => Access::Denied(review.status.reason),
            },
            _ => Access::Unknown,
        }
    }

    /// The uid of the namespace `kube-system`, which is as good as a name for the cluster; `None` if it may not be read.
    pub async fn uid(&self) -> Option<String> {
        let request = Request::get(format!("/api/v1/namespaces/{}", escape("kube-system")))
            .header(header::ACCEPT, "application/json")
            .body(Body::empty())
            .expect("a fixed path makes a valid URI");
        let answer = self.call(request).await.ok()?;
        let namespace: Namespace = match answer.status {
            StatusCode::OK => serde_json::from_slice(&answer.body).ok()?,
            _ => return None,
        };
        Some(namespace.metadata.uid)
    }
}
