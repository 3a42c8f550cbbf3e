//! The task that owns a server's socket.

use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::task::{Context, Poll};
use std::time::Duration;

use tokio::time::{Instant, Sleep, sleep_until};

use super::core::Core;
use super::counters::Dropped;
use super::peer::{Next, Peer};
use crate::telemetry::{self, End};
use crate::transport::libzmq::Router;
use crate::transport::{Arrival, Routed, ServerTransport, TransportError as SocketError};
use crate::wire;

/// Owns the ROUTER: takes what comes in, sends what handlers have left with their peers, and sees to time.
pub(super) struct Driver {
    router: Router,
    core: Core,
    phase: Phase,
    /// How long calls in flight may go on once the server drains.
    grace: Duration,
    pace: Pace,
    /// Peers with something to send, taken off the shared list.
    listed: Vec<Arc<Peer>>,
    /// Peers whose queue in libzmq was full, and since when.
    blocked: Vec<(Arc<Peer>, Instant)>,
    /// They are not tried again before that.
    retry_at: Instant,
    /// There was reason to try them before.
    retry_due: bool,
    tick: Pin<Box<Sleep>>,
    /// When clients are looked at again.
    check_at: Instant,
}

/// Where a server is on its way out.
#[derive(Clone, Copy)]
enum Phase {
    Serving,
    /// No new calls; those in flight may go on until then, or until they end where that is too far for the clock.
    Draining(Option<Instant>),
    /// Everything is answered; until then, clients may prove that they have read it.
    Flushing(Instant),
}

/// How messages come in.
#[derive(Debug, Default)]
struct Pace {
    /// How many have come since there was none.
    messages: usize,
    /// There was one alone the last time.
    one_at_a_time: bool,
}

impl Pace {
    fn came(&mut self) {
        self.messages += 1;
        self.one_at_a_time &= self.messages == 1;
    }

    /// To find none where none was expected tells nothing.
    fn none_left(&mut self) {
        if self.messages > 0 {
            self.one_at_a_time = self.messages == 1;
            self.messages = 0;
        }
    }
}

/// Records to take before peers are emptied again: enough to coalesce their answers, not so many that a client that waits for
/// them has nothing to do.
const RECORDS: usize = 16;
/// And bytes, for the same reason.
const BYTES: usize = 64 * 1024;
/// Messages to take before peers are emptied again.
const RECEIVE: usize = 64;
/// Messages to send to one peer before others get their turn.
const SEND: usize = 64;
/// Rounds before other tasks of the thread get their turn.
const ROUNDS: usize = 16;
/// How often a full queue is tried again: libzmq does not always tell when it has room.
const RETRY: Duration = Duration::from_millis(10);
/// How long to leave full queues alone after they were tried, for each of them: some ten times of what trying one takes.
const RETRY_ONE: Duration = Duration::from_micros(2);
/// How long clients may take to prove that they have read everything before the server is gone.
const FLUSH: Duration = Duration::from_secs(1);

impl Driver {
    pub(super) fn new(router: Router, core: Core, grace: Duration) -> Self {
        Self {
            router,
            core,
            phase: Phase::Serving,
            grace,
            pace: Pace::default(),
            listed: Vec::new(),
            blocked: Vec::new(),
            retry_at: Instant::now(),
            retry_due: false,
            tick: Box::pin(sleep_until(Instant::now())),
            check_at: Instant::now(),
        }
    }

    /// Takes messages, until there are some records to answer or up to a number; whether there may be more.
    fn receive(&mut self) -> Result<bool, SocketError> {
        if self.core.go_on() {
            return Ok(true);
        }
        let (mut records, mut bytes) = (0, 0);
        for _ in 0..RECEIVE {
            // Where messages come one at a time, to ask libzmq for another would only hold the answers up.
            let answered = records > 0 && self.pace.one_at_a_time && self.core.shared.is_rung_and_idle();
            if records >= RECORDS || bytes >= BYTES || answered {
                break;
            }
            match self.router.receive()? {
                None => {
                    self.pace.none_left();
                    return Ok(false);
                }
                Some(Arrival::Message { route, message }) => {
                    self.pace.came();
                    telemetry::received(End::Server, message.bytes);
                    bytes += message.bytes;
                    records += match &message.batch {
                        Ok(batch) => self.core.receive(route, batch),
                        Err(malformed) => self.core.refuse(route, malformed),
                    };
                }
                Some(Arrival::PeerLost { route }) => {
                    let route = route.to_vec();
                    self.core.clients.lose_by(&route);
                }
                Some(Arrival::RouteTooLong) => {
                    self.core.shared.counters.drop_records(Dropped::RouteTooLong, 1);
                }
            }
        }
        Ok(true)
    }

