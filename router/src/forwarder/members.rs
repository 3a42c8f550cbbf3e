//! Who comes and goes: callers, workers, and the services that these answer.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Instant;

use zsvc_proto::id_map::IdMap;
use zsvc_proto::session::client::OutlierDetection;
use zsvc_proto::wire::{self, Outbox};

use super::balance::time_since;
use super::entries::{Caller, CallerKey, Group, NewWorker, Realm, Service, Worker, WorkerKey, WorkerState};
use super::liveness::Signs;
use super::one_way::OneWays;
use super::{Forwarder, Limits, shards};
use crate::rights::Rights;

/// Maximum number of services. Past it, one that has had no worker for a while gives way.
const MAX_SERVICES: usize = 4_096;

/// What a worker does that it may not do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Beyond {
    /// Being in the realm that it is in.
    Realm,
    /// Answering this service.
    Service(String),
}

impl<H: Clone> Forwarder<H> {
    /// Adds a caller. `None` if there are a million.
    pub fn add_caller(
        &mut self,
        handle: H,
        rights: Arc<Rights>,
        address: Option<SocketAddr>,
        now: Instant,
    ) -> Option<CallerKey<H>> {
        let mut outbox = Outbox::default();
        if self.is_draining {
            outbox.record(wire::going_away);
        }
        let caller = Caller {
            handle,
            outbox,
            is_listed: false,
            calls: IdMap::default(),
            queued: 0,
            queued_bytes: 0,
            publishing: 0,
            pings: 0,
            signs: Signs::new(now),
            under_way: 0,
            stalled: Vec::new(),
            realm: self.realm(rights.realm()),
            rights,
            address,
            bound_for: None,
        };
        let key = self.callers.insert(caller)?;
        if self.is_draining {
            self.list_caller(key);
        }
        Some(key)
    }

    /// Has all calls of a caller go to one worker, or fail where that can't be reached. It is the router's own, and not counted.
    pub fn bind_caller(&mut self, key: CallerKey<H>, worker: WorkerKey<H>) {
        if let Some(caller) = self.callers.get_mut(key) {
            self.own_callers += usize::from(caller.bound_for.replace(worker).is_none());
        }
    }

    /// Returns the workers that publish an event, each with whether it can be reached: those of the first group of which any can, or of the
    /// first of all.
    #[must_use]
    pub fn publishers(&self, realm: &str, event: &str) -> Vec<(WorkerKey<H>, bool)> {
        let realm = self.realms.iter().find(|known| *known.name == *realm);
        let service = realm.and_then(|realm| realm.services.get(event.as_bytes()));
        let groups = service.map_or(&[][..], |service| &self.services[*service].groups);
        let has_live = |group: &&Group<H>| group.workers.iter().any(|worker| self.is_worker_live(*worker));
        let group = groups.iter().find(has_live).or(groups.first());
        let workers = group.into_iter().flat_map(|group| &group.workers);
        workers.map(|worker| (*worker, self.is_worker_live(*worker))).collect()
    }

    /// Returns the names of these, up to a number of them, in their order.
    pub(crate) fn publisher_names(&self, realm: &str, event: &str, limit: usize) -> Vec<String> {
        let keys = self.publishers(realm, event).into_iter().map(|(key, _)| key);
        let mut names: Vec<_> = keys.map(|key| self.name_of(key)).collect();
        names.sort_unstable();
        names.into_iter().take(limit).map(str::to_owned).collect()
    }

    /// Counts a message of a caller that could not be added.
    pub fn count_unknown(&mut self) {
        self.counters.unknown_callers += 1;
    }

    /// Sets what a caller may call from now on. Its calls in flight go on.
    pub fn set_rights(&mut self, key: CallerKey<H>, rights: Arc<Rights>) {
        let realm = self.realm(rights.realm());
        if let Some(caller) = self.callers.get_mut(key) {
            (caller.rights, caller.realm) = (rights, realm);
        }
    }

