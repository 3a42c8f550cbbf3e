//! What a connection knows of its calls, behind its lock: those in flight, those that wait for room, and the outbox.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use bytes::Bytes;
use tokio::time::Instant;

use super::watch::{Step, Watch};
use crate::id_map::IdMap;
use crate::status::{Failure, Status};
use crate::stream::{Inbound, Outbound};
use crate::wire::{self, Outbox};

/// What a connection knows.
#[derive(Debug)]
pub(super) struct State {
    pub(super) phase: Phase,
    pub(super) outbox: Outbox,
    /// Calls in flight, and those whose reply has come and was not looked at yet.
    pub(super) calls: IdMap<u32, ClientCall>,
    next_id: u32,
    /// Calls that were begun so far.
    begun: u64,
    /// As many of them as had been begun when the owner last took something out of the outbox.
    taken: u64,
    /// Something was ever taken out of the outbox.
    sent: bool,
    /// Those that wait for room, by their tickets, so the longest first.
    waiting: BTreeMap<u64, Waiting>,
    next_ticket: u64,
    /// No deadline of anyone in here is before that; the owner looks again then.
    pub(super) look_at: Option<Instant>,
    /// Looks after a server of which libzmq tells nothing.
    pub(super) watch: Option<Watch>,
    /// The last thing that kept the connection from coming up.
    pub(super) trouble: Option<&'static str>,
    /// The largest answer that is taken.
    max_body: usize,
    /// How many calls had been begun when the last one-way call was, unless an answer has shown since that the server
    /// has read it.
    one_way: Option<u64>,
    /// The connection was lost, and with it, perhaps, one-way calls that nobody will ever hear of.
    pub(super) lost_one_way: bool,
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
    /// It will never be used again.
    Closed,
}

/// A call in flight.
#[derive(Debug)]
pub(super) struct ClientCall {
    pub(super) method: &'static str,
    pub(super) deadline: Option<Deadline>,
    pub(super) inbound: Option<Arc<Inbound>>,
    pub(super) outbound: Option<Arc<Outbound>>,
    /// How it ended, until somebody looks.
    reply: Option<Result<Bytes, Failure>>,
    waker: Option<Waker>,
    /// Which one it is of all that were begun.
    number: u64,
}

/// When a call's time is up.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Deadline {
    pub(crate) at: Instant,
    /// How long that was from its beginning, for messages.
    pub(crate) after: Duration,
}

#[derive(Debug)]
struct Waiting {
    waker: Waker,
    deadline: Option<Instant>,
}

/// What the owner has to wake once it has let go of the lock.
pub(super) type Wakers = Vec<Waker>;

/// Room in the outbox, in bytes: past it, calls wait.
const OUTBOX: usize = 4 * 1024 * 1024;

impl State {
    pub(super) fn new(phase: Phase, max_body: usize) -> Self {
        Self {
            phase,
            outbox: Outbox::default(),
            calls: IdMap::default(),
            next_id: 0,
            begun: 0,
            taken: 0,
            sent: false,
            waiting: BTreeMap::new(),
            next_ticket: 0,
            look_at: None,
            watch: None,
            trouble: None,
            max_body,
            one_way: None,
            lost_one_way: false,
        }
    }

    /// Something was ever taken out of the outbox, or stands in it.
    pub(super) fn was_used(&self) -> bool {
        self.sent || !self.outbox.is_empty()
    }

    fn has_room(&self, max_calls: usize) -> bool {
        self.phase == Phase::Ready && self.calls.len() < max_calls && self.outbox.len() < OUTBOX
    }

    /// Lets the caller through if there is room and nobody was there before, else queues it under a ticket.
    pub(super) fn poll_room(
        &mut self,
        context: &Context<'_>,
        max_calls: usize,
        ticket: &mut Option<u64>,
        deadline: Option<Instant>,
    ) -> Poll<()> {
        let first = self.waiting.first_key_value().is_none_or(|(first, _)| Some(*first) == *ticket);
        if first && self.has_room(max_calls) {
            self.leave(ticket);
            return Poll::Ready(());
        }
        let number = *ticket.get_or_insert(self.next_ticket);
        self.next_ticket = self.next_ticket.max(number + 1);
        self.waiting.insert(number, Waiting { waker: context.waker().clone(), deadline });
        self.look_at_latest(deadline);
        Poll::Pending
    }

