//! Speaks HTTP/1.1 to a real API server, as the user of a client certificate.

use std::collections::BTreeMap;
use std::io::{self, BufRead, BufReader, Write};
use std::net::TcpStream;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use controlplane::ControlPlane;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use rustls::{ClientConfig, ClientConnection, RootCertStore, StreamOwned};
use serde_json::{Value, json};

use super::LABEL;
use super::proxy::{Reply, Request};

type Connection = BufReader<StreamOwned<ClientConnection, TcpStream>>;

/// A way to an API server. Connections are kept and used again.
pub struct ApiClient {
    address: String,
    tls: Arc<ClientConfig>,
    idle: Mutex<Vec<Connection>>,
}

impl ApiClient {
    /// As the admin.
    pub fn admin(plane: &ControlPlane) -> Self {
        Self::new(plane, "fault-admin", &["system:masters"])
    }

    /// As `user` in `groups`.
    pub fn new(plane: &ControlPlane, user: &str, groups: &[&str]) -> Self {
        let (certificate, key) = plane.client_certificate(user, groups).unwrap();
        let mut roots = RootCertStore::empty();
        let ca = CertificateDer::from_pem_slice(plane.ca_pem().as_bytes()).unwrap();
        roots.add(ca).unwrap();
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let tls = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_root_certificates(roots)
            .with_client_auth_cert(
                vec![CertificateDer::from_pem_slice(certificate.as_bytes()).unwrap()],
                PrivateKeyDer::from_pem_slice(key.as_bytes()).unwrap(),
            )
            .unwrap();
        Self {
            address: plane.server_url().replace("https://", ""),
            tls: Arc::new(tls),
            idle: Mutex::default(),
        }
    }

    /// Passes a request on. Where the server cannot be reached, nothing can be answered.
    pub fn pass(&self, request: &Request) -> Reply {
        let headers = request.headers.iter().filter(|(name, _)| {
            // Bodies come as they are, so that they can be altered; the rest is about one connection.
            !["host", "connection", "accept-encoding", "content-length"].contains(&name.as_str())
        });
        self.exchange(&request.method, &request.target, headers, &request.body)
            .unwrap_or_else(|_| Reply::reset())
    }

    /// What a test itself asks of the server, in JSON: the status and the answer.
    #[track_caller]
    pub fn ask(&self, method: &str, target: &str, body: Option<&Value>) -> (u16, Value) {
        let kind = match method {
            "PATCH" => "application/merge-patch+json",
            _ => "application/json",
        };
        let headers = [("content-type".to_owned(), kind.to_owned())];
        let body = body.map(Value::to_string).unwrap_or_default();
        let reply = self
            .exchange(method, target, headers.iter(), body.as_bytes())
            .unwrap_or_else(|why| panic!("{method} {target}: {why}"));
        (reply.status, reply.json())
    }

    /// The answer to a GET.
    #[track_caller]
    pub fn get(&self, target: &str) -> Reply {
        self.exchange("GET", target, [].iter(), b"")
            .unwrap_or_else(|why| panic!("GET {target}: {why}"))
    }

    /// Makes a Job as any client would: it is new and has not run yet.
    #[track_caller]
    pub fn create_job(&self, namespace: &str, name: &str, group: &str) {
        let containers = json!([{"name": "run", "image": "example.com/none:1"}]);
        let job = json!({
            "apiVersion": "batch/v1", "kind": "Job",
            "metadata": {"name": name, "labels": {LABEL: group}},
            "spec": {"template": {"spec": {"restartPolicy": "Never", "containers": containers}}},
        });
        let (status, answer) = self.ask("POST", &jobs_path(namespace), Some(&job));
        assert_eq!(status, 201, "{answer}");
    }

    /// The name and uid of every Job in a namespace.
    #[track_caller]
    pub fn jobs(&self, namespace: &str) -> BTreeMap<String, String> {
        let (status, list) = self.ask("GET", &jobs_path(namespace), None);
        assert_eq!(status, 200, "{list}");
        let text = |value: &Value| value.as_str().unwrap().to_owned();
        let jobs = list["items"].as_array().unwrap().iter();
        jobs.map(|job| {
            (
                text(&job["metadata"]["name"]),
                text(&job["metadata"]["uid"]),
            )
        })
        .collect()
    }

    /// The same, when those that are being deleted have gone.
    #[track_caller]
    pub fn settled_jobs(&self, namespace: &str) -> BTreeMap<String, String> {
        super::until("what was being deleted is gone", || {
            let (_, list) = self.ask("GET", &jobs_path(namespace), None);
            let mut jobs = list["items"].as_array().unwrap().iter();
            jobs.all(|job| job["metadata"]["deletionTimestamp"].is_null())
        });
        self.jobs(namespace)
    }

