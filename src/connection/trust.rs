//! By whom the server's certificate is checked.
//!
//! Where authorities are named, rustls checks it, as in kube, with two exceptions that kubectl makes: a certificate in the
//! list that cannot be read does not spoil the others, and a server may show a certificate that is itself in the list,
//! whatever signed it. rustls would take the key of such a certificate for that of an authority, and refuse the
//! certificate where it says that it is one.

use std::sync::Arc;

use rustls::{
    CertificateError, ClientConfig, DigitallySignedStruct, OtherError, RootCertStore,
    SignatureScheme,
    client::{
        WebPkiServerVerifier,
        danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier},
        verify_server_name,
    },
    crypto::{
        CryptoProvider, WebPkiSupportedAlgorithms, verify_tls12_signature, verify_tls13_signature,
    },
    pki_types::{CertificateDer, ServerName, UnixTime, pem::PemObject as _},
    server::ParsedCertificate,
};
use rustls_platform_verifier::BuilderVerifierExt as _;

use super::{
    der::{Certificate, KeyKind, Validity},
    identity::Identity,
};
use crate::error::Error;

/// By whom.
#[derive(Clone)]
pub(crate) enum Trust {
    /// There is nothing to check: no connection of this run is encrypted.
    Any,
    /// It is not checked.
    Unchecked,
    /// The authorities of this machine.
    System,
    /// The certificates that the kubeconfig or a flag names.
    Named(Vec<CertificateDer<'static>>),
}

/// The certificates in a PEM text that can be read. As in Go, others are passed over.
///
/// # Errors
/// If there are none.
pub fn certificates(pem: &[u8]) -> Result<Vec<CertificateDer<'static>>, Error> {
    let hint = "check the context with kubectl config view --minify";
    let found: Vec<_> = CertificateDer::pem_slice_iter(pem)
        .filter_map(Result::ok)
        .collect();
    if found.is_empty() {
        let message = "the certificate authority is not in PEM form";
        return Err(Error::failure(message).hint(hint));
    }
    let is_readable = |der: &CertificateDer<'_>| {
        Certificate::parse(der).is_some() && RootCertStore::empty().add(der.clone()).is_ok()
    };
    let readable: Vec<_> = found.into_iter().filter(is_readable).collect();
    if readable.is_empty() {
        let message = "the certificate authority cannot be read";
        return Err(Error::failure(message).hint(hint));
    }
    Ok(readable)
}

impl Trust {
    /// What TLS is spoken with. `server` is who is to be checked, in words.
    ///
    /// # Errors
    /// If there is nothing to check with, or the identity cannot be used.
    pub(crate) fn tls(
        &self,
        server: &str,
        identity: Option<&Identity>,
    ) -> Result<ClientConfig, Error> {
        // Not kube's: with it comes all that kube does with credentials, which is a tenth of the program and never runs.
        let provider = CryptoProvider::get_default()
            .cloned()
            .unwrap_or_else(|| Arc::new(rustls::crypto::ring::default_provider()));
        let builder = ClientConfig::builder_with_provider(Arc::clone(&provider))
            .with_safe_default_protocol_versions()
            .expect("a provider has suites for both versions of TLS");
        let builder = match self {
            Trust::Any => builder.with_root_certificates(RootCertStore::empty()),
            Trust::Unchecked => builder
                .dangerous()
                .with_custom_certificate_verifier(Arc::new(Unchecked)),
            Trust::System => builder.with_platform_verifier().map_err(|_| {
                let message = format!(
                    "cannot check who {server} is: this machine has no certificate authorities"
                );
                Error::failure(message).hint("name the cluster's with --certificate-authority")
            })?,
            Trust::Named(certificates) => {
                let named = Named::new(certificates.clone(), &provider);
                builder
                    .dangerous()
                    .with_custom_certificate_verifier(Arc::new(named))
            }
        };
        let mut tls = builder.with_no_client_auth();
        if let Some(identity) = identity {
            tls.client_auth_cert_resolver = identity.for_tls(&provider)?;
        }
        Ok(tls)
    }
}

