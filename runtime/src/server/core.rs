//! What a server does with batches: no sockets, no waiting. The owner of a socket feeds it and empties its peers. How a call
//! that is taken on comes to its handler is in [`super::start`].

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use tokio::task::JoinSet;
use tokio::time::Instant;

use super::clients::Clients;
use super::counters::count;
use super::dispatch::Service;
use super::peer::{Next, Peer, Refusal};
use super::queue::Queue;
use super::shared::Shared;
use super::start::{Origin, Ready};
use crate::context::PeerId;
use crate::id_map::Seeded;
use crate::method::{Method, MethodKind};
use crate::middleware::ServerStack;
use crate::status::{Cause, Failure, Status};
use crate::wire::{self, Batch, CallRecord, Malformed, Message, Reader, Record};

/// Records to take of a batch before anything else gets its turn: handlers are polled right here, and the client has work to
/// do with the answers to the first while the others run.
const TURN: usize = 128;

/// The most records that a batch may have. One of 128 KiB, at which a client should begin another, has fewer, however short
/// they are; and a batch holds up all other clients until it is done.
const MOST_RECORDS: usize = 512 * TURN;

/// What a client is told to wait when there are as many calls in flight as may be. Nobody knows when there are fewer; the
/// hint only keeps clients from asking all the time.
pub(super) const RETRY_AFTER: Duration = Duration::from_millis(100);

/// The services of a server, and its clients.
pub(crate) struct Core {
    pub(crate) shared: Arc<Shared>,
    pub(super) services: Vec<Arc<dyn Service>>,
    /// What stands around every handler.
    pub(super) middleware: Arc<ServerStack>,
    /// By their names' bytes, as a client writes them.
    methods: HashMap<&'static [u8], Target, Seeded>,
    pub(crate) clients: Clients,
    /// The handlers of one-way calls: no client's loss ends them, but the server's end does.
    pub(super) unheard: JoinSet<()>,
    /// When the message came in that is being read.
    pub(super) received: Instant,
    unfinished: Option<Unfinished>,
    /// Where it is bounded how many calls run.
    pub(super) queue: Option<Queue<Ready>>,
}

/// A batch that was too long for one turn.
struct Unfinished {
    peer: Arc<Peer>,
    batch: Batch,
    /// Where the next record begins.
    at: usize,
    /// How many records were taken.
    taken: usize,
}

/// Where a method is.
#[derive(Clone, Copy)]
pub(super) struct Target {
    pub(super) service: usize,
    pub(super) index: usize,
    pub(super) method: &'static Method,
}

