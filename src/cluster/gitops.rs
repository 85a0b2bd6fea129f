//! What GitOps tools say of Jobs: their Applications and Kustomizations, with the right to list them alone.
//!
//! That they cannot be read never ends a run: it is an answer, too.

use std::{cell::RefCell, time::Duration};

use http::StatusCode;

use super::{
    Cluster,
    retry::{Backoff, Retry, Tries},
    snapshot::{MAX_STARTS, Pages},
    uri::{escape, get, page},
};
use crate::{
    connection::exchange::LIST_MAX,
    decode::{
        ListMeta,
        gitops::{self, Page, Parts, Resources},
    },
    gitops::{
        Answer, Claims,
        argocd::{Applications, Here, same_server},
        flux::Kustomizations,
    },
    job::namespaces::Holders,
};

/// Where the objects of the tools are read, beside the cluster whose Jobs they are about.
#[derive(Clone, Default)]
pub struct Sources {
    /// Where Argo CD runs, if that is another cluster.
    pub argocd: Option<Hub>,
    /// The namespaces to read in; every one if none is named.
    pub namespaces: Vec<String>,
}

/// The cluster of an Argo CD that manages this one.
#[derive(Clone)]
pub enum Hub {
    Reached(Box<Cluster>),
    /// There is no way to it; why, as a fragment.
    Unreachable(String),
}

/// A kind of object that is read.
struct Kind {
    group_version: &'static str,
    plural: &'static str,
    list: &'static str,
}

const APPLICATIONS: Kind = Kind {
    group_version: "argoproj.io/v1alpha1",
    plural: "applications",
    list: "ApplicationList",
};
const KUSTOMIZATIONS: Kind = Kind {
    group_version: "kustomize.toolkit.fluxcd.io/v1",
    plural: "kustomizations",
    list: "KustomizationList",
};

/// The most objects in one answer.
const PAGE: usize = 50;
/// One Application may have a megabyte and a half. Once it is known how large they are, answers are asked for that have
/// about this many bytes.
const PAGE_BYTES: usize = 8 << 20;

const JSON: &str = "application/json";

/// What came of one answer.
struct Found<T> {
    meta: ListMeta,
    objects: Vec<Result<T, serde_json::Error>>,
    bytes: usize,
}

impl<T> Found<T> {
    /// How many objects to ask for next.
    fn next_limit(&self) -> usize {
        let of_one = self.bytes / self.objects.len().max(1);
        (PAGE_BYTES / of_one.max(1)).clamp(1, PAGE)
    }
}

/// Why a page is of no use.
enum Trouble {
    /// Its snapshot is gone, or it is not what was asked for.
    StartOver(String),
    /// All that is known of the kind there.
    Answer(Answer),
}

/// Says how long it waits before it asks again, and why.
type OnWait<'a> = RefCell<&'a mut dyn FnMut(Duration, &str)>;

