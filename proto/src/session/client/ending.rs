//! How calls end other than by the server, for which see `records`: by their callers, by time, and with the connection.

use std::collections::HashSet;
use std::time::Instant;

use super::call::ClientCall;
use super::defer_drop::defer_drop;
use super::event::{Dropped, Event};
use super::liveness::{Liveness, Step};
use super::phase::Phase;
use super::sending::closed;
use super::session::{SWEEP, Session};
use crate::status::{Cause, Failure, Status};
use crate::wire;

/// By its caller.
impl Session {
    /// Reports whether a call is in flight: it has not ended, and was not given up.
    #[must_use]
    pub fn is_call_open(&self, id: u32) -> bool {
        self.calls.get(id).is_some_and(ClientCall::is_open)
    }

    /// Gives a call up, and tells the server, unless it has ended. Returns whether there is something to send.
    pub fn abandon(&mut self, id: u32, why: &str) -> bool {
        self.collect_stream(id);
        let Some(call) = self.remove_call(id) else { return false };
        let is_open = call.is_open();
        self.open -= usize::from(is_open);
        call.give_up(&Status::cancelled(why).maybe_executed(), &mut self.wakers);
        if call.has_long_reply() {
            defer_drop(vec![call], &mut self.wakers);
        }
        if is_open {
            self.outbox.record(|out| wire::cancel(out, u64::from(id)));
        }
        is_open
    }

    /// Ends a call from this side and tells the server, unless it has ended. Its caller still wants to know how.
    pub fn cancel_open(&mut self, id: u32, why: Status, now: Instant) {
        if self.calls.get(id).is_some_and(ClientCall::is_open) {
            self.cancel(id, why, now);
        }
    }

    pub(super) fn cancel(&mut self, id: u32, why: Status, now: Instant) {
        self.collect_stream(id);
        self.end(id, Err(Failure::Status(why)), now);
        self.outbox.record(|out| wire::cancel(out, u64::from(id)));
    }

    /// Queues what has gathered in a call's stream: the record by which this side ends the call comes after it.
    fn collect_stream(&mut self, id: u32) {
        if let Some(stream) = self.calls.get(id).and_then(|call| call.streams.outbound.as_ref()) {
            stream.collect(&mut self.outbox, u64::from(id));
        }
    }
}

/// By time.
impl Session {
    /// Says that the time of [`Session::poll_timeout`] has passed: ends calls whose time is up, and asks the server for
    /// a sign of life.
    pub fn handle_timeout(&mut self, now: Instant) {
        if self.check_at.is_none() {
            return;
        }
        self.check_server(now);
        if self.check_at.is_some_and(|at| at <= now) {
            self.expire_calls(now);
            if self.is_connected() {
                self.ask_for_one_way(now);
            }
            self.queue.collect_late(now, &mut self.wakers);
            if self.phase.going_away_until().is_some_and(|until| until <= now) {
                // Callers may try.
                self.queue.collect_all(&mut self.wakers);
            }
            self.check_at = self.next_check(now);
        }
    }

    /// Says that a part of a long message has come or gone, by which the server, or a device on the way, shows that it lives. What
    /// the server was asked, or its answer, may be waiting behind that message.
    pub fn handle_part(&mut self) {
        if let Some(liveness) = &mut self.liveness {
            liveness.heard();
        }
    }

    /// Asks the server now and then whether it is there, where the transport does not tell.
    fn check_server(&mut self, now: Instant) {
        let in_flight = self.open > 0;
        match self.liveness.as_mut().map_or(Step::Wait, |liveness| liveness.check(now, in_flight)) {
            Step::Wait => {}
            Step::Ask => {
                // No task waits for this pong: any record of the server's will do.
                let id = self.calls.unused_id();
                self.outbox.record(|out| wire::ping(out, u64::from(id)));
                self.instance.asked();
            }
            Step::Gone => self.server_is_silent(now),
        }
    }

    fn server_is_silent(&mut self, now: Instant) {
        self.health.failed(now);
        let silence = self.liveness.as_ref().map(Liveness::silence).unwrap_or_default();
        let what =
            format!("the server at `{}` did not answer a ping within {silence:?}", self.config.endpoint);
        let why = Status::unavailable(what).caused_by(Cause::ServerSilent);
        if self.config.is_monitored {
            // It may be there again, behind its device, and should know that no caller waits.
            self.fail_sent(&why, now);
        } else {
            self.fail_all(&why, now);
            self.events.push_back(Event::Renew);
        }
        // Calls that have not left go on, and may leave for a server that stays silent. No other call need begin meanwhile.
        if self.open > 0 {
            let look = self.liveness.as_mut().map(|liveness| liveness.begin(now));
            self.check_no_later_than(look);
        }
    }

