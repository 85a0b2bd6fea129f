//! The connections to the server.
//!
//! They are put together as those of kube's own client, with its headers. But kube lets TCP gather small writes
//! (Nagle's algorithm), and of a proxy that refuses it keeps the answer. The end of a TLS handshake and the request after
//! it are two small writes, so that on a new connection the request would wait until the server has acknowledged the
//! handshake, which it may put off for 40 ms. kubectl does not let TCP do so either. See
//! <https://github.com/kube-rs/kube/issues/2056>.
//!
//! Nothing here sends a request twice: this tool makes its retries itself, since it knows what is safe and shows that it
//! waits.

use std::sync::Arc;

use http::{HeaderValue, Request, Response, Uri, header::AUTHORIZATION};
use hyper::body::Incoming;
use hyper_rustls::{
    FixedServerNameResolver, HttpsConnector, HttpsConnectorBuilder, MaybeHttpsStream,
};
use hyper_timeout::TimeoutConnector;
use hyper_util::{
    client::legacy::{Client as HttpClient, connect::HttpConnector},
    rt::{TokioExecutor, TokioIo},
};
use kube::{
    Client, Config,
    client::{Body, ClientBuilder, ConfigExt as _},
    config::AuthInfo,
};
use rustls::{ClientConfig, pki_types::ServerName};
use secrecy::ExposeSecret as _;
use tokio::net::TcpStream;
use tower::{
    BoxError, Service, ServiceBuilder, ServiceExt as _,
    util::{BoxCloneSyncService, MapRequestLayer},
};
use tower_http::decompression::DecompressionLayer;

use super::{
    credentials::{basic, bearer},
    identity::Identity,
    proxy::{Proxy, address},
    shared::{Opener, shared},
    tls::innermost,
    trust::Trust,
    tunnel::Through,
};
use crate::{error::Error, text::quoted};

/// What every connection to the server is made with.
#[derive(Clone)]
pub(crate) struct Line {
    /// The server's address, and what each request carries. Proxies, authorities and client certificates are not in it.
    pub(crate) config: Config,
    pub(crate) proxy: Option<Arc<Proxy>>,
    pub(crate) trust: Trust,
    pub(crate) identity: Option<Identity>,
    /// Whether HTTP/2 may be used at all.
    pub(crate) may_use_http2: bool,
}

/// Makes what TLS to the server goes on top of, if there is to be any: TCP, or TLS to a proxy. It is of one type, so that
/// all that goes on top is in the program once.
type Carrier = BoxCloneSyncService<Uri, MaybeHttpsStream<TokioIo<TcpStream>>, BoxError>;

/// The clients of one user.
#[derive(Clone)]
pub(crate) struct Clients {
    /// For answers of any length: HTTP/1.1, with a connection for each request in flight.
    pub(crate) separate: Client,
    /// For short requests and answers of which there are many at a time: see [`shared`](super::shared).
    pub(crate) shared: Client,
    /// Opens the connection of `shared`, if it has one to open.
    pub(crate) opener: Option<Opener>,
}

impl Line {
    /// The clients for it. No connection is made yet.
    ///
    /// # Errors
    /// If a certificate, key or header in it cannot be used.
    pub(crate) fn clients(&self) -> Result<Clients, Error> {
        let server = address(&self.config.cluster_url);
        let tls = self.trust.tls(&server, self.identity.as_ref())?;
        let tcp = tcp();
        let carrier = match &self.proxy {
            None => Carrier::new(tcp.map_response(MaybeHttpsStream::from).map_err(Into::into)),
            Some(proxy) if proxy.uri.scheme_str() == Some("https") => {
                let encrypted = self.encrypted(&tls, Versions::Http1, tcp)?;
                Carrier::new(Through::new(Arc::clone(proxy), encrypted).map_err(Into::into))
            }
            Some(proxy) => {
                let proxied = Through::new(Arc::clone(proxy), tcp);
                Carrier::new(
                    proxied
                        .map_response(MaybeHttpsStream::from)
                        .map_err(Into::into),
                )
            }
        };
        let clients = self.over(&tls, &carrier);
        clients.map_err(|error| match error {
            Unmade::Known(error) => error,
            Unmade::Kube(error) => Error::failure(format!(
                "cannot set up the connection to {server}: {}",
                innermost(&error)
            ))
            .hint("check the cluster and the user of the kubeconfig context"),
        })
    }

