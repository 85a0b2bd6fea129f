//! From kubectl's connection flags to a connection.

use std::{
    env,
    sync::{Arc, atomic::Ordering},
};

use http::{HeaderName, HeaderValue};
use rustls::pki_types::CertificateDer;

use super::{
    Authenticator, Connection,
    console::Console,
    exchange::Warnings,
    flags::{ConnectionFlags, Unchecked},
    kubeconfig::Target,
    login::Login,
    trust::Trust,
};
use crate::error::Error;

impl Connection {
    /// Get ready to talk to a cluster. Nothing is sent yet, but a credential plugin may run.
    ///
    /// # Errors
    /// If there is no cluster to talk to, or a file or name that was given does not exist, or its certificate is not
    /// checked though it must be.
    pub async fn open(
        flags: &ConnectionFlags,
        console: Arc<dyn Console>,
        unchecked: Unchecked,
    ) -> Result<Connection, Error> {
        let target = Target::find(flags)?;
        if unchecked == Unchecked::Refused {
            target.refuse_unchecked()?;
        }
        let (server, context) = (target.server(), target.context_name.clone());
        let is_insecure = target.is_unchecked();
        let (mut line, source) = target.into_line(console)?;
        let config = &mut line.config;
        config.headers.push((
            HeaderName::from_static("user-agent"),
            HeaderValue::from_str(&user_agent()).expect("version and platform are plain text"),
        ));
        Ok(Connection {
            context,
            server,
            default_namespace: config.default_namespace.clone(),
            is_insecure,
            ca_sha256: match &line.trust {
                Trust::Named(certificates) => Some(fingerprint(certificates)),
                _ => None,
            },
            authenticator: Authenticator::Login(Arc::new(Login::open(line, source).await?)),
            request_timeout: flags.request_timeout.unwrap_or_default().0,
            warnings: Warnings::default(),
            has_answered: Arc::default(),
        })
    }

    /// Open the connection for [`Connection::call_shared`] before it is needed, without waiting for it.
    pub(crate) fn get_ready(&self) {
        if let Authenticator::Login(login) = &self.authenticator {
            login.get_ready();
        }
    }

    /// Whether the server has ever answered.
    pub(crate) fn has_answered(&self) -> bool {
        self.has_answered.load(Ordering::Relaxed)
    }
}

/// `kubectl-jobclean/VERSION (os/arch)`, in Go's words for both.
pub fn user_agent() -> String {
    let os = match env::consts::OS {
        "macos" => "darwin",
        os => os,
    };
    let arch = match env::consts::ARCH {
        "x86_64" => "amd64",
        "aarch64" => "arm64",
        arch => arch,
    };
    format!(
        "kubectl-jobclean/{} ({os}/{arch})",
        env!("CARGO_PKG_VERSION")
    )
}

/// The SHA-256 of some certificates, in hex.
fn fingerprint(certificates: &[CertificateDer<'_>]) -> String {
    let mut context = ring::digest::Context::new(&ring::digest::SHA256);
    for certificate in certificates {
        context.update(certificate);
    }
    let digest = context.finish();
    digest
        .as_ref()
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect()
}
