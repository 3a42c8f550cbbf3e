//! [`MemoryClient`]: a client's end of a link.

use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use tokio::time::Instant;

use super::due::DueTimer;
use super::link::{Link, RECONNECT};
use super::network::SimNetwork;
use crate::transport::{ClientTransport, Delivered, LinkEvent, Sent, TransportError};
use crate::wire::Message;

/// A client's end of a link. Dropped, the link is gone.
pub(crate) struct MemoryClient {
    network: Arc<SimNetwork>,
    number: u64,
    timer: DueTimer,
}

impl MemoryClient {
    pub(super) fn new(network: Arc<SimNetwork>, number: u64) -> Self {
        Self { network, number, timer: DueTimer::default() }
    }

    fn link<R>(&self, run: impl FnOnce(&mut Link) -> R) -> Result<R, TransportError> {
        let mut state = self.network.lock();
        let link = state.links.get_mut(&self.number);
        link.map(run).ok_or_else(|| TransportError::new("the link within the process is gone"))
    }
}

impl ClientTransport for MemoryClient {
    fn event(&mut self) -> Result<Option<LinkEvent>, TransportError> {
        self.network.lock().bring_up(self.number, Instant::now());
        self.link(Link::next_event)
    }

    fn receive(&mut self) -> Result<Option<Delivered>, TransportError> {
        let message = self.link(|link| link.arrived_at_client(Instant::now()))?;
        Ok(message.map(|message| {
            let bytes = message.len();
            Delivered::anonymous(Ok(message.into_batch()), bytes)
        }))
    }

    /// A message that can't be sent comes back: an event will say why.
    fn send(&mut self, message: Message) -> Result<Sent, TransportError> {
        let fault = self.network.lock().rules.to_server;
        if let Some(message) = self.link(|link| link.send_to_server(message, fault))? {
            return Ok(Sent::Full(message));
        }
        self.network.lock().wake_server();
        Ok(Sent::Yes)
    }

    fn has_changed(&mut self) -> Result<bool, TransportError> {
        self.link(|link| link.has_event() || link.next_at_client().is_some_and(|at| at <= Instant::now()))
    }

    fn poll_happened(&mut self, context: &mut Context<'_>) -> Poll<Result<(), TransportError>> {
        self.network.lock().bring_up(self.number, Instant::now());
        match self.link(|link| {
            link.watch(context.waker());
            link.has_event()
        }) {
            Ok(true) => Poll::Ready(Ok(())),
            Ok(false) => Poll::Pending,
            Err(error) => Poll::Ready(Err(error)),
        }
    }

    fn poll_changed(&mut self, context: &mut Context<'_>) -> Poll<Result<(), TransportError>> {
        let has_server = self.network.lock().server.is_some();
        let next = self.link(|link| {
            link.watch(context.waker());
            let up = if has_server { link.up_at() } else { None };
            [link.next_at_client(), up].into_iter().flatten().min()
        })?;
        self.timer.poll(context, next).map(Ok)
    }

    /// A link within the process comes up again by itself.
    fn renew(&mut self) -> Result<(), TransportError> {
        Ok(())
    }

    fn min_reconnect(&self) -> Duration {
        RECONNECT
    }
}

impl Drop for MemoryClient {
    fn drop(&mut self) {
        self.network.lock().abandon(self.number);
    }
}
