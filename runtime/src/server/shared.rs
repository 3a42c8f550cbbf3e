//! What the owner of a server's socket shares with the handlers that run elsewhere.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::watch;

use super::counters::Counters;
use super::limits::Limits;
use super::peer::Peer;
use crate::flush::DriverNotify;

/// What the socket's owner and the handlers share.
#[derive(Debug)]
pub(crate) struct Shared {
    pub(crate) limits: Limits,
    pub(crate) notify: Arc<DriverNotify>,
    pub(crate) counters: Arc<Counters>,
    /// Calls in flight.
    pub(crate) calls: AtomicUsize,
    /// No new calls, and out once those in flight have ended.
    draining: AtomicBool,
    /// The same, for handlers to wait for.
    drains: watch::Sender<bool>,
    /// Bytes that wait to be sent, as far as peers have told: they do so in steps.
    waiting: AtomicUsize,
    /// Peers with something to send.
    listed: Mutex<Vec<Arc<Peer>>>,
}

impl Shared {
    pub(crate) fn new(limits: Limits) -> Arc<Self> {
        Arc::new(Self {
            limits,
            notify: Arc::new(DriverNotify::new()),
            counters: Arc::default(),
            calls: AtomicUsize::new(0),
            draining: AtomicBool::new(false),
            drains: watch::Sender::new(false),
            waiting: AtomicUsize::new(0),
            listed: Mutex::default(),
        })
    }

    /// Puts a peer on the owner's list.
    pub(super) fn list(&self, peer: Arc<Peer>) {
        self.listed.lock().unwrap_or_else(PoisonError::into_inner).push(peer);
        // Where other calls are in flight, more handlers may be about to answer, and what they say is to go with this.
        if self.calls.load(Ordering::Relaxed) == 0 {
            self.notify.notify()
        } else {
            self.notify.notify_deferred()
        }
    }

    /// Moves everyone on the list to `to`.
    pub(super) fn take_listed(&self, to: &mut Vec<Arc<Peer>>) {
        to.append(&mut self.listed.lock().unwrap_or_else(PoisonError::into_inner));
    }

    /// For one client there waits something else than what was told before.
    #[inline]
    pub(super) fn waiting_changed(&self, before: usize, now: usize) {
        if now >= before {
            self.waiting.fetch_add(now - before, Ordering::Relaxed);
        } else {
            self.waiting.fetch_sub(before - now, Ordering::Relaxed);
        }
    }

    /// So much waits that those for whom most does are to be given up.
    pub(super) fn is_too_much_waiting(&self) -> bool {
        self.waiting.load(Ordering::Relaxed) > self.limits.waiting
    }

    /// So much waits that nothing more may, for whomever.
    #[inline]
    pub(super) fn is_out_of_room(&self) -> bool {
        self.waiting.load(Ordering::Relaxed) > self.limits.too_much_in_all()
    }

    /// Counts a call as in flight; `false` when there are as many as there may be.
    #[inline]
    pub(super) fn call_began(&self) -> bool {
        let room = self.calls.fetch_add(1, Ordering::AcqRel) < self.limits.calls;
        if !room {
            self.calls.fetch_sub(1, Ordering::AcqRel);
        }
        room
    }

    /// Whether there are fewer calls in flight than there may be.
    #[inline]
    pub(super) fn has_room_for_call(&self) -> bool {
        self.calls.load(Ordering::Acquire) < self.limits.calls
    }

    /// Counts a call as in flight for which there was room.
    pub(super) fn call_held(&self) {
        self.calls.fetch_add(1, Ordering::AcqRel);
    }

    /// A call is no longer in flight.
    #[inline]
    pub(super) fn call_ended(&self) {
        let left = self.calls.fetch_sub(1, Ordering::AcqRel) - 1;
        if left == 0 && self.draining.load(Ordering::Acquire) {
            self.notify.notify();
        }
    }

    /// The owner was rung for, most often since there is something to send, and no call is in flight that could add to it.
    #[inline]
    pub(super) fn is_rung_and_idle(&self) -> bool {
        self.calls.load(Ordering::Acquire) == 0 && self.notify.is_notified()
    }

    /// From now on, no new calls.
    pub(crate) fn drain(&self) {
        self.draining.store(true, Ordering::Release);
        self.drains.send_replace(true);
        self.notify.notify();
    }

    /// Whether there are no new calls any more.
    #[inline]
    pub(crate) fn is_draining(&self) -> bool {
        self.draining.load(Ordering::Acquire)
    }

    /// Tells when that begins.
    pub(crate) fn draining(&self) -> watch::Receiver<bool> {
        self.drains.subscribe()
    }
}
