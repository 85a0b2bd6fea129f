//! From kubectl's connection flags to a client.

use std::env;

use http::{HeaderName, HeaderValue};
use kube::{Client, Config, config::KubeConfigOptions};

use super::{
    Cluster,
    flags::ConnectionFlags,
    kubeconfig::Target,
    trouble::{auth_words, config_error, innermost},
};
use crate::error::{Error, Exit};

impl Cluster {
    /// Build the client. Nothing is sent yet, but an exec plugin may run.
    ///
    /// # Errors
    /// If there is no cluster to talk to, or a file or name that was given does not exist.
    pub async fn connect(flags: &ConnectionFlags) -> Result<Cluster, Error> {
        let target = Target::find(flags)?;
        let server = target.server();
        if !target.has_valid_server() {
            return Err(Error::new(
                Exit::Failure,
                format!("the server address {server:?} is not a URL"),
            )
            .hint("write it as https://HOST:PORT"));
        }
        let context = target.context_name.clone();
        let mut config =
            Config::from_custom_kubeconfig(target.into_kubeconfig(), &KubeConfigOptions::default())
                .await
                .map_err(|error| config_error(&error))?;
        // Retries are made by this tool, which knows what is safe and shows that it waits.
        config.default_retry = false;
        config.headers.push((
            HeaderName::from_static("user-agent"),
            HeaderValue::from_str(&user_agent()).expect("version and platform are plain text"),
        ));
        let ca_sha256 = config.root_cert.as_deref().map(fingerprint);
        let is_insecure = config.accept_invalid_certs;
        let default_namespace = config.default_namespace.clone();
        // An exec plugin may take its time, and signals are to be heard meanwhile.
        let built = tokio::task::spawn_blocking(move || Client::try_from(config)).await;
        let built = built.map_err(|_| Error::new(Exit::Failure, "cannot set up the connection"))?;
        let client = built.map_err(|error| match error {
            kube::Error::Auth(auth) => Error::new(Exit::Failure, auth_words(&auth))
                .hint("check the user of the kubeconfig context, or log in again"),
            kube::Error::InferKubeconfig(error) => config_error(&error),
            // Its address may hold a password.
            kube::Error::ProxyProtocolUnsupported { .. }
            | kube::Error::ProxyProtocolDisabled { .. } => Error::new(
                Exit::Failure,
                format!("cannot talk to {server}: the proxy's protocol is not supported"),
            )
            .hint("name a proxy as http://… or socks5://…, in proxy-url or HTTPS_PROXY"),
            other => Error::new(
                Exit::Failure,
                format!(
                    "cannot set up the connection to {server}: {}",
                    innermost(&other)
                ),
            ),
        })?;
        Ok(Cluster {
            client,
            context,
            server,
            default_namespace,
            is_insecure,
            ca_sha256,
            request_timeout: flags.request_timeout.unwrap_or_default().0,
            warnings: super::request::Warnings::default(),
        })
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
