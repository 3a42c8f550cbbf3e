//! [`Running`]: the handler of a call in flight. It is spawned here, told that its call has ended, and aborted.

use std::future::poll_fn;
use std::net::SocketAddr;
use std::pin::pin;
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use tokio::sync::watch;
use tokio::task::AbortHandle;
use tokio::time::Instant;

use crate::context::{Caller, CancelReason, PeerId, Signal, announce};
use crate::metadata::MetadataValue;
use crate::peer::{self, CallState};
use crate::session::server::CallKey;
use crate::status::Status;

/// A client whose calls are handled here.
pub(crate) type Peer = peer::Peer<Running>;
/// All clients of a server.
pub(crate) type Peers = peer::Peers<Running>;
/// The clients of all connections of a server.
pub(crate) type Directory = peer::Directory<Running>;
/// A one-way call in flight, until this is dropped.
pub(super) type OneWay = peer::OneWay<Running>;

/// What the runtime keeps with a call in flight.
#[derive(Debug, Default)]
pub(crate) struct Running {
    /// Task of the handler, once it was spawned.
    task: Option<AbortHandle>,
    /// Signal of the call's end, if the handler has asked for one, and the call's deadline.
    signal: Option<(Signal, Option<Instant>)>,
}

/// Maximum time before the server's own deadline at which a client's cancellation still counts as the deadline.
const CLOCK_DIFFERENCE: Duration = Duration::from_millis(10);

impl CallState for Running {
    fn announce(&self, why: &Status) {
        let Some((signal, deadline)) = &self.signal else { return };
        let reason = match CancelReason::of(why) {
            // A client cancels a call at its deadline, a little before or after the server's own clock reaches it.
            CancelReason::Client if deadline.is_some_and(|at| at <= Instant::now() + CLOCK_DIFFERENCE) => {
                CancelReason::Deadline
            }
            reason => reason,
        };
        announce(signal, reason);
    }

    fn abort(&self) {
        if let Some(task) = &self.task {
            task.abort();
        }
    }
}

/// Spawns the rest of a handler. The end of the call aborts the task. Must be called within a tokio runtime.
pub(crate) fn spawn(peer: &Peer, key: CallKey, handler: impl Future<Output = ()> + Send + 'static) {
    // Not under the lock: a runtime that shuts down drops the handler in `spawn`, which answers the call.
    let mut task = Some(tokio::spawn(handler).abort_handle());
    peer.with_call(key, |running| std::mem::swap(&mut running.task, &mut task));
    // The call ended before its task was known. Aborting a task that is done does nothing.
    if let Some(task) = task {
        task.abort();
    }
}

/// Runs the handler of a one-way call, and drops it once its client is not let in any more.
pub(super) async fn unless_barred(in_flight: &OneWay, handler: impl Future<Output = ()>) {
    let (mut handler, mut barred) = (pin!(handler), pin!(in_flight.barred()));
    poll_fn(|context| {
        let is_over = handler.as_mut().poll(context).is_ready() || barred.as_mut().poll(context).is_ready();
        if is_over { Poll::Ready(()) } else { Poll::Pending }
    })
    .await;
}

impl Caller for Peer {
    fn id(&self) -> &PeerId {
        self.id()
    }

    fn address(&self) -> Option<SocketAddr> {
        self.address()
    }

    fn send_metadata(self: Arc<Self>, key: CallKey, name: &str, value: &MetadataValue) -> Result<(), String> {
        self.with(|session| session.send_metadata(key, name, value))
    }

    fn watch(&self, key: CallKey, signal: &Signal, deadline: Option<Instant>) -> bool {
        self.with_call(key, |running| running.signal = Some((Arc::clone(signal), deadline))).is_some()
    }

    fn is_gone(&self) -> bool {
        self.is_gone()
    }

    fn is_barred(&self) -> bool {
        self.is_barred()
    }

    fn is_draining(&self) -> bool {
        self.shared().sessions.is_draining()
    }

    fn draining(&self) -> watch::Receiver<bool> {
        self.shared().draining()
    }
}
