//! What is still there of Jobs that were deleted, and the Pods that they wait for: metadata alone, with the right to
//! list alone.

use std::sync::Arc;
use std::time::Duration;

use http::StatusCode;

pub use crate::decode::metadata::Kind;

use super::{
    Cluster,
    retry::{Backoff, Retry, Tries},
    snapshot::MAX_STARTS,
    uri::{by_name, escape, get, jobs_path, page},
};
use crate::{
    connection::exchange::LIST_MAX,
    decode::{
        ListMeta, Text,
        job::{Identity, Intake},
        metadata::{self, ACCEPT, MetadataList},
    },
    job::{grouping::Grouping, ids::Uid, mark::Marks},
};

/// Why something could not be seen: a lowercase fragment.
pub type Blind = String;

/// One look at the cluster: how it is listed, and where waits are reported.
pub struct Look<'a> {
    /// The most objects in one answer; 0 asks for all at once.
    pub chunk_size: u32,
    /// Called with how long it waits before it asks again, and why.
    pub on_wait: &'a mut dyn FnMut(Duration, &str),
}

/// Why a page is of no use.
enum Trouble {
    /// Its snapshot is gone, or it is not what was asked for.
    StartOver(String),
    Fatal(Blind),
}

impl Cluster {
    /// All objects that are at these places. If a list has to start over, some of it may be in twice; nothing is left out.
    ///
    /// # Errors
    /// If it cannot be seen at all of them: what was not looked at would pass for gone.
    pub async fn found_at(
        &self,
        kind: Kind,
        places: &[Place],
        look: &mut Look<'_>,
    ) -> Result<Vec<Found>, Blind> {
        let mut found = Vec::new();
        for place in places {
            let mut starts = 1;
            while let Err(trouble) = self.list_at(kind, place, look, &mut found).await {
                match trouble {
                    Trouble::StartOver(_) if starts < MAX_STARTS => starts += 1,
                    Trouble::StartOver(why) | Trouble::Fatal(why) => return Err(why),
                }
            }
        }
        Ok(found)
    }

    async fn list_at(
        &self,
        kind: Kind,
        place: &Place,
        look: &mut Look<'_>,
        found: &mut Vec<Found>,
    ) -> Result<(), Trouble> {
        let mut pages = self.newest.pages(kind);
        let mut token: Option<String> = None;
        loop {
            let uri = address(kind, place, look.chunk_size, token.as_deref());
            let (meta, objects) = self.page_of(kind, uri, token.is_some(), look).await?;
            token = pages.next(meta).map_err(|broken| {
                Trouble::StartOver(format!("a list cannot be believed: {}", broken.words()))
            })?;
            if let Some(Found {
                namespace, name, ..
            }) = objects.iter().find(|object| !is_at(place, object))
            {
                let why = format!("a list holds {namespace}/{name}, which was not asked for");
                return Err(Trouble::StartOver(why));
            }
            found.extend(objects);
            if token.is_none() {
                return Ok(());
            }
        }
    }

    /// One page, asked for again while that may help.
    async fn page_of(
        &self,
        kind: Kind,
        uri: String,
        continues: bool,
        look: &mut Look<'_>,
    ) -> Result<(ListMeta, Vec<Found>), Trouble> {
        let mut backoff = Backoff::new(Tries::for_delete());
        loop {
            match self.try_page_of(kind, &uri, continues).await {
                Ok(page) => return Ok(page),
                Err(tried) => backoff.wait(tried, &mut *look.on_wait).await?,
            }
        }
    }

    async fn try_page_of(
        &self,
        kind: Kind,
        uri: &str,
        continues: bool,
    ) -> Result<(ListMeta, Vec<Found>), Retry<Trouble>> {
        let request = get(uri.to_owned(), ACCEPT);
        let answer = async { self.connection.call_up_to(request?, LIST_MAX).await }.await;
        let answer = answer.map_err(|why| Retry::after(why, |why| Trouble::Fatal(why.words())))?;
        let (why, retry_after) = match answer.status {
            StatusCode::OK => match metadata::decode(kind, answer.content_type(), &answer.body) {
                Ok(list) => return Ok(found_in(list)),
                Err(why) => (format!("the answer cannot be read: {why}"), None),
            },
            StatusCode::GONE if continues => {
                return Err(Retry::Fatal(Trouble::StartOver(answer.words())));
            }
            _ if answer.is_transient() => (answer.words(), answer.retry_after()),
            _ => return Err(Retry::Fatal(Trouble::Fatal(answer.words()))),
        };
        Err(Retry::Again {
            last: Trouble::Fatal(why.clone()),
            why,
            retry_after,
        })
    }
}

fn found_in(list: MetadataList<'_>) -> (ListMeta, Vec<Found>) {
    let mut intake = Intake::new(&Grouping::Family, &Arc::default(), Identity::Optional);
    let metas = list.items.into_iter().filter_map(|object| object.metadata);
    let text = |text: Option<Text>| text.unwrap_or_default().0.into_owned();
    let found = metas.map(|meta| Found {
        marks: intake.marks(&meta),
        uid: Uid::from(text(meta.uid)),
        namespace: text(meta.namespace),
        name: text(meta.name),
        finalizers: meta
            .finalizers
            .into_iter()
            .map(|name| name.0.into_owned())
            .collect(),
        owners: meta
            .owner_references
            .into_iter()
            .map(|owner| Uid::from(text(owner.uid)))
            .collect(),
    });
    (list.metadata, found.collect())
}

/// Whether an object is where it was looked for.
fn is_at(place: &Place, object: &Found) -> bool {
    match place {
        Place::Job(namespace, name) => object.namespace == **namespace && object.name == **name,
        Place::Namespace(namespace) => object.namespace == **namespace,
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
        (Kind::Namespaces, _) => "/api/v1/namespaces".to_owned(),
        (Kind::Pods, None) => "/api/v1/pods".to_owned(),
        (Kind::Pods, Some(namespace)) => format!("/api/v1/namespaces/{}/pods", escape(namespace)),
    };
    let mut query = Vec::new();
    if let Place::Job(_, name) = place {
        query.push(by_name(name));
    }
    page(path, query, chunk_size, token)
}

/// A Job or Pod that was found to be there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Found {
    /// Which it is: a new one may have its name.
    pub uid: Uid,
    pub namespace: String,
    pub name: String,
    /// What has to be done before it may go.
    pub finalizers: Vec<String>,
    /// The uids of its owners.
    pub owners: Vec<Uid>,
    /// What it says of who manages it.
    pub marks: Option<Arc<Marks>>,
}

/// Where to look for what is left.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Place {
    /// At one Job.
    Job(Arc<str>, Box<str>),
    Namespace(Arc<str>),
    /// In every namespace.
    AllNamespaces,
}
