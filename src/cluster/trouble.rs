//! What went wrong between here and the API server, in words.

use std::{error::Error as StdError, io};

use kube::config::{KubeconfigError, LoadDataError};

use super::request::{Failure, Stage};
use crate::error::{Error, Exit, io_words, without_os_code};

/// Find the cause in a chain of errors that mostly says "error sending request".
pub(super) fn failure(error: &(dyn StdError + 'static)) -> Failure {
    let mut cause = error;
    loop {
        if let Some(tls) = tls_error(cause) {
            return tls_failure(tls);
        }
        if let Some(io) = cause.downcast_ref::<io::Error>()
            && io.kind() == io::ErrorKind::ConnectionRefused
        {
            return Failure::Unreachable("connection refused".to_owned());
        }
        match cause.source() {
            Some(source) => cause = source,
            None => return Failure::Connection(without_os_code(&cause.to_string())),
        }
    }
}

/// rustls hides its errors inside I/O errors, one within the other, which their chain of sources passes over.
fn tls_error<'a>(error: &'a (dyn StdError + 'static)) -> Option<&'a rustls::Error> {
    if let Some(tls) = error.downcast_ref::<rustls::Error>() {
        return Some(tls);
    }
    tls_error(error.downcast_ref::<io::Error>()?.get_ref()?)
}

fn tls_failure(error: &rustls::Error) -> Failure {
    use rustls::CertificateError as Cert;
    let (message, hint) = match error {
        rustls::Error::InvalidCertificate(Cert::UnknownIssuer | Cert::BadSignature) => (
            "its certificate is signed by an authority that is not trusted here".to_owned(),
            "give the cluster's certificate authority with --certificate-authority",
        ),
        rustls::Error::InvalidCertificate(
            Cert::NotValidForName | Cert::NotValidForNameContext { .. },
        ) => (
            "its certificate is for another name".to_owned(),
            "name the server as its certificate does, with --server or --tls-server-name",
        ),
        rustls::Error::InvalidCertificate(
            Cert::Expired
            | Cert::ExpiredContext { .. }
            | Cert::NotValidYet
            | Cert::NotValidYetContext { .. },
        ) => (
            "its certificate has expired or is not valid yet".to_owned(),
            "check the clock of this machine and the certificate of the server",
        ),
        rustls::Error::InvalidCertificate(_) => (
            "its certificate cannot be trusted".to_owned(),
            "check --certificate-authority and the certificate of the server",
        ),
        rustls::Error::AlertReceived(_) => (
            "it refused the TLS handshake".to_owned(),
            "check the client certificate of the user",
        ),
        rustls::Error::InvalidMessage(_) => (
            "it does not speak TLS there".to_owned(),
            "check the address: a server that speaks plain HTTP is named http://…",
        ),
        other => (
            format!("the TLS handshake failed: {other}"),
            "check the address of the server",
        ),
    };
    Failure::Setup {
        stage: Stage::Connecting,
        message,
        hint: hint.into(),
    }
}

/// What is wrong with a kubeconfig or a file that it names.
pub(super) fn config_error(error: &KubeconfigError) -> Error {
    let (what, cause) = match error {
        KubeconfigError::LoadCertificateAuthority(cause) => ("certificate authority", Some(cause)),
        KubeconfigError::LoadClientCertificate(cause) => ("client certificate", Some(cause)),
        KubeconfigError::LoadClientKey(cause) => ("client key", Some(cause)),
        _ => ("kubeconfig", None),
    };
    let message = match (cause, error) {
        (Some(LoadDataError::ReadFile(cause, path)), _) => {
            format!(
                "cannot read the {what} {}: {}",
                path.display(),
                io_words(cause)
            )
        }
        (Some(LoadDataError::DecodeBase64(_)), _) => {
            format!("the {what} in the kubeconfig is not valid base64")
        }
        (Some(LoadDataError::NoBase64DataOrFile), _) => {
            format!("there is no {what} to go with the other half")
        }
        (_, other) => format!("cannot use the kubeconfig: {}", innermost(other)),
    };
    Error::new(Exit::Failure, message).hint("check the context with kubectl config view --minify")
}

/// The last cause in a chain of errors, which mostly says the most.
pub(super) fn innermost(error: &(dyn std::error::Error + 'static)) -> String {
    let mut cause = error;
    while let Some(source) = cause.source() {
        cause = source;
    }
    cause.to_string()
}
