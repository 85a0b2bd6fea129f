//! What was sent and what came of it, in a file that outlives the run: JSON lines, of which each that announces a delete
//! is safe on disk before that delete leaves.
//!
//! A thread writes. It takes all lines that wait, writes and syncs them at once, and lets go who waits for any of them:
//! the deletes in flight share their syncs.

use std::{
    borrow::Cow,
    collections::BTreeMap,
    fs::{self, File, OpenOptions, TryLockError},
    hash::{BuildHasher, RandomState},
    io::{self, Read, Seek, SeekFrom, Write},
    path::Path,
    sync::{Arc, mpsc},
    thread,
    time::{Duration, Instant},
};

use jiff::Timestamp;
use serde::Serialize;
use tokio::sync::oneshot;

use crate::{
    backup::folder::sync_dir,
    error::{Exit, io_words},
    job::Job,
    plan::report::{Outcome, OutcomeCounts, Report},
    text::{escaped, is_unsafe, json_escape},
    time,
};

/// No line waits longer than this for others that are written with it.
const LONGEST_WAIT: Duration = Duration::from_millis(100);

/// A line of the file. Its fields are part of the contract with scripts.
#[derive(Debug, Serialize)]
#[serde(
    tag = "event",
    rename_all = "lowercase",
    rename_all_fields = "camelCase"
)]
enum Line<'a> {
    /// A run begins to delete.
    Run {
        time: Timestamp,
        run: &'a str,
        version: &'a str,
        context: &'a str,
        server: &'a str,
        /// How many Jobs it is to purge.
        purge: usize,
    },
    /// A delete is about to leave.
    Sent {
        time: Timestamp,
        run: &'a str,
        namespace: &'a str,
        name: &'a str,
        uid: String,
        resource_version: String,
    },
    /// What became of a Job that was to be purged.
    Outcome(Settled<'a>),
    /// What else was seen of it with `--wait`.
    Waited(Settled<'a>),
    /// The run has ended.
    End {
        time: Timestamp,
        run: &'a str,
        outcomes: BTreeMap<&'a str, usize>,
        exit: u8,
    },
}

/// What became of a Job.
#[derive(Debug, Serialize)]
struct Settled<'a> {
    time: Timestamp,
    run: &'a str,
    namespace: &'a str,
    name: &'a str,
    uid: String,
    outcome: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    message: Option<Cow<'a, str>>,
}

impl Line<'_> {
    /// As it is written. What could steer a terminal is escaped, so that no text is changed.
    fn text(&self) -> String {
        let json = serde_json::to_string(self).expect("a line is plain data");
        let mut text = escaped(&json, is_unsafe, json_escape).into_owned();
        text.push('\n');
        text
    }
}

/// The file that a run writes its journal into. Nothing is in it of a run that deletes nothing.
#[derive(Debug, Clone)]
pub struct Journal {
    /// Tells the lines of one run from those of another.
    run: Arc<str>,
    to_writer: mpsc::Sender<Entry>,
}

/// A line on its way to the disk, and who waits until it is there.
#[derive(Debug)]
struct Entry {
    text: String,
    waiter: Option<oneshot::Sender<Written>>,
}

/// Whether everything so far is safe on disk; if not, why, as a fragment that names the file.
type Written = Result<(), Arc<str>>;

