//! [`ServerDriver`]: the task that owns a server's transport, or, where each connection has one of its own, the transport of one. What messages mean is in [`super::core`].

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use tokio::time::{Instant, Sleep, sleep_until};

use super::connection::note_refusal;
use super::core::Core;
use crate::allocator;
use crate::dispatch::Peer;
use crate::flush::{Pace, Turn};
use crate::fork::Owned;
use crate::peer::{Dropped, Next};
use crate::session::server::{Drain, DrainStep};
use crate::status::{Cause, Status};
use crate::telemetry::{self, End};
use crate::transport::{Arrival, Proof, Routed, ServerTransport, TransportError};
use crate::wire;

/// Owns a server's transport: receives messages, sends what handlers have put into their peers' outboxes, and does what is due by
/// the clock.
pub(crate) struct ServerDriver<T> {
    transport: Owned<T>,
    core: Core,
    drain: Drain,
    pace: Pace,
    /// Peers with something to send, taken from the list to which handlers add them.
    ready: Vec<Arc<Peer>>,
    /// Peers whose queue in the transport is full, and since when.
    blocked: Vec<(Arc<Peer>, Instant)>,
    /// When blocked peers are tried again.
    retry_at: Instant,
    /// Whether there was a reason to try them before that time.
    is_retry_due: bool,
    /// Made when it is first needed: most connections are idle.
    tick: Option<Pin<Box<Sleep>>>,
    /// When clients are checked for signs of life next.
    check_at: Instant,
    /// Parts of long messages that the transport had carried at the last look, and when there was another one.
    parts: (u64, Instant),
    /// Whether the transport's only connection is closed.
    is_closed: bool,
}

/// Maximum number of messages to receive before peers' messages are sent again.
const MESSAGES_PER_TURN: usize = 64;
/// Maximum number of messages to send to one peer before others.
const SENDS_PER_PEER: usize = 64;
/// Maximum number of rounds before other tasks of the thread run.
const ROUNDS_PER_POLL: usize = 16;
/// Pause after full queues were tried, per queue: about ten times what trying one takes.
const RETRY_PAUSE_PER_PEER: Duration = Duration::from_micros(2);
/// Maximum of that pause.
const MAX_RETRY_PAUSE: Duration = Duration::from_millis(10);
/// Time that clients have to answer the last ping, which proves that they have read everything, before the server ends.
pub(super) const FLUSH_TIME: Duration = Duration::from_secs(1);

impl<T: ServerTransport> ServerDriver<T> {
    pub(crate) fn new(transport: T, core: Core) -> Self {
        Self::owning(Owned::new(transport), core)
    }

    /// Creates the driver of a transport that was begun before.
    pub(super) fn owning(transport: Owned<T>, core: Core) -> Self {
        Self {
            transport,
            core,
            drain: Drain::new(FLUSH_TIME),
            pace: Pace::default(),
            ready: Vec::new(),
            blocked: Vec::new(),
            retry_at: Instant::now(),
            is_retry_due: false,
            tick: None,
            check_at: Instant::now(),
            parts: (0, Instant::now()),
            is_closed: false,
        }
    }

    /// Receives messages, up to [`MESSAGES_PER_TURN`] or until there are records to answer. Returns whether there may be more.
    fn receive(&mut self) -> Result<bool, TransportError> {
        if self.core.is_unfinished() {
            // What the rest of a long message asks for is not begun for a client that is not let in any more.
            if let Some(proof) = self.transport.take_proof() {
                self.take(proof)?;
            }
            self.core.read_on();
            return Ok(!self.is_closed);
        }
        if self.core.peers.disconnect(&disconnected()) {
            self.close()?;
            return Ok(false);
        }
        let mut turn = Turn::default();
        for _ in 0..MESSAGES_PER_TURN {
            if turn.is_over(&self.pace, || self.core.is_notified_and_idle()) {
                break;
            }
            match self.transport.receive()? {
                None => {
                    self.pace.end_messages();
                    return Ok(false);
                }
                Some(Arrival::Message { route, message }) => {
                    self.pace.count_message();
                    telemetry::received(End::Server, message.bytes);
                    allocator::note_message(message.bytes);
                    let records = match message.batch {
                        Ok(batch) => self.core.receive(route, message.identity, batch),
                        Err(malformed) => self.core.refuse(route, message.identity, &malformed),
                    };
                    turn.add(records, message.bytes);
                }
                Some(Arrival::Refused(refusal)) => note_refusal(&self.core.shared, &refusal),
                Some(Arrival::Proved(proof)) => {
                    self.take(proof)?;
                    if self.is_closed {
                        return Ok(false);
                    }
                }
                Some(Arrival::PeerLost { route }) => self.core.peers.lose_by(route),
                Some(Arrival::Closed) => {
                    self.core.peers.lose_all();
                    self.is_closed = true;
                    return Ok(false);
                }
                Some(Arrival::RouteTooLong) => {
                    self.core.shared.counters.drop_records(Dropped::RouteTooLong, 1);
                }
            }
        }
        Ok(true)
    }

