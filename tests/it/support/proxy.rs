//! A proxy on loopback between the tool and a real API server, which does to each request what a test says. What begins
//! with TLS may go on with HTTP/2.

mod tls;

use std::collections::BTreeSet;
use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::{Ipv4Addr, Shutdown, SocketAddr, TcpListener, TcpStream};
use std::os::fd::AsFd;
use std::process::Command;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

use serde_json::{Value, json};

pub use self::tls::Tls;
use super::api_client::{ApiClient, read_body, read_headers};
use super::{LABEL, tool};

/// What a request is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// A page of the list of Jobs.
    List,
    /// One Job, by a list of its name.
    Reread,
    /// The delete of one Job.
    Delete,
    /// What git still wants: Applications and Kustomizations.
    GitOps,
    /// Whatever else.
    Other,
}

impl Kind {
    fn of(method: &str, target: &str) -> Self {
        match method {
            "GET" if target.contains("fieldSelector=") => Self::Reread,
            "GET" if target.split('?').next().unwrap().ends_with("/jobs") => Self::List,
            "GET"
                if target.starts_with("/apis/argoproj.io/")
                    || target.starts_with("/apis/kustomize.") =>
            {
                Self::GitOps
            }
            "DELETE" => Self::Delete,
            _ => Self::Other,
        }
    }
}

/// What deletes come over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Line {
    /// A connection each, in plain text.
    Http1,
    /// One connection for all, in TLS.
    Http2,
}

/// What was asked.
#[derive(Clone, Debug)]
pub struct Request {
    /// Such as `GET`.
    pub method: String,
    /// Path and query.
    pub target: String,
    /// Names in lower case.
    pub headers: Vec<(String, String)>,
    /// The body.
    pub body: Vec<u8>,
    /// What it is about.
    pub kind: Kind,
    /// Which of its kind it is, from 1.
    pub nth: usize,
    /// Which of the requests for just this it is, from 1.
    pub again: usize,
    /// How many of its kind were in flight when it came, itself included.
    pub in_flight: usize,
    /// How it came.
    pub line: Line,
    /// The port that it came from: each connection has another.
    pub port: u16,
}

impl Request {
    /// One that has not been received yet.
    pub fn new(
        method: String,
        target: String,
        headers: Vec<(String, String)>,
        body: Vec<u8>,
    ) -> Self {
        Self {
            kind: Kind::of(&method, &target),
            method,
            target,
            headers,
            body,
            nth: 0,
            again: 0,
            in_flight: 0,
            line: Line::Http1,
            port: 0,
        }
    }

    /// Whether it goes on with a list.
    pub fn continues(&self) -> bool {
        self.target.contains("continue=")
    }

    /// What it asks for. A delete says in its query how, and of which version.
    fn what(&self) -> &str {
        match self.kind {
            Kind::Delete => self.target.split('?').next().unwrap(),
            _ => &self.target,
        }
    }

    /// The name at the end of its path.
    pub fn name(&self) -> String {
        let path = self.target.split('?').next().unwrap();
        let name = path.rsplit('/').next().unwrap();
        let name = percent_encoding::percent_decode_str(name);
        name.decode_utf8_lossy().into_owned()
    }

    /// The same with another value of a header.
    pub fn with_header(&self, name: &str, value: &str) -> Self {
        let mut other = self.clone();
        other.headers.retain(|(known, _)| known != name);
        other.headers.push((name.to_owned(), value.to_owned()));
        other
    }

    /// Its body as JSON.
    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap()
    }
}

/// How an answer is delivered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Delivery {
    Whole,
    /// The connection ends after this many bytes of the body.
    Cut(usize),
    /// The same. With HTTP/2 the server takes back that it has begun with the request at all.
    TakenBack(usize),
    /// The connection ends after this many bytes of the body, and nothing told how many there would be.
    Unannounced(usize),
    /// This many bytes of the body come, and then nothing more.
    Stall(usize),
    /// The connection is reset instead, or of HTTP/2 this request alone.
    Reset,
    /// The connection is reset instead, with all requests that are on it.
    HungUp,
    /// Of HTTP/2, the request is refused, so that it has not been begun with. The connection is reset otherwise.
    Refused,
    /// It is whole, and the other side is told that no more requests may come on the connection.
    Last,
    /// Nothing comes on the connection any more, and it stays open until the other side leaves.
    Silence,
}

