//! What a forwarder knows of callers, workers, services and the calls between them. The tables are in [`super::Forwarder`].

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use zsvc_proto::id_map::IdMap;
use zsvc_proto::session::client::OutlierDetection;
use zsvc_proto::wire::Outbox;

use super::lines::Lines;
use super::liveness::Signs;
use super::one_way::OneWays;
use super::shards::Owners;
use super::slab::Key;
use crate::quota::Taken;
use crate::rights::Rights;

/// The key of a caller.
pub type CallerKey<H> = Key<Caller<H>>;
/// The key of a worker.
pub type WorkerKey<H> = Key<Worker<H>>;
/// The key of a call. Its number is the call's id at the worker.
pub(super) type FlightKey<H> = Key<Flight<H>>;

/// A peer that makes calls: one client, or one of those behind a device.
#[derive(Debug)]
pub struct Caller<H> {
    /// What is told that there is something to send.
    pub(super) handle: H,
    pub(super) outbox: Outbox,
    /// Whether the owner was told of something to send, and has not taken all of it since.
    pub(super) is_listed: bool,
    /// Its calls in flight, by the ids that it gave them.
    pub(super) calls: IdMap<u64, FlightKey<H>>,
    /// Number of its calls that wait for a worker, one-way ones included.
    pub(super) queued: usize,
    /// Bytes of these, and of what it has streamed to them.
    pub(super) queued_bytes: usize,
    /// Bytes of its events that are under way: those of its calls that publish one.
    pub(super) publishing: usize,
    /// Number of pings that it has not answered. They are sent once it is to prove that it has read everything.
    pub(super) pings: u32,
    pub(super) signs: Signs,
    /// Bytes of items that workers may send to all of its calls together, without its outbox.
    pub(super) under_way: i64,
    /// Calls whose credit is kept back, since too much waits to be written to the caller.
    pub(super) stalled: Vec<FlightKey<H>>,
    /// Index of its realm.
    pub(super) realm: usize,
    pub(super) rights: Arc<Rights>,
    pub(super) address: Option<SocketAddr>,
    /// The worker that gets all its calls, of the router's own connection for that.
    pub(super) bound_for: Option<WorkerKey<H>>,
}

/// A peer that answers calls.
#[derive(Debug)]
pub struct Worker<H> {
    /// What people call it, in messages and logs.
    pub(super) name: String,
    pub(super) handle: H,
    pub(super) outbox: Outbox,
    pub(super) is_listed: bool,
    pub(super) state: WorkerState,
    /// From when on its share of calls grows. `None` before it has come up for the first time.
    pub(super) up_since: Option<Instant>,
    /// When its connection came up.
    pub(super) connected_at: Option<Instant>,
    /// Whether it is to get no new calls, by [`super::Forwarder::drain_worker`].
    pub(super) is_draining: bool,
    /// Index of its realm.
    pub(super) realm: usize,
    /// Indices of its services.
    pub(super) services: Vec<usize>,
    /// Which of them is looked at first, the next time there is room.
    pub(super) turn: usize,
    /// Number of calls that it takes at a time.
    pub(super) capacity: u32,
    /// The number by which it draws for keys.
    pub(super) seed: u64,
    /// Which one of its name and realm it is: the first has 0.
    pub(super) copy: u32,
    /// Number of calls that wait for it alone, since it has their keys.
    pub(super) awaited: usize,
    /// Bytes of these, and of what was streamed to them.
    pub(super) awaited_bytes: usize,
    /// Number of its calls in flight, the router's own included.
    pub(super) in_flight: u32,
    /// Number of these that are the router's own, which take none of its capacity.
    pub(super) own: u32,
    pub(super) health: OutlierDetection,
    pub(super) one_ways: OneWays,
    pub(super) signs: Signs,
    /// Whether it was asked for a sign of life, and has given none for too long.
    pub(super) is_silent: bool,
    /// The number of its life, once it has told it.
    pub(super) instance: Option<u64>,
    /// Calls whose credit is kept back, since too much waits to be written to the worker.
    pub(super) stalled: Vec<FlightKey<H>>,
}

/// Whether a worker can be reached, and wants calls.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum WorkerState {
    /// There is no connection.
    Down,
    /// Takes calls.
    Up,
    /// Has said that it goes away, and finishes what it has.
    GoingAway,
}

/// A call between its caller and a worker.
#[derive(Debug)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "each is about another side of the call, and all may hold at once"
)]
pub(super) struct Flight<H> {
    pub(super) caller: CallerKey<H>,
    /// The id that its caller gave it; 0 for a one-way call.
    pub(super) caller_id: u64,
    /// Whether it is the router's own.
    pub(super) is_own: bool,
    /// Index of its service.
    pub(super) service: usize,
    /// The hash of the key that it goes by, if its method has one.
    pub(super) shard: Option<u64>,
    pub(super) place: Place<H>,
    /// When its caller no longer waits.
    pub(super) deadline: Option<Instant>,
    /// Bytes of items that its caller may still send. Below zero by the last item.
    pub(super) up: i64,
    /// Bytes of items that its worker may still send.
    pub(super) down: i64,
    /// Bytes of credit of the worker that its caller was not told yet.
    pub(super) up_kept: u64,
    /// Bytes of credit of the caller that the worker was not told yet.
    pub(super) down_kept: u64,
    /// The credit that its record is to have in place of what its caller has written; taken once the record is passed on.
    pub(super) first_credit: Option<u64>,
    /// Whether it is among those of its worker whose credit is kept back.
    pub(super) waits_for_worker: bool,
    /// Whether it is among those of its caller whose credit is kept back.
    pub(super) waits_for_caller: bool,
    /// Bytes of response metadata that were passed on.
    pub(super) metadata: usize,
    /// Whether its caller's stream has ended.
    pub(super) has_ended: bool,
    /// Bytes that it counts for as an event that is published; 0 for any other call.
    pub(super) publishing: usize,
    /// Its place among the calls that its caller may have in flight.
    #[expect(dead_code, reason = "it counts until the call is dropped")]
    pub(super) taken: Option<Taken>,
}

