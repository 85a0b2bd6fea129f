//! Backups that are there: found, and read. Their files may come from anywhere.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs, io,
    io::Read,
    path::{Path, PathBuf},
    time::SystemTime,
};

use jiff::{SignedDuration, Timestamp};
use serde_json::Value;

use super::{
    MANIFEST,
    manifest::{STATUS, restorable},
};
use crate::{
    error::{Error, io_words},
    job::{
        CREATED,
        label::{is_dns_label, is_dns_subdomain},
    },
    time,
};

/// The most bytes of a manifest. The API server takes far less.
const MANIFEST_MAX: u64 = 16 << 20;

/// How far in the future a Job may have been created: the clock of its cluster may be ahead of this one.
const AHEAD_MAX: SignedDuration = SignedDuration::from_hours(1);

/// A backup of a Job.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Backup {
    pub namespace: String,
    pub name: String,
    /// When the Job was created.
    pub created: Timestamp,
    /// When the backup was written, as far as its file tells.
    saved: SystemTime,
    /// How the Job ended, in kubectl's word.
    pub status: String,
    /// Its folder or, in an older layout, its file, below that of its namespace.
    pub entry: String,
    /// Its manifest.
    path: PathBuf,
}

/// Which backups are asked for.
#[derive(Debug, Clone, Default)]
pub struct Wanted {
    /// In this namespace alone.
    pub namespace: Option<String>,
    /// By these names alone: of the Job, or of its folder, after its namespace and a slash or without.
    pub names: Vec<String>,
}

/// The backups in a folder that are asked for, by namespace and name; of each Job the newest. The second are folders and
/// links that are passed over.
///
/// # Errors
/// If the folder or a backup cannot be read, or one that is named is not there. What is broken might be the newest.
pub fn find(dir: &Path, wanted: &Wanted) -> Result<(Vec<Backup>, Vec<PathBuf>), Error> {
    let mut newest: BTreeMap<(String, String), Backup> = BTreeMap::new();
    let mut found: BTreeSet<&str> = BTreeSet::new();
    let mut skipped = Vec::new();
    for (namespace, folder) in entries(dir)? {
        let is_elsewhere = wanted.namespace.as_ref().is_some_and(|ns| *ns != namespace);
        if is_elsewhere || !is_dns_label(&namespace) {
            continue;
        }
        if !is_folder(&folder) {
            if folder.is_symlink() {
                skipped.push(folder);
            }
            continue;
        }
        for (entry, place) in entries(&folder)? {
            let path = match place.extension() {
                _ if is_folder(&place) => place.join(MANIFEST),
                Some(extension) if extension == "json" => place.clone(),
                _ => continue,
            };
            if !fs::symlink_metadata(&path).is_ok_and(|found| found.is_file()) {
                skipped.push(place);
                continue;
            }
            let (backup, _) = Backup::read(&namespace, entry, path)?;
            let mut is_named = wanted.names.is_empty();
            for name in wanted.names.iter().filter(|name| backup.is_called(name)) {
                found.insert(name);
                is_named = true;
            }
            let key = (backup.namespace.clone(), backup.name.clone());
            if is_named && newest.get(&key).is_none_or(|other| *other < backup) {
                newest.insert(key, backup);
            }
        }
    }
    let lacks = |name: &&String| !found.contains(name.as_str());
    if let Some(name) = wanted.names.iter().find(lacks) {
        let place = match &wanted.namespace {
            Some(namespace) => format!("namespace {namespace} of {}", dir.display()),
            None => dir.display().to_string(),
        };
        return Err(
            Error::failure(format!("there is no backup of {name} in {place}"))
                .hint("index.jsonl in that folder lists what it holds"),
        );
    }
    Ok((newest.into_values().collect(), skipped))
}

/// What is in a folder, but for what is hidden: a backup that was not finished is.
fn entries(folder: &Path) -> Result<Vec<(String, PathBuf)>, Error> {
    let read = || -> io::Result<Vec<(String, PathBuf)>> {
        let mut entries = Vec::new();
        for entry in fs::read_dir(folder)? {
            let entry = entry?;
            // What is not Unicode is no name of a namespace or Job.
            if let Ok(name) = entry.file_name().into_string()
                && !name.starts_with('.')
            {
                entries.push((name, entry.path()));
            }
        }
        Ok(entries)
    };
    read().map_err(|error| unreadable(folder, &io_words(&error)))
}

