//! [`Stall`]: when a socket has stopped connecting for good, so that another has to take its place.
//!
//! libzmq (4.3.4, `session_base_t::engine_error`) ends the session of a connection, and with it every further try, for what it takes
//! for a violation of its protocol: bytes that are no ZMTP, another security mechanism, a frame past its bound. It reports the end
//! of the connection as any other, and nothing after that. Nor does it cut off a peer that it takes for one of ZMTP 1 or 2, which
//! needs no handshake that could time out. So a socket without a connection has to show by events that it goes on.

use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use tokio::time::{Instant, Sleep, sleep};

use super::HANDSHAKE_MS;
use super::dealer::CONNECT_MS;
use crate::fork::random;

/// What a socket does, as its last event has told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Step {
    /// It connects, or has just begun to.
    Connecting,
    /// It waits this many milliseconds before it connects.
    Pausing(i32),
    /// Something has accepted the connection, and completes the handshake.
    Shaking,
    /// A connection has ended, or was not made. Where libzmq goes on, it says so at once.
    Ended,
    /// The connection is up. Heartbeats tell if that ends.
    Up,
}

/// A timer that each event puts off.
#[derive(Debug)]
pub(super) struct Stall {
    timer: Pin<Box<Sleep>>,
    is_up: bool,
}

/// Time beyond that which a step may take by itself. libzmq's thread takes well below a millisecond, unless it has much else to do.
const GRACE: Duration = Duration::from_secs(1);
/// Up to this part of it is taken off at random, so that clients which have lost a server together do not come back together.
const JITTER_PARTS: u32 = 4;

impl Stall {
    /// Begins to watch a socket that is to connect. Must be called within a tokio runtime.
    pub(super) fn new() -> Self {
        Self { timer: Box::pin(sleep(allowed(Step::Connecting))), is_up: false }
    }

    /// Says what the socket does now.
    pub(super) fn handle(&mut self, step: Step) {
        self.is_up = step == Step::Up;
        if !self.is_up {
            self.timer.as_mut().reset(Instant::now() + allowed(step));
        }
    }

    /// Is ready when the socket does nothing more. Everything that it has told must have been read.
    pub(super) fn poll_stalled(&mut self, context: &mut Context<'_>) -> Poll<()> {
        if self.is_up { Poll::Pending } else { self.timer.as_mut().poll(context) }
    }
}

/// Returns how long the next event may take to come.
fn allowed(step: Step) -> Duration {
    let takes = match step {
        Step::Connecting => CONNECT_MS,
        Step::Pausing(pause) => pause.max(0).saturating_add(CONNECT_MS),
        Step::Shaking => HANDSHAKE_MS,
        Step::Ended | Step::Up => 0,
    };
    let random = u32::try_from(random() % 1_000).unwrap_or(0);
    let grace = GRACE.saturating_sub(GRACE / JITTER_PARTS / 1_000 * random);
    Duration::from_millis(u64::try_from(takes).unwrap_or(0)) + grace
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_socket_that_is_not_up_has_its_time_from_its_last_event() {
        let waited = async |stall: &mut Stall| {
            let began = Instant::now();
            std::future::poll_fn(|context| stall.poll_stalled(context)).await;
            began.elapsed().as_millis()
        };
        let mut stall = Stall::new();
        assert!((5_750..=6_001).contains(&waited(&mut stall).await));
        for (step, range) in [
            (Step::Ended, 750..=1_001),
            (Step::Pausing(2_000), 7_750..=8_001),
            (Step::Shaking, 10_750..=11_001),
        ] {
            stall.handle(step);
            let waited = waited(&mut stall).await;
            assert!(range.contains(&waited), "{step:?}: {waited}");
        }
        stall.handle(Step::Up);
        let for_ever = tokio::time::timeout(Duration::from_secs(3_600), waited(&mut stall)).await;
        assert!(for_ever.is_err(), "a connection that is up may be silent");
        stall.handle(Step::Ended);
        assert!(waited(&mut stall).await < 1_002);
    }
}
