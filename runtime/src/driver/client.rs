//! [`ClientDriver`]: the task that owns a client's transport. What records mean is in [`crate::session::client`], when calls end
//! is in [`crate::connection`].

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker, ready};
use std::time::{Duration, Instant};

use tokio::time::{Sleep, sleep_until};

use crate::allocator;
use crate::clock;
use crate::connection::{Connection, DriverAction};
use crate::flush::{BYTES_PER_TURN, YieldTurn, wakes_per_turn};
use crate::fork::Owned;
use crate::status::{Cause, Status};
use crate::telemetry::{self, End};
use crate::transport::{ClientTransport, LinkEvent, Sent, TransportError};
use crate::wire::Batch;

/// Owns a client's transport: sends what calls have put into the outbox, and passes on what is received.
pub(crate) struct ClientDriver<T> {
    transport: Owned<T>,
    connection: Arc<Connection>,
    /// Tasks to wake once no lock is held.
    wakers: Vec<Waker>,
    /// Message that was read in part, and the position of the rest.
    unfinished: Option<(Batch, usize)>,
    tick: Pin<Box<Sleep>>,
    /// Whether the transport had no room the last time, so that the outbox waits for a change.
    is_blocked: bool,
    /// Whether the outbox had more messages the last time than are sent at a time.
    has_unsent: bool,
    /// When the events of the connection were last read.
    checked_at: Instant,
    yielding: YieldTurn,
    /// Parts of long messages that the transport had carried at the last look.
    parts: u64,
    /// Until when the end waits for what was sent to leave, once it waits.
    linger_until: Option<tokio::time::Instant>,
}

/// Maximum number of messages to send before the transport is read again.
const MAX_SENDS: usize = 64;
/// Maximum number of messages to receive before the transport is written again.
const MAX_RECEIVES: usize = 64;
/// Maximum number of rounds before other tasks of the thread run.
const MAX_ROUNDS: usize = 16;

/// Maximum time that what was sent may take to leave after the end of a connection.
const LINGER: Duration = Duration::from_secs(1);

/// The result of [`ClientDriver::receive`].
#[derive(Clone, Copy, PartialEq, Eq)]
enum Received {
    /// All messages were received.
    All,
    /// There may be more messages.
    Some,
    /// There may be more messages, but the woken tasks must run first.
    Enough,
}

impl<T: ClientTransport> ClientDriver<T> {
    /// Creates the driver. Must be called within a tokio runtime.
    pub(crate) fn new(transport: T, connection: Arc<Connection>) -> Self {
        Self {
            transport: Owned::new(transport),
            connection,
            wakers: Vec::new(),
            unfinished: None,
            tick: Box::pin(sleep_until(tokio::time::Instant::now())),
            is_blocked: false,
            has_unsent: false,
            checked_at: clock::now(),
            yielding: YieldTurn::new(),
            parts: 0,
            linger_until: None,
        }
    }

