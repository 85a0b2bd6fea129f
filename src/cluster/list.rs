//! All Jobs that carry the labels, as one snapshot: page after page of one resourceVersion, or nothing at all.

use std::{
    collections::HashSet,
    hash::{BuildHasher, RandomState},
    pin::pin,
    time::Duration,
};

use http::{Request, StatusCode, header};
use jiff::{SignedDuration, Timestamp};
use kube::client::Body;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};

use super::{
    Cluster,
    page::{Pages, Wait},
    request::{Answer, Failure, IS_IT_AN_API_SERVER, Stage},
    snapshot::Break,
};
use crate::{
    approval::Recheck,
    clock,
    error::Error,
    job::Job,
    selector::{LabelKey, Selector},
    wire::{self, metadata::Kind},
};

/// Which Jobs to list.
#[derive(Debug, Clone)]
pub struct Query {
    /// They carry all of these labels.
    pub labels: Vec<LabelKey>,
    /// They match this as well.
    pub selector: Selector,
    /// Where they are.
    pub scope: Scope,
    /// The most Jobs in one answer; 0 asks for all at once.
    pub chunk_size: u32,
}

/// Where to look.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Scope {
    /// In every namespace.
    AllNamespaces,
    /// In one.
    Namespace(String),
}

/// What takes in the Jobs of a list as they come. They count once the list has come to its end.
pub trait Sink {
    /// Forget what has come: the list begins anew.
    fn start_over(&mut self);
    /// One more.
    fn take(&mut self, job: Job);
}

impl Sink for Vec<Job> {
    fn start_over(&mut self) {
        self.clear();
    }

    fn take(&mut self, job: Job) {
        self.push(job);
    }
}

impl Sink for Recheck {
    fn start_over(&mut self) {
        Recheck::start_over(self);
    }

    fn take(&mut self, job: Job) {
        Recheck::take(self, job);
    }
}

/// What a list that has come to its end was.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reading {
    /// The version of the cluster that it shows.
    pub resource_version: String,
    /// When its first page came, in whole seconds, by the earlier of this machine's clock and the server's: a Job is
    /// never taken for older than it is.
    pub taken_at: Timestamp,
    /// How far the server's clock is ahead of this machine's.
    pub clock_ahead: SignedDuration,
    /// How many Jobs it has.
    pub count: usize,
}

/// What happens while listing, for whoever shows it.
#[derive(Debug)]
pub enum Event<'a> {
    /// So many Jobs have been read in all.
    Read(usize),
    /// It waits before it asks again.
    Waiting {
        /// For so long.
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

/// Protobuf costs the API server half the time of JSON; JSON is for servers that do not speak it.
pub(super) const ACCEPT: &str = "application/vnd.kubernetes.protobuf, application/json";
/// How often a list is begun before it is given up.
const MAX_STARTS: usize = 4;

/// So many pages in a row without a Job are still believed to lead on to one.
const MAX_EMPTY_PAGES: u32 = 8;

/// Why a page cannot be used.
pub(super) enum Trouble {
    /// The snapshot is gone: begin anew.
    Gone(String),
    /// It is not what was asked for: begin anew.
    Wrong(String),
    /// It is no use to try again.
    Fatal(Error),
}

impl From<Error> for Trouble {
    fn from(error: Error) -> Trouble {
        Trouble::Fatal(error)
    }
}

impl From<Break> for Trouble {
    fn from(broken: Break) -> Trouble {
        match broken {
            Break::Gone(why) => Trouble::Gone(why.to_owned()),
            Break::Wrong(why) => Trouble::Wrong(why.to_owned()),
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
        let mut count = 0;
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
                clock::now() + clock_ahead.min(SignedDuration::ZERO)
            });
            let next = snapshot.next(std::mem::take(&mut page.meta))?;
            let before = count;
            for job in std::mem::take(&mut page.jobs) {
                if !uids.insert(hasher.hash_one(&job.uid)) {
                    return Err(Trouble::Wrong("a Job is in it twice".to_owned()));
                }
                sink.take(job);
                count += 1;
            }
            empty_pages = if count == before { empty_pages + 1 } else { 0 };
            on_event(Event::Read(count));
            let Some(next) = next else { break };
            if empty_pages > MAX_EMPTY_PAGES {
                return Err(Trouble::Wrong("its pages do not come to an end".to_owned()));
            }
            incoming = pages.after(&mut page, &next);
        }
        Ok(Reading {
            resource_version: snapshot.resource_version(),
            taken_at: taken_at.unwrap_or_else(clock::now),
            clock_ahead,
            count,
        })
    }

    /// What it means that the server does not give the list.
    pub(super) fn refusal(&self, answer: &Answer, query: &Query) -> Error {
        let words = answer.words();
        match answer.status {
            StatusCode::UNAUTHORIZED => Error::failure(format!(
                "{} does not accept your credentials: {words}",
                self.server
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
                self.server
            ))
            .hint("check that the address is that of a Kubernetes API server"),
            _ => Error::failure(format!("cannot list Jobs: {words}")).hint(
                "check that the address is that of a Kubernetes API server, or look at its log",
            ),
        }
    }
}