/// What to answer.
#[derive(Clone, Debug)]
pub struct Reply {
    /// HTTP status.
    pub status: u16,
    /// Names in lower case.
    pub headers: Vec<(String, String)>,
    /// The body.
    pub body: Vec<u8>,
    delivery: Delivery,
}

impl Reply {
    /// A whole one.
    pub fn new(status: u16, headers: Vec<(String, String)>, body: Vec<u8>) -> Self {
        Self {
            status,
            headers,
            body,
            delivery: Delivery::Whole,
        }
    }

    /// A failure in Kubernetes' form.
    pub fn refusal(status: u16, reason: &str, message: &str) -> Self {
        let body = json!({
            "apiVersion": "v1", "kind": "Status", "metadata": {},
            "status": "Failure", "reason": reason, "message": message, "code": status,
        });
        let kind = ("content-type".to_owned(), "application/json".to_owned());
        Self::new(status, vec![kind], body.to_string().into_bytes())
    }

    /// What something in between answers, such as a captive portal.
    pub fn web_page(status: u16) -> Self {
        let kind = ("content-type".to_owned(), "text/html".to_owned());
        Self::new(status, vec![kind], b"<html>log in first</html>".to_vec())
    }

    /// With a body that begins well and cannot be read.
    pub fn garbled(mut self) -> Self {
        self.body[20..].reverse();
        self
    }

    /// With one more header.
    pub fn header(mut self, name: &str, value: impl ToString) -> Self {
        self.headers.push((name.to_owned(), value.to_string()));
        self
    }

    /// None: the connection is reset, or of HTTP/2 this request alone.
    pub fn reset() -> Self {
        Self::none(Delivery::Reset)
    }

    /// None: the connection is reset, with all requests that are on it.
    pub fn hung_up() -> Self {
        Self::none(Delivery::HungUp)
    }

    /// None: it was not begun with, and HTTP/2 can say so. For what was not passed on.
    pub fn refused() -> Self {
        Self::none(Delivery::Refused)
    }

    /// None: nothing comes on the connection any more, and it stays open.
    pub fn silence() -> Self {
        Self::none(Delivery::Silence)
    }

    fn none(delivery: Delivery) -> Self {
        let mut none = Self::new(0, Vec::new(), Vec::new());
        none.delivery = delivery;
        none
    }

    /// The last one on its connection but for those of requests that are on their way.
    pub fn last(mut self) -> Self {
        self.delivery = Delivery::Last;
        self
    }

    /// Cut after this many bytes of the body.
    pub fn cut(mut self, bytes: usize) -> Self {
        self.delivery = Delivery::Cut(bytes);
        self
    }

    /// Cut after this many bytes of the body. With HTTP/2 the server takes back that it has begun with the request at all.
    pub fn taken_back(mut self, bytes: usize) -> Self {
        self.delivery = Delivery::TakenBack(bytes);
        self
    }

    /// Ends after this many bytes of the body as if that were all: no length was announced.
    pub fn ends_at(mut self, bytes: usize) -> Self {
        self.delivery = Delivery::Unannounced(bytes);
        self
    }

    /// Stalls after this many bytes of the body, until the other side leaves.
    pub fn stalls(mut self, bytes: usize) -> Self {
        self.delivery = Delivery::Stall(bytes);
        self
    }

    /// What of its body is sent, and whether the length of the whole is told before; nothing if there is no answer.
    fn sent(&self) -> Option<(&[u8], bool)> {
        let (bytes, is_announced) = match self.delivery {
            Delivery::Whole | Delivery::Last => (self.body.len(), true),
            Delivery::Cut(bytes) | Delivery::TakenBack(bytes) | Delivery::Stall(bytes) => {
                (bytes, true)
            }
            Delivery::Unannounced(bytes) => (bytes, false),
            Delivery::Reset | Delivery::HungUp | Delivery::Refused | Delivery::Silence => {
                return None;
            }
        };
        Some((&self.body[..bytes.min(self.body.len())], is_announced))
    }

    /// Its headers but for those that are about one connection.
    fn headers(&self) -> impl Iterator<Item = &(String, String)> {
        const OWN: [&str; 3] = ["content-length", "transfer-encoding", "connection"];
        let headers = self.headers.iter();
        headers.filter(|(name, _)| !OWN.contains(&name.as_str()))
    }

    /// Its body as JSON.
    #[track_caller]
    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.body)
            .unwrap_or_else(|why| panic!("{why}: {}", String::from_utf8_lossy(&self.body)))
    }

    /// With a change of its JSON.
    pub fn alter(mut self, change: impl FnOnce(&mut Value)) -> Self {
        let mut json = self.json();
        change(&mut json);
        self.body = json.to_string().into_bytes();
        self
    }
}

