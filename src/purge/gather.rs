//! What a Job leaves beside itself, gathered into its backup before its delete.

use std::{
    collections::{HashMap, HashSet},
    io,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use bytes::Bytes;
use tokio::{
    sync::{OwnedSemaphorePermit, Semaphore, mpsc, oneshot},
    time::Instant,
};

use crate::{
    backup::{
        Draft, LogFile, Missing, Parts,
        draft::{EVENTS, PODS},
    },
    cluster::{
        Cluster,
        retry::{Backoff, CallError, Tries, Unanswered},
        traces::{Container, Log, LogAnswer, Pod, about, owned},
    },
    job::Job,
};

/// How many Jobs' Pods and events are listed at a time.
const LISTS_AT_A_TIME: usize = 8;
/// How many logs are read at a time: apart from deletes, so that slow nodes do not hold those up.
const LOGS_AT_A_TIME: usize = 8;
/// How many of them from one node: one that hangs leaves room for the others.
const LOGS_OF_A_NODE: usize = 2;
/// The most bytes of a log that are saved. A kubelet keeps as much in the file that it reads, by default.
pub(super) const LOG_MAX: u64 = 10 << 20;
/// The most bytes of all logs of a Job.
const LOGS_MAX: u64 = 100 << 20;
/// The longest that one try to read a log may take.
const LOG_TIME: Duration = Duration::from_secs(60);
/// How long after a node has failed to give a log its next try comes. What ails it may pass: a kubelet that is started
/// again is there after some seconds.
const LOG_PAUSES: [Duration; 2] = [Duration::from_secs(2), Duration::from_secs(30)];
/// The longest that the logs of a Job may take, without the time that they wait for their turn.
const LOGS_TIME: Duration = Duration::from_secs(600);
/// A node that has not given a byte in this time, for all its tries, is not asked again.
const NODE_TIME: Duration = Duration::from_secs(5);
/// Nor is one after this number of logs in a row that failed in all their tries.
const NODE_FAILURES: u32 = 3;
/// Pieces of a log that wait to be written.
const PIECES_HELD: usize = 4;

/// Why a backup is not there.
pub(super) enum NotSaved {
    /// The disk.
    Unwritten(io::Error),
    /// The server.
    Unread(CallError),
}

impl From<io::Error> for NotSaved {
    fn from(error: io::Error) -> NotSaved {
        NotSaved::Unwritten(error)
    }
}

impl From<CallError> for NotSaved {
    fn from(error: CallError) -> NotSaved {
        NotSaved::Unread(error)
    }
}

/// What is being read at a time, shared by all Jobs of a run.
pub(super) struct Reads {
    lists: Semaphore,
    logs: Arc<Semaphore>,
    nodes: Mutex<HashMap<String, Node>>,
}

struct Node {
    reads: Arc<Semaphore>,
    /// How many logs in a row failed in all their tries.
    failures: u32,
    is_given_up: bool,
}

/// A place to read a log from a node. It is held for all tries, and the pauses between them: each log that waits would
/// else have a try before this one has its last.
struct Place<'a> {
    node: &'a str,
    _own: Option<OwnedSemaphorePermit>,
    _of_all: Option<OwnedSemaphorePermit>,
}

impl Default for Reads {
    fn default() -> Reads {
        Reads {
            lists: Semaphore::new(LISTS_AT_A_TIME),
            logs: Arc::new(Semaphore::new(LOGS_AT_A_TIME)),
            nodes: Mutex::default(),
        }
    }
}

