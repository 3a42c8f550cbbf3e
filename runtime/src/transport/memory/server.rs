//! [`MemoryServer`]: a server's end of all links of a network.

use std::sync::Arc;
use std::task::{Context, Poll};

use bytes::Bytes;
use tokio::time::Instant;

use super::due::DueTimer;
use super::link::Link;
use super::network::SimNetwork;
use crate::transport::{Arrival, Delivered, Routed, SendReceipt, ServerTransport, TransportError};
use crate::wire::{Batch, Message, Record, VERSION};

/// Reports whether the method of this name may run twice.
pub(crate) type IsIdempotent = Box<dyn Fn(&[u8]) -> bool + Send>;

/// The route of calls that arrive once more. No link has it, so the answers go nowhere.
const REPEATED: &[u8] = b"again";

/// A server's end of all links of a network. Dropped, every link goes down once what is on its way to its client has arrived.
pub(crate) struct MemoryServer {
    network: Arc<SimNetwork>,
    /// Tells this server from those before and after it.
    number: u64,
    is_idempotent: IsIdempotent,
    /// Route of the message that arrived last.
    route: Vec<u8>,
    /// Calls that are to arrive once more.
    repeated: Option<Batch>,
    timer: DueTimer,
}

impl MemoryServer {
    pub(super) fn new(network: Arc<SimNetwork>, number: u64, is_idempotent: IsIdempotent) -> Self {
        let (route, timer) = (Vec::new(), DueTimer::default());
        Self { network, number, is_idempotent, route, repeated: None, timer }
    }

    fn deliver(&mut self, route: &[u8], batch: Batch, bytes: usize) -> Arrival<'_> {
        self.route = route.to_vec();
        Arrival::Message { route: &self.route, message: Delivered::anonymous(Ok(batch), bytes) }
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
        if let Some(batch) = self.repeated.take() {
            let bytes = batch.bytes().len();
            return Ok(Some(self.deliver(REPEATED, batch, bytes)));
        }
        let mut state = self.network.lock();
        state.remove_abandoned();
        if state.has_ended(self.number) {
            return Err(TransportError::new("the server within the process was stopped"));
        }
        let now = Instant::now();
        let arrived =
            state.links.values_mut().find_map(|link| Some((link.route()?, link.arrived_at_server(now)?)));
        if let Some((route, message)) = arrived {
            let repeats = state.rules.repeats;
            drop(state);
            let (bytes, batch) = (message.len(), message.into_batch());
            if repeats {
                self.repeated = self.repeated_calls(&batch);
            }
            return Ok(Some(self.deliver(&route, batch, bytes)));
        }
        let Some(route) = state.lost.pop_front() else { return Ok(None) };
        drop(state);
        self.route = route.to_vec();
        Ok(Some(Arrival::PeerLost { route: &self.route }))
    }

    fn send(
        &mut self,
        route: &[u8],
        message: Message,
        _: Option<SendReceipt>,
    ) -> Result<Routed, TransportError> {
        let state = &mut *self.network.lock();
        let fault = state.rules.to_client;
        match state.links.values_mut().find(|link| link.route().is_some_and(|own| own == route)) {
            Some(link) => link.send_to_client(message, fault),
            None if route == REPEATED => {}
            None => return Ok(Routed::Unreachable(Some(message))),
        }
        Ok(Routed::Yes)
    }

    fn poll_changed(&mut self, context: &mut Context<'_>) -> Poll<Result<(), TransportError>> {
        let mut state = self.network.lock();
        if state.has_ended(self.number) || !state.lost.is_empty() || self.repeated.is_some() {
            return Poll::Ready(Ok(()));
        }
        let next = state.links.values().filter_map(Link::next_at_server).min();
        state.server_waker = Some(context.waker().clone());
        drop(state);
        self.timer.poll(context, next).map(Ok)
    }
}

impl Drop for MemoryServer {
    fn drop(&mut self) {
        let mut state = self.network.lock();
        if state.server == Some(self.number) {
            state.server = None;
            let now = Instant::now();
            state.links.values_mut().for_each(|link| link.leave(now));
        }
    }
}
