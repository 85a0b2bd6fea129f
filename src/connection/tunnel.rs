//! Through a proxy to the server, and what a proxy has to say about that.
//!
//! hyper-util has a way through a proxy of HTTP, too, but it keeps the proxy's answer to itself.

use std::{
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
};

use http::{HeaderValue, StatusCode, Uri};
use hyper::rt::{Read, Write};
use hyper_util::{client::legacy::connect::proxy::SocksV5, rt::TokioIo};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tower::{BoxError, Service, ServiceExt as _, service_fn};

use super::{
    failure::{Failure, ProxyFailure, classify},
    proxy::{Origin, Proxy, address, basic, login, name_and_password},
};

/// The most bytes of the head of a proxy's answer.
const MAX_HEAD: u64 = 16 * 1024;

/// Makes connections by way of a proxy, to which `connector` leads.
#[derive(Clone)]
pub(crate) struct Through<C> {
    proxy: Arc<Proxy>,
    connector: C,
}

/// What a proxy did instead of letting through.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Refusal {
    /// There was no connection to it.
    Unreachable(Failed),
    /// It answered this.
    Status(StatusCode),
    /// It closed the connection.
    Closed,
    /// What it said is not of HTTP.
    NotHttp,
    /// In the words of SOCKS.
    Socks(String),
}

/// Why there was no connection, and whether trying again cannot help.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Failed {
    why: String,
    is_final: bool,
}

impl<C> Through<C> {
    pub(crate) fn new(proxy: Arc<Proxy>, connector: C) -> Through<C> {
        Through { proxy, connector }
    }
}

impl<C> Service<Uri> for Through<C>
where
    C: Service<Uri>,
    C::Response: Read + Write + Send + Unpin + 'static,
    C::Future: Send + 'static,
    C::Error: Into<BoxError>,
{
    type Response = C::Response;
    type Error = ProxyFailure;
    type Future = Pin<Box<dyn Future<Output = Result<C::Response, ProxyFailure>> + Send>>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), ProxyFailure>> {
        let proxy = Arc::clone(&self.proxy);
        let ready = self.connector.poll_ready(cx);
        ready.map_err(|error| proxy.classify(&unreachable(error), &Uri::default()))
    }

    fn call(&mut self, server: Uri) -> Self::Future {
        let proxy = Arc::clone(&self.proxy);
        let connecting = self.connector.call(proxy.uri.clone());
        Box::pin(async move {
            let passed = async {
                let connection = connecting.await.map_err(unreachable)?;
                match proxy.uri.scheme_str() {
                    Some("socks5") => socks(connection, &proxy.uri, &server).await,
                    // Nothing else is taken for a proxy, see [`super::proxy`].
                    _ => connect(connection, &proxy.uri, &server).await,
                }
            };
            let passed = passed.await;
            passed.map_err(|refusal| proxy.classify(&refusal, &server))
        })
    }
}

fn unreachable(error: impl Into<BoxError>) -> Refusal {
    let error: BoxError = error.into();
    let failure = classify(&*error);
    Refusal::Unreachable(Failed {
        why: failure.words(),
        is_final: matches!(failure, Failure::Setup { .. }),
    })
}

/// The server's name and port, as a proxy is told.
fn target(server: &Uri) -> String {
    let default_port = match server.scheme_str() {
        Some("http") => 80,
        _ => 443,
    };
    let port = server.port_u16().unwrap_or(default_port);
    format!("{}:{port}", server.host().unwrap_or_default())
}

/// Ask a proxy of HTTP to let through.
async fn connect<T>(connection: T, proxy: &Uri, server: &Uri) -> Result<T, Refusal>
where
    T: Read + Write + Send + Unpin,
{
    let target = target(server);
    let mut request = format!("CONNECT {target} HTTP/1.1\r\nHost: {target}\r\n").into_bytes();
    if let Some(login) = login(proxy).and_then(basic) {
        request.extend_from_slice(b"Proxy-Authorization: ");
        request.extend_from_slice(HeaderValue::as_bytes(&login));
        request.extend_from_slice(b"\r\n");
    }
    request.extend_from_slice(b"\r\n");
    let mut connection = TokioIo::new(connection);
    let closed = |_| Refusal::Closed;
    connection.write_all(&request).await.map_err(closed)?;
    connection.flush().await.map_err(closed)?;
    let mut head = Vec::new();
    let ends = [&b"\r\n\r\n"[..], b"\n\n"];
    // Byte by byte: what comes behind the head is the server's.
    while !ends.iter().any(|end| head.ends_with(end)) {
        if head.len() as u64 >= MAX_HEAD {
            return Err(Refusal::NotHttp);
        }
        match connection.read_u8().await {
            Ok(byte) => head.push(byte),
            Err(_) if head.is_empty() => return Err(Refusal::Closed),
            // It may have said enough.
            Err(_) => break,
        }
    }
    match status(&head) {
        Some(StatusCode::OK) => Ok(connection.into_inner()),
        Some(status) => Err(Refusal::Status(status)),
        None => Err(Refusal::NotHttp),
    }
}

/// The status in the first line of an answer.
fn status(head: &[u8]) -> Option<StatusCode> {
    let line = head.split(|byte| *byte == b'\n').next()?;
    let mut words = line.trim_ascii_end().splitn(3, |byte| *byte == b' ');
    words
        .next()
        .filter(|version| version.starts_with(b"HTTP/1."))?;
    StatusCode::from_bytes(words.next()?).ok()
}

