//! One connection that many requests share: HTTP/2, where the server speaks it.
//!
//! A run sends a delete for each Job, dozens at a time, and all of them are short. On connections of their own, each of the
//! first ones waits for a TLS handshake, and each packet carries one request. A long answer is better off by itself:
//! HTTP/2 cuts it into frames that client and server have to put together. `benches/README.md` has the figures.
//!
//! A connection that breaks takes all requests on it with it, so it is looked after as kubectl does: when nothing comes for
//! a while, it is asked for a sign of life.

use std::{
    error::Error as StdError,
    fmt,
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, Instant},
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
use crate::error::without_os_code;

/// As in kubectl: when nothing has come for this long, the server is asked for a sign of life.
const SILENT_AFTER: Duration = Duration::from_secs(30);
/// As in kubectl: without one after this long, the connection is given up.
const GIVEN_UP_AFTER: Duration = Duration::from_secs(15);
/// On how many connections a request is tried that none of them has begun to send.
const CONNECTIONS_MAX: usize = 3;

type Answer = Result<Response<Incoming>, BoxError>;

/// What opens a connection before it is needed, without waiting for it.
pub(super) type Opener = Arc<dyn Fn() + Send + Sync>;

/// Sends requests to a server on one connection at a time, made by this connector, or each by `separate` if the server does
/// not speak HTTP/2.
pub(super) fn shared<C, S>(
    server: Uri,
    connector: C,
    separate: S,
) -> (
    impl Service<
        Request<Body>,
        Response = Response<Incoming>,
        Error = BoxError,
        Future = BoxFuture<'static, Answer>,
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
    let kept: Arc<Mutex<Option<Kept>>> = Arc::default();
    let way = move || {
        let mut kept = kept.lock().unwrap_or_else(PoisonError::into_inner);
        let opening = match &*kept {
            Some(kept) if kept.is_usable() => kept.opening.clone(),
            _ => open(connector.clone(), server.clone()).boxed().shared(),
        };
        *kept = Some(Kept {
            opening: opening.clone(),
            used: Instant::now(),
        });
        opening
    };
    let opener = {
        let way = way.clone();
        // Why it could not be opened is told to the first request, which tries again.
        Arc::new(move || drop(tokio::spawn(way().map(drop))))
    };
    let service = service_fn(move |mut request: Request<Body>| {
        let (way, separate) = (way.clone(), separate.clone());
        let answer = async move {
            for _ in 0..CONNECTIONS_MAX {
                let sent = match way().await? {
                    Way::Separate => return separate.oneshot(request).await.map_err(Into::into),
                    Way::Shared(mut connection) => connection.try_send_request(request).await,
                };
                request = match sent {
                    Ok(response) => return Ok(response),
                    Err(mut error) => match error.take_message() {
                        // The connection was closing.
                        Some(request) => request,
                        None => return Err(error.into_error().into()),
                    },
                };
            }
            Err(NotBegun.into())
        };
        answer.boxed()
    });
    (service, opener)
}

/// A connection that is being made, for all requests that wait for it.
type Opening = future::Shared<BoxFuture<'static, Result<Way, NotOpened>>>;

/// The connection that is there, or is being made.
struct Kept {
    opening: Opening,
    /// When it was used last.
    used: Instant,
}

impl Kept {
    fn is_usable(&self) -> bool {
        match self.opening.peek() {
            None | Some(Ok(Way::Separate)) => true,
            // While nothing is on it, it may be lost without a sign.
            Some(Ok(Way::Shared(connection))) => {
                !connection.is_closed() && self.used.elapsed() < SILENT_AFTER
            }
            Some(Err(_)) => false,
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
        .handshake(io)
        .await;
    let (connection, driven) = handshake.map_err(|error| NotOpened::from(BoxError::from(error)))?;
    // How it ends is told to each request on it.
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
struct NotBegun;

impl fmt::Display for NotBegun {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the server closes every connection before the request is sent")
    }
}

impl StdError for NotBegun {}

/// What an error comes to if it is one of such a connection.
pub(super) fn failure(error: &(dyn StdError + 'static)) -> Option<Failure> {
    if let Some(error) = error.downcast_ref::<NotBegun>() {
        return Some(Failure::Unprocessed(error.to_string()));
    }
    if let Some(error) = error.downcast_ref::<hyper::Error>()
        && error.is_timeout()
    {
        let silence = SILENT_AFTER + GIVEN_UP_AFTER;
        let words = format!(
            "the server gave no sign of life for {} s",
            silence.as_secs()
        );
        return Some(Failure::Connection(words));
    }
    error.downcast_ref::<h2::Error>().map(in_words)
}

/// RFC 9113, 6.8 and 8.7: what was refused, or came after the last request that the other side names as it goes away, was
/// not begun with.
fn in_words(error: &h2::Error) -> Failure {
    if let Some(io) = error.get_io() {
        return Failure::Connection(match io.raw_os_error() {
            Some(_) => without_os_code(&io.to_string()),
            None => "the connection ended before the answer was complete".to_owned(),
        });
    }
    if !error.is_remote() {
        let words = match error.reason() {
            Some(reason) => format!(
                "the server does not keep to HTTP/2: {}",
                reason.description()
            ),
            None => "the server does not keep to HTTP/2".to_owned(),
        };
        return Failure::Connection(words);
    }
    if error.is_go_away() {
        let words = "the server closed the connection before it began with the request";
        return Failure::Unprocessed(words.to_owned());
    }
    match error.reason() {
        Some(h2::Reason::REFUSED_STREAM) => {
            Failure::Unprocessed("the server did not begin with the request".to_owned())
        }
        _ => Failure::Connection("the server broke off the request".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use std::{
        io,
        sync::atomic::{AtomicUsize, Ordering},
    };

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
