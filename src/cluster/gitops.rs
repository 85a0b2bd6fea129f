//! What GitOps tools say of Jobs: their Applications and Kustomizations, with the right to list them alone.
//!
//! That they cannot be read never ends a run: it is an answer, too.

use std::{cell::RefCell, time::Duration};

use http::StatusCode;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::APIResourceList;

use super::{
    Cluster,
    retry::{Backoff, Retry, Tries},
    snapshot::{MAX_STARTS, Pages},
    uri::{escape, get, page},
};
use crate::{
    connection::exchange::{Answer as Reply, LIST_MAX},
    decode::gitops::{self, Page, Parts},
    gitops::{
        Answer, Claims,
        argocd::{Applications, Here},
    },
};

/// Where the objects of the tools are read, beside the cluster whose Jobs they are about.
#[derive(Clone, Default)]
pub struct Sources {
    /// Where Argo CD runs, if that is another cluster.
    pub argocd: Option<Cluster>,
    /// The namespaces to read in; every one if none is named.
    pub namespaces: Vec<String>,
}

/// A kind of object that is read.
struct Kind {
    group_version: &'static str,
    plural: &'static str,
}

const APPLICATIONS: Kind = Kind {
    group_version: "argoproj.io/v1alpha1",
    plural: "applications",
};
const KUSTOMIZATIONS: Kind = Kind {
    group_version: "kustomize.toolkit.fluxcd.io/v1",
    plural: "kustomizations",
};

/// Objects in one answer. One Application may have a megabyte and a half.
const PAGE: u32 = 50;

const JSON: &str = "application/json";

/// Why a page is of no use.
enum Trouble {
    /// Its snapshot is gone, or it is not what was asked for.
    StartOver(String),
    /// All that is known of the kind.
    Answer(Answer),
}

/// Says how long it waits before it asks again, and why.
type OnWait<'a> = RefCell<&'a mut dyn FnMut(Duration, &str)>;

impl Cluster {
    /// What the tools say.
    pub async fn claims(
        &self,
        sources: &Sources,
        on_wait: &mut dyn FnMut(Duration, &str),
    ) -> Claims {
        let argocd = sources.argocd.as_ref().unwrap_or(self);
        let mut applications = Applications::new(Here {
            server: Some(self.connection.server.clone()),
            is_elsewhere: sources.argocd.is_some(),
        });
        let mut kustomizations = crate::gitops::flux::Kustomizations::default();
        let on_wait = RefCell::new(on_wait);
        let namespaces = &sources.namespaces;
        let (argocd, flux) = tokio::join!(
            argocd.read_all(&APPLICATIONS, namespaces, &on_wait, |parts| {
                gitops::application(parts).map(|found| applications.add(found))
            }),
            self.read_all(&KUSTOMIZATIONS, namespaces, &on_wait, |parts| {
                gitops::kustomization(parts).map(|found| kustomizations.add(found))
            }),
        );
        applications.answered(argocd);
        kustomizations.answered(flux);
        Claims {
            argocd: applications,
            flux: kustomizations,
        }
    }
}

