//! [`ClientDriver`]: the task that owns a client's transport.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};
use std::time::Instant;

use tokio::runtime::{Handle, RuntimeFlavor};
use tokio::time::{Sleep, sleep_until};

use crate::clock;
use crate::connection::{Connection, DriverAction};
use crate::flush::{wakes_per_turn, yield_to_driver};
use crate::status::{Cause, Status};
use crate::telemetry::{self, End};
use crate::transport::{ClientTransport, LinkEvent, Sent, TransportError};
use crate::wire::Batch;

/// Owns a client's transport: sends what calls have left in the outbox, and hands out what arrives.
pub(crate) struct ClientDriver<T> {
    transport: T,
    connection: Arc<Connection>,
    /// Tasks to wake when no lock is held.
    wakers: Vec<Waker>,
    /// A message of which some was taken, and where the rest of it begins.
    unfinished: Option<(Batch, usize)>,
    tick: Pin<Box<Sleep>>,
    /// The transport had no room the last time: what is in the outbox waits for a change.
    is_blocked: bool,
    /// There was more in the outbox the last time than is sent at a time.
    has_unsent: bool,
    /// When all was known that had happened to the connection.
    looked: Instant,
    /// Whether the runtime has one thread: tasks that were woken run before this one in any case, and what they have to send may as well wait for the last of
    /// them. Of several threads one may be kept, by a task that has waited for an answer, while others are idle; they can't take over a driver that has
    /// yielded to that one.
    has_one_thread: bool,
}

/// Messages to send before the transport is read again.
const MAX_SENDS: usize = 64;
/// Messages to take before the transport is written again.
const MAX_RECEIVES: usize = 64;
/// Bytes to take before the tasks run that wait for them.
const MAX_RECEIVED_BYTES: usize = 64 * 1024;
/// Rounds before other tasks of the thread get their turn.
const MAX_ROUNDS: usize = 16;

/// Why a connection does not come up although something listens.
const NO_HANDSHAKE: &str = "what listens there does not complete the ZeroMQ handshake";

/// What [`ClientDriver::receive`] came to.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Received {
    /// There is nothing more.
    All,
    /// There may be more.
    Some,
    /// There may be more, but first the tasks that are to be woken have to run.
    Enough,
}

impl<T: ClientTransport> ClientDriver<T> {
    /// Must be called within a tokio runtime.
    pub(crate) fn new(transport: T, connection: Arc<Connection>) -> Self {
        Self {
            transport,
            connection,
            wakers: Vec::new(),
            unfinished: None,
            tick: Box::pin(sleep_until(tokio::time::Instant::now())),
            is_blocked: false,
            has_unsent: false,
            looked: clock::now(),
            has_one_thread: Handle::current().runtime_flavor() == RuntimeFlavor::CurrentThread,
        }
    }

    fn poll_driver(&mut self, context: &mut Context<'_>) -> Poll<Result<(), TransportError>> {
        let connection = Arc::clone(&self.connection);
        let _entered = connection.notify().enter();
        let mut now = clock::now();
        self.catch_up(now)?;
        // Before the transport is drained, not after: what is seen here need not be looked for twice.
        self.poll_changes(context)?;
        for _ in 0..MAX_ROUNDS {
            // Records of which the driver was not notified yet are going to have company. Sending may swallow the signal of a message that has arrived, so
            // receiving is last.
            if connection.notify().begin_turn() || self.is_blocked || self.has_unsent {
                self.send()?;
            }
            let received = self.receive(now)?;
            self.wake();
            if received == Received::Enough {
                // What the woken tasks have to send goes out before more are woken.
                break;
            }
            match connection.next_action() {
                DriverAction::End => return Poll::Ready(Ok(())),
                DriverAction::Renew => {
                    self.transport.renew()?;
                    continue;
                }
                DriverAction::Wait if received == Received::All && !self.has_unsent => {}
                DriverAction::Wait => continue,
            }
            // Receiving may have swallowed the signal of room to send.
            if self.is_blocked && self.transport.has_changed()? || self.poll_changes(context)? {
                continue;
            }
            let is_due = self.poll_tick(context, now).is_ready();
            self.wake();
            if is_due {
                now = clock::now();
            } else if connection.notify().sleep(context.waker()) {
                return Poll::Pending;
            }
        }
        self.yield_turn(context);
        Poll::Pending
    }

    /// Lets other tasks run. The clock is looked at first, or a stream at full speed would keep the calls beside it from ever running out of time.
    fn yield_turn(&mut self, context: &mut Context<'_>) {
        let _ = self.poll_tick(context, clock::now());
        self.wake();
        if self.has_one_thread {
            yield_to_driver(context);
        } else {
            context.waker().wake_by_ref();
        }
    }

