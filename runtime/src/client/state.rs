//! What a connection knows, behind its lock: its phase, the calls in flight, those that wait for room, and the outbox.

use std::collections::HashSet;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use tokio::time::Instant;

use super::calls::Calls;
use super::deadline::Deadline;
use super::discard::discard;
use super::eject::Health;
use super::in_flight::{ClientCall, Due, PING, Streams};
use super::line::Line;
use super::one_way::OneWay;
use super::watch::{Step, Watch};

use crate::codec::Body;
const OVERDUE: Duration = Duration::from_millis(1);
use crate::flow::PendingStreams as Gathering;
use crate::status::{Failure, Status};
use crate::telemetry::Up;
use crate::wire::{self, Message, Outbox};

/// What a connection knows.
///
/// In this order: what every call touches lies together, at the lock. Callers on several threads take turns at it, and each
/// has to fetch every line of the cache that the one before has written to.
#[derive(Debug)]
#[repr(C)]
pub(super) struct State {
    pub(super) phase: Phase,
    /// When what waits in the outbox has waited for too long, or has again since a caller gave way to the owner for it.
    overdue_at: Instant,
    /// How many calls have not ended.
    open: usize,
    /// Calls that were begun so far.
    begun: u64,
    /// No deadline of anyone in here is before that; the owner looks again then.
    pub(super) look_at: Option<Instant>,
    /// Calls in flight, and those whose reply has come and was not looked at yet.
    pub(super) calls: Calls,
    pub(super) outbox: Outbox,
    pub(super) line: Line,
    pub(super) one_way: OneWay,
    /// Looks after a server of which libzmq does not tell enough.
    pub(super) watch: Option<Watch>,
    /// Whether it is worth calling.
    pub(super) health: Health,
    /// The streams in which items gather.
    pub(super) gathering: Gathering,
    /// The largest answer that is taken.
    max_body: usize,
    /// Something was ever taken out of the outbox.
    sent: bool,
    /// Whoever watches the channel is to be told that this connection is another than before.
    pub(super) changed: bool,
    /// It was up at least once.
    pub(super) was_up: bool,
    /// While it is up, where libzmq tells.
    pub(super) up: Option<Up>,
    /// The socket leads nowhere any more, and is to be made anew.
    pub(super) stale: Stale,
    /// The last thing that kept the connection from coming up.
    pub(super) trouble: Option<String>,
}

/// Whether a socket is to be made anew. libzmq does that by itself, but not for `inproc`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Stale {
    No,
    Yes,
}

/// How a connection is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Phase {
    /// Not there, or not there yet.
    Connecting,
    /// Messages go out.
    Ready,
    /// The server takes no new calls. After that time, one may try.
    GoingAway { until: Instant },
    /// Its address is none of the channel's any more: it takes no new calls, and goes once it is idle.
    Retiring,
    /// It will never be used again.
    Closed,
}

/// What the owner has to wake once it has let go of the lock.
pub(super) type Wakers = Vec<Waker>;

/// For how long a going-away record holds. It ends with the connection; but behind a device the connection outlives the
/// server, and a client that waits for it to end would never call again.
const GOING_AWAY: Duration = Duration::from_secs(5);

/// How late a deadline may be kept while calls wait in the outbox.
const SWEEP: Duration = Duration::from_millis(5);

/// In how many turns the callers in flight are woken, where there are not too few or too many of them for that: for fewer
/// than `FEW` a message is not worth its cost, and of more than `MANY` none is made cheaper by company.
const TURNS: usize = 4;
const FEW: usize = 16;
const MANY: usize = 128;

/// Room in the outbox, in bytes: past it, calls wait.
const OUTBOX: usize = 4 * 1024 * 1024;

impl State {
    pub(super) fn new(phase: Phase, max_body: usize) -> Self {
        Self {
            up: None,
            was_up: phase == Phase::Ready,
            phase,
            health: Health::default(),
            changed: false,
            outbox: Outbox::default(),
            gathering: Gathering::default(),
            calls: Calls::default(),
            open: 0,
            begun: 0,
            sent: false,
            overdue_at: Instant::now() + OVERDUE,
            line: Line::default(),
            look_at: None,
            watch: None,
            stale: Stale::No,
            trouble: None,
            max_body,
            one_way: OneWay::default(),
        }
    }

    /// Something was ever taken out of the outbox, or stands in it.
    pub(super) fn was_used(&self) -> bool {
        self.sent || !self.outbox.is_empty()
    }

    /// Messages go out, as far as anyone knows, be it to a server that takes no new calls.
    pub(super) fn is_connected(&self) -> bool {
        matches!(self.phase, Phase::Ready | Phase::GoingAway { .. } | Phase::Retiring)
    }