    /// Forgets a caller whose connection is gone. Its calls are cancelled at their workers; its one-way calls wait on.
    pub fn remove_caller(&mut self, key: CallerKey<H>, now: Instant) {
        self.abandon_all(key, now);
        if let Some(caller) = self.callers.remove(key) {
            self.own_callers -= usize::from(caller.bound_for.is_some());
            self.queued_callers -= usize::from(caller.queued > 0);
        }
    }

    /// Returns the number of callers.
    #[must_use]
    pub fn callers(&self) -> usize {
        self.callers.len() - self.own_callers
    }

    /// Adds a worker, which is down. `None` if there are a million, or too many services.
    pub fn add_worker(&mut self, new: NewWorker, handle: H, now: Instant) -> Option<WorkerKey<H>> {
        let realm = self.realm(&new.realm);
        self.add_worker_to(realm, new, handle, now)
    }

    /// Adds a worker that stands in for the others of its services: calls of callers go to it alone. Otherwise as
    /// [`Forwarder::add_worker`].
    pub fn add_relay(&mut self, new: NewWorker, handle: H, now: Instant) -> Option<WorkerKey<H>> {
        let realm = self.realm(&new.realm);
        let next = self.realms.len();
        let relay = *self.realms[realm].relay.get_or_insert(next);
        if relay == next {
            // Never found by its name, since the other one comes first.
            self.realms.push(Realm::new(&new.realm));
        }
        self.add_worker_to(relay, new, handle, now)
    }

    fn add_worker_to(
        &mut self,
        realm: usize,
        new: NewWorker,
        handle: H,
        now: Instant,
    ) -> Option<WorkerKey<H>> {
        let services = self.services_of(realm, &new.services)?;
        let copy = self.next_copy(realm, &new.name);
        let seed = shards::seed_of(&new.name, copy);
        // One that was here under its name is back, and has nothing ready: each registration is a worker of its own.
        let is_back = self.departed.take(realm, &new.name);
        let key = self.workers.insert(Worker {
            name: new.name,
            handle,
            outbox: Outbox::default(),
            is_listed: false,
            state: WorkerState::Down,
            up_since: is_back.then_some(now),
            connected_at: None,
            is_draining: false,
            realm,
            services: services.clone(),
            turn: 0,
            capacity: new.capacity,
            seed,
            copy,
            awaited: 0,
            awaited_bytes: 0,
            in_flight: 0,
            own: 0,
            health: OutlierDetection::default(),
            one_ways: OneWays::default(),
            signs: Signs::new(now),
            is_silent: false,
            instance: None,
            stalled: Vec::new(),
        })?;
        for service in services {
            self.services[service].add(new.standby, key);
        }
        Some(key)
    }

    /// Takes what a worker answers, how much, and in which group, in place of what it did before. Its calls in flight go on. Returns `false`
    /// if there are too many services: then all stays as it is.
    pub fn change_worker(&mut self, key: WorkerKey<H>, new: &NewWorker, now: Instant) -> bool {
        let realm = self.realm(&new.realm);
        let services = self.services_of(realm, &new.services);
        let (Some(services), Some(worker)) = (services, self.workers.get_mut(key)) else { return false };
        (worker.capacity, worker.realm) = (new.capacity, realm);
        let before = std::mem::replace(&mut worker.services, services.clone());
        for service in &before {
            self.services[*service].remove(key);
        }
        for service in services {
            self.services[service].add(new.standby, key);
        }
        self.welcome(key, now);
        // Calls that go by a key may have waited for it, and it does not have their service any more.
        for service in before {
            self.run_queue(service, now);
        }
        true
    }

