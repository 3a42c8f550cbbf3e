//! [`Shared`]: what the sessions of one server share, as numbers that every thread may change.

use std::sync::Arc;
use std::sync::atomic::{AtomicU8, AtomicU64, AtomicUsize, Ordering};

use super::Config;
use super::shares::{NoRoom, Shares};

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
    pub(super) fn clients(&self) -> usize {
        InFlight::of(self.calls.load(Ordering::Acquire)).clients
    }

    #[inline]
    fn room(&self, calls: u64, own: usize) -> Result<(), NoRoom> {
        let InFlight { calls, clients } = InFlight::of(calls);
        Shares { max: self.config.max_calls, taken: calls, clients }.room_for(own)
    }
}

/// What was in flight at one moment.
#[derive(Debug, Clone, Copy)]
struct InFlight {
    calls: usize,
    /// Number of clients that have calls in flight.
    clients: usize,
}

impl InFlight {
    #[inline]
    fn of(number: u64) -> Self {
        let number_of = |part| usize::try_from(part).unwrap_or(usize::MAX);
        Self { calls: number_of(number % CLIENT), clients: number_of(number / CLIENT) }
    }
}

/// Returns what a call adds to [`Shared::calls`], of a client that has `own` others.
#[inline]
fn one_call(own: usize) -> u64 {
    if own == 0 { CLIENT + 1 } else { 1 }
}
