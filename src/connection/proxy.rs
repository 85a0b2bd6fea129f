//! By way of which proxy the server is reached, as Go and so kubectl decide it.
//!
//! kube has rules of its own: it holds `NO_PROXY` against the proxy's address instead of the server's, also for a
//! `proxy-url`, takes `HTTPS_PROXY` for servers of plain HTTP and of this very machine, and fails on what it cannot read
//! in `NO_PROXY`. A run would go another way than kubectl, so the decision is made here.

use std::{env, fmt, net::IpAddr};

use base64::{Engine as _, engine::general_purpose::STANDARD as BASE64};
use http::HeaderValue;
use http::Uri;
use percent_encoding::percent_decode_str;

use crate::error::Error;

/// The most bytes of a name, a password and the server's name together: hyper-util writes the messages that they are in
/// into one buffer of 262 bytes, one after the other.
const SOCKS_LOGIN_MAX: usize = 249;
/// An address of IPv6 takes as much there as a name of this length.
const IPV6_AS_NAME: usize = 15;

/// A proxy, and where it was named. Its address may hold a password, so nothing shows it whole.
#[derive(Clone)]
pub(crate) struct Proxy {
    pub(crate) uri: Uri,
    pub(crate) origin: Origin,
}

/// Where a proxy was named.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Origin {
    /// In the kubeconfig, for this cluster.
    ProxyUrl,
    /// In this variable of the environment.
    Variable(&'static str),
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Origin::ProxyUrl => "proxy-url of the cluster",
            Origin::Variable(name) => name,
        })
    }
}

/// A variable of the environment with its value; both are empty if it is not set.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
struct Variable {
    name: &'static str,
    value: String,
}

/// The variables of the environment that name proxies.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Proxies {
    http: Variable,
    https: Variable,
    no_proxy: String,
    /// Whether this runs as a CGI script, where a client of the web server could set `HTTP_PROXY` by a header.
    is_cgi: bool,
}

impl Proxies {
    /// Those of this process. As in Go, a name in capitals goes first, and there is no `ALL_PROXY`.
    pub(crate) fn from_env() -> Proxies {
        Proxies::read(|name| env::var(name).ok())
    }

    fn read(variable: impl Fn(&str) -> Option<String>) -> Proxies {
        let any = |names: [&'static str; 2]| {
            let mut found = names.into_iter().filter_map(|name| {
                let value = variable(name)?;
                Some(Variable { name, value })
            });
            found
                .find(|variable| !variable.value.is_empty())
                .unwrap_or_default()
        };
        Proxies {
            http: any(["HTTP_PROXY", "http_proxy"]),
            https: any(["HTTPS_PROXY", "https_proxy"]),
            no_proxy: any(["NO_PROXY", "no_proxy"]).value,
            is_cgi: variable("REQUEST_METHOD").is_some_and(|method| !method.is_empty()),
        }
    }

    /// The proxy for this server, `None` for a direct connection. What the kubeconfig says of the cluster (`proxy-url`)
    /// outranks the environment, `NO_PROXY` included.
    ///
    /// # Errors
    /// If the proxy cannot be used.
    pub(crate) fn towards(
        &self,
        server: &Uri,
        proxy_url: Option<&str>,
    ) -> Result<Option<Proxy>, Error> {
        if let Some(named) = proxy_url {
            let proxy = parse(named, &["http", "https", "socks5"]);
            return usable(proxy, Origin::ProxyUrl, server).map(Some);
        }
        let is_https = server.scheme_str() == Some("https");
        let Variable { name, value } = if is_https { &self.https } else { &self.http };
        if value.is_empty() {
            return Ok(None);
        }
        if !is_https && self.is_cgi {
            return Err(Error::failure("HTTP_PROXY is not used where REQUEST_METHOD is set: it may come from a web request",
            )
            .hint("unset one of them"));
        }
        if !self.applies_to(server) {
            return Ok(None);
        }
        let proxy = if value.contains("://") {
            parse(value, &["http", "https", "socks5", "socks5h"])
        } else {
            // A bare host and port is one of HTTP.
            parse(&format!("http://{value}"), &["http"])
        };
        usable(proxy, Origin::Variable(name), server).map(Some)
    }