/// Whether it is a folder itself, and no link to one.
fn is_folder(path: &Path) -> bool {
    fs::symlink_metadata(path).is_ok_and(|found| found.is_dir())
}

fn unreadable(path: &Path, why: &str) -> Error {
    Error::failure(format!("cannot read {}: {why}", path.display()))
        .hint("nothing was created; move away what is no backup, or restore from another folder")
}

fn read(path: &Path) -> Result<Value, Error> {
    let read = || -> io::Result<Vec<u8>> {
        let mut text = Vec::new();
        let file = fs::File::open(path)?;
        file.take(MANIFEST_MAX + 1).read_to_end(&mut text)?;
        Ok(text)
    };
    let text = read().map_err(|error| unreadable(path, &io_words(&error)))?;
    if text.len() as u64 > MANIFEST_MAX {
        let why = format!("it is longer than {} MiB", MANIFEST_MAX >> 20);
        return Err(unreadable(path, &why));
    }
    serde_json::from_slice(&text)
        .map_err(|error| unreadable(path, &format!("it is not JSON: {error}")))
}

impl Backup {
    fn read(namespace: &str, entry: String, path: PathBuf) -> Result<(Backup, Value), Error> {
        let manifest = read(&path)?;
        let told = Told::by(&manifest, namespace).map_err(|why| unreadable(&path, &why))?;
        let saved = fs::metadata(&path).and_then(|found| found.modified());
        let backup = Backup {
            namespace: namespace.to_owned(),
            name: told.name.to_owned(),
            created: told.created,
            saved: saved.unwrap_or(SystemTime::UNIX_EPOCH),
            status: told.status.to_owned(),
            entry,
            path,
        };
        Ok((backup, manifest))
    }

    /// Whether this is a name of it: the Job's or its folder's, after its namespace and a slash or without.
    fn is_called(&self, wanted: &str) -> bool {
        let (namespace, name) = match wanted.split_once('/') {
            Some((namespace, name)) => (Some(namespace), name),
            None => (None, wanted),
        };
        namespace.is_none_or(|namespace| namespace == self.namespace)
            && (name == self.name || name == self.entry)
    }

    /// The Job to create.
    ///
    /// # Errors
    /// If its file is no longer what it was.
    pub fn job(&self) -> Result<Value, Error> {
        let (now, manifest) = Backup::read(&self.namespace, self.entry.clone(), self.path.clone())?;
        if now != *self {
            return Err(unreadable(&self.path, "it has changed"));
        }
        Ok(restorable(manifest))
    }
}

/// What a manifest says of its Job.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Told<'a> {
    pub name: &'a str,
    /// When the Job was created.
    pub created: Timestamp,
    /// How it ended, in kubectl's word; empty if the manifest does not say.
    pub status: &'a str,
}

impl<'a> Told<'a> {
    /// What a manifest says that lies in the folder of this namespace.
    ///
    /// # Errors
    /// If it is not the manifest of a Job of that namespace; why, as a fragment.
    pub fn by(manifest: &'a Value, namespace: &str) -> Result<Told<'a>, String> {
        let wrong = |why: &str| Err(why.to_owned());
        let text = |pointer: &str| manifest.pointer(pointer).and_then(Value::as_str);
        let annotation = |key: &str| manifest["metadata"]["annotations"][key].as_str();
        if (text("/apiVersion"), text("/kind")) != (Some("batch/v1"), Some("Job")) {
            return wrong("it is not the manifest of a Job");
        }
        let Some(name) = text("/metadata/name").filter(|name| is_dns_subdomain(name)) else {
            return wrong("its Job has no valid name");
        };
        if text("/metadata/namespace") != Some(namespace) {
            return wrong("its Job is of another namespace than its folder");
        }
        if !manifest["spec"].is_object() {
            return wrong("its Job has no spec");
        }
        let Some(created) = annotation(CREATED).and_then(|text| text.parse::<Timestamp>().ok())
        else {
            return Err(format!(
                "its annotation {CREATED} does not say when the Job was created"
            ));
        };
        // It would be the newest backup of the Job for ever.
        if created.duration_since(time::now()) > AHEAD_MAX {
            return Err(format!("its annotation {CREATED} is in the future"));
        }
        Ok(Told {
            name,
            created,
            status: annotation(STATUS).unwrap_or_default(),
        })
    }
}