/// What came and what was answered.
#[derive(Clone, Debug)]
pub struct Seen {
    /// The request.
    pub request: Request,
    /// The status of the answer; 0 if there was none, or none yet.
    pub status: u16,
}

type Rule = dyn Fn(&Request, &ApiClient) -> Reply + Send + Sync;

struct Shared {
    address: SocketAddr,
    tls: Tls,
    rule: Box<Rule>,
    upstream: ApiClient,
    seen: Mutex<Vec<Seen>>,
    in_flight: [AtomicUsize; 5],
    clients: Mutex<Vec<TcpStream>>,
    /// How many connections of HTTP/2 there have been.
    shared_connections: AtomicUsize,
    closed: AtomicBool,
}

/// A proxy; with it end all its connections.
pub struct Proxy {
    /// `http://127.0.0.1:PORT`. With `https` it is the same.
    pub url: String,
    shared: Arc<Shared>,
}

impl Proxy {
    /// One that answers each request by this rule; requests come at the same time.
    pub fn new(
        upstream: ApiClient,
        rule: impl Fn(&Request, &ApiClient) -> Reply + Send + Sync + 'static,
    ) -> Self {
        Self::with(Tls::common(), upstream, rule)
    }

    /// The same, with this in TLS.
    pub fn with(
        tls: Tls,
        upstream: ApiClient,
        rule: impl Fn(&Request, &ApiClient) -> Reply + Send + Sync + 'static,
    ) -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let address = listener.local_addr().unwrap();
        let url = format!("http://{address}");
        let shared = Arc::new(Shared {
            address,
            tls,
            rule: Box::new(rule),
            upstream,
            seen: Mutex::default(),
            in_flight: Default::default(),
            clients: Mutex::default(),
            shared_connections: AtomicUsize::new(0),
            closed: AtomicBool::new(false),
        });
        let serving = Arc::clone(&shared);
        thread::spawn(move || {
            for client in listener.incoming().flatten() {
                if serving.closed.load(Ordering::SeqCst) {
                    return;
                }
                let serving = Arc::clone(&serving);
                thread::spawn(move || serving.serve(client));
            }
        });
        Self { url, shared }
    }

    /// The way to the server, for the test itself.
    pub fn upstream(&self) -> &ApiClient {
        &self.shared.upstream
    }

    /// The tool by way of this proxy in a namespace, on [`LABEL`].
    pub fn tool(&self, namespace: &str, args: &[&str]) -> Command {
        self.tool_over(Line::Http1, namespace, args)
    }

    /// The same, with its deletes on this line.
    pub fn tool_over(&self, line: Line, namespace: &str, args: &[&str]) -> Command {
        let mut command = tool();
        command.args(self.way(line));
        command.args(["-n", namespace, "-L", LABEL]).args(args);
        command
    }

    /// `https://127.0.0.1:PORT`. Credentials go by no other.
    pub fn url_in_tls(&self) -> String {
        format!("https://{}", self.shared.address)
    }

    /// The cluster of a kubeconfig that leads here in TLS.
    pub fn cluster(&self) -> Value {
        json!({
            "server": self.url_in_tls(),
            "certificate-authority-data": self.shared.tls.authority_data(),
        })
    }

    /// The certificates that clients have shown, in DER, each once.
    pub fn clients(&self) -> BTreeSet<Vec<u8>> {
        self.shared.tls.clients()
    }

    /// The flags that lead here by this line.
    pub fn way(&self, line: Line) -> Vec<String> {
        let server = match line {
            Line::Http1 => self.url.clone(),
            Line::Http2 => self.url_in_tls(),
        };
        let mut flags = vec!["-s".to_owned(), server];
        if line == Line::Http2 {
            let ca = tls::authority().display().to_string();
            flags.extend(["--certificate-authority".to_owned(), ca]);
        }
        flags
    }

    /// All that came so far.
    pub fn seen(&self) -> Vec<Seen> {
        self.shared.seen.lock().unwrap().clone()
    }

    /// What came so far of a kind.
    pub fn seen_of(&self, kind: Kind) -> Vec<Seen> {
        let mut seen = self.seen();
        seen.retain(|seen| seen.request.kind == kind);
        seen
    }

    /// How many connections of HTTP/2 there were so far, with requests on them or without.
    pub fn shared_connections(&self) -> usize {
        self.shared.shared_connections.load(Ordering::SeqCst)
    }

    /// How many came so far of a kind.
    pub fn count(&self, kind: Kind) -> usize {
        self.seen_of(kind).len()
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.shared.closed.store(true, Ordering::SeqCst);
        for client in self.shared.clients.lock().unwrap().drain(..) {
            let _ = client.shutdown(Shutdown::Both);
        }
        // Wakes the thread that accepts, so that it sees that it is over.
        let _ = TcpStream::connect(self.shared.address);
    }
}

