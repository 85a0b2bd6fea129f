//! Certificates and keys that kubectl takes and that are not what TLS libraries make by themselves. The files are made by
//! `tests/data/tls/make.sh`.

use std::collections::BTreeSet;
use std::fs;
use std::io::Write as _;
use std::net::TcpListener;
use std::path::PathBuf;
use std::process::Command;
use std::thread;

use controlplane::checkout;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject as _;

use crate::support::kubeconfig::{Files, arg};
use crate::support::proxy::{Proxy, Tls};
use crate::support::{ApiClient, LABEL, Run, Space, plane, run, tool};

fn path(name: &str) -> PathBuf {
    checkout().join("tests/data/tls").join(name)
}

fn read(name: &str) -> String {
    fs::read_to_string(path(name)).unwrap()
}

/// Plans by way of a server with this certificate, as the user that these flags name; and kubectl beside it.
struct Server {
    space: Space,
    proxy: Proxy,
}

impl Server {
    fn new(certificate: &str, key: &str) -> Self {
        let tls = Tls::new(&read(certificate), &read(key));
        let proxy = Proxy::with(tls, ApiClient::admin(plane()), |request, up| {
            let mut request = request.clone();
            request.headers.retain(|(name, _)| name != "authorization");
            up.pass(&request)
        });
        Self {
            space: Space::with(&[("sync-1", 2), ("sync-2", 1)]),
            proxy,
        }
    }

    fn plan(&self, flags: &[&str]) -> Run {
        let mut command = tool();
        command
            .args([
                "-s",
                &self.proxy.url_in_tls(),
                "-n",
                &self.space.name,
                "-L",
                LABEL,
            ])
            .args([
                "--dry-run=client",
                "-o",
                "name",
                "--kubeconfig",
                "/dev/null",
            ])
            .args(flags);
        run(command)
    }

    /// Whether kubectl gets through with the same flags.
    fn kubectl(&self, flags: &[&str]) -> bool {
        let files = Files::new();
        let mut command = Command::new(plane().kubectl());
        command
            .env_clear()
            .env("HOME", arg(&files.path("home")))
            .env("KUBERC", "off")
            .args(["-s", &self.proxy.url_in_tls(), "-n", &self.space.name])
            .args(["get", "jobs", "--kubeconfig", "/dev/null"])
            .args(flags);
        command.output().unwrap().status.success()
    }

    #[track_caller]
    fn works(&self, flags: &[&str]) {
        // Without any credentials kubectl asks for some.
        let token = ["--token", "x"];
        let is_known = flags.contains(&"--client-certificate");
        let flags = &[flags, if is_known { &[] } else { &token }].concat();
        assert!(self.kubectl(flags), "kubectl does not get through");
        let run = self.plan(flags).exits(0);
        assert_eq!(run.out, "job.batch/sync-1\n", "{}", run.story());
    }

    #[track_caller]
    fn fails(&self, flags: &[&str], words: &[&str]) {
        self.plan(flags).fails_clearly(words);
    }
}

fn authority(name: &str) -> [String; 2] {
    [
        "--certificate-authority".to_owned(),
        arg(&path(name)).to_owned(),
    ]
}

#[test]
fn a_server_may_show_what_is_itself_named() {
    for (shown, key, named) in [
        ("self.pem", "p256.key", "self.pem"),
        ("leaf.pem", "p256.key", "leaf.pem"),
        ("leaf.pem", "p256.key", "authority.pem"),
        // What cannot be read does not spoil the rest.
        ("leaf.pem", "p256.key", "authority-and-junk.pem"),
    ] {
        println!("{shown} by {named}");
        let [flag, file] = authority(named);
        Server::new(shown, key).works(&[&flag, &file]);
    }
}

/// That it is named is not enough: it must be this very one, good now, for servers, and for this one.
#[test]
fn what_is_itself_named_is_checked_all_the_same() {
    for (shown, key, named, words) in [
        ("self.pem", "p256.key", "self-again.pem", "CA:TRUE"),
        ("self-again.pem", "p256.key", "self.pem", "CA:TRUE"),
        (
            "self-elsewhere.pem",
            "p256.key",
            "self-elsewhere.pem",
            "for another name",
        ),
        (
            "self-expired.pem",
            "p256.key",
            "self-expired.pem",
            "expired",
        ),
        (
            "self-for-clients.pem",
            "p256.key",
            "self-for-clients.pem",
            "not for servers",
        ),
        ("self.pem", "p256.key", "authority.pem", "CA:TRUE"),
        (
            "leaf.pem",
            "p256.key",
            "self.pem",
            "authority that is not trusted",
        ),
        ("below-leaf.pem", "rsa2048.key", "leaf.pem", "CA:FALSE"),
        // An authority has to be good itself.
        (
            "leaf.pem",
            "p256.key",
            "authority-expired.pem",
            "the authority that signed its certificate has expired",
        ),
        (
            "leaf.pem",
            "p256.key",
            "authority-for-clients.pem",
            "the authority that signed its certificate is not for servers",
        ),
    ] {
        println!("{shown} by {named}");
        let [flag, file] = authority(named);
        let server = Server::new(shown, key);
        assert!(
            !server.kubectl(&[&flag, &file, "--token=x"]),
            "kubectl gets through"
        );
        server.fails(&[&flag, &file], &[words]);
    }
    // Who has the certificate and not its key is not the server.
    let [flag, file] = authority("self.pem");
    Server::new("self.pem", "rsa2048.key")
        .plan(&[&flag, &file])
        .exits(1);
}

