//! Credentials looked at before kube takes them, where it would say too little or nothing of what is wrong.

use std::fs;

use kube::config::{AuthInfo, Cluster as ClusterInfo};
use secrecy::{ExposeSecret, SecretString};

use crate::error::{Error, Exit, io_words};

/// Find what kube would not survive, or would pass over.
///
/// # Errors
/// If a file cannot be read or holds nothing of the kind, or the token cannot be sent.
pub(super) fn check(cluster: &ClusterInfo, user: &AuthInfo) -> Result<(), Error> {
    if cluster.certificate_authority_data.is_none() {
        check_pem(
            "certificate authority",
            cluster.certificate_authority.as_deref(),
            "CERTIFICATE-----",
        )?;
    }
    if user.client_certificate_data.is_none() {
        check_pem(
            "client certificate",
            user.client_certificate.as_deref(),
            "CERTIFICATE-----",
        )?;
    }
    if user.client_key_data.is_none() {
        check_pem("client key", user.client_key.as_deref(), "PRIVATE KEY-----")?;
    }
    if let Some(token) = &user.token {
        check_token(token)?;
    }
    Ok(())
}

/// kube does not survive a token that no header may hold.
fn check_token(token: &SecretString) -> Result<(), Error> {
    match http::HeaderValue::from_str(token.expose_secret()) {
        Ok(_) => Ok(()),
        Err(_) => Err(Error::new(
            Exit::Failure,
            "the token holds characters that no header may hold",
        )
        .hint("check --token or the user of the context; a line break at its end is one")),
    }
}

/// kube takes a file without anything in it for none at all, so it is looked into here.
fn check_pem(what: &str, path: Option<&str>, mark: &str) -> Result<(), Error> {
    let Some(path) = path else { return Ok(()) };
    let wrong = match fs::read(path) {
        Ok(text) if String::from_utf8_lossy(&text).contains(mark) => return Ok(()),
        Ok(_) => format!("the {what} {path} holds nothing of the kind in PEM form"),
        Err(error) => format!("cannot read the {what} {path}: {}", io_words(&error)),
    };
    Err(Error::new(Exit::Failure, wrong).hint("check the flag or the kubeconfig that names it"))
}
