//! What may be asked beyond `list` and `delete`, and is never needed: whether something would be allowed, and which
//! cluster this is.

use std::{fmt, time::Duration};

use http::{Request, StatusCode, header};
use kube::client::Body;
use serde_json::{Value, json};

use super::{
    Cluster,
    retry::{Backoff, Retry, Tries},
    uri::get,
};
use crate::error::Error;

/// What may be done with objects of a kind.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Right {
    pub verb: &'static str,
    /// The API group, empty for the core one.
    pub group: &'static str,
    pub resource: &'static str,
    /// What of the object, if not all of it.
    pub subresource: Option<&'static str>,
}

impl Right {
    pub const LIST_JOBS: Right = Right::new("list", "batch", "jobs");
    pub const DELETE_JOBS: Right = Right::new("delete", "batch", "jobs");
    pub const CREATE_JOBS: Right = Right::new("create", "batch", "jobs");
    pub const LIST_PODS: Right = Right::new("list", "", "pods");
    pub const LIST_EVENTS: Right = Right::new("list", "", "events");
    pub const GET_LOGS: Right = Right {
        subresource: Some("log"),
        ..Right::new("get", "", "pods")
    };

    /// To do this with whole objects.
    pub const fn new(verb: &'static str, group: &'static str, resource: &'static str) -> Right {
        Right {
            verb,
            group,
            resource,
            subresource: None,
        }
    }

    /// The resource as a role names it, `pods/log` for one.
    pub fn role_resource(self) -> String {
        match self.subresource {
            None => self.resource.to_owned(),
            Some(subresource) => format!("{}/{subresource}", self.resource),
        }
    }
}

/// As in "the verb delete on jobs.batch".
impl fmt::Display for Right {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let dot = if self.group.is_empty() { "" } else { "." };
        let resource = self.role_resource();
        write!(f, "the verb {} on {resource}{dot}{}", self.verb, self.group)
    }
}

/// What the server thinks of a request before it is sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Access {
    /// It would be allowed.
    Allowed,
    /// It would not; the authorizer's reason, if it gave one.
    Denied(String),
    /// The question itself was refused, or not answered.
    Unknown,
}

impl Access {
    /// If it is denied, the reason as it follows a sentence: nothing, or a colon and the authorizer's words.
    pub fn denial(self) -> Option<String> {
        match self {
            Access::Allowed | Access::Unknown => None,
            Access::Denied(reason) if reason.is_empty() => Some(reason),
            Access::Denied(reason) => Some(format!(": {reason}")),
        }
    }
}

impl Cluster {
    /// Ask whether this may be done, in one namespace or in all.
    pub async fn may(&self, right: Right, namespace: Option<&str>) -> Access {
        let review = json!({
            "apiVersion": "authorization.k8s.io/v1", "kind": "SelfSubjectAccessReview",
            "spec": {"resourceAttributes": {
                "verb": right.verb, "group": right.group, "resource": right.resource,
                "subresource": right.subresource, "namespace": namespace,
            }},
        });
        let request = Request::post("/apis/authorization.k8s.io/v1/selfsubjectaccessreviews")
            .header(header::CONTENT_TYPE, "application/json")
            .header(header::ACCEPT, "application/json")
            .body(Body::from(review.to_string().into_bytes()))
            .expect("a fixed path makes a valid URI");
        let Ok(answer) = self.connection.call(request).await else {
            return Access::Unknown;
        };
        let review: Value = serde_json::from_slice(&answer.body).unwrap_or_default();
        match review["status"]["allowed"].as_bool() {
            _ if !answer.status.is_success() => Access::Unknown,
            _ if review["kind"] != "SelfSubjectAccessReview" => Access::Unknown,
            Some(true) => Access::Allowed,
            Some(false) => {
                let reason = review["status"]["reason"].as_str();
                Access::Denied(reason.unwrap_or_default().to_owned())
            }
            None => Access::Unknown,
        }
    }

    /// The uid of the namespace `kube-system`, which is as good as a name for the cluster; `None` if it may not be read.
    ///
    /// # Errors
    /// If the server does not say, which must not pass for a cluster that may be any.
    pub async fn uid(
        &self,
        on_wait: &mut dyn FnMut(Duration, &str),
    ) -> Result<Option<String>, Error> {
        let mut backoff = Backoff::new(Tries::for_list());
        loop {
            match self.try_uid().await {
                Ok(uid) => return Ok(uid),
                Err(tried) => backoff.wait(tried, &mut *on_wait).await?,
            }
        }
    }

    async fn try_uid(&self) -> Result<Option<String>, Retry<Error>> {
        let server = &self.connection.server;
        let unclear = |why: &str| {
            let message = format!("cannot find out which cluster {server} is: {why}");
            Error::failure(message).hint("try again when the server answers")
        };
        let request = get(
            "/api/v1/namespaces/kube-system".to_owned(),
            "application/json",
        );
        let answer = async { self.connection.call(request?).await }.await;
        let answer = answer.map_err(|why| Retry::after(why, |why| why.into_error(server)))?;
        let (why, retry_after) = match answer.status {
            StatusCode::OK => {
                let namespace: Value = serde_json::from_slice(&answer.body).unwrap_or_default();
                match namespace["metadata"]["uid"].as_str() {
                    Some(uid) if namespace["kind"] == "Namespace" => {
                        return Ok(Some(uid.to_owned()));
                    }
                    _ => ("the answer cannot be read".to_owned(), None),
                }
            }
            StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN | StatusCode::NOT_FOUND => {
                return Ok(None);
            }
            _ if answer.is_transient() => (answer.words(), answer.retry_after()),
            _ => return Err(Retry::Fatal(unclear(&answer.words()))),
        };
        Err(Retry::Again {
            last: unclear(&why),
            why,
            retry_after,
        })
    }
}
