//! What the records that a server sends mean to the calls of a session, and how callers take what they came to.

use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use super::call::{ClientCall, Ending};
use super::event::{Dropped, Event};
use super::session::Session;
use crate::codec::Body;
use crate::metadata::Metadata;
use crate::status::{Cause, Code, Failure, Outcome, Status};
use crate::wire::{self, Batch, FirstRecord, Malformed, Record, RecordKind};

/// How long a going-away record holds. It ends with the connection; but behind a device the connection outlives the
/// server, and a client that waited for it to end would never call again.
const GOING_AWAY: Duration = Duration::from_secs(5);

impl Session {
    /// Takes a message of the server's from byte `at` on, until `max_wakes` tasks are to be woken. Returns where the
    /// next record begins, or `None` if all of it was taken. Whatever is in the message, the worst that can happen is
    /// that calls fail.
    pub fn handle_message(
        &mut self,
        batch: &Batch,
        at: usize,
        max_wakes: usize,
        now: Instant,
    ) -> Option<usize> {
        self.heard();
        self.take_records(batch, at, max_wakes, now).unwrap_or_else(|malformed| {
            self.fail_unreadable(&malformed, now);
            None
        })
    }

    /// Says that a message of the server's has arrived that can't be read at all.
    pub fn handle_unreadable(&mut self, what: &Malformed, now: Instant) {
        self.heard();
        if !self.too_large_to_keep(what, now) {
            self.fail_unreadable(what, now);
        }
    }

    fn heard(&mut self) {
        if let Some(liveness) = &mut self.liveness {
            liveness.heard();
        }
    }

    /// Takes a message that was too large to be kept. Returns `false` if it is not known which call the message belongs to.
    #[cold]
    fn too_large_to_keep(&mut self, what: &Malformed, now: Instant) -> bool {
        let Malformed::TooLarge { first: Some(FirstRecord { kind, id }), bytes, max } = *what else {
            return false;
        };
        let Ok(id) = u32::try_from(id) else { return false };
        let status = |what| {
            let what = format!("the message of {what} has {bytes} bytes, and this client takes up to {max}");
            Status::resource_exhausted(what).caused_by(Cause::TooLarge)
        };
        match kind {
            RecordKind::Reply => self.end(id, Err(Failure::Status(status("the answer"))), now),
            RecordKind::Items => self.cancel_open(id, status("an item").maybe_executed(), now),
            _ => return false,
        }
        true
    }

    /// Ends every call that has left: what else was in the message can't be known, so none may wait for it.
    fn fail_unreadable(&mut self, what: &Malformed, now: Instant) {
        let why = Status::unknown(format!("the server at `{}` sent {what}", self.config.endpoint));
        self.fail_sent(&why.caused_by(Cause::Protocol), now);
        self.dropped(Dropped::Unreadable, 1);
    }

    /// Takes records of a batch from byte `at` on, up to one that can't be read, or until `max_wakes` tasks are to be
    /// woken. Returns where the next record begins, if there is one.
    fn take_records(
        &mut self,
        batch: &Batch,
        at: usize,
        max_wakes: usize,
        now: Instant,
    ) -> Result<Option<usize>, Malformed> {
        let mut reader = batch.records_from(at)?;
        while self.wakers.len() < max_wakes {
            let Some(record) = reader.next()? else { return Ok(None) };
            self.take_record(batch, record, now);
        }
        Ok((reader.at() < batch.bytes().len()).then_some(reader.at()))
    }

