//! The task that owns a client's socket.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use tokio::time::{Instant, Sleep, sleep_until};

use super::connection::Connection;
use super::state::Wakers;
use crate::socket::{Dealer, Event, Sent, SocketError};
use crate::status::Status;

/// Owns the DEALER: sends what calls have left in the outbox, and hands out what comes in.
pub(super) struct Driver {
    dealer: Dealer,
    connection: Arc<Connection>,
    /// What to wake when the lock is free.
    wakers: Wakers,
    tick: Pin<Box<Sleep>>,
}

/// Messages to take before the outbox is emptied again.
const RECEIVE: usize = 64;
/// Rounds before other tasks of the thread get their turn.
const ROUNDS: usize = 16;

impl Driver {
    pub(super) fn new(dealer: Dealer, connection: Arc<Connection>) -> Self {
        Self { dealer, connection, wakers: Wakers::new(), tick: Box::pin(sleep_until(Instant::now())) }
    }

    fn wake(&mut self) {
        for waker in self.wakers.drain(..) {
            waker.wake();
        }
    }

    /// Takes messages, up to a number; whether there were any.
    fn receive(&mut self) -> Result<bool, SocketError> {
        for taken in 0..RECEIVE {
            match self.dealer.receive()? {
                Some(batch) => self.connection.receive(&batch, &mut self.wakers),
                None => return Ok(taken > 0),
            }
        }
        Ok(true)
    }

    /// Sends what is in the outbox, as far as there is room for it; whether anything was sent.
    fn send(&mut self) -> Result<bool, SocketError> {
        let mut any = false;
        while let Some(message) = self.connection.take_message(&mut self.wakers) {
            match self.dealer.send(message)? {
                Sent::Yes => any = true,
                // `ZMQ_FD` tells when there is room again.
                Sent::Full(message) => {
                    self.connection.lock().outbox.put_back(message);
                    break;
                }
                // It said that there was room; there is none only if the connection has just gone.
                Sent::Unreachable => self.connection.disconnected(&mut self.wakers),
            }
        }
        Ok(any)
    }

    /// Takes all that has happened to the connection.
    fn events(&mut self) -> Result<(), SocketError> {
        while let Some(event) = self.dealer.event()? {
            match event {
                Event::Connected => self.connection.connected(&mut self.wakers),
                Event::Disconnected => {
                    // Answers that came before the end still count.
                    while self.receive()? {}
                    self.connection.disconnected(&mut self.wakers);
                }
                Event::HandshakeFailed => self.connection.handshake_failed(),
            }
        }
        Ok(())
    }

    fn poll_tick(&mut self, context: &mut Context<'_>) -> Poll<()> {
        let Some(next) = self.connection.expire(&mut self.wakers) else { return Poll::Pending };
        if self.tick.deadline() != next {
            self.tick.as_mut().reset(next);
        }
        self.tick.as_mut().poll(context)
    }

    fn poll_driver(&mut self, context: &mut Context<'_>) -> Poll<Result<(), SocketError>> {
        for _ in 0..ROUNDS {
            self.connection.bell.answer();
            let sent = self.send()?;
            let received = self.receive()?;
            self.wake();
            if sent || received {
                continue;
            }
            if self.connection.is_done() {
                return Poll::Ready(Ok(()));
            }
            if self.dealer.poll_changed(context)?.is_ready() {
                self.events()?;
                continue;
            }
            let ticked = self.poll_tick(context).is_ready();
            self.wake();
            if !ticked && self.connection.bell.sleep(context.waker()) {
                return Poll::Pending;
            }
        }
        context.waker().wake_by_ref();
        Poll::Pending
    }
}

impl Future for Driver {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<()> {
        self.poll_driver(context).map(|result| {
            if let Err(error) = result {
                let why = Status::unavailable(format!("the client's socket failed: {error}"));
                let this = &mut *self;
                this.connection.close(&why, &mut this.wakers);
            }
        })
    }
}

impl Drop for Driver {
    fn drop(&mut self) {
        // The runtime is going down, or the channel was closed: nobody may wait for what will not come.
        self.connection.close_now();
        self.wake();
    }
}
