//! The proxy's connections in TLS: HTTP/2 for those that choose it, and what is plain in them for the others.

use std::collections::BTreeSet;
use std::io;
use std::net::{SocketAddr, TcpStream};
use std::path::{Path, PathBuf};
use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex, OnceLock};
use std::time::Duration;

use bytes::Bytes;
use h2::server::SendResponse;
use h2::{Reason, RecvStream};
use http::Response;
use rustls::client::danger::HandshakeSignatureValid;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, UnixTime};
use rustls::server::danger::{ClientCertVerified, ClientCertVerifier};
use rustls::sign::{CertifiedKey, SingleCertAndKey};
use rustls::{DigitallySignedStruct, DistinguishedName, ServerConfig, SignatureScheme};
use tokio::net::TcpStream as Stream;
use tokio::sync::mpsc;
use tokio_rustls::{TlsAcceptor, server::TlsStream};

use super::{Delivery, Line, Reply, Request, Shared, reset};
use crate::support::tool::scratch;

/// The first byte of TLS.
pub const HANDSHAKE: u8 = 0x16;

/// What a proxy shows, and what it has been shown.
pub struct Tls {
    config: Arc<ServerConfig>,
    /// In PEM.
    certificate: String,
    clients: Arc<Clients>,
}

impl Tls {
    /// With the certificate of every proxy that has none of its own.
    pub fn common() -> Self {
        let Common {
            certificate, key, ..
        } = common();
        Self::new(certificate, key)
    }

    /// With this certificate and key, in PEM.
    pub fn new(certificate: &str, key: &str) -> Self {
        let chain = CertificateDer::pem_slice_iter(certificate.as_bytes());
        let chain: Vec<_> = chain.map(Result::unwrap).collect();
        let key = PrivateKeyDer::from_pem_slice(key.as_bytes()).unwrap();
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let key = provider.key_provider.load_private_key(key).unwrap();
        let own = SingleCertAndKey::from(CertifiedKey::new(chain, key));
        let clients = Arc::new(Clients {
            shown: Mutex::default(),
            schemes: provider
                .signature_verification_algorithms
                .supported_schemes(),
        });
        let mut config = ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_client_cert_verifier(Arc::clone(&clients) as Arc<dyn ClientCertVerifier>)
            .with_cert_resolver(Arc::new(own));
        config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
        Self {
            config: Arc::new(config),
            certificate: certificate.to_owned(),
            clients,
        }
    }

    /// The same without HTTP/2.
    pub fn without_http2(mut self) -> Self {
        Arc::make_mut(&mut self.config).alpn_protocols.clear();
        self
    }

    /// The certificates that clients have shown, in DER, each once.
    pub fn clients(&self) -> BTreeSet<Vec<u8>> {
        self.clients.shown.lock().unwrap().clone()
    }

    /// The certificate as a kubeconfig holds it.
    pub fn authority_data(&self) -> String {
        use base64::{Engine as _, engine::general_purpose::STANDARD as BASE64};
        BASE64.encode(&self.certificate)
    }
}

/// A certificate for proxies in general, and the file that it lies in.
struct Common {
    certificate: String,
    key: String,
    path: PathBuf,
}

fn common() -> &'static Common {
    static COMMON: OnceLock<Common> = OnceLock::new();
    COMMON.get_or_init(|| {
        let own = rcgen::generate_simple_self_signed(["127.0.0.1".to_owned()]).unwrap();
        let certificate = own.cert.pem();
        let path = scratch().join(format!("proxy-{}.pem", std::process::id()));
        std::fs::write(&path, &certificate).unwrap();
        Common {
            certificate,
            key: own.signing_key.serialize_pem(),
            path,
        }
    })
}

/// The file with the certificate of every proxy that has none of its own.
pub fn authority() -> &'static Path {
    &common().path
}

/// Takes every certificate of a client, and note of it.
#[derive(Debug)]
struct Clients {
    shown: Mutex<BTreeSet<Vec<u8>>>,
    schemes: Vec<SignatureScheme>,
}

impl ClientCertVerifier for Clients {
    fn root_hint_subjects(&self) -> &[DistinguishedName] {
        &[]
    }

    fn client_auth_mandatory(&self) -> bool {
        false
    }

    fn verify_client_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: UnixTime,
    ) -> Result<ClientCertVerified, rustls::Error> {
        self.shown.lock().unwrap().insert(end_entity.to_vec());
        Ok(ClientCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        Ok(HandshakeSignatureValid::assertion())
    }

    fn verify_tls13_signature(
        &self,
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        Ok(HandshakeSignatureValid::assertion())
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.schemes.clone()
    }
}

/// Answers what comes on one connection. `let_go` gives up what else keeps it open.
pub fn serve(shared: &Arc<Shared>, client: TcpStream, let_go: &dyn Fn()) -> io::Result<()> {
    client.set_nonblocking(true)?;
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    let served = runtime.block_on(async {
        let client = Stream::from_std(client)?;
        let acceptor = TlsAcceptor::from(Arc::clone(&shared.tls.config));
        let tls = acceptor.accept(client).await?;
        if tls.get_ref().1.alpn_protocol() == Some(b"h2") {
            http2(shared, tls, let_go).await
        } else {
            hand_on(tls, shared.address).await
        }
    });
    // Rules that still wait must not hold this up.
    runtime.shutdown_background();
    served
}

