//! What the cluster knows beside a plan: what to complete a command line with, and where Jobs may be that a plan has not
//! found. One request each, and nothing if it is refused.

use std::collections::{BTreeMap, HashSet};

use http::StatusCode;

use super::{
    Cluster,
    list::decode,
    uri::{ACCEPT, Begin, by_name, escape, get, jobs_path, page},
};
use crate::{
    connection::exchange::LIST_MAX,
    decode::{self, Map, Status, Text, decode_status},
    error::Error,
    job::{
        grouping::{Grouping, TRACKING_ID, tracked_application},
        query::{Query, Scope},
    },
};

/// This many Jobs are looked at for their labels and annotations.
const SAMPLE: u32 = 500;
/// Names and no more of the objects.
const NAMES_ONLY: &str = "application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1";

/// What some of the Jobs there carry.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Sample {
    /// Their names.
    pub names: Vec<String>,
    /// How many Jobs there are beside them, as far as the server says it.
    pub others: usize,
    /// Their label keys.
    pub labels: BTreeMap<String, Carried>,
    /// Their annotation keys.
    pub annotations: BTreeMap<String, Carried>,
}

/// How often a key is carried.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Carried {
    /// By how many Jobs.
    pub jobs: usize,
    /// With how many different values.
    pub values: usize,
}

/// A Job, and what it carries.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Marked {
    pub namespace: String,
    pub name: String,
    pub generate_name: Option<String>,
    pub labels: BTreeMap<String, String>,
    pub annotations: BTreeMap<String, String>,
}

impl Marked {
    /// The Argo CD application that its tracking-id names.
    pub fn tracked_application(&self) -> Option<&str> {
        let tracking_id = self.annotations.get(TRACKING_ID)?;
        tracked_application(
            tracking_id,
            &self.namespace,
            &self.name,
            self.generate_name.as_deref(),
        )
    }
}

impl Cluster {
    /// The Jobs of this name where a query looks, whether it selects them or not.
    ///
    /// # Errors
    /// If they cannot be listed.
    pub async fn named(&self, name: &str, query: &Query) -> Result<Vec<Marked>, Error> {
        let path = jobs_path(query.scope.namespace());
        let uri = page(path, vec![by_name(name)], 0, None);
        let answer = async {
            self.connection
                .call_up_to(get(uri, ACCEPT)?, LIST_MAX)
                .await
        };
        let answer = answer
            .await
            .map_err(|failure| failure.into_error(&self.connection.server))?;
        if answer.status != StatusCode::OK {
            return Err(self.refusal(&answer, query));
        }
        let list = decode(&answer).map_err(|why| self.unreadable(&why))?;
        let map = |map: Map<'_>| {
            let entries = map.0.into_iter();
            entries
                .map(|(key, value)| (key.0.into_owned(), value.0.into_owned()))
                .collect()
        };
        let text = |text: Option<Text<'_>>| text.map(|text| text.0.into_owned());
        let marked = |job: decode::Job<'_>| {
            let meta = job.metadata.unwrap_or_default();
            Marked {
                namespace: text(meta.namespace).unwrap_or_default(),
                name: text(meta.name).unwrap_or_default(),
                generate_name: text(meta.generate_name),
                labels: map(meta.labels),
                annotations: map(meta.annotations),
            }
        };
        Ok(list.items.into_iter().map(marked).collect())
    }

    /// Whether there is no namespace of this name, which a list of its Jobs does not tell. Who may not read it does not
    /// learn it.
    pub async fn lacks_namespace(&self, name: &str) -> bool {
        let uri = format!("/api/v1/namespaces/{}", escape(name));
        let answer = async {
            self.connection
                .call_up_to(get(uri, NAMES_ONLY)?, LIST_MAX)
                .await
        };
        answer.await.is_ok_and(|answer| {
            let is_of_namespace = |status: Status| {
                status.details.and_then(|details| details.kind).as_deref() == Some("namespaces")
            };
            answer.status == StatusCode::NOT_FOUND
                && decode_status(&answer.body).is_some_and(is_of_namespace)
        })
    }

    /// The first Jobs there, and what they carry.
    pub async fn sample(&self, scope: Scope) -> Option<Sample> {
        let query = Query::all(Grouping::Family, scope, SAMPLE);
        let request = query.request(&Begin::Fresh).ok()?;
        let answer = self.connection.call_up_to(request, LIST_MAX).await.ok()?;
        if answer.status != StatusCode::OK {
            return None;
        }
        let list = decode(&answer).ok()?;
        let mut sample = Sample {
            others: usize::try_from(list.metadata.remaining_item_count.unwrap_or_default()).ok()?,
            ..Sample::default()
        };
        let mut seen = HashSet::new();
        for job in list.items {
            let meta = job.metadata.unwrap_or_default();
            for (is_label, map) in [(true, meta.labels), (false, meta.annotations)] {
                let carried = if is_label {
                    &mut sample.labels
                } else {
                    &mut sample.annotations
                };
                for (key, value) in map.0 {
                    let carried = carried.entry(key.to_string()).or_default();
                    carried.jobs += 1;
                    carried.values += usize::from(seen.insert((is_label, key.0, value.0)));
                }
            }
            sample
                .names
                .extend(meta.name.map(|name| name.0.into_owned()));
        }
        Some(sample)
    }
}
