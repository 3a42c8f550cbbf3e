//! [`Followed`]: keeps the connections to the servers of one service up to date, as a registry tells them.

use std::fmt;
use std::sync::{Arc, Weak};
use std::time::Duration;

use tokio::sync::watch;
use tokio::time::timeout;
use zsvc_proto::stable_hash::StableHash;

use super::roster::Roster;
use crate::connection::{Connection, Endpoints};
use crate::discovery::{self, AnyDiscover, Discover, FoundServer, Known};
use crate::fork::random;
use crate::race::race;
use crate::transport::address::Address;

/// How soon a server is connected to again whose connection can't come back by itself.
const RETRY: Duration = Duration::from_millis(500);

/// A service whose servers a channel discovers.
#[derive(Clone)]
pub(in crate::channel) struct Discovery {
    registry: Arc<dyn AnyDiscover>,
    service: String,
}

impl Discovery {
    pub(in crate::channel) fn new(registry: impl Discover, service: String) -> Self {
        Self { registry: Arc::new(registry), service }
    }

    /// Returns what stands for the service where endpoints are shown.
    pub(in crate::channel) fn endpoint(&self) -> String {
        format!("service {}", self.service)
    }

    /// Begins to follow the service for a channel. Must be called within a tokio runtime.
    pub(in crate::channel) fn follow(self, lobby: &Arc<Connection>, endpoints: &Arc<Endpoints>) {
        let followed = Followed {
            known: discovery::follow(self.registry, self.service.clone()),
            service: self.service,
            roster: Roster::new(Arc::clone(lobby)),
            endpoints: Arc::downgrade(endpoints),
            changes: endpoints.changes(),
            order: random(),
        };
        tokio::spawn(followed.keep_up());
    }
}

impl fmt::Debug for Discovery {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Discovery").field(&self.service).finish()
    }
}

/// Keeps the connections up to date, until the channel is gone.
struct Followed {
    known: watch::Receiver<Known>,
    service: String,
    roster: Roster,
    endpoints: Weak<Endpoints>,
    changes: watch::Receiver<()>,
    /// In which order this channel takes the servers, where there are too many for one.
    order: u64,
}

impl Followed {
    async fn keep_up(mut self) {
        loop {
            let known = self.known.borrow_and_update().clone();
            let Some(endpoints) = self.endpoints.upgrade() else { return };
            if !self.roster.is_closed() {
                self.take(known, &endpoints);
            }
            if self.roster.is_closed() {
                // The task that closed the channel may not have seen connections that came meanwhile.
                return self.roster.close();
            }
            drop(endpoints);
            if !self.wait().await {
                return;
            }
        }
    }

    /// Takes over what the registry has told.
    fn take(&mut self, known: Known, endpoints: &Arc<Endpoints>) {
        match known {
            Known { servers: Some(servers), .. } if !servers.is_empty() => {
                self.roster.set(self.endpoints_of(servers), endpoints);
            }
            Known { trouble: Some(why), .. } => {
                self.roster.fail(format!("its registry can't be asked: {why}"));
            }
            // Connections that are up stay: a registry that has lost its memory must not end what works. A server that goes says so.
            Known { servers: Some(_), .. } => {
                self.roster.fail(format!("no server has announced `{}`", self.service));
            }
            // The registry has not answered yet.
            Known { servers: None, trouble: None } => {}
        }
    }

    /// Returns one endpoint of each server: the first that a client can have.
    fn endpoints_of(&self, mut servers: Vec<FoundServer>) -> Vec<String> {
        servers.sort_by_cached_key(|server| StableHash::of(self.order, server.instance.as_bytes()));
        let usable = |endpoint: &String| Address::to_connect(endpoint).is_ok();
        servers.into_iter().filter_map(|server| server.endpoints.into_iter().find(usable)).collect()
    }

    /// Waits until there may be something to do. Returns whether calls may still come.
    async fn wait(&mut self) -> bool {
        loop {
            let (known, changes) = (&mut self.known, &mut self.changes);
            let next = timeout(RETRY, race(Box::pin(known.changed()), changes.changed())).await;
            if self.endpoints.strong_count() == 0 {
                return false;
            }
            match next {
                // An error means that the runtime ends.
                Ok(Some(told)) => return told.is_ok(),
                Ok(None) if self.roster.is_closed() => return true,
                Err(_) if self.roster.has_closed() => return true,
                Ok(None) | Err(_) => {}
            }
        }
    }
}
