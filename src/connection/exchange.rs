//! One request and its answer: deadline, the server's warnings, and what went wrong in words.

#[cfg(feature = "cli")]
use std::time::Instant;
use std::{
    collections::BTreeSet,
    sync::atomic::Ordering,
    sync::{Arc, Mutex},
    time::Duration,
};

use bytes::Bytes;
use http::{HeaderMap, Request, Response, StatusCode, header};
use http_body_util::BodyExt;
use jiff::{SignedDuration, Timestamp};
use kube::client::Body;
use tokio::sync::mpsc;

use super::{
    Authenticator, Connection,
    failure::{Failure, IS_IT_UP, Stage, classify},
};
use crate::time;

/// A whole answer of the API server.
#[derive(Debug)]
pub struct Answer {
    /// HTTP status.
    pub status: StatusCode,
    pub headers: HeaderMap,
    /// The body, read to its end. That of a refusal may be cut off, see [`BODY_MAX`].
    pub body: Bytes,
    /// When the headers came, by this machine's clock.
    pub received: Timestamp,
}

/// The most bytes of an answer that is not a list. Some hundreds of them may be held at a time, and a few kilobytes can
/// unpack to gigabytes.
pub const BODY_MAX: usize = 2 << 20;
/// The most bytes of a list that is held whole: one in JSON, or of metadata. What comes in protobuf is read as it comes.
pub(crate) const LIST_MAX: usize = 1 << 30;

/// What has become of a piece of an answer's body.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Piece {
    /// It has been read, and is not needed any more.
    Taken,
    /// It is to become part of the answer's body.
    Kept,
}

/// Whether a request shares its connection with others that are in flight.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Sharing {
    /// It has one to itself.
    Separate,
    /// It shares one if the server speaks HTTP/2, which many short requests gain by.
    Shared,
}

