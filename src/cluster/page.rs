//! Pages on their way: the next one is asked for as soon as its token has arrived, while this one is still being read.
//!
//! The token stands before the items in a protobuf body. A page that was asked for early is used only if the page
//! before it, once read as a whole, names the same token. Jobs are taken in while the bytes come, so that no body is held
//! whole; they count once the page is complete.

use std::{
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use http::StatusCode;
use jiff::SignedDuration;
use tokio::{
    sync::{OwnedSemaphorePermit, Semaphore, mpsc},
    task::JoinHandle,
};

use super::{
    Cluster,
    retry::{Backoff, Retry, Tries},
    snapshot::Break,
    uri::Begin,
};
use crate::{
    connection::exchange::{Answer, LIST_MAX, Piece},
    decode::{
        self, DecodeError, ListMeta, ListReader,
        job::{Identity, Intake, IntakeError, is_selected},
    },
    error::Error,
    job::{
        Job,
        label::LabelKey,
        query::{Query, Scope},
    },
};

/// How many pages may be on their way at once: enough to keep the server busy while an answer travels.
pub(crate) const AT_ONCE: usize = 4;

/// That a page has to wait before it is asked for again.
pub(crate) struct Wait {
    pub(crate) delay: Duration,
    pub(crate) why: String,
}

/// What asking for pages needs, shared by those on their way.
#[derive(Clone)]
pub(crate) struct PageSource {
    cluster: Cluster,
    query: Arc<Query>,
    extent: Extent,
    intake: Arc<Mutex<Intake>>,
    held: Arc<Semaphore>,
    waits: mpsc::UnboundedSender<Wait>,
}

/// Whether pages are of the whole list or of a part of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Extent {
    Whole,
    /// One namespace of a list of every namespace.
    Part,
}

/// Whether the page after one is asked for as soon as its token has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Ahead {
    Yes,
    No,
}

/// A page that has been asked for.
pub(crate) struct Incoming {
    pub(crate) begin: Begin,
    task: JoinHandle<Result<Page, Trouble>>,
}

/// A page, and the one after it if that was asked for early.
pub(crate) struct Page {
    pub(crate) meta: ListMeta,
    pub(crate) contents: Contents,
    /// How far the server's clock was ahead of this machine's, if it told the time.
    pub(crate) clock_ahead: Option<SignedDuration>,
    pub(crate) next: Option<Incoming>,
    _held: Option<OwnedSemaphorePermit>,
}

