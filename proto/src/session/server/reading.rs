//! What the records of a client's messages mean. Whatever is in a message, the worst that can happen is that it is answered with
//! an error and counted.

use std::time::Instant;

use super::Methods;
use super::admission::{Event, Origin};
use super::session::{Session, State};
use crate::status::{Cause, Failure, Status};
use crate::wire::{self, Batch, FirstRecord, Malformed, Record, RecordKind};

/// Records that are read before anything else gets its turn: handlers are polled in between, and the client has work to do with
/// the answers to the first while the others run.
const RECORDS_PER_TURN: usize = 128;

/// Maximum number of records of a batch. One of 128 KiB, at which a client should begin another, has fewer, however short they
/// are; and a batch holds up all other clients until it is done.
const MAX_RECORDS: usize = 512 * RECORDS_PER_TURN;

/// Maximum number of records of a message that are answered though they are of an unknown kind and of no call in flight. Nothing
/// waits for the answers to more, which are ten times as long as the records.
const MAX_ANSWERED_UNKNOWN: u32 = 64;

/// A message that is being read.
#[derive(Debug)]
pub(super) struct Reading {
    batch: Batch,
    /// When it came in.
    received: Instant,
    /// Where the next record begins.
    at: usize,
    /// Number of records that may still be read in this turn.
    turn: usize,
}

/// What reading one record came to.
enum Step {
    /// The session has seen to it, or there is an event.
    Done,
    /// There is no further record, or none that can be read.
    End,
}

impl<C: Default> Session<C> {
    /// Takes a message from the client, whose records [`Session::poll_event`] reads. A message before it must have been read: the
    /// rest of one that was not is dropped.
    #[inline]
    pub fn handle_message(&mut self, now: Instant, batch: Batch) {
        self.state.liveness.heard();
        self.records_read = 0;
        self.state.answered_unknown = 0;
        self.drop_reading();
        self.reading = Some(Reading { batch, received: now, at: 0, turn: RECORDS_PER_TURN });
    }

    /// Takes a message that can't be read, since it has frames that can't be attached to its batch.
    pub fn handle_unreadable(&mut self, why: &Malformed) {
        self.state.liveness.heard();
        self.records_read = 1;
        if !self.state.too_large(why) {
            self.state.malformed(why);
        }
        self.end_turn();
    }

    /// Says that a part of a long message has come or gone, by which the client, or a device on the way, shows that it lives. What
    /// the client was asked, or its answer, may be waiting behind that message.
    pub fn handle_part(&mut self) {
        if !self.state.liveness.is_given_up() {
            self.state.liveness.heard();
        }
    }

    /// Reads on until there is something for the application. Returns `None` at the end of the message, or of a turn: then
    /// [`Session::has_unread`], and others may be heard before this is called again.
    ///
    /// `now` is asked for the time only if a call has a deadline: reading the clock costs as much as reading a record.
    #[inline]
    pub fn poll_event(&mut self, methods: &Methods, now: impl Fn() -> Instant) -> Option<Event> {
        let state = &mut self.state;
        let reading = self.reading.as_mut()?;
        // Written in place: a call has more bytes than are cheap to move from function to function.
        let mut event = None;
        while reading.turn > 0 {
            reading.turn -= 1;
            let step = state.next(reading, methods, &now, &mut self.records_read, &mut event);
            if event.is_some() {
                state.queued();
                return event;
            }
            if let Step::End = step {
                self.drop_reading();
                self.end_turn();
                return event;
            }
        }
        reading.turn = RECORDS_PER_TURN;
        self.check_records();
        self.end_turn();
        event
    }

    /// Reports whether some of the last message was not read yet.
    #[must_use]
    #[inline]
    pub fn has_unread(&self) -> bool {
        self.reading.is_some()
    }

    /// Returns the number of records read so far of the message that came last. One that can't be read counts.
    #[must_use]
    #[inline]
    pub fn records_read(&self) -> usize {
        self.records_read
    }

    /// At the end of a turn: cuts a batch that has too many records, and lets go of one that is done.
    fn check_records(&mut self) {
        if self.reading.as_ref().is_some_and(|reading| reading.at >= reading.batch.bytes().len()) {
            self.drop_reading();
        } else if self.records_read >= MAX_RECORDS {
            self.drop_reading();
            self.state.too_many_records();
        }
    }

    /// At the end of a turn: keeps what waits within its bounds. Here and not at the end of the batch, which may ask for far more
    /// than it holds: also pongs and errors must not pile up for a client that never reads.
    fn end_turn(&mut self) {
        let state = &mut self.state;
        // What was queued after the last ping needs a proof of its own.
        if state.shared.is_flushing() && !state.outbox.is_empty() {
            state.ping();
        }
        if state.outbox.len() > state.shared.config().shed_at() {
            state.shed();
            // No call in the rest of the batch waits: the client has been told that all of its calls are over.
            self.drop_reading();
        }
        self.state.queued();
    }
}