    #[inline]
    fn has_room(&self, max_calls: usize) -> bool {
        self.phase == Phase::Ready
            && self.calls.len() < max_calls
            && self.outbox.len() < OUTBOX
            && self.one_way.has_room()
    }

    /// A server that asks and does not read takes no more of the client's memory than this.
    pub(super) fn has_room_to_answer(&self) -> bool {
        self.outbox.len() < 2 * OUTBOX
    }

    /// Lets the caller through if there is room and nobody was there before, else queues it under a ticket.
    #[inline]
    pub(super) fn poll_room(
        &mut self,
        context: &Context<'_>,
        max_calls: usize,
        ticket: &mut Option<u64>,
        deadline: Option<Instant>,
    ) -> Poll<()> {
        if self.line.is_first(*ticket) && self.has_room(max_calls) {
            self.line.leave(ticket);
            return Poll::Ready(());
        }
        if self.phase == Phase::Ready {
            self.ask_for_one_way(Instant::now());
        }
        self.line.join(context, ticket, deadline);
        self.look_at_latest(deadline);
        if let Phase::GoingAway { until } = self.phase {
            self.look_at_latest(Some(until));
        }
        Poll::Pending
    }

    /// Whom to wake because there may be room.
    #[inline]
    pub(super) fn next_in_line(&self, max_calls: usize) -> Option<Waker> {
        let first = self.line.first()?;
        self.has_room(max_calls).then(|| first.clone())
    }

    /// The earliest time to look for deadlines is no later than this.
    #[inline]
    fn look_at_latest(&mut self, deadline: Option<Instant>) {
        if let Some(deadline) = deadline {
            self.look_at = Some(self.look_at.map_or(deadline, |known| known.min(deadline)));
        }
    }

    /// Begins a call, at whose end somebody may want to be woken, and returns its id.
    #[inline]
    pub(super) fn begin(
        &mut self,
        method: &'static str,
        deadline: Option<Deadline>,
        streams: Streams,
        waker: Option<&Waker>,
        now: Instant,
    ) -> u32 {
        self.begun += 1;
        self.open += 1;
        self.look_at_latest(deadline.map(|deadline| deadline.at));
        let look = self.watch.as_mut().map(|watch| watch.begin(now));
        self.look_at_latest(look);
        self.calls.insert(ClientCall::new(method, deadline, streams, waker.cloned(), self.begun))
    }

    /// Begins a ping, and returns its id.
    pub(super) fn begin_ping(&mut self, deadline: Option<Deadline>, now: Instant) -> u32 {
        let id = self.begin(PING, deadline, Streams::default(), None, now);
        self.outbox.record(|out| wire::ping(out, u64::from(id)));
        id
    }

    /// A one-way call of so many bytes goes out, of which nothing more will be heard.
    pub(super) fn begin_one_way(&mut self, bytes: usize, now: Instant) {
        self.ask_for_one_way(now);
        self.one_way.begin(self.begun, bytes);
    }

    /// Pings the server if it is time to know which one-way calls it has read. Nobody waits for this pong but those who have
    /// no room.
    fn ask_for_one_way(&mut self, now: Instant) {
        if self.one_way.is_to_ask() {
            let id = self.begin_ping(None, now);
            self.one_way.ask(id);
        }
    }

    /// Queues what has gathered in streams of calls that are not over.
    #[inline]
    fn gather(&mut self) {
        self.gathering.collect(&mut self.outbox, |id| {
            let id = u32::try_from(id).ok()?;
            self.calls.get(id)?.streams.outbound.as_ref()
        });
    }

    /// Queues what has gathered in a call's stream: the record by which this side ends the call comes after it.
    fn gather_last(&mut self, id: u32) {
        if let Some(outbound) = self.calls.get(id).and_then(|call| call.streams.outbound.as_ref()) {
            outbound.collect(&mut self.outbox, u64::from(id));
        }
    }

    /// A call is about to be queued. Whether its caller is to give way to the owner first, for whom others have waited for too
    /// long; that counts from now on anew.
    #[inline]
    pub(super) fn take_overdue(&mut self, now: Instant) -> bool {
        let overdue = !self.outbox.is_empty() && now >= self.overdue_at;
        if overdue || self.outbox.is_empty() {
            self.overdue_at = now + OVERDUE;
        }
        overdue
    }

    /// The next message to send.
    pub(super) fn take_message(&mut self) -> Option<Message> {
        self.gather();
        let message = self.outbox.take()?;
        self.sent = true;
        Some(message)
    }

