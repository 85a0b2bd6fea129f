//! A server's front that speaks TLS: credentials go through no other.

use std::io::{self, BufRead, BufReader, Write};
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::sync::Arc;
use std::thread;

use rustls::pki_types::PrivateKeyDer;
use rustls::{ServerConfig, ServerConnection, StreamOwned};
use serde_json::{Value, json};

use super::proxy::Proxy;
use super::upstream::{read_body, read_headers};

/// One of them. Its threads end with the run.
pub struct Front {
    url: String,
    certificate: String,
}

impl Front {
    /// One with this proxy behind it.
    pub fn of(proxy: &Proxy) -> Self {
        let own = rcgen::generate_simple_self_signed(["127.0.0.1".to_owned()]).unwrap();
        let key = PrivateKeyDer::try_from(own.signing_key.serialize_der()).unwrap();
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let config = ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(vec![own.cert.der().clone()], key)
            .unwrap();
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
            certificate: own.cert.pem(),
        }
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
