//! What the records of callers mean.

use std::time::{Duration, Instant};

use zsvc_proto::metadata::Metadata;
use zsvc_proto::session::server::Shares;
use zsvc_proto::status::{Failure, Status};
use zsvc_proto::wire::{
    self, Batch, INITIAL_CREDIT, Malformed, RawRecord, RecordKind, not_in_flight, unknown_kind,
};

use super::entries::{Caller, CallerKey, Flight, FlightKey, Place, WorkerKey};
use super::placing::Ask;
use super::reading::{MAX_RECORDS, Portion, read};
use super::{Forwarder, refusals};
use crate::quota::Taken;
use crate::rights::Rights;

/// Longest deadline, and longest wait, that is kept; a longer one is as good as none.
pub(super) const LONGEST: Duration = Duration::from_secs(10 * 365 * 24 * 3_600);

/// Maximum number of bytes of a call beside its body: its method, metadata and options. Metadata within its limits fits.
const MAX_BESIDE_BODY: usize = 2 * Metadata::MAX_BYTES;

/// Short items share a record, which so may be longer than the longest item.
pub(super) const SHORT_ITEMS: usize = 64 * 1024;

impl<H: Clone> Forwarder<H> {
    /// Takes a message of a caller, or what is wrong with one.
    pub fn handle_caller_message(
        &mut self,
        key: CallerKey<H>,
        message: Result<&Batch, &Malformed>,
        now: Instant,
    ) {
        read(message, |portion| self.handle_caller(key, portion, now));
    }

    /// Takes a part of a message of a caller. [`read`] makes them.
    pub fn handle_caller(&mut self, key: CallerKey<H>, portion: Portion<'_, '_>, now: Instant) {
        if let Some(caller) = self.callers.get_mut(key) {
            caller.signs.heard(now);
        }
        match portion {
            Portion::Records(records) => {
                for record in records {
                    self.caller_record(key, record, now);
                }
            }
            Portion::Unreadable(malformed) => {
                self.counters.malformed += 1;
                self.tell_unreadable(key, malformed, now);
            }
            Portion::TooMany => {
                self.counters.malformed += 1;
                self.tell(key, 0, &refusals::too_many_records(MAX_RECORDS));
            }
        }
    }

    /// Answers a message that can't be read. A call that is too large is told so; else nothing is known of the message.
    fn tell_unreadable(&mut self, key: CallerKey<H>, malformed: &Malformed, now: Instant) {
        let why = malformed.status();
        let Malformed::TooLarge { first: Some(first), .. } = malformed else {
            return self.tell(key, 0, &why);
        };
        match first.kind {
            RecordKind::Call => self.tell(key, first.id, &why.not_sent()),
            RecordKind::OneWay => self.counters.dropped_one_way += 1,
            RecordKind::Items => {
                if let Some(flight) = self.flight_of(key, first.id) {
                    self.end_call(flight, &why, now);
                }
            }
            _ => self.tell(key, 0, &why),
        }
    }

    fn caller_record(&mut self, key: CallerKey<H>, record: &RawRecord<'_>, now: Instant) {
        let id = record.id();
        match record.kind() {
            RecordKind::Call => self.call(key, record, now),
            RecordKind::OneWay => self.one_way(key, record, now),
            RecordKind::Items => self.caller_items(key, record, now),
            RecordKind::End => self.caller_end(key, record),
            RecordKind::Credit => self.caller_credit(key, record),
            RecordKind::Cancel => self.cancel(key, id, now),
            RecordKind::Ping => {
                let instance = self.instance;
                self.answer(key, |out| wire::pong_of_server(out, id, instance));
            }
            // Another one was asked for as a sign of life.
            RecordKind::Pong if id == 0 => {
                if let Some(caller) = self.callers.get_mut(key) {
                    caller.pings = caller.pings.saturating_sub(1);
                }
            }
            RecordKind::Query if self.flight_of(key, id).is_none() => self.tell(key, id, &not_in_flight()),
            RecordKind::Other(kind) if kind < 64 => {
                self.counters.malformed += 1;
                match self.flight_of(key, id) {
                    Some(flight) => self.end_call(flight, &unknown_kind(kind), now),
                    None => self.tell(key, id, &unknown_kind(kind)),
                }
            }
            // Those that may be skipped, and those that a server alone may send.
            _ => {}
        }
    }

