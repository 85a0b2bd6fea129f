//! Files and folders that the tool writes.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use super::Run;
use super::files::arg;

/// Fails unless the run ended before any delete with one clear error that names the file or folder.
#[track_caller]
pub fn is_told(run: Run, path: &Path) {
    let run = run.exits(1);
    let errors: Vec<&str> = run
        .err
        .lines()
        .filter(|line| line.starts_with("error: "))
        .collect();
    assert_eq!(errors.len(), 1, "{}", run.story());
    assert!(errors[0].contains(arg(path)), "{}", run.story());
    assert!(run.err.lines().count() <= 2, "{}", run.story());
    for debug in ["panicked", "Error {", "Os {", "Kind"] {
        assert!(!run.err.contains(debug), "{debug}\n{}", run.story());
    }
}

/// The permissions of a file or folder.
pub fn mode(path: &Path) -> u32 {
    fs::metadata(path).unwrap().permissions().mode() & 0o7777
}

/// What is in a folder, however deep.
pub fn entries(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found.extend(entries(&path));
        }
        found.push(path);
    }
    found.sort_unstable();
    found
}
