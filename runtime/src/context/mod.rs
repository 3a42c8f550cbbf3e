//! [`Context`]: what a handler knows of its call besides the parameters. Signals of the call's end are in `cancel`,
//! what a context needs of the connection is in `caller`, and what a handler's own calls inherit is in `polled`.

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
use std::net::SocketAddr;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use tokio::time::Instant;

use crate::identity::Identity;
use crate::metadata::{Metadata, MetadataValue};
use crate::method::Method;
use crate::session::server::CallKey;
use crate::status::{Cause, Status};

/// What a handler knows of its call besides the parameters.
pub struct Context {
    method: &'static Method,
    deadline: Option<Instant>,
    metadata: Metadata,
    caller: Arc<dyn Caller>,
    /// Who the caller is, if that is known.
    identity: Option<Identity>,
    /// Key of the call; `None` for a one-way call.
    key: Option<CallKey>,
    /// Signal of the call's end; created when it is first asked for.
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
        Self { method, deadline, metadata, caller, identity: None, key, cancelled: OnceLock::new() }
    }

    /// Says who the caller is.
    #[inline]
    pub(crate) fn with_identity(mut self, identity: Option<Identity>) -> Self {
        self.identity = identity;
        self
    }

    /// Returns the method that was called.
    #[must_use]
    #[inline]
    pub fn method(&self) -> &'static Method {
        self.method
    }

    /// Returns the call's deadline, at which the handler's future is dropped. Calls that the handler makes inherit the deadline.
    #[must_use]
    #[inline]
    pub fn deadline(&self) -> Option<Instant> {
        self.deadline
    }

    /// Returns the time left until the deadline, zero once it has passed; `None` without a deadline.
    #[must_use]
    pub fn time_left(&self) -> Option<Duration> {
        self.deadline.map(|deadline| deadline.saturating_duration_since(Instant::now()))
    }

    /// Returns what the caller sent beside the parameters.
    #[must_use]
    pub fn metadata(&self) -> &Metadata {
        &self.metadata
    }

    /// Returns who the caller is: its name, its roles, and what they rest on. `None` if the server does not know, which it does
    /// only with [CURVE](crate::curve), and where a program [says so](crate::ChannelBuilder::identity). A method with `@roles` is called by clients with one of
    /// them, so there it is known, unless the server is [`insecure`](crate::ServerBuilder::insecure).
    #[must_use]
    pub fn identity(&self) -> Option<&Identity> {
        self.identity.as_ref()
    }

    /// Returns what tells the caller's connection from others: the same for every call over one connection.
    #[must_use]
    pub fn peer(&self) -> &PeerId {
        self.caller.id()
    }

    /// Returns the address and the port that the caller's connection comes from, over TCP and on the engine
    /// [`Zmtp`](crate::Engine::Zmtp). `None` over `ipc` and `inproc`, within the process, and on
    /// [`Libzmq`](crate::Engine::Libzmq).
    ///
    /// It is the other end of the connection, which may be a device or a proxy with many clients behind it. It proves nothing: use it
    /// for logs, and not to decide who may call.
    #[must_use]
    pub fn peer_address(&self) -> Option<SocketAddr> {
        self.caller.address()
    }

    /// Sends a name and a value beside the answer, or the stream, for callers that
    /// [ask for them](crate::UnaryCall::response_metadata). They leave at once, so they arrive before an item that is sent later, and
    /// also if the call fails. The last value of a name counts. What is sent once the call is over is dropped.
    ///
    /// # Errors
    /// `resource_exhausted`: more than [`Metadata::MAX_ENTRIES`] or [`Metadata::MAX_BYTES`] were sent, earlier values of a name
    /// included. `failed_precondition`: a one-way call has no answer.
    pub fn send_metadata(
        &self,
        name: impl AsRef<str>,
        value: impl Into<MetadataValue>,
    ) -> Result<(), Status> {
        send_metadata(Arc::clone(&self.caller), self.key, name.as_ref(), &value.into())
    }

    /// Returns a signal that the call is over, with the reason, for tasks that the handler has spawned and for computations that
    /// do not wait. A handler that waits needs none: its future is dropped.
    #[must_use]
    pub fn cancelled(&self) -> Cancelled {
        let signal = self.cancelled.get_or_init(|| {
            let signal = Signal::default();
            // The call may have ended already, while its handler runs on another thread: nothing else would announce that end.
            if self.key.is_some_and(|key| !self.caller.watch(key, &signal, self.deadline)) {
                announce(&signal, self.dropped_for());
            }
            signal
        });
        Cancelled::new(signal)
    }

    /// Returns a signal that the server is about to shut down. A stream without an end of its own should end then. Calls in
    /// flight have the server's [grace time](crate::ServerBuilder::grace).
    #[must_use]
    pub fn draining(&self) -> Draining {
        Draining::new(self.caller.draining())
    }

    /// Returns why the handler is dropped, for an end that was not announced.
    fn dropped_for(&self) -> CancelReason {
        if self.deadline.is_some_and(|deadline| deadline <= Instant::now()) {
            CancelReason::Deadline
        } else if self.caller.is_barred() {
            CancelReason::Revoked
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

/// Sends a name and a value beside the answer of a call.
pub(crate) fn send_metadata(
    caller: Arc<dyn Caller>,
    key: Option<CallKey>,
    name: &str,
    value: &MetadataValue,
) -> Result<(), Status> {
    let Some(key) = key else {
        let what = format!("a one-way call has no answer, beside which `{name}` could be sent");
        return Err(Status::failed_precondition(what));
    };
    let sent = caller.send_metadata(key, name, value);
    sent.map_err(|what| Status::resource_exhausted(what).caused_by(Cause::TooLarge))
}

impl Drop for Context {
    fn drop(&mut self) {
        if let Some(signal) = self.cancelled.get() {
            // A handler completes, or panics, while it is polled; it is dropped by others when it is not.
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
            .field("identity", &self.identity)
            .finish_non_exhaustive()
    }
}
