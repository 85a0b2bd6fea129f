//! By way of which proxies kubectl and this tool come to the server, side by side.

use std::thread;

use serde_json::{Value, json};

use crate::support::kubeconfig::Files;
use crate::support::listener::Listener;
use crate::support::plane;
use crate::support::side_by_side::SideBySide;

/// A name in the server's certificate that leads nowhere: only a proxy can help.
const NOWHERE: &str = "kubernetes.default.svc:6443";

/// Two proxies in front of the server, of HTTP and of SOCKS.
struct Proxies {
    files: Files,
    http: Listener,
    socks: Listener,
    user: Value,
}

impl Proxies {
    fn new() -> Self {
        let (files, server) = (Files::new(), plane().server_url());
        Self {
            user: files.user("ada", &[]),
            files,
            http: Listener::connect(&server),
            socks: Listener::socks(&server),
        }
    }

    /// A pair that wants to get there, as a file of this name says.
    fn towards(&self, name: &str, address: &str, more: &Value) -> SideBySide<'_> {
        let mut cluster = json!({
            "server": format!("https://{address}"), "certificate-authority": self.files.ca(),
        });
        cluster
            .as_object_mut()
            .unwrap()
            .extend(more.as_object().unwrap().clone());
        let path = self.files.simple(name, &cluster, &self.user);
        SideBySide::new(&self.files)
            .env("KUBECONFIG", path)
            .door("http", &self.http)
            .door("socks", &self.socks)
    }

    /// One that a proxy of the kubeconfig may help.
    fn by_kubeconfig(&self, address: &str, proxy: &str) -> SideBySide<'_> {
        self.towards("config", address, &json!({"proxy-url": proxy}))
    }
}

/// Where the server listens, by a name for it that is its own.
fn at_home() -> String {
    plane().server_url().replace("https://", "")
}

#[test]
fn a_proxy_of_the_kubeconfig_stands_before_every_server() {
    let proxies = Proxies::new();
    let (http, socks) = (&proxies.http.address, &proxies.socks.address);
    for (url, door) in [
        (format!("http://{http}"), "http"),
        (format!("http://{http}/"), "http"),
        (format!("socks5://{socks}"), "socks"),
    ] {
        for address in [NOWHERE, "kubernetes.default.svc", &at_home()] {
            println!("{url} to {address}");
            let target = match address.contains(':') {
                true => format!("{door} {address}"),
                false => format!("{door} {address}:443"),
            };
            let pair = proxies.by_kubeconfig(address, &url);
            // Nothing in the environment changes that.
            let pair = pair
                .env("NO_PROXY", "*")
                .env("HTTPS_PROXY", "http://127.0.0.1:1");
            pair.agree().is("ada", &[&target]);
        }
    }
    let pair = proxies.by_kubeconfig(NOWHERE, &format!("http://{http}"));
    pair.env("NO_PROXY", "127.0.0.1,,")
        .agree()
        .is("ada", &[&format!("http {NOWHERE}")]);
    let long = "x".repeat(249 - "ada".len() - NOWHERE.len().max(15));
    for (login, expected) in [
        (
            format!("http://ada:p%40ss@{http}"),
            format!("http {NOWHERE} with Basic YWRhOnBAc3M="),
        ),
        (
            format!("http://ada@{http}"),
            format!("http {NOWHERE} with Basic YWRhOg=="),
        ),
        (
            format!("socks5://ada:p%40s%3As@{socks}"),
            format!("socks {NOWHERE} with ada p@s:s"),
        ),
        (
            format!("socks5://ada:{long}@{socks}"),
            format!("socks {NOWHERE} with ada {long}"),
        ),
    ] {
        let pair = proxies.by_kubeconfig(NOWHERE, &login);
        pair.agree().is("ada", &[&expected]);
    }
    for wrong in [
        http.clone(),
        format!("ftp://{http}"),
        format!("socks5h://{socks}"),
    ] {
        let seen = proxies
            .by_kubeconfig(NOWHERE, &wrong)
            .refuse(&["proxy-url"]);
        assert!(seen.doors.is_empty());
    }
}

