//! [`CallerTask`]: the task of one connection that was made to the router: of callers, or of a worker that registers.

use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use zsvc::forward::{CallerLink, Received, Sending};
use zsvc::{Identity, Status};
use zsvc_proto::wire::{Batch, Malformed, Message, Notice, Registration};

use super::hub::{Caller, Hub, Worker, now};
use super::peers::Peers;
use super::policy::Policy;
use super::registering::{admit, ended, refusal, too_many};
use super::tick::Tick;
use super::wake::Wake;
use super::{MESSAGES_PER_TURN, ROUNDS_PER_POLL};
use crate::event::Event;
use crate::forwarder::NewWorker;
use crate::rights::Rights;

/// Owns a connection that was made to the router.
pub(crate) struct CallerTask {
    link: CallerLink,
    shared: Shared,
    is_up: bool,
    /// Who is at the other end.
    peers: Peers,
    /// When they are asked for a sign of life, of a worker and of callers behind a device.
    tick: Option<Tick>,
    /// Number of parts of messages that had come or gone then.
    parts: u64,
    /// Whether there is more to send than was: a message waits for room, or the turn was over. Nothing else tells of it.
    must_send: bool,
}

/// What adding a caller takes.
pub(super) struct Shared {
    pub(super) hub: Arc<Hub>,
    wake: Arc<Wake>,
    policy: Arc<Policy>,
    /// The version of the policy that `rights` are of.
    version: u64,
    identity: Option<Identity>,
    address: Option<SocketAddr>,
    rights: Arc<Rights>,
    /// Whether these are others than when it was last looked whether a worker may still serve what it does.
    has_other_rights: bool,
    /// The worker that gets all calls, of the router's own connection for that.
    bound_for: Option<Worker>,
}

#[cfg(test)]
impl Shared {
    /// What adding callers takes that may call everything, and of which nobody is told.
    pub(super) fn of_tests(hub: &Arc<Hub>) -> Self {
        let policy = Policy::new(crate::rights::Rules::default(), crate::event::Observer::default());
        let rights = policy.rights(None, None, now());
        let (hub, wake) = (Arc::clone(hub), Arc::default());
        let (version, has_other_rights) = (0, false);
        let (identity, address, bound_for) = (None, None, None);
        Self { hub, wake, policy, version, identity, address, rights, has_other_rights, bound_for }
    }
}

impl CallerTask {
    pub(crate) fn new(link: CallerLink, hub: Arc<Hub>, policy: Arc<Policy>) -> Self {
        let (wake, identity) = (Arc::default(), link.identity());
        let version = policy.version();
        let rights = policy.rights(identity.as_ref(), None, now());
        let address = link.address();
        let (has_other_rights, bound_for) = (false, None);
        let shared =
            Shared { hub, wake, policy, version, identity, address, rights, has_other_rights, bound_for };
        Self { link, shared, is_up: false, peers: Peers::Unknown, tick: None, parts: 0, must_send: false }
    }

    /// Creates the task of the router's own connection, whose calls go to one worker of a realm.
    pub(crate) fn of_router(link: CallerLink, hub: Arc<Hub>, realm: &str, worker: Worker) -> Self {
        let policy = Policy::new(crate::rights::Rules::default(), crate::event::Observer::default());
        let mut task = Self::new(link, hub, policy);
        (task.shared.rights, task.shared.bound_for) = (Rights::of_router(realm), Some(worker));
        task
    }

    /// Receives messages. Returns whether there may be more, or `None` once the connection is to end.
    fn receive(&mut self) -> Option<bool> {
        for _ in 0..MESSAGES_PER_TURN {
            let Self { link, shared, peers, tick, .. } = self;
            let own = link.own_route_bytes();
            match link.receive() {
                None => return Some(false),
                Some(Received::Message { route, batch }) => {
                    shared.heed_changes(peers);
                    if route.len() > own && tick.is_none() {
                        let silence = shared.hub.with(|forwarder, _| forwarder.silence());
                        *tick = Some(Tick::new(silence.of_callers / 4));
                    }
                    // Not through a device, which others share: a registration takes the whole connection.
                    let may_register = matches!(peers, Peers::Unknown) && route.len() == own;
                    if let Some(registration) = may_register.then(|| registration_in(&batch)).flatten() {
                        let route = route.into();
                        self.register(route, registration);
                    } else if !peers.take(route, &batch, shared) {
                        return None;
                    }
                }
                Some(Received::Unanswerable) => {}
                Some(Received::Is(identity)) => shared.become_known(identity, peers),
                Some(Received::Revoked(why)) => {
                    self.revoke(&why);
                    return None;
                }
                Some(Received::Closed) => return None,
            }
        }
        Some(true)
    }

