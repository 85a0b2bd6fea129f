//! As much of etcd's JSON gateway as writing objects takes. Plain HTTP on loopback, so std is enough.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::thread;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use serde_json::{Value, json};

use crate::error::{Context, Error, Result};

/// etcd takes 128 operations in a transaction.
pub(crate) const BATCH: usize = 100;
/// More threads than this do not make etcd write faster.
const WRITERS: usize = 4;

/// One etcd, by its address.
#[derive(Clone, Copy)]
pub struct Etcd {
    address: SocketAddr,
}

/// A key below `/registry` and the object's JSON.
pub(crate) struct Entry {
    pub(crate) key: String,
    pub(crate) value: String,
}

impl Etcd {
    pub(crate) fn new(port: u16) -> Self {
        Self {
            address: SocketAddr::from(([127, 0, 0, 1], port)),
        }
    }

    /// The one at an address such as `http://127.0.0.1:2379`.
    pub fn at(url: &str) -> Result<Self> {
        let address = url.trim_start_matches("http://").parse();
        let address = address.context(format_args!("{url} is not the address of an etcd"))?;
        Ok(Self { address })
    }

    pub(crate) fn url(self) -> String {
        format!("http://{}", self.address)
    }

    /// Whether the etcd that answers is the one called `name` (and not another that was quicker to take the port).
    pub(crate) fn is_up(self, name: &str) -> bool {
        let answer = self.post("/v3/cluster/member/list", &json!({}));
        answer.is_ok_and(|answer| answer["members"][0]["name"] == name)
    }

    /// Writes all entries, made from `items` as late as possible: 50,000 Jobs are some hundred megabytes. Each
    /// transaction has `batch` of them.
    pub(crate) fn put_all<T: Sync>(
        self,
        items: &[T],
        batch: usize,
        entry: impl Fn(&T) -> Entry + Sync,
    ) -> Result<()> {
        let batches: Vec<&[T]> = items.chunks(batch).collect();
        let share = batches.len().div_ceil(WRITERS).max(1);
        thread::scope(|scope| {
            let write = |batch: &&[T]| self.put(&batch.iter().map(&entry).collect::<Vec<_>>());
            let writers: Vec<_> = batches
                .chunks(share)
                .map(|mine| scope.spawn(move || mine.iter().try_for_each(write)))
                .collect();
            writers.into_iter().try_for_each(|writer| {
                writer
                    .join()
                    .unwrap_or_else(|_| Err(Error::new("a thread that writes into etcd panicked")))
            })
        })?;
        self.step()
    }

    /// All entries of a transaction have one revision, and kube-apiserver's cache takes itself to be at that revision
    /// as soon as it has seen the first of them: a list right after would lack the rest. One more revision, of a key
    /// without a watch, makes a consistent read wait for them all.
    fn step(self) -> Result<()> {
        self.put(&[Entry {
            key: "/jobclean/step".into(),
            value: String::new(),
        }])
    }

    fn put(self, entries: &[Entry]) -> Result<()> {
        let puts: Vec<Value> = entries
            .iter()
            .map(|Entry { key, value }| json!({"requestPut": {"key": BASE64.encode(key), "value": BASE64.encode(value)}}))
            .collect();
        self.post("/v3/kv/txn", &json!({ "success": puts }))
            .map(drop)
    }

    /// Creates the entry unless the key is there; tells whether it did.
    pub(crate) fn create(self, Entry { key, value }: &Entry) -> Result<bool> {
        let key = BASE64.encode(key);
        let answer = self.post(
            "/v3/kv/txn",
            &json!({
                "compare": [{"key": key, "target": "CREATE", "createRevision": "0"}],
                "success": [{"requestPut": {"key": key, "value": BASE64.encode(value)}}],
            }),
        )?;
        Ok(answer["succeeded"] == true)
    }

    /// How many bytes the value of a key below `/registry` has.
    pub fn length_of(self, key: &str) -> Result<usize> {
        let key = BASE64.encode(format!("/registry/{key}"));
        let answer = self.post("/v3/kv/range", &json!({"key": key}))?;
        let value = answer["kvs"][0]["value"].as_str().unwrap_or_default();
        let value = BASE64.decode(value).context("etcd's answer is no value")?;
        Ok(value.len())
    }

    /// HTTP/1.0: the body ends where the connection does, and is never chunked.
    fn post(self, path: &str, body: &Value) -> Result<Value> {
        let cannot = "cannot write into etcd";
        let body = body.to_string();
        let mut stream =
            TcpStream::connect_timeout(&self.address, Duration::from_secs(5)).context(cannot)?;
        for set in [TcpStream::set_read_timeout, TcpStream::set_write_timeout] {
            set(&stream, Some(Duration::from_secs(60))).context(cannot)?;
        }
        let length = body.len();
        let head = format!(
            "POST {path} HTTP/1.0\r\nHost: {}\r\nContent-Type: application/json\r\nContent-Length: {length}\r\n\r\n",
            self.address
        );
        stream.write_all(head.as_bytes()).context(cannot)?;
        stream.write_all(body.as_bytes()).context(cannot)?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer).context(cannot)?;
        let (head, body) = answer
            .split_once("\r\n\r\n")
            .ok_or_else(|| Error::new("etcd's answer is cut short"))?;
        let status = head.lines().next().unwrap_or_default();
        if !status.contains(" 200 ") {
            return Err(Error::new(format!("{cannot}: {status}: {}", body.trim())));
        }
        serde_json::from_str(body).context("etcd's answer is not JSON")
    }
}
