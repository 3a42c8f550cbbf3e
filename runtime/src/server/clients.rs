//! The clients of a server as a whole: who is known, who shows signs of life, for whom too much waits, and who has read
//! everything before the server ends. What one client has in flight is in [`super::peer`].

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;

use super::counters::{Dropped, count};
use super::peer::Peer;
use super::shared::Shared;
use crate::context::PeerId;
use crate::status::{Cause, Status};
use crate::telemetry::{End, Up};
use crate::wire;

/// A client that is not heard of for so long, and has no calls in flight, is forgotten.
const IDLE: Duration = Duration::from_mins(1);

/// At so many clients, those without calls in flight are forgotten whenever they were heard of: routes cost a sender
/// nothing to make up. All that a forgotten client misses is that the server goes away. Where all have calls in flight, or
/// something waits for them, what comes from others is dropped and counted.
pub(super) const MAX_PEERS: usize = 131_072;

/// How long nobody is looked for who could be forgotten, once nobody could.
const FULL: Duration = Duration::from_millis(250);

/// How often clients with calls in flight are looked at, or more often where they have little time.
const CHECK: Duration = Duration::from_millis(250);

/// All clients that a server knows.
pub(crate) struct Clients {
    shared: Arc<Shared>,
    known: HashMap<PeerId, Known>,
    /// The server is about to end, and wants to know that its answers were read.
    flushing: bool,
    /// At how many clients it next looks for idle ones: twice what was left the last time.
    sweep_at: usize,
    /// Until when there is no use in looking, since all clients are busy and there are as many as there may be.
    full_until: Option<Instant>,
    listened: Listened,
}

/// How long a server has listened to its clients: time, less that in which it was kept from it, by handlers that hold up
/// their threads or by a machine that stood still. A client that was asked in vain meanwhile may have answered.
#[derive(Debug, Default)]
struct Listened {
    time: Duration,
    looked: Option<Instant>,
}

impl Listened {
    /// Counts the time since the last look, up to so much: whoever looks later than that was kept from it.
    fn look(&mut self, now: Instant, most: Duration) -> Duration {
        let since = self.looked.replace(now).map_or(Duration::ZERO, |before| now.duration_since(before));
        self.time += since.min(most);
        self.time
    }
}

/// A client, and when it was last heard of.
struct Known {
    peer: Arc<Peer>,
    heard: Instant,
    /// When it was asked for a sign of life that it has not shown since, as the server has listened.
    asked: Option<Duration>,
    /// How many pings it has not answered: proof that it has read everything is a pong, and nothing else.
    pings: u32,
    /// It was given up, and nothing was heard of it since.
    given_up: bool,
    _up: Up,
}

impl Known {
    /// Asks for a pong. All pings have the id 0; pongs come in their order.
    fn ask(&mut self) {
        self.pings = self.pings.saturating_add(1);
        self.peer.send(|out| wire::ping(out, 0));
    }

    /// It is taken for dead. Should it live and only have been stopped, it is told what became of its calls: it would wait
    /// for them for ever, since its connection may be as good as before.
    fn give_up(&mut self) {
        (self.asked, self.pings, self.given_up) = (None, 0, true);
        let why = Status::unavailable("the client showed no sign of life, and its calls were given up");
        self.peer.fail_all(&why.maybe_executed().caused_by(Cause::ClientLost));
    }
}

impl Clients {
    pub(super) fn new(shared: Arc<Shared>) -> Self {
        let (known, listened) = (HashMap::new(), Listened::default());
        Self { shared, known, flushing: false, sweep_at: 64, full_until: None, listened }
    }

