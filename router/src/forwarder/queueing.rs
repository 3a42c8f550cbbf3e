//! Calls for which no worker has room wait: each caller's in order, callers in turn, for a bounded time, within bounds.

use std::time::{Duration, Instant};

use zsvc_proto::session::server::Shares;
use zsvc_proto::status::Status;
use zsvc_proto::wire::{Outbox, RawRecord, Rewrite};

use super::calling::LONGEST;
use super::entries::{FlightKey, Place, Target, Worker, WorkerKey};
use super::placing::Ask;
use super::{Forwarder, Limits, refusals};

/// Shortest time between two looks through all calls that wait: each may have a deadline of its own.
const SWEEP_PAUSE: Duration = Duration::from_millis(5);

/// How many times the bytes past which a worker gets no new calls may wait for it with what its calls stream.
const MAX_STREAMED_FACTOR: usize = 64;

impl<H: Clone> Forwarder<H> {
    /// Has a call wait, for any worker or for one.
    ///
    /// # Errors
    /// As many calls wait as may, or as many of its caller.
    pub(super) fn enqueue(
        &mut self,
        key: FlightKey<H>,
        record: &RawRecord<'_>,
        credit: Option<u64>,
        target: Target<H>,
        now: Instant,
    ) -> Result<(), Status> {
        let Self { flights, callers, services, limits, workers, .. } = self;
        let Some(flight) = flights.get_mut(key) else { return Ok(()) };
        let mut caller = callers.get_mut(flight.caller);
        let (own, own_bytes) = caller.as_ref().map_or((0, 0), |caller| (caller.queued, caller.queued_bytes));
        let worker = target.and_then(|worker| workers.get(worker));
        let clients = self.queued_callers;
        if let Some(worker) = worker {
            let calls = Shares { max: limits.max_queued.div_ceil(2), taken: worker.awaited, clients };
            let bytes = bytes_of_worker(worker, limits, clients);
            if calls.room_for(own).is_err() || bytes.room_for(own_bytes).is_err() {
                return Err(refusals::worker_is_awaited(&worker.name, worker.awaited));
            }
        }
        let service = &mut services[flight.service];
        let shares = Shares { max: limits.max_queued, taken: self.queued, clients };
        let bytes = Shares { max: limits.max_queued_bytes, taken: self.queued_bytes, clients };
        let has_room = shares.room_for(own).is_ok() && bytes.room_for(own_bytes).is_ok();
        if !has_room {
            return Err(refusals::queue_is_full(&service.name, self.queued));
        }
        let mut records = Box::<Outbox>::default();
        records.forward_changed(record, key.number(), Rewrite { time_left: None, credit });
        let until = now + limits.max_wait.min(LONGEST);
        let until = flight.deadline.map_or(until, |deadline| deadline.min(until));
        self.queued_bytes += records.len();
        if let Some(caller) = &mut caller {
            caller.queued_bytes += records.len();
            self.queued_callers += usize::from(caller.queued == 0);
            caller.queued += 1;
        }
        let bytes = records.len();
        flight.place = Place::Queued { records, until, target };
        service.lines.line(target, flight.ask()).push(flight.caller, key);
        self.count_awaited(target, |calls, of_them| (*calls, *of_them) = (*calls + 1, *of_them + bytes));
        self.queued += 1;
        self.counters.queued += 1;
        self.sweep_at = Some(self.sweep_at.map_or(until, |at| at.min(until)));
        Ok(())
    }

    /// Takes a call out of the queue, if it is there, with its records.
    pub(super) fn take_from_queue(&mut self, key: FlightKey<H>) -> Option<Box<Outbox>> {
        let Self { flights, callers, services, .. } = self;
        let flight = flights.get_mut(key).filter(|flight| matches!(flight.place, Place::Queued { .. }))?;
        let (caller, service, ask) = (flight.caller, flight.service, flight.ask());
        let Place::Queued { records, target, .. } = std::mem::replace(&mut flight.place, Place::Nowhere)
        else {
            return None;
        };
        self.queued -= 1;
        self.queued_bytes -= records.len();
        if let Some(caller) = callers.get_mut(caller) {
            caller.queued -= 1;
            caller.queued_bytes -= records.len();
            self.queued_callers -= usize::from(caller.queued == 0);
        }
        services[service]
            .lines
            .line(target, ask)
            .forget_one(|key| flights.get(key).is_some_and(|flight| is_waiting_for(&flight.place, target)));
        self.uncount_awaited(target, records.len());
        Some(records)
    }