    /// Sends what peers have to send; whether there was anything.
    fn send(&mut self) -> Result<bool, SocketError> {
        let mut listed = std::mem::take(&mut self.listed);
        self.core.shared.take_listed(&mut listed);
        let any = !listed.is_empty();
        for peer in listed.drain(..) {
            if self.empty(&peer)?.full {
                self.blocked.push((peer, Instant::now()));
            }
        }
        self.listed = listed;
        Ok(any)
    }

    /// Sends what there is for a peer. One for which there is still more then goes to the end of the list.
    fn empty(&mut self, peer: &Arc<Peer>) -> Result<Emptied, SocketError> {
        for turn in 0..SEND {
            let sent = turn > 0;
            let (message, receipt) = match peer.next_message() {
                Next::Message(message, receipt) => (message, receipt),
                Next::Nothing => return Ok(Emptied { sent, full: false }),
                Next::Full => return Ok(Emptied { sent, full: true }),
            };
            let bytes = message.len();
            match self.router.send(peer.id().route(), message, receipt)? {
                Routed::Sent => telemetry::sent(End::Server, bytes),
                Routed::Full(message) => {
                    peer.put_back(message);
                    return Ok(Emptied { sent, full: true });
                }
                Routed::Unreachable(message) => {
                    let owed = message.map_or(0, |message| wire::count_responses(message.batch()));
                    self.core.shared.counters.drop_records(Dropped::Unreachable, owed);
                    self.core.clients.lose(peer);
                }
            }
        }
        // It may be empty by now, and is then taken off the list.
        self.core.shared.list(Arc::clone(peer));
        Ok(Emptied { sent: true, full: false })
    }

    /// Tries again those whose queues were full, unless that was done just now: there may be very many who do not read, and
    /// those who do should not notice.
    fn retry_in_time(&mut self, now: Instant) -> Result<bool, SocketError> {
        self.retry_due = now < self.retry_at && !self.blocked.is_empty();
        if self.retry_due {
            return Ok(false);
        }
        let number = u32::try_from(self.blocked.len()).unwrap_or(u32::MAX);
        self.retry_at = now + RETRY_ONE.saturating_mul(number).min(RETRY);
        self.retry(now)
    }

    /// Tries again those whose queues were full, and gives up those that have not read for too long. Whether it sent
    /// anything.
    fn retry(&mut self, now: Instant) -> Result<bool, SocketError> {
        let mut any = false;
        for (peer, since) in std::mem::take(&mut self.blocked) {
            let Emptied { sent, full } = self.empty(&peer)?;
            any |= sent;
            if !full {
                continue;
            }
            // One that reads all the time, and too slowly, is told so by its bounds and not by the clock.
            let since = if sent { now } else { since };
            if now.duration_since(since) < self.core.shared.limits.peer_timeout {
                self.blocked.push((peer, since));
            } else if self.core.clients.forsake(&peer) {
                self.blocked.push((peer, now));
            }
        }
        Ok(any)
    }

