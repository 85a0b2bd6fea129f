//! What may be asked beyond `list` and `delete`, and is never needed: whether a delete would be allowed, and which
//! cluster this is.

use std::time::Duration;

use http::{Request, StatusCode, header};
use k8s_openapi::api::{
    authorization::v1::{ResourceAttributes, SelfSubjectAccessReview, SelfSubjectAccessReviewSpec},
    core::v1::Namespace,
};
use kube::client::Body;

use super::{
    Cluster,
    retry::{Backoff, Retry, Tries},
    uri::get,
};
use crate::error::Error;

/// What the server thinks of a delete before it is sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Access {
    /// It would be allowed.
    Allowed,
    /// It would not; the authorizer's reason, if it gave one.
    Denied(String),
    /// The question itself was refused, or not answered.
    Unknown,
}

impl Cluster {
    /// Ask whether Jobs may be deleted, in one namespace or in all.
    pub async fn can_delete(&self, namespace: Option<&str>) -> Access {
        let review = SelfSubjectAccessReview {
            spec: SelfSubjectAccessReviewSpec {
                resource_attributes: Some(ResourceAttributes {
                    verb: Some("delete".to_owned()),
                    group: Some("batch".to_owned()),
                    resource: Some("jobs".to_owned()),
                    namespace: namespace.map(str::to_owned),
                    ..ResourceAttributes::default()
                }),
                ..SelfSubjectAccessReviewSpec::default()
            },
            ..SelfSubjectAccessReview::default()
        };
        let review = serde_json::to_vec(&review).expect("a review is plain data");
        let request = Request::post("/apis/authorization.k8s.io/v1/selfsubjectaccessreviews")
            .header(header::CONTENT_TYPE, "application/json")
            .header(header::ACCEPT, "application/json")
            .body(Body::from(review))
            .expect("a fixed path makes a valid URI");
        let Ok(answer) = self.connection.call(request).await else {
            return Access::Unknown;
        };
        let review = serde_json::from_slice::<SelfSubjectAccessReview>(&answer.body);
        match review.ok().and_then(|review| review.status) {
            Some(status) if answer.status.is_success() && status.allowed => Access::Allowed,
            Some(status) if answer.status.is_success() => {
                Access::Denied(status.reason.unwrap_or_default())
            }
            _ => Access::Unknown,
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
            StatusCode::OK => match serde_json::from_slice::<Namespace>(&answer.body) {
                Ok(namespace) if namespace.metadata.uid.is_some() => {
                    return Ok(namespace.metadata.uid);
                }
                _ => ("the answer cannot be read".to_owned(), None),
            },
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
