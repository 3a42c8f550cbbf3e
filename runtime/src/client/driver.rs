//! The task that owns a client's socket.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use tokio::runtime::{Handle, RuntimeFlavor};
use tokio::time::{Instant, Sleep, sleep_until};

use super::connection::{Connection, Link};
use super::counters::{ChannelCounters, ChannelDropped};
use super::limits::Limits;
use super::owner::Rest;
use super::state::Wakers;
use crate::flush::yield_to_driver;
use crate::status::{Cause, Status};
use crate::telemetry::{self, End};
use crate::transport::libzmq::Dealer;
use crate::transport::{
    ClientTransport, LinkConfig, LinkEvent as Event, Sent, TransportError as SocketError,
};
use crate::wire::Batch;

/// Owns the DEALER: sends what calls have left in the outbox, and hands out what comes in.
pub(super) struct Driver {
    dealer: Dealer,
    connection: Arc<Connection>,
    /// What to wake when the lock is free.
    wakers: Wakers,
    /// A message of which some was taken, and where the rest of it begins.
    unfinished: Option<(Batch, usize)>,
    tick: Pin<Box<Sleep>>,
    /// The queue in libzmq was full the last time: what is in the outbox waits for a change.
    blocked: bool,
    /// There was more in the outbox the last time than is sent at a time.
    unsent: bool,
    /// When all was known that had happened to the connection.
    looked: Instant,
    /// The runtime has one thread: those who were woken run before it whatever they do, and what they have to send may as well
    /// wait for the last of them. Of several threads one may be kept, by somebody who has waited for an answer, and others
    /// be idle meanwhile; they can't come for what has given way to that one.
    alone: bool,
}

/// A connection that is lost takes at least 50 ms to be back. So, of two things that lie no further
/// apart than this, the second can't have gone over another connection than the first without anyone knowing.
const LOOK: Duration = Duration::from_millis(25);
/// After how many heartbeats without an answer a connection is dead, in tenths.
const HEARTBEATS_LOST: u32 = 33;
/// Messages to send before it is received again.
const SEND: usize = 64;
/// Messages to take before it is sent again.
const RECEIVE: usize = 64;
/// Bytes to take before those run who wait for them.
const BYTES: usize = 64 * 1024;
/// Rounds before other tasks of the thread get their turn.
const ROUNDS: usize = 16;

/// Why a connection does not come up although somebody listens.
const NO_HANDSHAKE: &str = "what listens there does not complete the ZeroMQ handshake";

/// A connection, and the task that owns its socket. Must be called within a tokio runtime.
pub(super) fn connect(
    endpoint: String,
    limits: &Limits,
    counters: &Arc<ChannelCounters>,
) -> Result<Arc<Connection>, Status> {
    let dealer = dial(&endpoint, limits).map_err(|error| {
        Status::invalid_argument(format!("can't connect to `{endpoint}`: {error}")).not_sent()
    })?;
    let link = if dealer.is_unmonitored() { Link::Unmonitored } else { Link::Monitored };
    let connection = Connection::new(endpoint, limits.clone(), Arc::clone(counters), link);
    tokio::spawn(Driver::new(dealer, Arc::clone(&connection)));
    Ok(connection)
}

fn dial(endpoint: &str, limits: &Limits) -> Result<Dealer, SocketError> {
    let silence = limits.heartbeat.saturating_mul(HEARTBEATS_LOST) / 10;
    Dealer::connect(
        endpoint,
        LinkConfig { max_body: limits.message_size, heartbeat: limits.heartbeat, silence },
    )
}

impl Driver {
    fn new(dealer: Dealer, connection: Arc<Connection>) -> Self {
        Self {
            dealer,
            connection,
            wakers: Wakers::new(),
            unfinished: None,
            tick: Box::pin(sleep_until(Instant::now())),
            blocked: false,
            unsent: false,
            looked: Instant::now(),
            alone: Handle::current().runtime_flavor() == RuntimeFlavor::CurrentThread,
        }
    }

    fn wake(&mut self) {
        for waker in self.wakers.drain(..) {
            waker.wake();
        }
    }

    /// Takes messages, up to a number, or until as many are to be woken as may be at a time.
    fn receive(&mut self) -> Result<Received, SocketError> {
        let most = self.connection.turn();
        let mut bytes = 0;
        for _ in 0..RECEIVE {
            let (batch, at) = if let Some(unfinished) = self.unfinished.take() {
                unfinished
            } else {
                let Some(message) = self.dealer.receive()? else { return Ok(Received::All) };
                telemetry::received(End::Client, message.bytes);
                bytes += message.bytes;
                match message.batch {
                    Ok(batch) => (batch, 0),
                    Err(malformed) => {
                        self.connection.unreadable(&malformed, &mut self.wakers);
                        continue;
                    }
                }
            };
            let next = self.connection.receive_some(&batch, at, &mut self.wakers, most);
            self.unfinished = next.map(|at| (batch, at));
            if self.wakers.len() >= most || bytes >= BYTES && !self.wakers.is_empty() {
                return Ok(Received::Enough);
            }
        }
        Ok(Received::Some)
    }