#[test]
fn a_proxy_of_the_environment_stands_before_other_machines() {
    let proxies = Proxies::new();
    let (http, socks) = (&*proxies.http.address, &*proxies.socks.address);
    let to = |address: &str| proxies.towards("config", address, &json!({}));
    for (name, url, door) in [
        ("HTTPS_PROXY", format!("http://{http}"), "http"),
        ("https_proxy", format!("http://{http}"), "http"),
        ("HTTPS_PROXY", http.to_owned(), "http"),
        ("HTTPS_PROXY", format!("socks5://{socks}"), "socks"),
        ("HTTPS_PROXY", format!("socks5h://{socks}"), "socks"),
    ] {
        println!("{name}={url}");
        to(NOWHERE)
            .env(name, &url)
            .agree()
            .is("ada", &[&format!("{door} {NOWHERE}")]);
        // This machine is not behind it.
        to(&at_home()).env(name, &url).agree().is("ada", &[]);
    }
    let localhost = at_home().replace("127.0.0.1", "localhost");
    to(&localhost)
        .env("HTTPS_PROXY", http)
        .agree()
        .is("ada", &[]);
    let both = to(NOWHERE)
        .env("HTTPS_PROXY", http)
        .env("https_proxy", socks);
    both.agree().is("ada", &[&format!("http {NOWHERE}")]);
    let empty = to(NOWHERE).env("HTTPS_PROXY", "").env("https_proxy", http);
    empty.agree().is("ada", &[&format!("http {NOWHERE}")]);
}

/// An address that is not this machine's own by Go's rules and still leads to it: the way without a proxy can be gone.
#[test]
fn what_needs_no_proxy_goes_without() {
    let proxies = Proxies::new();
    let port = at_home().rsplit(':').next().unwrap().to_owned();
    let address = format!("0.0.0.0:{port}");
    let name = json!({"tls-server-name": "localhost"});
    let (same_port, other_port) = (format!("0.0.0.0:{port}"), "0.0.0.0:443");
    for (no_proxy, is_direct) in [
        ("", false),
        ("0.0.0.0", true),
        (&same_port, true),
        (other_port, false),
        ("0.0.0.0/8", true),
        (" 10.0.0.0/8 , 0.0.0.0/8 ", true),
        ("10.0.0.0/8", false),
        ("0.0.0", false),
        ("localhost,127.0.0.1", false),
        ("a,,b", false),
        ("*", true),
        ("a,*", true),
    ] {
        println!("NO_PROXY={no_proxy}");
        let pair = proxies.towards("config", &address, &name);
        let pair = pair
            .env("HTTPS_PROXY", &proxies.http.address)
            .env("NO_PROXY", no_proxy);
        let through = format!("http {address}");
        let expected: &[&str] = if is_direct { &[] } else { &[&through] };
        pair.agree().is("ada", expected);
    }
}

/// By its name the server cannot be reached without the proxy, so that both fail where they do without. That takes time,
/// since both try more than once: all at once.
#[test]
fn names_that_need_no_proxy_go_without() {
    let cases = [
        ("kubernetes.default.svc", true),
        ("KUBERNETES.default.svc", true),
        ("svc", true),
        (".svc", true),
        ("*.svc", true),
        (".kubernetes.default.svc", false),
        ("ubernetes.default.svc", false),
        ("kubernetes.default.svc:6443", true),
        ("kubernetes.default.svc:443", false),
        ("x, svc", true),
    ];
    thread::scope(|scope| {
        for (no_proxy, is_direct) in cases {
            scope.spawn(move || {
                let proxies = Proxies::new();
                let pair = proxies.towards("config", NOWHERE, &json!({}));
                let pair = pair.env("HTTPS_PROXY", &proxies.http.address);
                let pair = pair.env("NO_PROXY", no_proxy);
                match is_direct {
                    true => drop(pair.refuse(&["kubernetes.default.svc"])),
                    false => pair.agree().is("ada", &[&format!("http {NOWHERE}")]),
                }
            });
        }
        for other in ["HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"] {
            scope.spawn(move || {
                let proxies = Proxies::new();
                let pair = proxies.towards("config", NOWHERE, &json!({}));
                let seen = pair
                    .env(other, &proxies.http.address)
                    .refuse(&["kubernetes.default.svc"]);
                assert!(seen.doors.is_empty(), "{other}");
            });
        }
    });
}
