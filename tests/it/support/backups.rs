//! Folders of backups.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use serde_json::Value;

use super::written_files::entries;

/// A purge that reports.
pub const PURGE: [&str; 4] = ["--yes", "--cascade=background", "-o", "json"];

/// The manifests below a folder, by their files. Nothing else may be there.
pub fn manifests(folder: &Path) -> BTreeMap<PathBuf, Value> {
    manifests_in(entries(folder))
}

/// The manifests in these files.
pub fn manifests_in(files: impl IntoIterator<Item = PathBuf>) -> BTreeMap<PathBuf, Value> {
    let read = |path: PathBuf| {
        let text = fs::read_to_string(&path).unwrap();
        let manifest: Value = serde_saphyr::from_str(&text).unwrap();
        assert_eq!(manifest["kind"], "Job", "{}", path.display());
        assert_eq!(manifest["apiVersion"], "batch/v1", "{}", path.display());
        (path, manifest)
    };
    let found = files.into_iter().filter(|path| path.is_file());
    found.map(read).collect()
}
