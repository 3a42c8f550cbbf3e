//! [`Dispatcher`]: starts the handlers of calls that a session has taken: at once, or, where the number of running calls is
//! bounded, from a queue. How handlers run is in [`super::handler`].

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::task::JoinSet;
use tokio::time::Instant;

use super::apart::{Apart, late};
use super::handler::{First, Handler, PendingAnswer, poll_once, run, turn_away};
use super::handling::Handling;
use super::incoming::{Incoming, Service};
use super::orphans::Orphans;
use super::promptness::{Beginning, Promptness, portion_took};
use super::queue::{AdmissionQueue, Admitted, NoPlace, Permit};
use super::running::{self, OneWay, Peer};
use crate::peer::Shared;
use crate::session::server::{CallKey, Event, Methods, NoRoom, RETRY_AFTER};
use crate::status::{Cause, Status};

/// Maximum size in bytes of parameters that are read by the task that has received them. Reading longer ones takes about as long as
/// a handler may.
const MAX_PARAMS_IN_PLACE: usize = 256 * 1024;

/// Maximum number of queued calls that are started in one turn of the driver.
const QUEUED_PER_TURN: usize = 64;

/// The services of a server, the layer that surrounds them, and the queue of calls that wait. Each driver has one; what they
/// share is behind references.
pub(crate) struct Dispatcher {
    shared: Arc<Shared>,
    services: Arc<[Arc<dyn Service>]>,
    /// Target of each method, by its index in [`Methods`].
    targets: Arc<[Target]>,
    /// Layer that surrounds every handler, if there is one.
    layer: Option<Arc<dyn HandlerLayer>>,
    /// Handlers of one-way calls that this driver has started.
    one_way: JoinSet<()>,
    /// Those of drivers that have ended. The end of the server ends them; the loss of a client does not.
    orphans: Arc<Orphans>,
    /// Queue of waiting calls, if the number of running calls is bounded.
    queue: Option<Arc<Queue>>,
    /// Whether this is the main driver's, which runs what waits in the queue.
    is_main: bool,
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

/// The service and method that handle a call.
struct Target {
    /// Index of the service.
    service: usize,
    /// Index of the method among those of the service.
    method: usize,
    promptness: Arc<Promptness>,
}

/// The kind of call that a handler is started for.
enum Origin {
    /// A call that waits for an answer.
    Call(CallKey),
    /// A one-way call. Counted as in flight only once the call waits in the queue, or its handler waits for something: most
    /// handlers complete at once, and no message can be received meanwhile.
    OneWay(Option<OneWay>),
}

/// A call that waits in the queue.
struct Ready {
    origin: Origin,
    /// Index of its target.
    target: usize,
    call: Incoming,
}

impl Ready {
    /// Reports whether the call has ended while it waited, or its client is not let in any more.
    fn is_over(&self) -> bool {
        let peer = self.call.peer();
        self.origin.key().map_or_else(|| peer.is_barred(), |key| !peer.is_in_flight(key))
    }
}

impl Target {
    fn new(service: usize, method: usize) -> Self {
        Self { service, method, promptness: Arc::new(Promptness::new()) }
    }

    /// Returns where the handler of a call begins.
    #[inline]
    fn beginning(&self, call: &Incoming) -> Beginning {
        if call.method().is_blocking() || is_long(call) {
            return Beginning::Apart;
        }
        self.promptness.beginning()
    }
}

/// Reports whether the parameters of a call are too long to be read in place.
#[inline]
fn is_long(call: &Incoming) -> bool {
    call.params_len() > MAX_PARAMS_IN_PLACE
}

impl Origin {
    /// Counts a one-way call as in flight.
    fn hold(&mut self, peer: &Arc<Peer>) {
        if let Self::OneWay(held) = self {
            held.get_or_insert_with(|| peer.hold_one_way());
        }
    }

    #[inline]
    fn key(&self) -> Option<CallKey> {
        match self {
            Self::Call(key) => Some(*key),
            Self::OneWay(_) => None,
        }
    }
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
        let targets = tables().enumerate();
        let targets = targets
            .flat_map(|(service, table)| (0..table.len()).map(move |method| Target::new(service, method)));
        let targets: Arc<[Target]> = targets.collect();
        let running = shared.config.running;
        let queue = running.map(|limit| AdmissionQueue::new(limit, Arc::clone(&shared.notify)));
        let this = Self {
            shared,
            targets,
            layer: None,
            one_way: JoinSet::new(),
            orphans: Orphans::new(),
            queue: queue.map(|queue| Arc::new(Queue(Mutex::new(queue)))),
            is_main: true,
            services: services.into(),
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
            one_way: JoinSet::new(),
            orphans: Arc::clone(&self.orphans),
            queue: self.queue.clone(),
            is_main: false,
        }
    }

    /// Puts a layer around every handler. `layer` is given the one that there is.
    pub(crate) fn add_layer(
        &mut self,
        layer: impl FnOnce(Option<Arc<dyn HandlerLayer>>) -> Arc<dyn HandlerLayer>,
    ) {
        self.layer = Some(layer(self.layer.take()));
    }

    /// Runs the handler of a call, or queues the call.
    #[inline]
    pub(crate) fn start(&mut self, peer: &Arc<Peer>, event: Event) {
        let (origin, call) = match event {
            Event::Call { key, call } => (Origin::Call(key), call),
            Event::OneWay(call) => (Origin::OneWay(None), call),
        };
        let (target, batch_bytes) = (call.target, call.batch_bytes);
        let call = Incoming::new(Arc::clone(peer), origin.key(), call);
        match self.queue.as_ref().map(|queue| queue.lock().try_admit()) {
            None => self.run(peer, origin, target, call, None),
            Some(Some(permit)) => self.run(peer, origin, target, call, Some(permit)),
            Some(None) => self.enqueue(peer, Ready { origin, target, call }, batch_bytes),
        }
    }

