//! What the owner of a server's socket shares with the handlers that run elsewhere.

use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::sync::watch;

use super::peer::Peer;
use crate::bell::Bell;

/// The bounds of a server. Past each of them a call ends in `resource_exhausted`, and its connection lives on.
#[derive(Debug, Clone)]
pub(crate) struct Limits {
    /// The largest body of a call, a reply or an item, in bytes.
    pub(crate) message_size: usize,
    /// Calls in flight, of all clients together.
    pub(crate) calls: usize,
    /// Calls in flight of one client.
    pub(crate) calls_per_peer: usize,
    /// Credit of a client's stream, in bytes.
    pub(crate) stream_window: u64,
    /// How often a silent client's connection is asked for a sign of life.
    pub(crate) heartbeat: Duration,
    /// After how long without a sign of life a client with calls in flight is given up.
    pub(crate) peer_timeout: Duration,
}

impl Limits {
    /// Bytes that may wait to be sent to one client. Past it, its calls are turned away; at twice that, it is given up. A
    /// few answers of the largest size, so that clients which read never get there: handlers answer as fast as calls come
    /// in, and calls are small.
    pub(crate) fn waiting(&self) -> usize {
        self.message_size.saturating_mul(16).max(1024 * 1024)
    }

    /// Twice [`Limits::waiting`].
    pub(super) fn too_much(&self) -> usize {
        self.waiting().saturating_mul(2)
    }
}

/// What the socket's owner and the handlers share.
#[derive(Debug)]
pub(crate) struct Shared {
    pub(crate) limits: Limits,
    pub(crate) bell: Bell,
    pub(crate) counters: Arc<Counters>,
    /// Calls in flight.
    pub(crate) calls: AtomicUsize,
    /// No new calls, and out once those in flight have ended.
    draining: AtomicBool,
    /// The same, for handlers to wait for.
    drains: watch::Sender<bool>,
    /// Peers with something to send.
    listed: Mutex<Vec<Arc<Peer>>>,
}

impl Shared {
    pub(crate) fn new(limits: Limits) -> Arc<Self> {
        Arc::new(Self {
            limits,
            bell: Bell::new(),
            counters: Arc::default(),
            calls: AtomicUsize::new(0),
            draining: AtomicBool::new(false),
            drains: watch::Sender::new(false),
            listed: Mutex::default(),
        })
    }

    /// Puts a peer on the owner's list.
    pub(super) fn list(&self, peer: Arc<Peer>) {
        self.listed.lock().unwrap_or_else(PoisonError::into_inner).push(peer);
        self.bell.ring();
    }

    /// Moves everyone on the list to `to`.
    pub(super) fn take_listed(&self, to: &mut Vec<Arc<Peer>>) {
        to.append(&mut self.listed.lock().unwrap_or_else(PoisonError::into_inner));
    }

    /// Counts a call as in flight; `false` when there are as many as there may be.
    pub(super) fn call_began(&self) -> bool {
        let room = self.calls.fetch_add(1, Ordering::AcqRel) < self.limits.calls;
        if !room {
            self.calls.fetch_sub(1, Ordering::AcqRel);
        }
        room
    }

    /// A call is no longer in flight.
    pub(super) fn call_ended(&self) {
        let left = self.calls.fetch_sub(1, Ordering::AcqRel) - 1;
        if left == 0 && self.draining.load(Ordering::Acquire) {
            self.bell.ring();
        }
    }

    /// From now on, no new calls.
    pub(crate) fn drain(&self) {
        self.draining.store(true, Ordering::Release);
        self.drains.send_replace(true);
        self.bell.ring();
    }

    /// Whether there are no new calls any more.
    pub(crate) fn is_draining(&self) -> bool {
        self.draining.load(Ordering::Acquire)
    }

    /// Tells when that begins.
    pub(crate) fn draining(&self) -> watch::Receiver<bool> {
        self.drains.subscribe()
    }
}

/// What a server has counted since it started. Every number only grows.
#[derive(Debug, Default)]
pub struct Counters {
    pub(super) calls: AtomicU64,
    pub(super) refused: AtomicU64,
    pub(super) unreadable: AtomicU64,
    pub(super) dropped: AtomicU64,
    pub(super) lost_peers: AtomicU64,
}

impl Counters {
    /// Calls that were dispatched to a handler, one-way calls among them.
    #[must_use]
    pub fn calls(&self) -> u64 {
        self.calls.load(Ordering::Relaxed)
    }

    pub(crate) fn count_refused(&self) {
        count(&self.refused);
    }

    /// Calls that were turned away before a handler saw them: unknown methods, bad parameters, bounds reached.
    #[must_use]
    pub fn refused_calls(&self) -> u64 {
        self.refused.load(Ordering::Relaxed)
    }

    /// Messages that were no batch, were of another version, or held a malformed record; and those of clients past the
    /// number that a server knows at a time, or with too long a route.
    #[must_use]
    pub fn unreadable_batches(&self) -> u64 {
        self.unreadable.load(Ordering::Relaxed)
    }

    /// Messages to clients that were thrown away because the client could not be reached or did not read for too long.
    #[must_use]
    pub fn dropped_messages(&self) -> u64 {
        self.dropped.load(Ordering::Relaxed)
    }

    /// Clients that were given up with calls in flight.
    #[must_use]
    pub fn lost_peers(&self) -> u64 {
        self.lost_peers.load(Ordering::Relaxed)
    }
}

/// One more.
pub(super) fn count(counter: &AtomicU64) {
    counter.fetch_add(1, Ordering::Relaxed);
}
