//! [`Name`]: keeps the connections to the addresses of one name up to date.

use std::net::SocketAddr;
use std::sync::{Arc, Weak};
use std::time::Duration;

use tokio::sync::watch;
use tokio::time::{Instant, timeout, timeout_at};

use super::Resolver;
use crate::channel::connect;
use crate::clock;
use crate::connection::{Connection, Endpoints};
use crate::flow::wake;

/// Maximum number of addresses of one name that are connected to.
const MAX_ADDRESSES: usize = 32;
/// How long a lookup may take.
const LOOKUP_TIMEOUT: Duration = Duration::from_secs(10);
/// How soon a name is looked up again if none of its addresses is connected, doubling up to the interval.
const FIRST_RETRY: Duration = Duration::from_millis(500);
/// Keeps the connections of one name up to date, until the channel is gone.
pub(in crate::channel) struct Name {
    pub(in crate::channel) host: String,
    pub(in crate::channel) port: u16,
    pub(in crate::channel) resolver: Resolver,
    pub(in crate::channel) lobby: Arc<Connection>,
    pub(in crate::channel) endpoints: Weak<Endpoints>,
    pub(in crate::channel) changes: watch::Receiver<()>,
}

impl Name {
    pub(in crate::channel) async fn keep_up(mut self) {
        let mut connections = Vec::new();
        let mut failures = 0;
        while self.is_wanted() {
            let found = timeout(LOOKUP_TIMEOUT, self.resolver.lookup(&self.host, self.port)).await;
            let Some(endpoints) = self.endpoints.upgrade() else { return };
            if self.lobby.is_closed() {
                return;
            }
            match found {
                Ok(Ok(addresses)) if !addresses.is_empty() => {
                    self.connect_to(addresses, &mut connections, &endpoints);
                    if self.lobby.is_closed() {
                        // The task that closed the channel may not have seen connections that came meanwhile.
                        for connection in &connections {
                            connection.close_and_cancel();
                        }
                        return;
                    }
                }
                Ok(Ok(_)) => self.fail("the name has no address"),
                Ok(Err(error)) => self.fail(format!("the name can't be looked up: {error}")),
                Err(_) => self.fail(format!("the name was looked up in vain for {LOOKUP_TIMEOUT:?}")),
            }
            let interval = endpoints.config.lookup_interval;
            drop(endpoints);
            failures = if is_any_up(&connections) { 0 } else { failures + 1 };
            self.wait(&connections, interval, failures).await;
        }
    }

    /// Says why there is no address, or none that can be connected to.
    fn fail(&self, why: impl Into<String>) {
        let mut wakers = Vec::new();
        self.lobby.handle_unreachable(why, &mut wakers);
        wake(wakers);
    }

    /// Reports whether calls may still come. A channel that was closed may have clones.
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
        // A connection whose transport has failed is of no use any more; its address may be.
        connections.retain(|connection| !connection.is_closed());
        let mut wanted: Vec<String> = addresses.iter().map(|address| format!("tcp://{address}")).collect();
        // Addresses that are connected already come first, so that a long list does not change connections for nothing.
        wanted.sort_by_key(|wanted| !connections.iter().any(|known| known.endpoint() == wanted));
        wanted.truncate(MAX_ADDRESSES);
        let (kept, gone): (Vec<_>, Vec<_>) =
            connections.drain(..).partition(|known| wanted.iter().any(|wanted| known.endpoint() == wanted));
        *connections = kept;
        let had_trouble = self.lobby.clear_trouble();
        let mut new = Vec::new();
        for endpoint in wanted {
            if connections.iter().any(|known| known.endpoint() == endpoint) {
                continue;
            }
            match connect::by_socket(endpoint, &endpoints.config, &endpoints.counters) {
                Ok(connection) => {
                    endpoints.adopt(&connection);
                    new.push(connection);
                }
                Err(status) => self.fail(status.message()),
            }
        }
        connections.extend(new.iter().cloned());
        let changed = had_trouble || !new.is_empty() || !gone.is_empty();
        for gone in &gone {
            gone.retire();
        }
        endpoints.resolved_to(new);
        if changed {
            endpoints.changed();
        }
    }

    /// Waits until it is time to look again: for the interval, or less if no connection is up.
    async fn wait(&mut self, connections: &[Arc<Connection>], interval: Duration, failures: u32) {
        let soon = FIRST_RETRY.saturating_mul(1 << failures.saturating_sub(1).min(16)).min(interval);
        let now = Instant::now();
        let mut due = now + if failures == 0 { interval } else { soon };
        while let Ok(Ok(())) = timeout_at(due, self.changes.changed()).await {
            if !self.is_wanted() {
                return;
            }
            if failures == 0 && !is_any_up(connections) {
                due = due.min(now + soon);
            }
        }
    }
}

fn is_any_up(connections: &[Arc<Connection>]) -> bool {
    let now = clock::now();
    connections.iter().any(|connection| connection.rank(now).is_some())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io;

    use super::super::Resolve;
    use crate::connection::{Config, Link};

    /// Returns a name, and the endpoints that it is looked up for.
    fn name() -> (Name, Arc<Endpoints>) {
        let config = Config { lookup_interval: Duration::from_millis(1), ..Config::default() };
        let lobby =
            Connection::new("tcp://tape.example:1".to_owned(), config.clone(), Arc::default(), Link::None);
        let endpoints = Endpoints::new(vec![Arc::clone(&lobby)], config, Arc::default());
        let (host, port, resolver) = ("tape.example".to_owned(), 1, Resolver::new(Loopback));
        let (weak, changes) = (Arc::downgrade(&endpoints), endpoints.changes());
        (Name { host, port, resolver, lobby, endpoints: weak, changes }, endpoints)
    }

    /// Resolves every name to this machine.
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
        assert!(!changes.has_changed().unwrap(), "nothing is told that is as before");
        first.close_now(None);
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
}
