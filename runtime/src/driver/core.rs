//! [`Core`]: a server without its transport, or the part of it behind one connection: it takes messages, and its peers have
//! messages to send.
//!
//! What records mean is in [`crate::session::server`], how handlers are started is in [`crate::dispatch`]. The loop that moves
//! messages is in [`super::server`].

use std::collections::HashSet;
use std::sync::Arc;

use tokio::time::Instant;

use crate::auth::Authenticator;
#[cfg(any(test, fuzzing))]
use crate::context::PeerId;
use crate::dispatch::{AUTHORIZATION, Directory, Dispatcher, Peer, Peers, Service, Tokens};
use crate::flush::DriverNotify;
use crate::identity::Identity;
use crate::method::Method;
use crate::middleware::ServerStack;
#[cfg(any(test, fuzzing))]
use crate::peer::Next;
use crate::peer::{Config, Progress, Shared};
use crate::session::server::{Event, Methods};
use crate::status::{Cause, Status};
#[cfg(any(test, fuzzing))]
use crate::wire::Message;
use crate::wire::{Batch, Malformed};

/// The services of a server, and the clients of one of its drivers.
pub(crate) struct Core {
    pub(crate) shared: Arc<Shared>,
    pub(crate) peers: Peers,
    methods: Arc<Methods>,
    dispatcher: Dispatcher,
    /// Peer whose message was too long for one turn.
    unread: Option<Arc<Peer>>,
}

/// What the [`Core`]s of connections are made from, once their handshakes are complete.
pub(super) struct CoreSeed {
    pub(super) shared: Arc<Shared>,
    directory: Arc<Directory>,
    methods: Arc<Methods>,
    /// Starts no handler.
    dispatcher: Dispatcher,
}

impl CoreSeed {
    /// Creates the part of the server behind a connection, whose driver is notified by `notify`.
    pub(super) fn core(&self, notify: Arc<DriverNotify>) -> Core {
        let shared = Arc::clone(&self.shared);
        Core {
            peers: Peers::of_connection(Arc::clone(&shared), notify, Arc::clone(&self.directory)),
            shared,
            methods: Arc::clone(&self.methods),
            dispatcher: self.dispatcher.for_connection(),
            unread: None,
        }
    }
}

