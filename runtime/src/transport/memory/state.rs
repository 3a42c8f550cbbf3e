//! [`State`]: what a network within the process knows, as a state machine that is handed the time.

use std::collections::{BTreeMap, VecDeque};
use std::ops::Bound;
use std::task::Waker;

use tokio::time::Instant;

use super::link::{Discarded, LinkRules, MemoryLink, Parcel, Route, client_of, route_of};
use crate::identity::Identity;
use crate::transport::TransportError;
use crate::wire::Message;

/// What a network knows. Clients and servers are named by numbers, which are not used again.
#[derive(Default)]
pub(super) struct State {
    rules: LinkRules,
    links: BTreeMap<u64, MemoryLink>,
    /// Routes of links that went down, of which the server does not know yet.
    lost: VecDeque<Route>,
    /// The server that listens.
    server: Option<u64>,
    /// Wakes the server's driver.
    server_waker: Option<Waker>,
    /// No other client will connect: the server ends with its last one.
    is_closed: bool,
    /// The client whose message the server was given last.
    served: u64,
    /// What was removed, to be dropped without the lock.
    discarded: Discarded,
    /// Number of servers so far; so for clients and routes.
    servers: u64,
    clients: u64,
    routes: u64,
}

/// Something that has arrived at the server.
pub(super) enum Arrived {
    /// A message, and who has sent it.
    Message(Route, Parcel, Option<Identity>),
    /// The link of this route went down.
    Lost(Route),
}

/// What concerns the network as a whole.
impl State {
    /// Returns what was removed since the last call. It must be dropped without the lock.
    #[must_use]
    pub(super) fn take_discarded(&mut self) -> Discarded {
        std::mem::take(&mut self.discarded)
    }

    pub(super) fn rules(&mut self) -> &mut LinkRules {
        &mut self.rules
    }

    /// Starts a server, in place of the one before. Returns its number.
    pub(super) fn listen(&mut self, now: Instant) -> u64 {
        self.stop_server(now);
        self.servers += 1;
        self.server = Some(self.servers);
        self.links.values_mut().for_each(MemoryLink::wake);
        self.servers
    }

    /// Adds the link of a client, which comes up once there is a server. Returns the client's number.
    pub(super) fn connect(&mut self, now: Instant, identity: Option<Identity>) -> u64 {
        self.clients += 1;
        self.links.insert(self.clients, MemoryLink::new(now).with_identity(identity));
        self.clients
    }

    /// Adds a link that is up, and closes the network for others. Returns the client's number.
    pub(super) fn connect_alone(&mut self, identity: Option<Identity>) -> u64 {
        self.is_closed = true;
        self.clients += 1;
        let route = self.next_route(self.clients);
        self.links.insert(self.clients, MemoryLink::connected(route).with_identity(identity));
        self.clients
    }

    /// Takes every link down, with all messages on their way.
    pub(super) fn cut(&mut self, now: Instant) {
        let links = self.links.values_mut();
        self.lost.extend(links.filter_map(|link| link.go_down(now, &mut self.discarded)));
        self.remove_all_over();
        self.wake_server();
    }

    /// Ends the server, with all that it was doing.
    pub(super) fn stop_server(&mut self, now: Instant) {
        self.server = None;
        self.cut(now);
        self.lost.clear();
    }

    /// Returns a new route for a client: its number, then that of the route.
    fn next_route(&mut self, client: u64) -> Route {
        self.routes += 1;
        route_of(client, self.routes)
    }

    /// Removes the link of a client that is gone, if nothing is on its way to the server.
    fn remove_if_over(&mut self, client: u64) {
        if self.links.get(&client).is_some_and(MemoryLink::is_over)
            && let Some(link) = self.links.remove(&client)
        {
            self.lost.extend(link.route());
            self.discarded.add_link(link);
        }
    }

    fn remove_all_over(&mut self) {
        let over = self.links.iter().filter(|(_, link)| link.is_over()).map(|(client, _)| *client);
        over.collect::<Vec<_>>().into_iter().for_each(|client| self.remove_if_over(client));
    }

    /// Wakes the server's driver. See [`MemoryLink::wake`].
    fn wake_server(&mut self) {
        self.server_waker.take().into_iter().for_each(Waker::wake);
    }

    /// Returns the number of links.
    #[cfg(test)]
    pub(super) fn links(&self) -> usize {
        self.links.len()
    }
}

/// What clients do.
impl State {
    /// Returns a client's link, which is there as long as the client is.
    pub(super) fn link(&mut self, client: u64) -> Result<&mut MemoryLink, TransportError> {
        self.links.get_mut(&client).ok_or(TransportError::Stopped)
    }

    /// Returns a client's link, after bringing it up if that is due and there is a server.
    pub(super) fn link_in_time(
        &mut self,
        client: u64,
        now: Instant,
    ) -> Result<&mut MemoryLink, TransportError> {
        let is_due = self.link(client)?.up_at().is_some_and(|at| at <= now);
        if is_due && self.server.is_some() {
            let route = self.next_route(client);
            self.link(client)?.come_up(route);
        }
        self.link(client)
    }

