//! What each start needs: a free port, a wait with a deadline, and etcd, on which all the rest stands.

use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::path::Path;
use std::thread;
use std::time::{Duration, Instant};

use uuid::Uuid;

use crate::binaries::Binaries;
use crate::error::{Context, Error, Result};
use crate::etcd::Etcd;
use crate::process::Server;

/// A port that was free can be taken by another before the server binds it.
pub(crate) const ATTEMPTS: u32 = 5;

pub(crate) fn start_etcd(
    binaries: &Binaries,
    folder: &Path,
    deadline: Instant,
) -> Result<(Server, Etcd)> {
    let mut attempt = 1;
    loop {
        let (client, peer) = (free_port()?, free_port()?);
        let name = format!("jobclean-{}", Uuid::new_v4());
        let etcd = Etcd::new(client);
        let data = folder.join(format!("etcd-{attempt}"));
        let flags = [
            format!("--name={name}"),
            format!("--data-dir={}", data.display()),
            format!("--listen-client-urls={}", etcd.url()),
            format!("--advertise-client-urls={}", etcd.url()),
            format!("--listen-peer-urls=http://127.0.0.1:{peer}"),
            format!("--initial-advertise-peer-urls=http://127.0.0.1:{peer}"),
            format!("--initial-cluster={name}=http://127.0.0.1:{peer}"),
            "--unsafe-no-fsync".into(),
            "--quota-backend-bytes=8589934592".into(),
            "--max-request-bytes=16777216".into(),
            "--log-level=warn".into(),
        ];
        let log = folder.join("log/etcd.log");
        let mut server = Server::start("etcd", &binaries.etcd(), &flags, log)?;
        match wait_for(&mut server, deadline, || etcd.is_up(&name)) {
            Ok(()) => return Ok((server, etcd)),
            Err(why) if attempt == ATTEMPTS || !lost_its_port(&why) => return Err(why),
            Err(_) => attempt += 1,
        }
    }
}

pub(crate) fn wait_for(
    server: &mut Server,
    deadline: Instant,
    up: impl Fn() -> bool,
) -> Result<()> {
    while !up() {
        if server.has_ended() {
            return Err(Error::new(format!(
                "a server ended at its start; {}",
                server.last_words()
            )));
        }
        if Instant::now() > deadline {
            return Err(Error::new(format!(
                "a server did not come up in time; {}",
                server.last_words()
            )));
        }
        thread::sleep(Duration::from_millis(50));
    }
    Ok(())
}

pub(crate) fn lost_its_port(why: &Error) -> bool {
    why.to_string().contains("address already in use")
}

pub(crate) fn accepts(port: u16) -> bool {
    TcpStream::connect((Ipv4Addr::LOCALHOST, port)).is_ok()
}

pub(crate) fn free_port() -> Result<u16> {
    let cannot = "cannot find a free port";
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).context(cannot)?;
    Ok(listener.local_addr().context(cannot)?.port())
}
