//! What went wrong between here and the API server, in words.

use std::borrow::Cow;
use std::fmt;
use std::time::Duration;
use std::{error::Error as StdError, io};

use http::Uri;

use super::{
    der::{self, KeyKind},
    trust::{Refusal, USABLE_SERVER_KEYS},
};
use crate::error::{Error, without_os_code};

/// Why there is no answer.
#[derive(Debug)]
pub enum Failure {
    /// It did not come whole within the deadline.
    Timeout(Duration),
    /// It was longer than it can be.
    TooLong(usize),
    /// There was no connection to send it on.
    Unreachable(String),
    /// The connection broke, or could not be made.
    Connection(String),
    /// The proxy did not let through this time.
    Proxy {
        /// What it did.
        message: String,
        /// What to do.
        hint: String,
    },
    /// Credentials or TLS: trying again cannot help.
    Setup {
        /// How far it came.
        stage: Stage,
        /// What is wrong.
        message: String,
        /// What to do.
        hint: Cow<'static, str>,
    },
}

/// How far a request came that cannot be made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stage {
    /// The server was not asked.
    Unsent,
    /// A connection to it was begun.
    Connecting,
}

impl Failure {
    /// What happened, as a lowercase fragment.
    pub fn words(&self) -> String {
        match self {
            Failure::Timeout(limit) => format!("no answer within {} s", limit.as_secs_f32()),
            Failure::TooLong(limit) => format!("the answer is longer than {} MiB", limit >> 20),
            Failure::Unreachable(cause) | Failure::Connection(cause) => cause.clone(),
            Failure::Proxy { message, .. } | Failure::Setup { message, .. } => message.clone(),
        }
    }

    /// The error for a run that ends with it.
    pub fn into_error(self, server: &str) -> Error {
        let words = self.words();
        let hint = match self {
            Failure::Setup {
                stage: Stage::Unsent,
                message,
                hint,
            } => return Error::failure(message).hint(hint),
            Failure::Setup { hint, .. } => hint,
            Failure::Proxy { hint, .. } => hint.into(),
            Failure::Timeout(_) => {
                "the server may be overloaded; --request-timeout changes how long to wait".into()
            }
            Failure::TooLong(_) => IS_IT_AN_API_SERVER.into(),
            Failure::Unreachable(_) | Failure::Connection(_) => {
                "check that the cluster is up and that the context names the right server (kubectl config get-contexts)".into()
            }
        };
        Error::failure(format!("cannot talk to {server}: {words}")).hint(hint)
    }
}

/// What to do where something answers as no API server does.
pub(crate) const IS_IT_AN_API_SERVER: &str = "check that the address is that of a Kubernetes API server; a login page or a proxy may stand in between";

/// Why there is no way through.
#[derive(Debug, Clone)]
pub(crate) struct ProxyFailure {
    pub(crate) message: String,
    pub(crate) hint: String,
    /// Whether another try may go through.
    pub(crate) is_passing: bool,
}

impl fmt::Display for ProxyFailure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl StdError for ProxyFailure {}

/// Find the cause in a chain of errors that mostly says "error sending request".
pub(crate) fn classify(error: &(dyn StdError + 'static)) -> Failure {
    let mut cause = error;
    loop {
        if let Some(proxy) = cause.downcast_ref::<ProxyFailure>() {
            return proxy_failure(proxy);
        }
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

/// What is to be said of an authority that was not named.
fn untrusted() -> (String, &'static str) {
    (
        "its certificate is signed by an authority that is not trusted here".to_owned(),
        "give the cluster's certificate authority with --certificate-authority",
    )
}

fn proxy_failure(proxy: &ProxyFailure) -> Failure {
    let (message, hint) = (proxy.message.clone(), proxy.hint.clone());
    if proxy.is_passing {
        Failure::Proxy { message, hint }
    } else {
        Failure::Setup {
            stage: Stage::Connecting,
            message,
            hint: hint.into(),
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
        rustls::Error::InvalidCertificate(Cert::UnknownIssuer | Cert::BadSignature) => untrusted(),
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
        rustls::Error::InvalidCertificate(Cert::UnsupportedSignatureAlgorithmContext {
            signature_algorithm_id,
            ..
        }) => (
            match der::signature_name(signature_algorithm_id) {
                Some(name) => format!(
                    "its certificate, or one of those that vouch for it, is signed by {name}, which this tool does not know"
                ),
                None => "its certificate, or one of those that vouch for it, is signed in a way that this tool does not know".to_owned(),
            },
            USABLE_SERVER_KEYS,
        ),
        rustls::Error::InvalidCertificate(
            Cert::UnsupportedSignatureAlgorithmForPublicKeyContext {
                public_key_algorithm_id,
                ..
            },
        ) => match der::key_kind_of_algorithm(public_key_algorithm_id) {
            kind @ KeyKind::Curve("P-224" | "P-521" | "Ed448") => (
                format!(
                    "its certificate is signed with {}, which this tool does not know",
                    kind.words()
                ),
                USABLE_SERVER_KEYS,
            ),
            // The authority of that name has a key of another kind.
            _ => untrusted(),
        },
        rustls::Error::InvalidCertificate(
            Cert::InvalidPurpose | Cert::InvalidPurposeContext { .. },
        ) => (
            "its certificate is not for servers".to_owned(),
            "use one whose extendedKeyUsage, if it has one, holds serverAuth",
        ),
        rustls::Error::InvalidCertificate(Cert::Other(other)) => refusal(other),
        rustls::Error::InvalidCertificate(_) => (
            "its certificate cannot be trusted".to_owned(),
            "check --certificate-authority and the certificate of the server",
        ),
        // What a server says that finds nothing to go on with: the kind of its certificate's key is the most frequent
        // reason.
        rustls::Error::AlertReceived(rustls::AlertDescription::HandshakeFailure) => (
            "it refused the TLS handshake: it has no certificate, cipher or version in common with this tool"
                .to_owned(),
            USABLE_SERVER_KEYS,
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

/// Why a certificate was refused for what rustls has no kind of its own for.
fn refusal(error: &rustls::OtherError) -> (String, &'static str) {
    if let Some(refusal) = error.0.downcast_ref::<Refusal>() {
        return (refusal.message.clone(), refusal.hint);
    }
    // These are of a library below rustls.
    match error.0.to_string().as_str() {
        "CaUsedAsEndEntity" => (
            "its certificate is that of an authority (CA:TRUE), and not itself named as one that is trusted"
                .to_owned(),
            "name this very certificate with --certificate-authority, or use one for the server without CA:TRUE",
        ),
        "UnsupportedCertVersion" => (
            "its certificate, or one of those that vouch for it, is older than X.509 version 3".to_owned(),
            "make it anew as version 3 with the server's names in subjectAltName",
        ),
        _ => (
            "its certificate cannot be trusted".to_owned(),
            "check --certificate-authority and the certificate of the server",
        ),
    }
}

/// Where a server or proxy is, without who might log in there.
pub(crate) fn address(url: &Uri) -> String {
    let scheme = url.scheme_str().unwrap_or_default();
    let authority = url.authority().map_or("", |authority| authority.as_str());
    let place = authority.rsplit('@').next().unwrap_or_default();
    format!("{scheme}://{place}")
}

/// The last cause in a chain of errors, which mostly says the most.
pub(crate) fn innermost(error: &(dyn std::error::Error + 'static)) -> String {
    let mut cause = error;
    while let Some(source) = cause.source() {
        cause = source;
    }
    cause.to_string()
}