    /// Changes a Job, which must be there.
    #[track_caller]
    pub fn patch_job(&self, namespace: &str, name: &str, patch: &Value) {
        let target = format!("{}/{name}", jobs_path(namespace));
        let (status, answer) = self.ask("PATCH", &target, Some(patch));
        assert_eq!(status, 200, "{answer}");
    }

    /// Deletes a Job as any client would, if it is there; tells whether it was.
    #[track_caller]
    pub fn delete_job(&self, namespace: &str, name: &str) -> bool {
        let target = format!("{}/{name}", jobs_path(namespace));
        let options = json!({"propagationPolicy": "Background"});
        let (status, answer) = self.ask("DELETE", &target, Some(&options));
        assert!(status == 200 || status == 404, "{answer}");
        status == 200
    }

    fn exchange<'a>(
        &self,
        method: &str,
        target: &str,
        headers: impl Iterator<Item = &'a (String, String)>,
        body: &[u8],
    ) -> io::Result<Reply> {
        let mut head = format!(
            "{method} {target} HTTP/1.1\r\nhost: {}\r\ncontent-length: {}\r\n",
            self.address,
            body.len()
        );
        for (name, value) in headers {
            head += &format!("{name}: {value}\r\n");
        }
        head += "\r\n";
        let kept = self.idle.lock().unwrap().pop();
        let mut connection = match kept {
            Some(kept) => kept,
            None => self.connect()?,
        };
        let stream = connection.get_mut();
        let sent = stream
            .write_all(&[head.as_bytes(), body].concat())
            .and_then(|()| stream.flush());
        match sent.and_then(|()| read_reply(&mut connection)) {
            Ok(reply) => {
                self.idle.lock().unwrap().push(connection);
                Ok(reply)
            }
            Err(why) => {
                // The others are most likely no better.
                self.idle.lock().unwrap().clear();
                Err(why)
            }
        }
    }

    fn connect(&self) -> io::Result<Connection> {
        let stream = TcpStream::connect(&self.address)?;
        stream.set_nodelay(true)?;
        stream.set_read_timeout(Some(Duration::from_secs(60)))?;
        let name = ServerName::try_from("127.0.0.1").unwrap();
        let tls = ClientConnection::new(Arc::clone(&self.tls), name).map_err(io::Error::other)?;
        Ok(BufReader::new(StreamOwned::new(tls, stream)))
    }
}

/// The API's path of a namespace's Jobs.
pub fn jobs_path(namespace: &str) -> String {
    format!("/apis/batch/v1/namespaces/{namespace}/jobs")
}

/// A line without its end. An end of the stream is an error.
fn line(from: &mut impl BufRead) -> io::Result<String> {
    let mut line = String::new();
    if from.read_line(&mut line)? == 0 {
        return Err(io::ErrorKind::UnexpectedEof.into());
    }
    Ok(line.trim_end().to_owned())
}

/// Headers up to the empty line, names in lower case.
pub fn read_headers(from: &mut impl BufRead) -> io::Result<Vec<(String, String)>> {
    let mut headers = Vec::new();
    loop {
        let line = line(from)?;
        let Some((name, value)) = line.split_once(':') else {
            return Ok(headers);
        };
        headers.push((name.to_lowercase(), value.trim().to_owned()));
    }
}

/// The value of a header.
pub fn header<'a>(headers: &'a [(String, String)], name: &str) -> Option<&'a str> {
    let found = headers.iter().find(|(known, _)| known == name);
    found.map(|(_, value)| value.as_str())
}

/// The body that headers announce.
pub fn read_body(from: &mut impl BufRead, headers: &[(String, String)]) -> io::Result<Vec<u8>> {
    let mut body = Vec::new();
    if header(headers, "transfer-encoding") == Some("chunked") {
        loop {
            let size = usize::from_str_radix(&line(from)?, 16).map_err(io::Error::other)?;
            let start = body.len();
            body.resize(start + size, 0);
            from.read_exact(&mut body[start..])?;
            line(from)?;
            if size == 0 {
                return Ok(body);
            }
        }
    }
    let length = header(headers, "content-length").unwrap_or("0");
    body.resize(length.parse().map_err(io::Error::other)?, 0);
    from.read_exact(&mut body)?;
    Ok(body)
}

fn read_reply(from: &mut Connection) -> io::Result<Reply> {
    let first = line(from)?;
    let status = first.split(' ').nth(1).and_then(|code| code.parse().ok());
    let status = status.ok_or_else(|| io::Error::other(first))?;
    let headers = read_headers(from)?;
    let body = read_body(from, &headers)?;
    Ok(Reply::new(status, headers, body))
}
