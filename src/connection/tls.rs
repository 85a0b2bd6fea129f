//! What went wrong with TLS, in words.

use std::{error::Error as StdError, io};

use super::{
    der::{self, KeyKind},
    failure::{Failure, Stage},
    trust::{Refusal, USABLE_SERVER_KEYS},
};

/// What an error comes to if it is one of TLS.
pub(crate) fn failure(error: &(dyn StdError + 'static)) -> Option<Failure> {
    tls_error(error).map(in_words)
}

/// What is to be said of an authority that was not named.
fn untrusted() -> (String, &'static str) {
    (
        "its certificate is signed by an authority that is not trusted here".to_owned(),
        "give the cluster's certificate authority with --certificate-authority",
    )
}

/// rustls hides its errors inside I/O errors, one within the other, which their chain of sources passes over.
fn tls_error<'a>(error: &'a (dyn StdError + 'static)) -> Option<&'a rustls::Error> {
    if let Some(tls) = error.downcast_ref::<rustls::Error>() {
        return Some(tls);
    }
    tls_error(error.downcast_ref::<io::Error>()?.get_ref()?)
}

fn in_words(error: &rustls::Error) -> Failure {
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
            "the server does not speak TLS at this address".to_owned(),
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
            "create it again as version 3 with the server's names in subjectAltName",
        ),
        _ => (
            "its certificate cannot be trusted".to_owned(),
            "check --certificate-authority and the certificate of the server",
        ),
    }
}

/// The last cause in a chain of errors, which mostly says the most.
pub(crate) fn innermost(error: &(dyn std::error::Error + 'static)) -> String {
    let mut cause = error;
    while let Some(source) = cause.source() {
        cause = source;
    }
    cause.to_string()
}
