//! [`MemoryServer`]: a server's end of all links of a network.

use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use tokio::time::Instant;

use super::due::DueTimer;
use super::link::{Parcel, Route, client_of, route_of};
use super::network::SimNetwork;
use super::state::Arrived;
use crate::identity::Identity;
use crate::transport::{Arrival, Delivered, Routed, SendReceipt, ServerTransport, TransportError};
use crate::wire::{Batch, Message, Record, VERSION};

/// Reports whether the method of this name may run twice.
pub(crate) type IsIdempotent = Box<dyn Fn(&[u8]) -> bool + Send>;

/// The client of the routes of calls that arrive for a second time. No link has it, so their answers are dropped.
const REPEATED: u64 = u64::MAX;

/// Returns the route of what a client's link brings for a second time: as if another client had sent it, one for each client.
pub(super) fn repeated(route: Route) -> Route {
    route_of(REPEATED, client_of(&route).unwrap_or(REPEATED))
}

/// A server's end of all links of a network. Dropped, it ends each link once the client has what is on its way to it.
pub(crate) struct MemoryServer {
    network: Arc<SimNetwork>,
    /// Tells this server from those before and after it.
    number: u64,
    is_idempotent: IsIdempotent,
    /// Route of the message that arrived last.
    route: Route,
    /// Calls that are to arrive for a second time.
    repeated: Option<Repeated>,
    timer: DueTimer,
}

/// What is to arrive for a second time: its route, and who has sent it.
struct Repeated {
    route: Route,
    batch: Batch,
    identity: Option<Identity>,
}

impl MemoryServer {
    pub(super) fn new(network: Arc<SimNetwork>, number: u64, is_idempotent: IsIdempotent) -> Self {
        let (route, timer) = (Route::default(), DueTimer::default());
        Self { network, number, is_idempotent, route, repeated: None, timer }
    }

    fn deliver(
        &mut self,
        route: Route,
        batch: Batch,
        bytes: usize,
        identity: Option<Identity>,
    ) -> Arrival<'_> {
        self.route = route;
        Arrival::Message { route: &self.route, message: Delivered { batch: Ok(batch), bytes, identity } }
    }

    /// Returns the calls of idempotent methods in a batch, as a client's second attempt would send them.
    fn repeated_calls(&self, batch: &Batch) -> Option<Batch> {
        let mut reader = batch.records().ok()?;
        let mut again = vec![VERSION];
        let mut start = reader.at();
        while let Ok(Some(record)) = reader.next() {
            if let Record::Call(call) = record
                && (self.is_idempotent)(call.method)
            {
                again.extend_from_slice(&batch.bytes()[start..reader.at()]);
            }
            start = reader.at();
        }
        if again.len() == batch.bytes().len() {
            // With its attachments.
            return Some(batch.clone());
        }
        (again.len() > 1).then(|| Bytes::from(again).into())
    }
}

impl ServerTransport for MemoryServer {
    fn receive(&mut self) -> Result<Option<Arrival<'_>>, TransportError> {
        if let Some(Repeated { route, batch, identity }) = self.repeated.take() {
            let bytes = batch.bytes().len();
            return Ok(Some(self.deliver(route, batch, bytes, identity)));
        }
        let now = Instant::now();
        let (arrived, repeats) = self.network.with(|state| {
            let arrived = state.receive_at_server(self.number, now);
            (arrived, state.repeats())
        });
        match arrived? {
            None => Ok(None),
            Some(Arrived::Lost(route)) => {
                self.route = route;
                Ok(Some(Arrival::PeerLost { route: &self.route }))
            }
            Some(Arrived::Message(route, parcel, identity)) => {
                let message = parcel.into_message();
                let (bytes, batch) = (message.len(), message.into_batch());
                if repeats && let Some(batch) = self.repeated_calls(&batch) {
                    let identity = identity.clone();
                    self.repeated = Some(Repeated { route: repeated(route), batch, identity });
                }
                Ok(Some(self.deliver(route, batch, bytes, identity)))
            }
        }
    }

    /// Sends a message. Its receipt goes with it, and is dropped when the client has taken the message, or when the
    /// message is lost.
    fn send(
        &mut self,
        route: &[u8],
        message: Message,
        receipt: Option<SendReceipt>,
    ) -> Result<Routed, TransportError> {
        let (parcel, now) = (Parcel::new(message, receipt), Instant::now());
        Ok(match self.network.with(|state| state.send_to_client(route, parcel, now)) {
            Some(parcel) if client_of(route) != Some(REPEATED) => {
                Routed::Unreachable(Some(parcel.into_message()))
            }
            _ => Routed::Yes,
        })
    }

    fn poll_changed(&mut self, context: &mut Context<'_>) -> Poll<Result<(), TransportError>> {
        let next = self.network.with(|state| {
            let has_news = self.repeated.is_some() || state.has_news(self.number);
            (!has_news).then(|| state.watch_server(context.waker()))
        });
        next.map_or(Poll::Ready(()), |next| self.timer.poll(context, next)).map(Ok)
    }

    /// A link has room at any time; what a client may not be sent yet waits for its receipts, which notify.
    fn retry_interval(&self) -> Duration {
        Duration::from_millis(10)
    }
}

impl Drop for MemoryServer {
    fn drop(&mut self) {
        let now = Instant::now();
        self.network.with(|state| state.leave(self.number, now));
    }
}
