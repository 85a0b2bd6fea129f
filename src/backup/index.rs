//! `index.jsonl`: a line for each backup, so that nothing has to be opened to know what there is and what there is not.

use std::{
    collections::BTreeMap,
    fs, io,
    io::{Read, Seek, SeekFrom, Write},
    path::{Path, PathBuf},
    sync::{Mutex, PoisonError},
};

use jiff::Timestamp;
use serde::Serialize;

use super::folder::{appended, sync_dir};
use crate::job::{Job, grouping::Grouping};

/// The name of the file.
const INDEX: &str = "index.jsonl";

/// A file of a backup.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Saved {
    /// Where it is in the folder of the backup.
    pub path: String,
    /// Its size.
    pub bytes: u64,
    /// That it is the beginning of a log that is longer than what is saved of one.
    #[serde(skip_serializing_if = "is_false")]
    pub truncated: bool,
    /// That it is the log of a container that had not ended, as far as it had come.
    #[serde(skip_serializing_if = "is_false")]
    pub running: bool,
}

/// A log that could not be had.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Missing {
    /// Where it would be in the folder of the backup.
    pub path: String,
    /// Why it is not there, as a fragment.
    pub reason: String,
}

/// A line of the index.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Line<'a> {
    namespace: &'a str,
    name: &'a str,
    uid: String,
    group: Group<'a>,
    created: String,
    status: &'a str,
    saved_at: Timestamp,
    path: &'a str,
    files: &'a [Saved],
    missing: &'a [Missing],
}

/// What put the Job into its group, as the document of a plan says it.
#[derive(Serialize)]
struct Group<'a> {
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    labels: BTreeMap<&'a str, &'a str>,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    annotations: BTreeMap<&'a str, &'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    application: Option<&'a str>,
}

fn is_false(is: &bool) -> bool {
    !is
}

impl<'a> Line<'a> {
    /// The line of the backup in this folder.
    pub(super) fn new(
        job: &'a Job,
        grouping: &'a Grouping,
        saved_at: Timestamp,
        path: &'a str,
        files: &'a [Saved],
        missing: &'a [Missing],
    ) -> Line<'a> {
        let values = grouping.part(job.group_values());
        Line {
            namespace: job.namespace(),
            name: job.name(),
            uid: job.uid().to_string(),
            group: Group {
                labels: values.labels,
                annotations: values.annotations,
                application: values.application,
            },
            created: job.created().to_string(),
            status: job.status(),
            saved_at,
            path,
            files,
            missing,
        }
    }
}

/// The file, which is made with its first line.
#[derive(Debug)]
pub(super) struct Index {
    folder: PathBuf,
    file: Mutex<Option<fs::File>>,
}

impl Index {
    /// The index of this folder.
    pub(super) fn new(folder: &Path) -> Index {
        Index {
            folder: folder.to_owned(),
            file: Mutex::new(None),
        }
    }

    /// Append a line, and return once it is safe on disk.
    ///
    /// # Errors
    /// If it is not.
    pub(super) fn append(&self, line: &Line) -> io::Result<()> {
        let mut text = serde_json::to_vec(line)?;
        text.push(b'\n');
        let written = {
            let mut open = self.file.lock().unwrap_or_else(PoisonError::into_inner);
            let mut file = match open.take() {
                Some(file) => file,
                None => self.open()?,
            };
            // At once: another run may append to the same file. After an error it is opened anew, since it may end
            // within a line.
            file.write_all(&text)?;
            let written = file.try_clone()?;
            *open = Some(file);
            written
        };
        written.sync_data()
    }

    fn open(&self) -> io::Result<fs::File> {
        let mut file = appended(&self.folder.join(INDEX))?;
        if file.seek(SeekFrom::End(0))? > 0 {
            let mut last = [0];
            file.seek(SeekFrom::End(-1))?;
            file.read_exact(&mut last)?;
            if last != *b"\n" {
                file.write_all(b"\n")?;
            }
        }
        sync_dir(&self.folder)?;
        Ok(file)
    }
}
