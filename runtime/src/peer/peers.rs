//! [`Peers`]: the clients that one driver serves: which are known, and which show signs of life. [`Directory`]: those of all
//! drivers of a server, of which too many bytes may wait. The calls of one client are in its session.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::Duration;

use tokio::time::Instant;

use super::connected::Gate;
use super::counters::Dropped;
use super::peer::{CallState, Peer};
use super::ready_list::{ReadyList, Serves};
use super::shared::Shared;
use crate::context::PeerId;
use crate::flush::DriverNotify;
use crate::identity::Identity;
use crate::session::server::{DropReason, ListeningClock, Session};
use crate::status::{Cause, Status};
use crate::sweep::SweepPace;
use crate::telemetry::{End, Up};

/// Time after which a client without calls in flight is forgotten if it sends nothing.
const IDLE: Duration = Duration::from_secs(60);

/// Maximum number of clients. The first of a connection with a driver of its own is added all the same. At this number, all
/// clients without calls in flight are forgotten, however recently they have sent something: routes cost a sender nothing to
/// make up. A forgotten client only misses the notice that the server goes away. If all clients have calls in flight or records
/// that wait, messages of others are dropped and counted.
pub(crate) const MAX_PEERS: usize = 131_072;

/// Time without a sweep after one that left the maximum number of clients.
const SWEEP_PAUSE: Duration = Duration::from_millis(250);

/// The clients of all connections of a server, each of which has a driver of its own.
#[derive(Debug)]
pub(crate) struct Directory<C>(Mutex<HashMap<PeerId, Weak<Peer<C>>>>);

/// The clients that one driver serves.
pub(crate) struct Peers<C: CallState> {
    shared: Arc<Shared>,
    /// Where the clients of other drivers are found, if there are other drivers.
    directory: Option<Arc<Directory<C>>>,
    ready: Arc<ReadyList<Peer<C>>>,
    known: HashMap<PeerId, Known<C>>,
    /// When idle ones are removed.
    pace: SweepPace,
    /// Time before which no sweep runs, since the last one left the maximum number of clients, all of them busy.
    full_until: Option<Instant>,
    clock: ListeningClock,
    /// What is known of the connection, of a driver that has one.
    address: Option<SocketAddr>,
    /// Who the client at the other end of the connection is, of a driver that has one, if that is known.
    identity: Option<Identity>,
    /// Whether the program wants one of these clients disconnected.
    has_closed_gate: Arc<AtomicBool>,
}

/// A client, and when its last message was received.
struct Known<C> {
    peer: Arc<Peer<C>>,
    last_message_at: Instant,
    /// Who its messages are from, of a transport that says so message by message.
    sender: Option<Identity>,
    /// Whether it is among [`Shared::clients`].
    is_counted: bool,
    gate: Arc<Gate>,
    _up: Up,
}

impl<C: CallState> Peers<C> {
    /// Creates the clients of a server's only driver, which is the main one.
    pub(crate) fn of_server(shared: Arc<Shared>) -> Self {
        let notify = Arc::clone(&shared.notify);
        Self::new(shared, notify, Serves::Server, None)
    }

    /// Creates the clients of one connection, whose driver is notified by `notify`.
    pub(crate) fn of_connection(
        shared: Arc<Shared>,
        notify: Arc<DriverNotify>,
        directory: Arc<Directory<C>>,
    ) -> Self {
        Self::new(shared, notify, Serves::Connection, Some(directory))
    }

    fn new(
        shared: Arc<Shared>,
        notify: Arc<DriverNotify>,
        serves: Serves,
        directory: Option<Arc<Directory<C>>>,
    ) -> Self {
        Self {
            clock: ListeningClock::new(&shared.config.session),
            ready: ReadyList::new(notify, serves),
            directory,
            known: HashMap::new(),
            pace: SweepPace::new(),
            full_until: None,
            address: None,
            identity: None,
            has_closed_gate: Arc::default(),
            shared,
        }
    }

    /// Says where the connection comes from whose clients these are.
    pub(crate) fn set_address(&mut self, address: Option<SocketAddr>) {
        self.address = address;
    }