    /// Takes back the ticket of someone who waits no longer.
    pub(super) fn leave(&mut self, ticket: &mut Option<u64>) {
        if let Some(ticket) = ticket.take() {
            self.waiting.remove(&ticket);
        }
    }

    /// Whom to wake because there may be room.
    pub(super) fn next_in_line(&self, max_calls: usize) -> Option<Waker> {
        let (_, first) = self.waiting.first_key_value()?;
        self.has_room(max_calls).then(|| first.waker.clone())
    }

    /// Everyone who waits, because waiting may be in vain.
    pub(super) fn all_in_line(&self, wakers: &mut Wakers) {
        wakers.extend(self.waiting.values().map(|waiting| waiting.waker.clone()));
    }

    /// The earliest time to look for deadlines is no later than this.
    fn look_at_latest(&mut self, deadline: Option<Instant>) {
        if let Some(deadline) = deadline {
            self.look_at = Some(self.look_at.map_or(deadline, |known| known.min(deadline)));
        }
    }

    /// Begins a call, and returns its id.
    pub(super) fn begin(
        &mut self,
        method: &'static str,
        deadline: Option<Deadline>,
        inbound: Option<Arc<Inbound>>,
        outbound: Option<Arc<Outbound>>,
    ) -> u32 {
        let id = self.unused_id();
        self.begun += 1;
        self.look_at_latest(deadline.map(|deadline| deadline.at));
        let look = self.watch.as_mut().map(|watch| watch.begin(Instant::now()));
        self.look_at_latest(look);
        let number = self.begun;
        let call = ClientCall { method, deadline, inbound, outbound, reply: None, waker: None, number };
        self.calls.insert(id, call);
        id
    }

    /// The next id. Ids wrap around; one that is still in flight is passed over. 0 is no call's.
    fn unused_id(&mut self) -> u32 {
        loop {
            self.next_id = self.next_id.wrapping_add(1);
            if self.next_id != 0 && !self.calls.contains_key(&self.next_id) {
                return self.next_id;
            }
        }
    }

    /// Begins a ping, and returns its id.
    pub(super) fn begin_ping(&mut self, deadline: Option<Deadline>) -> u32 {
        let id = self.begin(PING, deadline, None, None);
        self.outbox.record(|out| wire::ping(out, u64::from(id)));
        id
    }

    /// A one-way call goes out, of which nothing more will be heard.
    pub(super) fn begin_one_way(&mut self) {
        self.one_way = Some(self.begun);
    }

    /// The next message to send. Whatever was begun until now may have left with it.
    pub(super) fn take_message(&mut self) -> Option<Vec<u8>> {
        let message = self.outbox.take()?;
        self.taken = self.begun;
        self.sent = true;
        Some(message)
    }

    /// How the call ended, if it has; it is forgotten then. `None` for one that is not known.
    pub(super) fn poll_reply(
        &mut self,
        id: u32,
        context: &Context<'_>,
    ) -> Option<Poll<Result<Bytes, Failure>>> {
        let call = self.calls.get_mut(&id)?;
        if let Some(reply) = call.reply.take() {
            self.calls.remove(&id);
            Some(Poll::Ready(reply))
        } else {
            if !call.waker.as_ref().is_some_and(|waker| waker.will_wake(context.waker())) {
                call.waker = Some(context.waker().clone());
            }
            Some(Poll::Pending)
        }
    }

    /// A server that was going away may be another one by now.
    pub(super) fn look_at_phase(&mut self, now: Instant) {
        if matches!(self.phase, Phase::GoingAway { until } if until <= now) {
            self.phase = Phase::Ready;
        }
    }

    /// The server has answered a call with a value.
    pub(super) fn replied(&mut self, id: u32, body: Bytes, wakers: &mut Wakers) {
        let Some(call) = self.calls.get(&id) else { return };
        let result = match call.due() {
            Due::Reply if body.len() > self.max_body => Err(self.too_large(&body)),
            Due::Reply => Ok(body),
            Due::End | Due::Pong => Err(wrong_answer("a reply", call)),
        };
        self.end(id, result, wakers);
    }

    #[cold]
    fn too_large(&self, body: &Bytes) -> Failure {
        let (size, most) = (body.len(), self.max_body);
        let what = format!("the answer has {size} bytes; a message may have {most}");
        Failure::Status(Status::resource_exhausted(what))
    }

