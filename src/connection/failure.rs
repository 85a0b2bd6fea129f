//! What went wrong between here and the API server, in words.

use std::borrow::Cow;
use std::fmt;
use std::time::Duration;
use std::{error::Error as StdError, io};

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
    /// The server has not begun with the request.
    Unprocessed(String),
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
            Failure::Unreachable(cause)
            | Failure::Connection(cause)
            | Failure::Unprocessed(cause) => cause.clone(),
            Failure::Proxy { message, .. } | Failure::Setup { message, .. } => message.clone(),
        }
    }

    /// The same where the server may have done what was asked, whatever it says now.
    pub(super) fn in_doubt(self) -> Failure {
        match self {
            Failure::Unprocessed(cause) => Failure::Connection(cause),
            other => other,
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
            Failure::Unreachable(_) | Failure::Connection(_) | Failure::Unprocessed(_) => {
                IS_IT_UP.into()
            }
        };
        Error::failure(format!("cannot talk to {server}: {words}")).hint(hint)
    }
}

/// What to do where nothing answers.
pub(crate) const IS_IT_UP: &str = "check that the cluster is up and that the context names the right server (kubectl config get-contexts)";

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
        #[cfg(feature = "cli")]
        if let Some(tls) = super::tls::failure(cause) {
            return tls;
        }
        #[cfg(feature = "cli")]
        if let Some(shared) = super::shared::failure(cause) {
            return shared;
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
