//! How a history ends: calm, then the end of every call and connection, after which neither side may hold anything.

use std::time::Duration;

use zsvc_proto::session::client::Phase;

use crate::steps::disconnect;
use crate::world::{Link, World};

/// Number of rounds after which the two sides must have come to rest.
const MAX_ROUNDS: usize = 2_000;

impl World {
    /// Brings the history to its end. `show` is told what happens. Returns whether both sides came to rest first.
    pub(crate) fn end(&mut self, mut show: impl FnMut(&str)) -> bool {
        let may_calm = self.link == Link::Up && self.is_clean && !self.is_closed;
        if may_calm {
            show("calm: everything is delivered and read");
            self.settle();
            self.check_streams();
            self.check_queue();
            self.settle();
            show("every handler answers");
            self.answer_all();
            self.settle();
            self.check_answered();
        }
        show("every call that has not ended ends");
        self.end_calls();
        show("the connection ends");
        self.end_connection();
        self.check_client();
        self.check_server();
        may_calm
    }

    /// Delivers and reads everything until nothing moves.
    fn settle(&mut self) {
        for _ in 0..MAX_ROUNDS {
            self.now += Duration::from_millis(1);
            let mut moved = false;
            // Messages may be held back by a transport without room, at random.
            for _ in 0..3 {
                self.client_sends();
                self.server_sends();
            }
            self.now += Duration::from_secs(2);
            while self.client_receives() {
                moved = true;
            }
            moved |= !self.to_server.messages.is_empty();
            while !self.to_server.messages.is_empty() {
                self.server_receives();
            }
            moved |= self.read_all();
            self.check();
            if !moved && !self.client.has_waiting() && !self.conns.iter().any(|c| c.session.wants_transmit())
            {
                return;
            }
        }
        panic!("the two sides do not come to rest");
    }

    fn read_all(&mut self) -> bool {
        let mut moved = false;
        for index in 0..self.calls.len() {
            while self.look(index) {
                moved = true;
            }
        }
        for conn in &mut self.conns {
            while !conn.session.is_gone()
                && conn.read(&self.methods, &mut self.calls, &mut self.notes_read, self.now)
            {
                moved = true;
            }
            for handler in 0..conn.handlers.len() {
                while conn.read_item(handler, &self.calls, self.kind.may_miss) {
                    moved = true;
                }
            }
        }
        moved
    }

    /// At rest, all that was sent has arrived, and every sender has credit.
    fn check_streams(&mut self) {
        for conn in 0..self.conns.len() {
            for index in 0..self.conns[conn].handlers.len() {
                let handler = &self.conns[conn].handlers[index];
                let call = &self.calls[handler.call];
                if !handler.is_live || !call.is_open() {
                    continue;
                }
                let call = handler.call;
                if let (Some(writer), Some(reader)) = (&handler.writer, &self.calls[call].reader) {
                    assert_eq!(writer.stream.sent(), reader.inbound.received(), "items have not arrived");
                    assert!(self.conns[conn].write(index, &mut self.rng), "a handler has no credit left");
                }
                if self.calls[call].writer.as_ref().is_some_and(|writer| !writer.is_finished) {
                    let received = self.conns[conn].handlers[index].reader.as_ref();
                    let received = received.map(|reader| reader.inbound.received());
                    let sent = self.calls[call].writer.as_ref().map(|writer| writer.stream.sent());
                    assert_eq!(sent, received, "items have not arrived");
                    assert!(self.write(call), "a caller has no credit left");
                }
            }
        }
    }

    /// A caller for which there is room has been woken.
    fn check_queue(&mut self) {
        // A server's word that it goes away ends by time.
        self.client_timeout();
        let first = (0..self.waiters.len()).min_by_key(|at| self.waiters[*at].ticket);
        let Some(index) = first.filter(|_| self.client.phase() == Phase::Ready) else { return };
        let (was_woken, before) = (self.waiters[index].poller.is_woken(), self.waiters.len());
        self.retry(index);
        assert!(was_woken || self.waiters.len() == before, "a caller was not woken for which there is room");
    }

    fn answer_all(&mut self) {
        for conn in &mut self.conns {
            for handler in 0..conn.handlers.len() {
                conn.answer(handler, &mut self.calls, &mut self.rng);
            }
        }
    }

    /// Where nothing was lost, every call that was sent has been answered.
    fn check_answered(&self) {
        for call in &self.calls {
            assert!(!call.is_open(), "a call was not answered: {call:?}");
        }
    }

    /// Ends all calls: by the loss of the connection, by closing the session, or by giving them up.
    fn end_calls(&mut self) {
        match self.rng.below(3) {
            0 if self.kind.is_monitored && !self.is_closed => {
                self.cut();
                self.client_learns();
            }
            1 => {
                self.is_closed = true;
                self.client.close(None, self.now);
                self.wake();
                assert_eq!(self.client.open_calls(), 0, "a call outlives its session");
            }
            _ => {
                let open: Vec<_> = (0..self.calls.len()).filter(|at| self.calls[*at].is_open()).collect();
                for index in open {
                    self.abandon(index);
                }
            }
        }
        while let Some(mut waiter) = self.waiters.pop() {
            self.client.leave_queue(&mut waiter.ticket);
        }
        self.read_all();
        // What the loss of a connection ends, and nothing else: callers know of all others by now.
        for index in 0..self.calls.len() {
            let call = &self.calls[index];
            assert!(!call.is_open(), "a call has not ended at its caller: {call:?}");
        }
        assert!(self.client.open_calls() <= 1, "more than the session's own ping is left");
    }

    /// Sends what is left to say, and ends every connection.
    fn end_connection(&mut self) {
        if self.link != Link::Down {
            while self.client.has_waiting() {
                self.client_sends();
            }
        }
        self.cut();
        // The session's own ping, which asks what the server has read of one-way calls, ends with the connection.
        self.client_learns();
        if !self.kind.is_monitored {
            self.client.handle_disconnected(self.now);
        }
        for conn in &mut self.conns {
            let how = self.rng.below(3);
            disconnect(conn, how);
        }
        self.wake();
    }

    fn check_client(&mut self) {
        for _ in 0..10 {
            let Some(at) = self.client.poll_timeout() else { break };
            self.now = self.now.max(at);
            self.client.handle_timeout(self.now);
            self.wake();
        }
        let (client, mut wakers) = (&mut self.client, Vec::new());
        client.take_wakers(&mut wakers);
        assert_eq!(client.poll_timeout(), None, "a timer is set, and nothing waits");
        assert_eq!((client.calls(), client.open_calls(), client.queued_callers()), (0, 0, 0));
        assert_eq!((client.waiting_bytes(), wakers.len()), (0, 0), "something waits to be sent");
        assert_eq!(client.is_done(), self.is_closed);
    }

    fn check_server(&mut self) {
        self.conns.iter_mut().for_each(crate::server::Conn::check_closed);
        for server in &self.servers {
            assert_eq!((server.calls(), server.waiting()), (0, 0), "a server holds something");
        }
    }
}
