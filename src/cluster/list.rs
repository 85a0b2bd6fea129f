//! All Jobs that carry the labels, as one snapshot: page after page of one resourceVersion, or nothing at all.

use std::{
    collections::HashSet,
    hash::{BuildHasher, RandomState},
    pin::pin,
    time::Duration,
};

use http::StatusCode;
use jiff::{SignedDuration, Timestamp};

use super::{
    Cluster,
    page::{Pages, Trouble, Wait},
    snapshot::MAX_STARTS,
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

/// This many pages in a row may be empty.
const MAX_EMPTY_PAGES: u32 = 8;

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
            match self.list_once(query, sink, on_event).await {
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
        sink: &mut dyn Sink,
        on_event: &mut dyn FnMut(Event<'_>),
    ) -> Result<Reading, Trouble> {
        let mut snapshot = self.newest.pages(Kind::Jobs);
        let mut taken_at = None;
        let mut clock_ahead = SignedDuration::ZERO;
        let (mut count, mut ungrouped) = (0, 0);
        // Their hashes are enough: two that meet by chance only make the list start over.
        let hasher = RandomState::new();
        let mut uids: HashSet<u64> = HashSet::new();
        let mut empty_pages = 0;
        let (pages, mut waits) = Pages::new(self, query);
        let mut incoming = pages.ask(None);
        loop {
            let mut page = {
                let mut arrival = pin!(incoming.arrive());
                loop {
                    tokio::select! {
                        page = &mut arrival => break page?,
                        Some(Wait { delay, why }) = waits.recv() => on_event(Event::Waiting { delay, why: &why }),
                    }
                }
            };
            // Not before: it may have been waited for.
            taken_at.get_or_insert_with(|| {
                // The earlier of both clocks: what the other one adds to an age may be wrong.
                clock_ahead = page.clock_ahead.unwrap_or_default();
                time::now() + clock_ahead.min(SignedDuration::ZERO)
            });
            let next = snapshot.next(std::mem::take(&mut page.meta))?;
            let before = count;
            ungrouped += page.ungrouped;
            count += page.ungrouped;
            for job in std::mem::take(&mut page.jobs) {
                if !uids.insert(hasher.hash_one(&job.uid)) {
                    return Err(Trouble::Wrong("it lists a Job twice".to_owned()));
                }
                sink.take(job);
                count += 1;
            }
            empty_pages = if count == before { empty_pages + 1 } else { 0 };
            on_event(Event::Read(count));
            let Some(next) = next else { break };
            if empty_pages > MAX_EMPTY_PAGES {
                return Err(Trouble::Wrong("its pages never end".to_owned()));
            }
            incoming = pages.after(&mut page, &next);
        }
        Ok(Reading {
            resource_version: snapshot.resource_version(),
            taken_at: taken_at.unwrap_or_else(time::now),
            clock_ahead,
            count,
            ungrouped,
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
