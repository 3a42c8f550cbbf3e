//! [`SimNetwork`]: the lock around the state of a network within the process.

use std::sync::{Arc, Mutex, PoisonError};

use tokio::time::Instant;

use super::client::MemoryClient;
use super::link::LinkRules;
use super::server::{IsIdempotent, MemoryServer};
use super::state::State;
use crate::identity::Identity;

/// Links between the clients of one endpoint and its server, if there is one.
#[derive(Default)]
pub(crate) struct SimNetwork {
    state: Mutex<State>,
}

impl SimNetwork {
    pub(crate) fn new() -> Arc<Self> {
        Arc::default()
    }

    /// Runs one step under the lock. What the step discards is dropped once the lock is released, since dropping a
    /// user's bytes may run user code, which may use this network. The state is not reachable in any other way.
    pub(super) fn with<R>(&self, step: impl FnOnce(&mut State) -> R) -> R {
        // Nothing panics while the lock is held but for lack of memory; the state is whole in any case.
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let result = step(&mut state);
        let discarded = state.take_discarded();
        drop(state);
        drop(discarded);
        result
    }

    /// Starts a server, in place of the one before, which ends. `is_idempotent` says which calls may be repeated.
    pub(crate) fn listen(self: &Arc<Self>, is_idempotent: IsIdempotent) -> MemoryServer {
        let number = self.with(|state| state.listen(Instant::now()));
        MemoryServer::new(Arc::clone(self), number, is_idempotent)
    }

    /// Links a client, as soon as there is a server. Its program says who it is, or does not.
    pub(crate) fn connect(self: &Arc<Self>, identity: Option<Identity>) -> MemoryClient {
        let number = self.with(|state| state.connect(Instant::now(), identity));
        MemoryClient::new(Arc::clone(self), number)
    }

    /// Links a client that counts as connected from the start, and closes the network for others: the client is the
    /// server's only one.
    pub(crate) fn connect_alone(self: &Arc<Self>, identity: Option<Identity>) -> MemoryClient {
        let number = self.with(|state| state.connect_alone(identity));
        MemoryClient::new(Arc::clone(self), number)
    }

    /// Changes what happens to messages.
    pub(crate) fn change_rules(&self, change: impl FnOnce(&mut LinkRules)) {
        self.with(|state| change(state.rules()));
    }

    /// Takes every link down, with all messages on their way. They come up again by themselves.
    pub(crate) fn cut(&self) {
        self.with(|state| state.cut(Instant::now()));
    }

    /// Ends the server, with all that it was doing.
    pub(crate) fn crash(&self) {
        self.with(|state| state.stop_server(Instant::now()));
    }
}