    /// Ends a portion of calls, which began at a time.
    #[inline]
    pub(crate) fn end_portion(&self, began: Instant) {
        portion_took(began.elapsed(), self.targets.iter().map(|target| &*target.promptness));
    }

    /// Queues a call, if there is room, since the maximum number of calls runs already.
    fn enqueue(&mut self, peer: &Arc<Peer>, mut ready: Ready, batch_bytes: usize) {
        if let Err(why) = self.room_in_queue(peer, ready.call.received()) {
            return turn_away(peer, ready.origin.key(), Self::overloaded(why));
        }
        ready.call.open_streams();
        ready.origin.hold(peer);
        ready.call.detach(batch_bytes);
        let deadline = ready.call.deadline();
        if let Some(queue) = &self.queue {
            // Another driver may have taken the last place meanwhile.
            if let Err((ready, why)) = { queue.lock().push(peer.id(), ready, deadline) } {
                return turn_away(peer, ready.origin.key(), Self::overloaded(why));
            }
            if !self.is_main {
                // A call may have ended since, and have notified the main driver before this one was in the queue.
                self.shared.notify.notify_deferred();
            }
        }
    }

    /// Removes calls that need not wait any more if there is no room, and reports whether one more call of a client may wait.
    fn room_in_queue(&self, peer: &Peer, now: Instant) -> Result<(), NoPlace> {
        let Some(queue) = &self.queue else { return Ok(()) };
        let mut queue = queue.lock();
        let removed = queue.make_room(peer.id(), now, Ready::is_over);
        let room = queue.room_for(peer.id());
        drop(queue);
        drop(removed.over);
        for ready in &removed.late {
            Self::turn_away_late(ready);
        }
        room
    }

    /// Runs queued calls, up to [`QUEUED_PER_TURN`]. Returns whether there may be more that can run.
    pub(crate) fn run_queued(&mut self) -> bool {
        let Some(queue) = self.queue.clone().filter(|_| self.is_main) else { return false };
        for _ in 0..QUEUED_PER_TURN {
            let next = queue.lock().next(Instant::now);
            match next {
                None => return false,
                Some(Admitted::Run(ready, _) | Admitted::Late(ready)) if ready.is_over() => {}
                Some(Admitted::Run(ready, permit)) => {
                    let Ready { origin, target, call } = ready;
                    self.run(&Arc::clone(call.peer()), origin, target, call, Some(permit));
                }
                Some(Admitted::Late(ready)) => Self::turn_away_late(&ready),
            }
        }
        true
    }

    #[inline]
    fn run(
        &mut self,
        peer: &Arc<Peer>,
        origin: Origin,
        target: usize,
        call: Incoming,
        permit: Option<Permit>,
    ) {
        self.shared.counters.count_call();
        let (key, deadline) = (origin.key(), call.deadline());
        let beginning = self.targets[target].beginning(&call);
        if beginning == Beginning::Apart {
            return self.run_apart(peer, origin, target, call, permit);
        }
        let began = (beginning == Beginning::Timed).then(Instant::now);
        let target = &self.targets[target];
        let work = match self.handling(target, call).begin() {
            Ok(work) => work,
            Err(why) => return turn_away(peer, key, why),
        };
        let first = poll_once(work, deadline);
        if let Some(began) = began {
            target.promptness.took(began.elapsed());
        }
        match (first, key) {
            (First::Done(answer), Some(key)) => peer.answer(key, answer),
            (First::Done(_), None) => {}
            (First::Waits(work), key) => {
                let answer = PendingAnswer::new(Arc::clone(peer), key);
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
        mut call: Incoming,
        permit: Option<Permit>,
    ) {
        // What the client sends before the task runs is kept for the handler.
        call.open_streams();
        origin.hold(peer);
        let answer = PendingAnswer::new(Arc::clone(peer), origin.key());
        let Target { service, method, promptness } = &self.targets[target];
        let (service, layer) = (Arc::clone(&self.services[*service]), self.layer.clone());
        let apart = Apart { service, layer, method: *method, answer };
        if call.method().is_blocking() {
            return self.spawn(origin, peer, permit, apart.run_apart(call));
        }
        // Long parameters say nothing of the method.
        let promptness = (!is_long(&call)).then(|| Arc::clone(promptness));
        self.spawn(origin, peer, permit, apart.run_first_poll_apart(call, promptness));
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
        // Of a connection that has a driver of its own, which does not know of what waited for its turn.
        let may_be_barred = self.is_main && self.queue.is_some();
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

/// Calls that are turned away before a handler has seen them.
impl Dispatcher {
    fn overloaded(NoPlace { why, own, all, max }: NoPlace) -> Status {
        let why = Status::resource_exhausted(match why {
            NoRoom::Full => {
                format!(
                    "the maximum number of calls is running, and {max} wait for their turn, as many as may"
                )
            }
            NoRoom::PastShare => format!(
                "this client has {own} calls that wait for their turn, past its share: {all} wait and {max} may, and the rest is \
                 kept for clients with fewer"
            ),
        });
        why.caused_by(Cause::Overloaded).with_retry_after(RETRY_AFTER).not_sent()
    }

    fn turn_away_late(ready: &Ready) {
        turn_away(ready.call.peer(), ready.origin.key(), late());
    }

    /// Turns away every queued call.
    pub(crate) fn turn_away_queued(&self, why: &Status) {
        let Some(queue) = &self.queue else { return };
        let waiting = queue.lock().drain();
        for ready in waiting {
            turn_away(ready.call.peer(), ready.origin.key(), why.clone());
        }
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