impl Journal {
    /// Append to this file, which is made for this user alone if it is not there. No other run may write it meanwhile.
    ///
    /// # Errors
    /// If it cannot be written, or another run does.
    pub fn open(path: &Path) -> io::Result<Journal> {
        // Opening a pipe would wait for its reader.
        let is_new = match fs::metadata(path) {
            Ok(found) if found.is_file() => false,
            Ok(_) => {
                let why = "it exists and is not a regular file";
                return Err(io::Error::new(io::ErrorKind::InvalidInput, why));
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound => true,
            Err(error) => return Err(error),
        };
        let mut options = OpenOptions::new();
        options.read(true).append(true).create(true);
        #[cfg(unix)]
        std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
        let mut file = options.open(path)?;
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                let why = "another run is writing it";
                return Err(io::Error::new(io::ErrorKind::ResourceBusy, why));
            }
            Err(TryLockError::Error(error)) => return Err(error),
        }
        if is_new {
            let dir = path.parent().filter(|dir| !dir.as_os_str().is_empty());
            sync_dir(dir.unwrap_or(Path::new(".")))?;
        }
        let begin = if is_cut(&mut file)? { "\n" } else { "" };
        let (to_writer, entries) = mpsc::channel();
        let path = path.display().to_string();
        thread::Builder::new()
            .name("journal".to_owned())
            .spawn(move || write_down(&mut file, &path, begin, &entries))?;
        Ok(Journal {
            run: format!("{:016x}", RandomState::new().hash_one(())).into(),
            to_writer,
        })
    }

    /// A run begins that is to purge this number of Jobs of this cluster.
    pub(super) fn begin(&self, context: &str, server: &str, purge: usize) {
        self.write(&Line::Run {
            time: time::now_in_milliseconds(),
            run: &self.run,
            version: env!("CARGO_PKG_VERSION"),
            context,
            server,
            purge,
        });
    }

    /// A delete of this Job is about to leave. It may once this returns.
    ///
    /// # Errors
    /// If that is not safe on disk, or anything before it.
    pub(super) async fn sent(&self, job: &Job) -> Written {
        self.write_safely(&Line::Sent {
            time: time::now_in_milliseconds(),
            run: &self.run,
            namespace: job.namespace(),
            name: job.name(),
            uid: job.uid().to_string(),
            resource_version: job.resource_version().to_string(),
        })
        .await
    }

    /// This is what became of a Job.
    pub(super) fn outcome(&self, job: &Job, outcome: &Outcome) {
        self.write(&Line::Outcome(self.settled(job, outcome)));
    }

    fn settled<'a>(&'a self, job: &'a Job, outcome: &'a Outcome) -> Settled<'a> {
        Settled {
            time: time::now_in_milliseconds(),
            run: &self.run,
            namespace: job.namespace(),
            name: job.name(),
            uid: job.uid().to_string(),
            outcome: outcome.as_str(),
            message: outcome.message(),
        }
    }

    /// What a wait has made of these outcomes.
    pub fn waited(&self, before: &[Outcome], report: &Report) {
        let outcomes = report.plan.purges().zip(&report.outcomes).zip(before);
        for ((job, outcome), _) in outcomes.filter(|((_, now), before)| now != before) {
            self.write(&Line::Waited(self.settled(job, outcome)));
        }
    }

    /// The run has ended so. Return once all of it is safe on disk.
    ///
    /// # Errors
    /// If any line is not.
    pub async fn end(&self, counts: OutcomeCounts, exit: Exit) -> Written {
        self.write_safely(&Line::End {
            time: time::now_in_milliseconds(),
            run: &self.run,
            outcomes: counts.iter().collect(),
            exit: exit.code(),
        })
        .await
    }

    fn write(&self, line: &Line<'_>) {
        self.send(line, None);
    }

    async fn write_safely(&self, line: &Line<'_>) -> Written {
        let (waiter, written) = oneshot::channel();
        self.send(line, Some(waiter));
        written
            .await
            .unwrap_or_else(|_| Err("the journal is not written any more".into()))
    }

    /// Who waits for a line finds out if there is no writer any more.
    fn send(&self, line: &Line<'_>, waiter: Option<oneshot::Sender<Written>>) {
        let text = line.text();
        let _ = self.to_writer.send(Entry { text, waiter });
    }
}

/// Whether the last line has no end: its run was cut off while it wrote.
fn is_cut(file: &mut File) -> io::Result<bool> {
    if file.seek(SeekFrom::End(0))? == 0 {
        return Ok(false);
    }
    let mut last = [0];
    file.seek(SeekFrom::End(-1))?;
    file.read_exact(&mut last)?;
    Ok(last != *b"\n")
}