    /// Takes the registration of a worker, or refuses it.
    fn register(&mut self, route: Box<[u8]>, registration: Result<Registration, Malformed>) {
        let Self { link, shared, peers, tick, .. } = self;
        let address =
            link.address().map_or_else(|| "a local socket".to_owned(), |address| address.to_string());
        let admitted = admit(registration, &shared.rights, shared.identity.as_ref(), &address);
        match admitted.and_then(|worker| shared.add_worker(worker)) {
            Ok((key, name)) => {
                // Before its first call, which is sent by this task. There is room: nothing was sent yet.
                drop(link.send(&route, Message::from(Notice::Registered.to_batch())));
                shared.policy.observer.tell(|| Event::WorkerUp { name: name.clone() });
                *peers = Peers::Worker { route, key, name };
                let silence = shared.hub.with(|forwarder, _| forwarder.silence());
                *tick = Some(Tick::new(silence.of_workers / 4));
            }
            Err(why) => {
                shared.tell_refused(address, &why);
                // As above.
                drop(link.send(&route, refusal(&why)));
                *peers = Peers::Refused;
            }
        }
    }

    /// Ends the registration of a worker that may not serve any more what it does. Returns whether the connection goes on.
    fn check_rights(&mut self) -> bool {
        self.shared.heed_changes(&self.peers);
        if !std::mem::take(&mut self.shared.has_other_rights) {
            return true;
        }
        let Peers::Worker { key, .. } = &self.peers else { return true };
        let rights = &self.shared.rights;
        let beyond = self.shared.hub.with(|forwarder, _| forwarder.worker_beyond(*key, rights));
        beyond.is_none_or(|beyond| self.end_registration(&ended(beyond, &self.shared.rights)))
    }

    /// Tells a worker that it is not registered any more. Calls that were not sent to it go elsewhere, the others end. Returns whether the
    /// connection goes on: one that can't be told is closed instead.
    #[cold]
    fn end_registration(&mut self, why: &Status) -> bool {
        let Self { link, shared, peers, .. } = self;
        let Peers::Worker { route, key, name } = peers else { return true };
        let (route, key, name) = (std::mem::take(route), *key, std::mem::take(name));
        *peers = Peers::Refused;
        shared.hub.with(|forwarder, now| forwarder.remove_worker(key, now));
        shared.policy.observer.tell(|| Event::RegistrationEnded { name, why: why.message().to_owned() });
        matches!(link.send(&route, refusal(why)), Sending::Taken)
    }

    /// Ends all that there is with a peer that is not let in any more: its calls, or its registration, end with this, as far as there is room
    /// to say so.
    #[cold]
    fn revoke(&mut self, why: &Status) {
        let callers = self.peers.callers().collect();
        self.shared.hub.with(|forwarder, now| forwarder.revoke(&callers, why, now));
        match self.peers {
            Peers::Worker { .. } => drop(self.end_registration(why)),
            _ => drop(self.send()),
        }
    }

    /// Asks those at the other end for a sign of life, and gives them up that have given none.
    fn check(&mut self) {
        let before = std::mem::replace(&mut self.parts, self.link.parts());
        let is_moving = before != self.parts;
        let Self { shared, peers, .. } = self;
        if let Peers::Worker { key, name, .. } = peers {
            if shared.hub.with(|forwarder, now| forwarder.check_worker(*key, is_moving, now)) {
                shared.policy.observer.tell(|| Event::WorkerSilent { name: name.clone() });
            }
            return;
        }
        shared.hub.with(|forwarder, now| {
            peers.callers().for_each(|caller| forwarder.check_caller(caller, is_moving, now));
        });
    }

    /// Sends what there is for those at the other end. Returns whether there may be more.
    fn send(&mut self) -> bool {
        let Self { link, shared, peers, .. } = self;
        let hub = &shared.hub;
        let sent = match peers {
            Peers::Unknown | Peers::Refused => Sent::All,
            Peers::Worker { route, key, .. } => send_to(link, route, &WorkerOutbox(hub, *key)),
            Peers::Callers { own, others } if others.is_empty() => {
                send_to(link, &own.0, &CallerOutbox(hub, own.1))
            }
            Peers::Callers { own, others } => {
                let all = std::iter::once((&own.0, &own.1)).chain(others.iter());
                // Mostly few of them have something. Looking for these takes the lock once.
                let listed: Vec<_> = hub.with(|forwarder, _| {
                    all.filter(|(_, caller)| forwarder.is_caller_listed(**caller)).collect()
                });
                let mut sent = Sent::All;
                for (route, caller) in listed {
                    sent = sent.max(send_to(link, route, &CallerOutbox(hub, *caller)));
                    if sent == Sent::Blocked {
                        break;
                    }
                }
                sent
            }
        };
        self.must_send = sent != Sent::All;
        sent == Sent::Some
    }
}

/// Returns the registration that a message begins with, if it does.
fn registration_in(batch: &Result<Batch, Malformed>) -> Option<Result<Registration, Malformed>> {
    let mut records = batch.as_ref().ok()?.raw_records().ok()?;
    Registration::of(&records.next().ok()??)
}

impl Shared {
    /// Takes the policy as it is now, if it has changed.
    fn heed_changes(&mut self, peers: &Peers) {
        let version = self.policy.version();
        if version != self.version {
            self.version = version;
            self.set_rights(peers);
        }
    }

