//! [`Shared`]: what the sessions of one server share, as numbers that every thread may change.

use std::sync::Arc;
use std::sync::atomic::{AtomicU8, AtomicU64, AtomicUsize, Ordering};

use super::Config;

/// New calls are taken.
const SERVING: u8 = 0;
/// No new calls are taken.
const DRAINING: u8 = 1;
/// Everything is answered, and clients prove by pongs that they have read it.
const FLUSHING: u8 = 2;

/// What one client adds to [`Shared::calls`] for as long as it has calls in flight. The bits below count calls: memory ends long
/// before they do.
const CLIENT: u64 = 1 << 40;

/// What the sessions of one server share.
#[derive(Debug)]
pub struct Shared {
    config: Config,
    /// Number of calls in flight, and [`CLIENT`] for each client that has any. In one number, so that a call costs one
    /// operation, and both are of one moment.
    calls: AtomicU64,
    /// Number of bytes that wait to be sent, as sessions have counted them: in steps.
    waiting: AtomicUsize,
    phase: AtomicU8,
}

impl Shared {
    /// Creates what the sessions of a new server share.
    #[must_use]
    pub fn new(config: Config) -> Arc<Self> {
        Arc::new(Self {
            config,
            calls: AtomicU64::new(0),
            waiting: AtomicUsize::new(0),
            phase: AtomicU8::new(SERVING),
        })
    }

    /// Returns the bounds.
    #[must_use]
    #[inline]
    pub fn config(&self) -> &Config {
        &self.config
    }

    /// Returns the number of calls in flight, one-way calls among them.
    #[must_use]
    #[inline]
    pub fn calls(&self) -> usize {
        InFlight::of(self.calls.load(Ordering::Acquire)).calls
    }

    /// Has every session turn new calls away from now on.
    pub fn drain(&self) {
        self.phase.fetch_max(DRAINING, Ordering::AcqRel);
    }

    /// Has every session ask for a pong after whatever it queues from now on: a client may not get to read what comes right
    /// before the end of its connection.
    pub fn flush(&self) {
        self.phase.fetch_max(FLUSHING, Ordering::AcqRel);
    }

    /// Reports whether new calls are turned away.
    #[must_use]
    #[inline]
    pub fn is_draining(&self) -> bool {
        self.phase.load(Ordering::Acquire) >= DRAINING
    }

    /// Reports whether new calls are turned away, and none is in flight.
    #[must_use]
    #[inline]
    pub fn is_drained(&self) -> bool {
        self.is_draining() && self.calls() == 0
    }

    #[inline]
    pub(super) fn is_flushing(&self) -> bool {
        self.phase.load(Ordering::Acquire) >= FLUSHING
    }

    /// Returns the number of bytes that wait to be sent to all clients, as sessions have counted them: in steps.
    #[must_use]
    pub fn waiting(&self) -> usize {
        self.waiting.load(Ordering::Relaxed)
    }

    /// Reports whether so much waits for all clients together that those for which most waits are to be shed.
    #[must_use]
    #[inline]
    pub fn is_too_much_waiting(&self) -> bool {
        self.waiting.load(Ordering::Relaxed) > self.config.max_waiting
    }

    /// Reports whether so much waits for all clients together that no answer finds room.
    #[inline]
    pub(super) fn is_out_of_room(&self) -> bool {
        self.waiting.load(Ordering::Relaxed) > self.config.no_room_at()
    }

    /// Replaces what one session has counted before by what waits now, both in bytes.
    #[inline]
    pub(super) fn waiting_changed(&self, before: usize, now: usize) {
        if now >= before {
            self.waiting.fetch_add(now - before, Ordering::Relaxed);
        } else {
            self.waiting.fetch_sub(before - now, Ordering::Relaxed);
        }
    }

    /// Counts a call as in flight, of a client that has `own` others. If there is no room for it, returns why.
    #[inline]
    pub(super) fn begin_call(&self, own: usize) -> Result<(), NoRoom> {
        let before = self.calls.fetch_add(one_call(own), Ordering::AcqRel);
        let room = self.room(before, own);
        if room.is_err() {
            self.calls.fetch_sub(one_call(own), Ordering::AcqRel);
        }
        room
    }

    /// Reports whether one more call may be in flight, of a client that has `own` others.
    #[inline]
    pub(super) fn has_room_for_call(&self, own: usize) -> bool {
        self.room(self.calls.load(Ordering::Acquire), own).is_ok()
    }

    /// Counts a call as in flight for which room was found before, of a client that has `own` others.
    pub(super) fn hold_call(&self, own: usize) {
        self.calls.fetch_add(one_call(own), Ordering::AcqRel);
    }

    /// Counts calls of a client as no longer in flight; `left` of its calls still are.
    #[inline]
    pub(super) fn end_calls(&self, number: usize, left: usize) {
        let client = if left == 0 && number > 0 { CLIENT } else { 0 };
        self.calls.fetch_sub(number as u64 + client, Ordering::AcqRel);
    }

    /// Returns the number of clients that have calls in flight.
    #[cfg(test)]
    pub(super) fn clients(&self) -> u64 {
        InFlight::of(self.calls.load(Ordering::Acquire)).clients
    }

    #[inline]
    fn room(&self, calls: u64, own: usize) -> Result<(), NoRoom> {
        let (in_flight, max) = (InFlight::of(calls), self.config.max_calls);
        if in_flight.calls < self.config.max_shared_calls() {
            return Ok(());
        }
        in_flight.room_in_kept_part(own, max)
    }
}

/// Why there is no room for a call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum NoRoom {
    /// The server has as many calls in flight as it may.
    Full,
    /// What is left is kept for clients with fewer calls in flight than this one has.
    PastShare,
}

/// What was in flight at one moment.
#[derive(Debug, Clone, Copy)]
struct InFlight {
    calls: usize,
    /// Number of clients that have calls in flight.
    clients: u64,
}

impl InFlight {
    #[inline]
    fn of(number: u64) -> Self {
        let calls = usize::try_from(number % CLIENT).unwrap_or(usize::MAX);
        Self { calls, clients: number / CLIENT }
    }

    /// Reports whether a client that has `own` calls in flight may have one of those that are kept for clients with few.
    ///
    /// It may while it has less than a quarter of its part of what is free. So what is free shrinks by about a quarter of a part
    /// for each client that comes: a client finds room however many came before it and keep theirs, and clients that come at
    /// a time find about the same.
    #[cold]
    fn room_in_kept_part(self, own: usize, max: usize) -> Result<(), NoRoom> {
        let free = max.saturating_sub(self.calls) as u64;
        let clients = self.clients + u64::from(own == 0);
        if free == 0 {
            Err(NoRoom::Full)
        } else if (own as u64).saturating_mul(4).saturating_mul(clients) >= free {
            Err(NoRoom::PastShare)
        } else {
            Ok(())
        }
    }
}

/// Returns what a call adds to [`Shared::calls`], of a client that has `own` others.
#[inline]
fn one_call(own: usize) -> u64 {
    if own == 0 { CLIENT + 1 } else { 1 }
}