    /// Whether there is a call of this id.
    pub(super) fn has_call(&self, id: u64) -> bool {
        u32::try_from(id).is_ok_and(|id| self.calls.get(id).is_some())
    }

    /// How the call ended, if it has; it is forgotten then. `None` for one that is not known.
    #[inline]
    pub(super) fn poll_reply(
        &mut self,
        id: u32,
        context: &Context<'_>,
    ) -> Option<Poll<Result<Body, Failure>>> {
        let reply = self.calls.get_mut(id)?.poll_reply(context);
        if reply.is_ready() {
            self.calls.remove(id);
        }
        Some(reply)
    }

    /// A server that was going away may be another one by now.
    #[inline]
    pub(super) fn look_at_phase(&mut self, now: Instant) {
        if matches!(self.phase, Phase::GoingAway { until } if until <= now) {
            self.phase = Phase::Ready;
        }
    }

    /// The server takes no new calls.
    pub(super) fn going_away(&mut self, wakers: &mut Wakers) {
        if self.phase == Phase::Ready {
            self.phase = Phase::GoingAway { until: Instant::now() + GOING_AWAY };
            self.changed = true;
            self.line.all(wakers);
        }
    }

    /// The server has turned a call away, or failed it, in a way that speaks of the server.
    #[cold]
    pub(super) fn failed(&mut self) {
        self.changed |= self.health.failed(Instant::now());
    }

    /// The server has answered a call.
    #[inline]
    pub(super) fn succeeded(&mut self) {
        self.changed |= self.health.succeeded();
    }

    /// The server has answered a call with a value.
    #[inline]
    pub(super) fn replied(&mut self, id: u32, body: Body, wakers: &mut Wakers) {
        let Some(call) = self.calls.get(id) else { return };
        let result = match call.due() {
            Due::Reply if body.len() > self.max_body => Err(self.too_large(&body)),
            Due::Reply => Ok(body),
            Due::End | Due::Pong => Err(call.wrong_answer("a reply")),
        };
        self.end(id, result, wakers);
    }

    #[cold]
    fn too_large(&self, body: &Body) -> Failure {
        let (size, most) = (body.len(), self.max_body);
        let what = format!("the answer has {size} bytes; a message may have {most}");
        Failure::Status(Status::resource_exhausted(what))
    }

    /// The server has ended its stream.
    pub(super) fn ended(&mut self, id: u32, wakers: &mut Wakers) {
        let Some(call) = self.calls.get(id) else { return };
        let result = match call.due() {
            Due::End => Ok(Body::default()),
            Due::Reply | Due::Pong => Err(call.wrong_answer("the end of a stream")),
        };
        self.end(id, result, wakers);
    }

    /// The server has answered a ping. A pong of any other id is nobody's.
    pub(super) fn ponged(&mut self, id: u32, wakers: &mut Wakers) {
        if let Some(call) = self.calls.get(id).filter(|call| call.due() == Due::Pong) {
            // It reads in order.
            self.one_way.read_to(call.number);
            self.end(id, Ok(Body::default()), wakers);
        }
    }

    /// The server, or the connection, has ended a call. Only the first time counts.
    #[inline]
    pub(super) fn end(&mut self, id: u32, result: Result<Body, Failure>, wakers: &mut Wakers) {
        let Some(call) = self.calls.get_mut(id) else { return };
        self.open -= usize::from(call.is_open());
        let asked = self.one_way.ended(id, result.is_ok());
        if call.end(result, wakers) || asked {
            self.calls.remove(id);
        }
        if asked && self.phase == Phase::Ready {
            // Whoever waits for room would not be woken by anything else.
            self.ask_for_one_way(Instant::now());
        }
    }

    /// Ends a call from this side, and tells the server.
    pub(super) fn cancel(&mut self, id: u32, why: Status, wakers: &mut Wakers) {
        self.gather_last(id);
        self.end(id, Err(Failure::Status(why)), wakers);
        self.outbox.record(|out| wire::cancel(out, u64::from(id)));
    }

    /// Gives a call up from this side. Whether the server is to be told.
    pub(super) fn abandon(&mut self, id: u32, why: &str, wakers: &mut Wakers) -> bool {
        self.gather_last(id);
        let Some(call) = self.calls.remove(id) else { return false };
        self.open -= usize::from(call.is_open());
        call.give_up(&Status::cancelled(why).maybe_executed(), wakers);
        let is_open = call.is_open();
        if call.has_long_reply() {
            discard(vec![call], wakers);
        }
        is_open
    }

