//! [`Roster`]: the connections to the addresses that one name or one service has now.

use std::sync::Arc;

use super::super::connect;
use crate::clock;
use crate::connection::{Connection, Endpoints};
use crate::flow::wake;

/// Maximum number of addresses of one name or service that are connected to.
const MAX_ADDRESSES: usize = 32;

/// Connections that come and go, and the lobby at which calls wait while none of them is up.
pub(super) struct Roster {
    lobby: Arc<Connection>,
    connections: Vec<Arc<Connection>>,
}

impl Roster {
    pub(super) fn new(lobby: Arc<Connection>) -> Self {
        Self { lobby, connections: Vec::new() }
    }

    /// Reports whether the channel was closed. It may have clones.
    pub(super) fn is_closed(&self) -> bool {
        self.lobby.is_closed()
    }

    /// Reports whether a connection is up.
    pub(super) fn is_any_up(&self) -> bool {
        let now = clock::now();
        self.connections.iter().any(|connection| connection.rank(now).is_some())
    }

    /// Reports whether a connection can't come back by itself, since its transport has failed.
    pub(super) fn has_closed(&self) -> bool {
        self.connections.iter().any(|connection| connection.is_closed())
    }

    /// Says why there is no address, or none that can be connected to.
    pub(super) fn fail(&self, why: impl Into<String>) {
        let mut wakers = Vec::new();
        self.lobby.handle_unreachable(why, &mut wakers);
        wake(wakers);
    }

    /// Closes all connections.
    pub(super) fn close(&self) {
        for connection in &self.connections {
            connection.close_and_cancel();
        }
    }

    /// Connects to endpoints that are new, and retires those that are gone. Of very many, those that come first are taken.
    pub(super) fn set(&mut self, mut wanted: Vec<String>, endpoints: &Arc<Endpoints>) {
        // A connection whose transport has failed is of no use any more; its address may be.
        self.connections.retain(|connection| !connection.is_closed());
        // Addresses that are connected already come first, so that a long list does not change connections for nothing.
        wanted.sort_by_key(|wanted| !self.is_connected_to(wanted));
        wanted.truncate(MAX_ADDRESSES);
        let (kept, gone): (Vec<_>, Vec<_>) = self
            .connections
            .drain(..)
            .partition(|known| wanted.iter().any(|wanted| known.endpoint() == wanted));
        self.connections = kept;
        let had_trouble = self.lobby.clear_trouble();
        let mut new = Vec::new();
        for endpoint in wanted {
            if self.is_connected_to(&endpoint) {
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
        self.connections.extend(new.iter().cloned());
        let changed = had_trouble || !new.is_empty() || !gone.is_empty();
        for gone in &gone {
            gone.retire();
        }
        endpoints.resolved_to(new);
        if changed {
            endpoints.changed();
        }
    }

    fn is_connected_to(&self, endpoint: &str) -> bool {
        self.connections.iter().any(|known| known.endpoint() == endpoint)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::connection::{Config, Link};

    #[tokio::test]
    async fn an_address_is_connected_again_once_its_socket_has_failed() {
        let config = Config::default();
        let lobby =
            Connection::new("tcp://tape.example:1".to_owned(), config.clone(), Arc::default(), Link::None);
        let endpoints = Endpoints::new(vec![Arc::clone(&lobby)], config, Arc::default());
        let mut roster = Roster::new(lobby);
        let mut changes = endpoints.changes();
        let wanted = || vec!["tcp://127.0.0.1:1".to_owned()];
        roster.set(wanted(), &endpoints);
        assert!(changes.has_changed().unwrap());
        let first = Arc::clone(&roster.connections[0]);
        changes.mark_unchanged();
        roster.set(wanted(), &endpoints);
        assert!(Arc::ptr_eq(&first, &roster.connections[0]) && roster.connections.len() == 1);
        assert!(!changes.has_changed().unwrap(), "nothing is told that is as before");
        first.close_now(None);
        roster.set(wanted(), &endpoints);
        assert!(!Arc::ptr_eq(&first, &roster.connections[0]) && roster.connections.len() == 1);
        assert_eq!(endpoints.all().len(), 2, "with the lobby");
    }
}
