//! As whom and where, as kubectl: one request, one answer. It knows no Jobs.

#[cfg(feature = "cli")]
pub(crate) mod console;
#[cfg(feature = "cli")]
pub(crate) mod credentials;
#[cfg(feature = "cli")]
pub mod der;
#[cfg(feature = "cli")]
pub(crate) mod entries;
pub mod exchange;
#[cfg(feature = "cli")]
pub mod exec;
pub(crate) mod failure;
#[cfg(feature = "cli")]
pub mod flags;
#[cfg(feature = "cli")]
pub mod identity;
#[cfg(feature = "cli")]
pub(crate) mod in_cluster;
#[cfg(feature = "cli")]
pub mod kubeconfig;
#[cfg(feature = "cli")]
pub mod kuberc;
#[cfg(feature = "cli")]
pub(crate) mod login;
#[cfg(feature = "cli")]
pub mod oidc;
#[cfg(feature = "cli")]
pub(crate) mod open;
#[cfg(feature = "cli")]
pub(crate) mod proxy;
#[cfg(feature = "cli")]
mod shared;
#[cfg(feature = "cli")]
pub(crate) mod target;
#[cfg(feature = "cli")]
pub(crate) mod tls;
#[cfg(feature = "cli")]
pub(crate) mod transport;
#[cfg(feature = "cli")]
pub mod trust;
#[cfg(feature = "cli")]
pub(crate) mod tunnel;
#[cfg(feature = "cli")]
pub(crate) mod validate;

use std::sync::{Arc, atomic::AtomicBool};
use std::time::Duration;

use kube::Client;

use self::exchange::Warnings;
#[cfg(feature = "cli")]
use self::login::Login;
use crate::time::RequestTimeout;

/// A connection to one API server, made once and shared by every request.
#[derive(Clone)]
pub struct Connection {
    authenticator: Authenticator,
    /// The kubeconfig context that led here; empty if none did.
    pub context: String,
    /// The address of the API server, or words for it where it is not known.
    pub server: String,
    /// The namespace that applies where none is asked for.
    pub default_namespace: String,
    /// Whether the server's certificate is not checked.
    pub is_insecure: bool,
    /// The SHA-256 of the certificate authority that the server is trusted by, in hex; none for the system's own.
    pub ca_sha256: Option<String>,
    /// The longest that one request may take, its answer's body included.
    request_timeout: Option<Duration>,
    /// What the server wants people to know, each text once.
    pub warnings: Warnings,
    /// Whether the server has answered anything yet.
    has_answered: Arc<AtomicBool>,
}

/// Who the requests come from.
#[derive(Clone)]
enum Authenticator {
    /// The user of the client, which renews its own credentials.
    Client(Client),
    /// The user of a kubeconfig, of flags, or of a Pod.
    #[cfg(feature = "cli")]
    Login(Arc<Login>),
}

impl Connection {
    /// By way of a client that is there already.
    pub fn from_client(client: Client) -> Connection {
        Connection {
            context: String::new(),
            server: "the API server".to_owned(),
            default_namespace: client.default_namespace().to_owned(),
            authenticator: Authenticator::Client(client),
            is_insecure: false,
            ca_sha256: None,
            request_timeout: RequestTimeout::default().0,
            warnings: Warnings::default(),
            has_answered: Arc::default(),
        }
    }
}
