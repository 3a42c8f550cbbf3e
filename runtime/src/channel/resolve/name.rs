//! [`Name`]: keeps the connections to the addresses of one name up to date.

use std::net::SocketAddr;
use std::sync::{Arc, Weak};
use std::time::Duration;

use tokio::sync::watch;
use tokio::time::{Instant, timeout, timeout_at};

use super::Resolver;
use super::roster::Roster;
use crate::connection::{Connection, Endpoints};

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
        let mut roster = Roster::new(Arc::clone(&self.lobby));
        let mut failures = 0;
        while self.is_wanted() {
            let found = timeout(LOOKUP_TIMEOUT, self.resolver.lookup(&self.host, self.port)).await;
            let Some(endpoints) = self.endpoints.upgrade() else { return };
            if self.lobby.is_closed() {
                return;
            }
            match found {
                Ok(Ok(addresses)) if !addresses.is_empty() => {
                    roster.set(endpoints_of(addresses), &endpoints);
                    if self.lobby.is_closed() {
                        // The task that closed the channel may not have seen connections that came meanwhile.
                        return roster.close();
                    }
                }
                Ok(Ok(_)) => roster.fail("the name has no address"),
                Ok(Err(error)) => roster.fail(format!("the name can't be looked up: {error}")),
                Err(_) => roster.fail(format!("the name was looked up in vain for {LOOKUP_TIMEOUT:?}")),
            }
            let interval = endpoints.config.lookup_interval;
            drop(endpoints);
            failures = if roster.is_any_up() { 0 } else { failures + 1 };
            self.wait(&roster, interval, failures).await;
        }
    }

    /// Reports whether calls may still come. A channel that was closed may have clones.
    fn is_wanted(&self) -> bool {
        self.endpoints.strong_count() > 0 && !self.lobby.is_closed()
    }

    /// Waits until it is time to look again: for the interval, or less if no connection is up.
    async fn wait(&mut self, roster: &Roster, interval: Duration, failures: u32) {
        let soon = FIRST_RETRY.saturating_mul(1 << failures.saturating_sub(1).min(16)).min(interval);
        let now = Instant::now();
        let mut due = now + if failures == 0 { interval } else { soon };
        while let Ok(Ok(())) = timeout_at(due, self.changes.changed()).await {
            if !self.is_wanted() {
                return;
            }
            if failures == 0 && !roster.is_any_up() {
                due = due.min(now + soon);
            }
        }
    }
}

/// Returns the endpoints of addresses, each once.
fn endpoints_of(mut addresses: Vec<SocketAddr>) -> Vec<String> {
    addresses.sort_unstable();
    addresses.dedup();
    addresses.iter().map(|address| format!("tcp://{address}")).collect()
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