impl Drop for Incoming {
    /// Abort: no one will read this page.
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl PageSource {
    /// Pages of this list. Waits are told to the receiver.
    pub(crate) fn new(
        cluster: &Cluster,
        query: &Query,
    ) -> (PageSource, mpsc::UnboundedReceiver<Wait>) {
        let (waits, told) = mpsc::unbounded_channel();
        let pages = PageSource {
            cluster: cluster.clone(),
            query: Arc::new(query.clone()),
            extent: Extent::Whole,
            intake: Arc::new(Mutex::new(Intake::new(
                &query.grouping,
                &query.rules,
                Identity::Required,
            ))),
            held: Arc::new(Semaphore::new(AT_ONCE)),
            waits,
        };
        (pages, told)
    }

    /// Pages of the same list, but of the Jobs in one namespace.
    pub(crate) fn of_namespace(&self, namespace: String) -> PageSource {
        PageSource {
            query: Arc::new(Query {
                scope: Scope::Namespace(namespace),
                ..Query::clone(&self.query)
            }),
            extent: Extent::Part,
            ..self.clone()
        }
    }

    /// Ask for a page.
    pub(crate) fn ask(&self, begin: Begin, ahead: Ahead) -> Incoming {
        let pages = self.clone();
        let asked = begin.clone();
        Incoming {
            begin,
            task: tokio::spawn(async move { pages.get(&asked, ahead).await }),
        }
    }

    async fn get(self, begin: &Begin, ahead: Ahead) -> Result<Page, Trouble> {
        let held = Arc::clone(&self.held).acquire_owned().await.ok();
        let mut next = None;
        let on_token = |token: &str| {
            if ahead == Ahead::Yes {
                next.get_or_insert_with(|| self.ask(Begin::Token(token.into()), ahead));
            }
        };
        let page = self.get_whole(begin, on_token).await.map_err(|trouble| {
            match (self.extent, trouble) {
                // The list itself was given: it can be had in another way.
                (Extent::Part, Trouble::Fatal(error)) => Trouble::Gone(error.to_string()),
                (_, trouble) => trouble,
            }
        })?;
        Ok(Page {
            next,
            _held: held,
            ..page
        })
    }

    /// One page, asked for again while that may help.
    async fn get_whole(
        &self,
        begin: &Begin,
        mut on_token: impl FnMut(&str) + Send,
    ) -> Result<Page, Trouble> {
        let mut backoff = Backoff::new(Tries::for_list());
        loop {
            let tried = match self.try_whole(begin, &mut on_token).await {
                Ok(page) => return Ok(page),
                Err(tried) => tried,
            };
            let on_wait = |delay, why: &str| {
                let why = why.to_owned();
                let _ = self.waits.send(Wait { delay, why });
            };
            backoff.wait(tried, on_wait).await?;
        }
    }

    async fn try_whole(
        &self,
        begin: &Begin,
        on_token: &mut (impl FnMut(&str) + Send),
    ) -> Result<Page, Retry<Trouble>> {
        let cluster = &self.cluster;
        let mut reading = Reading::new(&self.query, &self.intake);
        let mut on_piece = |content_type: &str, piece: &[u8]| {
            if !content_type.starts_with(decode::PROTOBUF) {
                return Piece::Kept;
            }
            reading.feed(piece);
            if let Some(token) = reading.list.continue_token() {
                on_token(token);
            }
            Piece::Taken
        };
        let answer = async {
            let request = self.query.request(begin)?;
            let connection = &cluster.connection;
            connection
                .call_in_pieces(request, LIST_MAX, &mut on_piece)
                .await
        }
        .await;
        let server = &cluster.connection.server;
        let answer =
            answer.map_err(|why| Retry::after(why, |why| why.into_error(server).into()))?;
        let (why, retry_after, last) = match answer.status {
            // Once the server has answered, what stands in between is trouble that may pass.
            _ if answer.is_foreign() && !answer.is_transient() && *begin == Begin::Fresh => {
                return Err(Retry::Fatal(cluster.is_no_api_server(&answer).into()));
            }
            StatusCode::OK => match reading.finish(&answer) {
                Ok(page) => return Ok(page),
                Err(Unusable::Stray(why)) => return Err(Retry::Fatal(Trouble::Wrong(why))),
                Err(Unusable::Job(error)) => {
                    let message = format!("cannot list Jobs: the server sent {error}");
                    return Err(Retry::Fatal(Error::failure(message).into()));
                }
                Err(Unusable::Body(why)) => (why.to_string(), None, cluster.unreadable(&why)),
            },
            StatusCode::GONE if *begin != Begin::Fresh => {
                return Err(Retry::Fatal(Trouble::Gone(answer.words())));
            }
            _ => {
                let error = cluster.refusal(&answer, &self.query);
                if !answer.is_transient() {
                    return Err(Retry::Fatal(error.into()));
                }
                (answer.words(), answer.retry_after(), error)
            }
        };
        Err(Retry::Again {
            why,
            retry_after,
            last: last.into(),
        })
    }
}

impl Incoming {
    /// The page, once it is whole.
    pub(crate) async fn arrive(mut self) -> Result<Page, Trouble> {
        (&mut self.task).await.unwrap_or_else(|_| {
            Err(Trouble::Fatal(Error::failure(
                "cannot list Jobs: a page was lost on the way",
            )))
        })
    }
}

/// The Jobs of a page while it is coming.
struct Reading<'a> {
    query: &'a Query,
    intake: &'a Mutex<Intake>,
    list: ListReader,
    contents: Contents,
    /// Why the page is of no use. What comes after that is passed over.
    trouble: Option<Unusable>,
}

/// The Jobs of a page, as far as they have come.
#[derive(Default)]
pub(crate) struct Contents {
    /// How many there are.
    pub(crate) count: usize,
    /// Those that belong to a group.
    pub(crate) jobs: Vec<Job>,
    /// How many belong to none.
    pub(crate) ungrouped: usize,
    /// The namespace of the last one.
    pub(crate) last_namespace: Option<Box<str>>,
}