    #[inline]
    fn take_record(&mut self, batch: &Batch, record: Record<'_>, now: Instant) {
        match record {
            Record::Reply { id, body } => with_id(id, |id| {
                self.answered(id);
                self.succeeded(now);
                self.replied(id, batch.body(body), now);
            }),
            Record::Error { id: 0, failure } => self.connection_error(&failure, now),
            Record::Error { id, failure } => with_id(id, |id| {
                self.answered(id);
                self.classify(&failure, now);
                self.end(id, Err(failure), now);
            }),
            Record::Items { id, items } => with_id(id, |id| self.items(id, batch, items, now)),
            Record::End { id } => with_id(id, |id| {
                self.answered(id);
                self.succeeded(now);
                self.ended(id, now);
            }),
            Record::Credit { id, bytes } => with_id(id, |id| self.credit(id, bytes)),
            Record::Ping { id } if self.has_room_to_answer() => {
                self.outbox.record(|out| wire::pong(out, id));
            }
            // A server that does not read what it asks for has no use for an answer.
            Record::Ping { .. } => self.dropped(Dropped::Pong, 1),
            Record::Pong { id, instance } => {
                with_id(id, |id| {
                    self.answered(id);
                    self.ponged(id, now);
                });
                self.meet(instance);
            }
            Record::ResponseMetadata { id, metadata } => {
                with_id(id, |id| self.response_metadata(id, metadata, now));
            }
            Record::GoingAway => self.going_away(now),
            Record::Unknown { kind, id: 0 } => self.fail_sent(&wire::unknown_kind(kind), now),
            Record::Unknown { kind, id } => with_id(id, |id| self.unknown_kind(kind, id, now)),
            // Only a client says these.
            Record::Call(_) | Record::OneWay(_) | Record::Cancel { .. } | Record::Query { .. } => {}
        }
    }

    /// Says that the server has answered a call: it reads in order, so it has read the one-way calls before that.
    #[inline]
    fn answered(&mut self, id: u32) {
        if let Some(call) = self.calls.get(id) {
            self.one_way.read_to(call.one_way_before);
        }
    }

    /// Counts an answer of the server.
    #[inline]
    fn succeeded(&mut self, now: Instant) {
        if self.health.succeeded(now) {
            self.changed();
        }
    }

    /// Counts a failure that speaks of the server.
    #[cold]
    fn failed(&mut self, now: Instant) {
        if self.health.failed(now) {
            self.changed();
        }
    }

    /// Says that something has changed, once for all records of a message.
    fn changed(&mut self) {
        if self.events.back() != Some(&Event::Changed) {
            self.events.push_back(Event::Changed);
        }
    }

    /// Takes from a failed call what it says of the server.
    fn classify(&mut self, failure: &Failure, now: Instant) {
        let Failure::Status(status) = failure else { return self.succeeded(now) };
        match status.code() {
            // A device does not pass on that the connection behind it is another, so a server that goes away says so
            // with every call.
            Code::Unavailable if status.cause() == Some(Cause::GoingAway) => {
                if status.outcome() == Outcome::NotSent {
                    self.going_away(now);
                }
            }
            // A server that has just begun, or a router that has no worker: as good as any.
            Code::Unavailable if status.speaks_of_others() => {}
            Code::Unavailable | Code::Internal => self.failed(now),
            _ => self.succeeded(now),
        }
    }

    /// Says that the server takes no new calls.
    pub(super) fn going_away(&mut self, now: Instant) {
        if self.phase.going_away(now + GOING_AWAY) {
            self.changed();
            self.queue.collect_all(&mut self.wakers);
        }
    }

    /// Ends every call that has left: the server could not read a message, and can't say which calls were in it.
    fn connection_error(&mut self, failure: &Failure, now: Instant) {
        let why = match failure {
            Failure::Status(status) => status.clone(),
            Failure::Declared { message, .. } => Status::unknown(message.clone()),
        };
        self.fail_sent(&why, now);
    }

    /// Ends a call of which the server said something that this side does not understand: it can't go on.
    fn unknown_kind(&mut self, kind: u64, id: u32, now: Instant) {
        if self.calls.get(id).is_some_and(ClientCall::is_open) {
            self.cancel(id, wire::unknown_kind(kind), now);
        }
    }

    /// Takes the number of the server's life from a pong. Where it is another than before, a server may have been started anew
    /// behind a device, and know none of the calls: it is asked. Calls may be in flight that this very server has, so none is ended
    /// before it has answered. Where there is no room to ask, the next pong finds the other life again.
    fn meet(&mut self, instance: Option<u64>) {
        if self.has_room_to_answer() && self.instance.is_another(instance) {
            for id in self.open_ids() {
                self.outbox.record(|out| wire::query(out, u64::from(id)));
            }
        }
    }

