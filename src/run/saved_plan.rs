//! A plan in a file, and the cluster that it is for.

use std::{
    fs,
    io::{self, Write as _},
    path::{Path, PathBuf},
    time::Duration,
};

use super::show;
use crate::{
    backup::folder::sync_dir,
    cluster::Cluster,
    error::{Error, io_words},
    output::saved::{Identity, SavedPlan},
    plan::Source,
    ui::Ui,
};

/// Write a plan into a file, whole or not at all.
///
/// # Errors
/// If it cannot be written.
pub(super) fn save(saved: &SavedPlan, path: &Path) -> Result<(), Error> {
    write(saved, path).map_err(|error| cannot_save(path, &error))
}

/// Find out before anything is listed whether a plan can be saved under this path.
///
/// # Errors
/// If it cannot.
pub fn check_target(path: &Path) -> Result<(), Error> {
    target(path)
        .map(drop)
        .map_err(|error| cannot_save(path, &error))
}

fn cannot_save(path: &Path, error: &io::Error) -> Error {
    let message = format!(
        "cannot save the plan as {}: {}",
        path.display(),
        io_words(error)
    );
    Error::failure(message).hint("name a file in a folder that you may write to")
}

/// Read a saved plan, and make sure that this is the cluster that it was made for.
pub(super) async fn load(
    path: &Path,
    chunk_size: u32,
    cluster: &Cluster,
    ui: &Ui,
) -> Result<SavedPlan, Error> {
    let saved = SavedPlan::load(path, chunk_size).map_err(|error| {
        Error::failure(format!("cannot carry out {}: {error}", path.display()))
            .hint("save the plan again with --save-plan")
    })?;
    let Source::Cluster { context, server } = &saved.plan.source else {
        return Err(Error::failure("a plan from a file cannot be carried out"));
    };
    let here = identity(cluster, ui).await?;
    let other = if *server != cluster.connection.server {
        Some("the server address differs")
    } else if saved.identity.ca_sha256 != here.ca_sha256 {
        Some("the certificate authority differs")
    } else if matches!((&saved.identity.uid, &here.uid), (Some(a), Some(b)) if a != b) {
        Some("it is another cluster behind the same address")
    } else {
        None
    };
    if let Some(why) = other {
        let name = |context: &str, server: &str| match context {
            "" => server.to_owned(),
            context => format!("{context} ({server})"),
        };
        return Err(Error::failure(format!(
            "cannot carry out {}: it was made for {}, and this is {}: {why}",
            path.display(),
            name(context, server),
            name(&cluster.connection.context, &cluster.connection.server),
        ))
        .hint("name the context that it was made for with --context"));
    }
    cluster.has_shown(&saved.plan.resource_version);
    Ok(saved)
}

pub(super) async fn identity(cluster: &Cluster, ui: &Ui) -> Result<Identity, Error> {
    let mut on_wait = |delay: Duration, why: &str| {
        show::waiting(delay, "asking again which cluster this is", why, ui);
    };
    Ok(Identity {
        ca_sha256: cluster.connection.ca_sha256.clone(),
        uid: cluster.uid(&mut on_wait).await?,
    })
}

/// As many links as Linux follows.
const LINKS: usize = 40;

/// The folder that a file is in.
fn folder(path: &Path) -> &Path {
    match path.parent() {
        Some(dir) if !dir.as_os_str().is_empty() => dir,
        _ => Path::new("."),
    }
}

/// The file that a plan saved under this path would be, which may be there already. A link stays a link.
///
/// # Errors
/// If there is something else than a file: a device would be replaced, and what is written into a pipe is no file.
fn target(path: &Path) -> io::Result<PathBuf> {
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

/// Write it for this user alone, whole or not at all.
///
/// # Errors
/// If it cannot be written; what was there before is then untouched.
fn write(saved: &SavedPlan, path: &Path) -> io::Result<()> {
    let path = target(path)?;
    let dir = folder(&path);
    let mut file = tempfile::NamedTempFile::new_in(dir)?;
    let mut buffered = io::BufWriter::new(&mut file);
    saved.write(&mut buffered)?;
    buffered.flush()?;
    drop(buffered);
    file.as_file().sync_all()?;
    file.persist(&path).map_err(|error| error.error)?;
    sync_dir(dir)
}
