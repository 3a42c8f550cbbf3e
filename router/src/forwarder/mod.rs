//! [`Forwarder`]: what a router does about records, as a closed machine: it has no socket, no task and no clock.
//!
//! Records are passed on as they came: a record's kind, id, method, credit and time left are read, and for an error what it says of
//! the outcome; bodies and attachments are neither read nor copied. A call has one id at its caller and another at its worker.
//!
//! # Order of calls
//!
//! 1. [`Forwarder::add_worker`] and [`Forwarder::add_caller`] for each connection that is made. A worker is down until
//!    [`Forwarder::handle_worker_up`], and again after [`Forwarder::handle_worker_down`].
//! 2. [`Forwarder::handle_caller_message`] and [`Forwarder::handle_worker_message`] for each message, in the order of arrival. Or [`read`],
//!    and [`Forwarder::handle_caller`] and [`Forwarder::handle_worker`] for each portion: so records are read without a lock.
//! 3. After any of these, [`Forwarder::take_ready`] returns the handles of connections with something to send, each once;
//!    [`Forwarder::poll_transmit_to_caller`] and [`Forwarder::poll_transmit_to_worker`] return the messages, until there is none. A
//!    message that the transport had no room for is put back.
//! 4. [`Forwarder::handle_timeout`] at the time of [`Forwarder::poll_timeout`], which any call may move. [`Forwarder::check_worker`] and, for
//!    callers behind devices, [`Forwarder::check_caller`] several times within [`Forwarder::set_silence`].
//!
//! # What is held
//!
//! Credit passes from end to end, in portions, so what is held of a stream is a part of what its reader has granted. A call is held until it is written to its
//! worker, and a worker to which too much waits to be written gets none; past that, calls wait in a queue, which has bounds in number,
//! bytes and time. What a caller does not read is bounded by its calls being refused, and then ended. See [`Limits`].
//!
//! From the inside out: `slab`, `balance` (which worker gets a call), `one_way`, `departed` (workers that are gone), `line` (the order in which calls wait), `lines` (what they wait for), `shards` (calls that go by a key), `entries` (what is known of each), `refusals` (what calls
//! are told), `reading` (a message as records); `flow` (how credit passes), `keys` (the worker that has a key), `placing` (a worker for a call), `queueing` (a place in the
//! queue), `liveness` (who is still there), `publishing` (how much may be published at a time),
//! `calling` (what callers say), `answering` (what workers say), `ending` (how calls end otherwise), `members` (who comes and goes), `views` (what it looks like from outside).

mod answering;
mod balance;
mod calling;
mod config;
mod counters;
mod departed;
mod ending;
mod entries;
mod flow;
mod keys;
mod line;
mod lines;
mod liveness;
mod members;
mod one_way;
mod placing;
mod publishing;
mod queueing;
mod reading;
mod refusals;
mod shards;
mod slab;
#[cfg(test)]
mod tests;
mod views;

pub use config::Limits;
pub use counters::Counters;
pub use entries::{Caller, CallerKey, NewWorker, Worker, WorkerKey, WorkerState};
pub use liveness::Silence;
pub use members::Beyond;
pub use reading::{Portion, read};
pub use shards::ShardKey;
pub use slab::Key;
pub(crate) use views::Reached;
pub use views::{CallerView, RouteView, WorkerView};

use std::time::Instant;

use balance::Random;
use departed::Departed;
use entries::{Flight, Realm, Service};
use shards::Shards;
use slab::Slab;
use zsvc_proto::wire::Message;

/// Passes records between callers and workers. `H` is what the owner of a connection is told by.
#[derive(Debug)]
pub struct Forwarder<H> {
    limits: Limits,
    /// Maximum size of a body in bytes.
    max_body: usize,
    /// The number of this life, by which callers behind devices learn of a restart.
    instance: u64,
    callers: Slab<Caller<H>>,
    workers: Slab<Worker<H>>,
    flights: Slab<Flight<H>>,
    services: Vec<Service<H>>,
    /// Workers that are gone.
    departed: Departed,
    /// Parameters by which calls are spread.
    shards: Shards,
    /// The first is the one without a name.
    realms: Vec<Realm>,
    /// Handles of connections that have something to send since the last look.
    ready: Vec<H>,
    random: Random,
    /// Number of callers that have calls in flight.
    calling: usize,
    /// Number of callers that are the router's own.
    own_callers: usize,
    /// Bytes of events of all callers that are under way.
    publishing: usize,
    /// Number of calls that wait for a worker.
    queued: usize,
    /// Bytes of these, and of what was streamed to them.
    queued_bytes: usize,
    /// Number of callers that have any.
    queued_callers: usize,
    /// When calls that wait are looked through next.
    sweep_at: Option<Instant>,
    /// Until when workers that have come back have a part of their capacity, if any have.
    slow_until: Option<Instant>,
    /// How long a caller, and a worker, may be silent that was asked for a sign of life.
    silence: Silence,
    is_draining: bool,
    counters: Counters,
}

