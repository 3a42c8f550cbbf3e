//! What the client's tasks do: they begin calls, read and write streams, and give calls up.

use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use zsvc_proto::flow::{InboundStream, OutboundStream, Pushed};
use zsvc_proto::metadata::Metadata;
use zsvc_proto::session::Deadline;
use zsvc_proto::session::client::{CallRecord, NewCall, Phase, Streams, Wait};
use zsvc_proto::status::{Outcome, Status};
use zsvc_proto::wire::{INITIAL_CREDIT, RecordBuilder};

use crate::model::{Call, Ended, METHODS, NOTE, PING, Waiter, ready, streams_down, streams_up};
use crate::stream::{Poller, Reader, Writer, text};
use crate::world::World;

/// Windows in bytes of the client's streams.
const WINDOWS: [u64; 4] = [1, 100, 3_000, 100_000];

impl World {
    /// Begins a call of a random kind, or waits for room.
    pub(crate) fn begin(&mut self) {
        let rng = &mut self.rng;
        let kind = rng.pick(&[0, 0, 1, 1, 2, 3, 3, NOTE, NOTE, PING]);
        let millis =
            rng.pick(&[None, None, None, None, None, None, Some(0), Some(20), Some(3_000), Some(60_000)]);
        let deadline = millis.and_then(|after| Deadline::within(self.now, Duration::from_millis(after)));
        if kind == PING && self.client.phase() == Phase::Ready && rng.one_in(2) {
            // Past the queue.
            self.ping(deadline);
            return self.wake();
        }
        let wait = Wait { deadline, for_ready: rng.one_in(2) };
        self.waiters.push(Waiter { kind, deadline, wait, ticket: None, poller: Poller::default() });
        self.retry(self.waiters.len() - 1);
    }

    /// Has a caller that waits for room look once more.
    pub(crate) fn retry(&mut self, index: usize) {
        let waiter = &mut self.waiters[index];
        // A server's word that it goes away may end just because time passes.
        let may_enter = waiter.poller.is_woken() || matches!(self.client.phase(), Phase::GoingAway { .. });
        if let Err(status) = self.client.check_ready(&mut waiter.ticket, waiter.wait, self.now) {
            assert_eq!((status.outcome(), waiter.ticket), (Outcome::NotSent, None));
            self.waiters.swap_remove(index);
            return self.wake();
        }
        let (ticket, at) = (&mut waiter.ticket, waiter.deadline.map(|deadline| deadline.at));
        let waker = waiter.poller.asleep();
        let context = std::task::Context::from_waker(&waker);
        if self.client.poll_room(&context, ticket, at, self.now).is_ready() {
            assert!(may_enter, "a wake-up was lost: a caller has room, and was not woken");
            let waiter = self.waiters.swap_remove(index);
            match waiter.kind {
                NOTE => self.send_note(waiter.deadline),
                PING => self.ping(waiter.deadline),
                kind => self.begin_call(kind, waiter.deadline),
            }
        }
        self.wake();
    }

    fn send_note(&mut self, deadline: Option<Deadline>) {
        let padding = self.rng.pick(&[0, 100, 20_000]);
        let params = text(self.notes, padding);
        self.notes += 1;
        let record = RecordBuilder::call(METHODS[NOTE].name(), true, &params).expect("it is a short text");
        self.client.begin_one_way(deadline, &Metadata::default(), CallRecord::Once(record), self.now);
    }

    fn ping(&mut self, deadline: Option<Deadline>) {
        let id = self.client.begin_ping(deadline, self.now);
        self.keep_call(PING, id, deadline, Poller::default(), Streams::default(), 0);
    }

    fn begin_call(&mut self, kind: usize, deadline: Option<Deadline>) {
        let (window, padding) = (self.rng.pick(&WINDOWS), self.rng.pick(&[0, 10, 500, 17_000]));
        let streams = Streams {
            inbound: streams_down(kind).then(|| Arc::new(InboundStream::new(window))),
            outbound: streams_up(kind).then(|| Arc::new(OutboundStream::new(INITIAL_CREDIT))),
        };
        let method = METHODS[kind].name();
        let params = text(self.calls.len() as u64, padding);
        let mut record = RecordBuilder::call(method, false, &params).expect("it is a short text");
        let poller = Poller::default();
        let waker = self.rng.one_in(2).then(|| poller.asleep());
        let credit = streams_down(kind).then_some(window);
        let (metadata, waker) = (&Metadata::default(), waker.as_ref());
        let call = NewCall { method, deadline, metadata, response: None, streams: &streams, credit, waker };
        let record =
            if self.rng.one_in(2) { CallRecord::Kept(&mut record) } else { CallRecord::Once(record) };
        let id = self.client.begin_call(call, record, self.now);
        self.keep_call(kind, id, deadline, poller, streams, window);
    }

