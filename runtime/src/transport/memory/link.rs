//! [`MemoryLink`]: what lies between one client and the server, and the [`LinkRules`] for messages on it.

use std::collections::VecDeque;
use std::task::Waker;
use std::time::Duration;

use tokio::time::Instant;

use crate::identity::Identity;
use crate::transport::{LinkEvent, SendReceipt};
use crate::wire::Message;

/// Time after which a link that went down comes up again.
pub(super) const RECONNECT: Duration = Duration::from_millis(100);
/// The longest delay: longer than any test waits, and short enough for the clock.
const MAX_DELAY: Duration = Duration::from_secs(60 * 60 * 24 * 365);

/// What happens to messages on the links of a network.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct LinkRules {
    pub(crate) to_server: Fault,
    pub(crate) to_client: Fault,
    /// Calls of idempotent methods arrive twice.
    pub(crate) repeats: bool,
}

/// What happens to messages in one direction.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Fault {
    /// Delay of each message.
    pub(crate) delay: Duration,
    /// Whether all messages are lost.
    pub(crate) loses: bool,
}

/// Names a link while it is up: one frame, after its length as any route has it, with the number of its client, and one that is new each
/// time that the link comes up, as in ZeroMQ.
pub(super) type Route = [u8; 20];

/// Returns the route of a client's link, by the number of the client and that of the route.
pub(super) fn route_of(client: u64, number: u64) -> Route {
    let mut route = Route::default();
    route[..4].copy_from_slice(&16_u32.to_be_bytes());
    route[4..12].copy_from_slice(&client.to_be_bytes());
    route[12..].copy_from_slice(&number.to_be_bytes());
    route
}

/// Returns the number of the client of a route; `None` if it is none of [`route_of`].
pub(super) fn client_of(route: &[u8]) -> Option<u64> {
    route.get(4..)?.first_chunk().map(|client| u64::from_be_bytes(*client))
}

/// What lies between one client and the server.
pub(super) struct MemoryLink {
    up: Up,
    to_server: Transit,
    to_client: Transit,
    events: VecDeque<LinkEvent>,
    /// The server has ended, and the link goes down once the client has received what is on its way.
    is_leaving: bool,
    /// The client is gone, and the link is removed once the server has received what is on its way.
    is_abandoned: bool,
    /// Wakes the client's driver.
    waker: Option<Waker>,
    /// Who the client is, if its program says so.
    identity: Option<Identity>,
}

/// Whether a link is up.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Up {
    /// Under this route.
    Yes(Route),
    /// From this time on, if there is a server.
    From(Instant),
}

impl MemoryLink {
    /// Creates a link that comes up at `at`.
    pub(super) fn new(at: Instant) -> Self {
        Self {
            up: Up::From(at),
            to_server: Transit::default(),
            to_client: Transit::default(),
            events: VecDeque::new(),
            is_leaving: false,
            is_abandoned: false,
            waker: None,
            identity: None,
        }
    }

    /// Says who the client is.
    pub(super) fn with_identity(self, identity: Option<Identity>) -> Self {
        Self { identity, ..self }
    }

    pub(super) fn identity(&self) -> Option<Identity> {
        self.identity.clone()
    }

    /// Creates a link that is up, without an event that says so.
    pub(super) fn connected(route: Route) -> Self {
        Self { up: Up::Yes(route), ..Self::new(Instant::now()) }
    }

    /// Returns when the link comes up, if it is down.
    pub(super) fn up_at(&self) -> Option<Instant> {
        match self.up {
            Up::From(at) => Some(at),
            Up::Yes(_) => None,
        }
    }

    pub(super) fn route(&self) -> Option<Route> {
        match self.up {
            Up::Yes(route) => Some(route),
            Up::From(_) => None,
        }
    }

    /// Brings the link up.
    pub(super) fn come_up(&mut self, route: Route) {
        self.up = Up::Yes(route);
        self.events.push_back(LinkEvent::Connected);
    }

    /// Takes the link down, with all messages on their way. Returns the route that it had, if it was up.
    pub(super) fn go_down(&mut self, now: Instant, discarded: &mut Discarded) -> Option<Route> {
        let route = self.route()?;
        self.up = Up::From(now + RECONNECT);
        self.to_server.clear(discarded);
        self.to_client.clear(discarded);
        self.is_leaving = false;
        self.events.push_back(LinkEvent::Disconnected);
        self.wake();
        Some(route)
    }

    /// Takes the link down once the client, if it is not gone, has received what is on its way to it.
    pub(super) fn leave(&mut self, now: Instant, discarded: &mut Discarded) {
        if self.to_client.is_empty() {
            self.go_down(now, discarded);
        } else if self.route().is_some() {
            self.is_leaving = true;
        }
    }