    /// Forgets a worker. What was not sent to it goes elsewhere; its other calls end.
    pub fn remove_worker(&mut self, key: WorkerKey<H>, now: Instant) {
        self.handle_worker_down(key, now);
        if let Some(worker) = self.workers.remove(key) {
            if worker.up_since.is_some() {
                self.departed.add(worker.realm, &worker.name);
            }
            worker.services.into_iter().for_each(|service| self.services[service].remove(key));
            self.settle_copies(worker.realm, &worker.name);
        }
    }

    /// Takes the word that a worker's connection is up. Calls that wait for it are given to it.
    pub fn handle_worker_up(&mut self, key: WorkerKey<H>, now: Instant) {
        let Some(worker) = self.workers.get_mut(key) else { return };
        let is_return = worker.up_since.is_some();
        worker.connected_at = Some(now);
        worker.state = WorkerState::Up;
        // Nothing from before is for this connection, and its owner is told of all that is.
        drop(worker.outbox.clear());
        worker.is_listed = false;
        (worker.signs, worker.is_silent, worker.instance) = (Signs::new(now), false, None);
        worker.health = OutlierDetection::default();
        // A server tells those clients that it goes away from which it has read something.
        worker.outbox.record(|out| wire::ping(out, OneWays::FIRST_PING));
        worker.up_since = Some(now.checked_sub(self.limits.slow_start).unwrap_or(now));
        if !self.stands_in(key) && (is_return || self.is_newcomer(key, now)) {
            self.start_slowly(key, now);
        }
        self.list_worker(key);
        self.welcome(key, now);
    }

    /// Reports whether a worker stands in for others: it is a part of the router itself.
    fn stands_in(&self, key: WorkerKey<H>) -> bool {
        let realm = self.workers.get(key).map(|worker| worker.realm);
        realm.is_some_and(|realm| self.realms.iter().any(|other| other.relay == Some(realm)))
    }

    /// Reports whether a worker joins others that have had all calls of one of its services for a while. The first workers of a router come
    /// at about the same time and share all calls, so none of them has to start slowly.
    fn is_newcomer(&self, key: WorkerKey<H>, now: Instant) -> bool {
        let Some(worker) = self.workers.get(key) else { return false };
        let others = worker.services.iter().flat_map(|index| &self.services[*index].groups);
        let mut others = others.flat_map(|group| &group.workers).filter(|other| **other != key);
        others.any(|other| {
            let other = self.workers.get(*other).filter(|other| other.is_live());
            other.is_some_and(|other| time_since(other.connected_at, now) >= self.limits.slow_start)
        })
    }

    /// Returns the first of what a worker is beyond these rights, if there is any: rights may be others than when it was added.
    #[must_use]
    pub fn worker_beyond(&self, key: WorkerKey<H>, rights: &Rights) -> Option<Beyond> {
        let worker = self.workers.get(key)?;
        if *self.realms[worker.realm].name != *rights.realm() {
            return Some(Beyond::Realm);
        }
        let mut names = worker.services.iter().map(|index| &self.services[*index].name);
        names.find(|name| !rights.may_serve(name)).map(|name| Beyond::Service(name.to_string()))
    }

    /// Has the owners of all workers be told, as if there were something to send: what workers may do has changed.
    pub fn wake_workers(&mut self) {
        self.ready.extend(self.workers.iter().map(|(_, worker)| worker.handle.clone()));
    }

    /// Has a worker get no new calls, or get them again. What was not sent to it goes elsewhere; its calls in flight go on.
    pub fn drain_worker(&mut self, key: WorkerKey<H>, is_draining: bool, now: Instant) {
        let Some(worker) = self.workers.get_mut(key) else { return };
        worker.is_draining = is_draining;
        match (is_draining, worker.state) {
            (true, WorkerState::Up) => {
                self.move_unsent(key, true, now);
                self.ask_for_one_ways(key);
            }
            (false, WorkerState::Up) => self.welcome(key, now),
            _ => {}
        }
    }

    /// Reports whether a worker can be reached, and is to get calls.
    #[must_use]
    pub fn is_worker_live(&self, key: WorkerKey<H>) -> bool {
        self.workers.get(key).is_some_and(Worker::is_live)
    }

