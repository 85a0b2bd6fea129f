//! All Jobs that carry the labels, as one snapshot: page after page of one resourceVersion, or nothing at all.

use std::{
    collections::HashSet,
    hash::{BuildHasher, RandomState},
    pin::pin,
    time::Duration,
};

use http::{Request, StatusCode, header};
use jiff::Timestamp;
use kube::client::Body;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};

use super::{
    Cluster,
    page::{Pages, Wait},
    request::{Answer, Failure, Stage},
};
use crate::{
    approval::Recheck,
    clock,
    error::{Error, Exit},
    job::Job,
    selector::{LabelKey, Selector},
    wire,
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
    /// When its first page came, in whole seconds by this machine's clock.
    pub taken_at: Timestamp,
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
    /// The snapshot is gone or was never one: begin anew.
    StartOver(String),
    /// It is no use to try again.
    Fatal(Error),
}

impl From<Error> for Trouble {
    fn from(error: Error) -> Trouble {
        Trouble::Fatal(error)
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
                Err(Trouble::StartOver(why)) if starts < MAX_STARTS => {
                    starts += 1;
                    sink.start_over();
                    on_event(Event::StartingOver { why: &why });
                }
                Err(Trouble::StartOver(why)) => {
                    return Err(Error::new(
                        Exit::Failure,
                        format!(
                            "cannot list Jobs: no consistent list in {MAX_STARTS} tries: {why}"
                        ),
                    )
                    .hint(
                        "try again, or with a larger --chunk-size so that fewer pages are needed",
                    ));
                }
            }
        }
    }

    async fn list_once(
        &self,
        query: &Query,
        sink: &mut dyn Sink,
        on_event: &mut dyn FnMut(Event<'_>),
    ) -> Result<Reading, Trouble> {
        let mut first_came = None;
        let mut count = 0;
        // Their hashes are enough: two that meet by chance only make the list start over.
        let hasher = RandomState::new();
        let mut uids: HashSet<u64> = HashSet::new();
        let mut empty_pages = 0;
        let mut resource_version: Option<String> = None;
        let (pages, mut waits) = Pages::new(self, query);
        let mut token: Option<String> = None;
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
            first_came.get_or_insert_with(clock::now);
            let meta = std::mem::take(&mut page.meta);
            let version = meta.resource_version.unwrap_or_default();
            match &resource_version {
                None => resource_version = Some(version),
                Some(first) if *first == version => {}
                Some(_) => {
                    return Err(Trouble::StartOver(
                        "its pages are of different versions".to_owned(),
                    ));
                }
            }
            let before = count;
            for job in std::mem::take(&mut page.jobs) {
                if !uids.insert(hasher.hash_one(&job.uid)) {
                    return Err(Trouble::StartOver("a Job is in it twice".to_owned()));
                }
                sink.take(job);
                count += 1;
            }
            empty_pages = if count == before { empty_pages + 1 } else { 0 };
            on_event(Event::Read(count));
            let Some(next) = meta.continue_token.filter(|token| !token.is_empty()) else {
                break;
            };
            if token.as_ref() == Some(&next) || empty_pages > MAX_EMPTY_PAGES {
                return Err(Trouble::StartOver(
                    "its pages do not come to an end".to_owned(),
                ));
            }
            incoming = pages.after(&mut page, &next);
            token = Some(next);
        }
        Ok(Reading {
            resource_version: resource_version.unwrap_or_default(),
            taken_at: first_came.unwrap_or_else(clock::now),
            count,
        })
    }

    /// What it means that the server does not give the list.
    pub(super) fn refusal(&self, answer: &Answer, query: &Query) -> Error {
        let words = answer.words();
        match answer.status {
            StatusCode::UNAUTHORIZED => Error::new(
                Exit::Failure,
                format!("{} does not accept your credentials: {words}", self.server),
            )
            .hint("log in again, or check the user of the context (kubectl config view --minify)"),
            StatusCode::FORBIDDEN => {
                Error::new(Exit::Failure, format!("cannot list Jobs: {words}")).hint(
                    match query.scope {
                        Scope::AllNamespaces => {
                            "you need the verbs list and delete on jobs.batch in every namespace; \
                         with rights in one namespace only, name it with -n"
                        }
                        Scope::Namespace(_) => {
                            "you need the verbs list and delete on jobs.batch in that namespace"
                        }
                    },
                )
            }
            StatusCode::NOT_FOUND => Error::new(
                Exit::Failure,
                format!(
                    "cannot list Jobs: {} has no batch/v1 Jobs: {words}",
                    self.server
                ),
            )
            .hint("check that the address is that of a Kubernetes API server"),
            _ => Error::new(Exit::Failure, format!("cannot list Jobs: {words}")).hint(
                "check that the address is that of a Kubernetes API server, or look at its log",
            ),
        }
    }
}

impl Query {
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
