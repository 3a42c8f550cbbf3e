//! [`Connected`]: the clients that a server knows, for its program, which may have one disconnected.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::context::PeerId;
use crate::flush::DriverNotify;
use crate::identity::Identity;

/// The clients of all drivers of a server.
#[derive(Debug, Default)]
pub(crate) struct Connected(Mutex<HashMap<PeerId, Entry>>);

#[derive(Debug)]
struct Entry {
    address: Option<SocketAddr>,
    identity: Option<Identity>,
    gate: Arc<Gate>,
}

/// What tells a driver that a client is to be disconnected.
#[derive(Debug)]
pub(super) struct Gate {
    is_closed: AtomicBool,
    /// Whether any gate of the driver was closed since it has looked.
    any: Arc<AtomicBool>,
    notify: Arc<DriverNotify>,
}

/// A client that is connected to a server.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct ConnectedPeer {
    /// What tells its connection from others, as [`Context::peer`](crate::Context::peer).
    pub id: PeerId,
    /// Who it is, if that is known by its connection; tokens are of calls.
    pub identity: Option<Identity>,
    /// Where its connection comes from, as [`Context::peer_address`](crate::Context::peer_address).
    pub address: Option<SocketAddr>,
}

impl Gate {
    pub(super) fn new(any: &Arc<AtomicBool>, notify: &Arc<DriverNotify>) -> Arc<Self> {
        let (any, notify) = (Arc::clone(any), Arc::clone(notify));
        Arc::new(Self { is_closed: AtomicBool::new(false), any, notify })
    }

    pub(super) fn is_closed(&self) -> bool {
        self.is_closed.load(Ordering::SeqCst)
    }

    /// Has the client disconnected by its driver, which is notified.
    fn close(&self) {
        self.is_closed.store(true, Ordering::SeqCst);
        self.any.store(true, Ordering::SeqCst);
        self.notify.notify();
    }
}

impl Connected {
    fn lock(&self) -> MutexGuard<'_, HashMap<PeerId, Entry>> {
        // Nothing panics while the lock is held but for lack of memory; the table is whole in any case.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn insert(
        &self,
        id: PeerId,
        address: Option<SocketAddr>,
        identity: Option<Identity>,
        gate: &Arc<Gate>,
    ) {
        self.lock().insert(id, Entry { address, identity, gate: Arc::clone(gate) });
    }

    pub(super) fn identify(&self, id: &PeerId, identity: Option<&Identity>) {
        if let Some(entry) = self.lock().get_mut(id) {
            entry.identity = identity.cloned();
        }
    }

    /// Removes a client, unless another has its route by now.
    pub(super) fn remove(&self, id: &PeerId, gate: &Arc<Gate>) {
        let mut all = self.lock();
        if all.get(id).is_some_and(|entry| Arc::ptr_eq(&entry.gate, gate)) {
            all.remove(id);
        }
    }

    /// Returns the number of clients.
    pub(crate) fn len(&self) -> usize {
        self.lock().len()
    }

    /// Returns all clients, in no order.
    pub(crate) fn all(&self) -> Vec<ConnectedPeer> {
        let all = self.lock();
        let peers = all.iter().map(|(id, entry)| ConnectedPeer {
            id: id.clone(),
            identity: entry.identity.clone(),
            address: entry.address,
        });
        peers.collect()
    }

    /// Has a client disconnected. Returns `false` if it is not connected.
    pub(crate) fn disconnect(&self, id: &PeerId) -> bool {
        let gate = self.lock().get(id).map(|entry| Arc::clone(&entry.gate));
        // With no lock held: the driver may run at once.
        gate.inspect(|gate| gate.close()).is_some()
    }
}
