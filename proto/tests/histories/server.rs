//! [`Conn`]: a session of the server, with the handlers of its calls, as a runtime drives them.

use std::collections::{HashSet, VecDeque};
use std::sync::Arc;
use std::task::Poll;
use std::time::Instant;

use zsvc_proto::codec::{Plain, decode};
use zsvc_proto::flow::Pushed;
use zsvc_proto::session::server::{Answer, Event, IncomingCall, ListeningClock, Methods, Session, Shared};
use zsvc_proto::status::{Failure, Status};
use zsvc_proto::wire::{Batch, INITIAL_CREDIT, Message, RecordBuilder};

use crate::model::{Answered, Call, Handler, METHODS, NOTE, streams_down, streams_up};
use crate::rng::Rng;
use crate::stream::{Reader, Writer, number, text};
use crate::witness::Witness;

/// A client as a server sees it.
pub(crate) struct Conn {
    /// What the application keeps with a call is the number of its handler.
    pub(crate) session: Session<usize>,
    pub(crate) shared: Arc<Shared>,
    clock: ListeningClock,
    pub(crate) sent: Witness,
    /// Messages that have arrived and were not read.
    pub(crate) inbox: VecDeque<Batch>,
    pub(crate) handlers: Vec<Handler>,
    /// Number of one-way calls that are counted as in flight.
    pub(crate) notes_in_flight: usize,
    /// Number of the last one-way call that came.
    last_note: Option<u64>,
}

impl Conn {
    pub(crate) fn new(shared: &Arc<Shared>) -> Self {
        Self {
            session: Session::new(Arc::clone(shared)),
            shared: Arc::clone(shared),
            clock: ListeningClock::new(shared.config()),
            sent: Witness::default(),
            inbox: VecDeque::new(),
            handlers: Vec::new(),
            notes_in_flight: 0,
            last_note: None,
        }
    }

    /// Reads one turn's worth of what has arrived.
    pub(crate) fn read(
        &mut self,
        methods: &Methods,
        calls: &mut [Call],
        notes: &mut HashSet<u64>,
        now: Instant,
    ) -> bool {
        if !self.session.has_unread() {
            let Some(batch) = self.inbox.pop_front() else { return false };
            self.session.handle_message(now, batch);
        }
        while let Some(event) = self.session.poll_event(methods, || now) {
            match event {
                Event::Call { key, call } => {
                    let index = self.begin(key, &call, calls);
                    *self.session.app(key).expect("the call has just begun") = index;
                }
                Event::OneWay(call) => self.note(&call, notes),
            }
        }
        self.act();
        true
    }

    fn begin(
        &mut self,
        key: zsvc_proto::session::server::CallKey,
        incoming: &IncomingCall,
        calls: &mut [Call],
    ) -> usize {
        let params: String = decode::<Plain, _>(&incoming.params, usize::MAX).expect("parameters are texts");
        let index = usize::try_from(number(&params)).expect("it is an index");
        let call = &mut calls[index];
        assert!(!call.was_seen, "a call has come twice");
        assert_eq!((METHODS[call.kind], u64::from(call.id)), (*incoming.method, key.id()));
        call.was_seen = true;
        let window = self.shared.config().stream_window;
        let reader = streams_up(call.kind).then(|| {
            let inbound = self.session.open_inbound(key, window);
            self.session.grant(key, window - INITIAL_CREDIT);
            Reader::new(inbound, window)
        });
        let writer = streams_down(call.kind)
            .then(|| Writer::new(self.session.open_outbound(key, incoming.credit), key.id()));
        self.handlers.push(Handler { key, call: index, is_live: true, reader, writer });
        self.handlers.len() - 1
    }

    fn note(&mut self, incoming: &IncomingCall, notes: &mut HashSet<u64>) {
        assert_eq!(*incoming.method, METHODS[NOTE]);
        let params: String = decode::<Plain, _>(&incoming.params, usize::MAX).expect("parameters are texts");
        let note = number(&params);
        assert!(notes.insert(note), "a one-way call has come twice");
        assert!(self.last_note.is_none_or(|last| last < note), "one-way calls came out of order");
        self.last_note = Some(note);
        self.session.begin_one_way();
        self.notes_in_flight += 1;
    }

    pub(crate) fn end_note(&mut self) {
        if self.notes_in_flight > 0 {
            self.session.end_one_way();
            self.notes_in_flight -= 1;
        }
    }

    /// Does what the session leaves to be done without its lock.
    pub(crate) fn act(&mut self) {
        if !self.session.has_effects() {
            return;
        }
        let effects = self.session.take_effects();
        for ended in &effects.ended {
            let handler = &mut self.handlers[ended.app];
            assert_eq!(handler.key, ended.key);
            assert!(handler.is_live, "a call has ended twice at the server");
            handler.is_live = false;
        }
        effects.run();
    }

