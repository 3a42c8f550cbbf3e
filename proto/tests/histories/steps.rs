//! [`Step`]: what may happen in a history, and how it happens.

use std::time::Duration;

use zsvc_proto::session::client::Phase;
use zsvc_proto::session::server::DropReason;
use zsvc_proto::status::Status;

use crate::server::Conn;
use crate::world::{Link, MAX_DEADLINE_DELAY, World};

/// A kind of step. What it is done to is random.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Step {
    Begin,
    Retry,
    LeaveQueue,
    Look,
    Write,
    Finish,
    Abandon,
    Cancel,
    ClientSends,
    ClientReceives,
    ClientTimeout,
    ServerReceives,
    ServerSends,
    ServerTimeout,
    Answer,
    Fail,
    HandlerWrites,
    HandlerReads,
    NoteEnds,
    Ask,
    Shed,
    Wait,
    Connect,
    Cut,
    ClientLearnsOfCut,
    ServerLearnsOfCut,
    Block,
    LoseOne,
    Forget,
    Garbage,
    GoAway,
    Drain,
    Flush,
    Close,
}

/// Steps of every history, by how often they are taken.
const COMMON: [(Step, usize); 22] = [
    (Step::Begin, 30),
    (Step::Retry, 30),
    (Step::LeaveQueue, 1),
    (Step::Look, 40),
    (Step::Write, 24),
    (Step::Finish, 5),
    (Step::Abandon, 2),
    (Step::Cancel, 1),
    (Step::ClientSends, 40),
    (Step::ClientReceives, 40),
    (Step::ClientTimeout, 10),
    (Step::ServerReceives, 50),
    (Step::ServerSends, 40),
    (Step::ServerTimeout, 8),
    (Step::Answer, 24),
    (Step::Fail, 1),
    (Step::HandlerWrites, 30),
    (Step::HandlerReads, 24),
    (Step::NoteEnds, 8),
    (Step::Ask, 2),
    (Step::Wait, 30),
    (Step::Connect, 20),
];
/// Steps of histories in which connections are lost.
const FAULTS: [(Step, usize); 8] = [
    (Step::Cut, 1),
    (Step::ClientLearnsOfCut, 2),
    (Step::ServerLearnsOfCut, 3),
    (Step::Connect, 3),
    (Step::Block, 1),
    (Step::Forget, 1),
    (Step::Garbage, 1),
    (Step::Shed, 1),
];
const DRAINS: [(Step, usize); 3] = [(Step::GoAway, 1), (Step::Drain, 1), (Step::Flush, 1)];

impl World {
    /// Returns the steps that may be taken, as often as is likely. Histories differ in what is likely, and in what
    /// happens at all: otherwise all would look the same.
    pub(crate) fn choices(&mut self) -> Vec<Step> {
        let rng = &mut self.rng;
        let mut choices = Vec::new();
        for (step, times) in COMMON {
            let times = times * rng.pick(&[1, 1, 2, 4]);
            choices.extend(std::iter::repeat_n(step, times));
        }
        let faults: &[_] = if self.kind.has_faults { &FAULTS } else { &[] };
        let drains: &[_] = if self.kind.may_drain { &DRAINS } else { &[] };
        for (step, times) in faults.iter().chain(drains) {
            let times = if rng.one_in(2) { times * rng.pick(&[1, 1, 4]) } else { 0 };
            choices.extend(std::iter::repeat_n(*step, times));
        }
        if self.kind.may_miss {
            choices.extend([Step::LoseOne, Step::LoseOne]);
        }
        choices
    }

    /// Takes a step.
    pub(crate) fn take(&mut self, step: Step) {
        match step {
            Step::Begin => self.begin(),
            Step::Retry => self.with_waiter(|world, index| {
                // Mostly the one whose turn it is.
                let first = (0..world.waiters.len()).min_by_key(|at| world.waiters[*at].ticket);
                let is_any = world.rng.one_in(4);
                world.retry(first.filter(|_| !is_any).unwrap_or(index));
            }),
            Step::LeaveQueue => self.with_waiter(Self::leave),
            Step::Look => drop(self.with_call(Self::look)),
            Step::Write => drop(self.with_call(|world, index| {
                let items = world.rng.pick(&[1, 1, 3, 10]);
                (0..items).all(|_| world.write(index))
            })),
            Step::Finish => drop(self.with_call(Self::finish)),
            Step::Abandon => drop(self.with_call(Self::abandon)),
            Step::Cancel => drop(self.with_call(Self::cancel)),
            Step::ClientSends => self.client_sends(),
            Step::ClientReceives => drop(self.client_receives()),
            Step::ClientTimeout => self.client_timeout(),
            Step::ServerReceives => drop(self.server_receives()),
            Step::ServerSends => self.server_sends(),
            Step::Wait => self.wait(),
            Step::Answer
            | Step::Fail
            | Step::HandlerWrites
            | Step::HandlerReads
            | Step::NoteEnds
            | Step::ServerTimeout
            | Step::Ask
            | Step::Shed
            | Step::GoAway
            | Step::Drain
            | Step::Flush => self.server_step(step),
            Step::Connect => self.reconnect(),
            Step::Cut => self.cut(),
            Step::ClientLearnsOfCut => self.client_learns(),
            Step::ServerLearnsOfCut => self.server_learns(),
            Step::Block => self.block(),
            Step::LoseOne => self.lose_one(),
            Step::Forget => self.forget(),
            Step::Garbage => self.garbage(),
            Step::Close => self.close(),
        }
    }

