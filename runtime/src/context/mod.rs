//! [`Context`]: what a handler knows of its call besides the parameters. How a handler hears of the call's end is in `cancel`, what
//! a context knows of the connection in `caller`, and what calls inherit that a handler makes in `polled`.

mod caller;
mod cancel;
mod peer_id;
mod polled;

pub(crate) use caller::Caller;
pub use cancel::{CancelReason, Cancelled, Draining};
pub(crate) use cancel::{Signal, announce};
pub use peer_id::PeerId;
pub(crate) use polled::{inherited_deadline, with_deadline};

use std::fmt;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use tokio::time::Instant;

use crate::metadata::Metadata;
use crate::method::Method;
use crate::session::server::CallKey;

/// What a handler knows of its call besides the parameters.
pub struct Context {
    method: &'static Method,
    deadline: Option<Instant>,
    metadata: Metadata,
    caller: Arc<dyn Caller>,
    /// The call; `None` for a one-way call.
    key: Option<CallKey>,
    /// Created when it is first asked for.
    cancelled: OnceLock<Signal>,
}

impl Context {
    #[inline]
    pub(crate) fn new(
        method: &'static Method,
        deadline: Option<Instant>,
        metadata: Metadata,
        caller: Arc<dyn Caller>,
        key: Option<CallKey>,
    ) -> Self {
        Self { method, deadline, metadata, caller, key, cancelled: OnceLock::new() }
    }

    /// Returns the method that was called.
    #[must_use]
    #[inline]
    pub fn method(&self) -> &'static Method {
        self.method
    }

    /// Returns when time is up, and the handler's future is dropped. Calls that the handler makes inherit it.
    #[must_use]
    #[inline]
    pub fn deadline(&self) -> Option<Instant> {
        self.deadline
    }

    /// Returns the time left, zero when it is up; `None` without a deadline.
    #[must_use]
    pub fn time_left(&self) -> Option<Duration> {
        self.deadline.map(|deadline| deadline.saturating_duration_since(Instant::now()))
    }

    /// Returns what the caller sent beside the parameters.
    #[must_use]
    pub fn metadata(&self) -> &Metadata {
        &self.metadata
    }

    /// Returns the caller's identity: the same for every call over one connection.
    #[must_use]
    pub fn peer(&self) -> &PeerId {
        self.caller.id()
    }

    /// Returns a signal, with its reason, for work that the handler has spawned, or that computes without waiting. A handler that
    /// waits needs none: its future is dropped.
    #[must_use]
    pub fn cancelled(&self) -> Cancelled {
        let signal = self.cancelled.get_or_init(|| {
            let signal = Signal::default();
            // The call may be over, while its handler runs on another thread: nothing else would say so then.
            if self.key.is_some_and(|key| !self.caller.watch(key, &signal, self.deadline)) {
                announce(&signal, self.dropped_for());
            }
            signal
        });
        Cancelled::new(signal)
    }

    /// Returns a signal that the server is about to shut down, for handlers that would go on for as long as they may: a stream
    /// that has no end of its own does well to end then. Calls in flight have the server's grace time.
    #[must_use]
    pub fn draining(&self) -> Draining {
        Draining::new(self.caller.draining())
    }

    /// Returns why the handler is dropped, for an end that was not announced.
    fn dropped_for(&self) -> CancelReason {
        if self.deadline.is_some_and(|deadline| deadline <= Instant::now()) {
            CancelReason::Deadline
        } else if self.caller.is_gone() {
            CancelReason::PeerLost
        } else if self.key.is_none() || self.caller.is_draining() {
            // A one-way call can't be cancelled by its caller.
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
            let reason =
                if polled::is_handler_polled() { CancelReason::Finished } else { self.dropped_for() };
            announce(signal, reason);
        }
    }
}

impl fmt::Debug for Context {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Context")
            .field("method", &self.method)
            .field("deadline", &self.deadline)
            .field("metadata", &self.metadata)
            .field("peer", self.peer())
            .finish_non_exhaustive()
    }
}
