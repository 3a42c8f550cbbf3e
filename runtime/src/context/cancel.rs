//! [`Cancelled`] and [`Draining`]: signals for a handler, and tasks that it has spawned, that the call is over or that the server
//! drains.

use std::fmt;
use std::sync::Arc;

use tokio::sync::watch;

use crate::status::{Cause, Status};

/// Why a call is over.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum CancelReason {
    /// The handler has completed.
    Finished,
    /// The client has cancelled the call.
    Client,
    /// The call's deadline has passed.
    Deadline,
    /// The client is gone, or does not read what it is sent.
    PeerLost,
    /// The server has shut down before the handler was done.
    Draining,
    /// The client is not [let in](crate::curve::Access) any more, or not as it was.
    Revoked,
}

impl CancelReason {
    /// Returns the reason for the end of a call that is answered with this status.
    pub(crate) fn of(why: &Status) -> Self {
        match why.cause() {
            Some(Cause::Deadline) => Self::Deadline,
            Some(Cause::ClientLost) => Self::PeerLost,
            Some(Cause::GoingAway | Cause::Closed) => Self::Draining,
            Some(Cause::Forbidden) => Self::Revoked,
            _ => Self::Client,
        }
    }

    /// Returns the reason in words, as in "the call is over: the client cancelled it".
    const fn text(self) -> &'static str {
        match self {
            Self::Finished => "the handler has completed",
            Self::Client => "the client cancelled it",
            Self::Deadline => "its deadline has passed",
            Self::PeerLost => "the client is gone",
            Self::Draining => "the server has shut down",
            Self::Revoked => "the client is not let in any more",
        }
    }
}

impl fmt::Display for CancelReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.text())
    }
}

/// The end of one call, once it has come. An end from outside the handler is announced by its cause first; every other end is
/// announced by the context.
pub(crate) type Signal = Arc<watch::Sender<Option<CancelReason>>>;

/// Announces the end of a call to all tasks that wait for it. Only the first reason counts.
pub(crate) fn announce(signal: &Signal, reason: CancelReason) {
    signal.send_if_modified(|known| {
        let first = known.is_none();
        known.get_or_insert(reason);
        first
    });
}

/// A signal that a call is over, and why: answered, cancelled or past its deadline. See
/// [`Context::cancelled`](crate::Context::cancelled).
#[derive(Debug, Clone)]
pub struct Cancelled(watch::Receiver<Option<CancelReason>>);

impl Cancelled {
    pub(super) fn new(signal: &Signal) -> Self {
        Self(signal.subscribe())
    }

    /// Waits until the call is over, and returns why.
    ///
    /// # Cancel safety
    /// The future may be dropped and created again.
    pub async fn wait(&mut self) -> CancelReason {
        // The context announces a reason before it is dropped, and the signal with it.
        let reason = self.0.wait_for(Option::is_some).await.map(|reason| *reason);
        reason.ok().flatten().unwrap_or(CancelReason::Finished)
    }

    /// Returns why the call is over, if it is.
    #[must_use]
    pub fn reason(&self) -> Option<CancelReason> {
        *self.0.borrow()
    }

    /// Reports whether the call is over.
    #[must_use]
    pub fn is_cancelled(&self) -> bool {
        self.reason().is_some()
    }
}

/// A signal that a server begins to drain. See [`Context::draining`](crate::Context::draining).
#[derive(Debug, Clone)]
pub struct Draining(watch::Receiver<bool>);

impl Draining {
    pub(crate) fn new(begun: watch::Receiver<bool>) -> Self {
        Self(begun)
    }

    /// Waits until the server takes no new calls.
    ///
    /// # Cancel safety
    /// The future may be dropped and created again.
    pub async fn wait(&mut self) {
        // An error means that the server was dropped.
        let _ = self.0.wait_for(|begun| *begun).await;
    }

    /// Reports whether the server takes no new calls any more.
    #[must_use]
    pub fn has_begun(&self) -> bool {
        *self.0.borrow()
    }
}