/// Takes any certificate and whatever is signed with it.
#[derive(Debug)]
struct Unchecked;

impl ServerCertVerifier for Unchecked {
    fn verify_server_cert(
        &self,
        _end_entity: &CertificateDer<'_>,
        _intermediates: &[CertificateDer<'_>],
        _server_name: &ServerName<'_>,
        _ocsp_response: &[u8],
        _now: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        _message: &[u8],
        _cert: &CertificateDer<'_>,
        _dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        Ok(HandshakeSignatureValid::assertion())
    }

    fn verify_tls13_signature(
        &self,
        _message: &[u8],
        _cert: &CertificateDer<'_>,
        _dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        Ok(HandshakeSignatureValid::assertion())
    }

    /// All that a server may have, since none is checked.
    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        vec![
            SignatureScheme::RSA_PKCS1_SHA1,
            SignatureScheme::ECDSA_SHA1_Legacy,
            SignatureScheme::RSA_PKCS1_SHA256,
            SignatureScheme::ECDSA_NISTP256_SHA256,
            SignatureScheme::RSA_PKCS1_SHA384,
            SignatureScheme::ECDSA_NISTP384_SHA384,
            SignatureScheme::RSA_PKCS1_SHA512,
            SignatureScheme::ECDSA_NISTP521_SHA512,
            SignatureScheme::RSA_PSS_SHA256,
            SignatureScheme::RSA_PSS_SHA384,
            SignatureScheme::RSA_PSS_SHA512,
            SignatureScheme::ED25519,
            SignatureScheme::ED448,
        ]
    }
}

/// Checks a server's certificate by the certificates that were named.
#[derive(Debug)]
struct Named {
    certificates: Vec<CertificateDer<'static>>,
    /// Those of them that may sign the certificates of servers now, if there are any. (webpki takes any at its word.)
    authorities: Option<Arc<WebPkiServerVerifier>>,
    algorithms: WebPkiSupportedAlgorithms,
}

impl Named {
    fn new(certificates: Vec<CertificateDer<'static>>, provider: &Arc<CryptoProvider>) -> Named {
        let vouches = |found: Certificate<'_>| found.may_sign() && unfit(&found).is_none();
        let authorities = certificates
            .iter()
            .filter(|der| Certificate::parse(der).is_some_and(vouches));
        let mut roots = RootCertStore::empty();
        roots.add_parsable_certificates(authorities.cloned());
        let authorities =
            WebPkiServerVerifier::builder_with_provider(Arc::new(roots), Arc::clone(provider));
        Named {
            certificates,
            // It fails without any authority.
            authorities: authorities.build().ok(),
            algorithms: provider.signature_verification_algorithms,
        }
    }

    /// Check a certificate that was named itself: no authority has to vouch for it, but it must be good now, for servers, and
    /// for this one.
    fn check_named(
        &self,
        der: &CertificateDer<'_>,
        server: &ServerName<'_>,
        now: UnixTime,
    ) -> Result<(), rustls::Error> {
        // It refuses what is marked as critical and not known here.
        let parsed = ParsedCertificate::try_from(der)?;
        let certificate = Certificate::parse(der).ok_or(CertificateError::BadEncoding)?;
        let now = i64::try_from(now.as_secs()).unwrap_or(i64::MAX);
        match certificate.validity(now) {
            Validity::Good => {}
            Validity::NotYet => return Err(CertificateError::NotValidYet.into()),
            Validity::Over => return Err(CertificateError::Expired.into()),
        }
        if !certificate.is_for_servers() {
            return Err(CertificateError::InvalidPurpose.into());
        }
        verify_server_name(&parsed, server)
    }

