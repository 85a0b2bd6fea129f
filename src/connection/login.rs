//! Who the requests come from, over the length of a run: credentials that expire are renewed on the way.
//!
//! kube renews tokens of its own accord, but not as kubectl does: see [`super::exec`] for plugins; of a token's file it
//! takes the line break at the end for a part of the token, and it never looks again when the server does not take it.

use std::fs;
use std::io;
use std::path::PathBuf;
use std::time::Duration;
use std::{
    sync::{
        Arc, PoisonError, RwLock,
        atomic::{AtomicBool, Ordering},
    },
    time::Instant,
};

use http::{Request, Response, header::AUTHORIZATION};
use kube::client::Body;
use secrecy::{ExposeSecret as _, SecretString};
use tokio::sync::Mutex;

use super::{
    credentials::{Credentials, Validity, bearer},
    exchange::Sharing,
    exec::{LOG_IN, Plugin},
    failure::{Failure, Stage, classify},
    transport::{Clients, Line},
};
use crate::{
    error::{Error, io_words},
    time,
};

/// Credentials in use, with clients whose connections carry their certificate.
pub(crate) struct Pass {
    clients: Clients,
    credentials: Credentials,
    since: Instant,
    is_used: AtomicBool,
}

impl Pass {
    fn new(clients: Clients, credentials: Credentials) -> Arc<Pass> {
        Arc::new(Pass {
            clients,
            credentials,
            since: Instant::now(),
            is_used: AtomicBool::new(false),
        })
    }

    /// Whether others are to be had. What has just come is used in any case: asking again would bring no better.
    fn is_over(&self) -> bool {
        let validity = self.credentials.validity;
        self.is_used.load(Ordering::Relaxed) && validity.is_over(time::now(), self.since.elapsed())
    }

    fn is_same(&self, other: &Pass) -> bool {
        let (ours, theirs) = (&self.credentials, &other.credentials);
        ours.authorization == theirs.authorization && ours.identity == theirs.identity
    }

    /// Send a request with these credentials.
    ///
    /// # Errors
    /// If there is no answer.
    pub(super) async fn send(
        &self,
        mut request: Request<Body>,
        sharing: Sharing,
    ) -> Result<Response<Body>, Failure> {
        self.is_used.store(true, Ordering::Relaxed);
        if let Some(authorization) = &self.credentials.authorization {
            let headers = request.headers_mut();
            headers.insert(AUTHORIZATION, authorization.clone());
        }
        let client = match sharing {
            Sharing::Separate => &self.clients.separate,
            Sharing::Shared => &self.clients.shared,
        };
        let response = client.send(request).await;
        response.map_err(|error| classify(&error))
    }
}

/// Sends requests as a user, and renews the credentials when they expire.
pub(crate) struct Login {
    line: Line,
    source: CredentialSource,
    pass: RwLock<Arc<Pass>>,
    /// Held while credentials are renewed: many requests at once find them expired, and asking once is enough. It tells
    /// what came of the last time, if that failed.
    renewing: Mutex<Option<FailedRenewal>>,
}

/// Why there are no other credentials.
struct FailedRenewal {
    ended: Instant,
    error: Error,
}

impl Login {
    /// Get the first credentials. A plugin may take its time, and signals are heard meanwhile.
    ///
    /// # Errors
    /// If there are none to be had, or no client can be made.
    pub(crate) async fn open(line: Line, source: CredentialSource) -> Result<Login, Error> {
        let credentials = source.credentials().await?;
        let clients = clients_for(&line, &credentials)?;
        Ok(Login {
            line,
            source,
            pass: RwLock::new(Pass::new(clients, credentials)),
            renewing: Mutex::default(),
        })
    }

    /// Open the connection that requests will share, without waiting for it.
    pub(super) fn get_ready(&self) {
        if let Some(open) = &self.current().clients.opener {
            open();
        }
    }

    /// Whether there may ever be other credentials.
    pub(crate) fn is_renewable(&self) -> bool {
        !matches!(self.source, CredentialSource::Fixed)
    }

    /// What the next request is to be sent with, renewed if it has expired. The user may have to log in for that, so no
    /// request's deadline may run meanwhile.
    ///
    /// # Errors
    /// If there are no others to be had.
    pub(crate) async fn pass(self: &Arc<Self>) -> Result<Arc<Pass>, Failure> {
        let pass = self.current();
        if !self.is_renewable() || !pass.is_over() {
            return Ok(pass);
        }
        let renewed = self.renew(&pass, Instant::now()).await;
        renewed.map_err(|error| Failure::Setup {
            stage: Stage::Unsent,
            message: error.message,
            hint: error.hint.map_or(LOG_IN.into(), Into::into),
        })
    }

    /// What to send a request with once more that the server did not take these credentials for, if others are to be
    /// had. No deadline may run meanwhile either. `sent` is when the request began.
    pub(crate) async fn instead_of(
        self: &Arc<Self>,
        refused: &Arc<Pass>,
        sent: Instant,
    ) -> Option<Arc<Pass>> {
        // Without others, the server's answer says what there is to say.
        let renewed = self.renew(refused, sent).await.ok()?;
        (!renewed.is_same(refused)).then_some(renewed)
    }

