//! The tool while it runs, and what holds a proxy's answers back meanwhile.

use std::io::Read;
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Condvar, Mutex};
use std::thread::{self, JoinHandle};

use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;

use super::{
    api_client::ApiClient,
    document,
    proxy::{Proxy, Request},
};

/// A running program. It is killed when this is dropped.
pub struct Running {
    child: Child,
    out: Option<Stream>,
    err: Stream,
}

/// What came from one of its streams so far, and who reads it to its end.
struct Stream {
    said: Arc<Mutex<Vec<u8>>>,
    reader: JoinHandle<()>,
}

/// How it ended.
#[derive(Debug)]
pub struct Ended {
    /// Its exit code; none if a signal ended it.
    pub code: Option<i32>,
    /// Its stdout.
    pub out: String,
    /// Its stderr.
    pub err: String,
}

impl Running {
    /// Starts it with nothing on stdin.
    pub fn start(mut command: Command) -> Self {
        command.stdout(Stdio::piped());
        Self::start_into(command)
    }

    /// The same, but its stdout is what the command says.
    pub fn start_into(mut command: Command) -> Self {
        command.stdin(Stdio::null()).stderr(Stdio::piped());
        let mut child = command.spawn().unwrap();
        Self {
            out: child.stdout.take().map(Stream::of),
            err: Stream::of(child.stderr.take().unwrap()),
            child,
        }
    }

    /// Sends it a signal.
    pub fn signal(&self, signal: Signal) {
        // It is not waited for yet, so the pid is still its own.
        kill_process(Pid::from_child(&self.child), signal).unwrap();
    }

    /// Whether it has ended.
    pub fn has_ended(&mut self) -> bool {
        self.child.try_wait().unwrap().is_some()
    }

    /// What it said on stderr so far.
    pub fn said(&self) -> String {
        String::from_utf8_lossy(&self.err.said.lock().unwrap()).into_owned()
    }

    /// Waits for its end.
    #[track_caller]
    pub fn finish(mut self) -> Ended {
        super::until("it ends", || self.has_ended());
        for stream in self.out.iter().chain([&self.err]) {
            super::until("its output has ended", || stream.reader.is_finished());
        }
        Ended {
            code: self.child.wait().unwrap().code(),
            out: self.out.as_ref().map(Stream::text).unwrap_or_default(),
            err: self.err.text(),
        }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Ended {
    /// Fails unless this is the exit code.
    #[track_caller]
    pub fn exits(self, code: i32) -> Self {
        assert_eq!(self.code, Some(code), "{self:#?}");
        self
    }

    /// The document on stdout.
    #[track_caller]
    pub fn json(&self) -> Value {
        assert!(self.out.starts_with('{'), "no document\n{self:#?}");
        document::from_json(&self.out)
    }
}

impl Stream {
    fn of(mut from: impl Read + Send + 'static) -> Self {
        let said = Arc::new(Mutex::new(Vec::new()));
        let keep = Arc::clone(&said);
        let reader = thread::spawn(move || {
            let mut bytes = [0; 4096];
            while let Ok(count @ 1..) = from.read(&mut bytes) {
                keep.lock().unwrap().extend_from_slice(&bytes[..count]);
            }
        });
        Self { said, reader }
    }

    fn text(&self) -> String {
        String::from_utf8(self.said.lock().unwrap().clone()).unwrap()
    }
}

/// Holds threads back until it is opened; it opens when it is dropped, so that a failed test leaves no thread waiting.
#[derive(Default)]
pub struct Gate(Arc<Turnstile>);

/// Where they wait.
#[derive(Default)]
pub struct Turnstile {
    open: Mutex<bool>,
    changed: Condvar,
}

impl Gate {
    /// A closed one.
    pub fn new() -> Self {
        Self::default()
    }

    /// Its turnstile.
    pub fn turnstile(&self) -> Arc<Turnstile> {
        Arc::clone(&self.0)
    }

    /// A closed one, and a way to the server on which these requests wait before it.
    pub fn before(
        upstream: ApiClient,
        is_held: impl Fn(&Request) -> bool + Send + Sync + 'static,
    ) -> (Proxy, Self) {
        let gate = Self::new();
        let turnstile = gate.turnstile();
        let proxy = Proxy::new(upstream, move |request, up| {
            if is_held(request) {
                turnstile.pass();
            }
            up.pass(request)
        });
        (proxy, gate)
    }

    /// Opens it for good.
    pub fn open(&self) {
        *self.0.open.lock().unwrap() = true;
        self.0.changed.notify_all();
    }
}

impl Drop for Gate {
    fn drop(&mut self) {
        self.open();
    }
}

impl Turnstile {
    /// Waits until the gate is open.
    pub fn pass(&self) {
        let open = self.open.lock().unwrap();
        drop(self.changed.wait_while(open, |open| !*open).unwrap());
    }
}
