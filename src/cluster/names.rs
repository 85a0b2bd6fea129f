//! What the kubeconfig says by itself, without asking any server.

use super::{flags::ConnectionFlags, kubeconfig::read_kubeconfig, target::Target};
use crate::error::Error;

/// What has a name in a kubeconfig.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Entry {
    /// A context.
    Context,
    /// A cluster.
    Cluster,
    /// A user.
    User,
}

/// The names of its contexts, clusters or users; none if there is no kubeconfig.
///
/// # Errors
/// If it cannot be read.
pub fn names(flags: &ConnectionFlags, entry: Entry) -> Result<Vec<String>, Error> {
    let Some((kubeconfig, _)) = read_kubeconfig(flags.kubeconfig.as_deref())? else {
        return Ok(Vec::new());
    };
    Ok(match entry {
        Entry::Context => kubeconfig.contexts.into_iter().map(|c| c.name).collect(),
        Entry::Cluster => kubeconfig.clusters.into_iter().map(|c| c.name).collect(),
        Entry::User => kubeconfig.users.into_iter().map(|u| u.name).collect(),
    })
}

/// The namespace that applies where none is asked for.
///
/// # Errors
/// If the kubeconfig cannot be read, or lacks what the flags name.
pub fn default_namespace(flags: &ConnectionFlags) -> Result<String, Error> {
    Target::namespace(flags)
}
