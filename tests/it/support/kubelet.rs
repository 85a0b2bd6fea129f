//! A server in the place of a kubelet: the API server asks it for logs, as it would ask a node.

use std::collections::BTreeMap;
use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::{ServerConfig, ServerConnection, StreamOwned};
use serde_json::{Value, json};

use super::api_client::read_headers;
use super::{ApiClient, Space, plane};

/// A log that is asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Asked {
    /// The Pod.
    pub pod: String,
    /// The container.
    pub container: String,
    /// Whether it is that of the container that ran before.
    pub previous: bool,
    /// How many lines of its end are asked for, if not all.
    pub tail: Option<usize>,
    /// How many bytes at most.
    pub limit: Option<usize>,
}

/// What to answer.
pub enum Told {
    /// This log, as a kubelet gives it: its last lines, or no more bytes than are asked for.
    Log(String),
    /// So many bytes of this, and then the connection ends.
    Cut(String, usize),
    /// Nothing, ever.
    Nothing,
    /// A refusal.
    Refused(u16, &'static str),
}

type Rule = dyn Fn(&Asked) -> Told + Send + Sync;

/// One of them, and its Node. Its threads end with the run.
pub struct Kubelet {
    /// The name of its Node.
    pub node: String,
    asked: Arc<Mutex<Vec<Asked>>>,
}

impl Kubelet {
    /// One that answers by this rule.
    pub fn new(rule: impl Fn(&Asked) -> Told + Send + Sync + 'static) -> Self {
        let own = rcgen::generate_simple_self_signed(["127.0.0.1".to_owned()]).unwrap();
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let config = ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(
                vec![CertificateDer::from_pem_slice(own.cert.pem().as_bytes()).unwrap()],
                PrivateKeyDer::from_pem_slice(own.signing_key.serialize_pem().as_bytes()).unwrap(),
            )
            .unwrap();
        let config = Arc::new(config);
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let node = node_at(listener.local_addr().unwrap().port());
        let asked = Arc::new(Mutex::default());
        let (rule, book): (Arc<Rule>, _) = (Arc::new(rule), Arc::clone(&asked));
        thread::spawn(move || {
            for client in listener.incoming().flatten() {
                let (config, rule, book) =
                    (Arc::clone(&config), Arc::clone(&rule), Arc::clone(&book));
                // That a connection ends is the business of its ends.
                thread::spawn(move || drop(serve(client, config, &*rule, &book)));
            }
        });
        Self { node, asked }
    }

    /// What it was asked for so far.
    pub fn asked(&self) -> Vec<Asked> {
        self.asked.lock().unwrap().clone()
    }
}

/// Makes a Node whose kubelet is on this port of loopback.
pub fn node_at(port: u16) -> String {
    let admin = ApiClient::admin(plane());
    let node = json!({"apiVersion": "v1", "kind": "Node", "metadata": {"generateName": "node-"}});
    let (status, node) = admin.ask("POST", "/api/v1/nodes", Some(&node));
    assert_eq!(status, 201, "{node}");
    let name = node["metadata"]["name"].as_str().unwrap().to_owned();
    let told = json!({"status": {
        "addresses": [{"type": "InternalIP", "address": "127.0.0.1"}],
        "daemonEndpoints": {"kubeletEndpoint": {"Port": port}},
    }});
    let (status, answer) = admin.ask(
        "PATCH",
        &format!("/api/v1/nodes/{name}/status"),
        Some(&told),
    );
    assert_eq!(status, 200, "{answer}");
    name
}

fn serve(
    client: TcpStream,
    config: Arc<ServerConfig>,
    rule: &Rule,
    book: &Mutex<Vec<Asked>>,
) -> io::Result<()> {
    let tls = ServerConnection::new(config).map_err(io::Error::other)?;
    let mut client = BufReader::new(StreamOwned::new(tls, client));
    loop {
        let mut first = String::new();
        if client.read_line(&mut first)? == 0 {
            return Ok(());
        }
        read_headers(&mut client)?;
        let asked = parse(first.split(' ').nth(1).unwrap());
        book.lock().unwrap().push(asked.clone());
        let out = client.get_mut();
        match rule(&asked) {
            Told::Log(log) => {
                let log = part(&log, &asked);
                write!(out, "HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\n")?;
                write!(out, "Transfer-Encoding: chunked\r\n\r\n")?;
                // In pieces, as it comes from a file.
                for piece in log.as_bytes().chunks(32 << 10) {
                    write!(out, "{:x}\r\n", piece.len())?;
                    out.write_all(piece)?;
                    out.write_all(b"\r\n")?;
                }
                out.write_all(b"0\r\n\r\n")?;
                out.flush()?;
            }
            Told::Cut(log, at) => {
                let piece = &log[..at];
                write!(out, "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")?;
                write!(out, "{:x}\r\n{piece}\r\n", piece.len())?;
                return out.flush();
            }
            Told::Nothing => {
                // Until the other side leaves.
                out.sock.set_read_timeout(Some(Duration::from_secs(240)))?;
                let _ = out.read(&mut [0]);
                return Ok(());
            }
            Told::Refused(status, why) => {
                write!(out, "HTTP/1.1 {status} No\r\nContent-Type: text/plain\r\n")?;
                write!(out, "Content-Length: {}\r\n\r\n{why}", why.len())?;
                out.flush()?;
            }
        }
    }
}

/// `/containerLogs/NAMESPACE/POD/CONTAINER?previous=true&...`
fn parse(target: &str) -> Asked {
    let (path, query) = target.split_once('?').unwrap_or((target, ""));
    let path: Vec<&str> = path.split('/').collect();
    assert_eq!(path[1], "containerLogs", "{target}");
    let query: BTreeMap<&str, &str> = query
        .split('&')
        .filter_map(|pair| pair.split_once('='))
        .collect();
    let number = |key: &str| query.get(key).map(|value| value.parse().unwrap());
    Asked {
        pod: path[3].to_owned(),
        container: path[4].to_owned(),
        previous: query.get("previous") == Some(&"true"),
        tail: number("tailLines"),
        limit: number("limitBytes"),
    }
}

/// What of a log is asked for.
fn part<'a>(log: &'a str, asked: &Asked) -> &'a str {
    let lines = log.split_inclusive('\n');
    let skipped = asked
        .tail
        .map_or(0, |tail| lines.clone().count().saturating_sub(tail));
    let start: usize = lines.take(skipped).map(str::len).sum();
    let log = &log[start..];
    &log[..asked.limit.unwrap_or(usize::MAX).min(log.len())]
}

