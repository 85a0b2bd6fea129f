//! The project's folder in the user's cache folder, and the locks in it.

use std::env;
use std::fs::{File, TryLockError};
use std::path::{Path, PathBuf};

use crate::error::{Context, Error, Result};

/// The project's folder in the user's cache folder.
pub fn root() -> Result<PathBuf> {
    let home = || {
        env::var_os("HOME")
            .filter(|value| !value.is_empty())
            .map(PathBuf::from)
    };
    let cache = if cfg!(target_os = "macos") {
        home().map(|home| home.join("Library/Caches"))
    } else {
        // A relative path is to be ignored, says the XDG specification.
        let named = env::var_os("XDG_CACHE_HOME")
            .map(PathBuf::from)
            .filter(|path| path.is_absolute());
        named.or_else(|| home().map(|home| home.join(".cache")))
    };
    cache
        .map(|cache| cache.join("kubectl-jobclean"))
        .ok_or_else(|| Error::new("no cache folder: neither HOME nor XDG_CACHE_HOME is set"))
}

/// Takes a lock that ends with this process, saying so if it has to wait.
pub fn lock(path: &Path, waiting: &str) -> Result<File> {
    let cannot = format!("cannot lock {}", path.display());
    let file = File::options()
        .create(true)
        .truncate(false)
        .write(true)
        .open(path)
        .context(&cannot)?;
    match file.try_lock() {
        Ok(()) => {}
        Err(TryLockError::WouldBlock) => {
            eprintln!("{waiting}");
            file.lock().context(&cannot)?;
        }
        Err(TryLockError::Error(why)) => return Err(Error::new(format!("{cannot}: {why}"))),
    }
    Ok(file)
}
