//! [`Turns`]: how many ask at a time, shared out among those who want to. One that asks about very many, or about what takes long, holds up
//! its own, and nothing of others.

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::hash::Hash;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::oneshot;

use crate::session::server::Shares;
use crate::source::Source;

/// On whose account is asked: a peer, and where it comes from. Turns are shared out among the places, and those of a place among its peers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Asker {
    pub(crate) place: Source,
    /// Tells the peers of a place apart; two with the same number share.
    pub(crate) peer: u64,
}

impl Asker {
    /// Returns that of a client at its handshake, of which its address is known, and its key, which may be made up.
    pub(crate) fn of_address(source: Source) -> Self {
        Self { place: source.network(), peer: source.number() }
    }
}

/// Those that have a turn, up to a number, and those that wait for one.
#[derive(Debug)]
pub(super) struct Turns {
    max: usize,
    table: Mutex<Table>,
}

#[derive(Debug, Default)]
struct Table {
    /// Number that the next one gets.
    next: u64,
    places: Ring<Source, Ring<u64, Peer>>,
}

/// Parts that have turns or wait for some, in the order in which they get their next.
#[derive(Debug)]
struct Ring<K, P> {
    /// Invariant: a part is here while it has turns, or waits for some.
    parts: HashMap<K, P>,
    /// Each part that waits for a turn, once.
    order: VecDeque<K>,
    /// Number of turns of all parts.
    running: usize,
    /// Number of parts that have a turn.
    active: usize,
}

/// What asks on one account.
#[derive(Debug, Default)]
struct Peer {
    running: usize,
    /// By their numbers, and so in the order in which they came.
    waiting: BTreeMap<u64, oneshot::Sender<()>>,
}

/// One part of a [`Ring`].
trait Part: Default {
    fn running(&self) -> usize;
    fn is_waiting(&self) -> bool;
    /// Gives a turn to one that waits, if `max` allows one more. Returns how that one is told.
    fn take(&mut self, max: usize) -> Option<oneshot::Sender<()>>;
}

impl Part for Peer {
    fn running(&self) -> usize {
        self.running
    }

    fn is_waiting(&self) -> bool {
        !self.waiting.is_empty()
    }

    fn take(&mut self, _max: usize) -> Option<oneshot::Sender<()>> {
        let (_, told) = self.waiting.pop_first()?;
        self.running += 1;
        Some(told)
    }
}

impl<K, P> Default for Ring<K, P> {
    fn default() -> Self {
        Self { parts: HashMap::new(), order: VecDeque::new(), running: 0, active: 0 }
    }
}

impl<K: Copy + Eq + Hash, P: Part> Part for Ring<K, P> {
    fn running(&self) -> usize {
        self.running
    }

    fn is_waiting(&self) -> bool {
        !self.order.is_empty()
    }

    /// The last quarter is kept for parts with few turns. Of those that wait, no more are passed over than have a turn: a part without one
    /// gets one if any is left.
    fn take(&mut self, max: usize) -> Option<oneshot::Sender<()>> {
        for _ in 0..self.order.len() {
            let shares = Shares { max, taken: self.running, clients: self.active };
            let key = self.order.pop_front()?;
            let part = self.parts.get_mut(&key)?;
            let before = part.running();
            let told = if shares.room_for(before).is_ok() { part.take(max - max / 4) } else { None };
            if part.is_waiting() {
                self.order.push_back(key);
            }
            if told.is_some() {
                self.running += 1;
                self.active += usize::from(before == 0);
                return told;
            }
        }
        None
    }
}

impl<K: Copy + Eq + Hash, P: Part> Ring<K, P> {
    /// Changes a part, and takes down what has become of it.
    fn change<T>(&mut self, key: K, change: impl FnOnce(&mut P) -> T) -> T {
        let part = self.parts.entry(key).or_default();
        let (running, was_waiting) = (part.running(), part.is_waiting());
        let result = change(part);
        let (running_now, is_waiting) = (part.running(), part.is_waiting());
        self.running = self.running + running_now - running;
        self.active = self.active + usize::from(running_now > 0) - usize::from(running > 0);
        match (was_waiting, is_waiting) {
            (false, true) => self.order.push_back(key),
            (true, false) => self.order.retain(|other| *other != key),
            _ => {}
        }
        if running_now == 0 && !is_waiting {
            self.parts.remove(&key);
        }
        result
    }
}

impl Turns {
    pub(super) fn new(max: usize) -> Arc<Self> {
        Arc::new(Self { max, table: Mutex::default() })
    }

    fn lock(&self) -> MutexGuard<'_, Table> {
        // Nothing panics while the lock is held but for lack of memory; the table is whole in any case.
        self.table.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits for a turn, which ends when what this returns is dropped.
    pub(super) async fn turn(self: &Arc<Self>, asker: Asker) -> Turn {
        let (tell, told) = oneshot::channel();
        let number = {
            let mut table = self.lock();
            let number = table.next;
            table.next += 1;
            table.peer(asker, |peer| peer.waiting.insert(number, tell));
            number
        };
        // Dropped with this future, it waits no more.
        let turn = Turn { turns: Arc::clone(self), asker, number };
        self.share_out();
        // What tells is kept until it has told.
        let _: Result<(), oneshot::error::RecvError> = told.await;
        turn
    }

