//! Who the requests come from, over the length of a run: credentials that expire are renewed on the way.
//!
//! kube renews tokens of its own accord, but not as kubectl does: see [`super::plugin`] for plugins; of a token's file it
//! takes the line break at the end for a part of the token, and it never looks again when the server does not take it.

use std::{
    fs, io,
    path::PathBuf,
    sync::{
        Arc, PoisonError, RwLock,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, Instant},
};

use http::{HeaderValue, Request, Response, StatusCode, header::AUTHORIZATION};
use jiff::Timestamp;
use kube::{Client, Config, client::Body};
use secrecy::SecretString;
use tokio::sync::Mutex;

use super::{connect, plugin::Plugin, request::Failure, trouble::failure};
use crate::{
    clock,
    error::{Error, Exit, io_words},
};

/// As in kubectl: a mounted token is replaced long before it expires, so this is often enough.
const TOKEN_FILE_AGE: Duration = Duration::from_secs(50);

/// Where credentials come from that may change while a run lasts.
#[derive(Debug, Clone)]
pub(super) enum Source {
    /// Nowhere: they are in the configuration, or there are none.
    Fixed,
    /// A file with a token.
    TokenFile(TokenFile),
    /// A program.
    Plugin(Plugin),
}

/// A file that holds a token.
#[derive(Debug, Clone)]
pub(super) struct TokenFile {
    pub(super) path: PathBuf,
    /// What counts while it cannot be read.
    pub(super) token: Option<String>,
}

/// What a request carries to say whose it is.
#[derive(Debug, Clone)]
pub(super) struct Credentials {
    /// In its header; sensitive, so that nothing shows it.
    pub(super) authorization: Option<HeaderValue>,
    /// In the TLS handshake.
    pub(super) identity: Option<Identity>,
    pub(super) validity: Validity,
}

/// A client certificate and its key in PEM.
#[derive(Debug, Clone)]
pub(super) struct Identity {
    certificate: String,
    key: SecretString,
}

/// How long credentials are good.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Validity {
    /// As long as the server takes them.
    Always,
    /// Until this moment has passed.
    Until(Timestamp),
    /// For so long after they were read.
    For(Duration),
}

impl Validity {
    /// Whether they are to be had anew.
    fn is_over(self, now: Timestamp, age: Duration) -> bool {
        match self {
            Validity::Always => false,
            Validity::Until(expires) => now > expires,
            Validity::For(longest) => age >= longest,
        }
    }
}

impl Identity {
    pub(super) fn new(certificate: String, key: String) -> Identity {
        let key = SecretString::from(key);
        Identity { certificate, key }
    }

    fn is(&self, other: &Identity) -> bool {
        use secrecy::ExposeSecret as _;
        self.certificate == other.certificate
            && self.key.expose_secret() == other.key.expose_secret()
    }

    fn put_into(&self, config: &mut Config) {
        use base64::{Engine as _, engine::general_purpose::STANDARD as BASE64};
        use secrecy::ExposeSecret as _;
        let user = &mut config.auth_info;
        user.client_certificate_data = Some(BASE64.encode(&self.certificate));
        user.client_key_data = Some(BASE64.encode(self.key.expose_secret()).into());
    }
}

/// The header's value for a token, `None` if no header may hold it.
pub(super) fn bearer(token: &str) -> Option<HeaderValue> {
    let mut value = HeaderValue::try_from(format!("Bearer {token}")).ok()?;
    value.set_sensitive(true);
    Some(value)
}