    /// The server has ended its stream.
    pub(super) fn ended(&mut self, id: u32, wakers: &mut Wakers) {
        let Some(call) = self.calls.get(&id) else { return };
        let result = match call.due() {
            Due::End => Ok(Bytes::new()),
            Due::Reply | Due::Pong => Err(wrong_answer("the end of a stream", call)),
        };
        self.end(id, result, wakers);
    }

    /// The server has answered a ping. A pong of any other id is nobody's.
    pub(super) fn ponged(&mut self, id: u32, wakers: &mut Wakers) {
        if let Some(call) = self.calls.get(&id).filter(|call| call.due() == Due::Pong) {
            // It reads in order.
            self.one_way.take_if(|begun| *begun < call.number);
            self.end(id, Ok(Bytes::new()), wakers);
        }
    }

    /// The server, or the connection, has ended a call. Only the first time counts.
    pub(super) fn end(&mut self, id: u32, result: Result<Bytes, Failure>, wakers: &mut Wakers) {
        let Some(call) = self.calls.get_mut(&id) else { return };
        wakers.extend(call.waker.take());
        if let Some(outbound) = &call.outbound {
            wakers.extend(outbound.close(end_of_sending(&result)));
        }
        match call.inbound.take() {
            // Nobody looks for the reply of a stream: how it ended stands at its end.
            Some(inbound) => {
                wakers.extend(inbound.finish(result.map(drop)));
                self.calls.remove(&id);
            }
            None => {
                call.reply.get_or_insert(result);
            }
        }
    }

    /// Ends a call from this side, and tells the server.
    pub(super) fn cancel(&mut self, id: u32, why: Status, wakers: &mut Wakers) {
        self.end(id, Err(Failure::Status(why)), wakers);
        self.outbox.record(|out| wire::cancel(out, u64::from(id)));
    }

    /// Gives a call up from this side. Whether the server is to be told.
    pub(super) fn abandon(&mut self, id: u32, why: &str, wakers: &mut Wakers) -> bool {
        let Some(call) = self.calls.remove(&id) else { return false };
        let why = Status::cancelled(why).maybe_executed();
        if let Some(inbound) = &call.inbound {
            wakers.extend(inbound.finish(Err(Failure::Status(why.clone()))));
        }
        if let Some(outbound) = &call.outbound {
            wakers.extend(outbound.close(why));
        }
        call.reply.is_none()
    }

    /// The connection is lost: every call on it has failed, and what had not left yet never will.
    pub(super) fn fail_all(&mut self, why: &Status, wakers: &mut Wakers) {
        self.outbox.clear();
        self.lost_one_way |= self.one_way.take().is_some();
        for (id, sent) in self.in_flight() {
            let why = if sent { why.clone().maybe_executed() } else { why.clone().not_sent() };
            self.end(id, Err(Failure::Status(why)), wakers);
        }
    }

    /// Nobody waits any longer: every call in flight has failed, and the server is told so.
    pub(super) fn cancel_all(&mut self, why: &Status, wakers: &mut Wakers) {
        for (id, _) in self.in_flight() {
            self.cancel(id, why.clone().maybe_executed(), wakers);
        }
    }

    /// Every call that was begun has ended, whether or not somebody has looked how.
    pub(super) fn is_idle(&self) -> bool {
        self.calls.values().all(|call| call.reply.is_some())
    }

    /// What has left may have been lost on the way: those calls have failed. The server, which may know of some, is told
    /// that nobody waits for them. The others go on.
    pub(super) fn fail_sent(&mut self, why: &Status, wakers: &mut Wakers) {
        for (id, sent) in self.in_flight() {
            if sent {
                self.cancel(id, why.clone().maybe_executed(), wakers);
            }
        }
    }

