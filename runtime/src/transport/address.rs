//! [`Address`]: an endpoint that was read, the same for every engine. What is wrong with one is told with what to write instead.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use super::TransportError;

/// Where to listen, or what to connect to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Address {
    /// `tcp://host:port`
    Tcp { host: Host, port: u16 },
    /// `ipc://path`, or `ipc://@name` for an abstract name of Linux.
    Ipc(String),
    /// `inproc://name`
    Inproc(String),
}

/// The host of a TCP endpoint.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Host {
    /// `*`: all interfaces, by IPv4.
    Any,
    Ip(IpAddr),
    /// The name of a host; at a server also that of a network interface, such as `eth0`.
    Name(String),
}

/// Maximum length in bytes of the path of a Unix socket, or of an abstract name: `sun_path` less one byte, for a NUL. Source:
/// `unix(7)` of Linux, `unix(4)` of the BSDs and macOS.
const MAX_PATH_BYTES: usize = if cfg!(any(target_os = "linux", target_os = "android")) { 107 } else { 103 };

fn wrong<T>(what: impl Into<String>) -> Result<T, TransportError> {
    Err(TransportError::Endpoint(what.into()))
}

impl Address {
    /// Reads the endpoint of a server. A port may be `*` or 0, for any that is free.
    pub(crate) fn to_bind(endpoint: &str) -> Result<Self, TransportError> {
        Self::read(endpoint, true)
    }

    /// Reads the endpoint of a client.
    pub(crate) fn to_connect(endpoint: &str) -> Result<Self, TransportError> {
        Self::read(endpoint, false)
    }

    /// Returns an endpoint in the one way to write it in which all endpoints of the same meaning are equal. One that can't be read stays as
    /// it is. Names are not looked up: `localhost` is another host than `127.0.0.1`.
    pub(crate) fn normalized(endpoint: &str) -> String {
        match Self::to_bind(endpoint) {
            Ok(Self::Tcp { host, port }) => {
                let host = match host {
                    Host::Any => IpAddr::from(Ipv4Addr::UNSPECIFIED).to_string(),
                    Host::Ip(ip) => match ip.to_canonical() {
                        IpAddr::V4(ip) => ip.to_string(),
                        IpAddr::V6(ip) => format!("[{ip}]"),
                    },
                    Host::Name(name) => name.to_lowercase(),
                };
                format!("tcp://{host}:{port}")
            }
            Ok(Self::Ipc(path)) if !path.starts_with('@') => {
                let root = if path.starts_with('/') { "/" } else { "" };
                let parts: Vec<_> = path.split('/').filter(|part| !matches!(*part, "" | ".")).collect();
                format!("ipc://{root}{}", parts.join("/"))
            }
            Ok(Self::Ipc(_) | Self::Inproc(_)) | Err(_) => endpoint.to_owned(),
        }
    }

    fn read(endpoint: &str, binds: bool) -> Result<Self, TransportError> {
        if endpoint.contains('\0') {
            return Err(TransportError::NulInEndpoint);
        }
        match endpoint.split_once("://") {
            Some(("tcp", rest)) => Self::tcp(rest, binds),
            Some(("ipc" | "inproc", "")) => wrong("the name after `://` is missing"),
            Some(("ipc", path)) => Self::ipc(path),
            Some(("inproc", name)) => Ok(Self::Inproc(name.to_owned())),
            Some(("unix", path)) => wrong(format!("there is no transport `unix`; use `ipc://{path}`")),
            Some((scheme, _)) => {
                wrong(format!("there is no transport `{scheme}`; use `tcp://`, `ipc://` or `inproc://`"))
            }
            None => Self::without_scheme(endpoint, binds),
        }
    }

    fn without_scheme(text: &str, binds: bool) -> Result<Self, TransportError> {
        let start = "an endpoint starts with `tcp://`, `ipc://` or `inproc://`";
        if Self::tcp(text, binds).is_ok() {
            wrong(format!("{start}; this may be meant for `tcp://{text}`"))
        } else if text.starts_with('/') {
            wrong(format!("{start}; this may be meant for `ipc://{text}`"))
        } else {
            wrong(start)
        }
    }

    fn ipc(path: &str) -> Result<Self, TransportError> {
        let name = path.strip_prefix('@');
        if cfg!(not(unix)) {
            return wrong("this system has no Unix sockets; use `tcp://`");
        }
        if name.is_some() && cfg!(not(any(target_os = "linux", target_os = "android"))) {
            return wrong("only Linux has abstract names; use a path");
        }
        if path == "*" {
            return wrong("a path is needed, such as `ipc:///run/tape.sock`");
        }
        let (what, bytes) = name.map_or(("path", path.len()), |name| ("name", name.len()));
        if bytes > MAX_PATH_BYTES {
            return wrong(format!(
                "the {what} has {bytes} bytes; that of a Unix socket may have {MAX_PATH_BYTES}"
            ));
        }
        Ok(Self::Ipc(path.to_owned()))
    }

