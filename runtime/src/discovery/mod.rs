//! Servers that are found by what they serve, and not by their address: a registry knows which servers of a service are there.
//!
//! A server says that it is there by [`ServerBuilder::announce`](crate::ServerBuilder::announce), for as long as it takes calls. A channel
//! follows the servers of a service by [`ChannelBuilder::discover`](crate::ChannelBuilder::discover): it connects to those that come, and
//! leaves those that go. What lists servers implements [`Announce`], and what finds them [`Discover`].
//!
//! While a registry can't be reached, what is known of it holds: channels keep their connections, and servers serve on. Each failure is
//! reported to the log, and the registry is asked again, after a pause that grows up to [ten seconds](self#pauses).
//!
//! # Pauses
//! The first attempt after a failure comes after a quarter of a second; each further pause is twice as long as the one before, less up to a
//! quarter of it by chance, so that a thousand programs do not ask a registry that is back at the same moment.
//!
//! With the feature `etcd`, `Etcd` is a registry in etcd; with the feature `srv`, `Srv` finds servers by `SRV` records of DNS. The addresses
//! of a name in DNS are found by [`ChannelBuilder::endpoint`](crate::ChannelBuilder::endpoint) alone.

#[cfg(feature = "etcd")]
mod etcd;
mod keep;
#[cfg(feature = "srv")]
mod srv;

#[cfg(feature = "etcd")]
pub use etcd::Etcd;
#[cfg(feature = "srv")]
pub use srv::Srv;

pub(crate) use keep::{Announcers, AnyAnnounce, AnyDiscover, follow};

use std::fmt;
use std::future::Future;
use std::io;

use tokio::sync::watch;

/// Lists servers, so that they are found. Called again and again, by tasks of the runtime.
pub trait Announce: Send + Sync + 'static {
    /// Lists a server, and keeps it listed until it [withdraws](Withdrawal::requested); then takes it off the list, and returns. The
    /// entry of a server that can't withdraw, because it was killed, must go within a bounded time.
    ///
    /// # Errors
    /// The server is not listed, or may not be for much longer. This is called again after a [pause](self#pauses), so it must list a server
    /// that is listed already.
    ///
    /// # Cancel safety
    /// If the future is dropped, the server stopped without withdrawing, as if it was killed.
    fn announce(
        &self,
        server: &Announcement,
        withdrawal: Withdrawal,
    ) -> impl Future<Output = io::Result<()>> + Send;
}

/// Finds the servers of a service. Called again and again, by tasks of the runtime.
pub trait Discover: Send + Sync + 'static {
    /// Tells `found` of all servers of a service, now and whenever they change, until the future is dropped.
    ///
    /// Returning `Ok` means that what was told holds, and that this is to be called again.
    ///
    /// # Errors
    /// The servers can't be asked for. What was told before holds, and this is called again after a [pause](self#pauses).
    ///
    /// # Cancel safety
    /// The future is dropped once the channel is gone.
    fn follow(&self, service: &str, found: &Found) -> impl Future<Output = io::Result<()>> + Send;
}

/// A server that is to be listed in a registry.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Announcement {
    pub(crate) services: Vec<String>,
    pub(crate) endpoints: Vec<String>,
    pub(crate) instance: String,
}

impl Announcement {
    /// Returns the full names of the services that the server has, such as `market.v1.Tape`, sorted. Each is to be found by itself.
    #[must_use]
    pub fn services(&self) -> &[String] {
        &self.services
    }

    /// Returns the endpoints by which clients reach the server, such as `tcp://10.0.0.5:7100`. All lead to the same server; at least one.
    #[must_use]
    pub fn endpoints(&self) -> &[String] {
        &self.endpoints
    }

    /// Returns what tells this server from all others, and from its own earlier lives: 16 hexadecimal digits.
    #[must_use]
    pub fn instance(&self) -> &str {
        &self.instance
    }
}

/// Says when a server is to be taken off the list: as it begins to drain.
#[derive(Debug, Clone)]
pub struct Withdrawal(watch::Receiver<bool>);

impl Withdrawal {
    /// Completes once the server is to be taken off the list.
    ///
    /// # Cancel safety
    /// May be dropped and called again.
    pub async fn requested(&self) {
        // An error means that the server is gone.
        self.0.clone().wait_for(|withdrawn| *withdrawn).await.ok();
    }
}

/// A server that was found.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct FoundServer {
    /// What tells it from others.
    pub instance: String,
    /// The endpoints by which it is reached. One that this program can use is enough: the first that is valid is connected to.
    pub endpoints: Vec<String>,
}

/// What is known of a service.
#[derive(Debug, Clone, Default)]
pub(crate) struct Known {
    /// Its servers, once the registry has told them.
    pub(crate) servers: Option<Vec<FoundServer>>,
    /// Why the registry could not be asked the last time, if it could not.
    pub(crate) trouble: Option<String>,
}

/// Where a registry puts the servers of a service that it finds.
pub struct Found(watch::Sender<Known>);

impl Found {
    /// Tells all servers of the service, in place of those told before. Their order means nothing.
    pub fn set(&self, servers: impl IntoIterator<Item = FoundServer>) {
        let mut servers: Vec<_> = servers.into_iter().collect();
        servers.sort_unstable();
        servers.dedup();
        self.0.send_if_modified(|known| {
            let is_new = known.trouble.take().is_some() || known.servers.as_ref() != Some(&servers);
            known.servers = Some(servers);
            is_new
        });
    }
}

impl fmt::Debug for Found {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Found").field(&self.0.borrow().servers).finish()
    }
}
