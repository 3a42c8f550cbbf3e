//! What a server does with batches: no sockets, no waiting. The owner of a socket feeds it and empties its peers.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use tokio::task::JoinSet;
use tokio::time::Instant;

use super::dispatch::{Handling, Incoming, Service};
use super::handler::{Handler, poll_once, run};
use super::peer::{Answer, CallKey, OneWay, Peer, Refusal};
use super::shared::{Shared, count};
use crate::context::{Context, PeerId};
use crate::method::{Method, MethodKind};
use crate::middleware::ServerStack;
use crate::status::{Cause, Failure, Status};
use crate::wire::{self, CallRecord, Malformed, Reader, Record};

/// A client that is not heard of for so long, and has no calls in flight, is forgotten.
const IDLE: Duration = Duration::from_mins(1);

/// At so many clients, those without calls in flight are forgotten whenever they were heard of: routes cost a sender
/// nothing to make up. All that a forgotten client misses is that the server goes away. Where all have calls in flight, or
/// something waits for them, what comes from others is dropped and counted.
pub(super) const MAX_PEERS: usize = 131_072;

/// What a client is told to wait when there are as many calls in flight as may be. Nobody knows when there are fewer; the
/// hint only keeps clients from asking all the time.
const RETRY_AFTER: Duration = Duration::from_millis(100);

/// How long nobody is looked for who could be forgotten, once nobody could.
const FULL: Duration = Duration::from_millis(250);

/// The services of a server and the clients that it knows.
pub(crate) struct Core {
    pub(crate) shared: Arc<Shared>,
    services: Vec<Arc<dyn Service>>,
    /// What stands around every handler.
    middleware: Arc<ServerStack>,
    methods: HashMap<&'static str, Target>,
    peers: HashMap<PeerId, Known>,
    /// The handlers of one-way calls: no client's loss ends them, but the server's end does.
    unheard: JoinSet<()>,
    /// The server is about to end, and wants to know that its answers were read.
    flushing: bool,
    /// At how many clients it next looks for idle ones: twice what was left the last time.
    sweep_at: usize,
    /// When the message came in that is being read.
    received: Instant,
    /// Until when there is no use in looking, since all clients are busy and there are as many as there may be.
    full_until: Option<Instant>,
}

/// Where a method is.
#[derive(Clone, Copy)]
struct Target {
    service: usize,
    index: usize,
    method: &'static Method,
}

/// What a handler is started for.
enum Origin {
    /// A call that is owed an answer.
    Call(CallKey),
    /// A call that nobody waits for.
    OneWay(OneWay),
}

impl Origin {
    fn key(&self) -> Option<CallKey> {
        match self {
            Self::Call(key) => Some(*key),
            Self::OneWay(_) => None,
        }
    }
}

/// A client, and when it was last heard of.
struct Known {
    peer: Arc<Peer>,
    heard: Instant,
    /// When it was last asked for a sign of life. Whatever was heard of it since is one.
    asked: Option<Instant>,
    /// How many pings it has not answered: proof that it has read everything is a pong, and nothing else.
    pings: u32,
}

impl Known {
    /// Asks for a pong. All pings have the id 0; pongs come in their order.
    fn ask(&mut self) {
        self.pings = self.pings.saturating_add(1);
        self.peer.send(|out| wire::ping(out, 0));
    }

    /// When it was asked for a sign of life that it has not shown since.
    fn owes_since(&self) -> Option<Instant> {
        self.asked.filter(|asked| *asked > self.heard)
    }
}