#[test]
fn the_reason_is_told_where_a_signature_is_not_known() {
    for (shown, named, words) in [
        ("by-sha512.pem", "authority-p256.pem", "ECDSA with SHA-512"),
        ("by-p521.pem", "authority-p521.pem", "P-521"),
    ] {
        let [flag, file] = authority(named);
        Server::new(shown, "p256.key").fails(&[&flag, &file], &[words]);
    }
    // A server whose own key is of a kind that the client does not know says this.
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("https://{}", listener.local_addr().unwrap());
    thread::spawn(move || {
        for mut client in listener.incoming().flatten() {
            let _ = client.write_all(&[0x15, 3, 3, 0, 2, 2, 40]);
        }
    });
    let mut command = tool();
    let [flag, file] = authority("authority.pem");
    command.args([
        "-s",
        &url,
        "-n",
        "a",
        "-L",
        LABEL,
        "--dry-run=client",
        &flag,
        &file,
    ]);
    let run = run(command).fails_clearly(&["TLS handshake"]);
    assert!(run.err.contains("P-256"), "{}", run.story());
    assert!(!run.err.contains("client certificate"), "{}", run.story());
}

/// What a client shows is what its file holds.
#[test]
fn client_certificates_and_keys_of_every_form_are_shown() {
    let server = Server::new("leaf.pem", "p256.key");
    let [flag, file] = authority("authority.pem");
    let mut expected = BTreeSet::new();
    for (certificate, key) in [
        ("client-p256.pem", "p256.key"),
        ("client-rsa2048.pem", "rsa2048.key"),
        ("client-rsa2048.pem", "pkcs1-as-pkcs8.key"),
        ("client-p256.pem", "sec1-as-pkcs8.key"),
        ("client-version-1.pem", "p256.key"),
    ] {
        println!("{certificate} with {key}");
        let (certificate, key) = (path(certificate), path(key));
        let client = [
            "--client-certificate",
            arg(&certificate),
            "--client-key",
            arg(&key),
        ];
        server.works(&[&client[..], &[&flag, &file]].concat());
        expected.insert(CertificateDer::from_pem_file(certificate).unwrap().to_vec());
        assert_eq!(server.proxy.clients(), expected);
    }
}

#[test]
fn the_reason_is_told_where_a_clients_key_cannot_be_used() {
    let server = Server::new("leaf.pem", "p256.key");
    let [flag, file] = authority("authority.pem");
    for (certificate, key, words) in [
        ("client-p521.pem", "p521.key", "P-521"),
        (
            "client-rsa1024.pem",
            "rsa1024.key",
            "an RSA key of 1024 bits",
        ),
        (
            "client-rsa8192.pem",
            "rsa8192.key",
            "an RSA key of 8192 bits",
        ),
        (
            "client-p256.pem",
            "rsa2048.key",
            "do not belong to each other",
        ),
        (
            "client-rsa2048.pem",
            "p256.key",
            "do not belong to each other",
        ),
        ("client-p256.pem", "authority.pem", "client key"),
        ("p256.key", "p256.key", "client certificate"),
    ] {
        let (certificate, key) = (path(certificate), path(key));
        let client = [
            "--client-certificate",
            arg(&certificate),
            "--client-key",
            arg(&key),
        ];
        server.fails(&[&client[..], &[&flag, &file]].concat(), &[words]);
    }
    assert_eq!(server.proxy.clients().len(), 0);
}

/// As in an image without anything but the program.
#[test]
fn a_machine_may_have_no_authorities() {
    let server = Server::new("leaf.pem", "p256.key");
    let plain = Proxy::new(ApiClient::admin(plane()), |request, up| up.pass(request));
    let [flag, file] = authority("authority.pem");
    let plan = |flags: &[&str]| {
        let mut command = tool();
        command
            .env("SSL_CERT_FILE", "/none")
            .env("SSL_CERT_DIR", "/none")
            .args(["-n", &server.space.name, "-L", LABEL])
            .args([
                "--dry-run=client",
                "-o",
                "name",
                "--kubeconfig",
                "/dev/null",
            ])
            .args(flags);
        run(command)
    };
    for flags in [
        &["-s", &plain.url][..],
        &[
            "-s",
            &server.proxy.url_in_tls(),
            "--insecure-skip-tls-verify",
        ],
        &["-s", &server.proxy.url_in_tls(), &flag, &file],
    ] {
        let run = plan(flags).exits(0);
        assert_eq!(run.out, "job.batch/sync-1\n", "{}", run.story());
    }
    let run = plan(&["-s", &server.proxy.url_in_tls()]);
    let run = run.fails_clearly(&["this machine has no certificate authorities"]);
    assert!(
        run.err.contains("--certificate-authority"),
        "{}",
        run.story()
    );
}