/// The worker that a call waits for, if it may not be any: [`Key::none`] while there is none that it could be.
pub(super) type Target<H> = Option<WorkerKey<H>>;

/// Where a call is.
#[derive(Debug)]
pub(super) enum Place<H> {
    /// Nowhere: it is on its way from one place to another.
    Nowhere,
    /// Waiting for any worker, or for [one](Target), until then.
    Queued { records: Box<Outbox>, until: Instant, target: Target<H> },
    /// Its record is in the outbox of this worker, or was sent to it.
    At(WorkerKey<H>),
}

/// A service, and who answers its calls.
#[derive(Debug)]
pub(super) struct Service<H> {
    /// `package.Service`
    pub(super) name: Box<str>,
    /// Index of its realm.
    pub(super) realm: usize,
    /// Workers of each group that has any, the first group first. A later one gets calls only while none of those before can be reached.
    pub(super) groups: Vec<Group<H>>,
    /// Whether workers of it are looked for, so that its calls wait though there is none.
    pub(super) is_expected: bool,
    /// Calls that wait.
    pub(super) lines: Lines<H>,
}

/// A part of the router whose callers see its workers, and no others.
#[derive(Debug)]
pub(super) struct Realm {
    pub(super) name: Box<str>,
    /// Index of a service by its name.
    pub(super) services: IdMap<Box<[u8]>, usize>,
    /// Index of the realm of workers that stand in for those of this one, if there are some.
    pub(super) relay: Option<usize>,
}

/// Workers that stand in for each other.
#[derive(Debug)]
pub(super) struct Group<H> {
    pub(super) number: u8,
    pub(super) workers: Vec<WorkerKey<H>>,
    /// Whose keys are, of these.
    pub(super) owners: Owners<H>,
}

/// A worker that is to be added: what it answers, and how much.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewWorker {
    /// What people call it.
    pub name: String,
    /// Names of its services: `package.Service`.
    pub services: Vec<String>,
    /// Number of calls that it takes at a time. Past it, calls wait.
    pub capacity: u32,
    /// Its group: 0 for those that get calls, 1 and up for those that stand by until no worker of the groups before can be reached.
    pub standby: u8,
    /// The name of its realm; empty for the one without a name.
    pub realm: String,
}

impl Realm {
    pub(super) fn new(name: &str) -> Self {
        Self { name: name.into(), services: IdMap::default(), relay: None }
    }
}

impl<H> Worker<H> {
    /// Reports whether it can be reached, and is to get calls.
    pub(super) fn is_live(&self) -> bool {
        self.state == WorkerState::Up && !self.is_draining && !self.is_silent
    }

    /// Returns the number of its calls in flight that callers have made.
    pub(super) fn taken(&self) -> u32 {
        self.in_flight.saturating_sub(self.own)
    }

    /// Counts a call that has come to it, or that is gone: it has ended, or goes elsewhere.
    pub(super) fn count(&mut self, is_own: bool, is_here: bool) {
        let change = |number: u32| if is_here { number.saturating_add(1) } else { number.saturating_sub(1) };
        self.in_flight = change(self.in_flight);
        if is_own {
            self.own = change(self.own);
        }
    }

    /// Reports whether it has proved to have read all one-way calls, or can't any more.
    pub(super) fn has_read(&self) -> bool {
        self.state == WorkerState::Down || self.is_silent || self.one_ways.is_read()
    }

    /// Returns for how long it has been up.
    pub(super) fn up_for(&self, now: Instant) -> Duration {
        super::balance::time_since(self.up_since, now)
    }
}

impl<H> Service<H> {
    pub(super) fn new(name: &str, realm: usize) -> Self {
        Self { name: name.into(), realm, groups: Vec::new(), is_expected: false, lines: Lines::new() }
    }

    pub(super) fn add(&mut self, group: u8, worker: WorkerKey<H>) {
        let at = match self.groups.binary_search_by_key(&group, |group| group.number) {
            Ok(at) => at,
            Err(at) => {
                let (workers, owners) = (Vec::new(), Owners::default());
                self.groups.insert(at, Group { number: group, workers, owners });
                at
            }
        };
        self.groups[at].workers.push(worker);
        self.groups[at].owners.forget();
    }

    pub(super) fn remove(&mut self, worker: WorkerKey<H>) {
        for group in &mut self.groups {
            group.workers.retain(|other| *other != worker);
            group.owners.forget();
        }
        self.groups.retain(|group| !group.workers.is_empty());
    }
}
