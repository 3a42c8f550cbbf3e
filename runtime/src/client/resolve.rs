//! Endpoints with names: one connection for each address that a name has, now and later.
//!
//! Calls that find none of them up wait in a [`Lobby`], which is a connection without a socket.

use std::fmt;
use std::future::Future;
use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::pin::Pin;
use std::sync::{Arc, Weak};
use std::task::{Context, Poll};
use std::time::Duration;

use tokio::sync::watch;
use tokio::time::{Instant, Sleep, sleep_until, timeout, timeout_at};

use super::connection::Connection;
use super::driver;
use super::endpoints::Endpoints;
use super::owner::Rest;
use super::state::Wakers;
use crate::flow::wake;

/// Finds the addresses of a name. By default the system does; see
/// [`ChannelBuilder::resolver`](crate::ChannelBuilder::resolver).
pub trait Resolve: Send + Sync + 'static {
    /// The addresses at which a server is that has this name, with the port of each. Their order means nothing.
    ///
    /// # Errors
    /// They can't be found. The channel keeps those that it knows, and asks again.
    fn resolve(&self, name: &str, port: u16) -> impl Future<Output = io::Result<Vec<SocketAddr>>> + Send;
}

/// The same, for a pointer to any.
trait AnyResolve: Send + Sync {
    fn resolve<'a>(&'a self, name: &'a str, port: u16) -> Lookup<'a>;
}

type Lookup<'a> = Pin<Box<dyn Future<Output = io::Result<Vec<SocketAddr>>> + Send + 'a>>;

impl<R: Resolve> AnyResolve for R {
    fn resolve<'a>(&'a self, name: &'a str, port: u16) -> Lookup<'a> {
        Box::pin(Resolve::resolve(self, name, port))
    }
}

/// Asks the system.
struct System;

impl Resolve for System {
    async fn resolve(&self, name: &str, port: u16) -> io::Result<Vec<SocketAddr>> {
        Ok(tokio::net::lookup_host((name, port)).await?.collect())
    }
}

/// Whoever finds the addresses of a channel's names.
#[derive(Clone)]
pub(super) struct Resolver(Arc<dyn AnyResolve>);

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

/// The name and the port of an endpoint, if it has a name: `tcp://tape.example:7100`. What is not, or is more than that, is
/// libzmq's to understand.
pub(super) fn named(endpoint: &str) -> Option<(&str, u16)> {
    let (name, port) = endpoint.strip_prefix("tcp://")?.rsplit_once(':')?;
    let is_name = name.chars().all(|c| c.is_alphanumeric() || matches!(c, '.' | '-' | '_'));
    let port = port.parse().ok().filter(|port| *port > 0)?;
    (is_name && !name.is_empty() && name.parse::<Ipv4Addr>().is_err()).then_some((name, port))
}

/// Addresses of one name beyond these are not connected to.
const MOST: usize = 32;
/// How long a lookup may take.
const LOOKUP: Duration = Duration::from_secs(10);
/// How soon it is looked up again where no address is of use, doubling up to the interval.
const AGAIN: Duration = Duration::from_millis(500);
/// What is said of a name until it was looked up.
pub(super) const UNKNOWN: &str = "its addresses are not known yet";

/// Keeps the connections of one name up to date, until the channel is gone.
pub(super) struct Name {
    pub(super) host: String,
    pub(super) port: u16,
    pub(super) resolver: Resolver,
    pub(super) lobby: Arc<Connection>,
    pub(super) endpoints: Weak<Endpoints>,
    pub(super) changes: watch::Receiver<()>,
}

impl Name {
    pub(super) async fn keep_up(mut self) {
        let mut connections = Vec::new();
        let mut in_vain = 0;
        while self.is_wanted() {
            let found = timeout(LOOKUP, self.resolver.0.resolve(&self.host, self.port)).await;
            let Some(endpoints) = self.endpoints.upgrade() else { return };
            if self.lobby.is_closed() {
                return;
            }
            match found {
                Ok(Ok(addresses)) if !addresses.is_empty() => {
                    self.connect_to(addresses, &mut connections, &endpoints);
                    if self.lobby.is_closed() {
                        // Whoever closed the channel may not have seen those that came meanwhile.
                        for connection in &connections {
                            connection.close_and_cancel();
                        }
                        return;
                    }
                }
                Ok(Ok(_)) => self.lobby.troubled("the name has no address"),
                Ok(Err(error)) => self.lobby.troubled(format!("the name can't be looked up: {error}")),
                Err(_) => self.lobby.troubled(format!("the name was looked up in vain for {LOOKUP:?}")),
            }
            let interval = endpoints.limits.lookup_interval;
            drop(endpoints);
            in_vain = if is_any_up(&connections) { 0 } else { in_vain + 1 };
            self.wait(&connections, interval, in_vain).await;
        }
    }

    /// Somebody may still call. A channel that was closed may have clones.
    fn is_wanted(&self) -> bool {
        self.endpoints.strong_count() > 0 && !self.lobby.is_closed()
    }

