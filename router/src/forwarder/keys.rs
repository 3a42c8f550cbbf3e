//! Whose a key is, and what becomes of calls that wait when another worker has it. How workers draw for keys is in `shards`.

use std::time::Instant;

use super::entries::{FlightKey, Place, Target, Worker, WorkerKey};
use super::placing::Ask;
use super::{Forwarder, shards};

impl<H: Clone> Forwarder<H> {
    /// Returns what a call has to wait for.
    pub(super) fn target(&mut self, service: usize, shard: Option<u64>, ask: Ask, now: Instant) -> Target<H> {
        shard.map(|shard| self.owner(service, shard, ask, now).unwrap_or_else(WorkerKey::none))
    }

    /// Returns the worker that has a key: of those that get calls, whether it has room or not.
    fn owner(&mut self, service: usize, shard: u64, ask: Ask, now: Instant) -> Option<WorkerKey<H>> {
        let (group, has_well) = self.group(service, ask, now)?;
        let Self { services, workers, .. } = self;
        let group_entry = &mut services[service].groups[group];
        let keys = &group_entry.workers;
        let first = group_entry.owners.of(shard, || best(keys, shard, |key| workers.get(key)))?;
        if self.may_own(first, has_well, ask, now) {
            return Some(first);
        }
        let may_own = |key| self.workers.get(key).filter(|_| self.may_own(key, has_well, ask, now));
        best(&self.services[service].groups[group].workers, shard, may_own)
    }

    /// Reports whether a worker gets calls, and so has keys.
    fn may_own(&self, key: WorkerKey<H>, has_well: bool, ask: Ask, now: Instant) -> bool {
        let worker = self.workers.get(key);
        worker.is_some_and(|worker| if has_well { self.is_well(worker, ask, now) } else { worker.is_live() })
    }

    /// Has calls that wait for other workers wait for this one instead if it has their keys, as it may from now on, and gives it what it
    /// has room for.
    pub(super) fn welcome(&mut self, key: WorkerKey<H>, now: Instant) {
        if self.queued == 0 {
            return;
        }
        let services = self.workers.get(key).map(|worker| worker.services.clone());
        for service in services.unwrap_or_default() {
            for flight in self.services[service].lines.of_others(key) {
                if self.is_due(flight, key, now) {
                    self.wait_for(flight, Some(key));
                }
            }
        }
        self.run_queued_of(key, now);
    }

    /// Reports whether a call waits for another worker than this one, which has its key now.
    fn is_due(&mut self, flight: FlightKey<H>, key: WorkerKey<H>, now: Instant) -> bool {
        let Some(flight) = self.flights.get(flight) else { return false };
        let Place::Queued { target: Some(target), .. } = flight.place else { return false };
        let (service, shard, ask) = (flight.service, flight.shard, flight.ask());
        target != key && shard.is_some_and(|shard| self.owner(service, shard, ask, now) == Some(key))
    }

    /// Returns which one of its name and realm the next worker is.
    pub(super) fn next_copy(&self, realm: usize, name: &str) -> u32 {
        let copies = self.workers.iter().map(|(_, worker)| worker);
        let copies = copies.filter(|worker| worker.realm == realm && worker.name == name);
        let mut copies: Vec<_> = copies.map(|worker| worker.copy).collect();
        copies.sort_unstable();
        (0..)
            .zip(copies)
            .take_while(|(number, copy)| number == copy)
            .map(|(number, _)| number + 1)
            .last()
            .unwrap_or(0)
    }

    /// Has a worker draw by its name alone if no other one has it any more: so it does wherever it is, and whatever was here before.
    pub(super) fn settle_copies(&mut self, realm: usize, name: &str) {
        let is_one = |worker: &Worker<H>| worker.realm == realm && worker.name == name;
        let copies = self.workers.iter().filter(|(_, worker)| is_one(worker)).map(|(key, _)| key);
        let copies: Vec<_> = copies.take(2).collect();
        let [key] = copies[..] else { return };
        let Some(worker) = self.workers.get_mut(key).filter(|worker| worker.copy > 0) else { return };
        (worker.copy, worker.seed) = (0, shards::seed_of(name, 0));
        for service in &worker.services {
            self.services[*service].groups.iter_mut().for_each(|group| group.owners.forget());
        }
    }

    /// Counts what waits for a worker alone, or no longer does.
    pub(super) fn count_awaited(&mut self, target: Target<H>, count: impl FnOnce(&mut usize, &mut usize)) {
        if let Some(worker) = target.and_then(|worker| self.workers.get_mut(worker)) {
            count(&mut worker.awaited, &mut worker.awaited_bytes);
        }
    }
}

/// Returns the worker that draws the least from a key, of those that there are.
fn best<'a, H: 'a>(
    keys: &[WorkerKey<H>],
    shard: u64,
    worker: impl Fn(WorkerKey<H>) -> Option<&'a Worker<H>>,
) -> Option<WorkerKey<H>> {
    let workers = keys.iter().filter_map(|key| Some((*key, worker(*key)?)));
    let drawn =
        workers.map(|(key, worker)| (shards::draw(shard, worker.seed, worker.capacity), &worker.name, key));
    let least = drawn.min_by(|one, other| one.0.total_cmp(&other.0).then_with(|| one.1.cmp(other.1)));
    least.map(|(.., key)| key)
}
