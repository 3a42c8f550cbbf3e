//! [`Dispatcher`]: starts the handlers of calls that a session has taken: at once, or, where the number of running calls is
//! bounded, from a queue. How handlers run is in [`super::handler`], what waits before they do in [`waiting`].

mod waiting;

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::task::JoinSet;
use tokio::time::Instant;

use super::apart::Apart;
use super::handler::{First, Handler, PendingAnswer, poll_once, run, turn_away};
use super::handling::Handling;
use super::incoming::{Incoming, Service};
use super::measured::Measured;
use super::orphans::Orphans;
use super::promptness::{Beginning, portion_took};
use super::queue::{AdmissionQueue, Permit};
use super::ready::{Origin, Ready, Target, is_long};
use super::running::{self, OneWay, Peer};
use super::tokens::{Caller, Known, Tokens};
use crate::fork::random;
use crate::measure::{Collected, Sampler};
use crate::method::Method;
use crate::peer::Shared;
use crate::session::server::{Event, Methods};

/// The services of a server, the layer that surrounds them, and the queue of calls that wait. Each driver has one; what they
/// share is behind references.
pub(crate) struct Dispatcher {
    shared: Arc<Shared>,
    services: Arc<[Arc<dyn Service>]>,
    /// Target of each method, by its index in [`Methods`].
    targets: Arc<[Target]>,
    /// Layer that surrounds every handler, if there is one.
    layer: Option<Arc<dyn HandlerLayer>>,
    /// What finds out who makes a call that comes with a token, if that is done.
    tokens: Option<Arc<Tokens>>,
    /// Calls for which it has done so.
    known: Arc<Known<Ready>>,
    /// Handlers of one-way calls that this driver has started.
    one_way: JoinSet<()>,
    /// Those of drivers that have ended. The end of the server ends them; the loss of a client does not.
    orphans: Arc<Orphans>,
    /// Queue of waiting calls, if the number of running calls is bounded.
    queue: Option<Arc<Queue>>,
    /// Whether this is the main driver's, which runs what waits in the queue.
    is_main: bool,
    /// What was counted of this portion of calls.
    collected: Collected,
    /// Draws the calls that are timed.
    sampler: Sampler,
}

/// The queue of all drivers. No user code runs under its lock.
struct Queue(Mutex<AdmissionQueue<Ready>>);

impl Queue {
    fn lock(&self) -> MutexGuard<'_, AdmissionQueue<Ready>> {
        // Nothing panics while the lock is held but for lack of memory; the queue is whole in any case.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A layer that surrounds every handler of a server: in practice, its middleware.
pub(crate) trait HandlerLayer: Send + Sync {
    /// Returns the handling of a call, which begins the call's handler.
    fn surround(self: Arc<Self>, service: Arc<dyn Service>, method: usize, call: Incoming) -> Handling;
}

impl Dispatcher {
    /// Creates the dispatcher of these services, and the table of their methods.
    ///
    /// # Errors
    /// Two services have a method of this name.
    pub(crate) fn new(
        services: Vec<Arc<dyn Service>>,
        shared: Arc<Shared>,
    ) -> Result<(Self, Methods), &'static str> {
        let tables = || services.iter().map(|service| service.methods());
        let methods = Methods::new(tables().flatten()).map_err(|duplicate| duplicate.0)?;
        let targets = services.iter().enumerate().flat_map(|(index, service)| {
            (0..service.methods().len()).map(move |method| Target::new(index, method, &**service))
        });
        let targets: Arc<[Target]> = targets.collect();
        if shared.config.measures {
            shared.measure(tables().flatten().map(Method::name));
        }
        let running = shared.config.running;
        let queue = running.map(|limit| AdmissionQueue::new(limit, Arc::clone(&shared.notify)));
        let this = Self {
            shared,
            targets,
            layer: None,
            tokens: None,
            known: Known::new(),
            one_way: JoinSet::new(),
            orphans: Orphans::new(),
            queue: queue.map(|queue| Arc::new(Queue(Mutex::new(queue)))),
            is_main: true,
            services: services.into(),
            collected: Collected::default(),
            sampler: new_sampler(),
        };
        Ok((this, methods))
    }

