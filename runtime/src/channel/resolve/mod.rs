//! Endpoints with names, and services that are discovered: one connection for each address that there is, now and later.
//!
//! [`Resolve`] finds addresses; [`Name`] asks it now and then, and [`Discovery`] is told by a registry. Both keep their connections in a
//! [`roster`]; calls that find none of them up wait in a [`Lobby`], which is a connection without a transport.

mod followed;
mod lobby;
mod name;
mod roster;

pub(super) use followed::Discovery;
pub(super) use lobby::Lobby;
pub(super) use name::Name;

use std::fmt;
use std::future::Future;
use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;

use crate::caught::{Caught, Panicked};
use crate::transport::address::{Address, Host};

/// Finds the addresses of a name. By default the system does; see
/// [`ChannelBuilder::resolver`](crate::ChannelBuilder::resolver).
pub trait Resolve: Send + Sync + 'static {
    /// Returns the addresses at which servers of this name listen, with the port of each. Their order means nothing.
    ///
    /// # Errors
    /// The addresses can't be found. The channel keeps those that it knows, and asks again; so it does after a panic.
    fn resolve(&self, name: &str, port: u16) -> impl Future<Output = io::Result<Vec<SocketAddr>>> + Send;
}

/// [`Resolve`] for trait objects.
trait AnyResolve: Send + Sync {
    fn resolve<'a>(&'a self, name: &'a str, port: u16) -> Lookup<'a>;
}

type Lookup<'a> = Pin<Box<dyn Future<Output = io::Result<Vec<SocketAddr>>> + Send + 'a>>;

impl<R: Resolve> AnyResolve for R {
    fn resolve<'a>(&'a self, name: &'a str, port: u16) -> Lookup<'a> {
        Box::pin(Resolve::resolve(self, name, port))
    }
}

/// Asks the operating system.
struct System;

impl Resolve for System {
    async fn resolve(&self, name: &str, port: u16) -> io::Result<Vec<SocketAddr>> {
        Ok(tokio::net::lookup_host((name, port)).await?.collect())
    }
}

/// Finds the addresses of a channel's names.
#[derive(Clone)]
pub(super) struct Resolver(Arc<dyn AnyResolve>);

impl Resolver {
    /// Asks the resolver. It is a user's, and may panic: that fails the lookup alone.
    async fn lookup(&self, name: &str, port: u16) -> io::Result<Vec<SocketAddr>> {
        let asked = Box::pin(async { self.0.resolve(name, port).await });
        Caught::new(asked).await.unwrap_or_else(|Panicked| Err(io::Error::other("the resolver has panicked")))
    }
}

impl Resolver {
    pub(super) fn new(resolve: impl Resolve) -> Self {
        Self(Arc::new(resolve))
    }
}

impl Default for Resolver {
    fn default() -> Self {
        Self::new(System)
    }
}

impl fmt::Debug for Resolver {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Resolver")
    }
}

/// Returns the name and the port of an endpoint that has a name: `tcp://tape.example:7100`. Any other is for the transport to
/// understand, or to refuse.
pub(super) fn named(endpoint: &str) -> Option<(String, u16)> {
    match Address::to_connect(endpoint) {
        Ok(Address::Tcp { host: Host::Name(name), port }) => Some((name, port)),
        Ok(_) | Err(_) => None,
    }
}

/// What keeps a name's calls waiting until it was looked up.
pub(super) const UNKNOWN: &str = "its addresses are not known yet";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_names_are_looked_up() {
        assert_eq!(named("tcp://tape.example:7100"), Some(("tape.example".to_owned(), 7100)));
        assert_eq!(named("tcp://localhost:1"), Some(("localhost".to_owned(), 1)));
        for endpoint in [
            "tcp://10.0.0.1:7100",
            "tcp://[::1]:7100",
            "tcp://eth0;tape.example:7100",
            "tcp://*:7100",
            "tcp://tape.example",
            "tcp://tape.example:*",
            "tcp://:7100",
            "ipc:///run/tape.example:7100",
            "inproc://tape:7100",
        ] {
            assert_eq!(named(endpoint), None, "{endpoint}");
        }
    }
}
