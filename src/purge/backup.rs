//! A Job's manifest on disk before its delete leaves, ready for `kubectl create -f`.

use std::{
    fs, io,
    io::Write,
    path::{Path, PathBuf},
};

use serde_json::{Map, Value, json};

use crate::job::{CREATED, Job, ids::Stamp, label::DERIVED_LABELS};

/// The annotation that says how the Job ended that a manifest was made from.
const STATUS: &str = "jobclean/status";
/// The most bytes of a file's name.
const NAME_MAX: usize = 200;

/// Fields of `metadata` that the server sets itself, or that would make a new Job look half deleted.
const SERVER_SET: [&str; 7] = [
    "uid",
    "resourceVersion",
    "creationTimestamp",
    "deletionTimestamp",
    "deletionGracePeriodSeconds",
    "generation",
    "managedFields",
];
/// Finalizers that belong to a delete that is under way.
const DELETE_FINALIZERS: [&str; 2] = ["foregroundDeletion", "orphan"];

/// Make of a Job as the server has it a manifest that the server takes for a new one.
///
/// Everything that a person wrote stays. What goes: the fields that the server sets, the status, and, unless the Job
/// has a selector of its own (`manualSelector`), the selector and labels that the server derives from the old uid.
///
/// A Job that is made from it does not run, since it did already: it is suspended. Nor does it become the newest of its
/// group: it tells when the old one was created, and how that ended, in kubectl's word.
pub fn manifest(mut job: Value, created: Stamp, status: &str) -> Value {
    let identity = job["metadata"].clone();
    job["apiVersion"] = "batch/v1".into();
    job["kind"] = "Job".into();
    let manual = job["spec"]["manualSelector"] == Value::Bool(true);
    if let Some(object) = job.as_object_mut() {
        object.remove("status");
    }
    if let Some(metadata) = job["metadata"].as_object_mut() {
        for field in SERVER_SET {
            metadata.remove(field);
        }
        if let Some(Value::Array(finalizers)) = metadata.get_mut("finalizers") {
            finalizers
                .retain(|finalizer| !DELETE_FINALIZERS.iter().any(|known| finalizer == known));
        }
        drop_empty(metadata, "finalizers");
        let annotations = metadata.entry("annotations").or_insert_with(|| json!({}));
        if !annotations.is_object() {
            *annotations = json!({});
        }
        annotations[CREATED] = created.to_string().into();
        annotations[STATUS] = status.into();
    }
    if let Some(spec) = job["spec"].as_object_mut() {
        spec.insert("suspend".to_owned(), true.into());
    }
    if !manual {
        for labels in ["/metadata", "/spec/template/metadata"] {
            let Some(metadata) = job.pointer_mut(labels).and_then(Value::as_object_mut) else {
                continue;
            };
            if let Some(Value::Object(labels)) = metadata.get_mut("labels") {
                labels.retain(|key, value| {
                    !DERIVED_LABELS
                        .iter()
                        .any(|(label, of)| key == label && *value == identity[of])
                });
            }
            drop_empty(metadata, "labels");
        }
        if let Some(spec) = job["spec"].as_object_mut() {
            spec.remove("selector");
            spec.remove("manualSelector");
        }
    }
    job
}

fn drop_empty(object: &mut Map<String, Value>, field: &str) {
    let empty = match object.get(field) {
        Some(Value::Array(list)) => list.is_empty(),
        Some(Value::Object(map)) => map.is_empty(),
        _ => false,
    };
    if empty {
        object.remove(field);
    }
}

/// Where backups are kept: `DIR/NAMESPACE/NAME-UID.json`.
#[derive(Debug, Clone)]
pub struct BackupDir(PathBuf);

impl BackupDir {
    /// Keep backups in this folder. It is made if it is not there, for this user alone.
    ///
    /// # Errors
    /// If it cannot be made.
    pub fn create(path: &Path) -> io::Result<BackupDir> {
        private_dir(path)?;
        Ok(BackupDir(path.to_owned()))
    }