    fn keep_call(
        &mut self,
        kind: usize,
        id: u32,
        deadline: Option<Deadline>,
        poller: Poller,
        streams: Streams,
        window: u64,
    ) {
        assert!(
            !self.calls.iter().any(|call| call.is_open() && call.id == id),
            "two calls in flight have the same id"
        );
        self.calls.push(Call {
            kind,
            id,
            deadline: deadline.map(|deadline| deadline.at),
            poller: Arc::new(poller),
            reader: streams.inbound.map(|inbound| Reader::new(inbound, window)),
            writer: streams.outbound.map(|outbound| Writer::new(outbound, u64::from(id))),
            ended: None,
            was_seen: false,
            answered: None,
            items_down: 0,
        });
    }

    /// Has the caller of a call look whether it was answered, or read one item. Returns whether there was something.
    pub(crate) fn look(&mut self, index: usize) -> bool {
        let call = &mut self.calls[index];
        if call.reader.is_some() {
            return self.read_item(index);
        }
        if !call.is_open() {
            return false;
        }
        let poller = Arc::clone(&call.poller);
        let poll = poller.poll("a reply", |context| self.client.poll_reply(call.id, context));
        let reply = ready(poll);
        let is_ready = reply.is_some();
        if let Some(reply) = reply {
            call.end(reply);
        }
        self.wake();
        is_ready
    }

    fn read_item(&mut self, index: usize) -> bool {
        let (call, may_miss) = (&mut self.calls[index], self.kind.may_miss);
        let Some(reader) = &mut call.reader else { return false };
        let Some(credit) = reader.read(may_miss) else { return false };
        if credit > 0 {
            self.client.grant(u64::from(call.id), credit);
        }
        if reader.end.is_some() {
            call.end_of_items(may_miss);
        }
        self.wake();
        true
    }

    /// Has a caller write an item. Returns whether it was taken.
    pub(crate) fn write(&mut self, index: usize) -> bool {
        let call = &mut self.calls[index];
        let (id, is_down) = (u64::from(call.id), call.reader.is_some());
        let Some(writer) = call.writer.as_mut().filter(|writer| !writer.is_finished) else { return false };
        let taken = match writer.push(&mut self.rng) {
            Poll::Ready(Ok(Pushed::First)) => {
                assert!(self.client.announce(id, &writer.stream), "a stream is open whose call has ended");
                true
            }
            Poll::Ready(Ok(Pushed::Flush(item))) => {
                let flushed = self.client.flush(id, &writer.stream, item);
                assert!(flushed.is_ok(), "a stream is open whose call has ended");
                true
            }
            Poll::Ready(Ok(Pushed::Gathered)) => true,
            // The call has ended, which its caller learns from its reply or its stream.
            Poll::Ready(Err(_)) | Poll::Pending => false,
        };
        debug_assert_eq!(is_down, streams_down(self.calls[index].kind));
        self.wake();
        taken
    }

    /// Ends the stream of a caller.
    pub(crate) fn finish(&mut self, index: usize) {
        let call = &mut self.calls[index];
        if let Some(writer) = call.writer.as_mut().filter(|writer| !writer.is_finished) {
            writer.is_finished = true;
            self.client.finish(u64::from(call.id), &writer.stream);
        }
        self.wake();
    }

    /// Gives a call up, whether or not it has ended.
    pub(crate) fn abandon(&mut self, index: usize) {
        let call = &mut self.calls[index];
        let was_open = self.client.abandon(call.id, "given up");
        assert!(!was_open || call.is_open(), "a call was in flight of which its caller knew the end");
        call.ended.get_or_insert(Ended::GivenUp);
        self.wake();
    }

    /// Ends a call whose caller still wants to know how.
    pub(crate) fn cancel(&mut self, index: usize) {
        let why = Status::cancelled("replaced").maybe_executed();
        self.client.cancel_open(self.calls[index].id, why, self.now);
        self.wake();
    }
}