/// Why a page is of no use.
enum Unusable {
    /// It is damaged, and may not be when it comes again.
    Body(DecodeError),
    /// There is a Job in it that cannot be judged.
    Job(IntakeError),
    /// There is a Job in it that was not asked for.
    Stray(String),
}

impl From<DecodeError> for Unusable {
    fn from(error: DecodeError) -> Unusable {
        Unusable::Body(error)
    }
}

impl From<IntakeError> for Unusable {
    fn from(error: IntakeError) -> Unusable {
        Unusable::Job(error)
    }
}

impl<'a> Reading<'a> {
    fn new(query: &'a Query, intake: &'a Mutex<Intake>) -> Reading<'a> {
        Reading {
            query,
            intake,
            list: ListReader::default(),
            contents: Contents::default(),
            trouble: None,
        }
    }

    fn feed(&mut self, piece: &[u8]) {
        if self.trouble.is_none() {
            let mut intake = self.intake.lock().unwrap_or_else(PoisonError::into_inner);
            let (query, contents) = (self.query, &mut self.contents);
            let mut on_job = |job: decode::Job<'_>| contents.take(job, query, &mut intake);
            self.trouble = self.list.feed(piece, &mut on_job).err();
        }
    }

    /// The page, now that the answer is complete. In JSON it has come as a whole.
    fn finish(mut self, answer: &Answer) -> Result<Page, Unusable> {
        let page = |meta, mut contents: Contents| {
            Job::pack_names(&mut contents.jobs);
            Page {
                meta,
                contents,
                clock_ahead: answer.clock_ahead(),
                next: None,
                _held: None,
            }
        };
        if !answer.content_type().starts_with(decode::PROTOBUF) {
            let list = decode::decode_json(&answer.body)?;
            let mut intake = self.intake.lock().unwrap_or_else(PoisonError::into_inner);
            let size = decode::size_of(answer.body.len() / list.items.len().max(1));
            for job in list.items {
                let job = decode::Job { size, ..job };
                self.contents.take(job, self.query, &mut intake)?;
            }
            return Ok(page(list.metadata, self.contents));
        }
        match self.trouble {
            Some(trouble) => Err(trouble),
            None => Ok(page(self.list.finish()?, self.contents)),
        }
    }
}

impl Contents {
    /// Take a Job in.
    fn take(
        &mut self,
        job: decode::Job<'_>,
        query: &Query,
        intake: &mut Intake,
    ) -> Result<(), Unusable> {
        query.admit(&job).map_err(Unusable::Stray)?;
        self.count += 1;
        let meta = job.metadata.as_ref();
        let namespace = meta.and_then(|meta| meta.namespace.as_deref());
        if self.last_namespace.as_deref() != namespace {
            self.last_namespace = namespace.map(Into::into);
        }
        if namespace.is_some_and(|namespace| query.excludes(namespace).is_some()) {
            return Ok(());
        }
        match intake.take(&job)? {
            Some(job) => self.jobs.push(job),
            None => self.ungrouped += 1,
        }
        Ok(())
    }
}

/// Why a page cannot be used.
pub(crate) enum Trouble {
    /// The snapshot is gone: start over.
    Gone(String),
    /// It is not what was asked for: start over.
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

impl Query {
    /// Hold a Job against what was asked for. The server has selected it already; if it is not what was asked for, the
    /// answer is not the server's, and a Job that is missing may be missing for the same reason.
    ///
    /// # Errors
    /// If it should not be in the list, and why.
    pub(crate) fn admit(&self, job: &decode::Job<'_>) -> Result<(), String> {
        let no_meta = decode::ObjectMeta::default();
        let meta = job.metadata.as_ref().unwrap_or(&no_meta);
        let namespace = meta.namespace.as_deref().unwrap_or_default();
        let is_there = match &self.scope {
            Scope::AllNamespaces => !namespace.is_empty(),
            Scope::Namespace(wanted) => namespace == wanted,
        };
        let is_labelled = |key: &LabelKey| meta.labels.get(key.as_str()).is_some();
        if is_there && self.grouping.label_keys().all(is_labelled) && is_selected(job, self) {
            return Ok(());
        }
        let name = meta.name.as_deref().unwrap_or_default();
        Err(format!(
            "it holds Job {namespace}/{name}, which was not asked for"
        ))
    }
}
