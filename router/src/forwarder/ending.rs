//! How calls end other than by their answers: by their callers, by time, with their connections, and with the router.

use std::collections::HashSet;
use std::time::Instant;

use zsvc_proto::status::{Outcome, Status};
use zsvc_proto::wire::{self, Batch, RawRecord, RecordKind};

use super::entries::{CallerKey, Flight, FlightKey, Place, WorkerKey, WorkerState};
use super::placing::Ask;
use super::{Forwarder, refusals};

impl<H: Clone> Forwarder<H> {
    /// Takes a call out of all tables.
    fn forget(&mut self, key: FlightKey<H>) -> Option<Flight<H>> {
        drop(self.take_from_queue(key));
        self.set_down(key, 0);
        let flight = self.flights.remove(key)?;
        if flight.publishing > 0 {
            self.uncount_publication(flight.caller, flight.publishing);
        }
        if flight.caller_id != 0
            && let Some(caller) = self.callers.get_mut(flight.caller)
        {
            let was_its = caller.calls.remove(&flight.caller_id).is_some();
            self.calling -= usize::from(was_its && caller.calls.is_empty());
        }
        if let Place::At(worker) = flight.place
            && let Some(worker) = self.workers.get_mut(worker)
        {
            worker.count(flight.is_own, false);
        }
        Some(flight)
    }

    /// Takes a call that is over out of all tables, and gives its place at the worker to one that waits.
    pub(super) fn finish(&mut self, key: FlightKey<H>, now: Instant) -> Option<Flight<H>> {
        let flight = self.forget(key)?;
        if self.queued > 0
            && let Place::At(worker) = flight.place
        {
            self.run_queued_of(worker, now);
        }
        Some(flight)
    }

    /// Refuses a call that is at no worker.
    pub(super) fn refuse(&mut self, key: FlightKey<H>, why: &Status) {
        let Some(flight) = self.forget(key) else { return };
        if flight.caller_id == 0 {
            self.counters.dropped_one_way += 1;
        } else {
            self.counters.refused += 1;
            self.tell(flight.caller, flight.caller_id, why);
        }
    }

    /// Ends a call with a failure that its worker has caused, and that ends it there, too.
    pub(super) fn tell_and_finish(&mut self, key: FlightKey<H>, why: &Status, now: Instant) {
        if let Some(flight) = self.finish(key, now) {
            self.tell(flight.caller, flight.caller_id, why);
        }
    }

    /// Ends a call at both sides. One that is at no worker yet was not sent, whatever `why` says.
    pub(super) fn end_call(&mut self, key: FlightKey<H>, why: &Status, now: Instant) {
        let Some(flight) = self.abandon(key, now) else { return };
        self.counters.ended += 1;
        if matches!(flight.place, Place::At(_)) {
            self.tell(flight.caller, flight.caller_id, why);
        } else {
            self.tell(flight.caller, flight.caller_id, &why.clone().not_sent());
        }
    }

    /// Ends a call that its caller no longer waits for.
    pub(super) fn abandon(&mut self, key: FlightKey<H>, now: Instant) -> Option<Flight<H>> {
        if let Some(Place::At(at)) = self.flights.get(key).map(|flight| &flight.place) {
            let at = *at;
            self.cancel_at(at, key);
        }
        self.finish(key, now)
    }

    /// Tells a worker that a call is no longer waited for. One that is down has forgotten it, and is told nothing.
    fn cancel_at(&mut self, at: WorkerKey<H>, key: FlightKey<H>) {
        if let Some(worker) = self.workers.get_mut(at).filter(|worker| worker.state != WorkerState::Down) {
            worker.outbox.record(|out| wire::cancel(out, key.number()));
            self.list_worker(at);
        }
    }

    /// Ends all calls of a caller that is gone.
    pub(super) fn abandon_all(&mut self, key: CallerKey<H>, now: Instant) {
        let calls = self.callers.get(key).map(|caller| caller.calls.values().copied().collect::<Vec<_>>());
        for flight in calls.unwrap_or_default() {
            self.abandon(flight, now);
        }
    }