    /// Whether no rule of Go's keeps the proxies of the environment out of the way to this server.
    fn applies_to(&self, server: &Uri) -> bool {
        let host = server.host().unwrap_or_default();
        let host = host.trim_start_matches('[').trim_end_matches(']');
        let host = host.to_lowercase();
        let default_port = match server.scheme_str() {
            Some("https") => 443,
            _ => 80,
        };
        let port = server.port_u16().unwrap_or(default_port);
        let address: Option<IpAddr> = host
            .parse()
            .ok()
            .map(|address: IpAddr| address.to_canonical());
        if host == "localhost" || address.is_some_and(|address| address.is_loopback()) {
            return false;
        }
        !self
            .no_proxy
            .split(',')
            .map(|entry| entry.trim().to_lowercase())
            .any(|entry| match address {
                Some(address) => excludes_address(&entry, address, port),
                None => excludes_name(&entry, &host, port),
            })
    }
}

/// Whether an entry of `NO_PROXY` is about this address: all of them, its network, or itself.
fn excludes_address(entry: &str, address: IpAddr, port: u16) -> bool {
    if entry == "*" {
        return true;
    }
    if let Some((network, length)) = entry.split_once('/')
        && let (Ok(network), Ok(length)) = (network.parse::<IpAddr>(), length.parse::<u32>())
    {
        return contains(network, length, address);
    }
    let (host, only_port) = split_port(entry);
    host.parse()
        .is_ok_and(|named: IpAddr| named.to_canonical() == address)
        && only_port.is_none_or(|only| only == port.to_string())
}

/// Whether an entry of `NO_PROXY` is about this name: all of them, a domain and all below it, or only what is below.
fn excludes_name(entry: &str, name: &str, port: u16) -> bool {
    if entry == "*" {
        return true;
    }
    let (host, only_port) = split_port(entry);
    let host = host
        .strip_prefix('*')
        .filter(|rest| rest.starts_with('.'))
        .unwrap_or(host);
    if host.is_empty() || only_port.is_some_and(|only| only != port.to_string()) {
        return false;
    }
    if host.starts_with('.') {
        name.ends_with(host)
    } else {
        name == host
            || name
                .strip_suffix(host)
                .is_some_and(|rest| rest.ends_with('.'))
    }
}

/// `host:port`, `[::1]:port`, or a host alone, which may be a bare address of many colons.
fn split_port(entry: &str) -> (&str, Option<&str>) {
    if let Some(rest) = entry.strip_prefix('[')
        && let Some((host, after)) = rest.split_once(']')
    {
        return (host, after.strip_prefix(':'));
    }
    match entry.split_once(':') {
        Some((host, port)) if !port.contains(':') => (host, Some(port)),
        _ => (entry, None),
    }
}

/// Whether the first `length` bits of both are the same.
fn contains(network: IpAddr, length: u32, address: IpAddr) -> bool {
    let same = |a: u128, b: u128, bits: u32| {
        length <= bits && (a ^ b).checked_shr(bits - length).unwrap_or(0) == 0
    };
    match (network, address) {
        (IpAddr::V4(a), IpAddr::V4(b)) => same(u32::from(a).into(), u32::from(b).into(), 32),
        (IpAddr::V6(a), IpAddr::V6(b)) => same(a.into(), b.into(), 128),
        _ => false,
    }
}

/// A proxy's address if it is one of these schemes and names a host. `socks5h` goes on under its older name, since names
/// are left to the proxy under that, too.
fn parse(address: &str, schemes: &[&str]) -> Option<Uri> {
    let (scheme, rest) = address.split_once("://")?;
    let scheme = scheme.to_lowercase();
    let scheme = schemes.iter().find(|known| **known == scheme)?;
    let scheme = match *scheme {
        "socks5h" => "socks5",
        scheme => scheme,
    };
    let proxy: Uri = format!("{scheme}://{rest}").parse().ok()?;
    proxy.host().filter(|host| !host.is_empty())?;
    match (scheme, proxy.port(), proxy.authority()) {
        // What connects knows no default port of SOCKS, and would take that of HTTP.
        ("socks5", None, Some(authority)) => format!("socks5://{authority}:1080").parse().ok(),
        _ => Some(proxy),
    }
}

/// A proxy that can be gone by. Its address may hold a password and is not shown.
fn usable(proxy: Option<Uri>, origin: Origin, server: &Uri) -> Result<Proxy, Error> {
    let what = match origin {
        Origin::ProxyUrl => origin.to_string(),
        Origin::Variable(name) => format!("proxy in {name}"),
    };
    let Some(uri) = proxy else {
        return Err(Error::failure(format!("the {what} cannot be used"))
            .hint("write it as http://HOST:PORT, https://HOST:PORT or socks5://HOST:PORT"));
    };
    let fits = |login: [String; 2]| {
        let host = server.host().map_or(0, str::len).max(IPV6_AS_NAME);
        login.iter().map(String::len).sum::<usize>() + host <= SOCKS_LOGIN_MAX
    };
    let is_usable = |login| name_and_password(login).is_some_and(fits);
    if uri.scheme_str() == Some("socks5") && !self::login(&uri).is_none_or(is_usable) {
        return Err(Error::failure(format!("the login in the {what} cannot be used for SOCKS"),
        )
        .hint(format!(
            "use a name and a password in UTF-8 that have at most {SOCKS_LOGIN_MAX} bytes together with the server's name"
        )));
    }
    Ok(Proxy { uri, origin })
}

