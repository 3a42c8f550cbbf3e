//! [`Peers`]: the clients that are connected to a server, for its program.

use std::fmt;
use std::sync::Arc;

use crate::context::PeerId;
use crate::peer::{ConnectedPeer, Shared};

/// The clients that are connected to a server. See [`Server::peers`](crate::Server::peers). Cheap to clone.
#[derive(Clone)]
pub struct Peers(Arc<Shared>);

impl Peers {
    pub(super) fn new(shared: &Arc<Shared>) -> Self {
        Self(Arc::clone(shared))
    }

    /// Returns the clients that are connected now, in no order. A connection is a client once it has said something; clients behind a
    /// device are one each. On [`Engine::Libzmq`](crate::Engine::Libzmq), which does not tell of connections, they are those that
    /// have said something in the last minute, or have calls in flight.
    #[must_use]
    pub fn all(&self) -> Vec<ConnectedPeer> {
        self.0.connected.all()
    }

    /// Ends the calls of a client, with `unavailable`, and closes its connection. Returns `false` if it is not connected.
    ///
    /// It may connect again, as channels do by themselves: to keep a client away, take its key or its roles
    /// [from the list](crate::curve::Access). One behind a device keeps the connection, which it shares; so does every client on
    /// [`Engine::Libzmq`](crate::Engine::Libzmq), which can't close the connection of one: what it says next is then that of a new client.
    #[expect(clippy::must_use_candidate, reason = "it does something")]
    pub fn disconnect(&self, peer: &PeerId) -> bool {
        self.0.connected.disconnect(peer)
    }

    /// Disconnects the clients of a name, as [`disconnect`](Self::disconnect). Returns how many connections those were.
    #[expect(clippy::must_use_candidate, reason = "it does something")]
    pub fn disconnect_named(&self, name: &str) -> usize {
        let named =
            |peer: &ConnectedPeer| peer.identity.as_ref().is_some_and(|identity| identity.name() == name);
        self.all().iter().filter(|peer| named(peer) && self.disconnect(&peer.id)).count()
    }
}

impl fmt::Debug for Peers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Peers").field(&self.all()).finish()
    }
}
