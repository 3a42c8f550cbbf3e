//! A client that is not let in any more, as its connection's driver hears it.

use std::collections::VecDeque;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use super::{batch, call, core};
use crate::Status;
use crate::driver::ServerDriver;
use crate::transport::{Arrival, Delivered, Proof, Routed, SendReceipt, ServerTransport, TransportError};
use crate::wire::{Batch, Message};

/// One message, and then the word that its sender is not let in any more.
struct Revoking {
    message: Option<Batch>,
    proofs: VecDeque<Proof>,
}

impl ServerTransport for Revoking {
    fn receive(&mut self) -> Result<Option<Arrival<'_>>, TransportError> {
        Ok(match self.message.take() {
            Some(batch) => {
                let bytes = batch.bytes().len();
                Some(Arrival::Message { route: b"a", message: Delivered::anonymous(Ok(batch), bytes) })
            }
            None => self.take_proof().map(Arrival::Proved),
        })
    }

    fn take_proof(&mut self) -> Option<Proof> {
        self.proofs.pop_front()
    }

    fn send(&mut self, _: &[u8], _: Message, _: Option<SendReceipt>) -> Result<Routed, TransportError> {
        Ok(Routed::Yes)
    }

    fn poll_changed(&mut self, _: &mut Context<'_>) -> Poll<Result<(), TransportError>> {
        Poll::Pending
    }

    fn retry_interval(&self) -> Duration {
        Duration::from_secs(1)
    }
}

#[tokio::test]
async fn the_rest_of_a_long_message_is_not_read_for_a_client_that_is_not_let_in_any_more() {
    const CALLS: u64 = 10_000;
    for (proofs, is_out) in [(0, false), (1, true)] {
        let core = core(|_| ());
        let shared = Arc::clone(&core.shared);
        let calls: Vec<_> = (0..CALLS).map(|_| call(0, "t.Odd/done_unheard")).collect();
        let why = || Proof::Revoked(Box::new(Status::unauthenticated("it is not let in any more")));
        let transport =
            Revoking { message: Some(batch(&calls)), proofs: (0..proofs).map(|_| why()).collect() };
        let mut driver = Box::pin(ServerDriver::new(transport, core));
        let mut is_over = false;
        for _ in 0..CALLS {
            is_over |= !is_over && driver.as_mut().poll(&mut Context::from_waker(Waker::noop())).is_ready();
        }
        let (handled, revoked) = (shared.counters.calls(), shared.counters.revoked_connections());
        assert_eq!((is_over, revoked), (is_out, proofs));
        assert_eq!(handled < CALLS / 2, is_out, "{handled}");
    }
}
