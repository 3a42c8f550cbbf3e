//! What callers, workers and services look like from outside.

use std::cmp::Reverse;
use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::time::Instant;

use zsvc_proto::session::client::HealthState;

use super::Forwarder;
use super::entries::{Service, Worker, WorkerKey, WorkerState};

/// What a worker looks like from outside.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct WorkerView {
    /// What people call it.
    pub name: String,
    /// Whether it can be reached, and wants calls.
    pub state: WorkerState,
    /// Whether it is to get no new calls, by [`Forwarder::drain_worker`].
    pub is_draining: bool,
    /// Whether it gets no calls for now because it gives no sign of life, though its connection, or that of a device, is up.
    pub is_silent: bool,
    /// Whether it gets no calls for now because they kept failing.
    pub is_ejected: bool,
    /// Number of its calls in flight.
    pub in_flight: u32,
    /// Number of calls that it takes at a time.
    pub capacity: u32,
    /// Names of its services.
    pub services: Vec<String>,
    /// The name of its realm; empty for the one without a name.
    pub realm: String,
}

/// What a service looks like from outside.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct RouteView {
    /// Its name: `package.Service`.
    pub service: String,
    /// The name of its realm; empty for the one without a name.
    pub realm: String,
    /// Number of its workers.
    pub workers: usize,
    /// Number of those that can be reached, and are to get calls.
    pub live: usize,
    /// Number of its calls that wait for a worker.
    pub waiting: usize,
}

/// What a caller looks like from outside.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct CallerView {
    /// Its name, if it is known.
    pub name: Option<String>,
    /// The address from which it is connected, if there is one.
    pub address: Option<SocketAddr>,
    /// The name of its realm; empty for the one without a name.
    pub realm: String,
    /// Number of its calls in flight, those that wait included.
    pub calls: usize,
    /// Number of its calls that wait for a worker.
    pub waiting: usize,
    /// Number of bytes that wait to be written to it.
    pub unread: usize,
}

/// A worker that can be reached, by its key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Reached<K> {
    pub(crate) key: K,
    pub(crate) name: String,
    pub(crate) realm: String,
    /// When its connection came up.
    pub(crate) connected_at: Option<Instant>,
    /// Those of its services that were asked for.
    pub(crate) services: Vec<String>,
}

impl<H: Clone> Forwarder<H> {
    /// Returns the workers that can be reached and have some of these services, each of which is told behind its realm.
    pub(crate) fn reached(&self, services: &BTreeSet<(String, String)>) -> Vec<Reached<WorkerKey<H>>> {
        let wanted: BTreeSet<_> = services
            .iter()
            .filter_map(|(realm, service)| {
                let realm = self.realms.iter().find(|known| *known.name == **realm)?;
                realm.services.get(service.as_bytes()).copied()
            })
            .collect();
        let live = self.workers.iter().filter(|(_, worker)| worker.is_live());
        let reached = live.filter_map(|(key, worker)| {
            let names = worker.services.iter().filter(|index| wanted.contains(index));
            let services: Vec<_> = names.map(|index| self.services[*index].name.to_string()).collect();
            (!services.is_empty()).then(|| Reached {
                key,
                name: worker.name.clone(),
                realm: self.realms[worker.realm].name.to_string(),
                connected_at: worker.connected_at,
                services,
            })
        });
        reached.collect()
    }

    /// Returns what workers there are.
    pub fn workers(&self, now: Instant) -> impl Iterator<Item = WorkerView> {
        self.workers.iter().map(move |(_, worker)| WorkerView {
            name: worker.name.clone(),
            state: worker.state,
            is_draining: worker.is_draining,
            is_silent: worker.is_silent,
            is_ejected: worker.health.state(now) != HealthState::In,
            in_flight: worker.taken(),
            capacity: worker.capacity,
            services: worker.services.iter().map(|index| self.services[*index].name.to_string()).collect(),
            realm: self.realms[worker.realm].name.to_string(),
        })
    }

    /// Returns the keys of the workers of a name. Those that register may have the same one.
    #[must_use]
    pub fn workers_called(&self, name: &str) -> Vec<WorkerKey<H>> {
        self.workers.iter().filter(|(_, worker)| worker.name == name).map(|(key, _)| key).collect()
    }

    /// Returns what services there are of which workers are there, or calls wait, but for those that a relay answers.
    pub fn routes(&self) -> impl Iterator<Item = RouteView> {
        let is_relayed = |service: &&Service<H>| self.realms.iter().any(|it| it.relay == Some(service.realm));
        let is_used = |service: &&Service<H>| !service.groups.is_empty() || service.lines.waiting() > 0;
        let used = self.services.iter().filter(is_used).filter(move |service| !is_relayed(service));
        used.map(|service| {
            let keys = || service.groups.iter().flat_map(|group| &group.workers);
            RouteView {
                service: service.name.to_string(),
                realm: self.realms[service.realm].name.to_string(),
                workers: keys().count(),
                live: keys().filter(|key| self.workers.get(**key).is_some_and(Worker::is_live)).count(),
                waiting: service.lines.waiting(),
            }
        })
    }

    /// Returns the callers with the most calls in flight, up to a number of them.
    #[must_use]
    pub fn busiest_callers(&self, limit: usize) -> Vec<CallerView> {
        let callers = self.callers.iter().map(|(_, caller)| caller);
        let mut callers: Vec<_> = callers.filter(|caller| caller.bound_for.is_none()).collect();
        if callers.len() > limit {
            callers.select_nth_unstable_by_key(limit, |caller| Reverse(caller.calls.len()));
            callers.truncate(limit);
        }
        callers.sort_by_key(|caller| Reverse(caller.calls.len()));
        let views = callers.into_iter().map(|caller| CallerView {
            name: caller.rights.name().map(str::to_owned),
            address: caller.address,
            realm: self.realms[caller.realm].name.to_string(),
            calls: caller.calls.len(),
            waiting: caller.queued,
            unread: caller.outbox.len(),
        });
        views.collect()
    }
}