    fn current(&self) -> Arc<Pass> {
        Arc::clone(&self.pass.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// Renews once for all requests that wait, and finishes even if the caller is cancelled: the program that the user logs
    /// in with must not run twice at a time.
    async fn renew(self: &Arc<Self>, used: &Arc<Pass>, since: Instant) -> Result<Arc<Pass>, Error> {
        let (login, used) = (Arc::clone(self), Arc::clone(used));
        let renewed = tokio::spawn(async move { login.renew_here(&used, since).await }).await;
        renewed.unwrap_or_else(|_| {
            let message = format!("{} did not finish", self.source.name());
            Err(Error::failure(message).hint("try again"))
        })
    }

    async fn renew_here(&self, used: &Arc<Pass>, since: Instant) -> Result<Arc<Pass>, Error> {
        let mut renewing = self.renewing.lock().await;
        let current = self.current();
        if !Arc::ptr_eq(&current, used) {
            // Another request has renewed them.
            return Ok(current);
        }
        if let Some(failed) = renewing.as_ref().filter(|failed| since <= failed.ended) {
            // Another request has tried meanwhile. To try again would only prompt the user again.
            return Err(failed.error.clone());
        }
        match self.others_than(&current).await {
            Ok(renewed) => {
                *renewing = None;
                *self.pass.write().unwrap_or_else(PoisonError::into_inner) = Arc::clone(&renewed);
                Ok(renewed)
            }
            Err(error) => {
                *renewing = Some(FailedRenewal {
                    ended: Instant::now(),
                    error: error.clone(),
                });
                Err(error)
            }
        }
    }

    async fn others_than(&self, current: &Pass) -> Result<Arc<Pass>, Error> {
        let credentials = match (self.source.credentials().await, &self.source) {
            (Ok(credentials), _) => credentials,
            // What was read last may be good still: files are removed so that no other user reads them.
            (Err(_), CredentialSource::TokenFile(_)) => current.credentials.clone(),
            (Err(error), _) => return Err(error),
        };
        let clients = if credentials.identity == current.credentials.identity {
            current.clients.clone()
        } else {
            // Open connections would still be those of the certificate that was.
            clients_for(&self.line, &credentials)?
        };
        Ok(Pass::new(clients, credentials))
    }
}

fn clients_for(line: &Line, credentials: &Credentials) -> Result<Clients, Error> {
    let mut line = line.clone();
    if credentials.identity.is_some() {
        line.identity.clone_from(&credentials.identity);
    }
    line.clients()
}

/// Where credentials come from that may change while a run lasts. It may hold secrets, so nothing shows it.
#[derive(Clone)]
pub(crate) enum CredentialSource {
    /// They are fixed in the configuration, or absent.
    Fixed,
    /// A file with a token.
    TokenFile(TokenFile),
    /// A program.
    Plugin(Box<Plugin>),
}

/// A file that holds a token.
#[derive(Clone)]
pub(crate) struct TokenFile {
    pub(crate) path: PathBuf,
    /// What counts while it cannot be read.
    pub(crate) token: Option<SecretString>,
}

impl TokenFile {
    fn read(&self) -> Result<Credentials, Error> {
        let path = self.path.display();
        let check = "check tokenFile of the user in the kubeconfig";
        let token = match (fs::read_to_string(&self.path), &self.token) {
            // An empty one counts as one that cannot be read.
            (Ok(text), _) if !text.trim().is_empty() => text.trim().to_owned(),
            (_, Some(token)) => token.expose_secret().to_owned(),
            (Ok(_), None) => {
                let message = format!("the token file {path} is empty");
                return Err(Error::failure(message).hint(check));
            }
            (Err(error), None) => return Err(unreadable(&self.path, &error).hint(check)),
        };
        let authorization = bearer(&token).ok_or_else(|| {
            let message = format!("the token in {path} holds characters that no header may hold");
            Error::failure(message).hint(check)
        })?;
        Ok(Credentials {
            authorization: Some(authorization),
            identity: None,
            validity: Validity::For(TOKEN_FILE_AGE),
        })
    }
}

fn unreadable(path: &std::path::Path, error: &io::Error) -> Error {
    let message = format!(
        "cannot read the token file {}: {}",
        path.display(),
        io_words(error)
    );
    Error::failure(message)
}

impl CredentialSource {
    /// What it is, to people.
    pub(super) fn name(&self) -> String {
        match self {
            CredentialSource::Fixed => "the kubeconfig".to_owned(),
            CredentialSource::TokenFile(file) => format!("the token file {}", file.path.display()),
            CredentialSource::Plugin(plugin) => plugin.name(),
        }
    }

    pub(super) async fn credentials(&self) -> Result<Credentials, Error> {
        match self {
            CredentialSource::Fixed => Ok(Credentials {
                authorization: None,
                identity: None,
                validity: Validity::Always,
            }),
            CredentialSource::TokenFile(file) => file.read(),
            CredentialSource::Plugin(plugin) => plugin.run().await,
        }
    }
}

/// As in kubectl: a mounted token is replaced long before it expires, so this is often enough.
const TOKEN_FILE_AGE: Duration = Duration::from_secs(50);

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;

    #[test]
    fn a_token_file_may_end_in_a_line_break_and_be_gone_for_a_while() {
        let folder = tempfile::tempdir().unwrap();
        let mut file = TokenFile {
            path: folder.path().join("token"),
            token: None,
        };
        let read = |file: &TokenFile| file.read().map(|found| found.authorization);
        assert!(read(&file).unwrap_err().message.contains("cannot read"));
        fs::write(&file.path, " \n").unwrap();
        assert!(read(&file).unwrap_err().message.contains("empty"));
        fs::write(&file.path, "abc\n").unwrap();
        let header = |text: &str| Some(HeaderValue::from_str(text).unwrap());
        assert_eq!(read(&file), Ok(header("Bearer abc")));
        fs::write(&file.path, "a\u{1}c\n").unwrap();
        assert!(read(&file).unwrap_err().message.contains("characters"));
        fs::remove_file(&file.path).unwrap();
        file.token = Some("inline".into());
        assert_eq!(read(&file), Ok(header("Bearer inline")));
    }
}
