//! The cluster: who and where it is, and what is asked of it: `list` and `delete` on Jobs. Beyond these it is only asked
//! what may also be left unanswered: whether deletes are allowed, which cluster it is, and, to complete a command line,
//! which namespaces there are.

pub mod access;
pub mod connect;
mod credentials;
pub mod delete;
mod der;
mod entries;
pub mod flags;
mod identity;
mod kubeconfig;
mod kuberc;
pub mod list;
mod login;
mod look;
pub mod names;
mod page;
mod plugin;
mod pod;
mod provider;
mod proxy;
pub mod remaining;
pub mod request;
mod reread;
mod snapshot;
mod target;
mod transport;
mod trouble;
mod trust;
mod tunnel;

use std::{sync::Arc, time::Duration};

use self::{login::Login, request::Warnings, snapshot::Newest};

/// A connection to one cluster, made once and shared by every request.
#[derive(Clone)]
pub struct Cluster {
    login: Arc<Login>,
    /// The kubeconfig context that led here; empty if none did.
    pub context: String,
    /// The address of the API server.
    pub server: String,
    /// The namespace that applies where none is asked for.
    pub default_namespace: String,
    /// Whether the server's certificate is not checked.
    pub is_insecure: bool,
    /// The SHA-256 of the certificate authority that the server is trusted by, in hex; none for the system's own.
    pub ca_sha256: Option<String>,
    /// The longest that one request may take, its answer's body included.
    request_timeout: Option<Duration>,
    /// What its lists have shown so far.
    newest: Newest,
    /// What the server wants people to know, each text once.
    pub warnings: Warnings,
}
