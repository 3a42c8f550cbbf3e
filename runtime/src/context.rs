//! [`Context`]: what a handler knows of its call besides the parameters. How it hears of its end: [`cancel`].

mod cancel;

pub use cancel::{CancelReason, Cancelled, Draining};
pub(crate) use cancel::{Signal, announce};

use std::cell::Cell;
use std::fmt;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use tokio::time::Instant;

use crate::metadata::Metadata;
use crate::method::Method;
use crate::server::{CallKey, Peer};

/// What a handler knows of its call besides the parameters.
#[derive(Debug)]
pub struct Context {
    method: &'static Method,
    deadline: Option<Instant>,
    metadata: Metadata,
    peer: Arc<Peer>,
    /// The call's; `None` for a one-way call.
    key: Option<CallKey>,
    /// Made when first asked for.
    cancelled: OnceLock<Signal>,
}

impl Context {
    #[inline]
    pub(crate) fn new(
        method: &'static Method,
        deadline: Option<Instant>,
        metadata: Metadata,
        peer: Arc<Peer>,
        key: Option<CallKey>,
    ) -> Self {
        Self { method, deadline, metadata, peer, key, cancelled: OnceLock::new() }
    }

    /// The method that was called.
    #[must_use]
    #[inline]
    pub fn method(&self) -> &'static Method {
        self.method
    }

    /// When time is up, and the handler's future is dropped. Calls that the handler makes inherit it.
    #[must_use]
    #[inline]
    pub fn deadline(&self) -> Option<Instant> {
        self.deadline
    }

    /// The time left, zero when it is up; `None` without a deadline.
    #[must_use]
    pub fn time_left(&self) -> Option<Duration> {
        self.deadline.map(|deadline| deadline.saturating_duration_since(Instant::now()))
    }

    /// What the caller sent beside the parameters.
    #[must_use]
    pub fn metadata(&self) -> &Metadata {
        &self.metadata
    }

    pub(crate) fn metadata_mut(&mut self) -> &mut Metadata {
        &mut self.metadata
    }

    /// Who called: the same for every call over one connection.
    #[must_use]
    pub fn peer(&self) -> &PeerId {
        self.peer.id()
    }

    /// The client that is answered.
    #[inline]
    pub(crate) fn client(&self) -> &Arc<Peer> {
        &self.peer
    }

    /// The call's; `None` for a one-way call, which can't be answered.
    #[inline]
    pub(crate) fn key(&self) -> Option<CallKey> {
        self.key
    }

    /// A signal, with its reason, for work that the handler has spawned, or that computes without waiting. A handler that
    /// waits needs none: its future is dropped.
    #[must_use]
    pub fn cancelled(&self) -> Cancelled {
        let signal = self.cancelled.get_or_init(|| {
            let signal = Signal::default();
            // The call may be over, where its handler runs at the same time: then nobody else would say so.
            if self.key.is_some_and(|key| !self.peer.watch(key, &signal, self.deadline)) {
                announce(&signal, self.dropped_for());
            }
            signal
        });
        Cancelled::new(signal)
    }

    /// A signal that the server is about to shut down, for handlers that would go on for as long as they may: a stream
    /// that has no end of its own does well to end then. Calls in flight have the server's grace time.
    #[must_use]
    pub fn draining(&self) -> Draining {
        Draining::new(self.peer.shared().draining())
    }

    /// Why the handler is dropped, where nobody has said so.
    fn dropped_for(&self) -> CancelReason {
        if self.deadline.is_some_and(|deadline| deadline <= Instant::now()) {
            CancelReason::Deadline
        } else if self.peer.is_gone() {
            CancelReason::PeerLost
        } else if self.key.is_none() || self.peer.shared().is_draining() {
            // A one-way call has nobody to cancel it.
            CancelReason::Draining
        } else {
            CancelReason::Client
        }
    }
}

impl Drop for Context {
    fn drop(&mut self) {
        if let Some(signal) = self.cancelled.get() {
            // A handler that comes to its end, if only by a panic, does so while it is polled.
            let reason = match POLLED.get() {
                Polled::Handler(_) => CancelReason::Finished,
                Polled::Nothing => self.dropped_for(),
            };
            announce(signal, reason);
        }
    }
}

/// A client's connection, as the server sees it. It means nothing beyond being the same or not.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct PeerId(Arc<[u8]>);

impl PeerId {
    #[inline]
    pub(crate) fn new(route: &[u8]) -> Self {
        Self(route.into())
    }

    pub(crate) fn route(&self) -> &[u8] {
        &self.0
    }
}

/// So that a map of clients can be asked with the bytes of a route.
impl std::borrow::Borrow<[u8]> for PeerId {
    fn borrow(&self) -> &[u8] {
        &self.0
    }
}

impl fmt::Display for PeerId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl fmt::Debug for PeerId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "PeerId({self})")
    }
}

/// What is polled on a thread.
#[derive(Clone, Copy)]
enum Polled {
    /// No handler.
    Nothing,
    /// A handler that has until then.
    Handler(Option<Instant>),
}

thread_local! {
    static POLLED: Cell<Polled> = const { Cell::new(Polled::Nothing) };
}

/// The deadline that a call made right now inherits.
#[inline]
pub(crate) fn inherited_deadline() -> Option<Instant> {
    match POLLED.get() {
        Polled::Handler(deadline) => deadline,
        Polled::Nothing => None,
    }
}

/// Runs `poll`, which polls a handler, such that the calls it makes inherit `deadline`.
#[inline]
pub(crate) fn with_deadline<R>(deadline: Option<Instant>, poll: impl FnOnce() -> R) -> R {
    /// Puts back what was polled around it, also when a handler panics.
    struct Restore(Polled);
    impl Drop for Restore {
        fn drop(&mut self) {
            POLLED.set(self.0);
        }
    }
    let _restore = Restore(POLLED.replace(Polled::Handler(deadline)));
    poll()
}
