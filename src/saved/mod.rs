//! A plan in a file, to be carried out later: written whole or not at all, and believed only if it makes sense.

mod check;

use std::{
    fmt, fs,
    io::{self, Write},
    path::{Path, PathBuf},
};

use serde::Deserialize;

use self::check::Document;
use crate::{
    backup::sync_dir,
    cluster::list::{Query, Scope},
    output::{
        View, document,
        extras::{Extras, Identity},
        json,
    },
    plan::Plan,
    retention::Policy,
    text::quoted,
};

/// A plan with all that carrying it out needs.
#[derive(Debug, Clone)]
pub struct SavedPlan {
    /// What was shown when it was saved.
    pub plan: Plan,
    /// What was listed for it.
    pub query: Query,
    /// What was to be kept.
    pub policy: Policy,
    /// Which cluster it is for.
    pub identity: Identity,
}

/// Why a file is no plan that can be carried out: a lowercase fragment.
#[derive(Debug)]
pub enum LoadError {
    /// It cannot be read.
    Read(io::Error),
    /// It is of a version that this program does not know.
    Version(String),
    /// It is not a plan, or was edited into nonsense.
    Nonsense(String),
}

impl fmt::Display for LoadError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            LoadError::Read(error) => f.write_str(&crate::error::io_words(error)),
            LoadError::Version(version) => write!(
                f,
                "its version is {}, and this program knows {} only",
                quoted(version),
                quoted(KNOWN)
            ),
            LoadError::Nonsense(why) => f.write_str(why),
        }
    }
}

impl std::error::Error for LoadError {}

/// As many links as Linux follows.
const LINKS: usize = 40;

/// The folder that a file is in.
fn folder(path: &Path) -> &Path {
    match path.parent() {
        Some(dir) if !dir.as_os_str().is_empty() => dir,
        _ => Path::new("."),
    }
}

/// The version of the documents that are believed.
const KNOWN: &str = document::API_VERSION;

impl SavedPlan {
    /// The file that a plan saved under this path would be, which may be there already. A link stays a link.
    ///
    /// # Errors
    /// If there is something else than a file: a device would be replaced, and what is written into a pipe is no file.
    pub fn target(path: &Path) -> io::Result<PathBuf> {
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
    pub fn save(&self, path: &Path) -> io::Result<()> {
        let path = SavedPlan::target(path)?;
        let dir = folder(&path);
        let mut file = tempfile::NamedTempFile::new_in(dir)?;
        let mut buffered = io::BufWriter::new(&mut file);
        json::write_saved(&mut buffered, View::Plan(&self.plan), &self.extras())?;
        buffered.flush()?;
        drop(buffered);
        file.as_file().sync_all()?;
        file.persist(&path).map_err(|error| error.error)?;
        sync_dir(dir)
    }

    fn extras(&self) -> Extras {
        Extras {
            identity: self.identity.clone(),
            namespace: match &self.query.scope {
                Scope::AllNamespaces => None,
                Scope::Namespace(namespace) => Some(namespace.clone()),
            },
            selector: self.query.selector.to_string(),
            policy: (&self.policy).into(),
        }
    }

    /// Read one, and make sure that it makes sense.
    ///
    /// # Errors
    /// If it cannot be read, or is not what [`SavedPlan::save`] writes.
    pub fn load(path: &Path, chunk_size: u32) -> Result<SavedPlan, LoadError> {
        let text = fs::read(path).map_err(LoadError::Read)?;
        SavedPlan::parse(&text, chunk_size)
    }

    /// As [`SavedPlan::load`], from the text.
    ///
    /// # Errors
    /// As [`SavedPlan::load`].
    pub fn parse(text: &[u8], chunk_size: u32) -> Result<SavedPlan, LoadError> {
        let head: Head =
            serde_json::from_slice(text).map_err(|_| nonsense("it is not a JSON document"))?;
        match (head.api_version.as_deref(), head.kind.as_deref()) {
            (Some(KNOWN), Some("Plan")) => {}
            (Some(KNOWN), kind) => {
                return Err(nonsense(format!(
                    "it is a {}, not a Plan",
                    kind.unwrap_or("document of no kind")
                )));
            }
            (version, _) => return Err(LoadError::Version(version.unwrap_or_default().to_owned())),
        }
        let document: Document = serde_json::from_slice(text)
            .map_err(|error| nonsense(format!("it is not a saved plan: {error}")))?;
        document.check(chunk_size)
    }
}

fn nonsense(why: impl Into<String>) -> LoadError {
    LoadError::Nonsense(why.into())
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Head {
    api_version: Option<String>,
    kind: Option<String>,
}