    /// Returns the call that a caller knows by an id.
    pub(super) fn flight_of(&self, key: CallerKey<H>, id: u64) -> Option<FlightKey<H>> {
        self.callers.get(key)?.calls.get(&id).copied()
    }

    fn call(&mut self, key: CallerKey<H>, record: &RawRecord<'_>, now: Instant) {
        let id = record.id();
        let begun = self.admit(key, record).and_then(|service| {
            // First, since looking for a key takes time.
            let taken = self.take_from_quota(key, record, now)?;
            let shard = self.shards.key_of(record)?;
            self.begin(key, (service, shard), record, taken, now)
        });
        let flight = match begun {
            Ok(flight) => flight,
            Err(why) => {
                self.counters.refused += 1;
                return self.tell(key, id, &why);
            }
        };
        if let Err(why) = self.place(flight, record, true, now) {
            self.refuse(flight, &why);
        }
    }

    /// Returns the service of a call that may be made. The order of the checks is that of the protocol's table of errors.
    fn admit(&mut self, key: CallerKey<H>, record: &RawRecord<'_>) -> Result<usize, Status> {
        let limits = &self.limits;
        let Some(caller) = self.callers.get(key) else { return Err(refusals::going_away()) };
        let id = record.id();
        if id == 0 {
            return Err(refusals::id_of_none());
        }
        if caller.calls.len() >= limits.max_calls_per_caller {
            return Err(refusals::too_many_of_caller(limits.max_calls_per_caller));
        }
        if caller.outbox.len() >= limits.max_unsent_per_caller {
            return Err(refusals::too_much_unread(limits.max_unsent_per_caller));
        }
        if caller.calls.contains_key(&id) {
            return Err(refusals::id_in_use(id));
        }
        let shares = Shares { max: limits.max_calls, taken: self.flights.len(), clients: self.calling };
        if shares.room_for(caller.calls.len()).is_err() {
            return Err(refusals::too_many_calls(limits.max_calls));
        }
        let method = record.method().unwrap_or_default();
        let service = match caller.bound_for {
            // The services that every server has are none that the router knows it by.
            Some(worker) => self.served(caller.realm, method).or_else(|| self.any_service_of(worker)),
            None => self.service_of(caller.realm, method),
        };
        let service = service.ok_or_else(|| refusals::no_such_service(method))?;
        if !self.may_call(caller, service, method) {
            return Err(refusals::forbidden(method, caller.rights.is_known()));
        }
        if self.is_draining {
            return Err(refusals::going_away());
        }
        if record.time_left() == Some(Duration::ZERO) {
            return Err(refusals::too_late());
        }
        self.fits(record)?;
        self.may_publish_now(caller, service, record).map(|()| service)
    }

    /// Checks the size of a call.
    fn fits(&self, record: &RawRecord<'_>) -> Result<(), Status> {
        let (bytes, max) = (record.body_len(), self.max_body);
        if bytes > max {
            return Err(refusals::body_too_large("the call", bytes, max).not_sent());
        }
        let beside = record.rest().len() - record.inline_body().len();
        if beside > MAX_BESIDE_BODY {
            Err(refusals::too_much_beside(beside, MAX_BESIDE_BODY))
        } else {
            Ok(())
        }
    }

    /// Returns the service of a method in a realm, by the part of its name before the last `/`.
    pub(super) fn service_of(&self, realm: usize, method: &[u8]) -> Option<usize> {
        let relayed = self.realms.get(realm)?.relay.and_then(|relay| self.served(relay, method));
        // One that is not relayed any more has no worker left, or none that stays.
        let stays =
            |worker: &WorkerKey<H>| self.workers.get(*worker).is_some_and(|worker| !worker.is_draining);
        let relayed = relayed.filter(|service| {
            self.services[*service].groups.iter().any(|group| group.workers.iter().any(stays))
        });
        relayed.or_else(|| self.served(realm, method))
    }

