//! [`AdmissionQueue`]: calls that wait until fewer run, for servers that bound the number of running calls. The bound is
//! [`MaxRunning`].
//!
//! The calls of one client run in the order in which they came. Clients take turns, so that one with many calls does not hold up
//! one with few; and the last places are given out by [`Shares`].

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use tokio::time::Instant;

use crate::context::PeerId;
use crate::flush::DriverNotify;
use crate::peer::MaxRunning;
use crate::session::server::{NoRoom, Shares};

/// Minimum time between two searches for room in a full queue.
const FULL_PAUSE: Duration = Duration::from_millis(5);

/// Waiting calls, and the number of running calls.
pub(super) struct AdmissionQueue<T> {
    limit: MaxRunning,
    /// The waiting calls of each client that has any, in the order in which they arrived.
    waiting: HashMap<PeerId, VecDeque<Entry<T>>>,
    /// Each client of `waiting` once, in the order in which they get their turns.
    turns: VecDeque<PeerId>,
    /// Number of waiting calls.
    number: usize,
    /// Time before which a full queue is not searched again for calls that need not wait any more.
    full_until: Option<Instant>,
    running: Arc<Running>,
}

struct Entry<T> {
    deadline: Option<Instant>,
    call: T,
}

impl<T> Entry<T> {
    fn is_late(&self, now: Instant) -> bool {
        self.deadline.is_some_and(|deadline| deadline <= now)
    }
}

/// Why a call can't wait, and what was in the queue then.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct NoPlace {
    pub(super) why: NoRoom,
    /// Number of waiting calls of the client.
    pub(super) own: usize,
    /// Number of waiting calls of all clients.
    pub(super) all: usize,
    /// Maximum number of waiting calls.
    pub(super) max: usize,
}

#[derive(Debug)]
struct Running {
    count: AtomicUsize,
    notify: Arc<DriverNotify>,
}

/// A call that runs. Dropping this makes room for another, and notifies the driver.
#[derive(Debug)]
pub(super) struct Permit(Arc<Running>);

impl Drop for Permit {
    fn drop(&mut self) {
        self.0.count.fetch_sub(1, Ordering::AcqRel);
        self.0.notify.notify_deferred();
    }
}

/// The calls that [`AdmissionQueue::make_room`] has removed, to be dropped without the lock of the queue.
pub(super) struct Removed<T> {
    /// Calls whose deadline has passed.
    pub(super) late: Vec<T>,
    /// Calls that have ended.
    pub(super) over: Vec<T>,
}

/// The next call from the queue.
pub(super) enum Admitted<T> {
    /// A call that may run.
    Run(T, Permit),
    /// A call whose deadline has passed while it waited.
    Late(T),
}

impl<T> AdmissionQueue<T> {
    pub(super) fn new(limit: MaxRunning, notify: Arc<DriverNotify>) -> Self {
        let running = Arc::new(Running { count: AtomicUsize::new(0), notify });
        let (waiting, turns) = (HashMap::new(), VecDeque::new());
        Self { limit, waiting, turns, number: 0, full_until: None, running }
    }

    fn permit(&self) -> Option<Permit> {
        // Counted up under the lock of the queue alone.
        (self.running.count.load(Ordering::Acquire) < self.limit.running).then(|| {
            self.running.count.fetch_add(1, Ordering::AcqRel);
            Permit(Arc::clone(&self.running))
        })
    }

    /// Returns a permit for a new call, if there is room and no earlier call waits.
    pub(super) fn try_admit(&self) -> Option<Permit> {
        if self.number == 0 { self.permit() } else { None }
    }

    /// Reports whether one more call of a client may wait.
    pub(super) fn room_for(&self, client: &PeerId) -> Result<(), NoPlace> {
        let own = self.waiting.get(client).map_or(0, VecDeque::len);
        let (max, all) = (self.limit.queued, self.number);
        let shares = Shares { max, taken: all, clients: self.turns.len() };
        shares.room_for(own).map_err(|why| NoPlace { why, own, all, max })
    }

    /// Removes, if a client's call finds no place, the calls that have ended, and those whose deadline has passed. Each search looks
    /// at all calls, and costs most when there are too many: [`FULL_PAUSE`] must pass before the next.
    pub(super) fn make_room(
        &mut self,
        client: &PeerId,
        now: Instant,
        is_over: impl Fn(&T) -> bool,
    ) -> Removed<T> {
        let mut removed = Removed { late: Vec::new(), over: Vec::new() };
        if self.room_for(client).is_ok() || self.full_until.is_some_and(|until| now < until) {
            return removed;
        }
        self.full_until = Some(now + FULL_PAUSE);
        for calls in self.waiting.values_mut() {
            for entry in std::mem::take(calls) {
                if is_over(&entry.call) {
                    removed.over.push(entry.call);
                } else if entry.is_late(now) {
                    removed.late.push(entry.call);
                } else {
                    calls.push_back(entry);
                }
            }
        }
        self.number -= removed.late.len() + removed.over.len();
        self.waiting.retain(|_, calls| !calls.is_empty());
        self.turns.retain(|client| self.waiting.contains_key(client));
        removed
    }