/// The name of a method that two services of a server share.
#[derive(Debug)]
pub(crate) struct DuplicateMethod(pub(crate) &'static str);

impl Core {
    pub(crate) fn new(services: Vec<Arc<dyn Service>>, config: Config) -> Result<Self, DuplicateMethod> {
        let shared = Shared::new(config);
        let (dispatcher, methods) =
            Dispatcher::new(services, Arc::clone(&shared)).map_err(DuplicateMethod)?;
        let peers = Peers::of_server(Arc::clone(&shared));
        Ok(Self { shared, peers, methods: Arc::new(methods), dispatcher, unread: None })
    }

    /// Returns what the part of the server behind a new connection is made from, which has a driver of its own.
    pub(super) fn for_connections(&self, directory: Arc<Directory>) -> Arc<CoreSeed> {
        Arc::new(CoreSeed {
            shared: Arc::clone(&self.shared),
            directory,
            methods: Arc::clone(&self.methods),
            dispatcher: self.dispatcher.for_connection(),
        })
    }

    /// Returns what notifies the driver.
    pub(super) fn notify(&self) -> &Arc<DriverNotify> {
        self.peers.ready().notify()
    }

    /// Reports whether the driver was notified, usually since there is something to send, while no call is in flight that could
    /// add to it.
    #[inline]
    pub(super) fn is_notified_and_idle(&self) -> bool {
        self.notify().is_notified() && !self.peers.have_calls()
    }

    /// Puts middleware around every handler.
    pub(crate) fn with_middleware(mut self, stack: ServerStack) -> Self {
        if !stack.is_empty() {
            self.dispatcher.set_layer(Arc::new(stack));
        }
        self
    }

    /// Finds out who makes a call by the token that comes with it, before the call runs or waits for its turn. There the roles of calls with
    /// a token are looked at in place of the sessions, if they are to be. Called before any connection is there.
    pub(crate) fn with_tokens(mut self, authenticator: Authenticator, checks_roles: bool) -> Self {
        self.dispatcher.set_tokens(Tokens::new(authenticator, checks_roles));
        if !checks_roles {
            return self.ignoring_roles();
        }
        self.methods = Arc::new((*self.methods).clone().ignoring_roles_with(AUTHORIZATION));
        self
    }

    /// Returns the full names of the program's services, sorted, without those that every server has by itself.
    pub(crate) fn services(&self) -> Vec<String> {
        self.dispatcher.services_of_program().into_iter().map(str::to_owned).collect()
    }

    /// Returns the name of a method that has roles, the first by name, if there is one.
    pub(crate) fn method_with_roles(&self) -> Option<&'static str> {
        self.guarded().map(Method::name).min()
    }

    /// Reports whether something holds of the roles of any method that has some.
    pub(crate) fn any_roles(&self, holds: impl Fn(&[&str]) -> bool) -> bool {
        self.guarded().any(|method| holds(method.required_roles()))
    }

    fn guarded(&self) -> impl Iterator<Item = &'static Method> {
        self.methods.iter().filter(|method| !method.required_roles().is_empty())
    }

    /// Lets anybody call any method, whatever its roles. Called before any connection is there.
    pub(crate) fn ignoring_roles(mut self) -> Self {
        self.methods = Arc::new((*self.methods).clone().ignoring_roles());
        self
    }

    /// Takes a message from a client. The rest of a long message is left for [`Core::read_on`]. Returns the number of
    /// records taken.
    #[inline]
    pub(crate) fn receive(&mut self, route: &[u8], identity: Option<Identity>, batch: Batch) -> usize {
        let Some((peer, now)) = self.peer_of(route, identity) else { return 0 };
        let mut progress = Progress::default();
        let first = peer.receive(now, batch, &self.methods, &mut progress);
        self.handle(peer, first, progress, now)
    }

    /// Takes a message whose frames can't be attached to its batch. Returns the number of records that the message counts for.
    pub(crate) fn refuse(&mut self, route: &[u8], identity: Option<Identity>, why: &Malformed) -> usize {
        let Some((peer, _)) = self.peer_of(route, identity) else { return 0 };
        peer.with(|session| session.handle_unreadable(why));
        1
    }

    /// Returns the client whose message was received on a route, and the time.
    #[inline]
    fn peer_of(&mut self, route: &[u8], identity: Option<Identity>) -> Option<(Arc<Peer>, Instant)> {
        // Records must keep their order. A driver has read the rest already, turn by turn.
        while self.read_on() {}
        let now = Instant::now();
        Some((self.peers.peer_of_route(route, identity, now)?, now))
    }

    /// Takes more of a message that was too long for one turn. Returns `false` if there is no such message.
    pub(crate) fn read_on(&mut self) -> bool {
        let Some(peer) = self.unread.take() else { return false };
        let (mut progress, now) = (Progress::default(), Instant::now());
        let first = peer.read_on(&self.methods, &mut progress);
        self.handle(peer, first, progress, now);
        true
    }

    /// Reports whether a message is not read to its end yet, so that no other may be taken.
    #[inline]
    pub(crate) fn is_unfinished(&self) -> bool {
        self.unread.is_some()
    }

    /// Starts the calls of a message, up to the end of the turn, which has begun at a time. Returns the number of records taken.
    #[inline]
    fn handle(
        &mut self,
        peer: Arc<Peer>,
        first: Option<Event>,
        mut progress: Progress,
        began: Instant,
    ) -> usize {
        if first.is_some() {
            let mut next = first;
            while let Some(event) = next {
                self.dispatcher.start(&peer, event);
                next = peer.read_on(&self.methods, &mut progress);
            }
            self.dispatcher.end_portion(began);
        }
        self.unread = progress.has_unread.then_some(peer);
        progress.records
    }

    /// Runs calls that have waited, for their turn or until it was known who makes them. Returns whether there may be more that can run.
    pub(crate) fn run_queued(&mut self) -> bool {
        self.dispatcher.run_queued()
    }

    /// Ends all that the clients of this driver have asked for, one-way calls among it, for a client that is not let in any more. What is
    /// left of a long message is not read.
    pub(crate) fn revoke(&mut self, why: &Status) {
        self.unread = None;
        self.peers.revoke(why);
        self.dispatcher.abort_own_one_way();
    }

    /// Ends what is still in flight at the end of the grace time.
    pub(crate) fn end_calls(&mut self) {
        let why = |what| Status::unavailable(what).caused_by(Cause::GoingAway);
        let not_begun = why("the server shut down while the call waited to run").not_sent();
        self.dispatcher.turn_away_queued(&not_begun);
        self.peers.fail_all(&why("the server shut down before the handler was done").maybe_executed());
        self.dispatcher.abort_one_way();
    }
}

/// Used by tests of a server without a transport.
impl Core {
    /// Returns the names of the idempotent methods.
    pub(crate) fn idempotent_methods(&self) -> HashSet<&'static [u8]> {
        let methods = self.methods.iter().filter(|method| method.is_idempotent());
        methods.map(|method| method.name().as_bytes()).collect()
    }

    /// Returns every message that there is to send, with its peer.
    #[cfg(any(test, fuzzing))]
    pub(crate) fn take_messages(&mut self) -> Vec<(PeerId, Message)> {
        while self.read_on() {}
        while self.run_queued() {}
        let mut ready = Vec::new();
        self.peers.ready().take(&mut ready);
        let mut messages = Vec::new();
        for peer in ready {
            while let Next::Message(message, _receipt) = peer.next_message() {
                messages.push((peer.id().clone(), message));
            }
        }
        messages
    }
}

impl Drop for Core {
    fn drop(&mut self) {
        self.peers.close();
    }
}