/// Ask a proxy of SOCKS to let through. It is left to find the server by its name.
async fn socks<T>(connection: T, proxy: &Uri, server: &Uri) -> Result<T, Refusal>
where
    T: Read + Write + Send + Unpin + 'static,
{
    let mut connection = Some(connection);
    // The connection is there already, so that what goes wrong is the proxy's answer.
    let there = service_fn(move |_: Uri| {
        let connection = connection.take();
        std::future::ready(connection.ok_or(Refusal::Closed))
    });
    let socks = SocksV5::new(proxy.clone(), there);
    let socks = match login(proxy).and_then(name_and_password) {
        Some([name, password]) => socks.with_auth(name, password),
        None => socks,
    };
    // It would take the default port of HTTPS for any server.
    let server: Uri = target(server).parse().map_err(|_| Refusal::Closed)?;
    let passed = socks.oneshot(server).await;
    passed.map_err(|error| {
        let error = error.to_string();
        Refusal::Socks(error.trim_start_matches("SOCKS error: ").to_owned())
    })
}

/// What hyper-util says where another try would be refused as well.
const FINAL: [&str; 4] = [
    "credentials not accepted",
    "server does not support user/pass authentication",
    "server implements authentication incorrectly",
    "connection not allowed",
];

impl Refusal {
    /// Whether another try may go through.
    fn is_passing(&self) -> bool {
        match self {
            Refusal::Unreachable(failed) => !failed.is_final,
            Refusal::Status(status) => {
                status.is_server_error()
                    || [StatusCode::TOO_MANY_REQUESTS, StatusCode::REQUEST_TIMEOUT].contains(status)
            }
            Refusal::Closed => true,
            Refusal::NotHttp => false,
            Refusal::Socks(why) => !FINAL.iter().any(|text| why.contains(text)),
        }
    }

    fn words(&self, target: &str) -> String {
        match self {
            Refusal::Unreachable(failed) => format!("cannot be reached: {}", failed.why),
            Refusal::Status(status) => {
                let reason = status.canonical_reason().unwrap_or_default();
                let status = format!("{} {reason}", status.as_u16());
                format!("refused to connect to {target}: {}", status.trim_end())
            }
            Refusal::Closed => format!("closed the connection when asked to connect to {target}"),
            Refusal::NotHttp => {
                format!("does not speak HTTP: it was asked to connect to {target}")
            }
            Refusal::Socks(why) => format!("refused to connect to {target}: {why}"),
        }
    }
}

impl Proxy {
    fn classify(&self, refusal: &Refusal, server: &Uri) -> ProxyFailure {
        let wants_login = *refusal == Refusal::Status(StatusCode::PROXY_AUTHENTICATION_REQUIRED)
            || matches!(refusal, Refusal::Socks(why) if FINAL[..3].iter().any(|text| why.contains(text)));
        let scheme = self.uri.scheme_str().unwrap_or_default();
        let place = match self.origin {
            Origin::ProxyUrl => "proxy-url of the cluster in the kubeconfig",
            Origin::Variable(name) => name,
        };
        let check = if wants_login {
            format!("check the login in {place} ({scheme}://NAME:PASSWORD@HOST:PORT)")
        } else {
            format!("check {place}")
        };
        let hint = match (self.origin, server.host()) {
            (Origin::Variable(_), Some(host)) => {
                let host = host.trim_start_matches('[').trim_end_matches(']');
                format!("{check}, or add {host} to NO_PROXY if no proxy is needed to reach it")
            }
            _ => check,
        };
        ProxyFailure {
            message: format!(
                "the proxy {} ({}) {}",
                address(&self.uri),
                self.origin,
                refusal.words(&target(server))
            ),
            hint,
            is_passing: refusal.is_passing(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_status_is_in_the_first_line() {
        for (head, expected) in [
            ("HTTP/1.1 200 Connection established\r\n\r\n", Some(200)),
            ("HTTP/1.0 407\r\n", Some(407)),
            ("HTTP/1.1 403 \n\n", Some(403)),
            ("HTTP/2 200 OK\r\n\r\n", None),
            ("HTTP/1.1 2000 OK\r\n\r\n", None),
            ("220 smtp.example\r\n\r\n", None),
            ("\u{15}\u{3}", None),
            ("", None),
        ] {
            let found = status(head.as_bytes()).map(|status| status.as_u16());
            assert_eq!(found, expected, "{head:?}");
        }
    }

    #[test]
    fn only_what_may_pass_is_tried_again() {
        let status = |code| Refusal::Status(StatusCode::from_u16(code).unwrap());
        for (refusal, expected) in [
            (status(403), false),
            (status(407), false),
            (status(302), false),
            (status(429), true),
            (status(502), true),
            (Refusal::Closed, true),
            (Refusal::NotHttp, false),
        ] {
            assert_eq!(refusal.is_passing(), expected, "{refusal:?}");
        }
    }

    #[test]
    fn a_proxy_is_told_the_servers_port() {
        for (server, expected) in [
            ("https://a", "a:443"),
            ("http://a", "a:80"),
            ("https://a:6443", "a:6443"),
            ("https://[::1]:6443/x", "[::1]:6443"),
        ] {
            assert_eq!(target(&server.parse().unwrap()), expected);
        }
    }
}