/// A Pod of a Job.
pub struct PodOf<'a> {
    /// The namespace.
    pub space: &'a Space,
    /// The name of the Job, which must be there.
    pub job: &'a str,
    /// Its own name.
    pub name: &'a str,
    /// Where it ran, if anywhere.
    pub node: Option<&'a str>,
    /// Names of init containers.
    pub init: &'a [&'a str],
    /// Containers, and how often each has restarted.
    pub containers: &'a [(&'a str, u32)],
    /// Whether its containers run.
    pub is_running: bool,
}

impl PodOf<'_> {
    /// One with one container, `run`.
    pub fn plain<'a>(space: &'a Space, job: &'a str, name: &'a str, node: &'a str) -> PodOf<'a> {
        PodOf {
            space,
            job,
            name,
            node: Some(node),
            init: &[],
            containers: &[("run", 0)],
            is_running: false,
        }
    }

    /// Makes it, as the Job's controller and a kubelet would; its uid.
    #[track_caller]
    pub fn create(&self) -> String {
        let admin = ApiClient::admin(plane());
        let (_, job) = admin.ask("GET", &format!("{}/{}", self.space.path(), self.job), None);
        let uid = job["metadata"]["uid"].as_str().unwrap();
        let named = |name: &&str| json!({"name": name, "image": "example.com/none:1"});
        let init: Vec<Value> = self.init.iter().map(named).collect();
        let names = self.containers.iter().map(|(name, _)| *name);
        let containers: Vec<Value> = names.map(|name| named(&name)).collect();
        let pod = json!({
            "apiVersion": "v1", "kind": "Pod",
            "metadata": {
                "name": self.name,
                "labels": {
                    "controller-uid": uid, "batch.kubernetes.io/controller-uid": uid,
                    "batch.kubernetes.io/job-name": self.job,
                },
                "ownerReferences": [{
                    "apiVersion": "batch/v1", "kind": "Job", "name": self.job, "uid": uid,
                    "controller": true, "blockOwnerDeletion": true,
                }],
            },
            "spec": {
                "nodeName": self.node, "restartPolicy": "OnFailure",
                "initContainers": init, "containers": containers,
            },
        });
        let pods = format!("/api/v1/namespaces/{}/pods", self.space.name);
        let (status, pod) = admin.ask("POST", &pods, Some(&pod));
        assert_eq!(status, 201, "{pod}");
        let state = match self.is_running {
            true => json!({"running": {"startedAt": "2026-01-01T00:00:00Z"}}),
            false => json!({"terminated": {"exitCode": 0}}),
        };
        let told = |name: &str, times: u32| {
            json!({
                "name": name, "image": "example.com/none:1", "imageID": "", "ready": false,
                "restartCount": times, "state": state,
            })
        };
        let init: Vec<Value> = self.init.iter().map(|name| told(name, 0)).collect();
        let containers = self.containers.iter();
        let containers: Vec<Value> = containers.map(|(name, times)| told(name, *times)).collect();
        let status = json!({"status": {
            "phase": if self.is_running { "Running" } else { "Succeeded" },
            "initContainerStatuses": init, "containerStatuses": containers,
        }});
        let path = format!("{pods}/{}/status", self.name);
        let (code, answer) = admin.ask("PATCH", &path, Some(&status));
        assert_eq!(code, 200, "{answer}");
        pod["metadata"]["uid"].as_str().unwrap().to_owned()
    }
}

/// Makes an event about an object of a namespace.
#[track_caller]
pub fn event(space: &Space, kind: &str, name: &str, uid: &str, reason: &str) {
    let event = json!({
        "apiVersion": "v1", "kind": "Event",
        "metadata": {"generateName": "event-"},
        "involvedObject": {"kind": kind, "name": name, "namespace": space.name, "uid": uid},
        "reason": reason, "message": "something happened", "type": "Normal",
    });
    let path = format!("/api/v1/namespaces/{}/events", space.name);
    let (status, answer) = ApiClient::admin(plane()).ask("POST", &path, Some(&event));
    assert_eq!(status, 201, "{answer}");
}
