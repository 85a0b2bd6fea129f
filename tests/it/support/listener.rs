//! Ways to an API server on loopback that take note of who comes through: plain ones, and proxies.

use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::{Ipv4Addr, Shutdown, TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::thread;

use super::api_client::{header, read_headers};
use super::until;

/// What is spoken at a door.
#[derive(Clone, Copy, Debug)]
enum Manner {
    /// Nothing: it is the server under another address.
    Plain,
    /// HTTP's CONNECT.
    Connect,
    /// SOCKS 5, with the login of a client that offers one.
    Socks,
}

/// One of them. Whatever is asked for, what is behind it is the API server; its threads end with the run.
pub struct Listener {
    /// `127.0.0.1:PORT`.
    pub address: String,
    book: Arc<Mutex<Book>>,
}

/// What is known of those who came.
#[derive(Default)]
struct Book {
    asked: Vec<String>,
    /// The ports of all who came.
    ports: Vec<u16>,
    /// How many of them have not said yet what they want, nor left.
    silent: usize,
}

impl Listener {
    /// The server under another address.
    pub fn plain(server: &str) -> Self {
        Self::new(Manner::Plain, server)
    }

    /// A proxy of HTTP.
    pub fn connect(server: &str) -> Self {
        Self::new(Manner::Connect, server)
    }

    /// A proxy of SOCKS 5.
    pub fn socks(server: &str) -> Self {
        Self::new(Manner::Socks, server)
    }

    fn new(manner: Manner, server: &str) -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let address = listener.local_addr().unwrap().to_string();
        let book = Arc::new(Mutex::new(Book::default()));
        let (keep, behind) = (Arc::clone(&book), server.replace("https://", ""));
        thread::spawn(move || {
            for client in listener.incoming().flatten() {
                let (keep, behind) = (Arc::clone(&keep), behind.clone());
                let Ok(from) = client.peer_addr() else {
                    continue;
                };
                {
                    let mut book = keep.lock().unwrap();
                    book.ports.push(from.port());
                    book.silent += 1;
                }
                thread::spawn(move || {
                    let wanted = receive(manner, &client);
                    {
                        let mut book = keep.lock().unwrap();
                        book.silent -= 1;
                        book.asked.extend(wanted.as_ref().ok().cloned());
                    }
                    if wanted.is_ok() {
                        // That a connection ends is the business of its ends.
                        let _ = admit(manner, &client, &behind);
                    }
                });
            }
        });
        Self { address, book }
    }

    /// How many have come.
    pub fn comers(&self) -> usize {
        self.book.lock().unwrap().ports.len()
    }

    /// What was asked for since this was called last, each once: `HOST:PORT` with the login shown, nothing at a plain door.
    /// Every client must have left by now, or have said what it wants; those still waiting to be let in are counted.
    pub fn take(&self) -> Vec<String> {
        let last = TcpStream::connect(&self.address).unwrap();
        let port = last.local_addr().unwrap().port();
        until("all who came have been let in", || {
            self.book.lock().unwrap().ports.contains(&port)
        });
        drop(last);
        until("all have said what they want", || {
            self.book.lock().unwrap().silent == 0
        });
        let mut book = self.book.lock().unwrap();
        // A port may be used again.
        book.ports.clear();
        let mut asked = std::mem::take(&mut book.asked);
        asked.sort();
        asked.dedup();
        asked
    }
}

/// What a client asks for; an error if it leaves without asking.
fn receive(manner: Manner, client: &TcpStream) -> io::Result<String> {
    match manner {
        Manner::Plain => match client.peek(&mut [0])? {
            0 => Err(io::ErrorKind::UnexpectedEof.into()),
            _ => Ok(String::new()),
        },
        // A client says no more before there is an answer, so that nothing is lost with the buffer.
        Manner::Connect => connect(&mut BufReader::new(client)),
        Manner::Socks => socks(&mut &*client, &mut &*client),
    }
}

/// Accepts a client and passes on what it sends and receives.
fn admit(manner: Manner, client: &TcpStream, behind: &str) -> io::Result<()> {
    let welcome: &[u8] = match manner {
        Manner::Plain => b"",
        Manner::Connect => b"HTTP/1.1 200 Welcome\r\n\r\n",
        Manner::Socks => &[5, 0, 0, 1, 0, 0, 0, 0, 0, 0],
    };
    let (mut reader, mut writer) = (client.try_clone()?, client.try_clone()?);
    let mut server = TcpStream::connect(behind)?;
    writer.write_all(welcome)?;
    let mut answers = server.try_clone()?;
    let back = thread::spawn(move || {
        let _ = io::copy(&mut answers, &mut writer);
        let _ = writer.shutdown(Shutdown::Write);
    });
    io::copy(&mut reader, &mut server)?;
    server.shutdown(Shutdown::Write)?;
    let _ = back.join();
    Ok(())
}

/// Reads a request for a tunnel.
fn connect(reader: &mut impl BufRead) -> io::Result<String> {
    let mut first = String::new();
    if reader.read_line(&mut first)? == 0 {
        return Err(io::ErrorKind::UnexpectedEof.into());
    }
    let headers = read_headers(reader)?;
    let target = first.strip_prefix("CONNECT ");
    let target = target.and_then(|rest| rest.split(' ').next());
    // Anything else is noted as it is: no test expects it.
    let target = target.unwrap_or(&first).trim();
    Ok(match header(&headers, "proxy-authorization") {
        Some(login) => format!("{target} with {login}"),
        None => target.to_owned(),
    })
}

/// Greets, and reads what is asked for.
fn socks(reader: &mut impl Read, writer: &mut impl Write) -> io::Result<String> {
    let mut take = |count: usize| -> io::Result<Vec<u8>> {
        let mut bytes = vec![0; count];
        reader.read_exact(&mut bytes)?;
        Ok(bytes)
    };
    let methods = take(2)?[1];
    let mut login = String::new();
    match take(methods.into())?.contains(&2) {
        false => writer.write_all(&[5, 0])?,
        true => {
            writer.write_all(&[5, 2])?;
            take(1)?;
            let mut text = || -> io::Result<String> {
                let length = take(1)?[0];
                Ok(String::from_utf8_lossy(&take(length.into())?).into_owned())
            };
            login = format!(" with {} {}", text()?, text()?);
            writer.write_all(&[1, 0])?;
        }
    }
    let host = match take(4)?[3] {
        1 => {
            let ip: [u8; 4] = take(4)?.try_into().unwrap();
            Ipv4Addr::from(ip).to_string()
        }
        3 => {
            let length = take(1)?[0];
            String::from_utf8_lossy(&take(length.into())?).into_owned()
        }
        other => format!("address of type {other}"),
    };
    let port = take(2)?;
    let port = u16::from_be_bytes([port[0], port[1]]);
    Ok(format!("{host}:{port}{login}"))
}
