//! Small listeners on loopback in the place of a broken server, or of an attacker who listens in.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::thread;

use percent_encoding::percent_decode_str;
use serde_json::{Value, json};

/// What was asked.
#[derive(Clone, Debug)]
pub struct Asked {
    /// Such as `GET`.
    pub method: String,
    /// Path and query, decoded.
    pub target: String,
    /// The headers' lines in lower case, each with its end.
    pub headers: String,
    /// The body.
    pub body: String,
}

/// What to answer: status with its reason, further headers' lines, JSON.
pub type Answer = (&'static str, &'static str, Value);

/// A listener; its thread ends with the run.
pub struct Stub {
    /// `http://127.0.0.1:PORT`.
    pub url: String,
    asked: Arc<Mutex<Vec<Asked>>>,
}

impl Stub {
    /// One that answers by this; many requests at a time.
    pub fn new(answer: impl Fn(&Asked) -> Answer + Send + Sync + 'static) -> Self {
        Self::serving(move |asked, stream| {
            let (status, headers, body) = answer(asked);
            let body = body.to_string();
            let length = body.len();
            // The other side may be gone, which is its business.
            let _ = write!(
                stream,
                "HTTP/1.1 {status}\r\nContent-Type: application/json\r\nContent-Length: {length}\r\n{headers}Connection: close\r\n\r\n{body}"
            );
        })
    }

    /// One that takes requests and never answers.
    pub fn silent() -> Self {
        Self::serving(|_, _| {
            loop {
                thread::park();
            }
        })
    }

    fn serving(answer: impl Fn(&Asked, &mut TcpStream) + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let asked = Arc::new(Mutex::new(Vec::new()));
        let (seen, answer) = (Arc::clone(&asked), Arc::new(answer));
        thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let (seen, answer) = (Arc::clone(&seen), Arc::clone(&answer));
                thread::spawn(move || {
                    let mut stream = stream;
                    if let Some(asked) = read(&stream) {
                        seen.lock().unwrap().push(asked.clone());
                        answer(&asked, &mut stream);
                    }
                });
            }
        });
        Self { url, asked }
    }

    /// What was asked so far.
    pub fn asked(&self) -> Vec<Asked> {
        self.asked.lock().unwrap().clone()
    }

    /// What was asked so far by this method.
    pub fn asked_by(&self, method: &str) -> Vec<Asked> {
        let mut asked = self.asked();
        asked.retain(|asked| asked.method == method);
        asked
    }
}

fn read(stream: &TcpStream) -> Option<Asked> {
    let mut reader = BufReader::new(stream);
    let mut first = String::new();
    reader.read_line(&mut first).ok()?;
    let mut words = first.split_whitespace().map(str::to_owned);
    let (method, target) = (words.next()?, words.next()?);
    let target = percent_decode_str(&target).decode_utf8_lossy().into_owned();
    let (mut headers, mut length) = (String::new(), 0);
    loop {
        let mut line = String::new();
        reader.read_line(&mut line).ok()?;
        let line = line.trim_end().to_lowercase();
        if line.is_empty() {
            break;
        }
        if let Some(value) = line.strip_prefix("content-length:") {
            length = value.trim().parse().ok()?;
        }
        headers.push_str(&line);
        headers.push('\n');
    }
    let mut body = vec![0; length];
    reader.read_exact(&mut body).ok()?;
    Some(Asked {
        method,
        target,
        headers,
        body: String::from_utf8(body).ok()?,
    })
}

/// An address where nothing listens.
pub fn closed() -> String {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    format!("http://{}", listener.local_addr().unwrap())
}

/// A complete Job as a list would hold it; `day` of January 2026 is when it was made.
pub fn job(name: &str, uid: &str, version: &str, day: u32) -> Value {
    json!({
        "metadata": {
            "name": name, "namespace": "stub", "uid": uid, "resourceVersion": version,
            "creationTimestamp": format!("2026-01-{day:02}T00:00:00Z"),
            "labels": {super::LABEL: "g"},
        },
        "spec": {},
        "status": {"conditions": [{"type": "Complete", "status": "True"}]},
    })
}

/// A list of Jobs.
pub fn list(items: &[Value]) -> Answer {
    let list = json!({
        "apiVersion": "batch/v1", "kind": "JobList",
        "metadata": {"resourceVersion": "1000"}, "items": items,
    });
    ("200 OK", "", list)
}

/// That there is no such Job.
pub fn no_job(name: &str) -> Answer {
    let message = format!("jobs.batch \"{name}\" not found");
    let (line, headers, mut body) = status("404 Not Found", "", "NotFound", &message);
    body["details"] = json!({"name": name, "group": "batch", "kind": "jobs"});
    (line, headers, body)
}

/// A Status.
pub fn status(line: &'static str, headers: &'static str, reason: &str, message: &str) -> Answer {
    let code: u32 = line.split(' ').next().unwrap().parse().unwrap();
    let status = if code < 300 { "Success" } else { "Failure" };
    let body = json!({
        "apiVersion": "v1", "kind": "Status", "metadata": {},
        "status": status, "reason": reason, "message": message, "code": code,
    });
    (line, headers, body)
}
