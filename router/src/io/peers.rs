//! [`Peers`]: who is at the other end of a connection that was made to the router.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use zsvc_proto::wire::{Batch, Malformed, REGISTRATION_ID, RecordKind, first_record};

use super::caller::Shared;
use super::hub::{Caller, Hub, Worker, now};
use crate::forwarder::read;

/// Who is at the other end of a connection.
pub(super) enum Peers {
    /// Nothing was heard yet.
    Unknown,
    /// Callers: nearly always one, at the route that comes first.
    Callers {
        own: (Box<[u8]>, Caller),
        /// Callers behind devices, by their routes.
        others: Others,
    },
    /// A worker that has registered.
    Worker { route: Box<[u8]>, key: Worker, name: String },
    /// A worker that was told that it may not register, or not any more. It is to close the connection, which ends with its next message
    /// at the latest.
    Refused,
}

/// Callers behind the devices of one connection. Their routes cost a sender nothing to make up, so idle ones are forgotten.
#[derive(Default)]
pub(super) struct Others {
    by_route: HashMap<Box<[u8]>, Caller>,
    /// Number of callers at which idle ones are looked for next: twice as many as were left the last time.
    sweep_at: usize,
    /// Until when none is looked for, since all were busy the last time.
    busy_until: Option<Instant>,
}

/// Maximum number of callers behind the devices of one connection. Past it, and past that of all connections, all that are idle are
/// forgotten, however recently they have sent something; if none is, messages of others are dropped and counted.
const MAX_ROUTES: usize = 10_000;
/// Least number of callers at which idle ones are looked for.
const MIN_SWEPT: usize = 64;
/// Time without a look for idle callers after one that has found none, where there is no room: it would cost more than the message.
const SWEEP_PAUSE: Duration = Duration::from_millis(250);
/// Time after which a caller without calls in flight is forgotten if it sends nothing.
const IDLE: Duration = Duration::from_secs(60);

impl Peers {
    /// Takes a message. Returns whether the connection goes on.
    pub(super) fn take(&mut self, route: &[u8], batch: &Result<Batch, Malformed>, shared: &Shared) -> bool {
        let hub = &shared.hub;
        if matches!(self, Self::Refused) {
            return false;
        }
        if let Self::Worker { route: own, key, .. } = self {
            if **own != *route {
                hub.with(|forwarder, _| forwarder.count_unknown());
                return true;
            }
            let key = *key;
            if batch.as_ref().is_ok_and(ends_registration) {
                return false;
            }
            read(batch.as_ref(), |part| hub.with(|forwarder, now| forwarder.handle_worker(key, part, now)));
        } else if let Some(caller) = self.caller(route, shared) {
            read(batch.as_ref(), |part| {
                hub.with(|forwarder, now| forwarder.handle_caller(caller, part, now));
            });
        } else {
            hub.with(|forwarder, _| forwarder.count_unknown());
        }
        true
    }

    /// Returns the caller behind a route, who is added if need be; `None` if there are too many.
    fn caller(&mut self, route: &[u8], shared: &Shared) -> Option<Caller> {
        match self {
            Self::Worker { .. } | Self::Refused => None,
            Self::Unknown => {
                let caller = shared.add_caller()?;
                *self = Self::Callers { own: (route.into(), caller), others: Others::default() };
                Some(caller)
            }
            Self::Callers { own, .. } if *own.0 == *route => Some(own.1),
            Self::Callers { others, .. } => others.caller(route, shared),
        }
    }

    /// Returns all callers.
    pub(super) fn callers(&self) -> impl Iterator<Item = Caller> {
        let (own, others) = match self {
            Self::Callers { own, others } => (Some(own.1), Some(others)),
            Self::Unknown | Self::Worker { .. } | Self::Refused => (None, None),
        };
        own.into_iter().chain(others.into_iter().flat_map(Others::callers))
    }
}

