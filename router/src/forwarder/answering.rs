//! What the records of workers mean.

use std::time::Instant;

use zsvc_proto::status::{Cause, Code, Failure, Outcome, Status};
use zsvc_proto::wire::{self, Batch, Malformed, RawRecord, RecordKind, unknown_kind};

use super::calling::signed;
use super::entries::{Flight, FlightKey, Place, WorkerKey};
use super::reading::{Portion, read};
use super::{Forwarder, refusals};

/// Maximum number of bytes of response metadata of a call that are passed on. More than a caller takes, which ends the call.
const MAX_METADATA: usize = 64 * 1024;

impl<H: Clone> Forwarder<H> {
    /// Takes a message of a worker, or what is wrong with one.
    pub fn handle_worker_message(
        &mut self,
        key: WorkerKey<H>,
        message: Result<&Batch, &Malformed>,
        now: Instant,
    ) {
        read(message, |portion| self.handle_worker(key, portion, now));
    }

    /// Takes a part of a message of a worker. [`read`] makes them.
    pub fn handle_worker(&mut self, key: WorkerKey<H>, portion: Portion<'_, '_>, now: Instant) {
        self.hear_worker(key, now);
        match portion {
            Portion::Records(records) => {
                for record in records {
                    self.worker_record(key, record, now);
                }
            }
            Portion::Unreadable(malformed) => {
                self.counters.malformed += 1;
                self.take_unreadable(key, malformed, now);
            }
            // Each that it has had told is done; the others wait for their deadlines.
            Portion::TooMany => self.counters.malformed += 1,
        }
    }

    /// Ends the call of a message that is too large; of any other that can't be read, all that have left, since their answers may have
    /// been in it.
    fn take_unreadable(&mut self, key: WorkerKey<H>, malformed: &Malformed, now: Instant) {
        let why = malformed.status();
        if let Malformed::TooLarge { first: Some(first), .. } = malformed
            && first.id != 0
        {
            let Some(flight) = self.flight_at(key, first.id) else {
                // Its call has ended meanwhile; no other call is in the message of a large record.
                self.counters.stray += 1;
                return;
            };
            let is_reply = first.kind == RecordKind::Reply;
            let outcome = if is_reply { Outcome::Executed } else { Outcome::MaybeExecuted };
            return self.end_call(flight, &why.with_outcome(outcome), now);
        }
        let why =
            Status::unknown(format!("a message of the worker can't be read: {malformed}")).maybe_executed();
        self.end_sent(key, &why, now);
    }

    /// Returns the call with an id, if this worker has it. A worker may say nothing of other workers' calls.
    fn flight_at(&self, key: WorkerKey<H>, id: u64) -> Option<FlightKey<H>> {
        let flight = FlightKey::from_number(id);
        let is_its = |flight: &&Flight<H>| matches!(flight.place, Place::At(worker) if worker == key);
        self.flights.get(flight).filter(is_its).map(|_| flight)
    }

    fn worker_record(&mut self, key: WorkerKey<H>, record: &RawRecord<'_>, now: Instant) {
        match record.kind() {
            RecordKind::Ping => self.pong(key, record.id()),
            RecordKind::Pong => {
                self.worker_pong(key, record.id(), now);
                self.meet_worker(key, record.instance(), now);
            }
            RecordKind::GoingAway => self.handle_worker_going_away(key, now),
            RecordKind::Error if record.id() == 0 => self.connection_error(key, record, now),
            RecordKind::Call | RecordKind::OneWay | RecordKind::Cancel | RecordKind::Query => {
                self.counters.malformed += 1;
            }
            RecordKind::Other(kind) if kind >= 64 => {}
            _ => match self.flight_at(key, record.id()) {
                Some(flight) => self.answer_record(key, flight, record, now),
                None => self.counters.stray += 1,
            },
        }
    }

    fn answer_record(
        &mut self,
        key: WorkerKey<H>,
        flight: FlightKey<H>,
        record: &RawRecord<'_>,
        now: Instant,
    ) {
        match record.kind() {
            RecordKind::Reply if record.body_len() > self.max_body => {
                self.succeeded(key, now);
                let why = refusals::body_too_large("the answer", record.body_len(), self.max_body);
                self.tell_and_finish(flight, &why.with_outcome(Outcome::Executed), now);
            }
            RecordKind::Reply | RecordKind::End => {
                self.succeeded(key, now);
                self.pass_back(flight, record);
                self.finish(flight, now);
            }
            RecordKind::Error => self.failed_call(key, flight, record, now),
            RecordKind::Items => self.worker_items(key, flight, record, now),
            RecordKind::Credit => {
                if let Some(entry) = self.flights.get_mut(flight) {
                    entry.up_kept = entry.up_kept.saturating_add(record.credit());
                }
                self.pass_credit_to_caller(flight);
            }
            RecordKind::ResponseMetadata => {
                let Some(entry) = self.flights.get_mut(flight) else { return };
                entry.metadata += record.rest().len();
                if entry.metadata <= MAX_METADATA {
                    self.pass_back(flight, record);
                }
            }
            RecordKind::Other(kind) => {
                self.counters.malformed += 1;
                self.end_call(flight, &unknown_kind(kind), now);
            }
            // Seen to before.
            _ => {}
        }
    }