    /// The client of this route, of whom something has come in just now; `None` for a new one past [`MAX_PEERS`].
    pub(super) fn heard_of(&mut self, route: &[u8], now: Instant) -> Option<Arc<Peer>> {
        if let Some(known) = self.known.get_mut(route) {
            (known.heard, known.asked, known.given_up) = (now, None, false);
            return Some(Arc::clone(&known.peer));
        }
        self.sweep(now);
        if self.known.len() >= MAX_PEERS {
            self.shared.counters.drop_records(Dropped::TooManyClients, 1);
            return None;
        }
        let id = PeerId::new(route);
        let peer = Peer::new(id.clone(), Arc::clone(&self.shared));
        let (up, peer_of_it) = (Up::new(End::Server), Arc::clone(&peer));
        let known = Known { peer: peer_of_it, heard: now, asked: None, pings: 0, given_up: false, _up: up };
        self.known.insert(id, known);
        Some(peer)
    }

    /// Forgets idle clients, when there are many more than the last time.
    fn sweep(&mut self, now: Instant) {
        if self.known.len() < self.sweep_at || self.full_until.is_some_and(|until| now < until) {
            return;
        }
        let idle = if self.known.len() < MAX_PEERS { IDLE } else { Duration::ZERO };
        self.known.retain(|_, known| now.duration_since(known.heard) < idle || known.peer.is_busy());
        self.sweep_at = (self.known.len() * 2).clamp(64, MAX_PEERS);
        // All of them are busy. To look at them again for every message would cost more than the message is worth.
        self.full_until = (self.known.len() >= MAX_PEERS).then(|| now + FULL);
    }

    /// Also pongs and errors, which nothing else bounds, must not pile up for a client that never reads. `false` when they
    /// did, and were thrown away.
    pub(super) fn keep_in_bounds(&mut self, peer: &Arc<Peer>) -> bool {
        let within = peer.waiting() <= self.shared.limits.too_much();
        if !within {
            self.forsake(peer);
        }
        within
    }

    /// How often [`Clients::check`] is to be called while calls are in flight.
    pub(super) fn check_every(&self) -> Duration {
        CHECK.min(self.shared.limits.peer_timeout / 12).max(Duration::from_millis(1))
    }

    /// Asks clients with calls in flight for a sign of life, and gives up those that have shown none for as long as the
    /// peer timeout. None is given up that was not asked, and not listened to since: a client is not dead because we were
    /// busy.
    pub(crate) fn check(&mut self, now: Instant) {
        let (timeout, every) = (self.shared.limits.peer_timeout, self.check_every());
        let listened = self.listened.look(now, every * 2);
        // What it may take to look, twice, is part of the whole.
        let patience = timeout.saturating_sub(timeout / 3 + every * 2);
        for known in self.known.values_mut().filter(|known| known.peer.has_calls()) {
            match known.asked {
                Some(asked) if listened.saturating_sub(asked) >= patience => {
                    count(&self.shared.counters.lost_peers);
                    known.give_up();
                }
                None if now.duration_since(known.heard) >= timeout / 3 => {
                    known.asked = Some(listened);
                    known.ask();
                }
                _ => {}
            }
        }
    }

    /// A client does not read what it is sent. `false` for one that is not known any more, which is not even told.
    pub(crate) fn forsake(&mut self, peer: &Arc<Peer>) -> bool {
        let known = self.known.get_mut(peer.id().route()).filter(|known| Arc::ptr_eq(&known.peer, peer));
        let Some(known) = known else {
            self.drop_all(peer, Dropped::NotRead, &client_is_gone());
            return false;
        };
        // A ping that is thrown away with the rest can't be answered.
        (known.asked, known.pings, known.given_up) = (None, 0, true);
        let why =
            Status::unavailable("the client did not read what it was sent, and its calls were given up");
        let forsaken = peer.forsake(&why.maybe_executed().caused_by(Cause::ClientLost));
        self.shared.counters.drop_records(Dropped::NotRead, forsaken.owed);
        if forsaken.calls > 0 {
            count(&self.shared.counters.lost_peers);
        }
        true
    }