    /// Says who is at the other end of the connection. Whatever a client behind it says of itself, that is its identity.
    pub(crate) fn set_identity(&mut self, identity: Option<Identity>) {
        self.each(|session| session.set_identity(identity.clone()));
        self.known.keys().for_each(|id| self.shared.connected.identify(id, identity.as_ref()));
        self.identity = identity;
    }

    /// Returns who is at the other end of the connection, if that is known.
    pub(crate) fn identity(&self) -> Option<&Identity> {
        self.identity.as_ref()
    }

    /// Ends every call of clients that are not let in any more, and lets none of them begin. Their connection is closed next.
    pub(crate) fn revoke(&self, why: &Status) {
        // First, so that a client that hears how its calls ended sends no other on a connection that ends.
        self.go_away();
        self.known.values().for_each(|known| known.peer.bar(why));
    }

    /// Ends the calls of clients that the program wants disconnected, and forgets them. Returns whether the connection is to be closed,
    /// of a driver that has one: one of them was at its other end, and not behind a device there.
    pub(crate) fn disconnect(&mut self, why: &Status) -> bool {
        // Mostly there is none: this is asked in every turn.
        if !self.has_closed_gate.swap(false, Ordering::SeqCst) {
            return false;
        }
        let closed = self.known.values().filter(|known| known.gate.is_closed());
        let closed: Vec<_> = closed.map(|known| Arc::clone(&known.peer)).collect();
        // Where one of them is at the other end itself, that connection is its own, whatever it has said along other routes.
        let is_own = self.ready.serves() == Serves::Connection;
        let is_to_end = is_own && closed.iter().any(|peer| peer.id().is_direct());
        if is_to_end {
            // First, as in `revoke`.
            self.go_away();
        }
        for peer in &closed {
            if !is_to_end {
                // Its route stays, and what comes on it next is of a new client. What this one is told of its calls still leaves.
                self.remove(peer.id().route());
            }
            peer.bar(why);
        }
        is_to_end
    }

    /// Returns the list of clients with something to send.
    pub(crate) fn ready(&self) -> &Arc<ReadyList<Peer<C>>> {
        &self.ready
    }

    /// Returns the client of a route on which something was just received; `None` for a new client past [`MAX_PEERS`]. A new one
    /// is who the transport says, or who is at the other end of the connection.
    pub(crate) fn peer_of_route(
        &mut self,
        route: &[u8],
        identity: Option<Identity>,
        now: Instant,
    ) -> Option<Arc<Peer<C>>> {
        if let Some(known) = self.known.get_mut(route) {
            if identity.is_none() || known.sender == identity {
                known.last_message_at = now;
                return Some(Arc::clone(&known.peer));
            }
            // Another client has the route now: it must not go on with the calls of the one before.
            self.lose_by(route);
        }
        self.sweep(now);
        if self.is_full() {
            self.shared.counters.drop_records(Dropped::TooManyClients, 1);
            return None;
        }
        let id = PeerId::new(route);
        let peer = Peer::new(id.clone(), self.address, Arc::clone(&self.shared), Arc::clone(&self.ready));
        let sender = identity.clone();
        let identity = identity.or_else(|| self.identity.clone());
        let gate = Gate::new(&self.has_closed_gate, self.ready.notify());
        self.shared.connected.insert(id.clone(), self.address, identity.clone(), &gate);
        if identity.is_some() {
            peer.with(|session| session.set_identity(identity));
        }
        let is_counted = !self.is_first_of_connection();
        let known = Known {
            peer: Arc::clone(&peer),
            last_message_at: now,
            sender,
            is_counted,
            gate,
            _up: Up::new(End::Server),
        };
        if let Some(directory) = &self.directory {
            directory.lock().insert(id.clone(), Arc::downgrade(&peer));
        }
        self.known.insert(id, known);
        self.shared.clients.fetch_add(usize::from(is_counted), Ordering::Relaxed);
        Some(peer)
    }

    /// Reports whether no client may be added. The first of a connection always may: its number is bounded by that of connections.
    fn is_full(&self) -> bool {
        !self.is_first_of_connection() && self.shared.clients.load(Ordering::Relaxed) >= MAX_PEERS
    }