    #[cold]
    fn become_known(&mut self, identity: Identity, peers: &Peers) {
        self.identity = Some(identity);
        self.set_rights(peers);
    }

    fn set_rights(&mut self, peers: &Peers) {
        let (identity, before) = (self.identity.as_ref(), self.rights.allowance());
        self.rights = self.policy.rights(identity, before, now());
        self.has_other_rights = true;
        let rights = &self.rights;
        self.hub.with(|forwarder, _| {
            peers.callers().for_each(|caller| forwarder.set_rights(caller, Arc::clone(rights)));
        });
    }

    /// Adds a worker that is up. Returns its key and its name.
    fn add_worker(&self, worker: NewWorker) -> Result<(Worker, String), Status> {
        let (name, wake) = (worker.name.clone(), Arc::clone(&self.wake));
        let key = self.hub.with(|forwarder, now| {
            let key = forwarder.add_worker(worker, wake, now)?;
            forwarder.handle_worker_up(key, now);
            Some(key)
        });
        key.map(|key| (key, name)).ok_or_else(too_many)
    }

    /// Tells that a worker is refused, at a bounded rate: anybody can cause it.
    fn tell_refused(&self, address: String, why: &Status) {
        if let Some(suppressed) = self.policy.refusals.take(now()) {
            let why = why.message().to_owned();
            self.policy.observer.tell(|| Event::RegistrationRefused { address, why, suppressed });
        }
    }

    pub(super) fn add_caller(&self) -> Option<Caller> {
        let (wake, rights) = (Arc::clone(&self.wake), Arc::clone(&self.rights));
        self.hub.with(|forwarder, now| {
            let caller = forwarder.add_caller(wake, rights, self.address, now)?;
            if let Some(worker) = self.bound_for {
                forwarder.bind_caller(caller, worker);
            }
            Some(caller)
        })
    }
}

/// What is to be sent to one peer.
trait Outbox {
    fn next(&self) -> Option<Message>;
    fn put_back(&self, message: Message);
}

struct CallerOutbox<'a>(&'a Hub, Caller);
struct WorkerOutbox<'a>(&'a Hub, Worker);

impl Outbox for CallerOutbox<'_> {
    fn next(&self) -> Option<Message> {
        self.0.with(|forwarder, _| forwarder.poll_transmit_to_caller(self.1))
    }

    fn put_back(&self, message: Message) {
        self.0.with(|forwarder, _| forwarder.return_transmit_to_caller(self.1, message));
    }
}

impl Outbox for WorkerOutbox<'_> {
    fn next(&self) -> Option<Message> {
        self.0.with(|forwarder, now| forwarder.poll_transmit_to_worker(self.1, now))
    }

    fn put_back(&self, message: Message) {
        self.0.with(|forwarder, _| forwarder.return_transmit_to_worker(self.1, message));
    }
}

/// How far sending to a peer came.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Sent {
    All,
    Some,
    Blocked,
}

fn send_to(link: &mut CallerLink, route: &[u8], outbox: &impl Outbox) -> Sent {
    for _ in 0..MESSAGES_PER_TURN {
        let Some(message) = outbox.next() else { return Sent::All };
        match link.send(route, message) {
            Sending::Taken => {}
            Sending::Full(message) => {
                outbox.put_back(message);
                return Sent::Blocked;
            }
            // The end of the connection is received next. The message was not sent.
            Sending::Gone(message) => {
                if let Some(message) = message {
                    outbox.put_back(message);
                }
                return Sent::All;
            }
        }
    }
    Sent::Some
}

impl Future for CallerTask {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<()> {
        if !self.is_up {
            if !ready!(self.link.poll_up(context)) {
                return Poll::Ready(());
            }
            self.is_up = true;
        }
        let _ = self.link.poll_changed(context);
        for _ in 0..ROUNDS_PER_POLL {
            let Some(mut may_have_more) = self.receive() else { return Poll::Ready(()) };
            let is_told = self.shared.wake.look();
            // After the look, which takes the word that there are other rights.
            if !self.check_rights() {
                return Poll::Ready(());
            }
            if is_told || self.must_send {
                may_have_more |= self.send();
            }
            if may_have_more || self.link.poll_changed(context).is_ready() {
                continue;
            }
            // All that has arrived was heard.
            if self.tick.as_mut().is_some_and(|tick| tick.has_passed(context)) {
                self.check();
            }
            if self.shared.wake.sleep(context.waker()) {
                return Poll::Pending;
            }
        }
        context.waker().wake_by_ref();
        Poll::Pending
    }
}

impl Drop for CallerTask {
    fn drop(&mut self) {
        let hub = &self.shared.hub;
        match std::mem::replace(&mut self.peers, Peers::Unknown) {
            Peers::Unknown | Peers::Refused => {}
            Peers::Worker { key, name, .. } => {
                hub.with(|forwarder, now| forwarder.remove_worker(key, now));
                self.shared.policy.observer.tell(|| Event::WorkerDown { name });
            }
            Peers::Callers { own, others } => {
                hub.with(|forwarder, now| forwarder.remove_caller(own.1, now));
                others.leave(hub);
            }
        }
    }
}