    /// The connection is lost: every call on it has failed, and what had not left yet never will. How many one-way calls
    /// are known not to have left.
    pub(super) fn fail_all(&mut self, why: &Status, wakers: &mut Wakers) -> usize {
        let (unsent, one_way) = self.unsent();
        discard(self.outbox.clear(), wakers);
        self.one_way.lose();
        for id in self.in_flight() {
            let sent = !unsent.contains(&id);
            let why = if sent { why.clone().maybe_executed() } else { why.clone().not_sent() };
            self.end(id, Err(Failure::Status(why)), wakers);
        }
        one_way
    }

    /// Nothing of what waits is to leave any more. How many one-way calls were among it.
    pub(super) fn clear_outbox(&mut self, wakers: &mut Wakers) -> usize {
        let (_, one_way) = self.unsent();
        discard(self.outbox.clear(), wakers);
        one_way
    }

    /// Nobody waits any longer: every call in flight has failed, and the server is told so.
    pub(super) fn cancel_all(&mut self, why: &Status, wakers: &mut Wakers) {
        for id in self.in_flight() {
            self.cancel(id, why.clone().maybe_executed(), wakers);
        }
    }

    /// How many callers to wake before they run. Not all of them at once, where there are many: the server has work to do
    /// with the calls of the first while the others get their answers.
    pub(super) fn turn(&self) -> usize {
        (self.open / TURNS).clamp(FEW, MANY)
    }

    /// No more than one call is in flight.
    #[inline]
    pub(super) fn is_alone(&self) -> bool {
        self.open == 1
    }

    /// Every call that was begun has ended, whether or not somebody has looked how.
    pub(super) fn is_idle(&self) -> bool {
        self.open == 0
    }

    /// What has left may have been lost on the way: those calls have failed. The server, which may know of some, is told
    /// that nobody waits for them. The others go on.
    pub(super) fn fail_sent(&mut self, why: &Status, wakers: &mut Wakers) {
        let (unsent, _) = self.unsent();
        for id in self.in_flight().into_iter().filter(|id| !unsent.contains(id)) {
            self.cancel(id, why.clone().maybe_executed(), wakers);
        }
    }

    /// Calls that have not ended.
    fn in_flight(&self) -> Vec<u32> {
        self.calls.iter().filter(|(_, call)| call.is_open()).map(|(id, _)| id).collect()
    }

    /// The calls that have not left yet, and the number of one-way calls that have not.
    fn unsent(&self) -> (HashSet<u32>, usize) {
        let (mut calls, mut one_way) = (HashSet::new(), 0);
        self.outbox.calls(|id| match u32::try_from(id) {
            Ok(id @ 1..) => drop(calls.insert(id)),
            _ => one_way += 1,
        });
        (calls, one_way)
    }

    /// The server has said something, so it is there.
    pub(super) fn heard(&mut self) {
        if let Some(watch) = &mut self.watch {
            watch.heard();
        }
    }

    /// Where libzmq does not tell, asks the server now and then whether it is there. Whether it has turned out to be gone.
    pub(super) fn server_is_gone(&mut self, now: Instant) -> bool {
        let in_flight = !self.is_idle();
        let step = self.watch.as_mut().map_or(Step::Wait, |watch| watch.look(now, in_flight));
        if step == Step::Ask {
            // Nobody waits for this pong: whatever the server says will do.
            let id = self.calls.unused_id();
            self.outbox.record(|out| wire::ping(out, u64::from(id)));
        }
        step == Step::Gone
    }

    /// Ends every call whose time is up, wakes everyone whose time to wait is up, and finds when to look again.
    pub(super) fn expire(&mut self, now: Instant, wakers: &mut Wakers) {
        if self.look_at.is_none_or(|at| at > now) {
            return;
        }
        self.expire_calls(now, wakers);
        self.line.late(now, wakers);
        if matches!(self.phase, Phase::GoingAway { until } if until <= now) {
            // They may try.
            self.line.all(wakers);
        }
        self.look_at = self.next_look(now);
    }

    fn expire_calls(&mut self, now: Instant, wakers: &mut Wakers) {
        let late = self.calls.iter().filter(|(_, call)| call.is_late(now)).map(|(id, _)| id);
        let late: HashSet<u32> = late.collect();
        if late.is_empty() {
            return;
        }
        let unsent: HashSet<u32> = self.unsent().0.intersection(&late).copied().collect();
        if !unsent.is_empty() {
            let taken = self.outbox.take_out(|id| u32::try_from(id).is_ok_and(|id| unsent.contains(&id)));
            discard(taken, wakers);
        }
        for id in late {
            let call = self.calls.get(id);
            let Some((deadline, method)) = call.and_then(|call| Some((call.deadline?, call.method))) else {
                continue;
            };
            let status = deadline.exceeded(method);
            if unsent.contains(&id) {
                self.end(id, Err(Failure::Status(status.not_sent())), wakers);
            } else {
                // The server sees to the deadline itself, but its clock began later.
                self.cancel(id, status.maybe_executed(), wakers);
            }
        }
    }