impl Others {
    pub(super) fn is_empty(&self) -> bool {
        self.by_route.is_empty()
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = (&Box<[u8]>, &Caller)> {
        self.by_route.iter()
    }

    fn callers(&self) -> impl Iterator<Item = Caller> {
        self.by_route.values().copied()
    }

    /// Forgets all of them, whose connection is gone.
    pub(super) fn leave(self, hub: &Hub) {
        hub.leave(self.by_route.len());
        hub.with(|forwarder, now| {
            self.by_route.into_values().for_each(|caller| forwarder.remove_caller(caller, now));
        });
    }

    fn caller(&mut self, route: &[u8], shared: &Shared) -> Option<Caller> {
        if let Some(caller) = self.by_route.get(route) {
            return Some(*caller);
        }
        if (MIN_SWEPT.max(self.sweep_at)..MAX_ROUTES).contains(&self.by_route.len()) {
            self.forget_idle(IDLE, &shared.hub);
        }
        if !self.has_room(&shared.hub) {
            let now = now();
            if self.busy_until.is_some_and(|until| now < until) {
                return None;
            }
            self.forget_idle(Duration::ZERO, &shared.hub);
            if !self.has_room(&shared.hub) {
                self.busy_until = Some(now + SWEEP_PAUSE);
                return None;
            }
        }
        let Some(caller) = shared.add_caller() else {
            shared.hub.leave(1);
            return None;
        };
        self.by_route.insert(route.into(), caller);
        Some(caller)
    }

    /// Reports whether another one may be added, and counts it if so.
    fn has_room(&self, hub: &Hub) -> bool {
        self.by_route.len() < MAX_ROUTES && hub.enter()
    }

    /// Forgets those that have nothing in flight, and were not heard of for a time.
    fn forget_idle(&mut self, time: Duration, hub: &Hub) {
        let before = self.by_route.len();
        hub.with(|forwarder, now| {
            self.by_route.retain(|_, caller| {
                let is_idle = forwarder.is_caller_idle(*caller, time, now);
                if is_idle {
                    forwarder.remove_caller(*caller, now);
                }
                !is_idle
            });
        });
        let left = self.by_route.len();
        hub.leave(before - left);
        self.sweep_at = (2 * left).min(MAX_ROUTES);
    }
}

/// Reports whether a message of a worker ends its registration.
fn ends_registration(batch: &Batch) -> bool {
    first_record(batch.bytes()).is_some_and(|first| {
        first.id == REGISTRATION_ID && matches!(first.kind, RecordKind::Cancel | RecordKind::End)
    })
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use bytes::Bytes;

    use super::*;
    use crate::forwarder::{Limits, NewWorker};

    /// Runs a test on a clock that stands still.
    fn run(test: impl Future<Output = ()>) {
        let mut runtime = tokio::runtime::Builder::new_current_thread();
        runtime.enable_time().start_paused(true).build().unwrap().block_on(test);
    }

    /// Has a message come along a route: a ping, or a call that waits.
    fn comes(peers: &mut Peers, shared: &Shared, route: usize, message: &[u8]) {
        let batch = Batch::from(Bytes::copy_from_slice(message));
        assert!(peers.take(&route.to_be_bytes(), &Ok(batch), shared));
    }

    const PONG: &[u8] = &[1, 0x92, 10, 7];
    const CANCEL: &[u8] = &[1, 0x92, 8, 5];
    const CALL: &[u8] = &[1, 0x94, 1, 5, 0xa5, b'a', b'.', b'B', b'/', b'm', 0xc4, 1, 0x90];

    /// A hub with a worker of `a.B` that can't be reached, and what is behind one connection.
    fn device() -> (Arc<Hub>, Shared, Peers) {
        let hub = Hub::new(Limits::default());
        let (name, services) = ("one".to_owned(), vec!["a.B".to_owned()]);
        let new = NewWorker { name, services, capacity: 1, standby: 0, realm: String::new() };
        hub.with(|forwarder, now| forwarder.add_worker(new, Arc::default(), now)).unwrap();
        let shared = Shared::of_tests(&hub);
        (hub, shared, Peers::Unknown)
    }

    fn callers(hub: &Hub) -> usize {
        hub.with(|forwarder, _| forwarder.callers())
    }

    #[test]
    fn idle_callers_behind_a_device_are_forgotten_and_busy_ones_stay() {
        run(async {
            let (hub, shared, mut peers) = device();
            comes(&mut peers, &shared, 0, PONG);
            comes(&mut peers, &shared, 1, CALL);
            for round in 0..10 {
                for number in 0..50 {
                    comes(&mut peers, &shared, 100 * round + number + 2, PONG);
                }
                tokio::time::advance(IDLE).await;
            }
            // One at the connection itself, one that has a call, and those of the last rounds that were not looked for yet.
            assert!(callers(&hub) <= 2 + 2 * MIN_SWEPT, "{}", callers(&hub));
            assert_eq!(hub.with(|forwarder, _| forwarder.calls()), 1);
            let Peers::Callers { own, others } = peers else { panic!("they are callers") };
            hub.with(|forwarder, now| forwarder.remove_caller(own.1, now));
            others.leave(&hub);
            assert_eq!(callers(&hub), 0);
        });
    }

    #[test]
    fn past_the_bound_all_that_are_idle_are_forgotten_at_once() {
        run(async {
            let (hub, shared, mut peers) = device();
            for route in 0..=MAX_ROUTES {
                comes(&mut peers, &shared, route, PONG);
            }
            assert_eq!(callers(&hub), 1 + MAX_ROUTES);
            comes(&mut peers, &shared, MAX_ROUTES + 1, PONG);
            assert_eq!(callers(&hub), 2);
            assert_eq!(hub.with(|forwarder, _| forwarder.counters().unknown_callers), 0);
        });
    }

    #[test]
    fn where_all_are_busy_messages_of_others_are_dropped_and_counted() {
        run(async {
            let (hub, shared, mut peers) = device();
            for route in 0..=MAX_ROUTES {
                comes(&mut peers, &shared, route, CALL);
            }
            let unknown = || hub.with(|forwarder, _| forwarder.counters().unknown_callers);
            comes(&mut peers, &shared, MAX_ROUTES + 1, PONG);
            assert_eq!((callers(&hub), unknown()), (1 + MAX_ROUTES, 1));
            // One of them is idle by then, and found once it was time to look again.
            comes(&mut peers, &shared, 1, CANCEL);
            comes(&mut peers, &shared, MAX_ROUTES + 1, PONG);
            assert_eq!((callers(&hub), unknown()), (1 + MAX_ROUTES, 2));
            tokio::time::advance(SWEEP_PAUSE).await;
            comes(&mut peers, &shared, MAX_ROUTES + 1, PONG);
            assert_eq!((callers(&hub), unknown()), (1 + MAX_ROUTES, 2));
        });
    }
}
