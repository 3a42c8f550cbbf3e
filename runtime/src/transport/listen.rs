//! The sockets of servers over TCP, the same for every engine.

use std::io;
use std::net::{IpAddr, Ipv4Addr, SocketAddr, ToSocketAddrs};
use std::time::{Duration, Instant};

use tokio::net::{TcpListener, TcpSocket};

use super::TransportError;
use super::address::{Address, Host};

/// Number of connections that may wait to be accepted: thousands of clients may connect at once.
pub(super) const BACKLOG: u32 = 4_096;

/// Time that a server may wait, for all of its endpoints together, for others that begin at the same time.
const MAX_WAIT: Duration = Duration::from_secs(1);

/// What holds for all endpoints of a server.
#[derive(Debug, Clone, Copy)]
pub(super) struct Terms {
    /// Until when other servers are waited for that begin, at Unix sockets.
    #[cfg_attr(not(unix), expect(dead_code, reason = "there are none"))]
    pub(super) until: Instant,
    /// Whether other machines may reach the server.
    pub(super) reach: Reach,
}

/// Who may reach a server over TCP.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Reach {
    /// Programs of this machine.
    Machine,
    /// Others as well.
    Network,
}

impl Terms {
    /// Returns the terms of a server that begins now.
    pub(super) fn new(reach: Reach) -> Self {
        Self { until: Instant::now() + MAX_WAIT, reach }
    }
}

/// Reports whether other machines can reach an endpoint at which a server listens, as far as the address alone says.
pub(crate) fn is_exposed(bound: &str) -> bool {
    match Address::to_bind(bound) {
        Ok(Address::Tcp { host: Host::Ip(ip), .. }) => !is_of_machine(ip),
        Ok(Address::Tcp { .. }) => true,
        Ok(Address::Ipc(_) | Address::Inproc(_)) | Err(_) => false,
    }
}

/// Reports whether an endpoint to connect to may be on another machine, as far as its text says: a name may be, but for `localhost`.
pub(crate) fn may_be_elsewhere(endpoint: &str) -> bool {
    match Address::to_connect(endpoint) {
        Ok(Address::Tcp { host: Host::Ip(ip), .. }) => !is_of_machine(ip),
        Ok(Address::Tcp { host: Host::Name(name), .. }) => !name.eq_ignore_ascii_case("localhost"),
        Ok(Address::Tcp { .. }) => true,
        Ok(Address::Ipc(_) | Address::Inproc(_)) | Err(_) => false,
    }
}

fn is_of_machine(ip: IpAddr) -> bool {
    ip.to_canonical().is_loopback()
}

/// Binds the first address of a host that this machine has, and listens. Must be called within a tokio runtime with I/O enabled. Waits
/// for the system where the host is a name.
///
/// # Errors
/// The host is not found, this machine has none of its addresses, the system refuses the first that it has, or other machines can reach that
/// and must not.
pub(super) fn listen(host: &Host, port: u16, reach: Reach) -> Result<TcpListener, TransportError> {
    listen_at(&addresses(host, port)?, reach)
}

/// Listens at the first of these addresses that this machine has. Where that is taken, the next is not tried: `localhost` has two
/// addresses on most machines, and a client connects to both, so a second server at that name would have half of the calls of the first.
fn listen_at(addresses: &[SocketAddr], reach: Reach) -> Result<TcpListener, TransportError> {
    let mut failed = io::Error::new(io::ErrorKind::NotFound, "the name has no address");
    for address in addresses {
        match bind(*address) {
            Err(error) if is_elsewhere(&error) => failed = error,
            // Before it listens, so that nothing can have connected.
            Ok(_) if reach == Reach::Machine && !is_of_machine(address.ip()) => {
                return Err(TransportError::Exposed(address.ip()));
            }
            Ok(socket) => return Ok(socket.listen(BACKLOG)?),
            Err(error) => return Err(error.into()),
        }
    }
    Err(failed.into())
}

fn bind(address: SocketAddr) -> io::Result<TcpSocket> {
    let socket = if address.is_ipv4() { TcpSocket::new_v4() } else { TcpSocket::new_v6() }?;
    // A server that starts again must not wait for the connections of the one before. On Windows, the option would let
    // another program take the port.
    #[cfg(unix)]
    socket.set_reuseaddr(true)?;
    // The accepted connections have it as well: a peer of ZMTP 3.0 that is cut off answers no ping, since it gets none.
    socket.set_keepalive(true)?;
    socket.bind(address)?;
    Ok(socket)
}

/// `EAFNOSUPPORT`: the system does not know addresses of that family.
const NO_SUCH_FAMILY: i32 = if cfg!(windows) {
    10_047
} else if cfg!(any(target_os = "linux", target_os = "android")) {
    97
} else {
    47
};

