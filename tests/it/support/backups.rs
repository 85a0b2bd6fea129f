//! Folders of backups.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use serde_json::Value;

/// A purge that reports.
pub const PURGE: [&str; 4] = ["--yes", "--cascade=background", "-o", "json"];

/// The folders of backups in a folder; what has not got its name yet is none.
pub fn folders(folder: &Path) -> Vec<PathBuf> {
    let below = |folder: &Path| -> Vec<PathBuf> {
        let entries = fs::read_dir(folder).into_iter().flatten();
        let mut paths: Vec<_> = entries.map(|entry| entry.unwrap().path()).collect();
        paths.retain(|path| {
            path.is_dir()
                && !path
                    .file_name()
                    .unwrap()
                    .as_encoded_bytes()
                    .starts_with(b".")
        });
        paths.sort_unstable();
        paths
    };
    below(folder)
        .iter()
        .flat_map(|namespace| below(namespace))
        .collect()
}

/// The manifests in a folder, by their files.
pub fn manifests(folder: &Path) -> BTreeMap<PathBuf, Value> {
    let read = |folder: PathBuf| {
        let path = folder.join("manifest.json");
        let manifest = json(&path);
        assert_eq!(manifest["kind"], "Job", "{}", path.display());
        assert_eq!(manifest["apiVersion"], "batch/v1", "{}", path.display());
        (path, manifest)
    };
    folders(folder).into_iter().map(read).collect()
}

/// The object in a file.
#[track_caller]
pub fn json(path: &Path) -> Value {
    let text = fs::read_to_string(path).unwrap_or_else(|why| panic!("{}: {why}", path.display()));
    serde_json::from_str(&text).unwrap_or_else(|why| panic!("{}: {why}", path.display()))
}

/// The lines of the index.
#[track_caller]
pub fn index(folder: &Path) -> Vec<Value> {
    let text = fs::read_to_string(folder.join("index.jsonl")).unwrap();
    assert!(text.ends_with('\n'), "{text}");
    text.lines()
        .map(|line| serde_json::from_str(line).unwrap_or_else(|why| panic!("{why}: {line}")))
        .collect()
}
