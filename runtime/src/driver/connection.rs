//! [`ConnectionDriver`]: the task of one connection of a server. Until the handshake is complete, it has the transport and next to nothing
//! else: anything can connect, by the thousand. Then it is a [`ServerDriver`].

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use super::core::CoreSeed;
use super::server::ServerDriver;
use crate::flush::DriverNotify;
use crate::fork::Owned;
use crate::peer::Shared;
use crate::transport::{Refusal, ServerTransport, TransportError};

/// Owns one connection of a server, from its first byte on.
pub(super) struct ConnectionDriver<T>(Stage<T>);

enum Stage<T> {
    Handshake {
        transport: Owned<T>,
        seed: Arc<CoreSeed>,
        /// What the driver is to be notified by.
        notify: Arc<DriverNotify>,
    },
    Up(Box<ServerDriver<T>>),
    Over,
}

impl<T: ServerTransport> ConnectionDriver<T> {
    pub(super) fn new(transport: T, seed: Arc<CoreSeed>, notify: Arc<DriverNotify>) -> Self {
        Self(Stage::Handshake { transport: Owned::new(transport), seed, notify })
    }

    /// Is ready when the handshake is over: with what drives the connection from then on, unless that has ended, too.
    fn poll_handshake(
        &mut self,
        context: &mut Context<'_>,
    ) -> Poll<Result<Option<ServerDriver<T>>, TransportError>> {
        let Stage::Handshake { transport, seed, .. } = &mut self.0 else { return Poll::Ready(Ok(None)) };
        if !transport.is_own() {
            return Poll::Ready(Err(TransportError::Forked));
        }
        match transport.poll_up(context) {
            Poll::Pending => return Poll::Pending,
            Poll::Ready(Ok(())) => {}
            Poll::Ready(Err(refusal)) => {
                if let Some(refusal) = refusal {
                    note_refusal(&seed.shared, &refusal);
                }
                self.0 = Stage::Over;
            }
        }
        let Stage::Handshake { transport, seed, notify } = std::mem::replace(&mut self.0, Stage::Over) else {
            return Poll::Ready(Ok(None));
        };
        let mut core = seed.core(notify);
        core.peers.set_address(transport.peer_address());
        core.peers.set_identity(transport.peer_identity());
        Poll::Ready(Ok(Some(ServerDriver::owning(transport, core))))
    }
}

impl<T: ServerTransport> Future for ConnectionDriver<T> {
    type Output = Result<(), TransportError>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        if let Stage::Up(driver) = &mut self.0 {
            return Pin::new(&mut **driver).poll(context);
        }
        match self.poll_handshake(context)? {
            Poll::Pending => Poll::Pending,
            Poll::Ready(None) => Poll::Ready(Ok(())),
            Poll::Ready(Some(driver)) => {
                let mut driver = Box::new(driver);
                let polled = Pin::new(&mut *driver).poll(context);
                self.0 = Stage::Up(driver);
                polled
            }
        }
    }
}

/// Counts a connection that was refused, and logs it.
pub(super) fn note_refusal(shared: &Shared, refusal: &Refusal) {
    shared.counters.count_refused_connection(refusal.reason);
    refusal.log();
}