    fn with_waiter(&mut self, then: impl FnOnce(&mut Self, usize)) {
        if let Some(index) = self.rng.index(self.waiters.len()) {
            then(self, index);
        }
    }

    fn leave(&mut self, index: usize) {
        let mut waiter = self.waiters.swap_remove(index);
        self.client.leave_queue(&mut waiter.ticket);
        self.wake();
    }

    /// Chooses one of the calls, mostly one that has not ended.
    fn with_call<T>(&mut self, then: impl FnOnce(&mut Self, usize) -> T) -> Option<T> {
        let may_have_ended = self.rng.one_in(8);
        let is_chosen = |at: &usize| may_have_ended || self.calls[*at].is_open();
        let from: Vec<usize> = (0..self.calls.len()).filter(is_chosen).collect();
        let index = from[self.rng.index(from.len())?];
        Some(then(self, index))
    }

    fn wait(&mut self) {
        let millis = self.rng.pick(&[1, 1, 1, 1, 5, 5, 20, 20, 100, 100, 1_000, 6_000]);
        self.now += Duration::from_millis(millis);
    }

    pub(crate) fn client_sends(&mut self) {
        if self.link == Link::Down {
            return;
        }
        while let Some(message) = self.client.poll_transmit() {
            if self.rng.one_in(8) {
                // The transport has no room.
                self.client.return_transmit(message);
                break;
            }
            let batch = message.into_batch();
            self.sent.client_sends(&batch);
            if self.link == Link::Up {
                self.to_server.send(self.now, batch, &mut self.rng);
            }
        }
        self.wake();
    }

    /// Returns whether a message has arrived.
    pub(crate) fn client_receives(&mut self) -> bool {
        let Some(batch) = self.to_client.take(self.now) else { return false };
        let (mut at, max_wakes) = (Some(0), self.rng.pick(&[1, 2, usize::MAX]));
        while let Some(next) = at {
            at = self.client.handle_message(&batch, next, max_wakes, self.now);
            self.wake();
        }
        true
    }

    /// Timers may fire early, and late.
    pub(crate) fn client_timeout(&mut self) {
        self.client.handle_timeout(self.now);
        if let Some(at) = self.client.poll_timeout() {
            assert!(at > self.now, "a timer fires again and again");
        }
        self.wake();
        let late =
            |call: &&crate::model::Call| call.deadline.is_some_and(|at| at + MAX_DEADLINE_DELAY <= self.now);
        for call in self.calls.iter().filter(|call| call.is_open() && call.reader.is_none()).filter(late) {
            assert!(!self.client.is_call_open(call.id), "a call is in flight past its deadline");
        }
    }

    /// Returns whether there was something to read.
    pub(crate) fn server_receives(&mut self) -> bool {
        let arrived = if self.link == Link::Up { self.to_server.take(self.now) } else { None };
        let Some(conn) = self.conns.last_mut() else { return false };
        conn.inbox.extend(arrived);
        let Some(index) = self.rng.index(self.conns.len()) else { return false };
        let index = if self.rng.one_in(3) { index } else { self.conns.len() - 1 };
        if self.conns[index].session.is_gone() {
            return false;
        }
        self.conns[index].read(&self.methods, &mut self.calls, &mut self.notes_read, self.now)
    }

    pub(crate) fn server_sends(&mut self) {
        let last = self.conns.len().wrapping_sub(1);
        for (index, conn) in self.conns.iter_mut().enumerate() {
            while let Some(message) = conn.transmit(&mut self.rng) {
                let batch = message.into_batch();
                if self.is_clean {
                    conn.sent.server_sends(&batch);
                }
                if index == last && self.link == Link::Up {
                    self.to_client.send(self.now, batch, &mut self.rng);
                }
            }
            conn.act();
        }
    }