/// What takes the pieces of a successful answer as they come.
enum Taker<'a> {
    /// It looks at each, with its Content-Type.
    Sees(&'a mut (dyn FnMut(&str, &[u8]) -> Piece + Send)),
    /// It gets all of them, and what comes waits until it has room.
    Gets(&'a mpsc::Sender<Bytes>),
}

impl Answer {
    /// The Content-Type, empty if there is none.
    pub fn content_type(&self) -> &str {
        let value = self.headers.get(header::CONTENT_TYPE);
        value
            .and_then(|value| value.to_str().ok())
            .unwrap_or_default()
    }

    /// Whether it is a page for a browser, which no API server sends: a login page, or the error page of a proxy.
    pub fn is_web_page(&self) -> bool {
        let kind = self.content_type().trim_start().to_ascii_lowercase();
        let starts_as_html = || {
            let body = self.body.trim_ascii_start();
            let head = body.get(..14).unwrap_or(body).to_ascii_lowercase();
            head.starts_with(b"<!doctype html") || head.starts_with(b"<html")
        };
        kind.starts_with("text/html") || kind.starts_with("application/xhtml") || starts_as_html()
    }

    /// Whether it cannot come from an API server, which sends neither web pages nor redirects for what is asked here.
    pub fn is_foreign(&self) -> bool {
        self.status.is_redirection() || self.is_web_page()
    }

    /// How far the server's clock is ahead of this machine's, in whole seconds, if it tells the time.
    pub fn clock_ahead(&self) -> Option<SignedDuration> {
        let date = self.headers.get(header::DATE)?.to_str().ok()?;
        let date = jiff::fmt::rfc2822::parse(date).ok()?.timestamp();
        Some(date.duration_since(self.received))
    }

    /// The first line of a body in plain text, which is what proxies and Go's HTTP server send.
    pub(crate) fn text(&self) -> Option<&str> {
        let is_text = self
            .headers
            .get(header::CONTENT_TYPE)
            .is_none_or(|value| value.as_bytes().starts_with(b"text/plain"));
        let line = std::str::from_utf8(&self.body).ok()?.lines().next()?.trim();
        (is_text && !line.is_empty() && line.len() <= 200).then_some(line)
    }

    /// How long the server asks to wait. A 429 asks for that even without a `Retry-After`.
    pub fn retry_after(&self) -> Option<Duration> {
        let value = self.headers.get(header::RETRY_AFTER);
        let named = value.and_then(|value| parse_retry_after(value.to_str().ok()?));
        named.or((self.status == StatusCode::TOO_MANY_REQUESTS).then_some(Duration::ZERO))
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

/// Read a Retry-After header. Kubernetes uses whole seconds only; a date is ignored.
pub fn parse_retry_after(value: &str) -> Option<Duration> {
    value.trim().parse().ok().map(Duration::from_secs)
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
            // API servers write UTF-8 there, whatever headers were once meant to hold.
            .flat_map(|value| warning_texts(&String::from_utf8_lossy(value.as_bytes())));
        let mut seen = self
            .0
            .lock()
            .unwrap_or_else(|poisoned| poisoned.into_inner());
        seen.extend(texts);
    }
}

/// The texts of a header such as `299 - "this is deprecated", 299 agent "and this" "Wed, 21 Oct 2026 07:28:00 GMT"`.
fn warning_texts(value: &str) -> Vec<String> {
    let mut texts = Vec::new();
    // Whether a text of this warning has been read already; what is quoted after it is a date.
    let mut has_text = false;
    let mut chars = value.chars();
    while let Some(c) = chars.next() {
        match c {
            ',' => has_text = false,
            '"' => {
                let mut text = String::new();
                loop {
                    match chars.next() {
                        Some('"') | None => break,
                        Some('\\') => text.extend(chars.next()),
                        Some(c) => text.push(c),
                    }
                }
                if !has_text {
                    texts.push(text);
                }
                has_text = true;
            }
            _ => {}
        }
    }
    texts
}

impl Connection {
    /// Send a request and read the answer to its end, within the deadline. If the server does not know the credentials,
    /// they are renewed and, if others come of it, the same request is sent with them once more.
    ///
    /// # Errors
    /// If no whole answer came, or one that is longer than [`BODY_MAX`]. Any HTTP status is an answer.
    pub async fn call(&self, request: Request<Body>) -> Result<Answer, Failure> {
        self.call_up_to(request, BODY_MAX).await
    }

    /// As [`Connection::call`], for one of many short requests at a time: they share a connection if the server speaks
    /// HTTP/2.
    ///
    /// # Errors
    /// As [`Connection::call`].
    pub async fn call_shared(&self, request: Request<Body>) -> Result<Answer, Failure> {
        let taker = Taker::Sees(&mut |_, _| Piece::Kept);
        self.send(request, BODY_MAX, taker, Sharing::Shared).await
    }

    /// As [`Connection::call`], for answers that may have this many bytes.
    ///
    /// # Errors
    /// As [`Connection::call`].
    pub async fn call_up_to(&self, request: Request<Body>, most: usize) -> Result<Answer, Failure> {
        self.call_in_pieces(request, most, &mut |_, _| Piece::Kept)
            .await
    }

    /// As [`Connection::call`], but give each piece of a successful answer, with its Content-Type, to `on_piece` as it comes.
    ///
    /// # Errors
    /// As [`Connection::call`].
    pub async fn call_in_pieces(
        &self,
        request: Request<Body>,
        most: usize,
        on_piece: &mut (dyn FnMut(&str, &[u8]) -> Piece + Send),
    ) -> Result<Answer, Failure> {
        let taker = Taker::Sees(on_piece);
        self.send(request, most, taker, Sharing::Separate).await
    }

    /// As [`Connection::call`], but hand each piece of a successful answer on as it comes, however many there are. Ends
    /// early if nothing takes them any more.
    ///
    /// # Errors
    /// As [`Connection::call`].
    pub async fn call_through(
        &self,
        request: Request<Body>,
        pieces: &mpsc::Sender<Bytes>,
    ) -> Result<Answer, Failure> {
        let taker = Taker::Gets(pieces);
        self.send(request, BODY_MAX, taker, Sharing::Separate).await
    }

    async fn send(
        &self,
        request: Request<Body>,
        most: usize,
        mut taker: Taker<'_>,
        // A client that is there already has connections of its own.
        #[cfg_attr(not(feature = "cli"), expect(unused_variables))] sharing: Sharing,
    ) -> Result<Answer, Failure> {
        match &self.authenticator {
            Authenticator::Client(client) => {
                let response = async {
                    let response = client.send(request).await;
                    // What a client that is not ours says of a request may be of its connection.
                    response.map_err(|error| classify(&error).in_doubt())
                };
                self.exchange(response, most, &mut taker).await
            }
            #[cfg(feature = "cli")]
            Authenticator::Login(login) => {
                let pass = login.pass().await?;
                let again = login.is_renewable().then(|| copy(&request)).flatten();
                let sent = Instant::now();
                let response = pass.send(request, sharing);
                let answer = self.exchange(response, most, &mut taker).await?;
                match again {
                    // The server does not know the credentials, so it has done nothing yet. Others may take their time,
                    // like the first ones: the deadline is for the server.
                    Some(again) if answer.status == StatusCode::UNAUTHORIZED => {
                        match login.instead_of(&pass, sent).await {
                            Some(other) => {
                                let response = other.send(again, sharing);
                                self.exchange(response, most, &mut taker).await
                            }
                            None => Ok(answer),
                        }
                    }
                    _ => Ok(answer),
                }
            }
        }
    }

    /// Read the answer to a request to its end, within the deadline.
    async fn exchange(
        &self,
        response: impl Future<Output = Result<Response<Body>, Failure>>,
        most: usize,
        taker: &mut Taker<'_>,
    ) -> Result<Answer, Failure> {
        let exchange = async {
            let response = response.await.map_err(|failure| self.judge(failure))?;
            self.has_answered.store(true, Ordering::Relaxed);
            let (parts, mut stream) = response.into_parts();
            self.warnings.add_all(&parts.headers);
            let mut answer = Answer {
                status: parts.status,
                headers: parts.headers,
                body: Bytes::new(),
                received: time::now(),
            };
            let most = if answer.status.is_success() {
                most
            } else {
                most.min(BODY_MAX)
            };
            let mut body = Vec::new();
            while let Some(frame) = stream.frame().await {
                // After the head of an answer, no other word counts.
                let Ok(data) = frame.map_err(|e| classify(&e).in_doubt())?.into_data() else {
                    continue;
                };
                let is_ok = answer.status == StatusCode::OK;
                let is_taken = match taker {
                    Taker::Sees(on_piece) if is_ok => {
                        on_piece(answer.content_type(), &data) == Piece::Taken
                    }
                    Taker::Gets(pieces) if is_ok => {
                        if pieces.send(data).await.is_err() {
                            break;
                        }
                        continue;
                    }
                    _ => false,
                };
                if is_taken {
                    continue;
                }
                if data.len() <= most - body.len() {
                    body.extend_from_slice(&data);
                } else if answer.status.is_success() {
                    return Err(Failure::TooLong(most));
                } else {
                    // The status says what matters of a refusal.
                    break;
                }
            }
            answer.body = body.into();
            Ok(answer)
        };
        match self.request_timeout {
            None => exchange.await,
            Some(limit) => tokio::time::timeout(limit, exchange)
                .await
                .unwrap_or(Err(Failure::Timeout(limit))),
        }
    }
}

impl Connection {
    /// A server that has answered before may come back. One that has not is not there: a person should not wait to be
    /// told.
    fn judge(&self, failure: Failure) -> Failure {
        match failure {
            Failure::Unreachable(cause) if !self.has_answered.load(Ordering::Relaxed) => {
                Failure::Setup {
                    stage: Stage::Connecting,
                    message: cause,
                    hint: IS_IT_UP.into(),
                }
            }
            other => other,
        }
    }
}

/// The same request, if its body is there to be copied.
#[cfg(feature = "cli")]
fn copy(request: &Request<Body>) -> Option<Request<Body>> {
    let mut copy = Request::new(request.body().try_clone()?);
    *copy.method_mut() = request.method().clone();
    *copy.uri_mut() = request.uri().clone();
    *copy.headers_mut() = request.headers().clone();
    Some(copy)
}