    /// Creates the dispatcher of a connection's own driver.
    pub(crate) fn for_connection(&self) -> Self {
        Self {
            shared: Arc::clone(&self.shared),
            services: Arc::clone(&self.services),
            targets: Arc::clone(&self.targets),
            layer: self.layer.clone(),
            tokens: self.tokens.clone(),
            known: Arc::clone(&self.known),
            one_way: JoinSet::new(),
            orphans: Arc::clone(&self.orphans),
            queue: self.queue.clone(),
            is_main: false,
            collected: Collected::default(),
            sampler: new_sampler(),
        }
    }

    /// Returns the full names of the services that the program has added.
    pub(crate) fn services_of_program(&self) -> BTreeSet<&'static str> {
        let added = self.services.iter().filter(|service| !service.is_of_server());
        added.flat_map(|service| service.methods()).filter_map(Method::service).collect()
    }

    /// Puts a layer around every handler.
    pub(crate) fn set_layer(&mut self, layer: Arc<dyn HandlerLayer>) {
        self.layer = Some(layer);
    }

    /// Has it found out who makes a call that comes with a token.
    pub(crate) fn set_tokens(&mut self, tokens: Tokens) {
        self.tokens = Some(Arc::new(tokens));
    }

    /// Runs the handler of a call, or queues the call, once it is known who makes it.
    #[inline]
    pub(crate) fn start(&mut self, peer: &Arc<Peer>, event: Event) {
        let (origin, call) = match event {
            Event::Call { key, call } => (Origin::Call(key), call),
            Event::OneWay(call) => (Origin::OneWay(None), call),
        };
        let (target, batch_bytes) = (call.target, call.batch_bytes);
        let call = Incoming::new(Arc::clone(peer), origin.key(), call);
        // Most calls wait for nothing, and are not moved to where they would.
        if self.tokens.is_none() && self.queue.is_none() {
            return self.run(peer, origin, target, call, None);
        }
        let mut ready = Ready { origin, target, call };
        match self.tokens.as_ref().map_or(Caller::Known, |tokens| tokens.caller(&mut ready.call)) {
            Caller::Known => self.admit(peer, ready, batch_bytes),
            Caller::Refused(why) => self.turn_away(&ready, why),
            Caller::Unknown(claim) => self.ask(peer, claim, ready, batch_bytes),
        }
    }

    /// Runs the handler of a call, or queues the call.
    fn admit(&mut self, peer: &Arc<Peer>, ready: Ready, batch_bytes: usize) {
        let queue = self.queue.as_ref().filter(|_| !self.targets[ready.target].is_of_server);
        match queue.map(|queue| queue.lock().try_admit()) {
            None => self.run(peer, ready.origin, ready.target, ready.call, None),
            Some(Some(permit)) => self.run(peer, ready.origin, ready.target, ready.call, Some(permit)),
            Some(None) => self.enqueue(peer, ready, batch_bytes),
        }
    }

    /// Ends a portion of calls, which began at a time.
    #[inline]
    pub(crate) fn end_portion(&mut self, began: Instant) {
        self.collected.flush(self.shared.measures());
        portion_took(began.elapsed(), self.targets.iter().map(|target| &*target.promptness));
    }

    #[inline]
    fn run(
        &mut self,
        peer: &Arc<Peer>,
        origin: Origin,
        target: usize,
        mut call: Incoming,
        permit: Option<Permit>,
    ) {
        self.shared.counters.count_call();
        let (key, deadline) = (origin.key(), call.deadline());
        let measures = self.shared.measures();
        let tools = (&mut self.collected, &mut self.sampler);
        let mut measured = Measured::new(measures, tools, target, &mut call);
        let beginning = self.targets[target].beginning(&call);
        if beginning == Beginning::Apart {
            return self.run_apart(peer, origin, target, (call, measured), permit);
        }
        let is_timed = measured.as_ref().is_some_and(Measured::is_timed);
        let began = (is_timed || beginning == Beginning::Timed).then(Instant::now);
        if let Some(measured) = &mut measured {
            measured.began(began);
        }
        let target = &self.targets[target];
        let work = match self.handling(target, call).begin() {
            Ok(work) => work,
            Err(why) => {
                if let Some(measured) = &measured {
                    measured.refused(measures, &why);
                }
                return turn_away(peer, key, why);
            }
        };
        let first = poll_once(work, deadline);
        let took = began.map(|began| began.elapsed());
        if let Some(took) = took.filter(|_| beginning == Beginning::Timed) {
            target.promptness.took(took);
        }
        match first {
            First::Done(answer) => {
                if let Some(measured) = &measured {
                    measured.done(measures, &mut self.collected, (&answer, took));
                }
                if let Some(key) = key {
                    peer.answer(key, answer);
                }
            }
            First::Waits(work) => {
                let answer = PendingAnswer::new(Arc::clone(peer), key, measured);
                self.spawn(origin, peer, permit, run(Handler::new(work, deadline, answer)));
            }
        }
    }

    /// Runs a handler that is not begun by the driver's task.
    #[cold]
    fn run_apart(
        &mut self,
        peer: &Arc<Peer>,
        mut origin: Origin,
        target: usize,
        (mut call, measured): (Incoming, Option<Measured>),
        permit: Option<Permit>,
    ) {
        // What the client sends before the task runs is kept for the handler.
        call.open_streams();
        origin.hold(peer);
        let answer = PendingAnswer::new(Arc::clone(peer), origin.key(), measured);
        let Target { service, method, promptness, .. } = &self.targets[target];
        let (service, layer) = (Arc::clone(&self.services[*service]), self.layer.clone());
        let apart = Apart { service, layer, method: *method, answer };
        if call.method().is_blocking() {
            return self.spawn(origin, peer, permit, apart.run_apart(call));
        }
        // Long parameters say nothing of the method.
        let promptness = (!is_long(&call)).then(|| Arc::clone(promptness));
        self.spawn(origin, peer, permit, apart.run_first_poll_apart(call, promptness));
    }

    /// Drops the handlers of one-way calls that this driver has started.
    pub(crate) fn abort_own_one_way(&mut self) {
        self.one_way.abort_all();
    }

    /// Drops the handlers of one-way calls.
    pub(crate) fn abort_one_way(&mut self) {
        self.one_way.abort_all();
        self.orphans.abort();
    }

    #[inline]
    fn handling(&self, target: &Target, call: Incoming) -> Handling {
        let service = &self.services[target.service];
        match &self.layer {
            None => Handling::by(&**service, target.method, call),
            Some(layer) => Arc::clone(layer).surround(Arc::clone(service), target.method, call),
        }
    }

    fn spawn(
        &mut self,
        origin: Origin,
        peer: &Arc<Peer>,
        permit: Option<Permit>,
        rest: impl Future<Output = ()> + Send + 'static,
    ) {
        match permit {
            None => self.spawn_rest(origin, peer, rest),
            Some(permit) => self.spawn_rest(origin, peer, async move {
                let _permit = permit;
                rest.await;
            }),
        }
    }

    fn spawn_rest(
        &mut self,
        origin: Origin,
        peer: &Arc<Peer>,
        rest: impl Future<Output = ()> + Send + 'static,
    ) {
        match origin {
            Origin::Call(key) => running::spawn(peer, key, rest),
            Origin::OneWay(held) => {
                let in_flight = held.unwrap_or_else(|| peer.hold_one_way());
                self.spawn_one_way(in_flight, rest);
            }
        }
    }

    fn spawn_one_way(&mut self, in_flight: OneWay, handler: impl Future<Output = ()> + Send + 'static) {
        while self.one_way.try_join_next().is_some() {}
        // Of a connection that has a driver of its own, which does not know of what has waited.
        let may_be_barred = self.is_main && (self.queue.is_some() || self.tokens.is_some());
        self.one_way.spawn(async move {
            if may_be_barred {
                running::unless_barred(&in_flight, handler).await;
            } else {
                handler.await;
            }
            drop(in_flight);
        });
    }
}

/// Creates what draws the calls of a driver, which no client can foresee.
fn new_sampler() -> Sampler {
    // The lower half is as random as the whole.
    #[expect(clippy::cast_possible_truncation, reason = "the lower half is what is wanted")]
    Sampler::new(random() as u32)
}

impl Drop for Dispatcher {
    fn drop(&mut self) {
        if self.is_main {
            return self.orphans.abort();
        }
        while self.one_way.try_join_next().is_some() {}
        if !self.one_way.is_empty() {
            drop(self.orphans.adopt(std::mem::take(&mut self.one_way)));
        }
    }
}