    /// Keeps what the server has sent beside its answer, if the caller has asked for it.
    #[cold]
    fn response_metadata(&mut self, id: u32, metadata: Metadata, now: Instant) {
        let response =
            self.calls.get(id).filter(|call| call.is_open()).and_then(|call| call.response.as_ref());
        if let Some(Err(excess)) = response.map(|response| response.add(metadata)) {
            let why = Status::resource_exhausted(excess).maybe_executed().caused_by(Cause::Protocol);
            self.cancel(id, why, now);
        }
    }

    fn items(&mut self, id: u32, batch: &Batch, items: &[u8], now: Instant) {
        let Some(inbound) = self.calls.get(id).and_then(|call| call.streams.inbound.as_ref()) else { return };
        if let Ok(waker) = inbound.receive(batch, items) {
            self.wakers.extend(waker);
        } else {
            let why = Status::resource_exhausted("the server sent items of its stream without credit");
            self.cancel(id, why.maybe_executed().caused_by(Cause::Protocol), now);
        }
    }
}

/// How a record ends a call, and how its caller takes that.
impl Session {
    /// Returns how a call ended, once it has; it is forgotten then. A call that is not known was given up from this side.
    #[inline]
    pub fn poll_reply(&mut self, id: u32, context: &Context<'_>) -> Poll<Result<Body, Failure>> {
        let Some(call) = self.calls.get_mut(id) else { return Poll::Ready(Err(given_up())) };
        let reply = call.poll_reply(context);
        if reply.is_ready() {
            self.remove_call(id);
        }
        reply
    }

    /// Ends a call; only the first time counts.
    #[inline]
    pub(super) fn end(&mut self, id: u32, result: Result<Body, Failure>, now: Instant) {
        let Some(call) = self.calls.get_mut(id) else { return };
        self.open -= usize::from(call.is_open());
        let asked = self.one_way.ended(id, result.is_ok());
        if call.end(result, &mut self.wakers) || asked {
            self.remove_call(id);
        }
        if asked && self.phase.is_ready() {
            // Callers that wait for room would not be woken by anything else.
            self.ask_for_one_way(now);
            // Of calls that began while the ping was on its way.
            self.check_no_later_than(self.one_way.ask_at());
        }
    }

    /// Ends a call that was answered with a value.
    #[inline]
    pub(super) fn replied(&mut self, id: u32, body: Body, now: Instant) {
        let Some(call) = self.calls.get(id) else { return };
        let result = match call.ending() {
            Ending::Reply if body.len() > self.config.max_body => Err(self.too_large(&body)),
            Ending::Reply => Ok(body),
            Ending::End | Ending::Pong => Err(call.wrong_answer("a reply")),
        };
        self.end(id, result, now);
    }

    #[cold]
    fn too_large(&self, body: &Body) -> Failure {
        let (size, max) = (body.len(), self.config.max_body);
        let what = format!("the answer has {size} bytes, and this client takes up to {max}");
        Failure::Status(Status::resource_exhausted(what).caused_by(Cause::TooLarge))
    }

    /// Ends a call whose stream the server has ended.
    pub(super) fn ended(&mut self, id: u32, now: Instant) {
        let Some(call) = self.calls.get(id) else { return };
        let result = match call.ending() {
            Ending::End => Ok(Body::default()),
            Ending::Reply | Ending::Pong => Err(call.wrong_answer("the end of a stream")),
        };
        self.end(id, result, now);
    }

    /// Ends a ping. A pong of any other id is ignored.
    pub(super) fn ponged(&mut self, id: u32, now: Instant) {
        if self.calls.get(id).is_some_and(|call| call.ending() == Ending::Pong) {
            self.end(id, Ok(Body::default()), now);
        }
    }
}

#[cold]
fn given_up() -> Failure {
    Failure::Status(Status::cancelled("the call was given up").maybe_executed())
}

/// Runs `then` for an id that a call of this side can have.
fn with_id(id: u64, then: impl FnOnce(u32)) {
    if let Ok(id) = u32::try_from(id) {
        then(id);
    }
}