impl<H: Clone> Forwarder<H> {
    /// Creates a forwarder without callers or workers. `seed` is random; `instance` is the number of this life of the router, by which
    /// callers learn of a restart.
    #[must_use]
    pub fn new(limits: Limits, instance: u64, seed: u64) -> Self {
        Self {
            limits,
            max_body: usize::MAX,
            instance,
            callers: Slab::new(),
            workers: Slab::new(),
            flights: Slab::new(),
            services: Vec::new(),
            departed: Departed::default(),
            shards: Shards::default(),
            realms: vec![Realm::new("")],
            ready: Vec::new(),
            random: Random::new(seed),
            calling: 0,
            own_callers: 0,
            publishing: 0,
            queued: 0,
            queued_bytes: 0,
            queued_callers: 0,
            sweep_at: None,
            slow_until: None,
            silence: Silence::default(),
            is_draining: false,
            counters: Counters::default(),
        }
    }

    /// Sets the maximum size of a body in bytes. Without it, the transport alone bounds messages.
    pub fn set_max_body(&mut self, bytes: usize) {
        self.max_body = bytes;
    }

    /// Sets by which parameters calls are spread: those of one method with equal values go to the same worker, and those of other methods of
    /// its service. They take the place of those before. Calls that wait do so for the worker that they have.
    pub fn set_shards(&mut self, keys: impl IntoIterator<Item = ShardKey>) {
        self.shards = Shards::new(keys);
    }

    /// Returns the handles of connections that have something to send, and that were not returned since all of it was taken.
    pub fn take_ready(&mut self, into: &mut Vec<H>) {
        into.append(&mut self.ready);
    }

    /// Returns what was counted so far.
    #[must_use]
    pub fn counters(&self) -> &Counters {
        &self.counters
    }

    /// Returns the number of calls in flight, those that wait included.
    #[must_use]
    pub fn calls(&self) -> usize {
        self.flights.len()
    }

    /// Returns the number of calls that wait for a worker.
    #[must_use]
    pub fn queued(&self) -> usize {
        self.queued
    }

    /// Reports whether the owner of a caller's connection was told of something to send, and has not taken all of it since.
    #[must_use]
    pub fn is_caller_listed(&self, key: CallerKey<H>) -> bool {
        self.callers.get(key).is_some_and(|caller| caller.is_listed)
    }

    /// Returns the next message for a caller.
    pub fn poll_transmit_to_caller(&mut self, key: CallerKey<H>) -> Option<Message> {
        let caller = self.callers.get_mut(key)?;
        let message = caller.outbox.take();
        caller.is_listed = message.is_some();
        let is_low = caller.outbox.len() <= self.limits.max_unsent_per_caller / 4;
        if is_low && !caller.stalled.is_empty() {
            self.resume_caller(key);
        }
        message
    }

    /// Puts back a message for which there was no room. It becomes the next.
    pub fn return_transmit_to_caller(&mut self, key: CallerKey<H>, message: Message) {
        if let Some(caller) = self.callers.get_mut(key) {
            caller.outbox.put_back(message);
        }
    }

    /// Returns the next message for a worker. What it has is counted as sent from then on, unless it is put back.
    pub fn poll_transmit_to_worker(&mut self, key: WorkerKey<H>, now: Instant) -> Option<Message> {
        let worker = self.workers.get_mut(key).filter(|worker| worker.state != WorkerState::Down)?;
        let message = worker.outbox.take();
        worker.is_listed = message.is_some();
        let is_low = worker.outbox.len() <= self.limits.max_unsent_per_worker / 2;
        if is_low && !worker.stalled.is_empty() {
            self.resume_worker(key);
        }
        if is_low && self.queued > 0 {
            self.run_queued_of(key, now);
        }
        message
    }

    /// Puts back a message for which there was no room: it was not sent. It becomes the next.
    pub fn return_transmit_to_worker(&mut self, key: WorkerKey<H>, message: Message) {
        if let Some(worker) = self.workers.get_mut(key) {
            worker.outbox.put_back(message);
        }
    }

    /// Tells the owner of a caller's connection that there is something to send.
    fn list_caller(&mut self, key: CallerKey<H>) {
        if let Some(caller) = self.callers.get_mut(key)
            && !std::mem::replace(&mut caller.is_listed, true)
        {
            self.ready.push(caller.handle.clone());
        }
    }

    /// Tells the owner of a worker's connection the same.
    fn list_worker(&mut self, key: WorkerKey<H>) {
        if let Some(worker) = self.workers.get_mut(key)
            && !std::mem::replace(&mut worker.is_listed, true)
        {
            self.ready.push(worker.handle.clone());
        }
    }
}
