//! All Jobs that carry the labels, as one snapshot: pages of one resourceVersion, or nothing at all.

use std::{
    hash::{BuildHasher, RandomState},
    pin::pin,
    sync::Arc,
    time::Duration,
};

use futures_util::{StreamExt, stream::FuturesUnordered};
use http::StatusCode;
use jiff::{SignedDuration, Timestamp};
use tokio::sync::mpsc::UnboundedReceiver;

use super::{
    Cluster,
    chain::Chain,
    page::{AT_ONCE, Ahead, Contents, Page, PageSource, Trouble, Wait},
    snapshot::MAX_STARTS,
    split::Parts,
};
use crate::{
    connection::{exchange::Answer, failure::IS_IT_AN_API_SERVER},
    decode::{self, DecodeError, metadata::Kind},
    error::Error,
    job::query::{Query, Scope, Sink},
    time,
};

/// A complete list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reading {
    /// The version of the cluster that it shows.
    pub resource_version: String,
    /// When its first page came, in whole seconds, by the earlier of this machine's clock and the server's: a Job is
    /// never taken for older than it is.
    pub taken_at: Timestamp,
    /// How far the server's clock is ahead of this machine's.
    pub clock_ahead: SignedDuration,
    /// How many Jobs were read.
    pub count: usize,
    /// How many of them belong to no group, and are in none that was given on.
    pub ungrouped: usize,
}

/// What happens while listing.
#[derive(Debug)]
pub enum Event<'a> {
    /// This many Jobs have been read in all.
    Read(usize),
    /// It waits before it asks again.
    Waiting {
        /// How long.
        delay: Duration,
        /// Why, as a fragment.
        why: &'a str,
    },
    /// The snapshot is gone; it starts over with a new one.
    StartingOver {
        /// Why, as a fragment.
        why: &'a str,
    },
}

/// How a list is read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Way {
    /// Namespace by namespace if it is long, several at once.
    InParts,
    /// One page after the other.
    PageByPage,
}

/// What has been read of a list.
#[derive(Default)]
struct Tally {
    count: usize,
    ungrouped: usize,
    /// Hashes of all uids. They are enough: two that meet by chance only make the list start over. A set of them would take
    /// more than twice the room.
    uids: Vec<u64>,
    /// How many of them are known to be of different Jobs, and are sorted.
    different: usize,
    /// Hashes of uids that have to come.
    expected: Vec<u64>,
    hasher: RandomState,
}

impl Tally {
    /// Take a page in.
    ///
    /// # Errors
    /// If it turns out that a Job was read twice. That is looked at each time that the number of Jobs has doubled, so that
    /// pages that come in a circle end.
    fn take(&mut self, page: Page, sink: &mut dyn Sink) -> Result<(), Trouble> {
        let Contents {
            jobs, ungrouped, ..
        } = page.contents;
        self.ungrouped += ungrouped;
        self.count += ungrouped + jobs.len();
        for job in jobs {
            self.uids.push(self.hasher.hash_one(job.uid()));
            sink.take(job);
        }
        if self.uids.len() >= 2 * self.different {
            self.tell_apart()?;
        }
        Ok(())
    }

    /// Make sure that no Job was read twice.
    fn tell_apart(&mut self) -> Result<(), Trouble> {
        self.uids.sort_unstable();
        if !self.uids.is_sorted_by(|one, next| one < next) {
            return Err(Trouble::Wrong("it lists a Job twice".to_owned()));
        }
        self.different = self.uids.len();
        Ok(())
    }

    /// Take note that the Jobs of a page have to come again.
    fn expect(&mut self, page: &Page) {
        let uids = page
            .contents
            .jobs
            .iter()
            .map(|job| self.hasher.hash_one(job.uid()));
        self.expected.extend(uids);
    }

    /// Make sure that the list is whole: each Job once, as many as there are if that is known, and all that have to come.
    fn complete(&mut self, count: Option<usize>) -> Result<(), Trouble> {
        self.tell_apart()?;
        let has_come = |uid: &u64| self.uids.binary_search(uid).is_ok();
        if count.is_some_and(|count| count != self.count) || !self.expected.iter().all(has_come) {
            return Err(Trouble::Wrong(
                "its namespaces together hold more or fewer Jobs than the whole list".to_owned(),
            ));
        }
        Ok(())
    }
}

