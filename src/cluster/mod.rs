//! The cluster: who and where it is, and what is asked of it: `list` and `delete` on Jobs. If that is asked for, what Jobs
//! leave beside themselves is read, Jobs are created again, and Namespaces say whether they keep their Jobs. Beyond these
//! it is only asked what may also be left unanswered: whether something is allowed, which cluster it is, what GitOps tools
//! want, and, to complete a command line, which namespaces there are.

pub mod access;
mod chain;
pub mod create;
pub mod delete;
pub mod discover;
mod get;
pub mod gitops;
pub(crate) mod list;
pub mod namespaces;
mod page;
pub(crate) mod remaining;
pub mod retry;
mod snapshot;
mod split;
mod status;
pub mod traces;
mod uri;

use self::snapshot::Newest;
use crate::connection::Connection;

/// A cluster, as far as its Jobs go.
#[derive(Clone)]
pub struct Cluster {
    /// The way to it.
    pub connection: Connection,
    /// What its lists have shown so far.
    newest: Newest,
}

impl Cluster {
    /// By way of a client that is there already.
    pub fn from_client(client: kube::Client) -> Cluster {
        Cluster::new(Connection::from_client(client))
    }

    /// The cluster that a connection leads to.
    pub fn new(connection: Connection) -> Cluster {
        Cluster {
            connection,
            newest: Newest::default(),
        }
    }
}