impl Cluster {
    /// Read all objects of a kind. What was read before something went wrong has been taken.
    async fn read_all(
        &self,
        kind: &Kind,
        namespaces: &[String],
        on_wait: &OnWait<'_>,
        mut take: impl FnMut(&Parts<'_>) -> Result<(), serde_json::Error>,
    ) -> Answer {
        let everywhere = [None];
        let named: Vec<Option<&str>> = namespaces.iter().map(|name| Some(name.as_str())).collect();
        let places = if named.is_empty() {
            &everywhere[..]
        } else {
            &named
        };
        for place in places {
            let mut starts = 1;
            loop {
                match self.read_in(kind, *place, on_wait, &mut take).await {
                    Ok(()) => break,
                    // What comes twice is no harm: it only adds reasons to keep a Job.
                    Err(Trouble::StartOver(_)) if starts < MAX_STARTS => starts += 1,
                    Err(Trouble::StartOver(why)) => return Answer::Broken(why),
                    Err(Trouble::Answer(answer)) => return answer,
                }
            }
        }
        Answer::Read
    }

    async fn read_in(
        &self,
        kind: &Kind,
        namespace: Option<&str>,
        on_wait: &OnWait<'_>,
        take: &mut impl FnMut(&Parts<'_>) -> Result<(), serde_json::Error>,
    ) -> Result<(), Trouble> {
        let mut pages = Pages::of_a_list_alone();
        let mut token: Option<String> = None;
        loop {
            let path = kind.path(namespace);
            let uri = page(path, Vec::new(), PAGE, token.as_deref());
            let reply = self
                .page_of_kind(kind, &uri, token.is_some(), on_wait)
                .await?;
            // Never with the parser's words: they may quote what stands there.
            let unreadable = || broken("an answer cannot be read");
            let page: Page<'_> = serde_json::from_slice(&reply.body).map_err(|_| unreadable())?;
            for parts in &page.items {
                take(parts).map_err(|_| {
                    broken(&format!(
                        "one of the {} is not as its tool writes it",
                        kind.plural
                    ))
                })?;
            }
            token = (pages.next(page.metadata)).map_err(|broken| {
                Trouble::StartOver(format!("the list cannot be believed: {}", broken.words()))
            })?;
            if token.is_none() {
                return Ok(());
            }
        }
    }

    /// One page, asked for again while that may help.
    async fn page_of_kind(
        &self,
        kind: &Kind,
        uri: &str,
        continues: bool,
        on_wait: &OnWait<'_>,
    ) -> Result<Reply, Trouble> {
        let mut backoff = Backoff::new(Tries::for_list());
        loop {
            let tried = match self.try_page_of_kind(kind, uri, continues).await {
                Ok(reply) => return Ok(reply),
                Err(tried) => tried,
            };
            let on_wait = |delay, why: &str| (on_wait.borrow_mut())(delay, why);
            backoff.wait(tried, on_wait).await?;
        }
    }

    async fn try_page_of_kind(
        &self,
        kind: &Kind,
        uri: &str,
        continues: bool,
    ) -> Result<Reply, Retry<Trouble>> {
        let request = get(uri.to_owned(), JSON);
        let reply = async { self.connection.call_up_to(request?, LIST_MAX).await }.await;
        let reply = reply.map_err(|why| Retry::after(why, |why| broken(&why.words())))?;
        let fatal = |answer| Err(Retry::Fatal(Trouble::Answer(answer)));
        let (why, retry_after) = match reply.status {
            StatusCode::OK if is_list(&reply.body) => return Ok(reply),
            StatusCode::OK => ("an answer cannot be read".to_owned(), None),
            StatusCode::GONE if continues => {
                return Err(Retry::Fatal(Trouble::StartOver(reply.words())));
            }
            StatusCode::NOT_FOUND => return fatal(Answer::Absent),
            StatusCode::FORBIDDEN if self.lacks_kind(kind).await => return fatal(Answer::Absent),
            StatusCode::FORBIDDEN => return fatal(Answer::Forbidden),
            _ if reply.is_transient() => (reply.words(), reply.retry_after()),
            _ => return fatal(Answer::Broken(reply.words())),
        };
        Err(Retry::Again {
            last: broken(&why),
            why,
            retry_after,
        })
    }

    /// Whether the API server does not know a kind. A list does not tell this to a user who may not list it.
    async fn lacks_kind(&self, kind: &Kind) -> bool {
        let uri = format!("/apis/{}", kind.group_version);
        let reply = async { self.connection.call_up_to(get(uri, JSON)?, LIST_MAX).await };
        let Ok(reply) = reply.await else {
            return false;
        };
        match reply.status {
            StatusCode::NOT_FOUND => true,
            // Other products of the same maker may have the group.
            StatusCode::OK => {
                serde_json::from_slice::<APIResourceList>(&reply.body).is_ok_and(|list| {
                    list.resources
                        .iter()
                        .all(|resource| resource.name != kind.plural)
                })
            }
            _ => false,
        }
    }
}

impl Kind {
    fn path(&self, namespace: Option<&str>) -> String {
        let Kind {
            group_version,
            plural,
        } = self;
        match namespace {
            None => format!("/apis/{group_version}/{plural}"),
            Some(namespace) => {
                format!(
                    "/apis/{group_version}/namespaces/{}/{plural}",
                    escape(namespace)
                )
            }
        }
    }
}

fn broken(why: &str) -> Trouble {
    Trouble::Answer(Answer::Broken(why.to_owned()))
}

/// Whether an answer is a whole list: a proxy may have cut it off.
fn is_list(body: &[u8]) -> bool {
    serde_json::from_slice::<Page<'_>>(body).is_ok()
}