/// Wait for something, and tell of what it waits for.
async fn telling<T>(
    waits: &mut UnboundedReceiver<Wait>,
    on_event: &mut dyn FnMut(Event<'_>),
    what: impl Future<Output = T>,
) -> T {
    let mut what = pin!(what);
    loop {
        tokio::select! {
            done = &mut what => return done,
            Some(Wait { delay, why }) = waits.recv() => on_event(Event::Waiting { delay, why: &why }),
        }
    }
}

impl Cluster {
    /// List the Jobs into something.
    ///
    /// # Errors
    /// If any page of it cannot be had or read: part of a list would make an old Job look like the newest.
    pub async fn list(
        &self,
        query: &Query,
        sink: &mut dyn Sink,
        on_event: &mut dyn FnMut(Event),
    ) -> Result<Reading, Error> {
        let mut starts = 1;
        loop {
            // Whatever is wrong with the parts of a list, its pages may be had.
            let way = match starts {
                1 if query.has_parts() => Way::InParts,
                _ => Way::PageByPage,
            };
            match self.list_once(query, way, sink, on_event).await {
                Ok(reading) => return Ok(reading),
                Err(Trouble::Fatal(error)) => return Err(error),
                Err(Trouble::Gone(why) | Trouble::Wrong(why)) if starts < MAX_STARTS => {
                    starts += 1;
                    sink.start_over();
                    on_event(Event::StartingOver { why: &why });
                }
                Err(Trouble::Gone(why)) => {
                    return Err(inconsistent(&why).hint(
                        "try again, or with a larger --chunk-size so that fewer pages are needed",
                    ));
                }
                Err(Trouble::Wrong(why)) => {
                    return Err(inconsistent(&why).hint(
                        "try again; if it stays so, something between here and the API server changes its answers",
                    ));
                }
            }
        }
    }

    /// Take note of the version that a saved plan rests on: no list may show an older one.
    pub fn has_shown(&self, resource_version: &str) {
        self.newest.note(Kind::Jobs, resource_version);
    }

    async fn list_once(
        &self,
        query: &Query,
        way: Way,
        sink: &mut dyn Sink,
        on_event: &mut dyn FnMut(Event<'_>),
    ) -> Result<Reading, Trouble> {
        let (pages, mut waits) = PageSource::new(self, query);
        let chain = Chain::whole(&pages, self.newest.pages(Kind::Jobs));
        let ahead = match way {
            // The page after the first may not be needed.
            Way::InParts => Ahead::No,
            Way::PageByPage => Ahead::Yes,
        };
        let first = telling(&mut waits, on_event, chain.next(ahead)).await?;
        // The earlier of both clocks: what the other one adds to an age may be wrong. Not before the page came: it may have
        // been waited for.
        let clock_ahead = first.page.clock_ahead.unwrap_or_default();
        let taken_at = time::now() + clock_ahead.min(SignedDuration::ZERO);
        let version = Arc::clone(&first.version);
        let parts = match way {
            Way::InParts if first.rest.is_some() => {
                telling(&mut waits, on_event, self.parts(query, &first, sink)).await
            }
            _ => None,
        };
        let mut tally = Tally::default();
        let mut coming = FuturesUnordered::new();
        let next = |chain: Chain| chain.next(Ahead::Yes);
        let parts = match parts {
            Some(parts) => {
                // Its Jobs come again with their namespaces.
                tally.expect(&first.page);
                drop(first);
                parts
            }
            None => {
                tally.take(first.page, sink)?;
                on_event(Event::Read(tally.count));
                coming.extend(first.rest.map(next));
                Parts::default()
            }
        };
        let mut left = parts.namespaces;
        loop {
            while coming.len() < AT_ONCE
                && let Some(name) = left.pop()
            {
                coming.push(next(Chain::of_namespace(&pages, name, &version)));
            }
            let link = telling(&mut waits, on_event, coming.next());
            let Some(link) = link.await.transpose()? else {
                break;
            };
            tally.take(link.page, sink)?;
            on_event(Event::Read(tally.count));
            coming.extend(link.rest.map(next));
        }
        tally.complete(parts.count)?;
        Ok(Reading {
            resource_version: version.to_string(),
            taken_at,
            clock_ahead,
            count: tally.count,
            ungrouped: tally.ungrouped,
        })
    }

    /// What it means that the server does not give the list.
    pub(crate) fn refusal(&self, answer: &Answer, query: &Query) -> Error {
        let words = answer.words();
        match answer.status {
            StatusCode::UNAUTHORIZED => Error::failure(format!(
                "{} does not accept your credentials: {words}",
                self.connection.server
            ))
            .hint("log in again, or check the user of the context (kubectl config view --minify)"),
            StatusCode::FORBIDDEN => {
                Error::failure(format!("cannot list Jobs: {words}")).hint(match query.scope {
                    Scope::AllNamespaces => {
                        "you need the verbs list and delete on jobs.batch in every namespace; \
                         with rights in one namespace only, name it with -n"
                    }
                    Scope::Namespace(_) => {
                        "you need the verbs list and delete on jobs.batch in that namespace"
                    }
                })
            }
            StatusCode::NOT_FOUND => Error::failure(format!(
                "cannot list Jobs: {} has no batch/v1 Jobs: {words}",
                self.connection.server
            ))
            .hint("check that the address is that of a Kubernetes API server"),
            _ => Error::failure(format!("cannot list Jobs: {words}")).hint(
                "check that the address is that of a Kubernetes API server, or look at its log",
            ),
        }
    }
}

impl Cluster {
    /// What it means that the list is not one.
    pub(crate) fn unreadable(&self, why: &DecodeError) -> Error {
        let server = &self.connection.server;
        Error::failure(format!(
            "cannot list Jobs: the answer of {server} cannot be read: {why}"
        ))
    }

    /// What it means that something else answers where the API server should.
    pub(crate) fn is_no_api_server(&self, answer: &Answer) -> Error {
        let what = if answer.is_web_page() {
            "with a web page"
        } else {
            "with a redirect"
        };
        let message = format!(
            "{} is not a Kubernetes API server: it answered {} {what}",
            self.connection.server, answer.status
        );
        Error::failure(message).hint(IS_IT_AN_API_SERVER)
    }
}

fn inconsistent(why: &str) -> Error {
    let message = format!("cannot list Jobs: no consistent list in {MAX_STARTS} tries: {why}");
    Error::failure(message)
}

/// Read a whole list in the encoding that the server chose.
pub(crate) fn decode(answer: &Answer) -> Result<decode::JobList<'_>, decode::DecodeError> {
    if answer.content_type().starts_with(decode::PROTOBUF) {
        decode::decode_protobuf(&answer.body)
    } else {
        decode::decode_json(&answer.body)
    }
}
