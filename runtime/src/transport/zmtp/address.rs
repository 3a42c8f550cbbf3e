//! [`Address`]: an endpoint that was read.

use std::io;
use std::net::{IpAddr, Ipv4Addr, SocketAddr, ToSocketAddrs};

use crate::transport::TransportError;

/// Where to listen, or what to connect to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Address {
    /// `tcp://host:port`
    Tcp { host: Host, port: u16 },
    /// `ipc://path`, or `ipc://@name` for an abstract name of Linux.
    Ipc(String),
    /// `inproc://name`
    Inproc(String),
}

/// The host of a TCP endpoint.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Host {
    /// `*`: all interfaces, by IPv4.
    Any,
    Ip(IpAddr),
    Name(String),
}

impl Address {
    /// Reads the endpoint of a server. A port may be `*` or 0, for any that is free.
    pub(super) fn to_bind(endpoint: &str) -> Result<Self, TransportError> {
        Self::read(endpoint, true)
    }

    /// Reads the endpoint of a client.
    pub(super) fn to_connect(endpoint: &str) -> Result<Self, TransportError> {
        Self::read(endpoint, false)
    }

    fn read(endpoint: &str, binds: bool) -> Result<Self, TransportError> {
        if endpoint.contains('\0') {
            return Err(TransportError::NulInEndpoint);
        }
        let wrong = |what: &str| Err(TransportError::Endpoint(what.to_owned()));
        match endpoint.split_once("://") {
            Some(("tcp", rest)) => Self::tcp(rest, binds),
            Some(("ipc" | "inproc", "")) => wrong("the name after `://` is missing"),
            Some(("ipc", _)) if cfg!(not(unix)) => wrong("this system has no Unix sockets; use `tcp://`"),
            Some(("ipc", name))
                if name.starts_with('@') && cfg!(not(any(target_os = "linux", target_os = "android"))) =>
            {
                wrong("only Linux has abstract names; use a path")
            }
            Some(("ipc", "*")) => wrong("a path is needed, such as `ipc:///run/tape.sock`"),
            Some(("ipc", path)) => Ok(Self::Ipc(path.to_owned())),
            Some(("inproc", name)) => Ok(Self::Inproc(name.to_owned())),
            Some((scheme, _)) => Err(TransportError::Endpoint(format!(
                "there is no transport `{scheme}`; use `tcp://`, `ipc://` or `inproc://`"
            ))),
            None => wrong("an endpoint starts with `tcp://`, `ipc://` or `inproc://`"),
        }
    }

    fn tcp(rest: &str, binds: bool) -> Result<Self, TransportError> {
        let wrong = |what: String| Err(TransportError::Endpoint(what));
        if let Some((source, _)) = rest.split_once(';') {
            return wrong(format!("the source address `{source}` can't be chosen; leave `{source};` out"));
        }
        let Some((host, port)) = rest.rsplit_once(':') else {
            return wrong("the port is missing, as in `tcp://127.0.0.1:7100`".to_owned());
        };
        let port = match port {
            "*" if binds => 0,
            port => match port.parse::<u16>() {
                Ok(0) if !binds => {
                    return wrong("a client needs the server's port, and 0 is none".to_owned());
                }
                Ok(port) => port,
                Err(_) => return wrong(format!("`{port}` is no port; it is a number up to 65535")),
            },
        };
        let host = match host {
            "*" if binds => Host::Any,
            "*" | "" => return wrong("the host is missing, as in `tcp://127.0.0.1:7100`".to_owned()),
            host => Self::host(host)?,
        };
        Ok(Self::Tcp { host, port })
    }

    fn host(host: &str) -> Result<Host, TransportError> {
        let bracketed = host.strip_prefix('[').and_then(|host| host.strip_suffix(']'));
        match (bracketed, host.parse::<IpAddr>()) {
            (Some(inner), _) => match inner.parse::<IpAddr>() {
                Ok(ip) => Ok(Host::Ip(ip)),
                Err(_) => Err(TransportError::Endpoint(format!("`{inner}` is no IPv6 address"))),
            },
            (None, Ok(IpAddr::V6(_))) => {
                Err(TransportError::Endpoint(format!("an IPv6 address stands in brackets: `[{host}]`")))
            }
            (None, Ok(ip)) => Ok(Host::Ip(ip)),
            (None, Err(_)) if host.contains(['[', ']', '/', ' ', ':']) => {
                Err(TransportError::Endpoint(format!("`{host}` is no host")))
            }
            (None, Err(_)) => Ok(Host::Name(host.to_owned())),
        }
    }
}

impl Host {
    /// Returns the addresses to bind, in the order in which they are tried. Waits for the system where the host is a name.
    pub(super) fn lookup(&self, port: u16) -> io::Result<Vec<SocketAddr>> {
        match self {
            Self::Any => Ok(vec![(Ipv4Addr::UNSPECIFIED, port).into()]),
            Self::Ip(ip) => Ok(vec![(*ip, port).into()]),
            Self::Name(name) => Ok((name.as_str(), port).to_socket_addrs()?.collect()),
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
    fn other_endpoints_are_refused_with_what_to_do() {
        for (endpoint, expected) in [
            ("", "an endpoint starts with `tcp://`, `ipc://` or `inproc://`"),
            ("127.0.0.1:7100", "an endpoint starts with `tcp://`, `ipc://` or `inproc://`"),
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
}