    /// Ends all calls of the callers at a connection of one that is not let in any more, and counts it. Those of them that wait do not
    /// begin, one-way calls among them. What was given to a worker already is its to end.
    pub fn revoke(&mut self, callers: &HashSet<CallerKey<H>>, why: &Status, now: Instant) {
        self.counters.revoked_connections += 1;
        for key in callers {
            let Some(caller) = self.callers.get_mut(*key) else { continue };
            // First, so that one that hears how its calls ended makes no other on a connection that ends.
            caller.outbox.record(wire::going_away);
            let calls: Vec<_> = caller.calls.values().copied().collect();
            self.list_caller(*key);
            for flight in calls {
                self.end_call(flight, why, now);
            }
        }
        let lines = self.services.iter().flat_map(|service| service.lines.iter(Ask::OneWay));
        let is_theirs = |flight: &Flight<H>| {
            matches!(flight.place, Place::Queued { .. }) && callers.contains(&flight.caller)
        };
        let theirs = lines.filter(|flight| self.flights.get(*flight).is_some_and(is_theirs));
        for flight in theirs.collect::<Vec<_>>() {
            self.refuse(flight, why);
        }
    }

    /// Ends the calls of a caller that does not read, and drops what waits for it, past twice the bound and one large message. What is
    /// kept instead is an error for when it reads again.
    pub(super) fn shed_if_unread(&mut self, key: CallerKey<H>) {
        let limit = self.limits.max_unsent_per_caller;
        if self.callers.get(key).is_none_or(|caller| caller.outbox.len() <= limit.saturating_mul(2)) {
            return;
        }
        let calls: Vec<_> =
            self.callers.get(key).into_iter().flat_map(|caller| caller.calls.values().copied()).collect();
        for flight in calls {
            if let Some(Place::At(at)) = self.flights.get(flight).map(|flight| &flight.place) {
                let at = *at;
                self.cancel_at(at, flight);
            }
            // Calls that wait get the room when the next one ends: this may be in the middle of passing a record on.
            self.forget(flight);
            self.counters.ended += 1;
        }
        if let Some(caller) = self.callers.get_mut(key) {
            drop(caller.outbox.clear());
            let failure = zsvc_proto::status::Failure::Status(refusals::does_not_read());
            caller.outbox.record(|out| wire::error(out, 0, &failure));
        }
    }

    /// Takes the word that a worker finishes what it has, and takes no new calls. Those that were not sent to it go elsewhere.
    pub fn handle_worker_going_away(&mut self, key: WorkerKey<H>, now: Instant) {
        let Some(worker) = self.workers.get_mut(key).filter(|worker| worker.state == WorkerState::Up) else {
            return;
        };
        worker.state = WorkerState::GoingAway;
        self.move_unsent(key, true, now);
    }

    /// Takes the loss of a worker's connection. Calls that were not sent to it go elsewhere; it is not known how far the others got.
    pub fn handle_worker_down(&mut self, key: WorkerKey<H>, now: Instant) {
        let Some(worker) = self.workers.get_mut(key).filter(|worker| worker.state != WorkerState::Down)
        else {
            return;
        };
        worker.state = WorkerState::Down;
        worker.is_listed = false;
        worker.stalled.clear();
        worker.one_ways = super::one_way::OneWays::default();
        self.move_unsent(key, false, now);
        let why = refusals::worker_lost(self.name_of(key));
        for flight in self.flights_at(key, |_| true) {
            self.end_call(flight, &why, now);
        }
    }

    /// Ends the calls that were sent to a worker, there as well: nothing is known of them any more.
    pub(super) fn end_sent(&mut self, key: WorkerKey<H>, why: &Status, now: Instant) {
        let Some(worker) = self.workers.get(key) else { return };
        let mut unsent = HashSet::new();
        worker.outbox.calls(|id| {
            unsent.insert(id);
        });
        // None was sent: there is nothing to look for among all calls, however often a worker has this done.
        if usize::try_from(worker.in_flight).is_ok_and(|calls| calls <= unsent.len()) {
            return;
        }
        for flight in self.flights_at(key, |flight| !unsent.contains(&flight.number())) {
            self.end_call(flight, why, now);
        }
    }

    fn flights_at(&self, key: WorkerKey<H>, which: impl Fn(FlightKey<H>) -> bool) -> Vec<FlightKey<H>> {
        let at = |flight: &Flight<H>| matches!(flight.place, Place::At(worker) if worker == key);
        let number = self.workers.get(key).map_or(0, |worker| worker.in_flight);
        let all = self.flights.iter().filter(|(_, flight)| at(flight)).map(|(key, _)| key);
        let all = all.take(usize::try_from(number).unwrap_or(usize::MAX));
        all.filter(|flight| which(*flight)).collect()
    }

