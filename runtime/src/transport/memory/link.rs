//! [`Link`]: what lies between one client and the server, and the [`LinkRules`] for messages on it.

use std::collections::VecDeque;
use std::task::Waker;
use std::time::Duration;

use tokio::time::Instant;

use crate::transport::LinkEvent;
use crate::wire::Message;

/// How long after its end a link is up again.
pub(super) const RECONNECT: Duration = Duration::from_millis(100);
/// Later than this, nothing arrives in any test, and clocks end.
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

/// Names a link while it is up. Each time that it comes up it has another, as in ZeroMQ.
pub(super) type Route = [u8; 8];

/// What lies between one client and the server.
pub(super) struct Link {
    up: Up,
    to_server: Transit,
    to_client: Transit,
    events: VecDeque<LinkEvent>,
    /// The server has ended, and the link goes down once the client has been given what is on its way.
    is_leaving: bool,
    /// The client is gone, and the link goes once what it has sent has arrived.
    is_abandoned: bool,
    /// Wakes the client's driver.
    waker: Option<Waker>,
}

/// Whether a link is up.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Up {
    /// Under this route.
    Yes(Route),
    /// From this time on, if there is a server.
    From(Instant),
}

impl Link {
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
        }
    }

    /// Creates a link that is up, of which its client knows.
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

    /// Takes the link down, with all that is on its way. Returns the route that it had, if it was up.
    pub(super) fn go_down(&mut self, now: Instant) -> Option<Route> {
        let route = self.route()?;
        self.up = Up::From(now + RECONNECT);
        self.to_server.clear();
        self.to_client.clear();
        self.is_leaving = false;
        self.events.push_back(LinkEvent::Disconnected);
        self.wake();
        Some(route)
    }

    /// Takes the link down once the client has been given what is on its way to it.
    pub(super) fn leave(&mut self, now: Instant) {
        if self.to_client.is_empty() {
            self.go_down(now);
        } else if self.route().is_some() {
            self.is_leaving = true;
        }
    }

    /// Marks the client as gone.
    pub(super) fn abandon(&mut self) {
        self.is_abandoned = true;
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

    /// Takes a message of the client's. A link that is down hands it back.
    pub(super) fn send_to_server(&mut self, message: Message, fault: Fault) -> Option<Message> {
        if self.route().is_none() || self.is_leaving {
            return Some(message);
        }
        self.to_server.send(message, Instant::now(), fault);
        None
    }

    /// Takes a message of the server's.
    pub(super) fn send_to_client(&mut self, message: Message, fault: Fault) {
        self.to_client.send(message, Instant::now(), fault);
        self.wake();
    }

    /// Returns the next message that has arrived at the server.
    pub(super) fn arrived_at_server(&mut self, now: Instant) -> Option<Message> {
        self.to_server.arrived(now)
    }

    /// Returns the next message that has arrived at the client.
    pub(super) fn arrived_at_client(&mut self, now: Instant) -> Option<Message> {
        let message = self.to_client.arrived(now);
        if message.is_none() && self.is_leaving && self.to_client.is_empty() {
            self.go_down(now);
        }
        message
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

    /// Wakes the client's driver. A driver's waker is the runtime's, not a user's: it may be woken under the network's lock.
    pub(super) fn wake(&mut self) {
        self.waker.take().into_iter().for_each(Waker::wake);
    }
}

/// Messages on their way in one direction. They arrive in the order in which they were sent.
#[derive(Default)]
struct Transit(VecDeque<(Instant, Message)>);

impl Transit {
    /// Takes a message in, or loses it.
    fn send(&mut self, message: Message, now: Instant, fault: Fault) {
        if fault.loses {
            return;
        }
        let at = now + fault.delay.min(MAX_DELAY);
        // A message does not overtake one that was sent before it with a longer delay.
        let at = self.0.back().map_or(at, |(last, _)| at.max(*last));
        self.0.push_back((at, message));
    }

    /// Returns the next message that has arrived.
    fn arrived(&mut self, now: Instant) -> Option<Message> {
        let (at, _) = self.0.front()?;
        if *at <= now { self.0.pop_front().map(|(_, message)| message) } else { None }
    }

    /// Returns when the next one arrives.
    fn next(&self) -> Option<Instant> {
        self.0.front().map(|(at, _)| *at)
    }

    fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    fn clear(&mut self) {
        self.0.clear();
    }
}