    #[cold]
    fn take(&mut self, proof: Proof) -> Result<(), TransportError> {
        match proof {
            Proof::Is(identity) => {
                telemetry::let_in(&identity, self.transport.peer_address());
                self.core.peers.set_identity(Some(identity));
                Ok(())
            }
            Proof::Revoked(why) => self.revoke(&why),
        }
    }

    /// Ends the connection of a client that is not let in any more. Its calls end with this, as far as there is room to say so.
    fn revoke(&mut self, why: &Status) -> Result<(), TransportError> {
        self.core.shared.counters.count_revoked_connection();
        telemetry::revoked(self.core.peers.identity(), why.message(), self.transport.peer_address());
        self.core.revoke(why);
        self.close()
    }

    /// Ends the connection, once what its clients are still told has left, as far as there is room.
    fn close(&mut self) -> Result<(), TransportError> {
        self.send()?;
        self.core.peers.lose_all();
        self.is_closed = true;
        Ok(())
    }

    /// Sends what peers have to send. Returns whether there was anything.
    fn send(&mut self) -> Result<bool, TransportError> {
        let mut ready = std::mem::take(&mut self.ready);
        self.core.peers.ready().take(&mut ready);
        let any = !ready.is_empty();
        for peer in ready.drain(..) {
            if self.send_to_peer(&peer)?.is_full {
                self.blocked.push((peer, Instant::now()));
            }
        }
        self.ready = ready;
        Ok(any)
    }

    /// Sends a peer's messages, up to [`SENDS_PER_PEER`]. A peer with more goes to the end of the list.
    fn send_to_peer(&mut self, peer: &Arc<Peer>) -> Result<SendResult, TransportError> {
        for turn in 0..SENDS_PER_PEER {
            let has_sent = turn > 0;
            let (message, receipt) = match peer.next_message() {
                Next::Message(message, receipt) => (message, receipt),
                Next::Nothing => return Ok(SendResult { has_sent, is_full: false }),
                Next::Full => return Ok(SendResult { has_sent, is_full: true }),
            };
            let bytes = message.len();
            allocator::note_message(bytes);
            match self.transport.send(peer.id().route(), message, receipt)? {
                Routed::Yes => telemetry::sent(End::Server, bytes),
                Routed::Full(message) => {
                    peer.put_back(message);
                    return Ok(SendResult { has_sent, is_full: true });
                }
                Routed::Unreachable(message) => {
                    let lost = message.map_or(0, |message| wire::count_responses(message.batch()));
                    self.core.shared.counters.drop_records(Dropped::Unreachable, lost);
                    self.core.peers.lose(peer);
                }
            }
        }
        // If the peer has nothing more to send, the next turn takes it off the list.
        peer.list();
        Ok(SendResult { has_sent: true, is_full: false })
    }

    /// Tries blocked peers again, unless that was done just now: many peers that do not read must not slow down those that do.
    fn retry_in_time(&mut self, now: Instant) -> Result<bool, TransportError> {
        self.is_retry_due = now < self.retry_at && !self.blocked.is_empty();
        if self.is_retry_due {
            return Ok(false);
        }
        let number = u32::try_from(self.blocked.len()).unwrap_or(u32::MAX);
        self.retry_at = now + RETRY_PAUSE_PER_PEER.saturating_mul(number).min(MAX_RETRY_PAUSE);
        self.retry(now)
    }

    /// Tries blocked peers again, and sheds those that have not read for too long. Returns whether it sent anything.
    fn retry(&mut self, now: Instant) -> Result<bool, TransportError> {
        let mut any = false;
        for (peer, since) in std::mem::take(&mut self.blocked) {
            let SendResult { has_sent, is_full } = self.send_to_peer(&peer)?;
            any |= has_sent;
            if !is_full {
                continue;
            }
            // A peer that reads, but too slowly, is stopped by its bounds and not by the clock.
            let since = if has_sent { now } else { since.max(self.parts.1) };
            if now.duration_since(since) < self.core.shared.config.session.peer_timeout {
                self.blocked.push((peer, since));
            } else if self.core.peers.shed(&peer) {
                self.blocked.push((peer, now));
            }
        }
        Ok(any)
    }