    fn next_look(&self, now: Instant) -> Option<Instant> {
        let calls = self.calls.iter().filter(|(_, call)| call.is_open());
        let calls = calls.filter_map(|(_, call)| call.deadline.map(|deadline| deadline.at));
        let watch = self.watch.as_ref().and_then(Watch::next);
        let until = match self.phase {
            Phase::GoingAway { until } => Some(until),
            _ => None,
        };
        let next =
            calls.chain(self.line.deadlines()).chain(watch).chain(until).filter(|at| *at > now).min()?;
        // Where much waits to leave, each look goes through all of it.
        let soonest = if self.outbox.is_empty() { now } else { now + SWEEP };
        Some(next.max(soonest))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::metadata::Metadata;
    use crate::status::Outcome;
    use crate::wire::RecordBuilder;

    fn begin(state: &mut State, deadline: Option<Deadline>) -> u32 {
        let id = state.begin("a.B/c", deadline, Streams::default(), None, Instant::now());
        let mut draft = RecordBuilder::call("a.B/c", false, &()).unwrap();
        draft.address(id, None, &Metadata::default(), None);
        state.outbox.push(draft);
        id
    }

    fn outcome(state: &mut State, id: u32) -> Option<Outcome> {
        match state.poll_reply(id, &Context::from_waker(Waker::noop())) {
            Some(Poll::Ready(Err(Failure::Status(status)))) => Some(status.outcome()),
            _ => None,
        }
    }

    #[test]
    fn a_server_that_went_away_may_be_tried_again() {
        let until = Instant::now();
        let mut state = State::new(Phase::GoingAway { until }, 0);
        state.look_at_phase(until - Duration::from_millis(1));
        assert_eq!(state.phase, Phase::GoingAway { until });
        state.look_at_phase(until);
        assert_eq!(state.phase, Phase::Ready);
    }

    #[test]
    fn a_call_whose_time_is_up_before_it_has_left_is_never_sent() {
        let mut state = State::new(Phase::Ready, 0);
        let deadline = Deadline { at: Instant::now(), after: Duration::ZERO };
        let left = begin(&mut state, Some(deadline));
        let message = state.take_message();
        let late = begin(&mut state, Some(deadline));
        let other = begin(&mut state, None);
        state.expire(deadline.at, &mut Wakers::new());
        assert_eq!(outcome(&mut state, left), Some(Outcome::MaybeExecuted));
        assert_eq!(outcome(&mut state, late), Some(Outcome::NotSent));
        assert_eq!(outcome(&mut state, other), None);
        assert_eq!(state.unsent(), (HashSet::from([other]), 0));
        // What libzmq has not taken has not left.
        state.outbox.put_back(message.unwrap());
        assert_eq!(state.unsent(), (HashSet::from([left, other]), 0));
    }

    #[test]
    fn what_was_in_the_outbox_when_the_connection_was_lost_was_not_sent() {
        let mut state = State::new(Phase::Ready, 0);
        let left = begin(&mut state, None);
        drop(state.take_message());
        let here = begin(&mut state, None);
        let mut note = RecordBuilder::call("a.B/note", true, &()).unwrap();
        note.address(0, None, &Metadata::default(), None);
        state.outbox.push(note);
        assert_eq!(state.fail_all(&Status::unavailable("lost"), &mut Wakers::new()), 1);
        assert_eq!(outcome(&mut state, left), Some(Outcome::MaybeExecuted));
        assert_eq!(outcome(&mut state, here), Some(Outcome::NotSent));
    }

    #[test]
    fn what_the_server_has_read_is_asked_for_until_there_is_room() {
        let mut state = State::new(Phase::Ready, 0);
        let (now, mut wakers) = (Instant::now(), Wakers::new());
        state.begin_one_way(2 << 20, now);
        // The ping goes out before this one, and so its pong says nothing of it.
        state.begin_one_way(5 << 20, now);
        for has_room in [false, true] {
            while state.take_message().is_some() {}
            let (asked, _) = state.calls.iter().next().unwrap();
            state.ponged(asked, &mut wakers);
            assert_eq!((state.has_room(1), state.outbox.is_empty()), (has_room, has_room));
        }
    }
}