impl Reads {
    /// Wait for a place to read a log from this node; `None` if it is not asked any more.
    async fn enter<'a>(&self, node: &'a str) -> Option<Place<'a>> {
        let reads = self.node(node, |node| Arc::clone(&node.reads));
        let place = Place {
            node,
            _own: reads.acquire_owned().await.ok(),
            _of_all: Arc::clone(&self.logs).acquire_owned().await.ok(),
        };
        let is_given_up = self.node(node, |node| node.is_given_up);
        (!is_given_up).then_some(place)
    }

    /// The node has given a log.
    fn gave(&self, node: &str) {
        self.node(node, |node| node.failures = 0);
    }

    /// All tries of a log have failed; for this long the node has given no byte.
    fn failed(&self, node: &str, silent_for: Duration) {
        self.node(node, |node| {
            node.failures += 1;
            node.is_given_up |= silent_for > NODE_TIME || node.failures >= NODE_FAILURES;
        });
    }

    fn node<T>(&self, name: &str, with: impl FnOnce(&mut Node) -> T) -> T {
        let mut nodes = self.nodes.lock().unwrap_or_else(PoisonError::into_inner);
        let node = nodes.entry(name.to_owned()).or_insert_with(|| Node {
            reads: Arc::new(Semaphore::new(LOGS_OF_A_NODE)),
            failures: 0,
            is_given_up: false,
        });
        with(node)
    }
}

/// Gathers what is saved of one Job.
pub(super) struct Gatherer<'a> {
    pub(super) cluster: &'a Cluster,
    pub(super) reads: &'a Reads,
    pub(super) job: &'a Job,
    pub(super) parts: Parts,
}

