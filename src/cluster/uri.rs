//! The requests that are sent about Jobs.

use std::sync::Arc;

use http::{Request, header};
use kube::client::Body;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};

use crate::{
    connection::failure::{Failure, Stage},
    job::{label::LabelKey, query::Query},
};

/// Where a page of a list begins.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Begin {
    /// At the first object, with a fresh and consistent read: without a resourceVersion.
    Fresh,
    /// At the first object that was there at this version, which another list has shown.
    AtVersion(Arc<str>),
    /// Where this token says.
    Token(Arc<str>),
}

impl Query {
    /// What the server gets to select by: every label that makes groups exists, and what the user selects.
    fn parameters(&self) -> Vec<String> {
        let mut labels: Vec<String> = self
            .grouping
            .label_keys()
            .map(LabelKey::to_string)
            .collect();
        if !self.selector.is_empty() {
            labels.push(self.selector.to_string());
        }
        let mut parameters = Vec::new();
        if !labels.is_empty() {
            parameters.push(format!("labelSelector={}", escape(&labels.join(","))));
        }
        if !self.fields.is_empty() {
            parameters.push(format!(
                "fieldSelector={}",
                escape(&self.fields.to_string())
            ));
        }
        parameters
    }

    pub(crate) fn request(&self, begin: &Begin) -> Result<Request<Body>, Failure> {
        let path = jobs_path(self.scope.namespace());
        let mut parameters = self.parameters();
        let token = match begin {
            Begin::Fresh => None,
            Begin::AtVersion(version) => {
                parameters.push(format!("resourceVersion={}", escape(version)));
                parameters.push("resourceVersionMatch=Exact".to_owned());
                None
            }
            Begin::Token(token) => Some(&**token),
        };
        get(page(path, parameters, self.chunk_size, token), ACCEPT)
    }
}

/// Select what has this name.
pub(crate) fn by_name(name: &str) -> String {
    format!("fieldSelector={}", escape(&format!("metadata.name={name}")))
}

/// The address of a page of a list.
pub(crate) fn page(
    path: String,
    mut parameters: Vec<String>,
    chunk_size: u32,
    token: Option<&str>,
) -> String {
    if chunk_size > 0 {
        parameters.push(format!("limit={chunk_size}"));
    }
    if let Some(token) = token {
        parameters.push(format!("continue={}", escape(token)));
    }
    if parameters.is_empty() {
        path
    } else {
        format!("{path}?{}", parameters.join("&"))
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