    /// Calls that have not ended, and whether they may have left.
    fn in_flight(&self) -> Vec<(u32, bool)> {
        let calls = self.calls.iter().filter(|(_, call)| call.reply.is_none());
        calls.map(|(id, call)| (*id, call.number <= self.taken)).collect()
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
            let id = self.unused_id();
            self.outbox.record(|out| wire::ping(out, u64::from(id)));
        }
        step == Step::Gone
    }

    /// Ends every call whose time is up, wakes everyone whose time to wait is up, and finds when to look again.
    pub(super) fn expire(&mut self, now: Instant, wakers: &mut Wakers) {
        if self.look_at.is_none_or(|at| at > now) {
            return;
        }
        let expired: Vec<(u32, Status)> = self
            .calls
            .iter()
            .filter(|(_, call)| call.reply.is_none())
            .filter_map(|(id, call)| Some((*id, call.expired(now)?)))
            .collect();
        for (id, status) in expired {
            // The server sees to the deadline itself, but its clock began later.
            self.cancel(id, status, wakers);
        }
        let late = self.waiting.values().filter(|waiting| waiting.deadline.is_some_and(|at| at <= now));
        wakers.extend(late.map(|waiting| waiting.waker.clone()));
        self.look_at = self.next_deadline(now);
    }

    fn next_deadline(&self, now: Instant) -> Option<Instant> {
        let calls = self.calls.values().filter(|call| call.reply.is_none());
        let calls = calls.filter_map(|call| call.deadline.map(|deadline| deadline.at));
        let waiting = self.waiting.values().filter_map(|waiting| waiting.deadline);
        let look = self.watch.as_ref().and_then(Watch::next);
        calls.chain(waiting).chain(look).filter(|at| *at > now).min()
    }
}

/// Which record ends a call well.
#[derive(Debug, PartialEq, Eq)]
enum Due {
    Reply,
    End,
    Pong,
}

/// What a ping has for a method. No method is called so: theirs have a service before a slash.
pub(super) const PING: &str = "ping";

#[cold]
fn wrong_answer(what: &str, call: &ClientCall) -> Failure {
    let what = format!("the server answered `{}` with {what}, which does not go with it", call.method);
    Failure::Status(Status::unknown(what).maybe_executed())
}

impl ClientCall {
    fn due(&self) -> Due {
        match self.inbound {
            Some(_) => Due::End,
            None if self.method == PING => Due::Pong,
            None => Due::Reply,
        }
    }

    /// Also one that is still in the outbox will leave, with its cancel behind it, and may run by then.
    fn expired(&self, now: Instant) -> Option<Status> {
        let deadline = self.deadline.filter(|deadline| deadline.at <= now)?;
        Some(deadline.exceeded(self.method).maybe_executed())
    }
}

impl Deadline {
    /// So long from now. A time too long for the clock is none.
    pub(super) fn within(after: Duration) -> Option<Self> {
        Some(Self { at: Instant::now().checked_add(after)?, after })
    }

    pub(super) fn exceeded(&self, method: &str) -> Status {
        Status::deadline_exceeded(format!("`{method}` was not answered within {:?}", self.after))
    }
}

/// Why nothing more can be sent on a call that has ended.
fn end_of_sending(result: &Result<Bytes, Failure>) -> Status {
    match result {
        Err(Failure::Status(status)) => status.clone(),
        Err(Failure::Declared { message, .. }) => {
            Status::cancelled(format!("the call has failed: {message}"))
        }
        Ok(_) => Status::cancelled("the server has ended the call"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::status::Outcome;

    #[test]
    fn a_server_that_went_away_may_be_tried_again() {
        let until = Instant::now();
        let mut state = State::new(Phase::GoingAway { until }, 0);
        state.look_at_phase(until - Duration::from_millis(1));
        assert_eq!(state.phase, Phase::GoingAway { until });
        state.look_at_phase(until);
        assert_eq!(state.phase, Phase::Ready);
    }

    /// It is in the outbox yet, but will leave with its cancel behind it, and a server may run it by then.
    #[test]
    fn a_call_whose_time_is_up_before_it_was_taken_may_run_all_the_same() {
        let mut state = State::new(Phase::Ready, 0);
        let deadline = Deadline { at: Instant::now(), after: Duration::ZERO };
        let id = state.begin("method", Some(deadline), None, None);
        state.expire(deadline.at, &mut Wakers::new());
        let outcome = match state.poll_reply(id, &Context::from_waker(Waker::noop())) {
            Some(Poll::Ready(Err(Failure::Status(status)))) => status.outcome(),
            other => panic!("{other:?}"),
        };
        assert_eq!(outcome, Outcome::MaybeExecuted);
    }

    #[test]
    fn ids_wrap_around_past_nought_and_those_in_flight() {
        let mut state = State::new(Phase::Ready, 0);
        let mut begin = || state.begin("method", None, None, None);
        assert_eq!([begin(), begin()], [1, 2]);
        state.next_id = u32::MAX - 1;
        assert!(state.abandon(2, "", &mut Wakers::new()));
        let mut begin = || state.begin("method", None, None, None);
        assert_eq!([begin(), begin(), begin()], [u32::MAX, 2, 3]);
        assert_eq!(state.calls.len(), 4);
    }
}
