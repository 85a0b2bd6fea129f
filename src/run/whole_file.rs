//! A file that is written whole or not at all.

use std::{
    fs,
    io::{self, Write},
    path::{Path, PathBuf},
};

use crate::backup::folder::sync_dir;

/// As many links as Linux follows.
const LINKS: usize = 40;

/// Who may read a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Readers {
    /// This user alone.
    Own,
    /// Every user.
    All,
}

/// The folder that a file is in.
fn folder(path: &Path) -> &Path {
    match path.parent() {
        Some(dir) if !dir.as_os_str().is_empty() => dir,
        _ => Path::new("."),
    }
}

/// The file that is written under this path, which may be there already. A link stays a link.
///
/// # Errors
/// If there is something else than a file: a device would be replaced, and what is written into a pipe is no file.
pub(super) fn target(path: &Path) -> io::Result<PathBuf> {
    let mut target = path.to_owned();
    for _ in 0..LINKS {
        match fs::symlink_metadata(&target) {
            Ok(found) if found.is_file() => return Ok(target),
            Ok(found) if found.is_symlink() => {
                let to = fs::read_link(&target)?;
                target = folder(&target).join(to);
            }
            Ok(_) => {
                let why = "it exists and is not a regular file";
                return Err(io::Error::new(io::ErrorKind::InvalidInput, why));
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(target),
            Err(error) => return Err(error),
        }
    }
    let why = "it leads from one link to the next";
    Err(io::Error::new(io::ErrorKind::InvalidInput, why))
}

/// Write a file.
///
/// # Errors
/// If it cannot be written; what was there before is then untouched.
pub(super) fn write(
    path: &Path,
    readers: Readers,
    contents: impl FnOnce(&mut dyn Write) -> io::Result<()>,
) -> io::Result<()> {
    let path = target(path)?;
    let dir = folder(&path);
    // For this user alone, as temporary files are.
    let mut file = tempfile::NamedTempFile::new_in(dir)?;
    let mut buffered = io::BufWriter::new(&mut file);
    contents(&mut buffered)?;
    buffered.flush()?;
    drop(buffered);
    #[cfg(unix)]
    if readers == Readers::All {
        let all = std::os::unix::fs::PermissionsExt::from_mode(0o644);
        file.as_file().set_permissions(all)?;
    }
    #[cfg(not(unix))]
    let _ = readers;
    file.as_file().sync_all()?;
    file.persist(&path).map_err(|error| error.error)?;
    sync_dir(dir)
}
