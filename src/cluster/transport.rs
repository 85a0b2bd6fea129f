//! The connections to the server.
//!
//! They are put together as those of kube's own client, with its TLS, credentials and headers. But kube lets TCP gather
//! small writes (Nagle's algorithm) and cannot log in at a SOCKS proxy. The end of a TLS handshake and the request after
//! it are two small writes, so that on a new connection the request would wait until the server has acknowledged the
//! handshake, which it may put off for 40 ms. kubectl does not let TCP do so either. See
//! <https://github.com/kube-rs/kube/issues/2056>.
//!
//! Nothing here sends a request twice: this tool makes its retries itself, since it knows what is safe and shows that it
//! waits.

use std::error::Error as StdError;

use base64::{Engine as _, engine::general_purpose::STANDARD as BASE64};
use http::{HeaderValue, Uri};
use hyper::rt::{Read, Write};
use hyper_timeout::TimeoutConnector;
use hyper_util::{
    client::legacy::{
        Client as HttpClient,
        connect::{
            Connection, HttpConnector,
            proxy::{SocksV5, Tunnel},
        },
    },
    rt::TokioExecutor,
};
use kube::{
    Client, Config,
    client::{Body, ClientBuilder, ConfigExt as _},
};
use percent_encoding::percent_decode_str;
use tower::{BoxError, Service, ServiceBuilder};
use tower_http::decompression::DecompressionLayer;

/// A client for a configuration, by way of its proxy if it has one.
///
/// # Errors
/// If a certificate, key or header in it cannot be used.
pub(super) fn client(config: &Config) -> Result<Client, kube::Error> {
    let tcp = tcp();
    let Some(proxy) = config.proxy_url.clone() else {
        return over(config, tcp);
    };
    match proxy.scheme_str() {
        Some("socks5") => over(config, socks(proxy, tcp)),
        Some("https") => {
            let tls = config.rustls_https_connector_with_connector(tcp)?;
            over(config, tunnel(proxy, tls))
        }
        // Nothing else is taken for a proxy, see [`super::proxy`].
        _ => over(config, tunnel(proxy, tcp)),
    }
}

fn tcp() -> HttpConnector {
    let mut tcp = HttpConnector::new();
    // The scheme may be https; TLS comes on top.
    tcp.enforce_http(false);
    tcp.set_nodelay(true);
    tcp
}

/// The login that a proxy's address may hold, still escaped.
pub(super) fn login(proxy: &Uri) -> Option<&str> {
    let (login, _) = proxy.authority()?.as_str().rsplit_once('@')?;
    Some(login)
}

/// The name and password of a login, `None` if they are no text.
pub(super) fn name_and_password(login: &str) -> Option<[String; 2]> {
    let (name, password) = login.split_once(':').unwrap_or((login, ""));
    let text = |part| Some(percent_decode_str(part).decode_utf8().ok()?.into_owned());
    Some([text(name)?, text(password)?])
}

/// A way through a proxy of SOCKS, which is left to find the server by its name.
fn socks<C>(proxy: Uri, connector: C) -> SocksV5<C> {
    let login = login(&proxy).and_then(name_and_password);
    let socks = SocksV5::new(proxy, connector);
    match login {
        Some([name, password]) => socks.with_auth(name, password),
        None => socks,
    }
}

/// A way through a proxy of HTTP.
fn tunnel<C>(proxy: Uri, connector: C) -> Tunnel<C> {
    let login = login(&proxy).and_then(|login| {
        let has_password = login.contains(':');
        let mut login: Vec<u8> = percent_decode_str(login).collect();
        if !has_password {
            login.push(b':');
        }
        let mut value = HeaderValue::try_from(format!("Basic {}", BASE64.encode(login))).ok()?;
        value.set_sensitive(true);
        Some(value)
    });
    let tunnel = Tunnel::new(proxy, connector);
    match login {
        Some(login) => tunnel.with_auth(login),
        None => tunnel,
    }
}

/// A client over these connections, with TLS on them where the server's address asks for it.
fn over<C>(config: &Config, connector: C) -> Result<Client, kube::Error>
where
    C: Service<Uri> + Clone + Send + Sync + 'static,
    C::Response: Connection + Read + Write + Send + Unpin + 'static,
    C::Future: Send + 'static,
    C::Error: StdError + Send + Sync + 'static,
{
    let tls = config.rustls_https_connector_with_connector(connector)?;
    let mut connector = TimeoutConnector::new(tls);
    connector.set_connect_timeout(config.connect_timeout);
    connector.set_read_timeout(config.read_timeout);
    connector.set_write_timeout(config.write_timeout);
    connector.set_reset_reader_on_write(config.reset_reader_on_write);
    let http: HttpClient<_, Body> = HttpClient::builder(TokioExecutor::new()).build(connector);
    let service = ServiceBuilder::new()
        .layer(config.base_uri_layer())
        .layer(DecompressionLayer::new().gzip(!config.disable_compression))
        .option_layer(config.auth_layer()?)
        .layer(config.extra_headers_layer()?)
        .map_err(BoxError::from)
        .service(http);
    Ok(ClientBuilder::new(service, &*config.default_namespace).build())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn small_writes_leave_at_once() {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let address = format!("https://{}", listener.local_addr().unwrap());
        let connection = tcp().call(address.parse().unwrap()).await.unwrap();
        assert!(connection.inner().nodelay().unwrap());
    }
}