    /// Connects to addresses that are new, and retires those that are gone.
    fn connect_to(
        &self,
        mut addresses: Vec<SocketAddr>,
        connections: &mut Vec<Arc<Connection>>,
        endpoints: &Arc<Endpoints>,
    ) {
        addresses.sort_unstable();
        addresses.dedup();
        // One whose socket has failed comes to nothing any more; its address may.
        connections.retain(|connection| !connection.is_closed());
        let mut wanted: Vec<String> = addresses.iter().map(|address| format!("tcp://{address}")).collect();
        // Those that are connected already come first, so that a long list does not have them change for nothing.
        wanted.sort_by_key(|wanted| !connections.iter().any(|known| known.endpoint() == wanted));
        wanted.truncate(MOST);
        let (kept, gone): (Vec<_>, Vec<_>) =
            connections.drain(..).partition(|known| wanted.iter().any(|wanted| known.endpoint() == wanted));
        *connections = kept;
        let was_troubled = self.lobby.untroubled();
        let mut new = Vec::new();
        for endpoint in wanted {
            if connections.iter().any(|known| known.endpoint() == endpoint) {
                continue;
            }
            match driver::connect(endpoint, &endpoints.limits, &endpoints.counters) {
                Ok(connection) => {
                    connection.belong_to(endpoints);
                    new.push(connection);
                }
                Err(status) => self.lobby.troubled(status.message()),
            }
        }
        connections.extend(new.iter().cloned());
        let changed = was_troubled || !new.is_empty() || !gone.is_empty();
        for gone in &gone {
            gone.retire();
        }
        endpoints.resolved_to(new);
        if changed {
            endpoints.changed();
        }
    }

    /// Until it is time to look again: after the interval, or sooner where no connection is up.
    async fn wait(&mut self, connections: &[Arc<Connection>], interval: Duration, in_vain: u32) {
        let soon = AGAIN.saturating_mul(1 << in_vain.saturating_sub(1).min(16)).min(interval);
        let now = Instant::now();
        let mut due = now + if in_vain == 0 { interval } else { soon };
        while let Ok(Ok(())) = timeout_at(due, self.changes.changed()).await {
            if !self.is_wanted() {
                return;
            }
            if in_vain == 0 && !is_any_up(connections) {
                due = due.min(now + soon);
            }
        }
    }
}

fn is_any_up(connections: &[Arc<Connection>]) -> bool {
    let now = Instant::now();
    connections.iter().any(|connection| connection.offer(now).is_some())
}

/// Sees to the deadlines of those who wait for an address of a name.
pub(super) struct Lobby {
    connection: Arc<Connection>,
    tick: Pin<Box<Sleep>>,
}

impl Lobby {
    pub(super) fn new(connection: Arc<Connection>) -> Self {
        Self { connection, tick: Box::pin(sleep_until(Instant::now())) }
    }
}

impl Future for Lobby {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<()> {
        loop {
            self.connection.notify.begin_turn();
            let mut wakers = Wakers::new();
            let next = self.connection.expire(Instant::now(), &mut wakers);
            wake(wakers);
            if self.connection.rest() == Rest::Done {
                return Poll::Ready(());
            }
            let mut ticked = false;
            if let Some(next) = next {
                self.tick.as_mut().reset(next);
                ticked = self.tick.as_mut().poll(context).is_ready();
            }
            if !ticked && self.connection.notify.sleep(context.waker()) {
                return Poll::Pending;
            }
        }
    }
}

impl Drop for Lobby {
    fn drop(&mut self) {
        self.connection.close_now();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::client::connection::Link;
    use crate::client::limits::Limits;

    /// A name, and what it is looked up for.
    fn name() -> (Name, Arc<Endpoints>) {
        let limits = Limits { lookup_interval: Duration::from_millis(1), ..Limits::default() };
        let lobby =
            Connection::new("tcp://tape.example:1".to_owned(), limits.clone(), Arc::default(), Link::None);
        let endpoints = Endpoints::new(vec![Arc::clone(&lobby)], limits, Arc::default());
        let (host, port, resolver) = ("tape.example".to_owned(), 1, Resolver::new(Loopback));
        let (weak, changes) = (Arc::downgrade(&endpoints), endpoints.changes());
        (Name { host, port, resolver, lobby, endpoints: weak, changes }, endpoints)
    }

    /// Every name is here.
    struct Loopback;

    impl Resolve for Loopback {
        async fn resolve(&self, _: &str, port: u16) -> io::Result<Vec<SocketAddr>> {
            Ok(vec![SocketAddr::from(([127, 0, 0, 1], port))])
        }
    }

    #[tokio::test]
    async fn an_address_is_connected_again_once_its_socket_has_failed() {
        let (name, endpoints) = name();
        let (mut connections, mut changes) = (Vec::new(), endpoints.changes());
        let addresses = || vec![SocketAddr::from(([127, 0, 0, 1], 1))];
        name.connect_to(addresses(), &mut connections, &endpoints);
        assert!(changes.has_changed().unwrap());
        let first = Arc::clone(&connections[0]);
        changes.mark_unchanged();
        name.connect_to(addresses(), &mut connections, &endpoints);
        assert!(Arc::ptr_eq(&first, &connections[0]) && connections.len() == 1);
        assert!(!changes.has_changed().unwrap(), "nobody is told of what is as before");
        first.close_now();
        name.connect_to(addresses(), &mut connections, &endpoints);
        assert!(!Arc::ptr_eq(&first, &connections[0]) && connections.len() == 1);
        assert_eq!(endpoints.all().len(), 2, "with the lobby");
    }

    #[tokio::test]
    async fn a_channel_that_was_closed_is_looked_after_no_longer() {
        let (name, endpoints) = name();
        let mut changes = endpoints.changes();
        let looking = tokio::spawn(name.keep_up());
        while endpoints.all().len() < 2 {
            changes.changed().await.unwrap();
        }
        for connection in endpoints.all() {
            connection.close_and_cancel();
        }
        endpoints.changed();
        tokio::time::timeout(Duration::from_secs(20), looking).await.unwrap().unwrap();
        assert!(endpoints.all().iter().all(|connection| connection.is_closed()));
    }

    #[test]
    fn only_names_are_looked_up() {
        assert_eq!(named("tcp://tape.example:7100"), Some(("tape.example", 7100)));
        assert_eq!(named("tcp://localhost:1"), Some(("localhost", 1)));
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
