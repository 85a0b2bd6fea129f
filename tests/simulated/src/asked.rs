//! What a request asks for, and whether it says it as it should.

use std::sync::Arc;

use http::{Method, Uri};
use percent_encoding::percent_decode_str;
use serde_json::Value;

use crate::job::{Job, Key, LABEL, NAMESPACES, SELECTED};

/// What a request asks for.
#[derive(Debug, Clone)]
pub enum Asked {
    Jobs(List),
    Delete(Delete),
    Pods,
    /// What a GitOps tool wants, or whether the server knows the kind.
    GitOps,
    /// What this tool never asks for.
    Other(String),
}

/// A list of Jobs.
#[derive(Debug, Clone)]
pub struct List {
    pub namespace: Option<&'static str>,
    /// Labels, with their values if those are asked for.
    pub labels: Vec<(String, Option<String>)>,
    /// The name of the one Job that is asked for.
    pub name: Option<Arc<str>>,
    pub limit: usize,
    pub token: Option<String>,
    /// Whether the metadata alone is asked for.
    pub is_of_metadata: bool,
}

/// The delete of a Job.
#[derive(Debug, Clone)]
pub struct Delete {
    pub key: Key,
    pub body: Options,
    pub query: Options,
}

/// The options of a delete.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Options {
    pub uid: Option<String>,
    pub version: Option<u64>,
    pub cascade: Option<String>,
    pub is_dry: bool,
}

impl Options {
    fn of_body(body: &[u8]) -> Options {
        let body: Value = serde_json::from_slice(body).unwrap_or_default();
        let text = |value: &Value| value.as_str().map(str::to_owned);
        Options {
            uid: text(&body["preconditions"]["uid"]),
            version: text(&body["preconditions"]["resourceVersion"])
                .and_then(|version| version.parse().ok()),
            cascade: text(&body["propagationPolicy"]),
            is_dry: body["dryRun"][0] == "All",
        }
    }
}

impl Asked {
    pub fn read(method: &Method, uri: &Uri, accept: &str, body: &[u8]) -> Asked {
        let decode = |text: &str| percent_decode_str(text).decode_utf8_lossy().into_owned();
        let query: Vec<(&str, String)> = uri
            .query()
            .unwrap_or_default()
            .split('&')
            .filter_map(|part| part.split_once('='))
            .map(|(key, value)| (key, decode(value)))
            .collect();
        let of = |key: &str| {
            let mut found = query.iter().filter(|(known, _)| *known == key);
            found.next().map(|(_, value)| value.clone())
        };
        let path: Vec<&str> = uri.path().trim_matches('/').split('/').collect();
        let known = |name: &str| NAMESPACES.iter().find(|known| **known == name).copied();
        match (method, path.as_slice()) {
            (&Method::GET, ["apis", "batch", "v1", rest @ ..]) => {
                let namespace = match rest {
                    ["jobs"] => None,
                    ["namespaces", name, "jobs"] if known(name).is_some() => known(name),
                    _ => return Asked::Other(format!("{method} {uri}")),
                };
                let label = |part: &str| match part.split_once('=') {
                    Some((key, value)) => (
                        key.to_owned(),
                        Some(value.trim_start_matches('=').to_owned()),
                    ),
                    None => (part.to_owned(), None),
                };
                let labels = of("labelSelector").unwrap_or_default();
                let labels = labels.split(',').filter(|part| !part.is_empty());
                let fields = of("fieldSelector");
                let name = fields.as_deref().map(|fields| {
                    fields
                        .strip_prefix("metadata.name=")
                        .unwrap_or(fields)
                        .into()
                });
                Asked::Jobs(List {
                    namespace,
                    labels: labels.map(label).collect(),
                    name,
                    limit: of("limit")
                        .map_or(usize::MAX, |limit| limit.parse().unwrap_or_default()),
                    token: of("continue"),
                    is_of_metadata: accept.contains("PartialObjectMetadataList"),
                })
            }
            (&Method::DELETE, ["apis", "batch", "v1", "namespaces", namespace, "jobs", name])
                if known(namespace).is_some() =>
            {
                let key = (known(namespace).unwrap_or_default(), decode(name).into());
                Asked::Delete(Delete {
                    key,
                    body: Options::of_body(body),
                    query: Options {
                        uid: of("uid"),
                        version: of("resourceVersion").and_then(|version| version.parse().ok()),
                        cascade: of("propagationPolicy"),
                        is_dry: of("dryRun").as_deref() == Some("All"),
                    },
                })
            }
            (&Method::GET, ["api", "v1", .., "pods"]) => Asked::Pods,
            (&Method::GET, ["apis", "argoproj.io" | "kustomize.toolkit.fluxcd.io", ..]) => {
                Asked::GitOps
            }
            _ => Asked::Other(format!("{method} {uri}")),
        }
    }

    /// Whether it is the first page of the list that a plan rests on.
    pub fn is_first_page(&self) -> bool {
        matches!(self, Asked::Jobs(list) if !list.is_of_metadata && list.name.is_none() && list.token.is_none())
    }

    /// Whether it is about one Job on its way to its outcome.
    pub fn is_of_purge(&self) -> bool {
        match self {
            Asked::Delete(_) => true,
            Asked::Jobs(list) => list.name.is_some() && !list.is_of_metadata,
            _ => false,
        }
    }
}

impl List {
    pub fn selects(&self, job: &Job) -> bool {
        let has = |(key, value): &(String, Option<String>)| {
            let found = match key.as_str() {
                LABEL => job.app,
                key if key == SELECTED.0 => job.is_selected.then_some(SELECTED.1),
                _ => None,
            };
            found.is_some_and(|found| value.as_deref().is_none_or(|value| value == found))
        };
        self.namespace
            .is_none_or(|namespace| namespace == job.namespace)
            && self.name.as_ref().is_none_or(|name| *name == job.name)
            && self.labels.iter().all(has)
    }
}
