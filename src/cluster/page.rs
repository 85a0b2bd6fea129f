//! Pages on their way: the next one is asked for as soon as its token has arrived, while this one is still being read.
//!
//! The token stands before the items in a protobuf body. A page that was asked for early is used only if the page
//! before it, once read as a whole, names the same token.

use std::{sync::Arc, time::Duration};

use http::StatusCode;
use tokio::{
    sync::{OwnedSemaphorePermit, Semaphore, mpsc},
    task::JoinHandle,
};

use super::{
    Cluster,
    list::{Query, Trouble, decode},
    request::{Failure, Look},
};
use crate::{
    error::{Error, Exit},
    retry::{Backoff, Tries},
    wire::{self, Early},
};

/// How many pages may be held at once, read or being read. Memory grows by a page with each.
const PAGES_HELD: usize = 3;

/// That a page has to wait before it is asked for again.
pub(super) struct Wait {
    pub(super) delay: Duration,
    pub(super) why: String,
}

/// What asking for pages needs, shared by those on their way.
#[derive(Clone)]
pub(super) struct Pages {
    cluster: Cluster,
    query: Arc<Query>,
    held: Arc<Semaphore>,
    waits: mpsc::UnboundedSender<Wait>,
}

/// A page that has been asked for.
pub(super) struct Incoming {
    token: Option<String>,
    task: JoinHandle<Result<Page, Trouble>>,
}

/// A page, and the one after it if that was asked for early.
pub(super) struct Page {
    pub(super) list: wire::JobList,
    next: Option<Incoming>,
    _held: Option<OwnedSemaphorePermit>,
}

impl Drop for Incoming {
    /// Nobody wants it any more.
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Pages {
    /// Pages of this list. Waits are told to the receiver.
    pub(super) fn new(cluster: &Cluster, query: &Query) -> (Pages, mpsc::UnboundedReceiver<Wait>) {
        let (waits, told) = mpsc::unbounded_channel();
        let pages = Pages {
            cluster: cluster.clone(),
            query: Arc::new(query.clone()),
            held: Arc::new(Semaphore::new(PAGES_HELD)),
            waits,
        };
        (pages, told)
    }

    /// Ask for the page with this token, or for the first.
    pub(super) fn ask(&self, token: Option<String>) -> Incoming {
        let pages = self.clone();
        let asked = token.clone();
        Incoming {
            token,
            task: tokio::spawn(async move { pages.get(asked).await }),
        }
    }

    /// The page after one whose token is this: the one that was asked for early, or a new one.
    pub(super) fn after(&self, page: &mut Page, token: &str) -> Incoming {
        match page.next.take() {
            Some(next) if next.token.as_deref() == Some(token) => next,
            _ => self.ask(Some(token.to_owned())),
        }
    }

    async fn get(self, token: Option<String>) -> Result<Page, Trouble> {
        let held = Arc::clone(&self.held).acquire_owned().await.ok();
        let mut next = None;
        let list = self.get_whole(token.as_deref(), &mut next).await?;
        Ok(Page {
            list,
            next,
            _held: held,
        })
    }

    /// One page, asked for again while that may help.
    async fn get_whole(
        &self,
        token: Option<&str>,
        next: &mut Option<Incoming>,
    ) -> Result<wire::JobList, Trouble> {
        let cluster = &self.cluster;
        let mut backoff = Backoff::new(Tries::for_list());
        loop {
            let mut look =
                |content_type: &str, body: &[u8]| match wire::early_token(content_type, body) {
                    Early::NotYet => Look::More,
                    Early::Never => Look::Enough,
                    Early::Token(token) => {
                        next.get_or_insert_with(|| self.ask(Some(token)));
                        Look::Enough
                    }
                };
            let answer = match self.query.request(token) {
                Ok(request) => cluster.call_and_look(request, &mut look).await,
                Err(failure) => Err(failure),
            };
            let (why, retry_after, give_up) = match answer {
                Ok(answer) if answer.status == StatusCode::OK => match decode(&answer) {
                    Ok(page) => return Ok(page),
                    Err(why) => {
                        let server = &cluster.server;
                        let message = format!(
                            "cannot list Jobs: the answer of {server} cannot be read: {why}"
                        );
                        (why.to_string(), None, Error::new(Exit::Failure, message))
                    }
                },
                Ok(answer) if answer.status == StatusCode::GONE && token.is_some() => {
                    return Err(Trouble::StartOver(answer.words()));
                }
                Ok(answer) => {
                    let error = cluster.refusal(&answer, &self.query);
                    if !answer.is_transient() {
                        return Err(error.into());
                    }
                    (answer.words(), answer.retry_after(), error)
                }
                Err(failure @ Failure::Setup { .. }) => {
                    return Err(failure.into_error(&cluster.server).into());
                }
                Err(failure) => (failure.words(), None, failure.into_error(&cluster.server)),
            };
            let Some(delay) = backoff.next_delay(retry_after) else {
                return Err(give_up.into());
            };
            let _ = self.waits.send(Wait { delay, why });
            tokio::time::sleep(delay).await;
        }
    }
}

impl Incoming {
    /// The page, once it is whole.
    pub(super) async fn arrive(mut self) -> Result<Page, Trouble> {
        (&mut self.task).await.unwrap_or_else(|_| {
            Err(Trouble::Fatal(Error::new(
                Exit::Failure,
                "cannot list Jobs: a page was lost on the way",
            )))
        })
    }
}