/// Hands on what is plain in it.
async fn hand_on(mut client: TlsStream<Stream>, to: SocketAddr) -> io::Result<()> {
    let mut plain = Stream::connect(to).await?;
    plain.set_nodelay(true)?;
    let ended = tokio::io::copy_bidirectional(&mut client, &mut plain).await;
    if ended.is_err() {
        reset(client.get_ref().0)?;
    }
    ended.map(drop)
}

/// What becomes of a connection by the reply to one request.
enum End {
    HungUp,
    NoMore,
    Silence,
}

async fn http2(shared: &Arc<Shared>, tls: TlsStream<Stream>, let_go: &dyn Fn()) -> io::Result<()> {
    let port = tls.get_ref().0.peer_addr()?.port();
    // The same socket once more, to be closed in its own way.
    let socket = rustix::io::dup(tls.get_ref().0)?;
    // As kube-apiserver, where nothing else is set.
    let handshake = h2::server::Builder::new()
        .max_concurrent_streams(100)
        .handshake(tls);
    let mut connection = handshake.await.map_err(io::Error::other)?;
    shared.shared_connections.fetch_add(1, Ordering::SeqCst);
    let (end, mut ends) = mpsc::unbounded_channel();
    loop {
        tokio::select! {
            Some(end) = ends.recv() => match end {
                End::NoMore => connection.graceful_shutdown(),
                // For as long as the run lasts: that the other side leaves would have to be read.
                End::Silence => std::future::pending().await,
                End::HungUp => {
                    let_go();
                    return reset(&socket);
                }
            },
            accepted = connection.accept() => {
                let Some(Ok((request, respond))) = accepted else {
                    return Ok(());
                };
                let (shared, end) = (Arc::clone(shared), end.clone());
                tokio::spawn(async move {
                    // That the other side gives a request up is its own business.
                    let _ = answer(&shared, request, respond, port, &end).await;
                });
            }
        }
    }
}

async fn answer(
    shared: &Arc<Shared>,
    request: http::Request<RecvStream>,
    mut respond: SendResponse<Bytes>,
    port: u16,
    end: &mpsc::UnboundedSender<End>,
) -> Result<(), h2::Error> {
    let request = receive(request, port).await?;
    let asked = Arc::clone(shared);
    let reply = tokio::task::spawn_blocking(move || asked.answer(request));
    // A rule that panics has failed its test; what waits for it is not to wait for ever.
    let reply = reply.await.unwrap_or_else(|_| Reply::hung_up());
    let Some((body, is_announced)) = reply.sent() else {
        match reply.delivery {
            Delivery::HungUp => drop(end.send(End::HungUp)),
            Delivery::Silence => drop(end.send(End::Silence)),
            Delivery::Refused => respond.send_reset(Reason::REFUSED_STREAM),
            _ => respond.send_reset(Reason::INTERNAL_ERROR),
        }
        return Ok(());
    };
    let mut sent = respond.send_response(head(&reply, is_announced), false)?;
    let is_end = matches!(
        reply.delivery,
        Delivery::Whole | Delivery::Last | Delivery::Unannounced(_)
    );
    sent.send_data(Bytes::copy_from_slice(body), is_end)?;
    match reply.delivery {
        Delivery::Last => drop(end.send(End::NoMore)),
        Delivery::Cut(_) | Delivery::TakenBack(_) => {
            // What is sent must leave before the stream does.
            tokio::time::sleep(Duration::from_millis(20)).await;
            sent.send_reset(match reply.delivery {
                Delivery::Cut(_) => Reason::INTERNAL_ERROR,
                _ => Reason::REFUSED_STREAM,
            });
        }
        // Until the other side leaves, or the test ends.
        Delivery::Stall(_) => {
            std::future::poll_fn(|context| sent.poll_reset(context)).await?;
        }
        _ => {}
    }
    Ok(())
}

fn head(reply: &Reply, is_announced: bool) -> Response<()> {
    let mut head = Response::builder().status(reply.status);
    for (name, value) in reply.headers() {
        head = head.header(name, value);
    }
    if is_announced {
        head = head.header("content-length", reply.body.len());
    }
    head.body(()).unwrap()
}

async fn receive(request: http::Request<RecvStream>, port: u16) -> Result<Request, h2::Error> {
    let (parts, mut stream) = request.into_parts();
    let mut body = Vec::new();
    while let Some(data) = stream.data().await {
        let data = data?;
        body.extend_from_slice(&data);
        stream.flow_control().release_capacity(data.len())?;
    }
    let method = parts.method.to_string();
    let target = parts.uri.path_and_query().unwrap().to_string();
    let text = |value: &http::HeaderValue| value.to_str().unwrap().to_owned();
    let headers = parts.headers.iter();
    let headers = headers.map(|(name, value)| (name.to_string(), text(value)));
    let mut request = Request::new(method, target, headers.collect(), body);
    (request.line, request.port) = (Line::Http2, port);
    Ok(request)
}