/// Reads an object.
type ReadObject<T> = fn(&Parts<'_>) -> Result<T, serde_json::Error>;

impl Cluster {
    /// What the tools say.
    pub async fn claims(
        &self,
        sources: &Sources,
        on_wait: &mut dyn FnMut(Duration, &str),
    ) -> Claims {
        let on_wait = RefCell::new(on_wait);
        let namespaces = &sources.namespaces;
        let (argocd, flux) = tokio::join!(
            self.applications(sources, &on_wait),
            self.read_all(&KUSTOMIZATIONS, namespaces, &on_wait, gitops::kustomization),
        );
        let (found, answer) = flux;
        let mut kustomizations = Kustomizations::default();
        found
            .into_iter()
            .for_each(|found| kustomizations.add(found));
        kustomizations.answered(answer);
        Claims {
            argocd,
            flux: kustomizations,
            is_of_some_namespaces: !namespaces.is_empty(),
            holders: Holders::default(),
        }
    }

    async fn applications(&self, sources: &Sources, on_wait: &OnWait<'_>) -> Applications {
        let here = &self.connection.server;
        let hub = match &sources.argocd {
            None => Ok(None),
            Some(Hub::Reached(hub)) => Ok(Some(&**hub)),
            Some(Hub::Unreachable(why)) => Err(why.clone()),
        };
        let is_elsewhere = match &hub {
            Ok(hub) => hub.is_some_and(|hub| !same_server(&hub.connection.server, here)),
            Err(_) => true,
        };
        let (found, answer) = match hub {
            Ok(hub) => {
                let at = hub.unwrap_or(self);
                let namespaces = &sources.namespaces;
                let read = at.read_all(&APPLICATIONS, namespaces, on_wait, gitops::application);
                let (found, answer) = read.await;
                let answer = match hub {
                    Some(hub) => hub.expected(answer),
                    None => answer,
                };
                (found, answer)
            }
            Err(why) => (Vec::new(), Answer::Broken(why)),
        };
        let mut applications = Applications::new(Here {
            server: Some(here.clone()),
            is_elsewhere,
        });
        found.into_iter().for_each(|found| applications.add(found));
        applications.answered(answer);
        applications
    }

    /// What came of asking for Applications where the user says that Argo CD is: that there are none is no answer then.
    fn expected(&self, answer: Answer) -> Answer {
        let server = &self.connection.server;
        match answer {
            Answer::Absent => Answer::Broken(format!("there are no Applications at {server}")),
            Answer::Forbidden => {
                Answer::Broken(format!("you may not list Applications at {server}"))
            }
            other => other,
        }
    }

    /// Read all objects of a kind, and what came of it: the worst of the answers, and all the same whatever could be read.
    async fn read_all<T>(
        &self,
        kind: &Kind,
        namespaces: &[String],
        on_wait: &OnWait<'_>,
        read: ReadObject<T>,
    ) -> (Vec<T>, Answer) {
        let everywhere = [None];
        let named: Vec<Option<&str>> = namespaces.iter().map(|name| Some(name.as_str())).collect();
        let places = if named.is_empty() {
            &everywhere[..]
        } else {
            &named
        };
        let (mut all, mut worst) = (Vec::new(), Answer::Read);
        for place in places {
            let mut starts = 1;
            let answer = loop {
                let mut found = Vec::new();
                match self.read_in(kind, *place, on_wait, read, &mut found).await {
                    Err(Trouble::StartOver(_)) if starts < MAX_STARTS => starts += 1,
                    ended => {
                        all.append(&mut found);
                        break match ended {
                            Ok(answer) | Err(Trouble::Answer(answer)) => answer,
                            Err(Trouble::StartOver(why)) => Answer::Broken(why),
                        };
                    }
                }
            };
            if answer.is_worse_than(&worst) {
                worst = answer;
            }
        }
        (all, worst)
    }

    async fn read_in<T>(
        &self,
        kind: &Kind,
        namespace: Option<&str>,
        on_wait: &OnWait<'_>,
        read: ReadObject<T>,
        found: &mut Vec<T>,
    ) -> Result<Answer, Trouble> {
        let mut pages = Pages::default();
        let mut token: Option<String> = None;
        let mut answer = Answer::Read;
        let mut limit = PAGE;
        loop {
            let (path, most) = (kind.path(namespace), u32::try_from(limit).unwrap_or(1));
            let uri = page(path, Vec::new(), most, token.as_deref());
            let answered = self
                .page_of_kind(kind, &uri, token.is_some(), on_wait, read)
                .await?;
            limit = answered.next_limit();
            for object in answered.objects {
                match object {
                    Ok(object) => found.push(object),
                    // Never with the parser's words: they may quote what stands there.
                    Err(_) => {
                        let plural = kind.plural;
                        let why = format!("one of the {plural} is not as its tool writes it");
                        answer = Answer::Broken(why);
                    }
                }
            }
            token = (pages.next(answered.meta)).map_err(|broken| {
                Trouble::StartOver(format!("the list cannot be believed: {}", broken.words()))
            })?;
            if token.is_none() {
                return Ok(answer);
            }
        }
    }

    /// One page, asked for again while that may help.
    async fn page_of_kind<T>(
        &self,
        kind: &Kind,
        uri: &str,
        continues: bool,
        on_wait: &OnWait<'_>,
        read: ReadObject<T>,
    ) -> Result<Found<T>, Trouble> {
        let mut backoff = Backoff::new(Tries::for_list());
        loop {
            let tried = match self.try_page_of_kind(kind, uri, continues, read).await {
                Ok(page) => return Ok(page),
                Err(tried) => tried,
            };
            let on_wait = |delay, why: &str| (on_wait.borrow_mut())(delay, why);
            backoff.wait(tried, on_wait).await?;
        }
    }

    async fn try_page_of_kind<T>(
        &self,
        kind: &Kind,
        uri: &str,
        continues: bool,
        read: ReadObject<T>,
    ) -> Result<Found<T>, Retry<Trouble>> {
        let request = get(uri.to_owned(), JSON);
        let reply = async { self.connection.call_up_to(request?, LIST_MAX).await }.await;
        let reply = reply.map_err(|why| Retry::after(why, |why| broken(why.words())))?;
        let fatal = |answer| Err(Retry::Fatal(Trouble::Answer(answer)));
        let (why, retry_after) = match reply.status {
            _ if reply.is_foreign() => {
                let server = &self.connection.server;
                let why = format!("{server} is not a Kubernetes API server");
                return fatal(Answer::Broken(why));
            }
            StatusCode::OK => match kind.page(&reply.body) {
                Some(page) => {
                    return Ok(Found {
                        objects: page.items.iter().map(read).collect(),
                        meta: page.metadata,
                        bytes: reply.body.len(),
                    });
                }
                None => ("an answer cannot be read".to_owned(), None),
            },
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
            last: broken(why.clone()),
            why,
            retry_after,
        })
    }

    /// Whether the API server does not know a kind. A list does not tell this to a user who may not list it.
    async fn lacks_kind(&self, kind: &Kind) -> bool {
        let uri = format!("/apis/{}", kind.group_version);
        let reply = async { self.connection.call(get(uri, JSON)?).await };
        let Ok(reply) = reply.await else {
            return false;
        };
        match reply.status {
            _ if reply.is_foreign() => false,
            StatusCode::NOT_FOUND => true,
            // Other products of the same maker may have the group.
            StatusCode::OK => {
                serde_json::from_slice::<Resources<'_>>(&reply.body).is_ok_and(|list| {
                    (list.resources.iter()).all(|resource| *resource.name != *kind.plural)
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
            ..
        } = self;
        match namespace {
            None => format!("/apis/{group_version}/{plural}"),
            Some(namespace) => {
                let namespace = escape(namespace);
                format!("/apis/{group_version}/namespaces/{namespace}/{plural}")
            }
        }
    }

    /// A page of these objects, if that is what a body is.
    fn page<'b>(&self, body: &'b [u8]) -> Option<Page<'b>> {
        let page: Page<'_> = serde_json::from_slice(body).ok()?;
        (page.kind.as_deref() == Some(self.list)).then_some(page)
    }
}

fn broken(why: String) -> Trouble {
    Trouble::Answer(Answer::Broken(why))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn answers_stay_small_where_objects_are_large() {
        let of = |objects: usize, bytes| {
            let found = Found::<()> {
                meta: ListMeta::default(),
                objects: (0..objects).map(|_| Ok(())).collect(),
                bytes,
            };
            found.next_limit()
        };
        assert_eq!(of(50, 50 * 38_000), PAGE);
        assert_eq!(of(0, 200), PAGE);
        assert_eq!(of(50, 50 * 1_500_000), 5);
        assert_eq!(of(1, 1 << 30), 1);
    }
}