    /// Marks the client as gone. It receives nothing any more.
    pub(super) fn abandon(&mut self, discarded: &mut Discarded) {
        self.is_abandoned = true;
        self.to_client.clear(discarded);
    }

    /// Reports whether the client is gone, and nothing of it is on its way.
    pub(super) fn is_over(&self) -> bool {
        self.is_abandoned && self.to_server.is_empty()
    }

    pub(super) fn next_event(&mut self) -> Option<LinkEvent> {
        self.events.pop_front()
    }

    pub(super) fn has_event(&self) -> bool {
        !self.events.is_empty()
    }

    /// Takes a message of the client. Returns it if the link is down.
    pub(super) fn send_to_server(
        &mut self,
        parcel: Parcel,
        now: Instant,
        fault: Fault,
        discarded: &mut Discarded,
    ) -> Option<Parcel> {
        if self.route().is_none() || self.is_leaving {
            return Some(parcel);
        }
        self.to_server.send(parcel, now, fault, discarded);
        None
    }

    /// Takes a message of the server. It is lost if the client is gone.
    pub(super) fn send_to_client(
        &mut self,
        parcel: Parcel,
        now: Instant,
        fault: Fault,
        discarded: &mut Discarded,
    ) {
        let loses = fault.loses || self.is_abandoned;
        self.to_client.send(parcel, now, Fault { loses, ..fault }, discarded);
        self.wake();
    }

    /// Returns the next message that has arrived at the server.
    pub(super) fn arrived_at_server(&mut self, now: Instant) -> Option<Parcel> {
        self.to_server.arrived(now)
    }

    /// Returns the next message that has arrived at the client.
    pub(super) fn arrived_at_client(&mut self, now: Instant, discarded: &mut Discarded) -> Option<Parcel> {
        let parcel = self.to_client.arrived(now);
        if parcel.is_none() && self.is_leaving && self.to_client.is_empty() {
            self.go_down(now, discarded);
        }
        parcel
    }

    /// Returns when the next message arrives at the server.
    pub(super) fn next_at_server(&self) -> Option<Instant> {
        self.to_server.next()
    }

    /// Returns when the next message arrives at the client.
    pub(super) fn next_at_client(&self) -> Option<Instant> {
        self.to_client.next()
    }

    /// Has the client's driver woken by the next change.
    pub(super) fn watch(&mut self, waker: &Waker) {
        self.waker = Some(waker.clone());
    }

    /// Wakes the client's driver. It may be called under the network's lock: a driver's waker is the runtime's, not a user's.
    pub(super) fn wake(&mut self) {
        self.waker.take().into_iter().for_each(Waker::wake);
    }
}

/// A message with its receipt. Dropping it may run user code, since its bytes may be a user's; so no parcel is dropped
/// under the network's lock, but added to [`Discarded`].
pub(super) struct Parcel {
    message: Message,
    receipt: Option<SendReceipt>,
}

impl Parcel {
    pub(super) fn new(message: Message, receipt: Option<SendReceipt>) -> Self {
        Self { message, receipt }
    }

    /// Returns the message, and drops its receipt. Must be called without the lock if there is one, since that notifies a driver.
    pub(super) fn into_message(self) -> Message {
        drop(self.receipt);
        self.message
    }
}

/// What was removed under the network's lock, to be dropped once it is released.
#[derive(Default)]
pub(super) struct Discarded {
    parcels: Vec<Parcel>,
    links: Vec<MemoryLink>,
}

impl Discarded {
    pub(super) fn add(&mut self, parcel: Parcel) {
        self.parcels.push(parcel);
    }

    pub(super) fn add_link(&mut self, link: MemoryLink) {
        self.links.push(link);
    }
}

/// Messages on their way in one direction. They arrive in the order in which they were sent.
#[derive(Default)]
struct Transit(VecDeque<(Instant, Parcel)>);

impl Transit {
    /// Takes a message, or loses it.
    fn send(&mut self, parcel: Parcel, now: Instant, fault: Fault, discarded: &mut Discarded) {
        if fault.loses {
            discarded.add(parcel);
            return;
        }
        let at = now + fault.delay.min(MAX_DELAY);
        // A message does not overtake one that was sent before it with a longer delay.
        let at = self.0.back().map_or(at, |(last, _)| at.max(*last));
        self.0.push_back((at, parcel));
    }

    /// Returns the next message that has arrived.
    fn arrived(&mut self, now: Instant) -> Option<Parcel> {
        let (at, _) = self.0.front()?;
        if *at <= now { self.0.pop_front().map(|(_, parcel)| parcel) } else { None }
    }

    /// Returns when the next one arrives.
    fn next(&self) -> Option<Instant> {
        self.0.front().map(|(at, _)| *at)
    }

    fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    fn clear(&mut self, discarded: &mut Discarded) {
        self.0.drain(..).for_each(|(_, parcel)| discarded.add(parcel));
    }
}