    /// Returns the service of a method, of the workers of a realm themselves.
    fn served(&self, realm: usize, method: &[u8]) -> Option<usize> {
        let slash = method.iter().rposition(|byte| *byte == b'/')?;
        self.realms.get(realm)?.services.get(&method[..slash]).copied()
    }

    fn any_service_of(&self, worker: WorkerKey<H>) -> Option<usize> {
        self.workers.get(worker)?.services.first().copied()
    }

    /// Reports whether a caller may call a method of a service. An event is published by those alone who may publish it.
    fn may_call(&self, caller: &Caller<H>, service: usize, method: &[u8]) -> bool {
        // Of another realm, that of the workers which stand in.
        if self.services[service].realm != caller.realm && Rights::is_to_publish(method) {
            return caller.rights.may_publish(method);
        }
        caller.rights.may_call(method)
    }

    /// Takes a call from what its caller may call, if that is bounded.
    fn take_from_quota(
        &self,
        key: CallerKey<H>,
        record: &RawRecord<'_>,
        now: Instant,
    ) -> Result<Option<Taken>, Status> {
        let allowance = self.callers.get(key).and_then(|caller| caller.rights.allowance());
        let taken = allowance.map(|allowance| allowance.take(record.body_len(), now)).transpose();
        taken.map_err(refusals::quota_is_spent)
    }

    /// Adds a call to the table, of a service and by a key if it has one.
    fn begin(
        &mut self,
        key: CallerKey<H>,
        (service, shard): (usize, Option<u64>),
        record: &RawRecord<'_>,
        taken: Option<Taken>,
        now: Instant,
    ) -> Result<FlightKey<H>, Status> {
        let time_left = record.time_left().filter(|time| *time < LONGEST);
        let granted = record.credit();
        let first = self.first_credit(key, granted);
        let flight = Flight {
            caller: key,
            caller_id: record.id(),
            is_own: self.callers.get(key).is_some_and(|caller| caller.bound_for.is_some()),
            service,
            shard,
            place: Place::Nowhere,
            deadline: time_left.map(|time| now + time),
            up: credit(0, INITIAL_CREDIT),
            up_kept: 0,
            down: 0,
            down_kept: granted - first,
            first_credit: Some(first).filter(|first| *first < granted),
            waits_for_worker: false,
            waits_for_caller: false,
            metadata: 0,
            has_ended: false,
            publishing: 0,
            taken,
        };
        let flight =
            self.flights.insert(flight).ok_or_else(|| refusals::too_many_calls(self.limits.max_calls))?;
        self.set_down(flight, credit(0, first));
        if record.kind() == RecordKind::Call
            && let Some(caller) = self.callers.get_mut(key)
        {
            self.calling += usize::from(caller.calls.is_empty());
            caller.calls.insert(record.id(), flight);
            self.count_publication(key, flight, record);
        }
        Ok(flight)
    }

    /// Passes a one-way call on, or has it wait. Its caller can't be told what becomes of it.
    fn one_way(&mut self, key: CallerKey<H>, record: &RawRecord<'_>, now: Instant) {
        let method = record.method().unwrap_or_default();
        let may_call = |caller: &Caller<H>| {
            let allowance = caller.rights.allowance();
            caller.rights.may_call(method)
                && allowance.is_none_or(|allowance| allowance.take_one_way(record.body_len(), now).is_ok())
        };
        let is_allowed =
            record.id() == 0 && self.fits(record).is_ok() && self.callers.get(key).is_some_and(may_call);
        let realm = self.callers.get(key).map_or(0, |caller| caller.realm);
        // What the router answers itself is not called one-way.
        let is_answered = |service: &usize| self.services[*service].realm == realm;
        let Some(service) = self.service_of(realm, method).filter(|_| is_allowed).filter(is_answered) else {
            self.counters.dropped_one_way += 1;
            return;
        };
        let Ok(shard) = self.shards.key_of(record) else {
            self.counters.dropped_one_way += 1;
            return;
        };
        self.place_one_way(key, (service, shard), record, now);
    }

