//! What the cluster knows to complete a command line: one request each, and nothing if it is refused.

use std::collections::BTreeMap;

use http::StatusCode;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use serde::Deserialize;

use super::{Cluster, list::decode, uri::get};
use crate::{
    connection::exchange::LIST_MAX,
    job::{
        query::{Query, Scope},
        selector::Selector,
    },
};

/// This many Jobs are looked at for their labels.
const SAMPLE: u32 = 500;
/// Names and no more of the objects.
const NAMES_ONLY: &str = "application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1";

/// A list of namespaces, of which only the metadata comes.
#[derive(Deserialize)]
struct Namespaces {
    items: Vec<Namespace>,
}

#[derive(Deserialize)]
struct Namespace {
    metadata: ObjectMeta,
}

impl Cluster {
    /// The names of the namespaces, if they may be listed.
    pub async fn namespaces(&self) -> Option<Vec<String>> {
        let request = get("/api/v1/namespaces".to_owned(), NAMES_ONLY).ok()?;
        let answer = self.connection.call_up_to(request, LIST_MAX).await.ok()?;
        let list: Namespaces = serde_json::from_slice(&answer.body).ok()?;
        let names = list
            .items
            .into_iter()
            .map(|namespace| namespace.metadata.name);
        names.collect()
    }

    /// The label keys of some of the Jobs there, each with the number of those that have it.
    pub async fn label_keys(&self, scope: Scope) -> Option<BTreeMap<String, usize>> {
        let query = Query {
            labels: Vec::new(),
            selector: Selector::default(),
            scope,
            chunk_size: SAMPLE,
        };
        let request = query.request(None).ok()?;
        let answer = self.connection.call_up_to(request, LIST_MAX).await.ok()?;
        if answer.status != StatusCode::OK {
            return None;
        }
        let mut keys = BTreeMap::new();
        for job in decode(&answer).ok()?.items {
            for (key, _) in job.metadata.unwrap_or_default().labels.0 {
                *keys.entry(key.0.into_owned()).or_default() += 1;
            }
        }
        Some(keys)
    }
}