/// Reports whether an address was refused since this machine does not have it.
fn is_elsewhere(error: &io::Error) -> bool {
    error.kind() == io::ErrorKind::AddrNotAvailable || error.raw_os_error() == Some(NO_SUCH_FAMILY)
}

/// Returns the addresses of a host, in the order in which they are tried.
fn addresses(host: &Host, port: u16) -> io::Result<Vec<SocketAddr>> {
    match host {
        Host::Any => Ok(vec![(Ipv4Addr::UNSPECIFIED, port).into()]),
        Host::Ip(ip) => Ok(vec![(*ip, port).into()]),
        Host::Name(name) => match of_interface(name, port) {
            none if none.is_empty() => {
                let found = (name.as_str(), port).to_socket_addrs();
                let what = "neither a network interface nor a host that the system finds";
                Ok(found
                    .map_err(|error| io::Error::new(error.kind(), format!("`{name}` is {what}: {error}")))?
                    .collect())
            }
            addresses => Ok(addresses),
        },
    }
}

/// Returns the addresses of the network interface of this name, those of IPv4 first; none if there is none.
#[cfg(unix)]
fn of_interface(name: &str, port: u16) -> Vec<SocketAddr> {
    // Where interfaces can't be listed, the name may still be that of a host.
    let all = if_addrs::get_if_addrs().unwrap_or_default();
    // An address that is of its link alone names an interface besides, which an endpoint has no place for.
    let own = all.into_iter().filter(|interface| interface.name == name && !is_of_link(interface.ip()));
    let mut addresses: Vec<_> = own.map(|interface| SocketAddr::from((interface.ip(), port))).collect();
    addresses.sort_by_key(SocketAddr::is_ipv6);
    addresses
}

#[cfg(unix)]
fn is_of_link(ip: IpAddr) -> bool {
    matches!(ip, IpAddr::V6(ip) if ip.is_unicast_link_local())
}

#[cfg(not(unix))]
fn of_interface(_name: &str, _port: u16) -> Vec<SocketAddr> {
    Vec::new()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn the_second_address_of_a_name_is_no_way_around_a_server_at_the_first() {
        let parsed = |addresses: &[&str]| -> Vec<SocketAddr> {
            addresses.iter().map(|address| address.parse().unwrap()).collect()
        };
        let listen_at = |addresses: &[&str]| listen_at(&parsed(addresses), Reach::Network);
        let first = listen_at(&["127.0.0.1:0"]).unwrap();
        let [taken, next] =
            ["127.0.0.1", "127.0.0.2"].map(|host| format!("{host}:{}", first.local_addr().unwrap().port()));
        let refused = listen_at(&[&taken, &next]).unwrap_err();
        assert_eq!(refused.to_string(), bind(parsed(&[&taken])[0]).unwrap_err().to_string());
        // An address for documents, which no machine has.
        let found = listen_at(&["192.0.2.1:0", "127.0.0.1:0"]).unwrap();
        assert!(found.local_addr().unwrap().ip().is_loopback());
        assert!(listen_at(&["192.0.2.1:0"]).unwrap_err().to_string().contains("assign"));
        assert!(listen_at(&[]).unwrap_err().to_string().contains("has no address"));
    }

    #[tokio::test]
    async fn the_address_at_which_a_server_listens_says_who_reaches_it() {
        for (address, is_own) in [
            ("127.0.0.1", true),
            ("127.8.9.10", true),
            ("[::1]", true),
            ("[::ffff:127.0.0.1]", true),
            ("0.0.0.0", false),
            ("[::]", false),
            ("192.0.2.1", false),
            ("10.0.0.1", false),
            ("[fe80::1]", false),
            ("[2001:db8::1]", false),
            ("*", false),
        ] {
            assert_eq!(is_exposed(&format!("tcp://{address}:7100")), !is_own, "{address}");
        }
        for endpoint in ["ipc:///run/tape.sock", "ipc://@tape", "inproc://tape"] {
            assert!(!is_exposed(endpoint), "{endpoint}");
        }
        let host = Host::Any;
        let refused = listen(&host, 0, Reach::Machine).unwrap_err();
        assert_eq!(refused, TransportError::Exposed(Ipv4Addr::UNSPECIFIED.into()));
        assert!(listen(&host, 0, Reach::Network).is_ok());
        // The first address that this machine has is the one that counts.
        let elsewhere = ["192.0.2.1:0", "127.0.0.1:0"].map(|address| address.parse().unwrap());
        assert!(listen_at(&elsewhere, Reach::Machine).is_ok());
    }
}
