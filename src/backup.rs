//! A Job's manifest on disk before its delete leaves, ready for `kubectl create -f`.

use std::{
    fs, io,
    io::Write,
    path::{Path, PathBuf},
};

use serde_json::{Map, Value};

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
/// Labels that the server derives from the uid and the name. It refuses those of another Job.
pub const DERIVED_LABELS: [(&str, &str); 4] = [
    ("controller-uid", "uid"),
    ("batch.kubernetes.io/controller-uid", "uid"),
    ("job-name", "name"),
    ("batch.kubernetes.io/job-name", "name"),
];
/// Finalizers that belong to a delete that is under way.
const DELETE_FINALIZERS: [&str; 2] = ["foregroundDeletion", "orphan"];

/// Make of a Job as the server has it a manifest that the server takes for a new one.
///
/// Everything that somebody wrote stays. What goes: the fields that the server sets, the status, and, unless the Job
/// has a selector of its own (`manualSelector`), the selector and labels that the server derives from the old uid.
pub fn manifest(mut job: Value) -> Value {
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
    pub fn write(&self, namespace: &str, name: &str, uid: &str, job: Value) -> io::Result<()> {
        let dir = self.0.join(file_name(namespace)?);
        private_dir(&dir)?;
        // Manifests may hold what the environment of a Pod holds: for this user alone, as temporary files are.
        let mut file = tempfile::NamedTempFile::new_in(&dir)?;
        // At once: the file is not buffered, and each bracket would be a write of its own.
        let mut text = serde_json::to_vec_pretty(&manifest(job))?;
        text.push(b'\n');
        file.write_all(&text)?;
        file.as_file().sync_all()?;
        file.persist(dir.join(file_name(&format!("{name}-{uid}.json"))?))
            .map_err(|error| error.error)?;
        sync_dir(&dir)
    }
}

/// Names are the server's word; none of them may lead out of the folder.
fn file_name(name: &str) -> io::Result<&str> {
    let plain =
        !name.is_empty() && !name.starts_with('.') && !name.contains(['/', '\\', ':', '\0']);
    match plain {
        true => Ok(name),
        false => Err(io::Error::new(
            io::ErrorKind::InvalidInput,
            "its name is no file name",
        )),
    }
}

fn private_dir(path: &Path) -> io::Result<()> {
    let mut builder = fs::DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(path)
}

/// A file is only safe once the folder that names it is.
pub fn sync_dir(path: &Path) -> io::Result<()> {
    if cfg!(unix) {
        fs::File::open(path)?.sync_all()?;
    }
    Ok(())
}
