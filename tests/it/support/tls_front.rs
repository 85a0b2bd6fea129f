//! A server's front that speaks TLS: credentials go through no other.

use std::collections::BTreeSet;
use std::io::{self, BufRead, BufReader, Write};
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::thread;

use rustls::client::danger::HandshakeSignatureValid;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, UnixTime};
use rustls::server::danger::{ClientCertVerified, ClientCertVerifier};
use rustls::sign::{CertifiedKey, SingleCertAndKey};
use rustls::{
    DigitallySignedStruct, DistinguishedName, ServerConfig, ServerConnection, SignatureScheme,
    StreamOwned,
};
use serde_json::{Value, json};

use super::api_client::{read_body, read_headers};
use super::proxy::Proxy;

/// One of them. Its threads end with the run.
pub struct TlsFront {
    /// Its address.
    pub url: String,
    certificate: String,
    clients: Arc<Clients>,
}

impl TlsFront {
    /// One with this proxy behind it.
    pub fn of(proxy: &Proxy) -> Self {
        let own = rcgen::generate_simple_self_signed(["127.0.0.1".to_owned()]).unwrap();
        Self::with(proxy, &own.cert.pem(), &own.signing_key.serialize_pem())
    }

    /// One that shows this certificate.
    pub fn with(proxy: &Proxy, certificate: &str, key: &str) -> Self {
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
        let config = ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_client_cert_verifier(Arc::clone(&clients) as Arc<dyn ClientCertVerifier>)
            .with_cert_resolver(Arc::new(own));
        let config = Arc::new(config);
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let url = format!("https://{}", listener.local_addr().unwrap());
        let behind = proxy.url.replace("http://", "");
        thread::spawn(move || {
            for client in listener.incoming().flatten() {
                let (config, behind) = (Arc::clone(&config), behind.clone());
                // That a connection ends is the business of its ends.
                thread::spawn(move || drop(serve(client, config, &behind)));
            }
        });
        Self {
            url,
            certificate: certificate.to_owned(),
            clients,
        }
    }

    /// The certificates that clients have shown, in DER, each once.
    pub fn clients(&self) -> BTreeSet<Vec<u8>> {
        self.clients.shown.lock().unwrap().clone()
    }

    /// The cluster of a kubeconfig.
    pub fn cluster(&self) -> Value {
        use base64::{Engine as _, engine::general_purpose::STANDARD as BASE64};
        json!({
            "server": self.url,
            "certificate-authority-data": BASE64.encode(&self.certificate),
        })
    }
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

fn serve(client: TcpStream, config: Arc<ServerConfig>, behind: &str) -> io::Result<()> {
    let tls = ServerConnection::new(config).map_err(io::Error::other)?;
    let mut client = BufReader::new(StreamOwned::new(tls, client));
    let mut server = BufReader::new(TcpStream::connect(behind)?);
    loop {
        hand_on(&mut client, server.get_mut())?;
        hand_on(&mut server, client.get_mut())?;
    }
}

/// Hands on one request or answer.
fn hand_on(from: &mut impl BufRead, to: &mut impl Write) -> io::Result<()> {
    let mut head = String::new();
    if from.read_line(&mut head)? == 0 {
        return Err(io::ErrorKind::UnexpectedEof.into());
    }
    let headers = read_headers(from)?;
    let body = read_body(from, &headers)?;
    for (name, value) in &headers {
        if !["content-length", "transfer-encoding"].contains(&name.as_str()) {
            head += &format!("{name}: {value}\r\n");
        }
    }
    head += &format!("content-length: {}\r\n\r\n", body.len());
    to.write_all(&[head.as_bytes(), &body].concat())?;
    to.flush()
}