impl Gatherer<'_> {
    /// Write everything that is asked for beside the manifest, and finish the backup; what could not be had.
    pub(super) async fn gather(
        &self,
        mut draft: Draft,
        selector: &str,
    ) -> Result<Vec<Missing>, NotSaved> {
        let listing = self.reads.lists.acquire().await;
        let pods;
        (draft, pods) = self.pods(draft, selector).await?;
        if self.parts.events {
            draft = self.events(draft, &pods).await?;
        }
        drop(listing);
        if self.parts.has_logs(self.job.state()) {
            draft = self.logs(draft, &pods).await?;
        }
        Ok(off_thread(move || draft.finish()).await?)
    }

    async fn pods(&self, mut draft: Draft, selector: &str) -> Result<(Draft, Vec<Pod>), NotSaved> {
        let mut file = None;
        if self.parts.pods {
            (draft, file) = off_thread(move || {
                let list = draft.list(PODS)?;
                Ok((draft, Some(list)))
            })
            .await?;
        }
        let mut pods = Vec::new();
        let mut listing = self.cluster.pods(self.job, selector);
        while let Some(objects) = listing.next().await? {
            let (page, objects): (Vec<_>, Vec<_>) = owned(objects, self.job).into_iter().unzip();
            pods.extend(page);
            file = off_thread(move || match file {
                None => Ok(None),
                Some(mut list) => list.push(&objects).map(|()| Some(list)),
            })
            .await?;
        }
        let draft = off_thread(move || {
            if let Some(list) = file {
                draft.end_list(list)?;
            }
            Ok(draft)
        })
        .await?;
        Ok((draft, pods))
    }

    async fn events(&self, draft: Draft, pods: &[Pod]) -> Result<Draft, NotSaved> {
        let uids: HashSet<String> = (pods.iter().map(|pod| pod.uid.clone()))
            .chain([self.job.uid().to_string()])
            .collect();
        let (mut draft, mut file) = off_thread(move || {
            let list = draft.list(EVENTS)?;
            Ok((draft, list))
        })
        .await?;
        for mut listing in self.cluster.events(self.job, pods) {
            while let Some(events) = listing.next().await? {
                let events = about(events, &uids);
                file = off_thread(move || file.push(&events).map(|()| file)).await?;
            }
        }
        Ok(off_thread(move || draft.end_list(file).map(|()| draft)).await?)
    }

    async fn logs(&self, mut draft: Draft, pods: &[Pod]) -> Result<Draft, NotSaved> {
        // What it waited for its turn is not its own.
        let mut spent = Duration::ZERO;
        let mut left = LOGS_MAX;
        for pod in pods {
            for container in &pod.containers {
                let previous = container.has_restarted.then_some(true);
                for is_previous in [false].into_iter().chain(previous) {
                    let log = Log {
                        namespace: self.job.namespace(),
                        pod: &pod.name,
                        container: &container.name,
                        is_previous,
                    };
                    let names = (pod.name.clone(), container.name.clone());
                    let place = match self.place(pod, spent, left).await {
                        Ok(place) => place,
                        Err(why) => {
                            draft = off_thread(move || {
                                draft.lack(&names.0, &names.1, is_previous, why)?;
                                Ok(draft)
                            })
                            .await?;
                            continue;
                        }
                    };
                    let begun = Instant::now();
                    // Not before there is a place: hundreds of Jobs may wait for one.
                    let (of, file) = off_thread(move || {
                        let file = draft.log(&names.0, &names.1, is_previous)?;
                        Ok((draft, file))
                    })
                    .await?;
                    let most = left.min(LOG_MAX);
                    let (file, end) = self.log(&log, &place, container, file, most).await?;
                    drop(place);
                    spent += begun.elapsed();
                    left = left.saturating_sub(file.bytes);
                    draft = off_thread(move || {
                        let mut draft = of;
                        match end {
                            End::Lacking(why) => draft.lack_log(file, why)?,
                            End::Whole => draft.keep_log(file, false, false)?,
                            End::Truncated => draft.keep_log(file, true, false)?,
                            End::Running => draft.keep_log(file, false, true)?,
                        }
                        Ok(draft)
                    })
                    .await?;
                }
            }
        }
        Ok(draft)
    }

    /// Wait for a place to read one more log; if it is not to be read, why.
    async fn place<'p>(
        &self,
        pod: &'p Pod,
        spent: Duration,
        left: u64,
    ) -> Result<Place<'p>, String> {
        if spent > LOGS_TIME {
            let minutes = LOGS_TIME.as_secs() / 60;
            return Err(format!(
                "the logs of its Job took longer than {minutes} minutes"
            ));
        }
        if left == 0 {
            return Err(format!(
                "its Job has more than {} MiB of logs",
                LOGS_MAX >> 20
            ));
        }
        let Some(node) = &pod.node else {
            return Err("its Pod was never assigned to a node".to_owned());
        };
        let place = self.reads.enter(node).await;
        place.ok_or_else(|| format!("node {node} did not give other logs"))
    }

    /// Read a log, again and again while that may help, and not for ever.
    async fn log(
        &self,
        log: &Log<'_>,
        place: &Place<'_>,
        container: &Container,
        mut file: LogFile,
        most: u64,
    ) -> Result<(LogFile, End), NotSaved> {
        let mut pauses = LOG_PAUSES.into_iter();
        // Where the API server does not answer.
        let mut backoff = Backoff::new(Tries {
            count: 3,
            total: LOGS_TIME,
        });
        let mut silent_for = Duration::ZERO;
        loop {
            let begun = Instant::now();
            let tried;
            (file, tried) = self.try_log(log, container, file, most).await?;
            let why = match tried {
                Tried::Ended(end) => {
                    if !matches!(end, End::Lacking(_)) {
                        self.reads.gave(place.node);
                    }
                    return Ok((file, end));
                }
                Tried::Failed(why) => why,
                Tried::Unanswered(unanswered) => {
                    match backoff.next_delay(unanswered.retry_after) {
                        Some(delay) => tokio::time::sleep(delay).await,
                        // It is not the node that does not answer.
                        None => return Err(CallError::Unanswered(unanswered).into()),
                    }
                    continue;
                }
            };
            silent_for = match file.bytes {
                0 => silent_for + begun.elapsed(),
                _ => Duration::ZERO,
            };
            match pauses.next() {
                Some(pause) => tokio::time::sleep(pause).await,
                None => {
                    self.reads.failed(place.node, silent_for);
                    return Ok((file, End::Lacking(why)));
                }
            }
        }
    }

    async fn try_log(
        &self,
        log: &Log<'_>,
        container: &Container,
        mut file: LogFile,
        most: u64,
    ) -> Result<(LogFile, Tried), NotSaved> {
        let (pieces, written) = mpsc::channel::<Bytes>(PIECES_HELD);
        let writing = off_thread(move || {
            file.start_over()?;
            write(&mut file, written, most)?;
            Ok(file)
        });
        let read = {
            // Its end tells the writer that there is no more.
            let pieces = pieces;
            in_time(self.cluster.log(log, most, &pieces)).await
        };
        let mut file = writing.await?;
        match read {
            Ok(LogAnswer::Log(())) => {}
            other => return Ok((file, Tried::of(other)?)),
        }
        if file.bytes >= most {
            return Ok((file, Tried::Ended(End::Truncated)));
        }
        if container.is_running && !log.is_previous {
            return Ok((file, Tried::Ended(End::Running)));
        }
        let tail = match in_time(self.cluster.log_tail(log)).await {
            Ok(LogAnswer::Log(tail)) => tail,
            other => return Ok((file, Tried::of(other)?)),
        };
        let is_whole;
        (file, is_whole) = off_thread(move || {
            let is_whole = file.ends_with(&tail)?;
            Ok((file, is_whole))
        })
        .await?;
        let tried = if is_whole {
            Tried::Ended(End::Whole)
        } else {
            Tried::Failed(format!("it was cut off after {} bytes", file.bytes))
        };
        Ok((file, tried))
    }
}

