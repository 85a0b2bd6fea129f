//! A backup that is being written. Its folder gets its name once it is whole, so that one that stands is whole.

use std::{
    fs, io,
    io::{BufWriter, Read, Seek, SeekFrom, Write},
    path::{Path, PathBuf},
};

use serde_json::{Map, Value};
use tempfile::TempDir;

use super::{
    BackupDir,
    folder::{file_name, new_file, own_folder, private_dir, sync_dir},
    index::{Line, Missing, Saved},
};
use crate::{job::Job, time};

pub(super) const JOB: &str = "job.json";
/// The list of the Job's Pods.
pub const PODS: &str = "pods.json";
/// The list of the events of the Job and of its Pods.
pub const EVENTS: &str = "events.json";
const LOGS: &str = "logs";
/// How the name of a folder begins that is not whole.
pub(super) const UNFINISHED: &str = ".unfinished-";
/// More backups than this of one Job are not told apart.
const COPIES_MAX: usize = 10_000;

/// A backup that is being written. What is dropped before it is finished leaves nothing.
#[derive(Debug)]
pub struct Draft {
    dir: BackupDir,
    job: Job,
    /// The folder of its namespace.
    above: PathBuf,
    folder: TempDir,
    files: Vec<Saved>,
    missing: Vec<Missing>,
}

impl Draft {
    pub(super) fn new(dir: BackupDir, job: &Job) -> io::Result<Draft> {
        let above = dir.path.join(file_name(job.namespace())?);
        own_folder(&above)?;
        // Manifests and logs may hold what the environment of a Pod holds: for this user alone.
        let mut folder = tempfile::Builder::new();
        folder.prefix(UNFINISHED);
        #[cfg(unix)]
        folder.permissions(std::os::unix::fs::PermissionsExt::from_mode(0o700));
        let folder = folder.tempdir_in(&above)?;
        Ok(Draft {
            dir,
            job: job.clone(),
            above,
            folder,
            files: Vec::new(),
            missing: Vec::new(),
        })
    }

    /// Write an object.
    pub(super) fn write(&mut self, name: &str, object: &Value) -> io::Result<()> {
        let mut file = new_file(&self.folder.path().join(name))?;
        // At once: the file is not buffered, and each bracket would be a write of its own.
        let mut text = serde_json::to_vec_pretty(object)?;
        text.push(b'\n');
        file.write_all(&text)?;
        file.sync_all()?;
        self.saved(name.to_owned(), text.len() as u64);
        Ok(())
    }

    fn saved(&mut self, path: String, bytes: u64) {
        self.files.push(Saved {
            path,
            bytes,
            truncated: false,
            running: false,
        });
    }

    /// Begin a list of objects.
    ///
    /// # Errors
    /// If it cannot be written.
    pub fn list(&self, name: &'static str) -> io::Result<ObjectList> {
        let mut file = BufWriter::new(new_file(&self.folder.path().join(name))?);
        file.write_all(br#"{"apiVersion":"v1","kind":"List","metadata":{},"items":["#)?;
        Ok(ObjectList {
            name,
            file,
            is_empty: true,
        })
    }

    /// End a list of objects, and return once it is safe on disk.
    ///
    /// # Errors
    /// If it is not.
    pub fn end_list(&mut self, list: ObjectList) -> io::Result<()> {
        let ObjectList { name, mut file, .. } = list;
        file.write_all(b"\n]}\n")?;
        let mut file = file.into_inner().map_err(io::IntoInnerError::into_error)?;
        file.sync_all()?;
        let bytes = file.stream_position()?;
        self.saved(name.to_owned(), bytes);
        Ok(())
    }

    /// Begin the log of a container, or of the one that ran before it.
    ///
    /// # Errors
    /// If it cannot be written.
    pub fn log(&self, pod: &str, container: &str, is_previous: bool) -> io::Result<LogFile> {
        let path = log_path(pod, container, is_previous)?;
        let place = self.folder.path().join(&path);
        private_dir(place.parent().unwrap_or(self.folder.path()))?;
        Ok(LogFile {
            file: new_file(&place)?,
            path,
            bytes: 0,
        })
    }

    /// Keep a log as it is, and return once it is safe on disk. It is the whole log, unless it is the beginning of one
    /// that is longer than what is saved, or of a container that is still running.
    ///
    /// # Errors
    /// If it is not safe.
    pub fn keep_log(&mut self, log: LogFile, truncated: bool, running: bool) -> io::Result<()> {
        log.file.sync_all()?;
        self.files.push(Saved {
            path: log.path,
            bytes: log.bytes,
            truncated,
            running,
        });
        Ok(())
    }

    /// Take note that a log cannot be had that was not begun.
    ///
    /// # Errors
    /// If its path has no name.
    pub fn lack(
        &mut self,
        pod: &str,
        container: &str,
        is_previous: bool,
        reason: String,
    ) -> io::Result<()> {
        let path = log_path(pod, container, is_previous)?;
        self.missing.push(Missing { path, reason });
        Ok(())
    }

    /// Take note that a log cannot be had. What has come of it stays under another name.
    ///
    /// # Errors
    /// If that cannot be written.
    pub fn lack_log(&mut self, log: LogFile, reason: String) -> io::Result<()> {
        let place = self.folder.path().join(&log.path);
        if log.bytes == 0 {
            fs::remove_file(&place)?;
            // Nothing else may be in them.
            for folder in place.ancestors().skip(1).take(2) {
                let _ = fs::remove_dir(folder);
            }
        } else {
            let partial = format!("{}.partial", log.path);
            log.file.sync_all()?;
            fs::rename(&place, self.folder.path().join(&partial))?;
            self.saved(partial, log.bytes);
        }
        self.missing.push(Missing {
            path: log.path,
            reason,
        });
        Ok(())
    }

    /// Give the backup its name and its line in the index, and return once both are safe on disk; what could not be had.
    /// An earlier backup of the Job stays as it is.
    ///
    /// # Errors
    /// If it is not safe.
    pub fn finish(self) -> io::Result<Vec<Missing>> {
        sync_below(self.folder.path())?;
        let name = file_name(&format!("{}-{}", self.job.name(), self.job.uid()))?;
        let name = self.rename(&name)?;
        // It is not there any more under its old name.
        let _ = self.folder.keep();
        sync_dir(&self.above)?;
        let path = format!("{}/{name}", file_name(self.job.namespace())?);
        let line = Line::new(
            &self.job,
            &self.dir.grouping,
            time::now(),
            &path,
            &self.files,
            &self.missing,
        );
        self.dir.index.append(&line)?;
        Ok(self.missing)
    }

    /// Give the folder this name, or the first with a number behind it that is free.
    fn rename(&self, name: &str) -> io::Result<String> {
        for copy in 0..COPIES_MAX {
            let name = match copy {
                0 => name.to_owned(),
                copy => format!("{name}.{copy}"),
            };
            let place = self.above.join(&name);
            // An empty folder would be replaced.
            if fs::symlink_metadata(&place).is_ok() {
                continue;
            }
            match fs::rename(self.folder.path(), &place) {
                Ok(()) => return Ok(name),
                // Another run was faster.
                Err(_) if fs::symlink_metadata(&place).is_ok() => {}
                Err(error) => return Err(error),
            }
        }
        Err(io::ErrorKind::AlreadyExists.into())
    }
}

/// Where a log is in the folder of the backup.
fn log_path(pod: &str, container: &str, is_previous: bool) -> io::Result<String> {
    let end = if is_previous { "log.previous" } else { "log" };
    let (pod, container) = (file_name(pod)?, file_name(container)?);
    Ok(format!("{LOGS}/{pod}/{container}.{end}"))
}

/// Make the names of all files below a folder safe on disk.
fn sync_below(folder: &Path) -> io::Result<()> {
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        if entry.file_type()?.is_dir() {
            sync_below(&entry.path())?;
        }
    }
    sync_dir(folder)
}