    /// Reports whether the next client is the first of a connection with a driver of its own.
    fn is_first_of_connection(&self) -> bool {
        self.ready.serves() == Serves::Connection && self.known.is_empty()
    }

    /// Forgets idle clients, now and then, and where no other may be added.
    fn sweep(&mut self, now: Instant) {
        let is_full = self.is_full();
        let is_due = is_full || self.pace.is_due(self.known.len());
        if !is_due || self.full_until.is_some_and(|until| now < until) {
            return;
        }
        let idle = if is_full { Duration::ZERO } else { IDLE };
        let is_idle =
            |known: &Known<C>| now.duration_since(known.last_message_at) >= idle && !known.peer.is_busy();
        let forgotten: Vec<PeerId> =
            self.known.iter().filter(|(_, known)| is_idle(known)).map(|(id, _)| id.clone()).collect();
        for id in forgotten {
            self.remove(id.route());
        }
        self.pace.swept(self.known.len());
        // All of them are busy. A sweep for every message would cost more than the message itself.
        self.full_until = self.is_full().then(|| now + SWEEP_PAUSE);
    }

    /// Removes a client from the tables.
    fn remove(&mut self, route: &[u8]) -> Option<Known<C>> {
        let (id, known) = self.known.remove_entry(route)?;
        self.shared.clients.fetch_sub(usize::from(known.is_counted), Ordering::Relaxed);
        self.shared.connected.remove(&id, &known.gate);
        if let Some(directory) = &self.directory {
            directory.lock().remove(&id);
        }
        Some(known)
    }

    /// Reports whether calls are in flight: of these clients, or, where they are many, of the server's.
    pub(crate) fn have_calls(&self) -> bool {
        match self.ready.serves() {
            Serves::Server => self.shared.sessions.calls() > 0,
            // Mostly there is one client.
            Serves::Connection => {
                self.shared.sessions.calls() > 0 && self.known.values().any(|known| known.peer.has_calls())
            }
        }
    }

    /// Returns the interval at which [`Peers::check`] must be called while calls are in flight.
    pub(crate) fn check_interval(&self) -> Duration {
        self.shared.config.session.check_interval()
    }

    /// Asks clients with calls in flight for a sign of life, and ends the calls of those without one for the peer timeout. Only
    /// time in which the server has asked and has read its socket counts: a client is not dead because the server was busy.
    pub(crate) fn check(&mut self, now: Instant) {
        let now = self.clock.advance(now.into_std());
        for known in self.known.values() {
            known.peer.with(|session| session.handle_timeout(now));
        }
    }

    /// Says that a part of a long message has come from a client, or has gone to one. Only the transports of single connections
    /// tell; several clients behind one connection are those of a device.
    pub(crate) fn handle_part(&self) {
        for known in self.known.values() {
            known.peer.with(Session::handle_part);
        }
    }

    /// Drops what waits for a client that does not read. Returns `false` for a client that is not known any more; such a client
    /// is not told.
    pub(crate) fn shed(&mut self, peer: &Arc<Peer<C>>) -> bool {
        let is_known = self.is_known(peer);
        peer.with(if is_known { Session::shed } else { Session::forget });
        is_known
    }

    fn is_known(&self, peer: &Arc<Peer<C>>) -> bool {
        self.known.get(peer.id().route()).is_some_and(|known| Arc::ptr_eq(&known.peer, peer))
    }

    /// Sees to it that clients are shed if too many bytes wait for all clients of the server together: here, or by the main driver.
    pub(crate) fn shed_load(&mut self) {
        if !self.shared.sessions.is_too_much_waiting() {
            return;
        }
        match self.ready.serves() {
            Serves::Connection => self.shared.notify.notify(),
            Serves::Server => {
                shed_load(&self.shared, self.known.values().map(|known| Arc::clone(&known.peer)));
            }
        }
    }