    /// Gives calls that wait for a worker, or for any of its services, to workers, as far as there is room. The services take turns to be
    /// the first.
    pub(super) fn run_queued_of(&mut self, worker: WorkerKey<H>, now: Instant) {
        let Some(entry) = self.workers.get_mut(worker) else { return };
        let (number, first) = (entry.services.len(), entry.turn);
        entry.turn = (first + 1) % number.max(1);
        for index in 0..number {
            let entry = self.workers.get(worker);
            let service = entry.and_then(|worker| worker.services.get((first + index) % number)).copied();
            if let Some(service) = service {
                let targets = self.services[service].lines.targets_of(worker);
                self.run_lines(service, &targets, now);
            }
        }
    }

    /// Gives all calls of a service that wait to workers, as far as there is room.
    pub(super) fn run_queue(&mut self, service: usize, now: Instant) {
        let targets = self.services[service].lines.targets();
        self.run_lines(service, &targets, now);
        self.services[service].lines.forget_empty();
    }

    /// Runs some lines of a service. Calls that go to other lines meanwhile find no room there, or others that come first.
    fn run_lines(&mut self, service: usize, targets: &[Target<H>], now: Instant) {
        for target in targets {
            self.run_line(service, *target, Ask::OneWay, now);
            self.run_line(service, *target, Ask::Answer, now);
            self.services[service].lines.forget_if_empty(*target);
        }
    }

    fn run_line(&mut self, service: usize, target: Target<H>, ask: Ask, now: Instant) {
        while self.services[service].lines.waiting_for(target, ask) > 0 {
            let Some(key) = self.services[service].lines.line(target, ask).first() else { break };
            let flight = self.flights.get(key);
            let waiting = flight.filter(|flight| is_waiting_for(&flight.place, target));
            let Some(shard) = waiting.map(|flight| flight.shard) else {
                // It has ended meanwhile.
                self.services[service].lines.line(target, ask).drop_first();
                continue;
            };
            // Another worker may have its key by now.
            let due = self.target(service, shard, ask, now);
            let is_first = due == target || self.services[service].lines.waiting_for(due, ask) == 0;
            let worker = if is_first { self.choose_for(service, due, ask, now) } else { None };
            if due == target && worker.is_none() {
                break;
            }
            self.services[service].lines.line(target, ask).take_turn();
            match (worker, ask) {
                (Some(worker), Ask::Answer) => self.release(key, worker, now),
                (Some(worker), Ask::OneWay) => self.release_one_way(key, worker, now),
                (None, _) => self.wait_for(key, due),
            }
        }
    }

    /// Has a call that waits do so for another worker.
    pub(super) fn wait_for(&mut self, key: FlightKey<H>, due: Target<H>) {
        let Self { flights, services, .. } = self;
        let Some(flight) = flights.get_mut(key) else { return };
        let (caller, ask, lines) = (flight.caller, flight.ask(), &mut services[flight.service].lines);
        let Place::Queued { target, records, .. } = &mut flight.place else { return };
        let (before, bytes) = (std::mem::replace(target, due), records.len());
        lines
            .line(before, ask)
            .forget_one(|key| flights.get(key).is_some_and(|flight| is_waiting_for(&flight.place, before)));
        lines.line(due, ask).push(caller, key);
        self.uncount_awaited(before, bytes);
        self.count_awaited(due, |calls, of_them| (*calls, *of_them) = (*calls + 1, *of_them + bytes));
    }

    /// Counts a call less that waits for a worker alone.
    fn uncount_awaited(&mut self, target: Target<H>, bytes: usize) {
        self.count_awaited(target, |calls, of_them| {
            (*calls, *of_them) = (calls.saturating_sub(1), of_them.saturating_sub(bytes));
        });
    }

    /// Gives a call that has waited to a worker, with what was streamed to it meanwhile.
    fn release(&mut self, key: FlightKey<H>, worker: WorkerKey<H>, now: Instant) {
        let Some(mut records) = self.take_from_queue(key) else { return };
        let time_left = self.flights.get(key).and_then(|flight| flight.time_left(now));
        self.take_on(key, worker, now);
        while let Some(message) = records.take() {
            let batch = message.into_batch();
            // It was written here, and can be read.
            let Ok(mut records) = batch.raw_records() else { continue };
            while let Ok(Some(record)) = records.next() {
                self.forward_to(worker, key, &record, Rewrite { time_left, credit: None });
            }
        }
        self.pass_credit_to_worker(key);
    }

    fn release_one_way(&mut self, key: FlightKey<H>, worker: WorkerKey<H>, now: Instant) {
        let Some(mut records) = self.take_from_queue(key) else { return };
        let Some(flight) = self.flights.remove(key) else { return };
        let time_left = flight.time_left(now);
        while let Some(message) = records.take() {
            let batch = message.into_batch();
            // As above.
            let Ok(mut records) = batch.raw_records() else { continue };
            while let Ok(Some(record)) = records.next() {
                self.forward_one_way_to(worker, &record, time_left);
            }
        }
    }