    /// Gives turns to those that wait.
    fn share_out(&self) {
        loop {
            let Some(told) = ({
                let mut table = self.lock();
                table.places.take(self.max)
            }) else {
                return;
            };
            // One that has gone gives it back as it is dropped.
            let _: Result<(), ()> = told.send(());
        }
    }
}

impl Table {
    fn peer<T>(&mut self, asker: Asker, change: impl FnOnce(&mut Peer) -> T) -> T {
        self.places.change(asker.place, |place| place.change(asker.peer, change))
    }
}

/// A turn, or the wait for one, until this is dropped.
#[derive(Debug)]
pub(super) struct Turn {
    turns: Arc<Turns>,
    asker: Asker,
    number: u64,
}

impl Drop for Turn {
    fn drop(&mut self) {
        let left = self.turns.lock().peer(self.asker, |peer| {
            let left = peer.waiting.remove(&self.number);
            if left.is_none() {
                peer.running = peer.running.saturating_sub(1);
            }
            left
        });
        if left.is_none() {
            self.turns.share_out();
        }
    }
}

#[cfg(test)]
mod tests {
    use std::future::Future;
    use std::net::Ipv4Addr;
    use std::pin::Pin;
    use std::task::{Context, Poll, Waker};

    use super::*;

    fn asker(place: u8, peer: u64) -> Asker {
        Asker { place: Source::V4(Ipv4Addr::new(192, 0, 2, place)), peer }
    }

    /// One that asks, until it is dropped.
    struct Asks(Pin<Box<dyn Future<Output = Turn>>>, Option<Turn>);

    impl Asks {
        fn new(turns: &Arc<Turns>, asker: Asker) -> Self {
            let turns = Arc::clone(turns);
            let mut this = Self(Box::pin(async move { turns.turn(asker).await }), None);
            this.has_turn();
            this
        }

        fn has_turn(&mut self) -> bool {
            if self.1.is_none()
                && let Poll::Ready(turn) = self.0.as_mut().poll(&mut Context::from_waker(Waker::noop()))
            {
                self.1 = Some(turn);
            }
            self.1.is_some()
        }
    }

    fn ask(turns: &Arc<Turns>, asker: Asker, number: usize) -> Vec<Asks> {
        (0..number).map(|_| Asks::new(turns, asker)).collect()
    }

    fn with_turn(all: &mut [Asks]) -> usize {
        all.iter_mut().filter_map(|one| one.has_turn().then_some(())).count()
    }

    #[test]
    fn a_peer_with_many_leaves_turns_for_its_neighbours_and_a_place_for_others() {
        let turns = Turns::new(64);
        let mut greedy = ask(&turns, asker(1, 1), 1_000);
        assert_eq!(with_turn(&mut greedy), 36, "three quarters of those of a place");
        let mut neighbours: Vec<_> = (2..6).map(|peer| Asks::new(&turns, asker(1, peer))).collect();
        assert_eq!(with_turn(&mut neighbours), 4);
        let mut others: Vec<_> = (2..8).map(|place| Asks::new(&turns, asker(place, 1))).collect();
        assert_eq!(with_turn(&mut others), 6);
        assert_eq!(with_turn(&mut greedy), 36);
    }

    #[test]
    fn places_take_turns_and_peers_of_a_place_too_and_one_is_enough() {
        let turns = Turns::new(1);
        let first = Asks::new(&turns, asker(9, 9));
        let mut waiting: Vec<_> = [(1, 1), (1, 1), (1, 2), (2, 1), (1, 1)]
            .map(|(place, peer)| Asks::new(&turns, asker(place, peer)))
            .into_iter()
            .map(Some)
            .collect();
        drop(first);
        let mut order = Vec::new();
        while order.len() < 5 {
            let has_turn = |one: &mut Option<Asks>| one.as_mut().is_some_and(Asks::has_turn);
            let nth = (0..5).find(|nth| has_turn(&mut waiting[*nth])).expect("one has its turn");
            assert_eq!(waiting.iter_mut().filter_map(|one| has_turn(one).then_some(())).count(), 1);
            order.push(nth);
            waiting[nth] = None;
        }
        assert_eq!(order, [0, 3, 2, 1, 4]);
    }

    #[test]
    fn one_that_goes_leaves_nothing_behind_whether_it_had_its_turn_or_not() {
        let turns = Turns::new(2);
        let mut all = ask(&turns, asker(1, 1), 2);
        all.append(&mut ask(&turns, asker(2, 2), 3));
        while !all.is_empty() {
            let nth = all.len() / 2;
            all.remove(nth);
        }
        // Told, and gone before it has heard.
        let (one, two) = (ask(&turns, asker(1, 1), 2), Asks::new(&turns, asker(1, 3)));
        drop(one);
        drop(two);
        let table = turns.lock();
        let places = &table.places;
        assert!(places.parts.is_empty() && places.order.is_empty());
        assert_eq!((places.running, places.active), (0, 0));
    }
}