    /// Adds a call after those of its client, or returns it if there is no room.
    pub(super) fn push(
        &mut self,
        client: &PeerId,
        call: T,
        deadline: Option<Instant>,
    ) -> Result<(), (T, NoPlace)> {
        if let Err(why) = self.room_for(client) {
            return Err((call, why));
        }
        let entry = Entry { deadline, call };
        if let Some(calls) = self.waiting.get_mut(client) {
            calls.push_back(entry);
        } else {
            self.waiting.insert(client.clone(), VecDeque::from([entry]));
            self.turns.push_back(client.clone());
        }
        self.number += 1;
        Ok(())
    }

    /// Takes the next call that may run, or whose deadline has passed.
    pub(super) fn next(&mut self, now: impl Fn() -> Instant) -> Option<Admitted<T>> {
        let first = self.waiting.get(self.turns.front()?)?.front()?;
        if first.deadline.is_some_and(|deadline| deadline <= now()) {
            return self.pop().map(Admitted::Late);
        }
        let permit = self.permit()?;
        self.pop().map(|call| Admitted::Run(call, permit))
    }

    /// Takes the first call of the client whose turn it is, which then waits for its next turn.
    fn pop(&mut self) -> Option<T> {
        let client = self.turns.pop_front()?;
        let calls = self.waiting.get_mut(&client)?;
        let entry = calls.pop_front()?;
        self.number -= 1;
        if calls.is_empty() {
            self.waiting.remove(&client);
        } else {
            self.turns.push_back(client);
        }
        Some(entry.call)
    }

    /// Takes every call out of the queue.
    pub(super) fn drain(&mut self) -> Vec<T> {
        self.turns.clear();
        self.number = 0;
        self.waiting.drain().flat_map(|(_, calls)| calls).map(|entry| entry.call).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn queue(queued: usize) -> AdmissionQueue<u32> {
        AdmissionQueue::new(MaxRunning { running: 1, queued }, Arc::new(DriverNotify::new()))
    }

    fn client(number: u8) -> PeerId {
        PeerId::new(&[number])
    }

    /// Runs all that waits, one after the other.
    fn run(queue: &mut AdmissionQueue<u32>) -> Vec<u32> {
        std::iter::from_fn(|| match queue.next(Instant::now)? {
            Admitted::Run(call, _) | Admitted::Late(call) => Some(call),
        })
        .collect()
    }

    #[test]
    fn a_call_past_those_that_may_wait_comes_back() {
        let (mut queue, client) = (queue(2), client(1));
        let full = NoPlace { why: NoRoom::Full, own: 2, all: 2, max: 2 };
        let pushed = [1, 2, 3].map(|call| queue.push(&client, call, None));
        assert_eq!(pushed, [Ok(()), Ok(()), Err((3, full))]);
        assert!(queue.try_admit().is_none(), "others came before");
        let Some(Admitted::Run(first, permit)) = queue.next(Instant::now) else { panic!("it may run") };
        assert!(first == 1 && queue.next(Instant::now).is_none());
        drop(permit);
        assert!(matches!(queue.next(Instant::now), Some(Admitted::Run(2, _))));
    }

    #[test]
    fn clients_take_turns() {
        let mut queue = queue(100);
        for (number, call) in [(1, 10), (1, 11), (1, 12), (2, 20), (3, 30), (3, 31)] {
            queue.push(&client(number), call, None).unwrap();
        }
        assert_eq!(run(&mut queue), [10, 20, 30, 11, 31, 12]);
        assert!(queue.try_admit().is_some(), "nothing waits");
    }

    #[test]
    fn the_last_places_are_kept_for_clients_with_few() {
        let mut queue = queue(16);
        let places = |queue: &mut AdmissionQueue<u32>, number| {
            (0..).map_while(|call| queue.push(&client(number), call, None).ok()).count()
        };
        assert_eq!(places(&mut queue, 1), 12);
        assert_eq!(queue.room_for(&client(1)).unwrap_err().why, NoRoom::PastShare);
        assert_eq!([2, 3, 4].map(|number| places(&mut queue, number)), [1, 1, 1]);
        assert_eq!(places(&mut queue, 5), 1);
        assert_eq!(queue.room_for(&client(6)).unwrap_err().why, NoRoom::Full);
    }

    #[test]
    fn calls_that_need_not_wait_make_room() {
        let mut queue = queue(3);
        let now = Instant::now();
        queue.push(&client(1), 1, Some(now)).unwrap();
        queue.push(&client(2), 2, None).unwrap();
        queue.push(&client(3), 3, None).unwrap();
        let removed = queue.make_room(&client(4), now, |call| *call == 2);
        assert_eq!((removed.late, removed.over), (vec![1], vec![2]));
        queue.push(&client(2), 4, None).unwrap();
        assert_eq!(run(&mut queue), [3, 4]);
    }
}