/// What comes of a try to read a log, which ends even if requests may take for ever.
async fn in_time<T>(
    read: impl Future<Output = Result<LogAnswer<T>, CallError>>,
) -> Result<LogAnswer<T>, CallError> {
    tokio::time::timeout(LOG_TIME, read)
        .await
        .unwrap_or_else(|_| {
            let why = format!("it did not come whole within {} s", LOG_TIME.as_secs());
            Ok(LogAnswer::NotNow(why))
        })
}

/// What a log has come to.
enum End {
    Whole,
    /// It is longer than what is saved.
    Truncated,
    /// It may go on.
    Running,
    /// It is not there, or only its beginning.
    Lacking(String),
}

/// What a try to read a log has come to.
enum Tried {
    Ended(End),
    /// The node did not give it.
    Failed(String),
    /// The API server did not answer.
    Unanswered(Unanswered),
}

impl Tried {
    /// What comes of any answer but a log.
    fn of<T>(answer: Result<LogAnswer<T>, CallError>) -> Result<Tried, CallError> {
        Ok(match answer {
            Ok(LogAnswer::Never(why)) => Tried::Ended(End::Lacking(why)),
            Ok(LogAnswer::NotNow(why)) => Tried::Failed(why),
            Ok(LogAnswer::Log(_)) => Tried::Ended(End::Whole),
            Err(CallError::Unanswered(unanswered)) => Tried::Unanswered(unanswered),
            Err(refused) => return Err(refused),
        })
    }
}

/// Write what comes, up to a limit: what is behind the server may send more than it was asked for.
fn write(file: &mut LogFile, mut pieces: mpsc::Receiver<Bytes>, most: u64) -> io::Result<()> {
    while let Some(mut piece) = pieces.blocking_recv() {
        let room = most - file.bytes;
        piece.truncate(usize::try_from(room).unwrap_or(usize::MAX));
        file.write(&piece)?;
        if file.bytes == most {
            break;
        }
    }
    Ok(())
}

/// Work on files, off the threads that wait for the network. It begins at once.
///
/// tokio makes code of its own for every kind of work, so all of it goes in one kind of box.
pub(super) fn off_thread<T: Send + 'static>(
    work: impl FnOnce() -> io::Result<T> + Send + 'static,
) -> impl Future<Output = io::Result<T>> {
    let (send, receive) = oneshot::channel();
    let work: Box<dyn FnOnce() + Send> = Box::new(move || drop(send.send(work())));
    tokio::task::spawn_blocking(work);
    async move {
        let done = receive.await;
        done.unwrap_or_else(|_| Err(io::Error::other("it broke off")))
    }
}

#[cfg(test)]
mod tests {
    use futures_util::FutureExt as _;

    use super::*;

    fn is_asked(reads: &Reads, node: &str) -> bool {
        reads.enter(node).now_or_never().unwrap().is_some()
    }

    #[test]
    fn a_node_that_never_gives_a_whole_log_is_given_up() {
        let reads = Reads::default();
        for _ in 0..2 {
            reads.failed("a", Duration::ZERO);
        }
        reads.gave("a");
        for _ in 0..3 {
            assert!(is_asked(&reads, "a"));
            reads.failed("a", Duration::ZERO);
        }
        assert!(!is_asked(&reads, "a"));
        assert!(is_asked(&reads, "b"));
        reads.failed("b", NODE_TIME * 2);
        assert!(!is_asked(&reads, "b"));
    }
}