    fn wake(&mut self) {
        self.wakers.drain(..).for_each(Waker::wake);
    }

    /// Takes messages, up to a number, or until as many tasks are to be woken as may be at a time.
    fn receive(&mut self, now: Instant) -> Result<Received, TransportError> {
        let max_wakes = wakes_per_turn(self.connection.open_calls());
        let mut bytes = 0;
        for _ in 0..MAX_RECEIVES {
            let (batch, at) = if let Some(unfinished) = self.unfinished.take() {
                unfinished
            } else {
                let Some(message) = self.transport.receive()? else { return Ok(Received::All) };
                telemetry::received(End::Client, message.bytes);
                bytes += message.bytes;
                match message.batch {
                    Ok(batch) => (batch, 0),
                    Err(malformed) => {
                        self.connection.handle_unreadable(&malformed, &mut self.wakers);
                        continue;
                    }
                }
            };
            let next = self.connection.handle_message(&batch, at, &mut self.wakers, max_wakes, now);
            self.unfinished = next.map(|at| (batch, at));
            if self.wakers.len() >= max_wakes || bytes >= MAX_RECEIVED_BYTES && !self.wakers.is_empty() {
                return Ok(Received::Enough);
            }
        }
        Ok(Received::Some)
    }

    /// Sends what is in the outbox, as far as there is room for it, up to a number of messages.
    fn send(&mut self) -> Result<(), TransportError> {
        (self.is_blocked, self.has_unsent) = (false, false);
        for _ in 0..MAX_SENDS {
            let Some(message) = self.connection.poll_transmit(&mut self.wakers) else { return Ok(()) };
            let bytes = message.len();
            match self.transport.send(message)? {
                Sent::Yes => telemetry::sent(End::Client, bytes),
                // The transport tells when there is room again.
                Sent::Full(message) => {
                    self.connection.return_transmit(message);
                    self.is_blocked = true;
                    return Ok(());
                }
                // The transport had room before; it has none only if the connection has just gone. Where it would not tell that the connection is back, the
                // session goes on as if it were.
                Sent::Unreachable => self.connection.handle_lost_message(&mut self.wakers),
            }
        }
        self.has_unsent = true;
        Ok(())
    }

    /// Takes all that has happened to the connection.
    fn take_events(&mut self) -> Result<(), TransportError> {
        while let Some(event) = self.transport.event()? {
            match event {
                LinkEvent::Connected => self.connection.handle_connected(&mut self.wakers),
                LinkEvent::Disconnected => {
                    // Answers that came before the end still count.
                    while self.receive(clock::now())? != Received::All {
                        self.wake();
                    }
                    self.connection.handle_disconnected(&mut self.wakers);
                }
                LinkEvent::HandshakeFailed => self.connection.set_trouble(NO_HANDSHAKE),
            }
        }
        Ok(())
    }

    /// Takes what has happened to the connection, and reports whether anything may have changed.
    fn poll_changes(&mut self, context: &mut Context<'_>) -> Result<bool, TransportError> {
        let has_events = self.transport.poll_happened(context)?.is_ready();
        if has_events {
            self.take_events()?;
        }
        Ok(self.transport.poll_changed(context)?.is_ready() || has_events)
    }

    /// Reads what has happened if this task was kept from running: a connection may have been lost and be back, of which the transport tells only later. What is
    /// sent now must not count among what was lost.
    fn catch_up(&mut self, now: Instant) -> Result<(), TransportError> {
        if now.duration_since(self.looked) >= self.transport.min_reconnect() / 2 {
            self.take_events()?;
            self.looked = now;
        }
        Ok(())
    }

    fn poll_tick(&mut self, context: &mut Context<'_>, now: Instant) -> Poll<()> {
        let Some(next) = self.connection.handle_timeout(now, &mut self.wakers) else {
            return Poll::Pending;
        };
        let next = tokio::time::Instant::from_std(next);
        if self.tick.deadline() != next {
            self.tick.as_mut().reset(next);
        }
        self.tick.as_mut().poll(context)
    }
}

impl<T: ClientTransport> Future for ClientDriver<T> {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<()> {
        self.poll_driver(context).map(|result| {
            if let Err(error) = result {
                let why = Status::unavailable(format!("the client's socket failed: {error}"));
                self.connection.close_now(Some(why.caused_by(Cause::Closed)));
            }
        })
    }
}

impl<T> Drop for ClientDriver<T> {
    fn drop(&mut self) {
        // The runtime is going down, or the channel was closed: no task may wait for what will not come.
        self.connection.close_now(None);
        self.wakers.drain(..).for_each(Waker::wake);
    }
}