    fn tcp(rest: &str, binds: bool) -> Result<Self, TransportError> {
        if let Some((source, _)) = rest.split_once(';') {
            return wrong(format!("the source address `{source}` can't be chosen; leave `{source};` out"));
        }
        if rest.is_empty() {
            return wrong("the host and the port are missing, as in `tcp://127.0.0.1:7100`");
        }
        let missing = |host: &str| wrong(format!("the port is missing, as in `tcp://{host}:7100`"));
        match rest.rsplit_once(':') {
            None => missing(rest),
            Some(_) if rest.ends_with(']') => missing(rest),
            Some((host, "")) => missing(host),
            Some((host, port)) => {
                Ok(Self::Tcp { host: Self::host(host, rest, binds)?, port: Self::port(port, binds)? })
            }
        }
    }

    fn port(text: &str, binds: bool) -> Result<u16, TransportError> {
        let number = text.parse::<u16>().ok().filter(|_| text.bytes().all(|byte| byte.is_ascii_digit()));
        match number.or((text == "*").then_some(0)) {
            Some(0) if !binds => wrong(format!("a client needs the server's port, and `{text}` is none")),
            Some(port) => Ok(port),
            None => wrong(format!("`{text}` is no port; it is a number up to 65535")),
        }
    }

    /// Reads the host of a TCP endpoint, of which `rest` is all after `tcp://`.
    fn host(host: &str, rest: &str, binds: bool) -> Result<Host, TransportError> {
        if let Some(inner) = host.strip_prefix('[').and_then(|host| host.strip_suffix(']')) {
            return match inner.parse::<Ipv6Addr>() {
                Ok(ip) => Ok(Host::Ip(ip.into())),
                Err(_) => wrong(format!("`{inner}` is no IPv6 address")),
            };
        }
        match host.parse::<IpAddr>() {
            Ok(IpAddr::V4(ip)) => return Ok(Host::Ip(ip.into())),
            Ok(IpAddr::V6(_)) => return wrong(format!("an IPv6 address stands in brackets: `[{host}]`")),
            Err(_) if rest.parse::<Ipv6Addr>().is_ok() => {
                return wrong(format!(
                    "an IPv6 address stands in brackets, before its port: `tcp://[{rest}]:7100`"
                ));
            }
            Err(_) => {}
        }
        let is_name = host.chars().all(|c| c.is_alphanumeric() || matches!(c, '.' | '-' | '_'));
        match host {
            "*" if binds => Ok(Host::Any),
            "*" => wrong("`*` is no host to connect to; name the server's, as in `tcp://127.0.0.1:7100`"),
            "" => wrong("the host is missing, as in `tcp://127.0.0.1:7100`"),
            // As a name it would never be found. Source: RFC 3696, section 2.
            _ if host.chars().all(|c| c.is_ascii_digit() || c == '.') => {
                wrong(format!("`{host}` is no IPv4 address"))
            }
            _ if !is_name => wrong(format!("`{host}` is no host")),
            _ => Ok(Host::Name(host.to_owned())),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tcp(host: Host, port: u16) -> Address {
        Address::Tcp { host, port }
    }

    #[test]
    fn endpoints_are_read() {
        let v4 = Host::Ip(Ipv4Addr::LOCALHOST.into());
        let v6 = Host::Ip(std::net::Ipv6Addr::LOCALHOST.into());
        for (endpoint, expected) in [
            ("tcp://127.0.0.1:7100", tcp(v4, 7100)),
            ("tcp://[::1]:7100", tcp(v6, 7100)),
            ("tcp://tape.example:1", tcp(Host::Name("tape.example".to_owned()), 1)),
            ("ipc:///run/tape.sock", Address::Ipc("/run/tape.sock".to_owned())),
            ("ipc://tape.sock", Address::Ipc("tape.sock".to_owned())),
            ("inproc://tape", Address::Inproc("tape".to_owned())),
        ] {
            assert_eq!(Address::to_bind(endpoint), Ok(expected.clone()), "{endpoint}");
            assert_eq!(Address::to_connect(endpoint), Ok(expected), "{endpoint}");
        }
        for (endpoint, expected) in [
            ("tcp://*:7100", tcp(Host::Any, 7100)),
            ("tcp://*:*", tcp(Host::Any, 0)),
            ("tcp://localhost:0", tcp(Host::Name("localhost".to_owned()), 0)),
        ] {
            assert_eq!(Address::to_bind(endpoint), Ok(expected), "{endpoint}");
            assert!(Address::to_connect(endpoint).is_err(), "{endpoint}");
        }
    }

    #[test]
    fn a_client_needs_a_host_and_a_port() {
        for (endpoint, expected) in [
            ("tcp://*:7100", "`*` is no host to connect to; name the server's, as in `tcp://127.0.0.1:7100`"),
            ("tcp://localhost:0", "a client needs the server's port, and `0` is none"),
            ("tcp://127.0.0.1:*", "a client needs the server's port, and `*` is none"),
        ] {
            let error = Address::to_connect(endpoint).expect_err(endpoint);
            assert_eq!(error.to_string(), expected, "{endpoint}");
        }
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn a_path_has_to_fit_into_a_socket() {
        let path = |bytes| format!("ipc://{}", "p".repeat(bytes));
        assert!(Address::to_bind(&path(107)).is_ok());
        let error = Address::to_connect(&path(108)).unwrap_err();
        assert_eq!(error.to_string(), "the path has 108 bytes; that of a Unix socket may have 107");
        let error = Address::to_bind(&format!("ipc://@{}", "p".repeat(108))).unwrap_err();
        assert_eq!(error.to_string(), "the name has 108 bytes; that of a Unix socket may have 107");
    }

    #[test]
    fn other_endpoints_are_refused_with_what_to_do() {
        for (endpoint, expected) in [
            ("", "an endpoint starts with `tcp://`, `ipc://` or `inproc://`"),
            (
                "127.0.0.1:7100",
                "an endpoint starts with `tcp://`, `ipc://` or `inproc://`; this may be meant for `tcp://127.0.0.1:7100`",
            ),
            (
                "/run/tape.sock",
                "an endpoint starts with `tcp://`, `ipc://` or `inproc://`; this may be meant for `ipc:///run/tape.sock`",
            ),
            ("unix:///run/tape.sock", "there is no transport `unix`; use `ipc:///run/tape.sock`"),
            ("tcp://", "the host and the port are missing, as in `tcp://127.0.0.1:7100`"),
            ("tcp://tape.example:", "the port is missing, as in `tcp://tape.example:7100`"),
            ("tcp://[::1]", "the port is missing, as in `tcp://[::1]:7100`"),
            ("tcp://::1", "an IPv6 address stands in brackets, before its port: `tcp://[::1]:7100`"),
            ("tcp://127.0.0.1:72636", "`72636` is no port; it is a number up to 65535"),
            ("tcp://127.0.0.1:+80", "`+80` is no port; it is a number up to 65535"),
            ("tcp://127.0.0.1:-1", "`-1` is no port; it is a number up to 65535"),
            ("tcp://127.0.0.1:7100/tape", "`7100/tape` is no port; it is a number up to 65535"),
            ("tcp://127.0.0.1:http", "`http` is no port; it is a number up to 65535"),
            ("tcp://127.0.0.256:7100", "`127.0.0.256` is no IPv4 address"),
            ("tcp://10.1:7100", "`10.1` is no IPv4 address"),
            ("tcp://ta pe:7100", "`ta pe` is no host"),
            ("tcp://user@tape:7100", "`user@tape` is no host"),
            ("udp://127.0.0.1:1", "there is no transport `udp`; use `tcp://`, `ipc://` or `inproc://`"),
            ("tcp://127.0.0.1", "the port is missing, as in `tcp://127.0.0.1:7100`"),
            ("tcp://:7100", "the host is missing, as in `tcp://127.0.0.1:7100`"),
            ("tcp://127.0.0.1:70000", "`70000` is no port; it is a number up to 65535"),
            ("tcp://::1:7100", "an IPv6 address stands in brackets: `[::1]`"),
            ("tcp://[127:7100", "`[127` is no host"),
            ("tcp://[host]:7100", "`host` is no IPv6 address"),
            ("tcp://eth0;tape.example:7100", "the source address `eth0` can't be chosen; leave `eth0;` out"),
            ("ipc://", "the name after `://` is missing"),
            ("ipc://*", "a path is needed, such as `ipc:///run/tape.sock`"),
            ("inproc://a\0b", "an endpoint can't contain a NUL"),
        ] {
            let error = Address::to_bind(endpoint).expect_err(endpoint);
            assert_eq!(error.to_string(), expected, "{endpoint}");
        }
    }

    #[test]
    fn endpoints_of_one_meaning_are_written_in_one_way() {
        for (one, other) in [
            ("tcp://LocalHost:7100", "tcp://localhost:7100"),
            ("tcp://*:7100", "tcp://0.0.0.0:7100"),
            ("tcp://[::FFFF:10.0.0.1]:7100", "tcp://10.0.0.1:07100"),
            ("tcp://[0:0::1]:7100", "tcp://[::1]:7100"),
            ("tcp://127.0.0.1:*", "tcp://127.0.0.1:0"),
            ("ipc:///run//./tape.sock", "ipc:///run/tape.sock"),
            ("ipc://./tape.sock", "ipc://tape.sock"),
        ] {
            assert_eq!(Address::normalized(one), Address::normalized(other), "{one}");
        }
        for (one, other) in [
            ("tcp://localhost:7100", "tcp://127.0.0.1:7100"),
            ("tcp://a:7100", "tcp://a:7101"),
            ("tcp://a.:7100", "tcp://a:7100"),
            ("ipc://tape.sock", "ipc:///tape.sock"),
            ("ipc://@Tape", "ipc://@tape"),
            ("inproc://a//b", "inproc://a/b"),
            ("TCP://a:1", "tcp://a:1"),
        ] {
            assert_ne!(Address::normalized(one), Address::normalized(other), "{one}");
        }
    }
}