impl<C> Session<C> {
    /// Lets go of the message that is being read. A user's bytes in it are dropped without the lock.
    #[inline]
    pub(super) fn drop_reading(&mut self) {
        if let Some(reading) = self.reading.take() {
            self.state.effects.discard_batch(reading.batch);
        }
    }
}

impl<C: Default> State<C> {
    /// Reads the next record.
    #[inline]
    fn next(
        &mut self,
        reading: &mut Reading,
        methods: &Methods,
        now: &impl Fn() -> Instant,
        records_read: &mut usize,
        event: &mut Option<Event>,
    ) -> Step {
        let Reading { batch, received, at, .. } = reading;
        let mut reader = match batch.records_from(*at) {
            Ok(reader) => reader,
            Err(malformed) => {
                *records_read += 1;
                return self.malformed(&malformed);
            }
        };
        let record = match reader.next() {
            Ok(Some(record)) => record,
            Ok(None) => return Step::End,
            Err(malformed) => {
                *records_read += 1;
                return self.malformed(&malformed);
            }
        };
        *at = reader.at();
        *records_read += 1;
        self.record(Origin { batch, received: *received }, record, methods, now, event);
        Step::Done
    }

    #[inline]
    fn record(
        &mut self,
        origin: Origin<'_>,
        record: Record<'_>,
        methods: &Methods,
        now: &impl Fn() -> Instant,
        event: &mut Option<Event>,
    ) {
        match record {
            Record::Call(call) => self.call(origin, call, methods, now, event),
            Record::OneWay(call) => self.one_way(origin, call, methods, now, event),
            Record::Items { id, items } => self.items(id, origin.batch, items),
            Record::End { id } => self.end_of_items(id),
            Record::Credit { id, bytes } => self.credit(id, bytes),
            Record::Cancel { id } => self.cancel(id),
            Record::Ping { id } => {
                let instance = self.shared.config().instance;
                self.outbox.record(|out| wire::pong_of_server(out, id, instance));
            }
            Record::Query { id } => self.query(id),
            Record::Pong { .. } => self.liveness.ponged(),
            // What only a server says; and an error that speaks of an answer of ours is not answered with another.
            Record::Reply { .. }
            | Record::Error { .. }
            | Record::ResponseMetadata { .. }
            | Record::GoingAway => {
                self.effects.count().unreadable += 1;
            }
            Record::Unknown { kind, id } => self.unknown_kind(kind, id),
        }
    }
}

impl<C> State<C> {
    /// Tells a client that a call is not in flight, unless it is. What ended a call left before this.
    fn query(&mut self, id: u64) {
        if id != 0 && self.calls.key(id).is_none() {
            let failure = Failure::Status(wire::not_in_flight());
            self.outbox.record(|out| wire::error(out, id, &failure));
        }
    }

    /// Answers a record of an unknown kind. What it asks for is not done, so a call that it belongs to must not look as
    /// if it were.
    fn unknown_kind(&mut self, kind: u64, id: u64) {
        self.effects.count().unreadable += 1;
        let status = wire::unknown_kind(kind);
        match self.calls.key(id) {
            Some(key) => self.fail(key, &status),
            None if self.answered_unknown < MAX_ANSWERED_UNKNOWN => {
                self.answered_unknown += 1;
                self.outbox.record(|out| wire::error(out, id, &Failure::Status(status)));
            }
            None => {}
        }
    }

    /// Takes a message that was too large to be kept. Returns `false` if it is not known which call the message belongs to. If it is
    /// known, other calls are none the worse.
    #[cold]
    fn too_large(&mut self, malformed: &Malformed) -> bool {
        let Malformed::TooLarge { first: Some(FirstRecord { kind, id }), bytes, max } = *malformed else {
            return false;
        };
        let what =
            |what| format!("the message of {what} has {bytes} bytes, and the server takes up to {max}");
        let status = |text| Status::resource_exhausted(text).caused_by(Cause::TooLarge);
        match kind {
            RecordKind::Call if id > 0 => self.refuse(id, status(what("the call")).not_sent()),
            RecordKind::OneWay => self.drop_one_way(),
            RecordKind::Items => {
                if let Some(key) = self.calls.key(id) {
                    self.fail(key, &status(what("an item")).maybe_executed());
                }
            }
            _ => return false,
        }
        true
    }

    /// Answers a message whose rest can't be read.
    #[cold]
    fn malformed(&mut self, malformed: &Malformed) -> Step {
        self.effects.count().unreadable += 1;
        self.outbox.record(|out| wire::error(out, 0, &Failure::Status(malformed.status())));
        Step::End
    }

    #[cold]
    fn too_many_records(&mut self) {
        self.effects.count().unreadable += 1;
        let what = format!("a batch of more than {MAX_RECORDS} records, as many as one may have");
        let failure =
            Failure::Status(Status::resource_exhausted(what).maybe_executed().caused_by(Cause::Protocol));
        self.outbox.record(|out| wire::error(out, 0, &failure));
    }
}