    /// Write a Job's manifest, and return once it is safe on disk.
    ///
    /// # Errors
    /// If it is not.
    pub fn write(&self, job: &Job, manifest: Value) -> io::Result<()> {
        let dir = self.0.join(file_name(&job.namespace)?);
        self.own_folder(&dir)?;
        // Manifests may hold what the environment of a Pod holds: for this user alone, as temporary files are.
        let mut file = tempfile::NamedTempFile::new_in(&dir)?;
        // At once: the file is not buffered, and each bracket would be a write of its own.
        let manifest = self::manifest(manifest, job.created, job.status());
        let mut text = serde_json::to_vec_pretty(&manifest)?;
        text.push(b'\n');
        file.write_all(&text)?;
        file.as_file().sync_all()?;
        let name = short_name(&job.name, &job.uid.to_string());
        // In the place of a link, and not where it leads.
        file.persist(dir.join(file_name(&name)?))
            .map_err(|error| error.error)?;
        sync_dir(&dir)
    }

    /// Make sure of the folder of a namespace. A link in its place would lead manifests elsewhere.
    fn own_folder(&self, dir: &Path) -> io::Result<()> {
        match fs::symlink_metadata(dir) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => private_dir(dir)?,
            Err(error) => return Err(error),
            Ok(_) => {}
        }
        if fs::symlink_metadata(dir)?.is_dir() {
            Ok(())
        } else {
            let why = "the folder of its namespace is a link or a file";
            Err(io::Error::new(io::ErrorKind::InvalidInput, why))
        }
    }
}

/// The file of a Job: `NAME-UID.json`, or a part of the name and a hash of both where that is longer than every file
/// system takes. (255 bytes are usual, and a temporary name may be longer than the last one.)
fn short_name(name: &str, uid: &str) -> String {
    let whole = format!("{name}-{uid}.json");
    if whole.len() <= NAME_MAX {
        return whole;
    }
    let digest = ring::digest::digest(&ring::digest::SHA256, whole.as_bytes());
    let hash: String = digest.as_ref()[..16]
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect();
    let mut begins = NAME_MAX / 2;
    while !name.is_char_boundary(begins) {
        begins -= 1;
    }
    format!("{}-{hash}.json", &name[..begins])
}

/// Names are the server's word; none of them may lead out of the folder.
fn file_name(name: &str) -> io::Result<&str> {
    let plain =
        !name.is_empty() && !name.starts_with('.') && !name.contains(['/', '\\', ':', '\0']);
    if plain {
        Ok(name)
    } else {
        Err(io::Error::new(
            io::ErrorKind::InvalidInput,
            "its name is not a valid file name",
        ))
    }
}

/// Make a folder for this user alone, and those above it that are not there. Each is safe once the one above it is.
fn private_dir(path: &Path) -> io::Result<()> {
    let mut missing: Vec<&Path> = Vec::new();
    for folder in path.ancestors().filter(|path| !path.as_os_str().is_empty()) {
        match fs::metadata(folder) {
            Ok(found) if found.is_dir() => break,
            Ok(_) => return Err(io::ErrorKind::NotADirectory.into()),
            Err(error) if error.kind() == io::ErrorKind::NotFound => missing.push(folder),
            Err(error) => return Err(error),
        }
    }
    for folder in missing.into_iter().rev() {
        let mut builder = fs::DirBuilder::new();
        #[cfg(unix)]
        std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
        match builder.create(folder) {
            // Another delete was faster.
            Err(error) if error.kind() != io::ErrorKind::AlreadyExists => return Err(error),
            _ => {}
        }
        let above = folder.parent().filter(|path| !path.as_os_str().is_empty());
        sync_dir(above.unwrap_or(Path::new(".")))?;
    }
    Ok(())
}

/// A file is only safe once the folder that names it is.
pub fn sync_dir(path: &Path) -> io::Result<()> {
    if cfg!(unix) {
        fs::File::open(path)?.sync_all()?;
    }
    Ok(())
}