    /// Has a handler answer, or one whose call is over try to.
    pub(crate) fn answer(&mut self, index: usize, calls: &mut [Call], rng: &mut Rng) {
        let handler = &mut self.handlers[index];
        let (key, call) = (handler.key, &mut calls[handler.call]);
        let (answered, answer) = if rng.one_in(4) {
            let failure = failure(rng, index);
            let answered = match &failure {
                Failure::Declared { message, .. } => Answered::Declared(message.clone()),
                Failure::Status(_) => Answered::Status,
            };
            (answered, Answer::Failure(failure))
        } else if streams_down(call.kind) {
            (Answered::End, Answer::End)
        } else {
            let reply = text(handler.call as u64, rng.pick(&[0, 10, 100, 2_000, 17_000]));
            let record = RecordBuilder::reply::<Plain, _>(key.id(), &reply).expect("it is a short text");
            (Answered::Reply(reply), Answer::Reply(record))
        };
        let result = self.session.answer(key, answer);
        assert_eq!(result.is_ok(), handler.is_live, "a call is answered once, if it is in flight");
        if let Ok(app) = result {
            assert_eq!(app, index, "a handler has answered another's call");
            handler.is_live = false;
            assert!(call.answered.replace(answered).is_none());
            call.items_down = handler.writer.as_ref().map_or(0, |writer| writer.items);
        }
        self.act();
    }

    /// Ends a call from outside its handler.
    pub(crate) fn fail(&mut self, index: usize, calls: &mut [Call]) {
        let handler = &self.handlers[index];
        let why = Status::deadline_exceeded("out of time").maybe_executed();
        if handler.is_live {
            calls[handler.call].answered = Some(Answered::Status);
        }
        self.session.fail(handler.key, &why);
        self.act();
        assert!(!self.handlers[index].is_live, "a call that was failed has not ended");
    }

    /// Has a handler write an item. Returns whether one was taken.
    pub(crate) fn write(&mut self, index: usize, rng: &mut Rng) -> bool {
        let handler = &mut self.handlers[index];
        let Some(writer) = &mut handler.writer else { return false };
        match writer.push(rng) {
            Poll::Ready(Ok(Pushed::First)) => self.session.announce(handler.key, &writer.stream),
            Poll::Ready(Ok(Pushed::Flush(item))) => self.session.flush(handler.key, &writer.stream, item),
            Poll::Ready(Ok(Pushed::Gathered)) => {}
            Poll::Ready(Err(_)) => {
                assert!(!handler.is_live, "the stream of a call in flight is closed");
                return false;
            }
            Poll::Pending => return false,
        }
        self.act();
        true
    }

    /// Has a handler read an item. Returns whether there was something.
    pub(crate) fn read_item(&mut self, index: usize, calls: &[Call], may_miss: bool) -> bool {
        let handler = &mut self.handlers[index];
        let Some(reader) = &mut handler.reader else { return false };
        let Some(credit) = reader.read(may_miss) else { return false };
        if credit > 0 {
            self.session.grant(handler.key, credit);
        }
        let writer = calls[handler.call].writer.as_ref().expect("its caller has a writer");
        match &reader.end {
            Some(Ok(())) => {
                assert!(writer.is_finished, "a stream ended well that its caller did not end");
                assert!(reader.items == writer.items || may_miss, "{} of {}", reader.items, writer.items);
            }
            Some(Err(Failure::Status(status))) => assert!(!status.message().contains("without credit")),
            _ => {}
        }
        self.act();
        true
    }

    pub(crate) fn timeout(&mut self, now: Instant) {
        let now = self.clock.advance(now);
        self.session.handle_timeout(now);
        self.act();
    }

    /// Takes a message to send, as long as the transport has room.
    pub(crate) fn transmit(&mut self, rng: &mut Rng) -> Option<Message> {
        if !self.session.wants_transmit() {
            return None;
        }
        let message = self.session.poll_transmit()?;
        if rng.one_in(8) {
            self.session.return_transmit(message);
            return None;
        }
        Some(message)
    }

    /// Checks what must hold at any time.
    pub(crate) fn check(&self) {
        let mut live = 0;
        for handler in &self.handlers {
            assert_eq!(self.session.is_in_flight(handler.key), handler.is_live);
            live += usize::from(handler.is_live);
        }
        assert_eq!(self.session.has_calls(), live > 0);
        assert!(!self.session.has_effects());
    }

    /// Returns the number of calls in flight, one-way calls among them.
    pub(crate) fn in_flight(&self) -> usize {
        self.handlers.iter().filter(|handler| handler.is_live).count() + self.notes_in_flight
    }

    /// Checks that a session that was closed holds nothing.
    pub(crate) fn check_closed(&mut self) {
        self.act();
        self.check();
        while self.notes_in_flight > 0 {
            self.end_note();
        }
        while self.session.wants_transmit() {
            assert!(
                self.session.poll_transmit().is_none(),
                "something is to be sent to a client that is gone"
            );
        }
        assert_eq!((self.in_flight(), self.session.waiting(), self.session.has_unread()), (0, 0, false));
        assert!(self.session.is_gone() && !self.session.is_busy());
    }
}

fn failure(rng: &mut Rng, handler: usize) -> Failure {
    let status = match rng.below(4) {
        0 => {
            let (body, message) = (vec![0xa1, b'e'].into(), format!("declared by {handler}"));
            return Failure::Declared { body, message };
        }
        1 => Status::not_found("handler"),
        2 => Status::internal("handler"),
        _ => Status::unavailable("handler"),
    };
    Failure::Status(status)
}