    /// Does what is due by the clock, and the next step of draining. Called when nothing else is left to do, and after the
    /// maximum number of rounds.
    fn advance(&mut self, now: Instant) -> Result<Progress, TransportError> {
        let parts = self.transport.parts();
        if parts != self.parts.0 {
            self.parts = (parts, now);
            self.core.peers.handle_part();
        }
        let has_sent = self.retry_in_time(now)?;
        allocator::note_waiting(self.core.shared.sessions.waiting());
        self.core.peers.shed_load();
        if now >= self.check_at {
            self.core.peers.check(now);
            self.check_at = now + self.core.peers.check_interval();
        }
        // Sending may have consumed the signal of a received message, so the loop receives once more.
        let otherwise = if has_sent { Progress::Some } else { Progress::None };
        Ok(self.advance_drain(now).unwrap_or(otherwise))
    }

    /// Takes the next step of draining, if the server drains.
    fn advance_drain(&mut self, now: Instant) -> Option<Progress> {
        let (sessions, now) = (&self.core.shared.sessions, now.into_std());
        if let Some((began, grace)) = self.core.shared.drain_began()
            && self.drain.begin(began, grace)
        {
            self.core.peers.go_away();
            return Some(Progress::Some);
        }
        let is_idle = sessions.calls() == 0;
        match self.drain.handle_timeout(now, is_idle, || self.core.peers.are_flushed()) {
            DrainStep::Wait => None,
            DrainStep::Flush => {
                self.core.end_calls();
                self.core.peers.flush();
                Some(Progress::Some)
            }
            DrainStep::Done => Some(Progress::Done),
        }
    }

    /// Returns when [`ServerDriver::advance`] is due next, if at all.
    fn next_tick(&self, now: Instant) -> Option<Instant> {
        let drain = self.drain.poll_timeout().map(Instant::from_std);
        let check = self.core.peers.have_calls().then_some(self.check_at);
        let retry = (!self.blocked.is_empty())
            .then(|| if self.is_retry_due { self.retry_at } else { now + self.transport.retry_interval() });
        [drain, check, retry].into_iter().flatten().min()
    }

    fn poll_tick(&mut self, context: &mut Context<'_>, now: Instant) -> Poll<()> {
        let Some(next) = self.next_tick(now) else { return Poll::Pending };
        let tick = self.tick.get_or_insert_with(|| Box::pin(sleep_until(next)));
        if tick.is_elapsed() || next < tick.deadline() {
            tick.as_mut().reset(next);
        }
        tick.as_mut().poll(context)
    }

    fn poll_driver(&mut self, context: &mut Context<'_>) -> Poll<Result<(), TransportError>> {
        let _entered = self.core.notify().enter();
        // Before the transport is drained, so that changes seen here need no second look.
        let _ = self.transport.poll_changed(context)?;
        for _ in 0..ROUNDS_PER_POLL {
            let mut is_notified = self.core.notify().begin_turn();
            let may_have_more = self.receive()? | self.core.run_queued();
            if self.is_closed {
                return Poll::Ready(Ok(()));
            }
            is_notified |= self.core.notify().begin_turn();
            // Records of which the driver was not notified yet wait for more to join them. Sending may consume the signal of a
            // received message, so the loop receives once more after it.
            if is_notified && self.send()? || may_have_more {
                continue;
            }
            let now = Instant::now();
            match self.advance(now)? {
                Progress::Done => return Poll::Ready(Ok(())),
                Progress::Some => continue,
                Progress::None => {}
            }
            let has_changed = self.transport.poll_changed(context)?.is_ready();
            if has_changed || self.poll_tick(context, now).is_ready() {
                continue;
            }
            if self.core.notify().sleep(context.waker()) {
                return Poll::Pending;
            }
        }
        // Otherwise, a client that keeps the server busy would keep it from ever checking the clock.
        if let Progress::Done = self.advance(Instant::now())? {
            return Poll::Ready(Ok(()));
        }
        context.waker().wake_by_ref();
        Poll::Pending
    }
}

/// The result of [`ServerDriver::send_to_peer`].
struct SendResult {
    /// Whether something was sent.
    has_sent: bool,
    /// Whether the peer's queue in the transport is full, and the rest waits with the peer.
    is_full: bool,
}

/// The result of [`ServerDriver::advance`].
enum Progress {
    None,
    /// There may be something to send, or to receive.
    Some,
    /// The server has ended.
    Done,
}

impl<T: ServerTransport> Future for ServerDriver<T> {
    type Output = Result<(), TransportError>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        if !self.transport.is_own() {
            return Poll::Ready(Err(TransportError::Forked));
        }
        self.poll_driver(context)
    }
}

/// Returns what the calls of a client end with that the server's program has disconnected.
#[cold]
fn disconnected() -> Status {
    Status::unavailable("the server has disconnected this client")
        .caused_by(Cause::Forbidden)
        .maybe_executed()
}