    /// Why a certificate was refused, where rustls says less than there is to say.
    fn explain(&self, der: &CertificateDer<'_>, error: rustls::Error) -> rustls::Error {
        use CertificateError as Cert;
        let rustls::Error::InvalidCertificate(cause) = &error else {
            return error;
        };
        let named: Vec<_> = self
            .certificates
            .iter()
            .filter_map(|der| Certificate::parse(der))
            .collect();
        let shown = Certificate::parse(der);
        let issuers = || {
            let shown = shown.as_ref();
            named
                .iter()
                .filter(move |named| shown.is_some_and(|shown| named.subject == shown.issuer))
        };
        let message = match cause {
            Cert::UnknownIssuer if issuers().any(|issuer| !issuer.may_sign()) => {
                "its certificate is signed by one that may not sign others (CA:FALSE), though it is named as the authority"
                    .to_owned()
            }
            Cert::UnknownIssuer => match issuers().find_map(unfit) {
                Some(why) => format!("the authority that signed its certificate {why}"),
                None => return error,
            },
            Cert::BadSignature => match issuers().find_map(|issuer| weak(issuer.key_kind())) {
                Some(key) => format!("the authority that signed its certificate has {key}"),
                None => return error,
            },
            _ => return error,
        };
        let hint = match cause {
            Cert::BadSignature => USABLE_SERVER_KEYS,
            _ => {
                "name the authority that signed it with --certificate-authority, or this very certificate"
            }
        };
        Refusal { message, hint }.into()
    }

    fn explain_handshake(&self, der: &CertificateDer<'_>, error: rustls::Error) -> rustls::Error {
        let weak = || weak(Certificate::parse(der)?.key_kind());
        match (&error, weak()) {
            (rustls::Error::InvalidCertificate(CertificateError::BadSignature), Some(key)) => {
                Refusal {
                    message: format!("its certificate has {key}"),
                    hint: USABLE_SERVER_KEYS,
                }
                .into()
            }
            _ => error,
        }
    }
}

/// Why a certificate is good for no server now, if it is not, in words.
fn unfit(certificate: &Certificate<'_>) -> Option<&'static str> {
    match certificate.validity(UnixTime::now().as_secs().cast_signed()) {
        Validity::NotYet => Some("is not good yet"),
        Validity::Over => Some("has expired"),
        Validity::Good if !certificate.is_for_servers() => Some("is not for servers"),
        Validity::Good => None,
    }
}

/// A key that is too short, or too long, in words.
fn weak(kind: KeyKind) -> Option<String> {
    match kind {
        KeyKind::Rsa(2048..=8192) => None,
        KeyKind::Rsa(_) => Some(format!(
            "{}, and this tool takes 2048 to 8192",
            kind.words()
        )),
        _ => None,
    }
}

/// What to do about a server's key or signature that this tool does not know.
pub(crate) const USABLE_SERVER_KEYS: &str = "use a certificate with a key on the curve P-256 or P-384 or an RSA key of 2048 bits or more, signed with SHA-256 or SHA-384 by such a key";

/// Why a server's certificate was refused, in words.
#[derive(Debug, Clone)]
pub(crate) struct Refusal {
    pub(crate) message: String,
    pub(crate) hint: &'static str,
}

impl std::fmt::Display for Refusal {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for Refusal {}

impl From<Refusal> for rustls::Error {
    fn from(refusal: Refusal) -> rustls::Error {
        CertificateError::Other(OtherError(Arc::new(refusal))).into()
    }
}

impl ServerCertVerifier for Named {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        server_name: &ServerName<'_>,
        ocsp_response: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        // The same certificate to the last byte: another with its name and key is not meant.
        if self.certificates.iter().any(|named| named == end_entity) {
            self.check_named(end_entity, server_name, now)?;
            return Ok(ServerCertVerified::assertion());
        }
        let verified = match &self.authorities {
            Some(authorities) => authorities.verify_server_cert(
                end_entity,
                intermediates,
                server_name,
                ocsp_response,
                now,
            ),
            None => Err(CertificateError::UnknownIssuer.into()),
        };
        verified.map_err(|error| self.explain(end_entity, error))
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls12_signature(message, cert, dss, &self.algorithms)
            .map_err(|error| self.explain_handshake(cert, error))
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls13_signature(message, cert, dss, &self.algorithms)
            .map_err(|error| self.explain_handshake(cert, error))
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.algorithms.supported_schemes()
    }
}