    fn expire_calls(&mut self, now: Instant) {
        let late = self.calls.iter().filter(|(_, call)| call.is_late(now)).map(|(id, _)| id);
        let late: HashSet<u32> = late.collect();
        if late.is_empty() {
            return;
        }
        let unsent: HashSet<u32> = self.unsent().0.intersection(&late).copied().collect();
        if !unsent.is_empty() {
            let taken = self.outbox.take_out(|id| u32::try_from(id).is_ok_and(|id| unsent.contains(&id)));
            defer_drop(taken, &mut self.wakers);
            self.made_room();
            self.give_back_credit();
        }
        for id in late {
            let call = self.calls.get(id);
            let Some((deadline, method)) = call.and_then(|call| Some((call.deadline?, call.method))) else {
                continue;
            };
            let status = deadline.exceeded(method);
            if unsent.contains(&id) {
                self.end(id, Err(Failure::Status(status.not_sent())), now);
            } else {
                // The server sees to the deadline itself, but its clock began later.
                self.cancel(id, status.maybe_executed(), now);
            }
        }
    }

    fn next_check(&self, now: Instant) -> Option<Instant> {
        let calls = self.calls.iter().filter(|(_, call)| call.is_open());
        let calls = calls.filter_map(|(_, call)| call.deadline.map(|deadline| deadline.at));
        let server = self.liveness.as_ref().and_then(Liveness::next);
        let one_way = self.one_way.ask_at();
        let all = calls.chain(self.queue.deadlines()).chain(server).chain(self.phase.going_away_until());
        let all = all.chain(one_way);
        let next = all.filter(|at| *at > now).min()?;
        // Where much waits to leave, each look goes through all of it.
        let soonest = if self.outbox.is_empty() { now } else { now + SWEEP };
        Some(next.max(soonest))
    }
}

/// With the connection.
impl Session {
    /// Ends every call because the connection is lost; what had not left yet never will.
    pub(super) fn fail_all(&mut self, why: &Status, now: Instant) {
        let (unsent, one_way) = self.unsent();
        defer_drop(self.outbox.clear(), &mut self.wakers);
        let unread = usize::try_from(self.one_way.lose()).unwrap_or(usize::MAX);
        self.made_room();
        for id in self.open_ids() {
            let is_sent = !unsent.contains(&id);
            let why = if is_sent { why.clone().maybe_executed() } else { why.clone().not_sent() };
            self.end(id, Err(Failure::Status(why)), now);
        }
        self.dropped(Dropped::OneWay, one_way);
        // A channel that has no use for its connection any more does not wait for proofs, so the number would say nothing.
        if self.phase.get() != Phase::Closed {
            self.dropped(Dropped::OneWaySent, unread.saturating_sub(one_way));
        }
    }

    /// Ends every call that has left: what has left may have been lost on the way. The server, which may know of some,
    /// is told that no caller waits for them. The others go on.
    pub(super) fn fail_sent(&mut self, why: &Status, now: Instant) {
        let (unsent, _) = self.unsent();
        for id in self.open_ids().into_iter().filter(|id| !unsent.contains(id)) {
            self.cancel(id, why.clone().maybe_executed(), now);
        }
    }

    /// Takes nothing more. The session is done once what is queued has left and the calls in flight have ended.
    pub fn close_when_sent(&mut self) {
        if !self.is_connected() {
            let (_, one_way) = self.unsent();
            defer_drop(self.outbox.clear(), &mut self.wakers);
            self.dropped(Dropped::OneWay, one_way);
        }
        self.phase.close();
        self.queue.collect_all(&mut self.wakers);
    }

    /// Takes nothing more, and ends the calls in flight. The session is done once the server was told.
    pub fn close_and_cancel(&mut self, now: Instant) {
        for id in self.open_ids() {
            self.cancel(id, closed().maybe_executed(), now);
        }
        self.close_when_sent();
    }

    /// Takes nothing more and sends nothing more, and ends the calls in flight: `why`, or because the channel is closed.
    pub fn close(&mut self, why: Option<Status>, now: Instant) {
        // The first reason holds for the calls to come.
        if self.phase.get() != Phase::Closed {
            self.closed_by.clone_from(&why);
        }
        self.phase.close();
        self.fail_all(&why.unwrap_or_else(closed), now);
        self.queue.collect_all(&mut self.wakers);
        self.events.push_back(Event::Disconnected);
    }

    /// Takes no new calls, as if the server were going away for good. The session is done once it is idle.
    pub fn retire(&mut self) {
        self.phase.retire();
        self.queue.collect_all(&mut self.wakers);
    }

    /// Returns the ids of calls that have not ended.
    pub(super) fn open_ids(&self) -> Vec<u32> {
        self.calls.iter().filter(|(_, call)| call.is_open()).map(|(id, _)| id).collect()
    }

    /// Returns the calls that have not left yet, and the number of one-way calls that have not.
    pub(super) fn unsent(&self) -> (HashSet<u32>, usize) {
        let (mut calls, mut one_way) = (HashSet::new(), 0);
        self.outbox.calls(|id| match u32::try_from(id) {
            Ok(id @ 1..) => drop(calls.insert(id)),
            _ => one_way += 1,
        });
        (calls, one_way)
    }

    pub(super) fn dropped(&mut self, reason: Dropped, count: usize) {
        match self.events.back_mut() {
            _ if count == 0 => {}
            // Merged, so that a server can't make the events many.
            Some(Event::Dropped { reason: last, count: before }) if *last == reason => *before += count,
            _ => self.events.push_back(Event::Dropped { reason, count }),
        }
    }
}
