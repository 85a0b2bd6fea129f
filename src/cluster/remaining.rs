//! What is still there of Jobs that were deleted, and the Pods that they wait for: metadata alone, with the right to
//! list alone.

use std::sync::Arc;
use std::time::Duration;

use http::StatusCode;

use super::{
    Cluster,
    retry::{Backoff, Tries},
    uri::{escape, get, jobs_path},
};
use crate::{
    connection::{exchange::LIST_MAX, failure::Failure},
    decode::metadata::{self, ACCEPT, Kind, MetadataList, ObjectMeta},
    job::ids::Uid,
};

/// How often a list is begun before it is given up.
const MAX_STARTS: usize = 4;

/// Why something could not be seen: a lowercase fragment.
pub type Blind = String;

/// One look at the cluster: how it is listed, and who is told of waits.
pub struct Look<'a> {
    /// The most objects in one answer; 0 asks for all at once.
    pub chunk_size: u32,
    /// It waits for so long before it asks again, and why.
    pub on_wait: &'a mut dyn FnMut(Duration, &str),
}

/// Why a page is of no use.
enum Trouble {
    /// Its snapshot is gone, or it is not what was asked for.
    StartOver(String),
    Fatal(Blind),
}

impl Cluster {
    /// All Jobs that are at these places.
    ///
    /// # Errors
    /// If it cannot be seen at all of them: what was not looked at would pass for gone.
    pub async fn jobs_at(
        &self,
        places: &[Place],
        look: &mut Look<'_>,
    ) -> Result<Vec<FoundJob>, Blind> {
        let mut jobs = Vec::new();
        let mut take = |meta: ObjectMeta| {
            jobs.push(FoundJob {
                uid: Uid::from(meta.uid),
                finalizers: meta.finalizers,
            });
        };
        for place in places {
            self.metadata_at(Kind::Jobs, place, look, &mut take).await?;
        }
        Ok(jobs)
    }

    /// All Pods that are at these places and have an owner.
    ///
    /// # Errors
    /// If they cannot be seen, which nobody needs to be able to.
    pub async fn pods_at(
        &self,
        places: &[Place],
        look: &mut Look<'_>,
    ) -> Result<Vec<FoundPod>, Blind> {
        let mut pods = Vec::new();
        let mut take = |meta: ObjectMeta| {
            if !meta.owner_references.is_empty() {
                let owners = meta.owner_references.into_iter();
                pods.push(FoundPod {
                    owners: owners.map(|owner| Uid::from(owner.uid)).collect(),
                    name: meta.name,
                    finalizers: meta.finalizers,
                });
            }
        };
        for place in places {
            self.metadata_at(Kind::Pods, place, look, &mut take).await?;
        }
        Ok(pods)
    }

    /// Whatever is at a place. If a list has to start over, some of it is taken twice; nothing is left out.
    async fn metadata_at(
        &self,
        kind: Kind,
        place: &Place,
        look: &mut Look<'_>,
        take: &mut dyn FnMut(ObjectMeta),
    ) -> Result<(), Blind> {
        let mut starts = 1;
        loop {
            match self.metadata_once(kind, place, look, take).await {
                Ok(()) => return Ok(()),
                Err(Trouble::StartOver(_)) if starts < MAX_STARTS => starts += 1,
                Err(Trouble::StartOver(why) | Trouble::Fatal(why)) => return Err(why),
            }
        }
    }

    async fn metadata_once(
        &self,
        kind: Kind,
        place: &Place,
        look: &mut Look<'_>,
        take: &mut dyn FnMut(ObjectMeta),
    ) -> Result<(), Trouble> {
        let mut pages = self.newest.pages(kind);
        let mut token: Option<String> = None;
        loop {
            let uri = address(kind, place, look.chunk_size, token.as_deref());
            let list = self.metadata_page(kind, uri, token.is_some(), look).await?;
            token = pages.next(list.metadata).map_err(|broken| {
                Trouble::StartOver(format!("a list cannot be believed: {}", broken.words()))
            })?;
            for meta in list.items.into_iter().filter_map(|item| item.metadata) {
                if !is_at(place, &meta) {
                    return Err(Trouble::StartOver(format!(
                        "a list holds {}/{}, which was not asked for",
                        meta.namespace, meta.name
                    )));
                }
                take(meta);
            }
            if token.is_none() {
                return Ok(());
            }
        }
    }

