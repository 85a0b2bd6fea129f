//! Credentials looked at before kube takes them: what kubectl refuses for being ambiguous is refused, and what is wrong
//! is said where kube would say too little or nothing.

use std::fs;

use kube::config::{AuthInfo, Cluster as ClusterInfo};

use crate::error::{Error, io_words};

/// Find what kube would pass over.
///
/// # Errors
/// If what is there is ambiguous, or a file cannot be read or holds nothing of the kind.
pub(crate) fn check(cluster: &ClusterInfo, user: &AuthInfo, has_plugin: bool) -> Result<(), Error> {
    if let Some(conflict) = conflict(cluster, user, has_plugin) {
        return Err(Error::failure(conflict)
            .hint("check the flags and the context (kubectl config view --minify)"));
    }
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
    Ok(())
}

/// What kubectl refuses as ambiguous; kube would choose silently.
fn conflict(cluster: &ClusterInfo, user: &AuthInfo, has_plugin: bool) -> Option<&'static str> {
    let has_token = user.token.is_some() || user.token_file.is_some();
    let has_certificate =
        user.client_certificate.is_some() || user.client_certificate_data.is_some();
    let has_key = user.client_key.is_some() || user.client_key_data.is_some();
    let has_authority =
        cluster.certificate_authority.is_some() || cluster.certificate_authority_data.is_some();
    let is_impersonating_in_part = user.impersonate_uid.is_some()
        || user.impersonate_groups.is_some()
        || user.impersonate_user_extra.is_some();
    [
        (
            cluster.certificate_authority.is_some() && cluster.certificate_authority_data.is_some(),
            "the cluster has a certificate authority both as a file and as data",
        ),
        (
            has_authority && cluster.insecure_skip_tls_verify == Some(true),
            "the cluster has a certificate authority, and the server's certificate is not to be checked",
        ),
        (
            user.client_certificate.is_some() && user.client_certificate_data.is_some(),
            "the user has a client certificate both as a file and as data",
        ),
        (
            has_certificate && user.client_key.is_some() && user.client_key_data.is_some(),
            "the user has a client key both as a file and as data",
        ),
        (
            has_certificate && !has_key,
            "the user has a client certificate without its client key",
        ),
        (
            has_key && !has_certificate,
            "the user has a client key without its client certificate",
        ),
        (
            has_token && user.username.is_some(),
            "the user has both a token and a password",
        ),
        (
            has_plugin && user.auth_provider.is_some(),
            "the user has both a credential plugin and an auth provider",
        ),
        (
            is_impersonating_in_part && user.impersonate.is_none(),
            "a uid, groups or extras are to be impersonated without a user (--as)",
        ),
    ]
    .into_iter()
    .find_map(|(is_so, what)| is_so.then_some(what))
}

/// kube takes a file without anything in it for none at all, so it is looked into here.
fn check_pem(what: &str, path: Option<&str>, mark: &str) -> Result<(), Error> {
    let Some(path) = path else { return Ok(()) };
    let wrong = match fs::read(path) {
        Ok(text) if String::from_utf8_lossy(&text).contains(mark) => return Ok(()),
        Ok(_) => format!("the {what} {path} contains no PEM block of that kind"),
        Err(error) => format!("cannot read the {what} {path}: {}", io_words(&error)),
    };
    Err(Error::failure(wrong).hint("check the flag or the kubeconfig that names it"))
}