/// Two services that a server was given share this method.
#[derive(Debug)]
pub(crate) struct DuplicateMethod(pub(crate) &'static str);

impl Core {
    pub(crate) fn new(services: Vec<Arc<dyn Service>>, shared: Arc<Shared>) -> Result<Self, DuplicateMethod> {
        let mut methods = HashMap::default();
        for (service, table) in services.iter().map(|service| service.methods()).enumerate() {
            for (index, method) in table.iter().enumerate() {
                if methods.insert(method.name().as_bytes(), Target { service, index, method }).is_some() {
                    return Err(DuplicateMethod(method.name()));
                }
            }
        }
        let concurrency = shared.limits.concurrency;
        let queue = concurrency.map(|limit| Queue::new(limit, Arc::clone(&shared.notify)));
        let (clients, unheard) = (Clients::new(Arc::clone(&shared)), JoinSet::new());
        Ok(Self {
            shared,
            services,
            middleware: Arc::default(),
            methods,
            clients,
            unheard,
            received: Instant::now(),
            unfinished: None,
            queue,
        })
    }

    /// With middleware around every handler.
    pub(crate) fn with_middleware(mut self, stack: ServerStack) -> Self {
        self.middleware = Arc::new(stack);
        self
    }

    /// Takes a message from a client. Whatever is in it, the worst that can happen is that it is answered with an error
    /// and counted. Where it is long, some of it is left for [`Core::go_on`]. How many records it took.
    pub(crate) fn receive(&mut self, route: &[u8], batch: &Batch) -> usize {
        let Some(peer) = self.hear(route) else { return 0 };
        let taken = match batch.records() {
            Ok(mut reader) => self.take_turn(&peer, batch, &mut reader, 0),
            Err(malformed) => self.malformed(&peer, &malformed),
        };
        self.after_turn(&peer);
        taken
    }

    /// A message came in that has frames which can't be attached to its batch.
    pub(crate) fn refuse(&mut self, route: &[u8], why: &Malformed) -> usize {
        let Some(peer) = self.hear(route) else { return 0 };
        let taken = self.malformed(&peer, why);
        self.after_turn(&peer);
        taken
    }

    /// A message has come from there.
    fn hear(&mut self, route: &[u8]) -> Option<Arc<Peer>> {
        // Whoever takes turns has done so; records keep their order in any case.
        while self.go_on() {}
        self.received = Instant::now();
        self.clients.heard_of(route, self.received)
    }

    /// Takes more of a batch that was too long for one turn. `false` when there is none.
    pub(crate) fn go_on(&mut self) -> bool {
        let Some(Unfinished { peer, batch, at, taken }) = self.unfinished.take() else { return false };
        let Ok(mut reader) = batch.records_from(at) else { return false };
        self.take_turn(&peer, &batch, &mut reader, taken);
        self.after_turn(&peer);
        true
    }

    /// A batch is not done yet: no other message may be taken.
    #[cfg(test)]
    pub(crate) fn is_unfinished(&self) -> bool {
        self.unfinished.is_some()
    }

    /// Takes a number of records, of which so many were taken before. How many they are now.
    fn take_turn(
        &mut self,
        peer: &Arc<Peer>,
        batch: &Batch,
        reader: &mut Reader<'_>,
        before: usize,
    ) -> usize {
        for taken in before..before + TURN {
            match reader.next() {
                Ok(Some(record)) => self.record(peer, batch, record),
                Ok(None) => return taken,
                Err(malformed) => return taken + self.malformed(peer, &malformed),
            }
        }
        let taken = before + TURN;
        if taken >= MOST_RECORDS {
            self.too_many_records(peer);
        } else if reader.at() < batch.bytes().len() {
            let (peer, batch, at) = (Arc::clone(peer), batch.clone(), reader.at());
            self.unfinished = Some(Unfinished { peer, batch, at, taken });
        }
        taken
    }

    fn after_turn(&mut self, peer: &Arc<Peer>) {
        self.clients.ask_again(peer);
        // Here and not after the batch, which may ask for far more than it holds. What is left of it is dropped, and no
        // call in it waits: the client has been told that all of its calls are over.
        if !self.clients.keep_in_bounds(peer) {
            self.unfinished = None;
        }
    }

    /// The rest of a batch can't be read, which counts for one record.
    fn malformed(&self, peer: &Arc<Peer>, malformed: &Malformed) -> usize {
        count(&self.shared.counters.unreadable);
        let failure = Failure::Status(malformed.status());
        peer.send(|out| wire::error(out, 0, &failure));
        1
    }

    fn too_many_records(&self, peer: &Arc<Peer>) {
        count(&self.shared.counters.unreadable);
        let what = format!("a batch of more than {MOST_RECORDS} records, as many as one may have");
        let failure = Failure::Status(Status::resource_exhausted(what).maybe_executed());
        peer.send(|out| wire::error(out, 0, &failure));
    }

    #[inline]
    fn record(&mut self, peer: &Arc<Peer>, batch: &Batch, record: Record<'_>) {
        match record {
            Record::Call(call) => self.call(peer, batch, call),
            Record::OneWay(call) => self.one_way(peer, batch, call),
            Record::Items { id, items } => peer.items(id, batch, items),
            Record::End { id } => peer.end_of_items(id),
            Record::Credit { id, bytes } => peer.credit(id, bytes),
            Record::Cancel { id } => peer.cancel(id),
            Record::Ping { id } => peer.send(|out| wire::pong(out, id)),
            Record::Pong { .. } => self.clients.ponged(peer),
            // What only a server says; and an error that speaks of an answer of ours is not answered with another.
            Record::Reply { .. } | Record::Error { .. } | Record::GoingAway => {
                count(&self.shared.counters.unreadable);
            }
            Record::Unknown { kind, id } => self.unknown_kind(peer, kind, id),
        }
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

    #[inline]
    fn call(&mut self, peer: &Arc<Peer>, batch: &Batch, record: CallRecord<'_>) {
        let id = record.id;
        if id == 0 {
            return self.refuse_nameless(peer);
        }
        let key = match peer.open(id) {
            Ok(key) => key,
            Err(refusal) => return self.refuse_unopened(peer, id, &refusal),
        };
        let deadline = self.deadline(&record);
        match self.admit(batch, &record, deadline, false) {
            Ok(target) => self.start(peer, Origin::Call(key), &target, batch, record, deadline),
            Err(status) => self.turn_away(peer, Some(key), status.not_sent()),
        }
    }

    #[inline]
    fn one_way(&mut self, peer: &Arc<Peer>, batch: &Batch, record: CallRecord<'_>) {
        let deadline = self.deadline(&record);
        match self.admit(batch, &record, deadline, true) {
            Ok(target) if peer.has_room_for_one_way() => {
                self.start(peer, Origin::OneWay(None), &target, batch, record, deadline);
            }
            _ => self.turn_away_unheard(),
        }
    }

    /// When a call's time is up. A time too long for the clock is no deadline.
    #[inline]
    fn deadline(&self, record: &CallRecord<'_>) -> Option<Instant> {
        record.timeout.and_then(|left| self.received.checked_add(left))
    }

    /// The method that a call is for, or why the call is turned away.
    #[inline]
    fn admit(
        &self,
        batch: &Batch,
        record: &CallRecord<'_>,
        deadline: Option<Instant>,
        one_way: bool,
    ) -> Result<Target, Status> {
        let Some(target) = self.methods.get(record.method) else {
            return Err(self.unknown_method(&String::from_utf8_lossy(record.method)));
        };
        if one_way != (target.method.kind() == MethodKind::OneWay) {
            return Err(Status::invalid_argument(format!(
                "`{}` must be called by a record of kind {}",
                target.method.name(),
                if one_way { "call: it answers" } else { "one-way call: it has no answer" }
            )));
        }
        // A one-way call can't be told that it was turned away, so it still runs.
        if !one_way && self.shared.is_draining() {
            return Err(Status::unavailable("the server is shutting down").caused_by(Cause::GoingAway));
        }
        // From when the batch came in: calls late in a long one may have waited for those before them.
        if deadline.is_some_and(|deadline| deadline <= Instant::now()) {
            let why = "the deadline passed before the call reached its handler";
            return Err(Status::deadline_exceeded(why).caused_by(Cause::Deadline));
        }
        let most = self.shared.limits.message_size;
        let length = batch.body_len(record.body);
        if length > most {
            return Err(Status::resource_exhausted(format!(
                "the call has {length} bytes of parameters; a message may have {most}"
            )));
        }
        record.metadata.excess().map_or(Ok(*target), |what| Err(Status::resource_exhausted(what)))
    }

    /// Says which half of the name is wrong.
    fn unknown_method(&self, name: &str) -> Status {
        let service = name.rsplit_once('/').map_or(name, |(service, _)| service);
        let known = self
            .methods
            .values()
            .any(|known| known.method.name().rsplit_once('/').is_some_and(|(s, _)| s == service));
        let shown: String = name.chars().take(200).collect();
        Status::unimplemented(if known {
            format!("the service has no method `{shown}`; the server may be older than its client")
        } else {
            format!("this server does not offer the service of `{shown}`")
        })
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
                self.shared.limits.waiting_per_peer()
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

/// For whoever carries messages without a socket.
impl Core {
    /// Whether a method of this name may run twice.
    pub(crate) fn is_idempotent(&self, method: &[u8]) -> bool {
        self.methods.get(method).is_some_and(|target| target.method.is_idempotent())
    }

    /// Everything that there is to send, and to whom.
    pub(crate) fn take_messages(&mut self) -> Vec<(PeerId, Message)> {
        while self.go_on() {}
        while self.run_queued() {}
        let mut listed = Vec::new();
        self.shared.take_listed(&mut listed);
        let mut messages = Vec::new();
        for peer in listed {
            while let Next::Message(message, _arrived) = peer.next_message() {
                messages.push((peer.id().clone(), message));
            }
        }
        messages
    }
}

/// The way out.
impl Core {
    /// Ends what is still in flight when the time for draining is up.
    pub(crate) fn fail_all(&mut self) {
        let why = |what| Status::unavailable(what).caused_by(Cause::GoingAway);
        self.turn_away_queued(&why("the server shut down before it was the call's turn").not_sent());
        self.clients.fail_all(&why("the server shut down before the handler was done").maybe_executed());
        self.unheard.abort_all();
    }
}

impl Drop for Core {
    fn drop(&mut self) {
        self.clients.hang_up_all();
        // Peers hold what is shared, and it lists them: the circle is cut here.
        self.shared.take_listed(&mut Vec::new());
    }
}
