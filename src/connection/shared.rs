//! A connection that many requests share: HTTP/2, where the server speaks it.
//!
//! A run sends a delete for each Job, dozens at a time, and all of them are short. On connections of their own, each of the
//! first ones waits for a TLS handshake, and each packet carries one request. A long answer is better off by itself:
//! HTTP/2 cuts it into frames that client and server have to put together. `benches/README.md` has the figures.
//!
//! A connection that breaks takes all requests on it with it, so it is looked after as kubectl does: when nothing comes for
//! a while, the server is asked for a sign of life. And no request goes onto a connection on which another has just waited
//! in vain.

use std::{
    error::Error as StdError,
    fmt, io,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use futures_util::{
    FutureExt as _,
    future::{self, BoxFuture},
};
use http::{Request, Response, Uri};
use hyper::{
    body::Incoming,
    client::conn::http2::{self, SendRequest},
    rt::{Read, Write},
};
use hyper_util::{
    client::legacy::connect::Connection,
    rt::{TokioExecutor, TokioTimer},
};
use kube::client::Body;
use tower::{BoxError, Service, ServiceExt as _, service_fn};

use super::failure::Failure;

/// As in kubectl: when nothing has come for this long, the server is asked for a sign of life.
const SILENT_AFTER: Duration = Duration::from_secs(30);
/// As in kubectl: without one after this long, the connection is given up.
const GIVEN_UP_AFTER: Duration = Duration::from_secs(15);
/// On how many connections a request is tried that none of them has begun to send.
const CONNECTIONS_MAX: usize = 3;
/// The most requests on a connection, which is what kube-apiserver allows where nothing else is set. More would wait their
/// turn on it.
const REQUESTS_MAX: usize = 100;

type Reply = Result<Response<Incoming>, BoxError>;

/// What opens a connection before it is needed, without waiting for it.
pub(super) type Opener = Arc<dyn Fn() + Send + Sync>;

/// Sends requests to a server on as few connections as can hold them, made by this connector, or each by `separate` if the
/// server does not speak HTTP/2.
pub(super) fn shared<C, S>(
    server: Uri,
    connector: C,
    separate: S,
) -> (
    impl Service<
        Request<Body>,
        Response = Response<Incoming>,
        Error = BoxError,
        Future = BoxFuture<'static, Reply>,
    > + Clone
    + Send
    + 'static,
    Opener,
)
where
    C: Service<Uri, Error = BoxError> + Clone + Send + Sync + 'static,
    C::Response: Connection + Read + Write + Send + Unpin + 'static,
    C::Future: Send + 'static,
    S: Service<Request<Body>, Response = Response<Incoming>> + Clone + Send + 'static,
    S::Error: Into<BoxError>,
    S::Future: Send + 'static,
{
    let connections: Arc<Mutex<Vec<Pooled>>> = Arc::default();
    let place = move || {
        let mut connections = connections.lock().unwrap_or_else(PoisonError::into_inner);
        connections.retain(Pooled::is_usable);
        match connections.iter().find(|pooled| pooled.has_room()) {
            Some(pooled) => pooled.place(),
            None => {
                let pooled = Pooled::new(open(connector.clone(), server.clone()).boxed());
                let place = pooled.place();
                connections.push(pooled);
                place
            }
        }
    };
    let opener = {
        let place = place.clone();
        // If it fails, the first request opens another.
        Arc::new(move || {
            let mut place = place();
            tokio::spawn(async move { drop(place.way().await) });
        })
    };
    let service = service_fn(move |mut request: Request<Body>| {
        let (place, separate) = (place.clone(), separate.clone());
        let reply = async move {
            let mut tries = 1;
            loop {
                let mut place = place();
                let sent = match place.way().await? {
                    Way::Separate => return separate.oneshot(request).await.map_err(Into::into),
                    Way::Shared(mut connection) => {
                        place.wait(connection.try_send_request(request)).await
                    }
                };
                request = match sent {
                    Ok(response) => return Ok(response),
                    Err(mut error) => match error.take_message() {
                        // The connection was closing.
                        Some(request) if tries < CONNECTIONS_MAX => request,
                        Some(_) => return Err(NotBegun(error.into_error()).into()),
                        None => return Err(error.into_error().into()),
                    },
                };
                tries += 1;
            }
        };
        reply.boxed()
    });
    (service, opener)
}

/// A connection that is there, or is being made for all requests that wait for it.
struct Pooled {
    opening: Opening,
    /// Each request on it has another of these. Whether one of them has waited in vain.
    is_suspect: Arc<AtomicBool>,
}

type Opening = future::Shared<BoxFuture<'static, Result<Way, NotOpened>>>;

impl Pooled {
    fn new(opening: BoxFuture<'static, Result<Way, NotOpened>>) -> Pooled {
        Pooled {
            opening: opening.shared(),
            is_suspect: Arc::default(),
        }
    }

    fn requests(&self) -> usize {
        Arc::strong_count(&self.is_suspect) - 1
    }

    fn is_usable(&self) -> bool {
        let is_there = match self.opening.peek() {
            // Something must go on with it.
            None => self.requests() > 0,
            Some(Ok(Way::Separate)) => true,
            Some(Ok(Way::Shared(connection))) => !connection.is_closed(),
            Some(Err(_)) => false,
        };
        is_there && !self.is_suspect.load(Ordering::Relaxed)
    }

    fn has_room(&self) -> bool {
        let is_separate = matches!(self.opening.peek(), Some(Ok(Way::Separate)));
        is_separate || self.requests() < REQUESTS_MAX
    }

    fn place(&self) -> Place {
        Place {
            opening: self.opening.clone(),
            is_suspect: Arc::clone(&self.is_suspect),
            is_waiting: false,
        }
    }
}

/// The place of a request on a connection, for as long as this lives.
struct Place {
    opening: Opening,
    is_suspect: Arc<AtomicBool>,
    /// If it is given up now, it was in vain.
    is_waiting: bool,
}

impl Place {
    /// The connection, when it is there.
    async fn way(&mut self) -> Result<Way, NotOpened> {
        let opening = self.opening.clone();
        self.wait(opening).await
    }

    /// What comes of this, unless it is given up.
    async fn wait<T>(&mut self, what: impl Future<Output = T>) -> T {
        self.is_waiting = true;
        let came = what.await;
        self.is_waiting = false;
        came
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        if self.is_waiting {
            self.is_suspect.store(true, Ordering::Relaxed);
        }
    }
}

/// How requests go.
#[derive(Clone)]
enum Way {
    /// All on this connection.
    Shared(SendRequest<Body>),
    /// Each on one of its own: the server does not speak HTTP/2.
    Separate,
}

async fn open<C>(connector: C, server: Uri) -> Result<Way, NotOpened>
where
    C: Service<Uri, Error = BoxError>,
    C::Response: Connection + Read + Write + Send + Unpin + 'static,
{
    let io = connector.oneshot(server).await.map_err(NotOpened::from)?;
    if !io.connected().is_negotiated_h2() {
        return Ok(Way::Separate);
    }
    let handshake = http2::Builder::new(TokioExecutor::new())
        .timer(TokioTimer::new())
        .keep_alive_interval(SILENT_AFTER)
        .keep_alive_timeout(GIVEN_UP_AFTER)
        .keep_alive_while_idle(true)
        .handshake(io)
        .await;
    let (connection, driven) = handshake.map_err(|error| NotOpened::from(BoxError::from(error)))?;
    // Each request on it is told how it ends.
    tokio::spawn(driven.map(drop));
    Ok(Way::Shared(connection))
}

/// Why a connection could not be made. All requests that waited for it are told.
#[derive(Debug, Clone)]
struct NotOpened(Arc<dyn StdError + Send + Sync>);

impl From<BoxError> for NotOpened {
    fn from(error: BoxError) -> NotOpened {
        NotOpened(error.into())
    }
}

impl fmt::Display for NotOpened {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl StdError for NotOpened {
    fn source(&self) -> Option<&(dyn StdError + 'static)> {
        Some(&*self.0)
    }
}

/// No connection stayed open long enough to begin with the request.
#[derive(Debug)]
struct NotBegun(hyper::Error);

impl fmt::Display for NotBegun {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the server closes each connection before the request is sent")
    }
}

impl StdError for NotBegun {
    fn source(&self) -> Option<&(dyn StdError + 'static)> {
        Some(&self.0)
    }
}

/// What to say of a connection that was lost under a request.
const ENDED: &str = "the connection ended before the answer was complete";

/// What an error comes to if it is one of such a connection.
pub(super) fn failure(error: &(dyn StdError + 'static)) -> Option<Failure> {
    if let Some(error) = error.downcast_ref::<NotBegun>() {
        return Some(Failure::Unprocessed(error.to_string()));
    }
    if let Some(error) = error.downcast_ref::<hyper::Error>() {
        if error.is_timeout() {
            let silence = SILENT_AFTER + GIVEN_UP_AFTER;
            let words = format!(
                "the server gave no sign of life for {} s",
                silence.as_secs()
            );
            return Some(Failure::Connection(words));
        }
        // It waited for its turn on the connection.
        if error.is_user() {
            return Some(Failure::Connection(ENDED.to_owned()));
        }
    }
    if let Some(error) = error.downcast_ref::<io::Error>() {
        // In h2's words a broken pipe, whatever it was.
        let is_of_h2 = error.kind() == io::ErrorKind::BrokenPipe && error.get_ref().is_some();
        return is_of_h2.then(|| Failure::Connection(ENDED.to_owned()));
    }
    error.downcast_ref::<h2::Error>().map(in_words)
}

/// RFC 9113, 6.8 and 8.7: what was refused, or came after the last request that the other side names as it goes away, was
/// not begun with. hyper may also say the latter of a request that it has just handed to h2. In a program of one thread, as
/// this one is, nothing of it has been written by then.
fn in_words(error: &h2::Error) -> Failure {
    let words = match error.reason() {
        Some(h2::Reason::REFUSED_STREAM) if error.is_remote() => {
            return Failure::Unprocessed("the server did not begin with the request".to_owned());
        }
        _ if error.is_remote() && error.is_go_away() => {
            let words = "the server closed the connection before it began with the request";
            return Failure::Unprocessed(words.to_owned());
        }
        _ if error.is_remote() => "the server broke off the request".to_owned(),
        Some(reason) if error.is_library() => format!(
            "the server does not keep to HTTP/2, which DISABLE_HTTP2=1 turns off: {}",
            reason.description()
        ),
        _ => ENDED.to_owned(),
    };
    Failure::Connection(words)
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::AtomicUsize;

    use hyper_util::client::legacy::connect::HttpConnector;

    use super::*;
    use crate::connection::failure::classify;

    type Tcp = <HttpConnector as Service<Uri>>::Response;

    #[tokio::test]
    async fn all_that_wait_learn_why_there_is_no_connection() {
        static TRIES: AtomicUsize = AtomicUsize::new(0);
        let nowhere = service_fn(|_: Uri| async {
            TRIES.fetch_add(1, Ordering::SeqCst);
            tokio::time::sleep(Duration::from_millis(10)).await;
            Err::<Tcp, BoxError>(io::Error::from(io::ErrorKind::ConnectionRefused).into())
        });
        let unused = service_fn(|_: Request<Body>| async {
            Err::<Response<Incoming>, BoxError>("it is not known what the server speaks".into())
        });
        let (client, _) = shared(Uri::from_static("https://nowhere"), nowhere, unused);
        let ask = || client.clone().oneshot(Request::new(Body::empty()));
        for waited in future::join_all([ask(), ask(), ask()]).await {
            let failure = classify(&*waited.unwrap_err());
            assert!(matches!(failure, Failure::Unreachable(_)), "{failure:?}");
        }
        assert_eq!(TRIES.load(Ordering::SeqCst), 1);
    }
}