    /// Reports whether a worker has no call and has read all one-way calls, or is not there.
    #[must_use]
    pub fn is_worker_idle(&self, key: WorkerKey<H>) -> bool {
        self.workers.get(key).is_none_or(|worker| worker.taken() == 0 && worker.has_read())
    }

    /// Takes other limits. What is past them already stays.
    pub fn set_limits(&mut self, limits: Limits, now: Instant) {
        self.limits = limits;
        for service in 0..self.services.len() {
            self.run_queue(service, now);
        }
    }

    /// Has calls of these services wait for a worker, though none has been added yet: each is told behind its realm. They take the place of
    /// those that were told before.
    pub fn expect_services<'a>(&mut self, expected: impl Iterator<Item = (&'a str, &'a str)>) {
        self.services.iter_mut().for_each(|service| service.is_expected = false);
        for (realm, name) in expected {
            let realm = self.realm(realm);
            let kept = self.kept_services(1);
            if let Some(index) = self.service(realm, name, &kept) {
                self.services[index].is_expected = true;
            }
        }
    }

    /// Returns the indices of services, which are added if need be. `None` if there are too many.
    fn services_of(&mut self, realm: usize, names: &[String]) -> Option<Vec<usize>> {
        let mut kept = self.kept_services(names.len());
        // Those that there are may be without a worker so far, and give way to none of the others.
        for name in names {
            let known = self.realms[realm].services.get(name.as_bytes());
            if let Some(is_kept) = known.and_then(|index| kept.get_mut(*index)) {
                *is_kept = true;
            }
        }
        let mut services = Vec::with_capacity(names.len());
        for name in names {
            let index = self.service(realm, name, &kept)?;
            if let Some(is_kept) = kept.get_mut(index) {
                *is_kept = true;
            }
            services.push(index);
        }
        Some(services)
    }

    /// Returns which services may not give way to others, if that many more may be too many: nothing else may know them by their indices.
    fn kept_services(&self, more: usize) -> Vec<bool> {
        if self.services.len() + more <= MAX_SERVICES {
            return Vec::new();
        }
        let is_used = |service: &Service<H>| {
            !service.groups.is_empty() || service.lines.waiting() > 0 || service.is_expected
        };
        let mut kept: Vec<_> = self.services.iter().map(is_used).collect();
        // A call that its worker goes on with may come back, to be given to another worker of its service.
        self.flights.iter().for_each(|(_, flight)| kept[flight.service] = true);
        kept.resize(MAX_SERVICES, false);
        kept
    }

    /// Returns the index of a realm, which is added if need be. There are few, and the first one most often.
    fn realm(&mut self, name: &str) -> usize {
        self.realms.iter().position(|realm| *realm.name == *name).unwrap_or_else(|| {
            self.realms.push(Realm::new(name));
            self.realms.len() - 1
        })
    }

    /// Returns the index of a service, which is added if need be. Those that are `kept` don't give way to it.
    fn service(&mut self, realm: usize, name: &str, kept: &[bool]) -> Option<usize> {
        if let Some(index) = self.realms[realm].services.get(name.as_bytes()) {
            return Some(*index);
        }
        let index = if self.services.len() < MAX_SERVICES {
            self.services.push(Service::new(name, realm));
            self.services.len() - 1
        } else {
            let index = kept.iter().position(|is_kept| !is_kept)?;
            let unused = std::mem::replace(&mut self.services[index], Service::new(name, realm));
            self.realms[unused.realm].services.remove(unused.name.as_bytes());
            index
        };
        self.realms[realm].services.insert(name.as_bytes().into(), index);
        Some(index)
    }

    pub(super) fn name_of(&self, key: WorkerKey<H>) -> &str {
        self.workers.get(key).map_or("", |worker| &worker.name)
    }
}