    /// One page, asked for again while that may help.
    async fn metadata_page(
        &self,
        kind: Kind,
        uri: String,
        continues: bool,
        look: &mut Look<'_>,
    ) -> Result<MetadataList, Trouble> {
        let mut backoff = Backoff::new(Tries::for_delete());
        loop {
            let answer = match get(uri.clone(), ACCEPT) {
                Ok(request) => self.connection.call_up_to(request, LIST_MAX).await,
                Err(failure) => Err(failure),
            };
            let (why, retry_after) = match answer {
                Ok(answer) if answer.status == StatusCode::OK => {
                    match metadata::decode(kind, answer.content_type(), &answer.body) {
                        Ok(list) => return Ok(list),
                        Err(why) => (format!("the answer cannot be read: {why}"), None),
                    }
                }
                Ok(answer) if answer.status == StatusCode::GONE && continues => {
                    return Err(Trouble::StartOver(answer.words()));
                }
                Ok(answer) if answer.is_transient() => (answer.words(), answer.retry_after()),
                Ok(answer) => return Err(Trouble::Fatal(answer.words())),
                Err(failure @ Failure::Setup { .. }) => {
                    return Err(Trouble::Fatal(failure.words()));
                }
                Err(failure) => (failure.words(), None),
            };
            let Some(delay) = backoff.next_delay(retry_after) else {
                return Err(Trouble::Fatal(why));
            };
            (look.on_wait)(delay, &why);
            tokio::time::sleep(delay).await;
        }
    }
}

/// Whether an object is where it was looked for.
fn is_at(place: &Place, meta: &ObjectMeta) -> bool {
    match place {
        Place::Job(namespace, name) => *meta.namespace == **namespace && *meta.name == **name,
        Place::Namespace(namespace) => *meta.namespace == **namespace,
        Place::AllNamespaces => true,
    }
}

/// Never with a resourceVersion: what may be stale could show what is gone, or hide what is there.
fn address(kind: Kind, place: &Place, chunk_size: u32, token: Option<&str>) -> String {
    let namespace = match place {
        Place::Job(namespace, _) | Place::Namespace(namespace) => Some(&**namespace),
        Place::AllNamespaces => None,
    };
    let path = match (kind, namespace) {
        (Kind::Jobs, namespace) => jobs_path(namespace),
        (Kind::Pods, None) => "/api/v1/pods".to_owned(),
        (Kind::Pods, Some(namespace)) => format!("/api/v1/namespaces/{}/pods", escape(namespace)),
    };
    let mut query = Vec::new();
    if let Place::Job(_, name) = place {
        query.push(format!(
            "fieldSelector={}",
            escape(&format!("metadata.name={name}"))
        ));
    }
    if chunk_size > 0 {
        query.push(format!("limit={chunk_size}"));
    }
    if let Some(token) = token {
        query.push(format!("continue={}", escape(token)));
    }
    match query.is_empty() {
        true => path,
        false => format!("{path}?{}", query.join("&")),
    }
}

/// A Job that was found to be there still.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FoundJob {
    /// Which it is: a new one may have its name.
    pub uid: Uid,
    /// Its finalizers.
    pub finalizers: Vec<String>,
}

/// A Pod that was found, and what it belongs to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FoundPod {
    /// The uids of its owners.
    pub owners: Vec<Uid>,
    /// Its name.
    pub name: String,
    /// Its finalizers.
    pub finalizers: Vec<String>,
}

/// Where to look for what is left.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Place {
    /// At one Job.
    Job(Arc<str>, Box<str>),
    /// In a namespace.
    Namespace(Arc<str>),
    /// In every namespace.
    AllNamespaces,
}
