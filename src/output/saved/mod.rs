//! A plan in a file, to be carried out later: written whole or not at all, and believed only if it makes sense.

mod check;

use std::{
    fmt, fs,
    io::{self, Write},
    path::Path,
};

use serde::Deserialize;

pub use super::document::Identity;

use super::{
    View,
    document::{Document, Extras, Group, PolicyDocument},
    json,
};
use crate::{
    gitops::Places,
    job::query::Query,
    plan::{Plan, retention::Policy},
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
    /// Where GitOps tools are asked.
    pub places: Places,
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

/// The version of the documents that are believed.
const KNOWN: &str = super::API_VERSION;

impl SavedPlan {
    /// Write it as the document that [`SavedPlan::parse`] reads.
    ///
    /// # Errors
    /// If the writer fails.
    pub fn write(&self, out: &mut dyn Write) -> io::Result<()> {
        json::write_saved(out, View::Plan(&self.plan), self.extras())
    }

    fn extras(&self) -> Extras {
        Extras {
            identity: self.identity.clone(),
            namespace: self.query.scope.namespace().map(str::to_owned),
            selector: self.query.selector.to_string(),
            field_selector: self.query.fields.to_string(),
            exclude_namespaces: self
                .query
                .excluded
                .iter()
                .map(ToString::to_string)
                .collect(),
            policy: PolicyDocument::new(&self.policy, &self.query.grouping),
            argocd_context: self.places.argocd_context.clone(),
            gitops_namespaces: self.places.namespaces.clone(),
        }
    }

    /// Read one, and make sure that it makes sense.
    ///
    /// # Errors
    /// If it cannot be read, or is not what [`SavedPlan::write`] writes.
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
        let document: Document<Vec<Group>> = serde_json::from_slice(text)
            .map_err(|error| nonsense(format!("it is not a saved plan: {error}")))?;
        check::document(document, chunk_size)
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