    /// These connections with TLS on them where an address asks for it.
    fn encrypted<C>(
        &self,
        tls: &ClientConfig,
        versions: Versions,
        connector: C,
    ) -> Result<HttpsConnector<C>, Error> {
        let builder = HttpsConnectorBuilder::new()
            .with_tls_config(tls.clone())
            .https_or_http();
        let builder = match &self.config.tls_server_name {
            None => builder,
            Some(name) => {
                let known = ServerName::try_from(name.clone()).map_err(|_| {
                    let message =
                        format!("the server cannot have the name {} in TLS", quoted(name));
                    Error::failure(message)
                        .hint("check --tls-server-name, or tls-server-name of the cluster")
                })?;
                builder.with_server_name_resolver(FixedServerNameResolver::new(known))
            }
        };
        Ok(match versions {
            Versions::Http1 => builder.enable_http1().wrap_connector(connector),
            Versions::All => builder.enable_all_versions().wrap_connector(connector),
        })
    }

    /// Clients over these connections, with TLS on them where the server's address asks for it.
    fn over(&self, tls: &ClientConfig, carrier: &Carrier) -> Result<Clients, Unmade> {
        let config = &self.config;
        let timed = |versions| {
            let tls = self.encrypted(tls, versions, carrier.clone());
            let mut connector = TimeoutConnector::new(tls.map_err(Unmade::Known)?);
            connector.set_connect_timeout(config.connect_timeout);
            connector.set_read_timeout(config.read_timeout);
            connector.set_write_timeout(config.write_timeout);
            connector.set_reset_reader_on_write(config.reset_reader_on_write);
            Ok(connector)
        };
        let http: HttpClient<_, Body> =
            HttpClient::builder(TokioExecutor::new()).build(timed(Versions::Http1)?);
        let separate = self.client(http.clone())?;
        let server = &config.cluster_url;
        if !self.may_use_http2 || server.scheme_str() != Some("https") {
            return Ok(Clients {
                shared: separate.clone(),
                separate,
                opener: None,
            });
        }
        let (shared, opener) = shared(server.clone(), timed(Versions::All)?, http);
        Ok(Clients {
            separate,
            shared: self.client(shared)?,
            opener: Some(opener),
        })
    }

    /// A client that sends its requests by this.
    fn client<S>(&self, http: S) -> Result<Client, Unmade>
    where
        S: Service<Request<Body>, Response = Response<Incoming>> + Clone + Send + 'static,
        S::Error: Into<BoxError>,
        S::Future: Send + 'static,
    {
        let config = &self.config;
        let authorization = authorization(&config.auth_info).map_err(Unmade::Known)?;
        let service = ServiceBuilder::new()
            .layer(config.base_uri_layer())
            .layer(DecompressionLayer::new().gzip(!config.disable_compression))
            .option_layer(authorization.map(always))
            .layer(config.extra_headers_layer().map_err(Unmade::Kube)?)
            .map_err(Into::<BoxError>::into)
            .service(http);
        Ok(ClientBuilder::new(service, &*config.default_namespace).build())
    }
}

/// Which versions of HTTP the server may choose from.
#[derive(Debug, Clone, Copy)]
enum Versions {
    Http1,
    All,
}

/// What says in every request whose it is, if that never changes.
///
/// # Errors
/// If a header cannot hold it. Without it, the request would be another user's.
fn authorization(user: &AuthInfo) -> Result<Option<HeaderValue>, Error> {
    let value = match (&user.username, &user.password, &user.token) {
        (Some(name), Some(password), _) => basic(name, password.expose_secret()),
        (_, _, Some(token)) => bearer(token.expose_secret()),
        _ => return Ok(None),
    };
    let none = || {
        Error::failure("the token holds characters that no header may hold")
            .hint("check --token or the user of the context; a line break at its end is one")
    };
    value.map(Some).ok_or_else(none)
}

/// Puts this into every request. kube's own layer knows all of kube's credentials, and with them a tenth of the program.
fn always(
    value: HeaderValue,
) -> MapRequestLayer<impl Fn(Request<Body>) -> Request<Body> + Clone + Send + 'static> {
    MapRequestLayer::new(move |mut request: Request<Body>| {
        request.headers_mut().insert(AUTHORIZATION, value.clone());
        request
    })
}

/// Why there is no client.
enum Unmade {
    /// In words.
    Known(Error),
    Kube(kube::Error),
}

fn tcp() -> HttpConnector {
    let mut tcp = HttpConnector::new();
    // The scheme may be https; TLS comes on top.
    tcp.enforce_http(false);
    tcp.set_nodelay(true);
    tcp
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_that_no_header_may_hold_is_not_left_out() {
        let user = |token: &str| AuthInfo {
            token: Some(token.to_owned().into()),
            ..AuthInfo::default()
        };
        assert!(authorization(&user("a\nb")).is_err());
        assert_eq!(authorization(&user("ab")).unwrap().unwrap(), "Bearer ab");
        assert_eq!(authorization(&AuthInfo::default()).unwrap(), None);
    }

    #[tokio::test]
    async fn small_writes_leave_at_once() {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let address = format!("https://{}", listener.local_addr().unwrap());
        let connection = tcp().call(address.parse().unwrap()).await.unwrap();
        assert!(connection.inner().nodelay().unwrap());
    }
}