impl Shared {
    /// Answers what comes on one connection. That it ends is the other side's business.
    fn serve(self: &Arc<Self>, client: TcpStream) {
        let _ = client.set_nodelay(true);
        let own = client.peer_addr().ok();
        self.clients
            .lock()
            .unwrap()
            .push(client.try_clone().unwrap());
        let let_go = || {
            // The copy of it would keep it open.
            if !self.closed.load(Ordering::SeqCst) {
                let mut clients = self.clients.lock().unwrap();
                clients.retain(|client| client.peer_addr().ok() != own);
            }
        };
        let mut first = [0];
        if matches!(client.peek(&mut first), Ok(1)) && first[0] == tls::HANDSHAKE {
            let _ = tls::serve(self, client, &let_go);
        } else {
            self.serve_plain(&mut BufReader::new(client));
        }
        let_go();
    }

    fn serve_plain(&self, client: &mut BufReader<TcpStream>) {
        while let Ok(request) = receive(client) {
            let reply = self.answer(request);
            if !matches!(deliver(&reply, client.get_mut()), Ok(true)) {
                break;
            }
        }
    }

    /// What the rule says to a request.
    fn answer(&self, mut request: Request) -> Reply {
        let place = self.note(&mut request);
        let reply = (self.rule)(&request, &self.upstream);
        self.in_flight[request.kind as usize].fetch_sub(1, Ordering::SeqCst);
        // A reply without one has the status 0.
        self.seen.lock().unwrap()[place].status = reply.status;
        reply
    }

    /// Takes note of a request, tells it its numbers, and returns where the note is.
    fn note(&self, request: &mut Request) -> usize {
        let mut seen = self.seen.lock().unwrap();
        let earlier = |same: &dyn Fn(&Request) -> bool| {
            1 + seen.iter().filter(|seen| same(&seen.request)).count()
        };
        request.nth = earlier(&|other| other.kind == request.kind);
        request.again =
            earlier(&|other| other.method == request.method && other.what() == request.what());
        request.in_flight =
            1 + self.in_flight[request.kind as usize].fetch_add(1, Ordering::SeqCst);
        seen.push(Seen {
            request: request.clone(),
            status: 0,
        });
        seen.len() - 1
    }
}

fn receive(from: &mut BufReader<TcpStream>) -> io::Result<Request> {
    let mut first = String::new();
    from.read_line(&mut first)?;
    let mut words = first.split_whitespace().map(str::to_owned);
    let (Some(method), Some(target)) = (words.next(), words.next()) else {
        return Err(io::ErrorKind::UnexpectedEof.into());
    };
    let headers = read_headers(from)?;
    let body = read_body(from, &headers)?;
    let mut request = Request::new(method, target, headers, body);
    request.port = from.get_ref().peer_addr()?.port();
    Ok(request)
}

/// Whether another request may come on the connection.
fn deliver(reply: &Reply, client: &mut TcpStream) -> io::Result<bool> {
    let Some((body, is_announced)) = reply.sent() else {
        match reply.delivery {
            Delivery::Silence => drop(client.read(&mut [0])),
            _ => reset(&*client)?,
        }
        return Ok(false);
    };
    let mut head = format!("HTTP/1.1 {} As It Is\r\n", reply.status);
    for (name, value) in reply.headers() {
        head += &format!("{name}: {value}\r\n");
    }
    if is_announced {
        head += &format!("content-length: {}\r\n", reply.body.len());
    }
    if reply.delivery != Delivery::Whole {
        head += "connection: close\r\n";
    }
    head += "\r\n";
    client.write_all(&[head.as_bytes(), body].concat())?;
    if matches!(reply.delivery, Delivery::Stall(_)) {
        // Until the other side leaves, or the test ends.
        let _ = client.read(&mut [0]);
    }
    Ok(reply.delivery == Delivery::Whole)
}

/// What is closed without lingering is reset.
fn reset(socket: impl AsFd) -> io::Result<()> {
    use rustix::net::sockopt::set_socket_linger;
    Ok(set_socket_linger(socket, Some(Duration::ZERO))?)
}
