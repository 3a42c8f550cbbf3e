//! [`MemoryClient`]: a client's end of a link.

use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use tokio::time::Instant;

use super::due::DueTimer;
use super::link::RECONNECT;
use super::network::SimNetwork;
use crate::transport::{ClientTransport, Delivered, LinkEvent, Sent, TransportError};
use crate::wire::Message;

/// A client's end of a link. Dropped, it ends the link.
pub(crate) struct MemoryClient {
    network: Arc<SimNetwork>,
    number: u64,
    timer: DueTimer,
}

impl MemoryClient {
    pub(super) fn new(network: Arc<SimNetwork>, number: u64) -> Self {
        Self { network, number, timer: DueTimer::default() }
    }
}

impl ClientTransport for MemoryClient {
    fn event(&mut self) -> Result<Option<LinkEvent>, TransportError> {
        let now = Instant::now();
        self.network.with(|state| Ok(state.link_in_time(self.number, now)?.next_event()))
    }

    fn receive(&mut self) -> Result<Option<Delivered>, TransportError> {
        let now = Instant::now();
        let parcel = self.network.with(|state| state.receive_at_client(self.number, now))?;
        // The receipt is dropped here: the transport is done with the message.
        Ok(parcel.map(|parcel| {
            let message = parcel.into_message();
            let bytes = message.len();
            Delivered::anonymous(Ok(message.into_batch()), bytes)
        }))
    }

    /// Sends a message, or returns it if the link is down, of which an event tells.
    fn send(&mut self, message: Message) -> Result<Sent, TransportError> {
        let now = Instant::now();
        let back = self.network.with(|state| state.send_to_server(self.number, message, now))?;
        Ok(back.map_or(Sent::Yes, Sent::Full))
    }

    fn has_changed(&mut self) -> Result<bool, TransportError> {
        let now = Instant::now();
        self.network.with(|state| {
            let link = state.link(self.number)?;
            Ok(link.has_event() || link.next_at_client().is_some_and(|at| at <= now))
        })
    }

    fn poll_happened(&mut self, context: &mut Context<'_>) -> Poll<Result<(), TransportError>> {
        let now = Instant::now();
        let has_event = self.network.with(|state| {
            state.link_in_time(self.number, now).map(|link| {
                link.watch(context.waker());
                link.has_event()
            })
        })?;
        if has_event { Poll::Ready(Ok(())) } else { Poll::Pending }
    }

    fn poll_changed(&mut self, context: &mut Context<'_>) -> Poll<Result<(), TransportError>> {
        let next = self.network.with(|state| state.watch_client(self.number, context.waker()))?;
        self.timer.poll(context, next).map(Ok)
    }

    /// Does nothing: a link within the process comes up again by itself.
    fn renew(&mut self) -> Result<(), TransportError> {
        Ok(())
    }

    fn min_reconnect(&self) -> Duration {
        RECONNECT
    }
}

impl Drop for MemoryClient {
    fn drop(&mut self) {
        let now = Instant::now();
        self.network.with(|state| state.abandon(self.number, now));
    }
}