/// Write what comes until nothing will come any more. After an error nothing is written: what the disk has of the lines
/// before is not known then.
fn write_down(file: &mut File, path: &str, begin: &str, entries: &mpsc::Receiver<Entry>) {
    let mut text = begin.to_owned();
    let mut written: Written = Ok(());
    while let Ok(first) = entries.recv() {
        let until = Instant::now() + LONGEST_WAIT;
        let mut waiters = Vec::new();
        let mut take = |entry: Entry| {
            text += &entry.text;
            waiters.extend(entry.waiter);
            waiters.is_empty()
        };
        let mut may_wait = take(first);
        while may_wait {
            let left = until.saturating_duration_since(Instant::now());
            may_wait = entries.recv_timeout(left).is_ok_and(&mut take);
        }
        for entry in entries.try_iter() {
            take(entry);
        }
        if written.is_ok() {
            let safe = file.write_all(text.as_bytes());
            written = safe.and_then(|()| file.sync_data()).map_err(|error| {
                format!("cannot write the journal {path}: {}", io_words(&error)).into()
            });
        }
        text.clear();
        for waiter in waiters {
            // A run that leaves at once does not wait any more.
            let _ = waiter.send(written.clone());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::text::has_unsafe;

    fn line(name: &str, message: Option<&str>) -> String {
        let line = Line::Outcome(Settled {
            time: Timestamp::UNIX_EPOCH,
            run: "0",
            namespace: "team-a",
            name,
            uid: "u".to_owned(),
            outcome: "failed",
            message: message.map(Cow::from),
        });
        line.text()
    }

    #[test]
    fn a_line_is_one_line_of_json() {
        assert_eq!(
            line("sync-1", None),
            concat!(
                r#"{"event":"outcome","time":"1970-01-01T00:00:00Z","run":"0","namespace":"team-a","#,
                r#""name":"sync-1","uid":"u","outcome":"failed"}"#,
                "\n"
            )
        );
    }

    /// The disk takes its time with the line that announces a delete.
    #[cfg(feature = "cli")]
    #[tokio::test]
    async fn a_stop_does_not_wait_for_the_disk() {
        use tokio::sync::watch;

        use crate::{
            cluster::{
                Cluster,
                delete::{Cascade, DeleteOptions, Effect},
            },
            error::Stop,
            job::{
                Own,
                query::{Query, Scope},
            },
            plan::{
                Plan, Snapshot, Source, group::MixedGroups, recheck::Approved, retention::Policy,
            },
            purge::{Orders, purge},
        };

        let (to_writer, entries) = mpsc::channel::<Entry>();
        let (asks, stop) = watch::channel(None);
        let disk = thread::spawn(move || {
            let announced = entries.iter().find(|entry| entry.waiter.is_some());
            asks.send_replace(Some(Stop::Interrupt));
            // It is not written, and who waits for it is not let go.
            (announced, entries, asks)
        });
        let job = |age: u64| {
            let name = format!("sync-{age}");
            let (common, own) = Job::complete("team-a", &name, &age.to_string(), "shop").parts();
            let created = (Timestamp::UNIX_EPOCH - Duration::from_secs(age)).into();
            Job::new(Arc::new(common), Own { created, ..own })
        };
        let query = Query::all("label:app".parse().unwrap(), Scope::AllNamespaces, 500);
        let policy = Policy {
            mixed_groups: Some(MixedGroups::Merge),
            ..Policy::default()
        };
        let snapshot = Snapshot {
            source: Source::Cluster {
                context: String::new(),
                server: String::new(),
            },
            grouping: query.grouping.clone(),
            ungrouped: 0,
            resource_version: "1".to_owned(),
            taken_at: Timestamp::UNIX_EPOCH,
            jobs: vec![job(1), job(2)],
        };
        let approved = Approved::as_planned(Plan::new(snapshot, &policy), policy);
        assert_eq!(approved.targets().len(), 1);
        let no_server = tower::service_fn(async |_: http::Request<kube::client::Body>| {
            let why = io::Error::other("a request has left");
            Err::<http::Response<kube::client::Body>, _>(why)
        });
        let orders = Orders {
            options: DeleteOptions {
                cascade: Cascade::Background,
                effect: Effect::Delete,
            },
            concurrency: 1,
            backup: None,
            journal: Some(Journal {
                run: "0".into(),
                to_writer,
            }),
            query,
        };
        let cluster = Cluster::from_client(kube::Client::new(no_server, "default"));
        let mut on_event = |_: crate::purge::Event<'_>| {};
        let purged = purge(approved, &cluster, &orders, stop, &mut on_event);
        let report = tokio::time::timeout(Duration::from_secs(10), purged).await;
        let report = report.expect("it waits for the disk");
        assert_eq!(report.outcomes, [Outcome::NotAttempted]);
        assert!(disk.join().unwrap().0.is_some());
    }

    #[test]
    fn no_text_of_a_server_steers_a_terminal_or_begins_a_line() {
        for text in [
            "\u{1b}[2J",
            "a\r\nb",
            "\u{9b}31m",
            "gpj.exe\u{202e}",
            "\u{e0001}\"\\",
            "größer ✓",
        ] {
            let line = line(text, Some(text));
            let (json, rest) = line.split_once('\n').unwrap();
            assert_eq!(rest, "");
            assert!(!has_unsafe(json), "{json}");
            let read: serde_json::Value = serde_json::from_str(json).unwrap();
            assert_eq!(
                [&read["name"], &read["message"]].map(|text| text.as_str()),
                [Some(text); 2]
            );
        }
    }
}
