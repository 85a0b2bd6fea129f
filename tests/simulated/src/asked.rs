//! What a request asks for, and whether it says it as it should.

use std::sync::Arc;

use http::{Method, Uri};
use percent_encoding::percent_decode_str;
use serde_json::Value;

use crate::job::{EMPTY_NAMESPACES, Job, Key, LABEL, NAMESPACES, SELECTED};

/// What a request asks for.
#[derive(Debug, Clone)]
pub enum Asked {
    Jobs(List),
    /// The Namespaces, of which the metadata alone is asked for.
    Namespaces(Page),
    Delete(Delete),
    Pods,
    /// What a GitOps tool wants, or whether the server knows the kind.
    GitOps,
    /// What this tool never asks for.
    Other(String),
}

/// A page of a list.
#[derive(Debug, Clone)]
pub struct Page {
    pub limit: usize,
    pub token: Option<String>,
    /// The version that the list is to show, if one is named.
    pub at: Option<u64>,
}

/// A list of Jobs.
#[derive(Debug, Clone)]
pub struct List {
    pub namespace: Option<&'static str>,
    /// Labels, with their values if those are asked for.
    pub labels: Vec<(String, Option<String>)>,
    /// The name of the one Job that is asked for.
    pub name: Option<Arc<str>>,
    pub page: Page,
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
        let known = |name: &str| {
            let mut all = NAMESPACES.iter().chain(&EMPTY_NAMESPACES);
            all.find(|known| **known == name).copied()
        };
        let other = || Asked::Other(format!("{method} {uri}"));
        let is_of_metadata = accept.contains("PartialObjectMetadataList");
        let page = || {
            let (version, matches) = (of("resourceVersion"), of("resourceVersionMatch"));
            let token = of("continue");
            let at = match (version, matches.as_deref(), &token) {
                (None, None, _) => None,
                (Some(version), Some("Exact"), None) => Some(version.parse().ok()?),
                _ => return None,
            };
            let limit = of("limit").map_or(usize::MAX, |limit| limit.parse().unwrap_or_default());
            Some(Page { limit, token, at })
        };
        match (method, path.as_slice()) {
            (&Method::GET, ["apis", "batch", "v1", rest @ ..]) => {
                let namespace = match rest {
                    ["jobs"] => None,
                    ["namespaces", name, "jobs"] if known(name).is_some() => known(name),
                    _ => return other(),
                };
                let Some(page) = page() else {
                    return other();
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
                    page,
                    is_of_metadata,
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
            (&Method::GET, ["api", "v1", "namespaces"]) if is_of_metadata => {
                page().map_or_else(other, Asked::Namespaces)
            }
            (&Method::GET, ["api", "v1", .., "pods"]) => Asked::Pods,
            (&Method::GET, ["apis", "argoproj.io" | "kustomize.toolkit.fluxcd.io", ..]) => {
                Asked::GitOps
            }
            _ => other(),
        }
    }

    /// Whether it is the first page of the list that a plan rests on.
    pub fn is_first_page(&self) -> bool {
        let page = self.page_for_plan();
        page.is_some_and(|page| page.token.is_none() && page.at.is_none())
    }

    /// Whether it begins a part of that list.
    pub fn is_part(&self) -> bool {
        self.page_for_plan().is_some_and(|page| page.at.is_some())
    }

    fn page_for_plan(&self) -> Option<&Page> {
        match self {
            Asked::Jobs(list) if !list.is_of_metadata && list.name.is_none() => Some(&list.page),
            _ => None,
        }
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
