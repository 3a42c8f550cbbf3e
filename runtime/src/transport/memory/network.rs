//! [`SimNetwork`]: where one server is found by its clients, and what goes wrong between them.

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::Waker;

use tokio::time::Instant;

use super::client::MemoryClient;
use super::link::{Link, LinkRules, Route};
use super::server::{IsIdempotent, MemoryServer};

/// Links between the clients of one endpoint and the server that is there, if one is.
#[derive(Default)]
pub(crate) struct SimNetwork {
    state: Mutex<State>,
}

/// What a network knows.
#[derive(Default)]
pub(super) struct State {
    pub(super) rules: LinkRules,
    pub(super) links: BTreeMap<u64, Link>,
    /// Routes of links that went down, of which the server does not know yet.
    pub(super) lost: VecDeque<Route>,
    /// The server that is there.
    pub(super) server: Option<u64>,
    /// Wakes the server's driver.
    pub(super) server_waker: Option<Waker>,
    /// No client will come: the server ends with its last one.
    pub(super) is_closed: bool,
    servers: u64,
    clients: u64,
    routes: u64,
}

impl SimNetwork {
    pub(crate) fn new() -> Arc<Self> {
        Arc::default()
    }

    pub(super) fn lock(&self) -> MutexGuard<'_, State> {
        // Nothing panics while the lock is held but for lack of memory; the state is whole in any case.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Puts a server there, in place of the one before, which ends. `is_idempotent` says which calls may be repeated.
    pub(crate) fn listen(self: &Arc<Self>, is_idempotent: IsIdempotent) -> MemoryServer {
        let mut state = self.lock();
        state.stop_server();
        state.servers += 1;
        let number = state.servers;
        state.server = Some(number);
        state.links.values_mut().for_each(Link::wake);
        drop(state);
        MemoryServer::new(Arc::clone(self), number, is_idempotent)
    }

    /// Links a client, as soon as there is a server.
    pub(crate) fn connect(self: &Arc<Self>) -> MemoryClient {
        self.lock().add(self, |_| Link::new(Instant::now()))
    }

    /// Links a client that counts as connected from the start, and closes the network for others: it is a server's only one.
    pub(crate) fn connect_alone(self: &Arc<Self>) -> MemoryClient {
        let mut state = self.lock();
        state.is_closed = true;
        state.add(self, |state| Link::connected(state.next_route()))
    }

    /// Changes what happens to messages.
    pub(crate) fn change_rules(&self, change: impl FnOnce(&mut LinkRules)) {
        change(&mut self.lock().rules);
    }

    /// Takes every link down, with all that is on its way. They come up again by themselves.
    pub(crate) fn cut(&self) {
        let mut state = self.lock();
        state.cut();
        state.wake_server();
    }

    /// Ends the server, with all that it was doing.
    pub(crate) fn crash(&self) {
        self.lock().stop_server();
    }
}

impl State {
    fn add(&mut self, network: &Arc<SimNetwork>, link: impl FnOnce(&mut Self) -> Link) -> MemoryClient {
        self.clients += 1;
        let (number, link) = (self.clients, link(self));
        self.links.insert(number, link);
        MemoryClient::new(Arc::clone(network), number)
    }

    fn next_route(&mut self) -> Route {
        self.routes += 1;
        self.routes.to_be_bytes()
    }

    /// Brings a link up if it is time for that and a server is there.
    pub(super) fn bring_up(&mut self, number: u64, now: Instant) {
        let is_due = self.links.get(&number).and_then(Link::up_at).is_some_and(|at| at <= now);
        if is_due && self.server.is_some() {
            let route = self.next_route();
            if let Some(link) = self.links.get_mut(&number) {
                link.come_up(route);
            }
        }
    }

    fn cut(&mut self) {
        let now = Instant::now();
        self.lost.extend(self.links.values_mut().filter_map(|link| link.go_down(now)));
    }

    fn stop_server(&mut self) {
        self.server = None;
        self.cut();
        self.lost.clear();
        self.wake_server();
    }

    /// Takes a client away. What it has sent before still arrives.
    pub(super) fn abandon(&mut self, number: u64) {
        self.links.get_mut(&number).into_iter().for_each(Link::abandon);
        self.remove_abandoned();
        self.wake_server();
    }

    /// Removes the links of clients that are gone, of which nothing is on its way.
    pub(super) fn remove_abandoned(&mut self) {
        self.lost.extend(self.links.values().filter(|link| link.is_over()).filter_map(Link::route));
        self.links.retain(|_, link| !link.is_over());
    }

    /// Reports whether this server has ended: another is there, or none, or its last client is gone.
    pub(super) fn has_ended(&self, server: u64) -> bool {
        self.server != Some(server) || self.is_closed && self.links.is_empty() && self.lost.is_empty()
    }

    /// Wakes the server's driver. See [`Link::wake`].
    pub(super) fn wake_server(&mut self) {
        self.server_waker.take().into_iter().for_each(Waker::wake);
    }
}
