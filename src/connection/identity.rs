//! A client certificate with its key, as kubeconfigs and credential plugins give it.
//!
//! kube and rustls ask more of it than kubectl does: a certificate of version 3, and a key in the form that the name of
//! its PEM section says. And where they cannot use a key, they do not say why.

use std::{fs, sync::Arc};

use base64::{
    Engine as _,
    alphabet::STANDARD as ALPHABET,
    engine::{GeneralPurpose, GeneralPurposeConfig},
};
use kube::config::AuthInfo;
use rustls::{
    crypto::CryptoProvider,
    pki_types::{
        CertificateDer, PrivateKeyDer,
        pem::{PemObject as _, SectionKind, SliceIter},
    },
    sign::{CertifiedKey, SigningKey, SingleCertAndKey},
};
use secrecy::ExposeSecret as _;

use super::der::{self, Certificate, KeyForm, KeyKind};
use crate::error::{Error, io_words};

/// What Go's decoder takes, which does not ask for the unused bits at the end to be zero.
const GO: GeneralPurpose = GeneralPurpose::new(
    &ALPHABET,
    GeneralPurposeConfig::new().with_decode_allow_trailing_bits(true),
);

/// What to do about a key that cannot be used.
const USABLE_KEYS: &str = "use a certificate whose key is on the curve P-256 or P-384, is Ed25519, or is RSA of 2048, 3072 or 4096 bits";

/// What to do about a key that is written in a way that cannot be read.
const WRITE_ANEW: &str = "convert it with openssl pkey -in KEY -out FILE";

/// Read base64 as Go does for the data in a kubeconfig: line breaks are passed over, blanks are not.
pub(crate) fn decode(text: &str) -> Option<Vec<u8>> {
    let text: Vec<u8> = text
        .bytes()
        .filter(|byte| !matches!(byte, b'\r' | b'\n'))
        .collect();
    GO.decode(text).ok()
}

/// A client certificate and its key in PEM. It holds a secret, so nothing shows it.
#[derive(Clone, PartialEq, Eq)]
pub struct Identity {
    certificate: Vec<u8>,
    key: Vec<u8>,
}

impl std::fmt::Debug for Identity {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Identity")
    }
}

impl Identity {
    pub fn new(certificate: impl Into<Vec<u8>>, key: impl Into<Vec<u8>>) -> Identity {
        Identity {
            certificate: certificate.into(),
            key: key.into(),
        }
    }

    /// Takes the identity of a user, if it has one.
    ///
    /// # Errors
    /// If it cannot be read.
    pub(crate) fn take_from(user: &mut AuthInfo) -> Result<Option<Identity>, Error> {
        let key_data = user.client_key_data.take();
        let certificate = part(
            "client certificate",
            user.client_certificate_data.take().as_deref(),
            user.client_certificate.take(),
        )?;
        let key = part(
            "client key",
            key_data.as_ref().map(|data| data.expose_secret()),
            user.client_key.take(),
        )?;
        let both = certificate.zip(key);
        Ok(both.map(|(certificate, key)| Identity { certificate, key }))
    }

    /// The same for TLS.
    ///
    /// # Errors
    /// If it cannot be used, with the reason.
    pub fn for_tls(&self, provider: &CryptoProvider) -> Result<Arc<SingleCertAndKey>, Error> {
        let chain = CertificateDer::pem_slice_iter(&self.certificate);
        let chain: Vec<_> = chain.filter_map(Result::ok).collect();
        let Some(first) = chain.first() else {
            let hint = "it begins with -----BEGIN CERTIFICATE-----";
            return Err(wrong("the client certificate is not in PEM form", hint));
        };
        let public = Certificate::parse(first).and_then(|found| found.public_key());
        let Some(public) = public else {
            let hint = "check it with openssl x509 -in FILE -text";
            return Err(wrong("the client certificate cannot be read", hint));
        };
        let key = self.private_key(provider)?;
        // Where the key does not tell, the server will.
        let info = key.public_key();
        if info.is_some_and(|info| der::key_of_info(&info) != Some(public)) {
            return Err(wrong(
                "the client certificate and the client key do not belong to each other",
                "check that both are of the same user, and were made together",
            ));
        }
        Ok(Arc::new(SingleCertAndKey::from(CertifiedKey::new(
            chain, key,
        ))))
    }

    fn private_key(&self, provider: &CryptoProvider) -> Result<Arc<dyn SigningKey>, Error> {
        let sections = SliceIter::<(SectionKind, Vec<u8>)>::new(&self.key);
        let key = sections.filter_map(Result::ok).find(|(kind, _)| {
            use SectionKind::{EcPrivateKey, PrivateKey, RsaPrivateKey};
            [PrivateKey, RsaPrivateKey, EcPrivateKey].contains(kind)
        });
        let Some((_, key)) = key else {
            let is_encrypted = String::from_utf8_lossy(&self.key).contains("ENCRYPTED");
            return Err(if is_encrypted {
                wrong("the client key is encrypted", WRITE_ANEW)
            } else {
                let hint = "it begins with -----BEGIN PRIVATE KEY-----";
                wrong("the client key is not in PEM form", hint)
            });
        };
        let kind = KeyKind::of_private(&key);
        // As in Go, what it is named in PEM does not matter.
        let key = match der::key_form(&key) {
            Some(KeyForm::Pkcs8) => PrivateKeyDer::Pkcs8(key.into()),
            Some(KeyForm::Pkcs1) => PrivateKeyDer::Pkcs1(key.into()),
            Some(KeyForm::Sec1) => PrivateKeyDer::Sec1(key.into()),
            None => return Err(wrong("the client key cannot be read", WRITE_ANEW)),
        };
        let loaded = provider.key_provider.load_private_key(key);
        loaded.map_err(|_| match kind {
            KeyKind::Rsa(2048 | 3072 | 4096) | KeyKind::Curve("P-256" | "P-384" | "Ed25519") => {
                wrong("the client key cannot be read", WRITE_ANEW)
            }
            kind => wrong(
                &format!(
                    "the client key cannot be used: it is {}, which this tool cannot sign with",
                    kind.words()
                ),
                USABLE_KEYS,
            ),
        })
    }
}

fn wrong(what: &str, hint: &str) -> Error {
    Error::failure(what).hint(hint)
}

/// The bytes of a certificate or key, from the kubeconfig or from a file.
fn part(what: &str, data: Option<&str>, path: Option<String>) -> Result<Option<Vec<u8>>, Error> {
    match (data, path) {
        (Some(data), _) => decode(data).map(Some).ok_or_else(|| {
            wrong(
                &format!("the {what} in the kubeconfig is not valid base64"),
                "check the context with kubectl config view --minify",
            )
        }),
        (None, Some(path)) => fs::read(&path).map(Some).map_err(|error| {
            wrong(
                &format!("cannot read the {what} {path}: {}", io_words(&error)),
                "check the flag or the kubeconfig that names it",
            )
        }),
        (None, None) => Ok(None),
    }
}