/// The login that a proxy's address may hold, still escaped.
pub(crate) fn login(proxy: &Uri) -> Option<&str> {
    let (login, _) = proxy.authority()?.as_str().rsplit_once('@')?;
    Some(login)
}

/// The name and password of a login, `None` if they are no text.
pub(crate) fn name_and_password(login: &str) -> Option<[String; 2]> {
    let (name, password) = login.split_once(':').unwrap_or((login, ""));
    let text = |part| Some(percent_decode_str(part).decode_utf8().ok()?.into_owned());
    Some([text(name)?, text(password)?])
}

/// The header's value for a login, `None` if no header may hold it.
pub(crate) fn basic(login: &str) -> Option<HeaderValue> {
    let has_password = login.contains(':');
    let mut login: Vec<u8> = percent_decode_str(login).collect();
    if !has_password {
        login.push(b':');
    }
    let mut value = HeaderValue::try_from(format!("Basic {}", BASE64.encode(login))).ok()?;
    value.set_sensitive(true);
    Some(value)
}

/// Where a server or proxy is, without who might log in there.
pub(crate) fn address(url: &Uri) -> String {
    let scheme = url.scheme_str().unwrap_or_default();
    let authority = url.authority().map_or("", |authority| authority.as_str());
    let place = authority.rsplit('@').next().unwrap_or_default();
    format!("{scheme}://{place}")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn proxies(variables: &[(&str, &str)]) -> Proxies {
        Proxies::read(|name| {
            let found = variables.iter().find(|(known, _)| *known == name);
            found.map(|(_, value)| (*value).to_owned())
        })
    }

    fn towards(server: &str, variables: &[(&str, &str)]) -> Option<String> {
        let server = server.parse().unwrap();
        let proxy = proxies(variables).towards(&server, None).unwrap();
        proxy.map(|proxy| proxy.uri.to_string())
    }

    /// Whether the server is reached without the proxy for what `NO_PROXY` says.
    fn is_direct(server: &str, no_proxy: &str) -> bool {
        let variables = [
            ("HTTP_PROXY", "http://proxy:1"),
            ("HTTPS_PROXY", "http://proxy:1"),
            ("NO_PROXY", no_proxy),
        ];
        towards(server, &variables).is_none()
    }

    #[test]
    fn each_scheme_has_its_variable_and_capitals_go_first() {
        let both = [("HTTP_PROXY", "http://a:1"), ("HTTPS_PROXY", "http://b:2")];
        assert_eq!(towards("http://h", &both).unwrap(), "http://a:1/");
        assert_eq!(towards("https://h", &both).unwrap(), "http://b:2/");
        let cases = [("https_proxy", "http://a:1"), ("HTTPS_PROXY", "http://b:2")];
        assert_eq!(towards("https://h", &cases).unwrap(), "http://b:2/");
        let empty = [("https_proxy", "http://a:1"), ("HTTPS_PROXY", "")];
        assert_eq!(towards("https://h", &empty).unwrap(), "http://a:1/");
        for other in ["ALL_PROXY", "all_proxy", "HTTP_PROXY"] {
            assert_eq!(towards("https://h", &[(other, "http://a:1")]), None);
        }
    }

    #[test]
    fn a_proxy_is_written_in_several_ways() {
        for (written, read) in [
            ("a:1", "http://a:1/"),
            ("a", "http://a/"),
            ("HTTP://a:1", "http://a:1/"),
            ("https://a:1", "https://a:1/"),
            ("socks5://a:1", "socks5://a:1/"),
            ("socks5h://a:1", "socks5://a:1/"),
            ("http://ada:word@a:1", "http://ada:word@a:1/"),
            ("socks5://ada:word@a:1", "socks5://ada:word@a:1/"),
            ("socks5://a", "socks5://a:1080/"),
            (
                "socks5h://ada:word@[::1]/x",
                "socks5://ada:word@[::1]:1080/",
            ),
        ] {
            let found = towards("https://h", &[("HTTPS_PROXY", written)]);
            assert_eq!(found.as_deref(), Some(read), "{written}");
        }
        let server = "https://h".parse().unwrap();
        let long = |length| format!("socks5://ada:word{}@a:1", "x".repeat(length));
        let fits = [("HTTPS_PROXY", &*long(227))];
        assert!(proxies(&fits).towards(&server, None).is_ok());
        let no_text = "socks5://ada:word%FF@a:1";
        for wrong in ["ftp://a:1", "http://", "http://a b", no_text, &long(228)] {
            let error = proxies(&[("HTTPS_PROXY", wrong)]).towards(&server, None);
            let error = error.map(|_| ()).expect_err(wrong);
            assert!(!error.message.contains("word"), "{error}");
        }
        // What the kubeconfig says is read more narrowly.
        for wrong in ["a:1", "socks5h://a:1"] {
            assert!(
                proxies(&[]).towards(&server, Some(wrong)).is_err(),
                "{wrong}"
            );
        }
    }

    #[test]
    fn what_the_kubeconfig_says_outranks_the_environment() {
        let environment = proxies(&[("HTTPS_PROXY", "http://a:1"), ("NO_PROXY", "*")]);
        for server in ["https://h", "https://127.0.0.1:6443", "http://localhost"] {
            let proxy = environment.towards(&server.parse().unwrap(), Some("http://b:2"));
            assert_eq!(proxy.unwrap().unwrap().uri, "http://b:2/", "{server}");
        }
    }

    #[test]
    fn this_machine_is_not_behind_a_proxy() {
        for server in [
            "https://localhost:6443",
            "https://LOCALHOST",
            "https://127.0.0.1:6443",
            "https://127.9.8.7",
            "https://[::1]:6443",
        ] {
            assert!(is_direct(server, ""), "{server}");
        }
        assert!(!is_direct("https://localhost.example", ""));
        assert!(!is_direct("https://128.0.0.1", ""));
    }

    #[test]
    fn names_are_excepted_with_what_is_below_them() {
        for (no_proxy, name, expected) in [
            ("example.com", "example.com", true),
            ("example.com", "EXAMPLE.com", true),
            ("Example.Com", "api.example.com", true),
            ("example.com", "myexample.com", false),
            (".example.com", "example.com", false),
            (".example.com", "api.example.com", true),
            ("*.example.com", "api.example.com", true),
            ("*.example.com", "example.com", false),
            ("*example.com", "myexample.com", false),
            ("*", "anything.at.all", true),
            ("a, example.com ,b", "example.com", true),
            ("a,,*,b", "example.com", true),
            ("a,,b", "example.com", false),
            ("example.com:6443", "example.com", true),
            ("example.com:443", "example.com", false),
            (".example.com:6443", "api.example.com", true),
            (":6443", "example.com", false),
            ("10.0.0.0/8", "example.com", false),
        ] {
            let found = is_direct(&format!("https://{name}:6443"), no_proxy);
            assert_eq!(found, expected, "{no_proxy} and {name}");
        }
        assert!(is_direct("https://example.com", "example.com:443"));
        assert!(is_direct("http://example.com", "example.com:80"));
    }

    #[test]
    fn addresses_are_excepted_by_themselves_and_by_networks() {
        for (no_proxy, address, expected) in [
            ("10.1.2.3", "10.1.2.3", true),
            ("10.1.2.3:6443", "10.1.2.3", true),
            ("10.1.2.3:443", "10.1.2.3", false),
            ("10.1.2", "10.1.2.3", false),
            (".3", "10.1.2.3", false),
            ("*", "10.1.2.3", true),
            ("10.0.0.0/8", "10.1.2.3", true),
            ("10.0.0.0/8", "11.1.2.3", false),
            ("10.1.2.0/23", "10.1.3.9", true),
            ("0.0.0.0/0", "11.1.2.3", true),
            ("10.0.0.0/33", "10.1.2.3", false),
            ("fd00::/8", "[fd12::1]", true),
            ("fd00::/8", "[fe12::1]", false),
            ("fd12::1", "[fd12::1]", true),
            ("[fd12::1]", "[fd12::1]", true),
            ("[fd12::1]:6443", "[fd12::1]", true),
            ("[fd12::1]:443", "[fd12::1]", false),
            ("::/0", "10.1.2.3", false),
        ] {
            let found = is_direct(&format!("https://{address}:6443"), no_proxy);
            assert_eq!(found, expected, "{no_proxy} and {address}");
        }
    }

    #[test]
    fn a_web_request_names_no_proxy() {
        let variables = [("HTTP_PROXY", "http://a:1"), ("REQUEST_METHOD", "GET")];
        let proxies = proxies(&variables);
        assert!(proxies.towards(&"http://h".parse().unwrap(), None).is_err());
        assert_eq!(towards("https://h", &variables), None);
    }
}