    /// What is to be done by the clock, and by the way of things. Called when nothing else is left to do, or after many
    /// rounds in which there always was.
    fn advance(&mut self, now: Instant) -> Result<Progress, SocketError> {
        let sent = self.retry_in_time(now)?;
        if self.core.shared.is_too_much_waiting() {
            self.core.clients.relieve();
        }
        if now >= self.check_at {
            self.core.clients.check(now);
            self.check_at = now + self.core.clients.check_every();
        }
        let idle = self.core.shared.calls.load(Ordering::Acquire) == 0;
        match self.phase {
            Phase::Serving if self.core.shared.is_draining() => {
                self.core.clients.say_going_away();
                self.phase = Phase::Draining(now.checked_add(self.grace));
            }
            Phase::Draining(until) if idle || until.is_some_and(|until| now >= until) => {
                self.core.fail_all();
                self.core.clients.ask_all();
                self.phase = Phase::Flushing(now + FLUSH);
            }
            Phase::Flushing(until) if idle && self.core.clients.all_answered() || now >= until => {
                return Ok(Progress::Done);
            }
            // Whoever has sent receives once more.
            _ if sent => {}
            _ => return Ok(Progress::None),
        }
        Ok(Progress::Some)
    }

    /// When to look at the clock again, if at all.
    fn next_tick(&self, now: Instant) -> Option<Instant> {
        let phase = match self.phase {
            Phase::Serving => None,
            Phase::Draining(until) => until,
            Phase::Flushing(until) => Some(until),
        };
        let busy = self.core.shared.calls.load(Ordering::Acquire) > 0;
        let check = busy.then_some(self.check_at);
        let retry =
            (!self.blocked.is_empty()).then(|| if self.retry_due { self.retry_at } else { now + RETRY });
        [phase, check, retry].into_iter().flatten().min()
    }

    fn poll_tick(&mut self, context: &mut Context<'_>, now: Instant) -> Poll<()> {
        let Some(next) = self.next_tick(now) else { return Poll::Pending };
        if self.tick.is_elapsed() || next < self.tick.deadline() {
            self.tick.as_mut().reset(next);
        }
        self.tick.as_mut().poll(context)
    }

    fn poll_driver(&mut self, context: &mut Context<'_>) -> Poll<Result<(), SocketError>> {
        let _entered = self.core.shared.notify.enter();
        // Before the socket is drained, not after: what is seen here need not be looked for twice.
        let _ = self.router.poll_changed(context)?;
        for _ in 0..ROUNDS {
            let mut rung = self.core.shared.notify.begin_turn();
            let more = self.receive()? | self.core.run_queued();
            rung |= self.core.shared.notify.begin_turn();
            // What nobody has rung for yet is going to have company. Sending may swallow the signal of what came in, so whoever
            // has sent receives once more.
            if rung && self.send()? || more {
                continue;
            }
            let now = Instant::now();
            match self.advance(now)? {
                Progress::Done => return Poll::Ready(Ok(())),
                Progress::Some => continue,
                Progress::None => {}
            }
            let changed = self.router.poll_changed(context)?.is_ready();
            if changed || self.poll_tick(context, now).is_ready() {
                continue;
            }
            if self.core.shared.notify.sleep(context.waker()) {
                return Poll::Pending;
            }
        }
        // Or whoever keeps the server busy would keep it from ever looking at the clock.
        if let Progress::Done = self.advance(Instant::now())? {
            return Poll::Ready(Ok(()));
        }
        context.waker().wake_by_ref();
        Poll::Pending
    }
}

/// What [`Driver::empty`] came to.
struct Emptied {
    /// Something was sent.
    sent: bool,
    /// The peer's queue in libzmq is full, and the rest waits with the peer.
    full: bool,
}

/// What [`Driver::advance`] came to.
enum Progress {
    None,
    /// There may be something to send, or to receive.
    Some,
    /// The server is out.
    Done,
}

impl Future for Driver {
    type Output = Result<(), SocketError>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        self.poll_driver(context)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages_come_one_at_a_time_where_one_came_alone() {
        let mut pace = Pace::default();
        let mut run = |messages: usize| {
            (0..messages).for_each(|_| pace.came());
            pace.none_left();
            pace.one_at_a_time
        };
        assert_eq!([run(0), run(1), run(0), run(5), run(0), run(1)], [false, true, true, false, false, true]);
        pace.came();
        assert!(pace.one_at_a_time);
        pace.came();
        assert!(!pace.one_at_a_time, "a second one, before there was none");
    }
}