impl Cluster {
    /// What it means that something else answers where the API server should.
    pub(super) fn is_no_api_server(&self, answer: &Answer) -> Error {
        let what = if answer.is_web_page() {
            "with a web page"
        } else {
            "with a redirect"
        };
        let message = format!(
            "{} is not a Kubernetes API server: it answered {} {what}",
            self.server, answer.status
        );
        Error::failure(message).hint(IS_IT_AN_API_SERVER)
    }
}

fn inconsistent(why: &str) -> Error {
    let message = format!("cannot list Jobs: no consistent list in {MAX_STARTS} tries: {why}");
    Error::failure(message)
}

impl Query {
    /// Hold a Job against what was asked for. The server has selected it already; if it is not what was asked for, the
    /// answer is not the server's, and a Job that is missing may be missing for the same reason.
    ///
    /// # Errors
    /// If it should not be in the list, and why.
    pub(super) fn admit(&self, job: &wire::Job<'_>) -> Result<(), String> {
        let no_meta = wire::ObjectMeta::default();
        let meta = job.metadata.as_ref().unwrap_or(&no_meta);
        let namespace = meta.namespace.as_deref().unwrap_or_default();
        let is_there = match &self.scope {
            Scope::AllNamespaces => !namespace.is_empty(),
            Scope::Namespace(wanted) => namespace == wanted,
        };
        let is_labelled = (self.labels.iter()).all(|key| meta.labels.get(key.as_str()).is_some());
        if is_there && is_labelled && self.selector.matches(|key| meta.labels.get(key)) {
            return Ok(());
        }
        let name = meta.name.as_deref().unwrap_or_default();
        Err(format!(
            "it holds Job {namespace}/{name}, which was not asked for"
        ))
    }

    /// The label selector that the server gets: every cleanup label exists, and what the user selects.
    fn label_selector(&self) -> String {
        let mut parts: Vec<String> = self.labels.iter().map(LabelKey::to_string).collect();
        if !self.selector.is_empty() {
            parts.push(self.selector.to_string());
        }
        parts.join(",")
    }

    /// Never with a resourceVersion: the first page is a fresh and consistent read.
    pub(super) fn request(&self, token: Option<&str>) -> Result<Request<Body>, Failure> {
        let mut uri = jobs_path(match &self.scope {
            Scope::AllNamespaces => None,
            Scope::Namespace(namespace) => Some(namespace),
        });
        uri += &format!("?labelSelector={}", escape(&self.label_selector()));
        if self.chunk_size > 0 {
            uri += &format!("&limit={}", self.chunk_size);
        }
        if let Some(token) = token {
            uri += &format!("&continue={}", escape(token));
        }
        get(uri, ACCEPT)
    }
}

/// The path of Jobs, in one namespace or in all.
pub(super) fn jobs_path(namespace: Option<&str>) -> String {
    match namespace {
        None => "/apis/batch/v1/jobs".to_owned(),
        Some(namespace) => format!("/apis/batch/v1/namespaces/{}/jobs", escape(namespace)),
    }
}

/// Everything but what a URI never needs to escape.
const ESCAPED: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'-')
    .remove(b'.')
    .remove(b'_')
    .remove(b'~');

pub(super) fn escape(text: &str) -> String {
    utf8_percent_encode(text, ESCAPED).to_string()
}

/// A request to read something.
///
/// # Errors
/// If the address is longer than one can be: then something that is listed or selected has an absurd length.
pub(super) fn get(uri: String, accept: &str) -> Result<Request<Body>, Failure> {
    build(
        Request::get(uri).header(header::ACCEPT, accept),
        Body::empty(),
    )
}

/// Put a request together, see [`get`].
pub(super) fn build(request: http::request::Builder, body: Body) -> Result<Request<Body>, Failure> {
    request.body(body).map_err(|_| Failure::Setup {
        stage: Stage::Unsent,
        message: "the request is longer than one can be".to_owned(),
        hint: "select with fewer or shorter values".into(),
    })
}

/// Read a whole list in the encoding that the server chose.
pub(super) fn decode(answer: &Answer) -> Result<wire::JobList<'_>, wire::DecodeError> {
    match answer.content_type().starts_with(wire::PROTOBUF) {
        true => wire::decode_protobuf(&answer.body),
        false => wire::decode_json(&answer.body),
    }
}