/// A list of objects that is being written, as kubectl prints one.
#[derive(Debug)]
pub struct ObjectList {
    name: &'static str,
    file: BufWriter<fs::File>,
    is_empty: bool,
}

impl ObjectList {
    /// Write some more of it.
    ///
    /// # Errors
    /// If it cannot be written.
    pub fn push(&mut self, objects: &[Map<String, Value>]) -> io::Result<()> {
        for object in objects {
            let comma: &[u8] = if self.is_empty { b"\n" } else { b",\n" };
            self.is_empty = false;
            self.file.write_all(comma)?;
            self.file.write_all(&serde_json::to_vec(object)?)?;
        }
        Ok(())
    }
}

/// A log that is being written.
#[derive(Debug)]
pub struct LogFile {
    /// Where it is in the folder of the backup.
    path: String,
    file: fs::File,
    /// How much of it there is.
    pub bytes: u64,
}

impl LogFile {
    /// Write some more of it.
    ///
    /// # Errors
    /// If it cannot be written.
    pub fn write(&mut self, piece: &[u8]) -> io::Result<()> {
        self.file.write_all(piece)?;
        self.bytes += piece.len() as u64;
        Ok(())
    }

    /// Begin it anew.
    ///
    /// # Errors
    /// If it cannot be written.
    pub fn start_over(&mut self) -> io::Result<()> {
        self.file.set_len(0)?;
        self.file.seek(SeekFrom::Start(0))?;
        self.bytes = 0;
        Ok(())
    }

    /// Whether these are its last bytes. No bytes are the end of an empty log alone: anything ends with them.
    ///
    /// # Errors
    /// If it cannot be read.
    pub fn ends_with(&mut self, tail: &[u8]) -> io::Result<bool> {
        if tail.is_empty() {
            return Ok(self.bytes == 0);
        }
        let Some(before) = self.bytes.checked_sub(tail.len() as u64) else {
            return Ok(false);
        };
        let mut end = Vec::with_capacity(tail.len());
        self.file.seek(SeekFrom::Start(before))?;
        self.file.read_to_end(&mut end)?;
        Ok(end == tail)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_end_of_a_log_is_its_last_bytes() {
        let mut log = LogFile {
            path: String::new(),
            file: tempfile::tempfile().unwrap(),
            bytes: 0,
        };
        assert!(log.ends_with(b"").unwrap());
        assert!(!log.ends_with(b"b").unwrap());
        log.write(b"ab").unwrap();
        for (tail, is_end) in [
            ("b", true),
            ("ab", true),
            ("a", false),
            ("xab", false),
            ("", false),
        ] {
            assert_eq!(log.ends_with(tail.as_bytes()).unwrap(), is_end, "{tail}");
        }
    }
}
