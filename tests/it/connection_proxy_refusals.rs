//! Proxies that let nothing through: they are named, and not the cluster, and their logins are not shown.

use std::io::{BufRead as _, BufReader, Write as _};
use std::net::TcpListener;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

use serde_json::json;

use crate::support::kubeconfig::{Files, arg};
use crate::support::{LABEL, Run, run, stub, tool};

const SERVER: &str = "https://api.corp.example:6443";

/// A proxy that answers every request for a tunnel with this, and counts them.
struct Refusing {
    address: String,
    asked: Arc<AtomicUsize>,
}

impl Refusing {
    fn new(answer: &'static str) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap().to_string();
        let asked = Arc::new(AtomicUsize::new(0));
        let count = Arc::clone(&asked);
        thread::spawn(move || {
            for mut client in listener.incoming().flatten() {
                let mut lines = BufReader::new(client.try_clone().unwrap()).lines();
                while lines
                    .next()
                    .is_some_and(|line| line.is_ok_and(|line| !line.is_empty()))
                {}
                count.fetch_add(1, Ordering::SeqCst);
                let _ = client.write_all(answer.as_bytes());
            }
        });
        Self { address, asked }
    }
}

/// Plans by way of a proxy that a variable names.
fn by_variable(variable: &str, server: &str, proxy: &str) -> Run {
    let mut command = tool();
    command
        .env(variable, proxy)
        .args(["-s", server, "--kubeconfig", "/dev/null", "--token", "x"])
        .args(["-n", "a", "-L", LABEL, "--dry-run=client"]);
    run(command)
}

#[track_caller]
fn blames_the_proxy(run: Run, words: &[&str], hints: &[&str]) {
    let run = run.fails_clearly(words);
    for hint in hints {
        assert!(run.err.contains(hint), "{hint}\n{}", run.story());
    }
    for secret in ["sesame", "ada"] {
        assert!(!run.err.contains(secret), "{}", run.story());
    }
}

#[test]
fn a_proxy_that_refuses_is_named_and_asked_once() {
    for (answer, status) in [
        ("HTTP/1.1 403 Forbidden\r\n\r\n", "403 Forbidden"),
        ("HTTP/1.1 407 Proxy Authentication Required\r\n\r\n", "407"),
        (
            "HTTP/1.1 403 No\r\nContent-Type: text/html\r\n\r\n<html>no</html>",
            "403",
        ),
        ("HTTP/1.0 302 Found\r\nLocation: /login\r\n\r\n", "302"),
        ("220 smtp.corp.example\r\n\r\n", "does not speak HTTP"),
    ] {
        let proxy = Refusing::new(answer);
        let url = format!("http://ada:sesame@{}", proxy.address);
        let run = by_variable("HTTPS_PROXY", SERVER, &url);
        let place = format!("http://{}", proxy.address);
        let words = [
            "the proxy",
            &place,
            "HTTPS_PROXY",
            status,
            "api.corp.example:6443",
        ];
        blames_the_proxy(run, &words, &["NO_PROXY"]);
        assert_eq!(proxy.asked.load(Ordering::SeqCst), 1, "{answer}");
    }
}

#[test]
fn trouble_of_a_proxy_that_may_pass_is_tried_again() {
    for answer in ["", "HTTP/1.1 502 Bad Gateway\r\n\r\n"] {
        let proxy = Refusing::new(answer);
        let url = format!("http://ada:sesame@{}", proxy.address);
        let run = by_variable("https_proxy", SERVER, &url);
        let place = format!("http://{}", proxy.address);
        blames_the_proxy(run, &["the proxy", &place, "https_proxy"], &["NO_PROXY"]);
        assert!(proxy.asked.load(Ordering::SeqCst) > 1, "{answer}");
    }
}

#[test]
fn a_proxy_that_is_not_there_is_named() {
    let closed = stub::closed().replace("http://", "");
    for (variable, server) in [
        ("HTTPS_PROXY", SERVER),
        ("HTTP_PROXY", "http://api.corp.example:8080"),
    ] {
        let url = format!("http://ada:sesame@{closed}");
        let run = by_variable(variable, server, &url);
        blames_the_proxy(
            run,
            &["the proxy", &closed, variable, "connection refused"],
            &["NO_PROXY"],
        );
    }
    let run = by_variable(
        "HTTPS_PROXY",
        SERVER,
        "http://ada:sesame@proxy.invalid:3128",
    );
    blames_the_proxy(
        run,
        &["the proxy", "http://proxy.invalid:3128", "HTTPS_PROXY"],
        &["NO_PROXY"],
    );
}

#[test]
fn a_proxy_of_the_kubeconfig_is_named_as_that() {
    let files = Files::new();
    let proxy = Refusing::new("HTTP/1.1 403 Forbidden\r\n\r\n");
    let cluster =
        json!({"server": SERVER, "proxy-url": format!("http://ada:sesame@{}", proxy.address)});
    let config = files.simple("config", &cluster, &json!({"token": "x"}));
    let mut command = tool();
    command.args([
        "--kubeconfig",
        arg(&config),
        "-n",
        "a",
        "-L",
        LABEL,
        "--dry-run=client",
    ]);
    let run = run(command);
    assert!(
        !run.err.contains("NO_PROXY"),
        "it does not help there\n{}",
        run.story()
    );
    blames_the_proxy(run, &["the proxy", "proxy-url", "403"], &[]);
}
