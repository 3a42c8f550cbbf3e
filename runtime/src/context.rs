//! [`Context`]: what a handler knows of its call besides the parameters.

use std::cell::Cell;
use std::fmt;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use tokio::sync::watch;
use tokio::time::Instant;

use crate::metadata::Metadata;
use crate::method::Method;

/// What a handler knows of its call besides the parameters.
#[derive(Debug)]
pub struct Context {
    method: &'static Method,
    deadline: Option<Instant>,
    metadata: Metadata,
    peer: PeerId,
    /// Made when first asked for; its dropping is the signal.
    cancelled: OnceLock<watch::Sender<()>>,
}

impl Context {
    pub(crate) fn new(
        method: &'static Method,
        deadline: Option<Instant>,
        metadata: Metadata,
        peer: PeerId,
    ) -> Self {
        Self { method, deadline, metadata, peer, cancelled: OnceLock::new() }
    }

    /// The method that was called.
    #[must_use]
    pub fn method(&self) -> &'static Method {
        self.method
    }

    /// When time is up, and the handler's future is dropped. Calls that the handler makes inherit it.
    #[must_use]
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

    /// Who called: the same for every call over one connection.
    #[must_use]
    pub fn peer(&self) -> &PeerId {
        &self.peer
    }

    /// A signal for work that the handler has spawned. The handler itself needs none: its future is dropped.
    #[must_use]
    pub fn cancelled(&self) -> Cancelled {
        Cancelled { alive: self.cancelled.get_or_init(|| watch::Sender::new(())).subscribe() }
    }
}

/// Tells when a call is over, be it answered, cancelled or out of time. See [`Context::cancelled`].
#[derive(Debug, Clone)]
pub struct Cancelled {
    alive: watch::Receiver<()>,
}

impl Cancelled {
    /// Waits until the call is over.
    ///
    /// # Cancel safety
    /// May be dropped and waited for anew.
    pub async fn wait(&mut self) {
        // Nothing is ever sent: this ends when the sender goes, with the context.
        while self.alive.changed().await.is_ok() {}
    }

    /// Whether the call is over.
    #[must_use]
    pub fn is_cancelled(&self) -> bool {
        self.alive.has_changed().is_err()
    }
}

/// A client's connection, as the server sees it. It means nothing beyond being the same or not.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct PeerId(Arc<[u8]>);

impl PeerId {
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

thread_local! {
    /// The deadline of the handler that is being polled on this thread.
    static INHERITED: Cell<Option<Instant>> = const { Cell::new(None) };
}

/// The deadline that a call made right now inherits.
pub(crate) fn inherited_deadline() -> Option<Instant> {
    INHERITED.get()
}

/// Runs `poll` such that the calls it makes inherit `deadline`.
pub(crate) fn with_deadline<R>(deadline: Option<Instant>, poll: impl FnOnce() -> R) -> R {
    /// Puts the outer deadline back, also when a handler panics.
    struct Restore(Option<Instant>);
    impl Drop for Restore {
        fn drop(&mut self) {
            INHERITED.set(self.0);
        }
    }
    let _restore = Restore(INHERITED.replace(deadline));
    poll()
}