    /// Gives a one-way call to a worker, or has it wait. Its caller may be gone.
    pub(super) fn place_one_way(
        &mut self,
        key: CallerKey<H>,
        (service, shard): (usize, Option<u64>),
        record: &RawRecord<'_>,
        now: Instant,
    ) {
        let (target, worker) = self.destination(service, shard, Ask::OneWay, now);
        if let Some(worker) = worker {
            return self.forward_one_way_to(worker, record, None);
        }
        let Ok(flight) = self.begin(key, (service, shard), record, None, now) else {
            self.counters.dropped_one_way += 1;
            return;
        };
        if self.enqueue(flight, record, None, target, now).is_err() {
            self.flights.remove(flight);
            self.counters.dropped_one_way += 1;
        }
    }

    fn caller_items(&mut self, key: CallerKey<H>, record: &RawRecord<'_>, now: Instant) {
        let Some(flight_key) = self.flight_of(key, record.id()) else { return };
        let Some(flight) = self.flights.get_mut(flight_key) else { return };
        let bytes = record.body_len();
        if bytes == 0 || flight.has_ended {
            return;
        }
        if flight.up <= 0 {
            return self.end_call(flight_key, &refusals::caller_without_credit(), now);
        }
        if bytes > self.max_body.saturating_add(SHORT_ITEMS) {
            return self.end_call(
                flight_key,
                &refusals::body_too_large("an item", bytes, self.max_body),
                now,
            );
        }
        if let Some(waiting) = self.too_much_for_items(flight_key) {
            return self.end_call(flight_key, &refusals::stream_is_not_read(waiting), now);
        }
        let Some(flight) = self.flights.get_mut(flight_key) else { return };
        flight.up = flight.up.saturating_sub(signed(bytes as u64));
        if let Some(allowance) = self.callers.get(key).and_then(|caller| caller.rights.allowance()) {
            allowance.spend(bytes, now);
        }
        self.pass_on(flight_key, record);
        self.pass_credit_to_caller(flight_key);
    }

    fn caller_end(&mut self, key: CallerKey<H>, record: &RawRecord<'_>) {
        let Some(flight_key) = self.flight_of(key, record.id()) else { return };
        let Some(flight) = self.flights.get_mut(flight_key) else { return };
        if !std::mem::replace(&mut flight.has_ended, true) {
            self.pass_on(flight_key, record);
        }
    }

    /// Takes credit of a caller, which is passed on as [`super::flow`] says.
    fn caller_credit(&mut self, key: CallerKey<H>, record: &RawRecord<'_>) {
        let Some(flight_key) = self.flight_of(key, record.id()) else { return };
        let Some(flight) = self.flights.get_mut(flight_key) else { return };
        flight.down_kept = flight.down_kept.saturating_add(record.credit());
        self.pass_credit_to_worker(flight_key);
    }

    /// Ends a call that its caller no longer waits for.
    fn cancel(&mut self, key: CallerKey<H>, id: u64, now: Instant) {
        if let Some(flight) = self.flight_of(key, id) {
            self.abandon(flight, now);
        }
    }

    /// Tells a caller how a call, or with the id 0 a message, has failed.
    pub(super) fn tell(&mut self, key: CallerKey<H>, id: u64, why: &Status) {
        let failure = Failure::Status(why.clone());
        self.answer(key, |out| wire::error(out, id, &failure));
    }

    /// Queues a record for a caller.
    pub(super) fn answer(&mut self, key: CallerKey<H>, write: impl FnOnce(&mut Vec<u8>)) {
        let Some(caller) = self.callers.get_mut(key) else { return };
        caller.outbox.record(write);
        self.list_caller(key);
        self.shed_if_unread(key);
    }
}

/// Adds to a credit, up to the greatest that there is.
pub(super) fn credit(before: i64, more: u64) -> i64 {
    before.saturating_add(signed(more))
}

pub(super) fn signed(bytes: u64) -> i64 {
    i64::try_from(bytes).unwrap_or(i64::MAX)
}
