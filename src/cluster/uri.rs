//! The requests that are sent about Jobs.

use http::{Request, header};
use kube::client::Body;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};

use crate::{
    connection::failure::{Failure, Stage},
    job::{
        label::LabelKey,
        query::{Query, Scope},
    },
};

impl Query {
    /// The label selector that the server gets: every cleanup label exists, and what the user selects.
    fn label_selector(&self) -> String {
        let mut parts: Vec<String> = self.labels.iter().map(LabelKey::to_string).collect();
        if !self.selector.is_empty() {
            parts.push(self.selector.to_string());
        }
        parts.join(",")
    }

    /// Never with a resourceVersion: the first page is a fresh and consistent read.
    pub(crate) fn request(&self, token: Option<&str>) -> Result<Request<Body>, Failure> {
        let mut uri = jobs_path(match &self.scope {
            Scope::AllNamespaces => None,
            Scope::Namespace(namespace) => Some(namespace),
        });
        uri += &format!("?labelSelector={}", escape(&self.label_selector()));
        if self.chunk_size > 0 {
            uri += &format!("&limit={}", self.chunk_size);
        }
        if let Some(token) = token {
            uri += &format!("&continue={}", escape(token));
        }
        get(uri, ACCEPT)
    }
}

/// The path of Jobs, in one namespace or in all.
pub(crate) fn jobs_path(namespace: Option<&str>) -> String {
    match namespace {
        None => "/apis/batch/v1/jobs".to_owned(),
        Some(namespace) => format!("/apis/batch/v1/namespaces/{}/jobs", escape(namespace)),
    }
}

/// Everything but what a URI never needs to escape.
const ESCAPED: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'-')
    .remove(b'.')
    .remove(b'_')
    .remove(b'~');

pub(crate) fn escape(text: &str) -> String {
    utf8_percent_encode(text, ESCAPED).to_string()
}

/// A request to read something.
///
/// # Errors
/// If the address is longer than one can be: then something that is listed or selected has an absurd length.
pub(crate) fn get(uri: String, accept: &str) -> Result<Request<Body>, Failure> {
    build(
        Request::get(uri).header(header::ACCEPT, accept),
        Body::empty(),
    )
}

/// Put a request together, see [`get`].
pub(crate) fn build(request: http::request::Builder, body: Body) -> Result<Request<Body>, Failure> {
    request.body(body).map_err(|_| Failure::Setup {
        stage: Stage::Unsent,
        message: "the request is longer than one can be".to_owned(),
        hint: "select with fewer or shorter values".into(),
    })
}

/// Protobuf costs the API server half the time of JSON; JSON is for servers that do not speak it.
pub(crate) const ACCEPT: &str = "application/vnd.kubernetes.protobuf, application/json";