impl TokenFile {
    fn read(&self) -> Result<Credentials, Error> {
        let path = self.path.display();
        let check = "check tokenFile of the user in the kubeconfig";
        let token = match (fs::read_to_string(&self.path), &self.token) {
            // An empty one counts as one that cannot be read.
            (Ok(text), _) if !text.trim().is_empty() => text.trim().to_owned(),
            (_, Some(token)) => token.clone(),
            (Ok(_), None) => {
                let message = format!("the token file {path} is empty");
                return Err(Error::new(Exit::Failure, message).hint(check));
            }
            (Err(error), None) => return Err(unreadable(&self.path, &error).hint(check)),
        };
        let authorization = bearer(&token).ok_or_else(|| {
            let message = format!("the token in {path} holds characters that no header may hold");
            Error::new(Exit::Failure, message).hint(check)
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
    Error::new(Exit::Failure, message)
}

/// Credentials in use, with a client whose connections carry their certificate.
struct Pass {
    client: Client,
    credentials: Credentials,
    since: Instant,
    is_used: AtomicBool,
}

impl Pass {
    fn new(client: Client, credentials: Credentials) -> Arc<Pass> {
        Arc::new(Pass {
            client,
            credentials,
            since: Instant::now(),
            is_used: AtomicBool::new(false),
        })
    }

    /// Whether others are to be had. What has just come is used in any case: asking again would bring no better.
    fn is_over(&self) -> bool {
        let validity = self.credentials.validity;
        self.is_used.load(Ordering::Relaxed) && validity.is_over(clock::now(), self.since.elapsed())
    }

    fn is_same(&self, other: &Pass) -> bool {
        let (ours, theirs) = (&self.credentials, &other.credentials);
        ours.authorization == theirs.authorization
            && match (&ours.identity, &theirs.identity) {
                (Some(ours), Some(theirs)) => ours.is(theirs),
                (None, None) => true,
                _ => false,
            }
    }

    async fn send(&self, mut request: Request<Body>) -> Result<Response<Body>, Failure> {
        self.is_used.store(true, Ordering::Relaxed);
        if let Some(authorization) = &self.credentials.authorization {
            let headers = request.headers_mut();
            headers.insert(AUTHORIZATION, authorization.clone());
        }
        self.client
            .send(request)
            .await
            .map_err(|error| failure(&error))
    }
}

/// The way to the server, as somebody.
pub(super) struct Login {
    config: Config,
    source: Source,
    pass: RwLock<Arc<Pass>>,
    /// Held while credentials are renewed: many requests at once find them expired, and asking once is enough.
    renewing: Mutex<()>,
}

impl Login {
    /// Get the first credentials. A plugin may take its time, and signals are heard meanwhile.
    ///
    /// # Errors
    /// If there are none to be had, or no client can be made.
    pub(super) async fn open(config: Config, source: Source) -> Result<Login, Error> {
        let credentials = credentials_of(&source).await?;
        let client = client_for(&config, &credentials)?;
        Ok(Login {
            config,
            source,
            pass: RwLock::new(Pass::new(client, credentials)),
            renewing: Mutex::default(),
        })
    }

    /// Renew credentials that have expired. Somebody may have to log in for that, so no request's deadline runs meanwhile.
    ///
    /// # Errors
    /// If there are no others to be had.
    pub(super) async fn ready(self: &Arc<Self>) -> Result<(), Failure> {
        let pass = self.pass();
        if matches!(self.source, Source::Fixed) || !pass.is_over() {
            return Ok(());
        }
        match self.renew(pass).await {
            Ok(_) => Ok(()),
            Err(error) => Err(Failure::Setup {
                message: error.message,
                hint: "check the user of the kubeconfig context, or log in again",
            }),
        }
    }

    /// Send a request as whoever this is now. If the server does not know the credentials, they are renewed and, if
    /// others come of it, sent with the same request once more: it has done nothing yet.
    ///
    /// # Errors
    /// If there is no answer.
    pub(super) async fn send(
        self: &Arc<Self>,
        request: Request<Body>,
    ) -> Result<Response<Body>, Failure> {
        let pass = self.pass();
        if matches!(self.source, Source::Fixed) {
            return pass.send(request).await;
        }
        let again = copy(&request);
        let response = pass.send(request).await?;
        if response.status() != StatusCode::UNAUTHORIZED {
            return Ok(response);
        }
        match (again, self.renew(Arc::clone(&pass)).await) {
            (Some(again), Ok(renewed)) if !renewed.is_same(&pass) => renewed.send(again).await,
            // The answer says what there is to say.
            _ => Ok(response),
        }
    }

    fn pass(&self) -> Arc<Pass> {
        Arc::clone(&self.pass.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// Others than these, to the end even if who asked for them waits no longer: a program that somebody logs in with is
    /// not to be started beside itself.
    async fn renew(self: &Arc<Self>, used: Arc<Pass>) -> Result<Arc<Pass>, Error> {
        let login = Arc::clone(self);
        let renewed = tokio::spawn(async move { login.renew_here(&used).await }).await;
        renewed.unwrap_or_else(|_| Err(Error::new(Exit::Failure, "cannot renew the credentials")))
    }

    async fn renew_here(&self, used: &Arc<Pass>) -> Result<Arc<Pass>, Error> {
        let _renewing = self.renewing.lock().await;
        let current = self.pass();
        if !Arc::ptr_eq(&current, used) {
            // Somebody else was faster.
            return Ok(current);
        }
        let credentials = match (credentials_of(&self.source).await, &self.source) {
            (Ok(credentials), _) => credentials,
            // What was read last may be good still: files are removed so that nobody else reads them.
            (Err(_), Source::TokenFile(_)) => current.credentials.clone(),
            (Err(error), _) => return Err(error),
        };
        let is_same_identity = match (&credentials.identity, &current.credentials.identity) {
            (Some(new), Some(old)) => new.is(old),
            (None, None) => true,
            _ => false,
        };
        let client = match is_same_identity {
            true => current.client.clone(),
            // Open connections would still be those of the certificate that was.
            false => client_for(&self.config, &credentials)?,
        };
        let renewed = Pass::new(client, credentials);
        *self.pass.write().unwrap_or_else(PoisonError::into_inner) = Arc::clone(&renewed);
        Ok(renewed)
    }
}

async fn credentials_of(source: &Source) -> Result<Credentials, Error> {
    let plugin = match source {
        Source::Fixed => {
            return Ok(Credentials {
                authorization: None,
                identity: None,
                validity: Validity::Always,
            });
        }
        Source::TokenFile(file) => return file.read(),
        Source::Plugin(plugin) => plugin.clone(),
    };
    let ended = tokio::task::spawn_blocking(move || plugin.run()).await;
    ended.unwrap_or_else(|_| {
        Err(Error::new(
            Exit::Failure,
            "cannot run the credential plugin",
        ))
    })
}

fn client_for(config: &Config, credentials: &Credentials) -> Result<Client, Error> {
    let mut config = config.clone();
    if let Some(identity) = &credentials.identity {
        identity.put_into(&mut config);
    }
    connect::client(config)
}

/// The same request, if its body is there to be copied.
fn copy(request: &Request<Body>) -> Option<Request<Body>> {
    let mut copy = Request::new(request.body().try_clone()?);
    *copy.method_mut() = request.method().clone();
    *copy.uri_mut() = request.uri().clone();
    *copy.headers_mut() = request.headers().clone();
    Some(copy)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn credentials_are_good_to_their_last_second() {
        let at = Timestamp::UNIX_EPOCH;
        let second = Duration::from_secs(1);
        for (validity, expected) in [
            (Validity::Always, false),
            (Validity::Until(at + second), false),
            (Validity::Until(at), false),
            (Validity::Until(at - second), true),
            (Validity::For(2 * second), false),
            (Validity::For(second), true),
        ] {
            assert_eq!(validity.is_over(at, second), expected, "{validity:?}");
        }
    }

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
        file.token = Some("inline".to_owned());
        assert_eq!(read(&file), Ok(header("Bearer inline")));
    }
}