    /// Sends what is in the outbox, as far as there is room for it, up to a number of messages.
    fn send(&mut self) -> Result<(), SocketError> {
        (self.blocked, self.unsent) = (false, false);
        for _ in 0..SEND {
            let Some(message) = self.connection.take_message(&mut self.wakers) else { return Ok(()) };
            let bytes = message.len();
            match self.dealer.send(message)? {
                Sent::Sent => telemetry::sent(End::Client, bytes),
                // `ZMQ_FD` tells when there is room again.
                Sent::Full(message) => {
                    self.connection.lock().outbox.put_back(message);
                    self.blocked = true;
                    return Ok(());
                }
                // It said that there was room; there is none only if the connection has just gone. Where libzmq would not
                // tell that it is back, it goes on as if it were.
                Sent::Unreachable => {
                    self.connection.counters.drops(ChannelDropped::Unreachable, 1);
                    self.connection.disconnected(&mut self.wakers);
                }
            }
        }
        self.unsent = true;
        Ok(())
    }

    /// Takes all that has happened to the connection.
    fn events(&mut self) -> Result<(), SocketError> {
        while let Some(event) = self.dealer.event()? {
            match event {
                Event::Connected => self.connection.connected(&mut self.wakers),
                Event::Disconnected => {
                    // Answers that came before the end still count.
                    while self.receive()? != Received::All {
                        self.wake();
                    }
                    self.connection.disconnected(&mut self.wakers);
                }
                Event::HandshakeFailed => self.connection.troubled(NO_HANDSHAKE),
            }
        }
        Ok(())
    }

    fn poll_tick(&mut self, context: &mut Context<'_>, now: Instant) -> Poll<()> {
        let Some(next) = self.connection.expire(now, &mut self.wakers) else {
            return Poll::Pending;
        };
        if self.tick.deadline() != next {
            self.tick.as_mut().reset(next);
        }
        self.tick.as_mut().poll(context)
    }

    /// Takes note of a change, which the caller must then look for.
    fn changed(&mut self, context: &mut Context<'_>) -> Result<bool, SocketError> {
        let happened = self.dealer.poll_happened(context)?.is_ready();
        if happened {
            self.events()?;
        }
        Ok(self.dealer.poll_changed(context)?.is_ready() || happened)
    }

    /// Where this task was kept from running, a connection may have been lost and be back, of which the descriptor tells
    /// only later. What is sent now is not to be counted among what was lost.
    fn catch_up(&mut self, now: Instant) -> Result<(), SocketError> {
        if now.duration_since(self.looked) >= LOOK {
            self.events()?;
            self.looked = now;
        }
        Ok(())
    }

    fn poll_driver(&mut self, context: &mut Context<'_>) -> Poll<Result<(), SocketError>> {
        let _entered = self.connection.notify.enter();
        let mut now = Instant::now();
        self.catch_up(now)?;
        // Before the socket is drained, not after: what is seen here need not be looked for twice.
        self.changed(context)?;
        for _ in 0..ROUNDS {
            // What nobody has rung for yet is going to have company. Sending may swallow the signal of what came in, so receiving
            // is last.
            if self.connection.notify.begin_turn() || self.blocked || self.unsent {
                self.send()?;
            }
            let received = self.receive()?;
            self.wake();
            if received == Received::Enough {
                // What those who were woken have to send goes out before more are.
                break;
            }
            match self.connection.rest() {
                Rest::Done => return Poll::Ready(Ok(())),
                Rest::Renewal => {
                    self.dealer = dial(self.connection.endpoint(), &self.connection.limits)?;
                    continue;
                }
                Rest::Nothing if received == Received::All && !self.unsent => {}
                Rest::Nothing => continue,
            }
            // Receiving may have swallowed the signal of room to send.
            if self.blocked && self.dealer.has_changed()? {
                continue;
            }
            if self.changed(context)? {
                continue;
            }
            let ticked = self.poll_tick(context, now).is_ready();
            self.wake();
            if ticked {
                now = Instant::now();
            } else if self.connection.notify.sleep(context.waker()) {
                return Poll::Pending;
            }
        }
        // Or a stream at full speed would keep the calls beside it from ever running out of time.
        let _ = self.poll_tick(context, Instant::now());
        self.wake();
        if self.alone {
            yield_to_driver(context);
        } else {
            context.waker().wake_by_ref();
        }
        Poll::Pending
    }
}

/// What [`Driver::receive`] came to.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Received {
    /// There is nothing more.
    All,
    /// There may be more.
    Some,
    /// There may be more, but first those are to run who are to be woken.
    Enough,
}

impl Future for Driver {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<()> {
        self.poll_driver(context).map(|result| {
            if let Err(error) = result {
                let why = Status::unavailable(format!("the client's socket failed: {error}"));
                let why = why.caused_by(Cause::Closed);
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