    /// Moves the calls that were not sent to a worker to others. `is_kept`: the worker still reads the other records.
    pub(super) fn move_unsent(&mut self, key: WorkerKey<H>, is_kept: bool, now: Instant) {
        let mut batches: Vec<Batch> = Vec::new();
        while let Some(message) = self.workers.get_mut(key).and_then(|worker| worker.outbox.take()) {
            batches.push(message.into_batch());
        }
        for batch in &batches {
            // It was written here, and can be read.
            let Ok(mut records) = batch.raw_records() else { continue };
            while let Ok(Some(record)) = records.next() {
                self.move_record(key, &record, is_kept, now);
            }
        }
        if is_kept {
            self.list_worker(key);
        }
        if self.queued > 0 {
            // Other workers have its keys now.
            self.run_queued_of(key, now);
        }
    }

    fn move_record(&mut self, key: WorkerKey<H>, record: &RawRecord<'_>, is_kept: bool, now: Instant) {
        let flight_key = FlightKey::from_number(record.id());
        if Self::is_call(record) {
            return self.move_call(key, flight_key, record, now);
        }
        if record.kind() == RecordKind::OneWay {
            return self.move_one_way(key, record, now);
        }
        let is_elsewhere = match self.flights.get(flight_key).map(|flight| &flight.place) {
            Some(Place::At(at)) => *at != key,
            Some(Place::Queued { .. }) => true,
            Some(Place::Nowhere) | None => false,
        };
        if is_elsewhere {
            self.pass_on(flight_key, record);
        } else if is_kept && let Some(worker) = self.workers.get_mut(key) {
            worker.outbox.forward(record, record.id(), None);
        }
    }

    fn move_call(
        &mut self,
        key: WorkerKey<H>,
        flight_key: FlightKey<H>,
        record: &RawRecord<'_>,
        now: Instant,
    ) {
        // A call that has ended meanwhile goes nowhere.
        let Some(flight) = self.flights.get_mut(flight_key) else { return };
        flight.place = Place::Nowhere;
        if let Some(worker) = self.workers.get_mut(key) {
            worker.count(flight.is_own, false);
        }
        self.counters.moved += 1;
        if let Err(why) = self.place(flight_key, record, false, now) {
            self.refuse(flight_key, &why);
        }
    }

    /// Gives a one-way call to another worker, or has it wait for one. It is not known any more whose it was.
    fn move_one_way(&mut self, key: WorkerKey<H>, record: &RawRecord<'_>, now: Instant) {
        let realm = self.workers.get(key).map_or(0, |worker| worker.realm);
        let Some(service) = self.service_of(realm, record.method().unwrap_or_default()) else { return };
        self.counters.moved += 1;
        // It was taken when its method had no key yet, or another one: then any worker may have it.
        let shard = self.shards.key_of(record).unwrap_or_default();
        self.place_one_way(CallerKey::none(), (service, shard), record, now);
    }

    /// Begins to drain: callers are told that the router goes away, and new calls are refused.
    pub fn go_away(&mut self) {
        self.is_draining = true;
        for key in self.caller_keys() {
            if let Some(caller) = self.callers.get_mut(key) {
                caller.outbox.record(wire::going_away);
            }
            self.list_caller(key);
        }
    }

    /// Ends all calls, and asks callers to prove that they have read everything, and workers that they have read all one-way calls.
    pub fn flush(&mut self, now: Instant) {
        let all: Vec<_> =
            self.flights.iter().map(|(key, flight)| (key, matches!(flight.place, Place::At(_)))).collect();
        for (key, is_at_worker) in all {
            if is_at_worker {
                self.end_call(key, &refusals::stopped(Outcome::MaybeExecuted), now);
            } else {
                self.refuse(key, &refusals::stopped(Outcome::NotSent));
            }
        }
        for key in self.caller_keys() {
            if let Some(caller) = self.callers.get_mut(key) {
                caller.outbox.record(|out| wire::ping(out, 0));
                caller.pings += 1;
            }
            self.list_caller(key);
        }
        let workers: Vec<_> = self.workers.iter().map(|(key, _)| key).collect();
        for key in workers {
            self.ask_for_one_ways(key);
        }
    }

    /// Reports whether all callers have proved that they have read everything, and workers that they have read all one-way calls.
    #[must_use]
    pub fn is_flushed(&self) -> bool {
        self.callers.iter().all(|(_, caller)| caller.pings == 0)
            && self.workers.iter().all(|(_, worker)| worker.has_read())
    }

    fn caller_keys(&self) -> Vec<CallerKey<H>> {
        self.callers.iter().map(|(key, _)| key).collect()
    }
}
