//! [`Lobby`]: the driver of a connection without a transport, at which callers wait for an address of a name.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use tokio::time::{Instant, Sleep, sleep_until};

use crate::clock;
use crate::connection::{Connection, DriverAction};
use crate::flow::wake;

/// Sees to the deadlines of callers that wait for an address of a name.
pub(in crate::channel) struct Lobby {
    connection: Arc<Connection>,
    tick: Pin<Box<Sleep>>,
}

impl Lobby {
    pub(in crate::channel) fn new(connection: Arc<Connection>) -> Self {
        Self { connection, tick: Box::pin(sleep_until(Instant::now())) }
    }
}

impl Future for Lobby {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<()> {
        loop {
            self.connection.notify().begin_turn();
            let mut wakers = Vec::new();
            let next = self.connection.handle_timeout(clock::now(), &mut wakers);
            let is_over =
                self.connection.next_action() == DriverAction::End && self.connection.end(&mut wakers);
            wake(wakers);
            if is_over {
                return Poll::Ready(());
            }
            let mut ticked = false;
            if let Some(next) = next {
                self.tick.as_mut().reset(Instant::from_std(next));
                ticked = self.tick.as_mut().poll(context).is_ready();
            }
            if !ticked && self.connection.notify().sleep(context.waker()) {
                return Poll::Pending;
            }
        }
    }
}

impl Drop for Lobby {
    fn drop(&mut self) {
        self.connection.close_with_runtime();
    }
}