    /// Passes a record on to the caller of its call.
    fn pass_back(&mut self, key: FlightKey<H>, record: &RawRecord<'_>) {
        let Some(flight) = self.flights.get(key) else { return };
        let (caller_key, id) = (flight.caller, flight.caller_id);
        let Some(caller) = self.callers.get_mut(caller_key) else { return };
        caller.outbox.forward(record, id, None);
        self.list_caller(caller_key);
        self.shed_if_unread(caller_key);
    }

    fn worker_items(
        &mut self,
        key: WorkerKey<H>,
        flight_key: FlightKey<H>,
        record: &RawRecord<'_>,
        now: Instant,
    ) {
        let Some(before) = self.flights.get(flight_key).map(|flight| flight.down) else { return };
        let bytes = record.body_len();
        if bytes == 0 {
            return;
        }
        if before <= 0 {
            self.counters.malformed += 1;
            let why = refusals::worker_without_credit(self.name_of(key));
            return self.end_call(flight_key, &why, now);
        }
        self.set_down(flight_key, before.saturating_sub(signed(bytes as u64)));
        self.pass_back(flight_key, record);
        self.pass_credit_to_worker(flight_key);
    }

    /// Passes the failure of a call on, and takes from it what it says of the worker.
    fn failed_call(&mut self, key: WorkerKey<H>, flight: FlightKey<H>, record: &RawRecord<'_>, now: Instant) {
        let status = match record.failure() {
            Some(Failure::Status(status)) => Some(status),
            Some(Failure::Declared { .. }) | None => None,
        };
        let is_of_worker =
            |status: &Status| status.code() == Code::Unavailable && status.cause() == Some(Cause::GoingAway);
        match status {
            Some(status) if is_of_worker(&status) && status.outcome() == Outcome::NotSent => {
                self.handle_worker_going_away(key, now);
                let why = refusals::worker_goes_away(self.name_of(key));
                self.tell_and_finish(flight, &why, now);
            }
            Some(status) if is_of_worker(&status) => {
                let why = Status::unavailable(status.message()).with_outcome(status.outcome());
                self.tell_and_finish(flight, &why, now);
            }
            Some(status) => {
                match status.code() {
                    Code::Unavailable if status.speaks_of_others() => {}
                    Code::Unavailable | Code::Internal => self.failed(key, now),
                    _ => self.succeeded(key, now),
                }
                self.pass_back(flight, record);
                self.finish(flight, now);
            }
            None => {
                self.succeeded(key, now);
                self.pass_back(flight, record);
                self.finish(flight, now);
            }
        }
    }

    fn succeeded(&mut self, key: WorkerKey<H>, now: Instant) {
        if let Some(worker) = self.workers.get_mut(key)
            && worker.health.succeeded(now)
        {
            self.start_slowly(key, now);
            self.welcome(key, now);
        }
    }

    fn failed(&mut self, key: WorkerKey<H>, now: Instant) {
        if let Some(worker) = self.workers.get_mut(key) {
            let is_ejected = worker.health.failed(now);
            self.counters.ejections += u64::from(is_ejected);
            if is_ejected && self.queued > 0 {
                // Other workers have its keys now.
                self.run_queued_of(key, now);
            }
        }
    }

    /// Ends all calls that have left: the worker could not read a message, and can't say which calls were in it.
    fn connection_error(&mut self, key: WorkerKey<H>, record: &RawRecord<'_>, now: Instant) {
        let why = match record.failure() {
            Some(Failure::Status(status)) => status,
            Some(Failure::Declared { message, .. }) => Status::unknown(message),
            None => return,
        };
        self.end_sent(key, &Status::new(why.code(), why.message()).maybe_executed(), now);
    }

    /// Answers a ping, unless the worker does not read the answers.
    fn pong(&mut self, key: WorkerKey<H>, id: u64) {
        let limit = self.limits.max_unsent_per_worker;
        let Some(worker) = self.workers.get_mut(key).filter(|worker| worker.outbox.len() < 2 * limit) else {
            return;
        };
        worker.outbox.record(|out| wire::pong(out, id));
        self.list_worker(key);
    }

    fn worker_pong(&mut self, key: WorkerKey<H>, id: u64, now: Instant) {
        let has_room = self.workers.get_mut(key).is_some_and(|worker| worker.one_ways.answered(id));
        if has_room && self.queued > 0 {
            self.run_queued_of(key, now);
        }
    }
}