    fn poll_driver(&mut self, context: &mut Context<'_>) -> Poll<Result<(), TransportError>> {
        let connection = Arc::clone(&self.connection);
        let _entered = connection.notify().enter();
        let mut now = clock::now();
        self.catch_up(now)?;
        // Before the transport is drained, so that changes seen here need no second look.
        self.poll_changes(context)?;
        for _ in 0..MAX_ROUNDS {
            // Records of which the driver was not notified yet wait for more to join them. Sending may consume the signal of a
            // received message, so receiving comes last.
            if connection.notify().begin_turn() || self.is_blocked || self.has_unsent {
                self.send()?;
            }
            let received = self.receive(now)?;
            self.wake();
            if received == Received::Enough {
                // What the woken tasks send goes out before more are woken.
                break;
            }
            match connection.next_action() {
                DriverAction::End => {
                    ready!(self.poll_end(context));
                    if connection.end(&mut self.wakers) {
                        return Poll::Ready(Ok(()));
                    }
                    self.linger_until = None;
                    continue;
                }
                DriverAction::Renew => {
                    self.connection.set_caller_sender(None);
                    self.transport.renew()?;
                    continue;
                }
                DriverAction::Wait if received == Received::All && !self.has_unsent => {}
                DriverAction::Wait => continue,
            }
            // Receiving may have consumed the signal of room to send.
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

    /// Waits until what was sent has left, for a bounded time.
    fn poll_end(&mut self, context: &mut Context<'_>) -> Poll<()> {
        if self.transport.poll_flushed(context).is_ready() {
            return Poll::Ready(());
        }
        let until = *self.linger_until.get_or_insert_with(|| tokio::time::Instant::now() + LINGER);
        if self.tick.deadline() != until {
            self.tick.as_mut().reset(until);
        }
        self.tick.as_mut().poll(context)
    }

    /// Lets other tasks run. Checks the clock first: otherwise, a stream at full speed would keep other calls from ever reaching
    /// their deadlines.
    fn yield_turn(&mut self, context: &mut Context<'_>) {
        let _ = self.poll_tick(context, clock::now());
        self.wake();
        self.yielding.yield_turn(context);
    }

    fn wake(&mut self) {
        self.wakers.drain(..).for_each(Waker::wake);
    }

    /// Receives messages, up to [`MAX_RECEIVES`], or until the maximum number of tasks is about to be woken.
    fn receive(&mut self, now: Instant) -> Result<Received, TransportError> {
        let max_wakes = wakes_per_turn(self.connection.open_calls());
        let mut bytes = 0;
        for _ in 0..MAX_RECEIVES {
            let (batch, at) = if let Some(unfinished) = self.unfinished.take() {
                unfinished
            } else {
                let Some(message) = self.transport.receive()? else { return Ok(Received::All) };
                telemetry::received(End::Client, message.bytes);
                allocator::note_message(message.bytes);
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
            if self.wakers.len() >= max_wakes || bytes >= BYTES_PER_TURN && !self.wakers.is_empty() {
                return Ok(Received::Enough);
            }
        }
        Ok(Received::Some)
    }

    /// Sends what is in the outbox, up to [`MAX_SENDS`] messages, as long as the transport has room.
    fn send(&mut self) -> Result<(), TransportError> {
        (self.is_blocked, self.has_unsent) = (false, false);
        for _ in 0..MAX_SENDS {
            let Some(message) = self.connection.poll_transmit(&mut self.wakers) else { return Ok(()) };
            let bytes = message.len();
            allocator::note_message(bytes);
            match self.transport.send(message)? {
                Sent::Yes => telemetry::sent(End::Client, bytes),
                // The transport signals when there is room again.
                Sent::Full(message) => {
                    self.connection.return_transmit(message);
                    self.is_blocked = true;
                    return Ok(());
                }
                // The transport had room before, so the connection was just lost. Since the transport may not report that it is
                // back, the session goes on as if it were.
                Sent::Unreachable => self.connection.handle_lost_message(&mut self.wakers),
            }
        }
        self.has_unsent = true;
        Ok(())
    }

    /// Reads all events of the connection.
    fn take_events(&mut self) -> Result<(), TransportError> {
        while let Some(event) = self.transport.event()? {
            match event {
                LinkEvent::Connected => {
                    self.connection.set_caller_sender(self.transport.caller_sender());
                    self.connection.handle_connected(&mut self.wakers);
                }
                LinkEvent::Disconnected => {
                    // Answers that were received before the loss still count.
                    while self.receive(clock::now())? != Received::All {
                        self.wake();
                    }
                    self.connection.set_caller_sender(None);
                    self.connection.handle_disconnected(&mut self.wakers);
                }
                LinkEvent::Underway(what) => self.connection.handle_underway(what),
                LinkEvent::Unreachable(why) => self.connection.handle_unreachable(why, &mut self.wakers),
            }
        }
        Ok(())
    }

    /// Reads the events of the connection, and reports whether anything may have changed.
    fn poll_changes(&mut self, context: &mut Context<'_>) -> Result<bool, TransportError> {
        let has_events = self.transport.poll_happened(context)?.is_ready();
        if has_events {
            self.take_events()?;
        }
        Ok(self.transport.poll_changed(context)?.is_ready() || has_events)
    }

    /// Reads the events of the connection if this task was kept from running: a connection may have been lost and be back, which
    /// the transport reports only later. What is sent now must not be counted as lost.
    fn catch_up(&mut self, now: Instant) -> Result<(), TransportError> {
        if now.duration_since(self.checked_at) >= self.transport.min_reconnect() / 2 {
            self.take_events()?;
            self.checked_at = now;
        }
        Ok(())
    }

    fn poll_tick(&mut self, context: &mut Context<'_>, now: Instant) -> Poll<()> {
        let parts = self.transport.parts();
        if std::mem::replace(&mut self.parts, parts) != parts {
            self.connection.handle_part();
        }
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
        if !self.transport.is_own() {
            // A child of the process that has the connection.
            return Poll::Ready(());
        }
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
        // The runtime shuts down, or the channel was closed: no task may go on waiting.
        self.connection.set_caller_sender(None);
        self.connection.close_with_runtime();
        self.wakers.drain(..).for_each(Waker::wake);
    }
}
