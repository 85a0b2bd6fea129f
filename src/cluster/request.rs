//! One request and its answer: deadline, the server's warnings, and what went wrong in words.

use std::{
    collections::BTreeSet,
    error::Error as StdError,
    io,
    sync::{Arc, Mutex},
    time::Duration,
};

use bytes::Bytes;
use http::{HeaderMap, Request, StatusCode, header};
use http_body_util::BodyExt;
use kube::client::Body;
use serde::Deserialize;

use super::Cluster;
use crate::error::{Error, Exit};

/// A whole answer of the API server.
#[derive(Debug)]
pub struct Answer {
    /// HTTP status.
    pub status: StatusCode,
    /// Headers.
    pub headers: HeaderMap,
    /// The body, read to its end.
    pub body: Bytes,
}

/// The part of `metav1.Status` that matters here.
#[derive(Debug, Default, Deserialize)]
pub struct Status {
    /// What went wrong, for people.
    #[serde(default)]
    pub message: String,
    /// What went wrong, for programs: `Forbidden`, `Conflict`, `Expired`, …
    #[serde(default)]
    pub reason: String,
}

impl Answer {
    /// The Status that an unsuccessful answer should hold; empty where something else than the API server answered.
    pub fn api_status(&self) -> Status {
        serde_json::from_slice(&self.body).unwrap_or_default()
    }

    /// The server's own words if it sent some, else the status line.
    pub fn words(&self) -> String {
        let message = self.api_status().message;
        if message.is_empty() {
            format!("the server answered {}", self.status)
        } else {
            message
        }
    }

    /// How long the server asks to wait. Only whole seconds are used by Kubernetes; a date is ignored.
    pub fn retry_after(&self) -> Option<Duration> {
        let value = self.headers.get(header::RETRY_AFTER)?.to_str().ok()?;
        value.trim().parse().ok().map(Duration::from_secs)
    }

    /// Whether the server only asks to come again later.
    pub fn is_pushback(&self) -> bool {
        self.status == StatusCode::TOO_MANY_REQUESTS
            || self.status == StatusCode::SERVICE_UNAVAILABLE
    }

    /// Whether the same request may well succeed later.
    pub fn is_transient(&self) -> bool {
        self.is_pushback()
            || matches!(
                self.status,
                StatusCode::INTERNAL_SERVER_ERROR
                    | StatusCode::BAD_GATEWAY
                    | StatusCode::GATEWAY_TIMEOUT
            )
    }
}

/// The texts of `Warning:` headers, each once.
#[derive(Debug, Clone, Default)]
pub struct Warnings(Arc<Mutex<BTreeSet<String>>>);

impl Warnings {
    /// Everything that has come so far.
    pub fn take(&self) -> BTreeSet<String> {
        std::mem::take(
            &mut *self
                .0
                .lock()
                .unwrap_or_else(|poisoned| poisoned.into_inner()),
        )
    }

    fn add_all(&self, headers: &HeaderMap) {
        let texts = headers
            .get_all(header::WARNING)
            .into_iter()
            .filter_map(|value| value.to_str().ok())
            .filter_map(warning_text);
        let mut seen = self
            .0
            .lock()
            .unwrap_or_else(|poisoned| poisoned.into_inner());
        seen.extend(texts);
    }
}

/// The text of a header such as `299 - "this is deprecated"`.
fn warning_text(value: &str) -> Option<String> {
    let quoted = value.split_once('"')?.1.rsplit_once('"')?.0;
    Some(quoted.replace("\\\"", "\"").replace("\\\\", "\\"))
}

/// Why there is no answer.
#[derive(Debug)]
pub enum Failure {
    /// It did not come whole within the deadline.
    Timeout(Duration),
    /// The connection could not be made, or broke.
    Connection(String),
    /// Credentials or TLS: trying again cannot help.
    Setup {
        /// What is wrong.
        message: String,
        /// What to do.
        hint: &'static str,
    },
}

impl Failure {
    /// What happened, as a lowercase fragment.
    pub fn words(&self) -> String {
        match self {
            Failure::Timeout(limit) => format!("no answer within {} s", limit.as_secs_f32()),
            Failure::Connection(cause) => cause.clone(),
            Failure::Setup { message, .. } => message.clone(),
        }
    }

    /// The error for a run that ends with it.
    pub fn into_error(self, server: &str) -> Error {
        let hint = match &self {
            Failure::Timeout(_) => {
                "the server may be overloaded; --request-timeout changes how long to wait"
            }
            Failure::Connection(_) => {
                "check that the cluster is up and that the context names the right server (kubectl config get-contexts)"
            }
            Failure::Setup { hint, .. } => hint,
        };
        Error::new(
            Exit::Failure,
            format!("cannot talk to {server}: {}", self.words()),
        )
        .hint(hint)
    }
}

impl Cluster {
    /// Send a request and read the answer to its end, within the deadline.
    ///
    /// # Errors
    /// If no whole answer came. Any HTTP status is an answer.
    pub async fn call(&self, request: Request<Body>) -> Result<Answer, Failure> {
        let exchange = async {
            let response = self.client.send(request).await.map_err(|e| failure(&e))?;
            let (parts, body) = response.into_parts();
            self.warnings.add_all(&parts.headers);
            let body = body.collect().await.map_err(|e| failure(&e))?.to_bytes();
            Ok(Answer {
                status: parts.status,
                headers: parts.headers,
                body,
            })
        };
        match self.request_timeout {
            None => exchange.await,
            Some(limit) => tokio::time::timeout(limit, exchange)
                .await
                .unwrap_or(Err(Failure::Timeout(limit))),
        }
    }
}

/// Find the cause in a chain of errors that mostly says "error sending request".
fn failure(error: &(dyn StdError + 'static)) -> Failure {
    let mut cause = error;
    loop {
        if let Some(tls) = tls_error(cause) {
            return tls_failure(tls);
        }
        if let Some(auth) = cause.downcast_ref::<kube::client::AuthError>() {
            return Failure::Setup {
                message: super::connect::auth_words(auth),
                hint: "check the user of the kubeconfig context",
            };
        }
        if let Some(io) = cause.downcast_ref::<io::Error>()
            && io.kind() == io::ErrorKind::ConnectionRefused
        {
            return Failure::Connection("connection refused".to_owned());
        }
        match cause.source() {
            Some(source) => cause = source,
            None => return Failure::Connection(cause.to_string().to_lowercase_first()),
        }
    }
}

/// rustls hides its errors inside an io::Error, beside the chain of sources.
fn tls_error<'a>(error: &'a (dyn StdError + 'static)) -> Option<&'a rustls::Error> {
    error.downcast_ref::<rustls::Error>().or_else(|| {
        error
            .downcast_ref::<io::Error>()?
            .get_ref()?
            .downcast_ref::<rustls::Error>()
    })
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
    Failure::Setup { message, hint }
}

trait LowercaseFirst {
    fn to_lowercase_first(&self) -> String;
}

impl LowercaseFirst for str {
    fn to_lowercase_first(&self) -> String {
        let mut chars = self.chars();
        chars
            .next()
            .map(|first| first.to_lowercase().chain(chars).collect())
            .unwrap_or_default()
    }
}