    /// Passes a record of a call on to where the call is.
    pub(super) fn pass_on(&mut self, key: FlightKey<H>, record: &RawRecord<'_>) {
        let Some(flight) = self.flights.get_mut(key) else { return };
        match &mut flight.place {
            Place::Nowhere => {}
            Place::At(worker) => {
                let worker = *worker;
                self.forward_to(worker, key, record, Rewrite::default());
            }
            Place::Queued { records, target, .. } => {
                let before = records.len();
                records.forward(record, key.number(), None);
                let (more, target) = (records.len() - before, *target);
                self.queued_bytes += more;
                if let Some(caller) = self.callers.get_mut(flight.caller) {
                    caller.queued_bytes += more;
                }
                self.count_awaited(target, |_, bytes| *bytes += more);
            }
        }
    }

    /// Returns how much waits where the items of a call would go, if that is too much to add to it.
    pub(super) fn too_much_for_items(&self, key: FlightKey<H>) -> Option<usize> {
        let flight = self.flights.get(key)?;
        match &flight.place {
            Place::Nowhere => None,
            Place::At(worker) => {
                let unsent = self.workers.get(*worker)?.outbox.len();
                let max = self.limits.max_unsent_per_worker.saturating_mul(MAX_STREAMED_FACTOR);
                (unsent >= max).then_some(unsent)
            }
            Place::Queued { target, .. } => {
                let (own, clients) = (self.callers.get(flight.caller)?.queued_bytes, self.queued_callers);
                let worker = target.and_then(|worker| self.workers.get(worker));
                let of_worker = worker.map(|worker| bytes_of_worker(worker, &self.limits, clients));
                let of_all = Shares { max: self.limits.max_queued_bytes, taken: self.queued_bytes, clients };
                let full = |shares: Shares| shares.room_for(own).is_err().then_some(shares.taken);
                of_worker.and_then(full).or_else(|| full(of_all))
            }
        }
    }

    /// Returns when [`Forwarder::handle_timeout`] is to be called at the latest, if time matters.
    #[must_use]
    pub fn poll_timeout(&self) -> Option<Instant> {
        self.sweep_at
    }

    /// Ends calls that have waited for too long, and gives those room to others that workers which start slowly have by now.
    pub fn handle_timeout(&mut self, now: Instant) {
        if let Some(until) = self.slow_until
            && self.queued > 0
        {
            self.slow_until = Some(until).filter(|until| now < *until);
            (0..self.services.len()).for_each(|service| self.run_queue(service, now));
        }
        if self.sweep_at.is_none_or(|at| now < at) {
            return;
        }
        let (mut late, mut next) = (Vec::new(), None::<Instant>);
        let lines = self.services.iter().map(|service| &service.lines);
        for key in lines.flat_map(|lines| lines.iter(Ask::Answer).chain(lines.iter(Ask::OneWay))) {
            let Some(flight) = self.flights.get(key) else { continue };
            let Place::Queued { until, .. } = &flight.place else { continue };
            if *until <= now {
                late.push((key, flight.deadline.is_some_and(|deadline| deadline <= now)));
            } else {
                next = Some(next.map_or(*until, |next| next.min(*until)));
            }
        }
        self.sweep_at = next.map(|next| next.max(now + SWEEP_PAUSE));
        for (key, is_past_deadline) in late {
            let Some(service) = self.flights.get(key).map(|flight| flight.service) else { continue };
            let why = if is_past_deadline {
                refusals::too_late()
            } else {
                refusals::waited(&self.services[service].name, self.has_live_workers(service))
            };
            self.refuse(key, &why);
        }
        self.services.iter_mut().for_each(|service| service.lines.forget_empty());
    }

    fn has_live_workers(&self, service: usize) -> bool {
        let mut workers = self.services[service].groups.iter().flat_map(|group| &group.workers);
        workers.any(|key| self.workers.get(*key).is_some_and(Worker::is_live))
    }
}

/// Returns how many bytes may wait for a worker alone: half of the queue, so that one that hangs leaves the other half to other workers. Its
/// callers share them as those of all share the queue.
fn bytes_of_worker<H>(worker: &Worker<H>, limits: &Limits, clients: usize) -> Shares {
    Shares { max: limits.max_queued_bytes.div_ceil(2), taken: worker.awaited_bytes, clients }
}

/// Reports whether a call waits for a worker, or for any.
fn is_waiting_for<H>(place: &Place<H>, for_this: Target<H>) -> bool {
    matches!(place, Place::Queued { target, .. } if *target == for_this)
}
