//! Which worker a call goes to, and how it gets there. A call for which none has room waits, in `queueing`.

use std::time::{Duration, Instant};

use zsvc_proto::session::client::HealthState;
use zsvc_proto::status::Status;
use zsvc_proto::wire::{self, RawRecord, RecordKind, Rewrite};

use super::balance::{self, Load};
use super::entries::{Flight, FlightKey, Group, Place, Target, Worker, WorkerKey};
use super::{Forwarder, Limits, refusals};

/// What a call asks of a worker.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Ask {
    /// An answer.
    Answer,
    /// To be read.
    OneWay,
}

/// What is known of the workers among which one is chosen.
#[derive(Debug, Clone, Copy)]
struct Choice {
    ask: Ask,
    /// Whether there are workers that do not keep failing: the others are left alone then.
    has_well: bool,
    /// Whether no other can be reached, so that there is none to give it time to start.
    is_only: bool,
}

impl Ask {
    /// Reports whether a worker is given calls like this one. A call that is not answered tells nothing of a worker on trial.
    fn is_for(self, health: HealthState) -> bool {
        match self {
            Self::Answer => health != HealthState::Out,
            Self::OneWay => health == HealthState::In,
        }
    }
}

impl<H> Flight<H> {
    pub(super) fn ask(&self) -> Ask {
        if self.caller_id == 0 { Ask::OneWay } else { Ask::Answer }
    }

    /// Returns the time that its caller still waits, if it has said how long it does.
    pub(super) fn time_left(&self, now: Instant) -> Option<Duration> {
        self.deadline.map(|deadline| deadline.saturating_duration_since(now))
    }
}

impl<H> Worker<H> {
    /// Returns how busy it is; `None` if it takes no call now.
    fn load(&self, choice: Choice, limits: &Limits, now: Instant) -> Option<Load> {
        let (up_for, health) = (self.up_for(now), self.health.state(now));
        let capacity = if choice.is_only {
            self.capacity
        } else {
            balance::capacity_after(up_for, limits.slow_start, self.capacity)
        };
        let has_room = match choice.ask {
            Ask::Answer => self.taken() < capacity,
            Ask::OneWay => self.one_ways.has_room(),
        };
        // One-way calls, which wait for no answer, leave half of the room to the others.
        let max_unsent = match choice.ask {
            Ask::Answer => limits.max_unsent_per_worker,
            Ask::OneWay => limits.max_unsent_per_worker / 2,
        };
        let is_left_alone = choice.has_well && !choice.ask.is_for(health);
        if is_left_alone || !has_room || !self.is_live() || self.outbox.len() >= max_unsent {
            return None;
        }
        Some(Load::of(self.taken(), self.capacity, up_for, limits.slow_start, health))
    }
}

impl<H: Clone> Forwarder<H> {
    /// Chooses a worker of a service with room. One that keeps failing is left alone, unless there is no other; a group that stands by,
    /// unless no worker of those before can be reached and is well. One on trial counts as well if it has room for the trial.
    pub(super) fn choose(&mut self, service: usize, ask: Ask, now: Instant) -> Option<WorkerKey<H>> {
        let (group, has_well) = self.group(service, ask, now)?;
        let Self { workers, random, limits, .. } = self;
        let group = &self.services[service].groups[group];
        let is_live = |key: &&WorkerKey<H>| workers.get(**key).is_some_and(Worker::is_live);
        let is_only = group.workers.iter().filter(is_live).take(2).count() == 1;
        let choice = Choice { ask, has_well, is_only };
        let chosen = balance::choose(group.workers.len(), random, |index| {
            workers.get(group.workers[index])?.load(choice, limits, now)
        })?;
        Some(group.workers[chosen])
    }

    /// Returns the index of the group of workers that gets calls, and whether any of it is well.
    pub(super) fn group(&self, service: usize, ask: Ask, now: Instant) -> Option<(usize, bool)> {
        let groups = &self.services.get(service)?.groups;
        let is_well =
            |key: &WorkerKey<H>| self.workers.get(*key).is_some_and(|it| self.is_well(it, ask, now));
        if let Some(well) = groups.iter().position(|group| group.workers.iter().any(is_well)) {
            return Some((well, true));
        }
        let is_live = |key: &WorkerKey<H>| self.workers.get(*key).is_some_and(Worker::is_live);
        let has_live = |group: &Group<H>| group.workers.iter().any(is_live);
        groups.iter().position(has_live).map(|live| (live, false))
    }

    /// Reports whether a worker can be reached, and does not keep failing or is to be tried.
    pub(super) fn is_well(&self, worker: &Worker<H>, ask: Ask, now: Instant) -> bool {
        let trial = Choice { ask, has_well: true, is_only: false };
        worker.is_live()
            && match worker.health.state(now) {
                HealthState::Trial => worker.load(trial, &self.limits, now).is_some(),
                health => ask.is_for(health),
            }
    }

