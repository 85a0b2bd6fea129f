//! From kubectl's connection flags to a client.

use std::{env, sync::Arc};

use http::{HeaderName, HeaderValue, Uri};
use kube::{Client, Config};

use super::{
    Cluster,
    flags::{ConnectionFlags, Console},
    login::Login,
    target::Target,
    transport,
    trouble::{config_error, innermost},
};
use crate::error::{Error, Exit};

impl Cluster {
    /// Get ready to talk to the cluster. Nothing is sent yet, but a credential plugin may run.
    ///
    /// # Errors
    /// If there is no cluster to talk to, or a file or name that was given does not exist.
    pub async fn connect(
        flags: &ConnectionFlags,
        console: Arc<dyn Console>,
    ) -> Result<Cluster, Error> {
        let target = Target::find(flags)?;
        let (server, context) = (target.server(), target.context_name.clone());
        let (mut config, source) = target.into_config(console)?;
        config.headers.push((
            HeaderName::from_static("user-agent"),
            HeaderValue::from_str(&user_agent()).expect("version and platform are plain text"),
        ));
        Ok(Cluster {
            context,
            server,
            default_namespace: config.default_namespace.clone(),
            is_insecure: config.accept_invalid_certs,
            ca_sha256: config.root_cert.as_deref().map(fingerprint),
            login: Arc::new(Login::open(config, source).await?),
            request_timeout: flags.request_timeout.unwrap_or_default().0,
            newest: super::snapshot::Newest::default(),
            warnings: super::request::Warnings::default(),
        })
    }
}

/// The client for a configuration.
///
/// # Errors
/// If a certificate, key or header in it cannot be used.
pub(super) fn client(config: &Config) -> Result<Client, Error> {
    use kube::client::RustlsTlsError as Tls;
    let server = address(&config.cluster_url);
    transport::client(config).map_err(|error| match error {
        kube::Error::InferKubeconfig(error) => config_error(&error),
        kube::Error::RustlsTls(
            Tls::InvalidIdentityPem(_)
            | Tls::MissingPrivateKey
            | Tls::MissingCertificate
            | Tls::InvalidPrivateKey(_)
            | Tls::UnknownPrivateKeyFormat,
        ) => Error::new(
            Exit::Failure,
            "the client certificate and its key cannot be used together",
        )
        .hint("check that both are in PEM form and belong to each other"),
        other => Error::new(
            Exit::Failure,
            format!(
                "cannot set up the connection to {server}: {}",
                innermost(&other)
            ),
        )
        .hint("check the cluster and the user of the kubeconfig context"),
    })
}

/// Where a server is, without who might log in there.
fn address(url: &Uri) -> String {
    let scheme = url.scheme_str().unwrap_or_default();
    let authority = url.authority().map_or("", |authority| authority.as_str());
    let place = authority.rsplit('@').next().unwrap_or_default();
    format!("{scheme}://{place}")
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
fn fingerprint(certificates: &[Vec<u8>]) -> String {
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