    /// Ends the session of a client that can't be reached. With calls in flight, it is lost.
    pub(crate) fn lose(&mut self, peer: &Arc<Peer<C>>) {
        if self.is_known(peer) {
            self.remove(peer.id().route());
        }
        peer.with(Session::handle_disconnected);
    }

    /// Ends the session of the client of a route, as [`Peers::lose`].
    pub(crate) fn lose_by(&mut self, route: &[u8]) {
        if let Some(known) = self.known.get(route) {
            let peer = Arc::clone(&known.peer);
            self.lose(&peer);
        }
    }

    /// Ends the sessions of all clients, as [`Peers::lose`].
    pub(crate) fn lose_all(&mut self) {
        let peers: Vec<_> = self.known.values().map(|known| Arc::clone(&known.peer)).collect();
        for peer in &peers {
            self.lose(peer);
        }
    }
}

impl<C: CallState> Directory<C> {
    pub(crate) fn new() -> Arc<Self> {
        Arc::new(Self(Mutex::new(HashMap::new())))
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<PeerId, Weak<Peer<C>>>> {
        // Nothing panics while the lock is held but for lack of memory; the table is whole in any case.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Sheds clients if too many bytes wait for all of them together.
    pub(crate) fn shed_load(&self, shared: &Shared) {
        if shared.sessions.is_too_much_waiting() {
            let peers: Vec<_> = self.lock().values().filter_map(Weak::upgrade).collect();
            shed_load(shared, peers.into_iter());
        }
    }
}

/// Sheds the clients with the most bytes waiting, until a quarter of the bound is free, so that this does not run again at
/// once. A client that reads has few bytes waiting.
fn shed_load<C: CallState>(shared: &Shared, peers: impl Iterator<Item = Arc<Peer<C>>>) {
    // Counted exactly, since the total is kept in steps: a client with few bytes left may count for a whole step.
    let mut waiting: Vec<(usize, Arc<Peer<C>>)> =
        peers.map(|peer| (peer.with(Session::count_waiting), peer)).collect();
    if !shared.sessions.is_too_much_waiting() {
        return;
    }
    waiting.sort_unstable_by_key(|(bytes, _)| std::cmp::Reverse(*bytes));
    let enough = shared.config.session.max_waiting / 4 * 3;
    let mut left: usize = waiting.iter().map(|(bytes, _)| bytes).sum();
    for (bytes, peer) in waiting {
        if left <= enough {
            break;
        }
        left -= bytes;
        peer.with(Session::shed);
    }
}

/// Draining and closing.
impl<C: CallState> Peers<C> {
    /// Tells every client that no new calls are taken.
    pub(crate) fn go_away(&self) {
        self.each(Session::go_away);
    }

    /// Ends what is still in flight when the time for draining is up.
    pub(crate) fn fail_all(&self, why: &Status) {
        self.each(|session| session.fail_all(why));
    }

    /// Asks every client for a pong, which proves that it has read all that was sent before.
    pub(crate) fn flush(&self) {
        self.shared.sessions.flush();
        self.each(Session::ask);
    }

    /// Reports whether every client has answered every ping.
    pub(crate) fn are_flushed(&self) -> bool {
        self.known.values().all(|known| known.peer.is_flushed())
    }

    /// Drops everything that is in flight or waiting, since the server is being dropped.
    pub(crate) fn close(&mut self) {
        let why = Status::unavailable("the server was dropped").caused_by(Cause::Closed);
        let routes: Vec<PeerId> = self.known.keys().cloned().collect();
        for known in routes.iter().filter_map(|id| self.remove(id.route())) {
            known.peer.with(|session| session.close(&why, DropReason::ServerEnded));
        }
        // Peers hold the list, and the list holds peers: this breaks the cycle.
        self.ready.take(&mut Vec::new());
    }

    fn each(&self, step: impl Fn(&mut Session<C>)) {
        self.known.values().for_each(|known| known.peer.with(&step));
    }
}

#[cfg(test)]
impl<C: CallState> Peers<C> {
    /// Returns the client of a route, which must be known.
    pub(crate) fn of(&self, route: &[u8]) -> Arc<Peer<C>> {
        Arc::clone(&self.known[route].peer)
    }
}