    /// Returns what a call has to wait for, and the worker that it can go to now, if there is one and no other call waits for the same.
    pub(super) fn destination(
        &mut self,
        service: usize,
        shard: Option<u64>,
        ask: Ask,
        now: Instant,
    ) -> (Target<H>, Option<WorkerKey<H>>) {
        let target = self.target(service, shard, ask, now);
        // Those that wait already come first.
        let is_first = self.services[service].lines.waiting_for(target, ask) == 0;
        (target, if is_first { self.choose_for(service, target, ask, now) } else { None })
    }

    /// Returns a worker with room for calls that wait for it, or for any.
    pub(super) fn choose_for(
        &mut self,
        service: usize,
        target: Target<H>,
        ask: Ask,
        now: Instant,
    ) -> Option<WorkerKey<H>> {
        let Some(key) = target else { return self.choose(service, ask, now) };
        // There is no other to give it time to start.
        let choice = Choice { ask, has_well: false, is_only: true };
        self.workers.get(key)?.load(choice, &self.limits, now).map(|_| key)
    }

    /// Has a worker that has come back start slowly.
    pub(super) fn start_slowly(&mut self, key: WorkerKey<H>, now: Instant) {
        if let Some(worker) = self.workers.get_mut(key) {
            worker.up_since = Some(now);
            // As workers come to their share, calls that wait find room.
            self.slow_until = now.checked_add(self.limits.slow_start);
        }
    }

    /// Gives a call to a worker, or has it wait. `is_fresh`: the record has just arrived, so the time left in it is right.
    ///
    /// # Errors
    /// There is no room in the queue. The call is still in the table.
    pub(super) fn place(
        &mut self,
        key: FlightKey<H>,
        record: &RawRecord<'_>,
        is_fresh: bool,
        now: Instant,
    ) -> Result<(), Status> {
        let Some(flight) = self.flights.get_mut(key) else { return Ok(()) };
        let credit = flight.first_credit.take();
        let (service, shard, ask) = (flight.service, flight.shard, flight.ask());
        let time_left = if is_fresh { None } else { flight.time_left(now) };
        let caller = flight.caller;
        if let Some(worker) = self.callers.get(caller).and_then(|caller| caller.bound_for) {
            if !self.is_worker_live(worker) {
                return Err(refusals::not_live(self.name_of(worker)));
            }
            self.give(key, worker, record, Rewrite { time_left, credit }, now);
            return Ok(());
        }
        let (target, worker) = self.destination(service, shard, ask, now);
        if let Some(worker) = worker {
            self.give(key, worker, record, Rewrite { time_left, credit }, now);
            return Ok(());
        }
        self.enqueue(key, record, credit, target, now)
    }

    fn give(
        &mut self,
        key: FlightKey<H>,
        worker: WorkerKey<H>,
        record: &RawRecord<'_>,
        rewrite: Rewrite,
        now: Instant,
    ) {
        self.take_on(key, worker, now);
        self.forward_to(worker, key, record, rewrite);
        self.pass_credit_to_worker(key);
    }

    /// Notes that a call is at a worker from now on.
    pub(super) fn take_on(&mut self, key: FlightKey<H>, worker: WorkerKey<H>, now: Instant) {
        self.counters.forwarded += 1;
        let (Some(flight), Some(worker_entry)) = (self.flights.get_mut(key), self.workers.get_mut(worker))
        else {
            return;
        };
        flight.place = Place::At(worker);
        flight.waits_for_worker = false;
        worker_entry.count(flight.is_own, true);
        worker_entry.health.begin_trial(now);
    }

    pub(super) fn forward_to(
        &mut self,
        worker: WorkerKey<H>,
        key: FlightKey<H>,
        record: &RawRecord<'_>,
        rewrite: Rewrite,
    ) {
        if let Some(worker) = self.workers.get_mut(worker) {
            worker.outbox.forward_changed(record, key.number(), rewrite);
        }
        self.list_worker(worker);
    }

    /// Gives a one-way call to a worker, as a call that needs no entry.
    pub(super) fn forward_one_way_to(
        &mut self,
        key: WorkerKey<H>,
        record: &RawRecord<'_>,
        time_left: Option<Duration>,
    ) {
        let Some(worker) = self.workers.get_mut(key) else { return };
        worker.outbox.forward(record, 0, time_left);
        if let Some(ping) = worker.one_ways.count(record.rest().len().max(record.body_len())) {
            worker.outbox.record(|out| wire::ping(out, ping));
        }
        self.counters.forwarded += 1;
        self.list_worker(key);
    }

    /// Asks a worker to prove that it has read all one-way calls.
    pub(super) fn ask_for_one_ways(&mut self, key: WorkerKey<H>) {
        if let Some(worker) = self.workers.get_mut(key)
            && let Some(ping) = worker.one_ways.ask()
        {
            worker.outbox.record(|out| wire::ping(out, ping));
            self.list_worker(key);
        }
    }

    /// Reports whether a record starts a call that is answered.
    pub(super) fn is_call(record: &RawRecord<'_>) -> bool {
        record.kind() == RecordKind::Call
    }
}