    fn server_step(&mut self, step: Step) {
        let Some(mut conn) = self.rng.index(self.conns.len()) else { return };
        if !self.rng.one_in(4) {
            conn = self.conns.len() - 1;
        }
        let (conn, calls, rng) = (&mut self.conns[conn], &mut self.calls, &mut self.rng);
        // Mostly one whose call is in flight.
        let may_be_over = rng.one_in(8);
        let is_chosen = |at: &usize| may_be_over || conn.handlers[*at].is_live;
        let from: Vec<usize> = (0..conn.handlers.len()).filter(is_chosen).collect();
        let handler = rng.index(from.len()).map(|at| from[at]);
        match (step, handler) {
            (Step::Answer, Some(handler)) => conn.answer(handler, calls, rng),
            (Step::Fail, Some(handler)) => conn.fail(handler, calls),
            (Step::HandlerWrites, Some(handler)) => {
                let items = rng.pick(&[1, 1, 3, 10]);
                let _ = (0..items).all(|_| conn.write(handler, rng));
            }
            (Step::HandlerReads, Some(handler)) => drop(conn.read_item(handler, calls, self.kind.may_miss)),
            (Step::NoteEnds, _) => conn.end_note(),
            (Step::ServerTimeout, _) => conn.timeout(self.now),
            (Step::Ask, _) => conn.session.ask(),
            (Step::Shed, _) => {
                // Calls that have left and were not read fail, too.
                conn.session.shed();
                self.is_clean = false;
            }
            (Step::GoAway, _) => conn.session.go_away(),
            (Step::Drain, _) => conn.shared.drain(),
            (Step::Flush, _) => conn.shared.flush(),
            _ => {}
        }
        conn.act();
    }

    fn reconnect(&mut self) {
        match self.link {
            Link::Down => self.connect(),
            Link::Broken if !self.kind.is_monitored => self.accept(),
            _ => {}
        }
    }

    pub(crate) fn client_learns(&mut self) {
        if self.link != Link::Broken || !self.kind.is_monitored {
            return;
        }
        self.link = Link::Down;
        // A transport may find out as it is handed a message.
        match self.rng.one_in(3).then(|| self.client.poll_transmit()).flatten() {
            Some(_) => self.client.handle_lost_message(self.now),
            None => self.client.handle_disconnected(self.now),
        }
        self.wake();
        assert_eq!(self.client.open_calls(), 0, "a call outlives its connection");
    }

    fn server_learns(&mut self) {
        let Some(index) = self.rng.index(self.conns.len()) else { return };
        if self.link != Link::Up || index + 1 < self.conns.len() {
            let how = self.rng.below(3);
            disconnect(&mut self.conns[index], how);
        }
    }

    fn block(&mut self) {
        self.is_clean = false;
        if self.rng.one_in(2) {
            self.to_server.is_blocked = true;
        } else {
            self.to_client.is_blocked = true;
        }
    }

    fn lose_one(&mut self) {
        self.is_clean = false;
        let way = if self.rng.one_in(2) { &mut self.to_server } else { &mut self.to_client };
        if let Some(index) = self.rng.index(way.messages.len()) {
            way.messages.remove(index);
        }
    }

    /// The server forgets the client, which goes on as if nothing had happened.
    fn forget(&mut self) {
        if self.link != Link::Up {
            return;
        }
        self.is_clean = false;
        let conn = self.conns.last_mut().expect("the link is up");
        conn.session.forget();
        conn.act();
        conn.inbox.clear();
        let conn = Conn::new(&conn.shared);
        self.conns.push(conn);
    }

    /// A message arrives that can't be read.
    fn garbage(&mut self) {
        if self.link != Link::Up {
            return;
        }
        self.is_clean = false;
        // The first is no batch. The second has a record of an unknown kind.
        let bytes: &[u8] = if self.rng.one_in(2) { b"nonsense" } else { b"\x01\x92\x0c\x01" };
        let way = if self.rng.one_in(2) { &mut self.to_server } else { &mut self.to_client };
        way.send(self.now, bytes::Bytes::from_static(bytes).into(), &mut self.rng);
    }

    pub(crate) fn close(&mut self) {
        self.is_closed = true;
        self.is_clean = false;
        match self.rng.below(4) {
            0 => self.client.close_when_sent(),
            1 => self.client.close_and_cancel(self.now),
            2 => self.client.close(None, self.now),
            _ => self.client.retire(),
        }
        assert!(matches!(self.client.phase(), Phase::Closed | Phase::Retiring));
        self.wake();
    }
}

/// Ends a session of the server in one of three ways.
pub(crate) fn disconnect(conn: &mut Conn, how: u64) {
    match how {
        0 => conn.session.handle_disconnected(),
        1 => conn.session.forget(),
        _ => conn.session.close(&Status::unavailable("the server has ended"), DropReason::ServerEnded),
    }
    conn.inbox.clear();
    conn.act();
}