/// Two services that a server was given share this method.
#[derive(Debug)]
pub(crate) struct DuplicateMethod(pub(crate) &'static str);

impl Core {
    pub(crate) fn new(services: Vec<Arc<dyn Service>>, shared: Arc<Shared>) -> Result<Self, DuplicateMethod> {
        let mut methods = HashMap::new();
        for (service, table) in services.iter().map(|service| service.methods()).enumerate() {
            for (index, method) in table.iter().enumerate() {
                if methods.insert(method.name(), Target { service, index, method }).is_some() {
                    return Err(DuplicateMethod(method.name()));
                }
            }
        }
        let (peers, unheard) = (HashMap::new(), JoinSet::new());
        Ok(Self {
            shared,
            services,
            middleware: Arc::default(),
            methods,
            peers,
            unheard,
            flushing: false,
            sweep_at: 64,
            received: Instant::now(),
            full_until: None,
        })
    }

    /// With middleware around every handler.
    pub(crate) fn with_middleware(mut self, stack: ServerStack) -> Self {
        self.middleware = Arc::new(stack);
        self
    }

    /// Takes a message from a client. Whatever is in it, the worst that can happen is that it is answered with an error
    /// and counted.
    pub(crate) fn receive(&mut self, route: &[u8], batch: &Bytes) {
        let Some(peer) = self.heard_of(route) else {
            return count(&self.shared.counters.unreadable);
        };
        if let Err(malformed) = self.records(&peer, batch) {
            count(&self.shared.counters.unreadable);
            let failure = Failure::Status(malformed.status());
            peer.send(|out| wire::error(out, 0, &failure));
        }
        if self.flushing {
            self.ask_again(&peer);
        }
        self.keep_in_bounds(&peer);
    }

    fn records(&mut self, peer: &Arc<Peer>, batch: &Bytes) -> Result<(), Malformed> {
        let mut reader = Reader::new(batch)?;
        while let Some(record) = reader.next()? {
            self.record(peer, batch, record);
            // Here and not after the batch, which may ask for far more than it holds. What is left of it is dropped, and
            // no call in it waits: the client has been told that all of its calls are over.
            if !self.keep_in_bounds(peer) {
                break;
            }
        }
        Ok(())
    }

    fn record(&mut self, peer: &Arc<Peer>, batch: &Bytes, record: Record<'_>) {
        match record {
            Record::Call(call) => self.call(peer, batch, call),
            Record::OneWay(call) => self.one_way(peer, batch, call),
            Record::Items { id, items } => peer.items(id, batch, items),
            Record::End { id } => peer.end_of_items(id),
            Record::Credit { id, bytes } => peer.credit(id, bytes),
            Record::Cancel { id } => peer.cancel(id),
            Record::Ping { id } => peer.send(|out| wire::pong(out, id)),
            Record::Pong { .. } => {
                if let Some(known) = self.peers.get_mut(peer.id().route()) {
                    known.pings = known.pings.saturating_sub(1);
                }
            }
            // What only a server says; and an error that speaks of an answer of ours is not answered with another.
            Record::Reply { .. } | Record::Error { .. } | Record::GoingAway => {
                count(&self.shared.counters.unreadable);
            }
            Record::Unknown { kind, id } => self.unknown_kind(peer, kind, id),
        }
    }

    /// Also pongs and errors, which nothing else bounds, must not pile up for one that never reads. `false` when they
    /// did, and were thrown away.
    fn keep_in_bounds(&mut self, peer: &Arc<Peer>) -> bool {
        let within = peer.waiting() <= self.shared.limits.too_much();
        if !within {
            self.forsake(peer);
        }
        within
    }

    /// Whatever was asked for is not done, so a call that it was asked for must not look as if it were.
    fn unknown_kind(&self, peer: &Arc<Peer>, kind: u64, id: u64) {
        count(&self.shared.counters.unreadable);
        let status = wire::unknown_kind(kind);
        match peer.in_flight(id) {
            Some(key) => peer.fail(key, &status),
            None => peer.send(|out| wire::error(out, id, &Failure::Status(status))),
        }
    }

    /// The client of this route; `None` for a new one past [`MAX_PEERS`].
    fn heard_of(&mut self, route: &[u8]) -> Option<Arc<Peer>> {
        let now = Instant::now();
        self.received = now;
        if let Some(known) = self.peers.get_mut(route) {
            known.heard = now;
            return Some(Arc::clone(&known.peer));
        }
        self.sweep(now);
        if self.peers.len() >= MAX_PEERS {
            return None;
        }
        let id = PeerId::new(route);
        let peer = Peer::new(id.clone(), Arc::clone(&self.shared));
        self.peers.insert(id, Known { peer: Arc::clone(&peer), heard: now, asked: None, pings: 0 });
        Some(peer)
    }

    /// Forgets idle clients, when there are many more than the last time.
    fn sweep(&mut self, now: Instant) {
        if self.peers.len() < self.sweep_at || self.full_until.is_some_and(|until| now < until) {
            return;
        }
        let idle = if self.peers.len() < MAX_PEERS { IDLE } else { Duration::ZERO };
        self.peers.retain(|_, known| now.duration_since(known.heard) < idle || known.peer.is_busy());
        self.sweep_at = (self.peers.len() * 2).clamp(64, MAX_PEERS);
        // All of them are busy. To look at them again for every message would cost more than the message is worth.
        self.full_until = (self.peers.len() >= MAX_PEERS).then(|| now + FULL);
    }

    fn call(&mut self, peer: &Arc<Peer>, batch: &Bytes, record: CallRecord<'_>) {
        let id = record.id;
        if id == 0 {
            return self.refuse_nameless(peer);
        }
        let key = match peer.open(id) {
            Ok(key) => key,
            Err(refusal) => return self.refuse_unopened(peer, id, &refusal),
        };
        match self.admit(&record, false) {
            Ok(target) => self.start(peer, Origin::Call(key), target, batch, record),
            Err(status) => self.turn_away(peer, Some(key), status.not_sent()),
        }
    }

    fn one_way(&mut self, peer: &Arc<Peer>, batch: &Bytes, record: CallRecord<'_>) {
        // Counted before anything of it runs: calls come in faster than tasks begin.
        match (self.admit(&record, true), peer.open_one_way()) {
            (Ok(target), Ok(in_flight)) => self.start(peer, Origin::OneWay(in_flight), target, batch, record),
            _ => count(&self.shared.counters.refused),
        }
    }

    /// The method that a call is for, or why the call is turned away.
    fn admit(&self, record: &CallRecord<'_>, one_way: bool) -> Result<Target, Status> {
        let Some(target) = self.methods.get(record.method) else {
            return Err(self.unknown_method(record.method));
        };
        if one_way != (target.method.kind() == MethodKind::OneWay) {
            return Err(Status::invalid_argument(format!(
                "`{}` must be called by a record of kind {}",
                record.method,
                if one_way { "call: it answers" } else { "one-way call: it has no answer" }
            )));
        }
        // A one-way call can't be told that it was turned away, so it still runs.
        if !one_way && self.shared.is_draining() {
            return Err(Status::unavailable("the server is shutting down").caused_by(Cause::GoingAway));
        }
        if record.timeout == Some(Duration::ZERO) {
            let why = "the deadline passed before the call reached its handler";
            return Err(Status::deadline_exceeded(why).caused_by(Cause::Deadline));
        }
        let most = self.shared.limits.message_size;
        if record.body.len() > most {
            return Err(Status::resource_exhausted(format!(
                "the call has {} bytes of parameters; a message may have {most}",
                record.body.len()
            )));
        }
        record.metadata.excess().map_or(Ok(*target), |what| Err(Status::resource_exhausted(what)))
    }

    /// Says which half of the name is wrong.
    fn unknown_method(&self, name: &str) -> Status {
        let service = name.rsplit_once('/').map_or(name, |(service, _)| service);
        let known =
            self.methods.keys().any(|known| known.rsplit_once('/').is_some_and(|(s, _)| s == service));
        let shown: String = name.chars().take(200).collect();
        Status::unimplemented(if known {
            format!("the service has no method `{shown}`; the server may be older than its client")
        } else {
            format!("this server does not offer the service of `{shown}`")
        })
    }

    fn start(
        &mut self,
        peer: &Arc<Peer>,
        origin: Origin,
        target: Target,
        batch: &Bytes,
        record: CallRecord<'_>,
    ) {
        count(&self.shared.counters.calls);
        // A time too long for the clock is no deadline.
        let deadline = record.timeout.and_then(|left| Instant::now().checked_add(left));
        let key = origin.key();
        let context = Context::new(target.method, deadline, record.metadata, Arc::clone(peer), key);
        let params = batch.slice_ref(record.body);
        let received = self.received;
        let credit = record.credit;
        let call = Incoming::new(Arc::clone(peer), key, context, params, credit, received);
        let work = match self.dispatch(target, call).begin() {
            Ok(work) => work,
            Err(why) => return self.turn_away(peer, key, why),
        };
        let handler = Handler::new(work, deadline, Arc::clone(peer), key);
        let Some(handler) = poll_once(handler) else { return };
        let rest = run(handler);
        match origin {
            Origin::Call(key) => peer.spawn(key, rest),
            Origin::OneWay(in_flight) => self.spawn_unheard(in_flight, rest),
        }
    }

    fn dispatch(&self, target: Target, call: Incoming) -> Handling {
        let service = &self.services[target.service];
        if self.middleware.is_empty() {
            Handling::by(&**service, target.index, call)
        } else {
            self.middleware.around(Arc::clone(service), target.index, call)
        }
    }

    /// No handler has seen the call.
    fn turn_away(&self, peer: &Arc<Peer>, key: Option<CallKey>, why: Status) {
        count(&self.shared.counters.refused);
        if let Some(key) = key {
            peer.answer(key, Answer::Failure(Failure::Status(why)));
        }
    }

    fn spawn_unheard(&mut self, in_flight: OneWay, handler: impl Future<Output = ()> + Send + 'static) {
        while self.unheard.try_join_next().is_some() {}
        self.unheard.spawn(async move {
            let _in_flight = in_flight;
            handler.await;
        });
    }

    /// A call with the id 0 can't be answered but as if a whole batch were meant, whose other calls may run.
    fn refuse_nameless(&self, peer: &Arc<Peer>) {
        count(&self.shared.counters.refused);
        let status = Status::invalid_argument("a call has the id 0, which is no call's").maybe_executed();
        peer.send(|out| wire::error(out, 0, &Failure::Status(status)));
    }

    fn refuse_unopened(&self, peer: &Arc<Peer>, id: u64, refusal: &Refusal) {
        count(&self.shared.counters.refused);
        let status = match refusal {
            Refusal::IdInUse => Status::invalid_argument(format!("a call with id {id} is in flight already")),
            Refusal::PeerFull => Status::resource_exhausted(format!(
                "this client has {} calls in flight, as many as one may",
                self.shared.limits.calls_per_peer
            )),
            Refusal::PeerBehind => Status::resource_exhausted(format!(
                "more than {} bytes wait for this client, as many as may: it does not read them fast enough",
                self.shared.limits.waiting()
            )),
            Refusal::ServerFull => Status::resource_exhausted(format!(
                "the server has {} calls in flight, as many as it may",
                self.shared.limits.calls
            )),
        };
        let status = match refusal {
            Refusal::IdInUse => status,
            _ => status.caused_by(Cause::Overloaded).with_retry_after(RETRY_AFTER),
        };
        let failure = Failure::Status(status.not_sent());
        peer.send(|out| wire::error(out, id, &failure));
    }
}

/// What the streams of a client end in that can't be told anything.
fn client_is_gone() -> Status {
    Status::unavailable("the client is gone").caused_by(Cause::ClientLost)
}

#[cfg(test)]
impl Core {
    /// The client of a route, which has been heard of.
    pub(super) fn peer(&self, route: &[u8]) -> Arc<Peer> {
        Arc::clone(&self.peers[route].peer)
    }
}

/// For whoever carries messages without a socket.
impl Core {
    /// Everything that there is to send, in a process where every client is reached at once.
    pub(crate) fn take_messages(&mut self) -> Vec<Vec<u8>> {
        let mut listed = Vec::new();
        self.shared.take_listed(&mut listed);
        let mut messages = Vec::new();
        for peer in listed {
            while let Some(message) = peer.take_message() {
                messages.push(message);
            }
        }
        messages
    }
}

/// The clients as a whole: signs of life, and shutting down.
impl Core {
    /// Asks clients with calls in flight for a sign of life, and gives up those that have long shown none. To be called
    /// now and then, after what came in has been taken, or much of it: a client is not dead because we were busy.
    pub(crate) fn check_peers(&mut self, now: Instant) {
        let timeout = self.shared.limits.peer_timeout;
        let mut lost = Vec::new();
        for known in self.peers.values_mut().filter(|known| known.peer.is_busy()) {
            match known.owes_since() {
                // It has its time from when it was asked: if nothing was heard of it before, it may have been our fault.
                Some(asked) if now.duration_since(asked) >= timeout / 3 * 2 => {
                    lost.push(known.peer.id().clone());
                }
                None if now.duration_since(known.heard) >= timeout / 3 => {
                    known.asked = Some(now);
                    known.ask();
                }
                _ => {}
            }
        }
        for id in lost {
            self.give_up(&id);
        }
    }

    /// A client is taken for dead. Should it live and only have been stopped, it is told what became of its calls: it
    /// would wait for them for ever, since its connection may be as good as before.
    fn give_up(&mut self, id: &PeerId) {
        if let Some(known) = self.peers.remove(id) {
            count(&self.shared.counters.lost_peers);
            let why = Status::unavailable("the client showed no sign of life, and its calls were given up");
            known.peer.fail_all(&why.maybe_executed().caused_by(Cause::ClientLost));
        }
    }

    /// A client does not read what it is sent. `false` for one that was given up already: it is not even told.
    pub(crate) fn forsake(&mut self, peer: &Arc<Peer>) -> bool {
        let known = self.peers.get_mut(peer.id().route()).filter(|known| Arc::ptr_eq(&known.peer, peer));
        let Some(known) = known else {
            peer.hang_up(&client_is_gone());
            return false;
        };
        // A ping that is thrown away with the rest can't be answered.
        (known.asked, known.pings) = (None, 0);
        let why =
            Status::unavailable("the client did not read what it was sent, and its calls were given up");
        if peer.forsake(&why.maybe_executed().caused_by(Cause::ClientLost)) {
            count(&self.shared.counters.dropped);
            count(&self.shared.counters.lost_peers);
        }
        true
    }

    /// A client can't be reached.
    pub(crate) fn lose(&mut self, id: &PeerId) {
        if let Some(known) = self.peers.remove(id) {
            if known.peer.is_busy() {
                count(&self.shared.counters.lost_peers);
            }
            known.peer.hang_up(&client_is_gone());
        }
    }

    /// Tells every client that no new calls are taken.
    pub(crate) fn say_going_away(&self) {
        for known in self.peers.values() {
            known.peer.send(wire::going_away);
        }
    }

    /// Ends what is still in flight when the time for draining is up.
    pub(crate) fn fail_all(&mut self) {
        let why = Status::unavailable("the server shut down before the handler was done")
            .maybe_executed()
            .caused_by(Cause::GoingAway);
        for known in self.peers.values() {
            known.peer.fail_all(&why);
        }
        self.unheard.abort_all();
    }

    /// Asks every client for a pong, which proves that it has read all that was sent before.
    pub(crate) fn ask_all(&mut self) {
        self.flushing = true;
        self.peers.values_mut().for_each(Known::ask);
    }

    /// What was sent after the last ping needs a proof of its own: a client may not get to read what comes right before
    /// the end of its connection.
    fn ask_again(&mut self, peer: &Peer) {
        if peer.waiting() > 0
            && let Some(known) = self.peers.get_mut(peer.id().route())
        {
            known.ask();
        }
    }

    /// Every client has answered every ping.
    pub(crate) fn all_answered(&self) -> bool {
        self.peers.values().all(|known| known.pings == 0)
    }

    /// Throws away everything that is in flight or waiting: the server is dropped.
    pub(crate) fn hang_up_all(&mut self) {
        let why = Status::unavailable("the server was dropped").caused_by(Cause::Closed);
        for (_, known) in self.peers.drain() {
            known.peer.hang_up(&why);
        }
    }
}

impl Drop for Core {
    fn drop(&mut self) {
        self.hang_up_all();
        // Peers hold what is shared, and it lists them: the circle is cut here.
        self.shared.take_listed(&mut Vec::new());
    }
}
