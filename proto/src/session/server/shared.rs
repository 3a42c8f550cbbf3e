//! [`Shared`]: what the sessions of one server share, as numbers that every thread may change.

use std::sync::Arc;
use std::sync::atomic::{AtomicU8, AtomicUsize, Ordering};

use super::Config;

/// New calls are taken.
const SERVING: u8 = 0;
/// No new calls are taken.
const DRAINING: u8 = 1;
/// Everything is answered, and clients prove by pongs that they have read it.
const FLUSHING: u8 = 2;

/// What the sessions of one server share.
#[derive(Debug)]
pub struct Shared {
    config: Config,
    /// Number of calls in flight.
    calls: AtomicUsize,
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
            calls: AtomicUsize::new(0),
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
        self.calls.load(Ordering::Acquire)
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

    /// Counts a call as in flight. Returns `false` if there are as many as there may be.
    #[inline]
    pub(super) fn begin_call(&self) -> bool {
        let has_room = self.calls.fetch_add(1, Ordering::AcqRel) < self.config.max_calls;
        if !has_room {
            self.calls.fetch_sub(1, Ordering::AcqRel);
        }
        has_room
    }

    /// Reports whether one more call may be in flight.
    #[inline]
    pub(super) fn has_room_for_call(&self) -> bool {
        self.calls() < self.config.max_calls
    }

    /// Counts a call as in flight for which room was found before.
    pub(super) fn hold_call(&self) {
        self.calls.fetch_add(1, Ordering::AcqRel);
    }

    /// Counts calls as no longer in flight.
    #[inline]
    pub(super) fn end_calls(&self, number: usize) {
        self.calls.fetch_sub(number, Ordering::AcqRel);
    }
}