    /// Has a client's driver woken by the next change. Returns when there will be something for it, if that is known.
    pub(super) fn watch_client(
        &mut self,
        client: u64,
        waker: &Waker,
    ) -> Result<Option<Instant>, TransportError> {
        let has_server = self.server.is_some();
        let link = self.link(client)?;
        link.watch(waker);
        let up = link.up_at().filter(|_| has_server);
        Ok([link.next_at_client(), up].into_iter().flatten().min())
    }

    /// Sends a client's message. Returns it if the link is down.
    pub(super) fn send_to_server(
        &mut self,
        client: u64,
        message: Message,
        now: Instant,
    ) -> Result<Option<Message>, TransportError> {
        let parcel = Parcel::new(message, None);
        let Some(link) = self.links.get_mut(&client) else {
            self.discarded.add(parcel);
            return Err(TransportError::Stopped);
        };
        let back = link.send_to_server(parcel, now, self.rules.to_server, &mut self.discarded);
        if back.is_none() {
            self.wake_server();
        }
        Ok(back.map(Parcel::into_message))
    }

    /// Returns the next message that has arrived at a client.
    pub(super) fn receive_at_client(
        &mut self,
        client: u64,
        now: Instant,
    ) -> Result<Option<Parcel>, TransportError> {
        let link = self.links.get_mut(&client).ok_or(TransportError::Stopped)?;
        Ok(link.arrived_at_client(now, &mut self.discarded))
    }

    /// Ends a client. What it has sent before still arrives, unless the server has ended.
    pub(super) fn abandon(&mut self, client: u64, now: Instant) {
        if let Some(link) = self.links.get_mut(&client) {
            link.abandon(&mut self.discarded);
            if self.server.is_none() {
                link.go_down(now, &mut self.discarded);
            }
        }
        self.remove_if_over(client);
        self.wake_server();
    }
}

/// What servers do.
impl State {
    /// Reports whether this server has ended: another has taken its place, or none, or its last client is gone.
    fn has_ended(&self, server: u64) -> bool {
        self.server != Some(server) || self.is_closed && self.links.is_empty() && self.lost.is_empty()
    }

    /// Returns the next arrival at a server: first the links that went down, then one message of each client in turn.
    pub(super) fn receive_at_server(
        &mut self,
        server: u64,
        now: Instant,
    ) -> Result<Option<Arrived>, TransportError> {
        if self.has_ended(server) {
            return Err(TransportError::Stopped);
        }
        if let Some(route) = self.lost.pop_front() {
            return Ok(Some(Arrived::Lost(route)));
        }
        let others = (Bound::Excluded(self.served), Bound::Unbounded);
        let arrived = first_arrived(self.links.range_mut(others), now)
            .or_else(|| first_arrived(self.links.range_mut(..=self.served), now));
        Ok(arrived.map(|(client, route, parcel)| {
            self.served = client;
            let identity = self.links.get(&client).and_then(MemoryLink::identity);
            self.remove_if_over(client);
            Arrived::Message(route, parcel, identity)
        }))
    }

    /// Reports whether calls of idempotent methods arrive twice.
    pub(super) fn repeats(&self) -> bool {
        self.rules.repeats
    }

    /// Sends a message of the server along a route. Returns it if no link has that route.
    pub(super) fn send_to_client(&mut self, route: &[u8], parcel: Parcel, now: Instant) -> Option<Parcel> {
        let link = client_of(route).and_then(|client| self.links.get_mut(&client));
        match link.filter(|link| link.route().is_some_and(|own| own == route)) {
            Some(link) => {
                link.send_to_client(parcel, now, self.rules.to_client, &mut self.discarded);
                None
            }
            None => Some(parcel),
        }
    }

    /// Reports whether a server has something to receive at once: the end of a link, or its own.
    pub(super) fn has_news(&self, server: u64) -> bool {
        self.has_ended(server) || !self.lost.is_empty()
    }

    /// Has the server's driver woken by the next change. Returns when the next message arrives, if one is on its way.
    pub(super) fn watch_server(&mut self, waker: &Waker) -> Option<Instant> {
        self.server_waker = Some(waker.clone());
        self.links.values().filter_map(MemoryLink::next_at_server).min()
    }

    /// Ends a server. Its links go down once their clients have what is on its way to them.
    pub(super) fn leave(&mut self, server: u64, now: Instant) {
        if self.server == Some(server) {
            self.server = None;
            self.links.values_mut().for_each(|link| link.leave(now, &mut self.discarded));
            self.remove_all_over();
        }
    }
}

/// Returns the first message that has arrived at the server over one of these links, with the number of its client.
fn first_arrived<'a>(
    mut links: impl Iterator<Item = (&'a u64, &'a mut MemoryLink)>,
    now: Instant,
) -> Option<(u64, Route, Parcel)> {
    links.find_map(|(client, link)| Some((*client, link.route()?, link.arrived_at_server(now)?)))
}