    /// Too much waits for all clients together: gives up those for whom most does, until a quarter of the bound is free, so
    /// that this is not looked for again at once. Whoever reads has little waiting.
    pub(crate) fn relieve(&mut self) {
        // Counted anew, since the bound may be passed by nothing but steps: a client with little left may count for one.
        let behind =
            self.known.values().map(|known| (known.peer.count_all_waiting(), Arc::clone(&known.peer)));
        let mut behind: Vec<(usize, Arc<Peer>)> = behind.collect();
        if !self.shared.is_too_much_waiting() {
            return;
        }
        behind.sort_unstable_by_key(|(waiting, _)| std::cmp::Reverse(*waiting));
        let enough = self.shared.limits.waiting / 4 * 3;
        let mut left: usize = behind.iter().map(|(waiting, _)| waiting).sum();
        for (waiting, peer) in behind {
            if left <= enough {
                break;
            }
            left -= waiting;
            self.forsake(&peer);
        }
    }

    /// A client can't be reached. Where calls of it are in flight, it is lost.
    pub(crate) fn lose(&mut self, peer: &Arc<Peer>) {
        let known = self.known.get(peer.id().route());
        if known.is_some_and(|known| Arc::ptr_eq(&known.peer, peer)) {
            self.known.remove(peer.id().route());
            if peer.has_calls() {
                count(&self.shared.counters.lost_peers);
            }
        }
        self.drop_all(peer, Dropped::Unreachable, &client_is_gone());
    }

    /// The same, by its route.
    pub(crate) fn lose_by(&mut self, route: &[u8]) {
        if let Some(known) = self.known.get(route) {
            let peer = Arc::clone(&known.peer);
            self.lose(&peer);
        }
    }

    fn drop_all(&self, peer: &Arc<Peer>, reason: Dropped, why: &Status) {
        self.shared.counters.drop_records(reason, peer.hang_up(why));
    }

    /// The client has answered a ping.
    pub(super) fn ponged(&mut self, peer: &Peer) {
        if let Some(known) = self.known.get_mut(peer.id().route()) {
            known.pings = known.pings.saturating_sub(1);
        }
    }
}

/// The way out.
impl Clients {
    /// Tells every client that no new calls are taken.
    pub(crate) fn say_going_away(&self) {
        for known in self.known.values().filter(|known| !known.given_up) {
            known.peer.send(wire::going_away);
        }
    }

    /// Ends what is still in flight when the time for draining is up.
    pub(super) fn fail_all(&self, why: &Status) {
        for known in self.known.values() {
            known.peer.fail_all(why);
        }
    }

    /// Asks every client for a pong, which proves that it has read all that was sent before.
    pub(crate) fn ask_all(&mut self) {
        self.flushing = true;
        self.known.values_mut().filter(|known| !known.given_up).for_each(Known::ask);
    }

    /// What was sent after the last ping needs a proof of its own: a client may not get to read what comes right before
    /// the end of its connection.
    pub(super) fn ask_again(&mut self, peer: &Peer) {
        if self.flushing
            && peer.waiting() > 0
            && let Some(known) = self.known.get_mut(peer.id().route())
        {
            known.ask();
        }
    }

    /// Every client has answered every ping.
    pub(crate) fn all_answered(&self) -> bool {
        self.known.values().all(|known| known.pings == 0)
    }

    /// Throws away everything that is in flight or waiting: the server is no more.
    pub(super) fn hang_up_all(&mut self) {
        let why = Status::unavailable("the server was dropped").caused_by(Cause::Closed);
        for known in std::mem::take(&mut self.known).into_values() {
            self.drop_all(&known.peer, Dropped::ServerEnded, &why);
        }
    }
}

#[cfg(test)]
impl Clients {
    /// The client of a route, which has been heard of.
    pub(super) fn of(&self, route: &[u8]) -> Arc<Peer> {
        Arc::clone(&self.known[route].peer)
    }
}

/// What the streams of a client end in that can't be told anything.
fn client_is_gone() -> Status {
    Status::unavailable("the client is gone").caused_by(Cause::ClientLost)
}
