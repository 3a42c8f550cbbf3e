//! What the driver tells a session of its connection: that it is up or lost, or does not come up. What has arrived is
//! in `records`.

use std::time::Instant;

use super::event::{Dropped, Event};
use super::phase::Phase;
use super::session::Session;
use crate::status::{Cause, Status};

impl Session {
    /// Says that messages go out from now on.
    pub fn handle_connected(&mut self) {
        if self.phase.connected() {
            self.clear_trouble();
        }
        let again = std::mem::replace(&mut self.was_up, true);
        self.events.push_back(Event::Connected { again });
        self.made_room();
    }

    /// Says that the connection is lost; it may come back. Every call on it has failed.
    pub fn handle_disconnected(&mut self, now: Instant) {
        // Nothing would tell that a connection which is not monitored is up again.
        if self.config.is_monitored {
            self.phase.lost();
        }
        if self.open > 0 {
            self.health.failed(now);
        }
        let why = format!("the connection to `{}` was lost", self.config.endpoint);
        self.fail_all(&Status::unavailable(why).caused_by(Cause::ConnectionLost), now);
        // Another connection of the channel may have room.
        self.queue.collect_all(&mut self.wakers);
        self.events.push_back(Event::Disconnected);
    }

    /// Says that the transport has lost a message as it took it: the connection has just gone.
    pub fn handle_lost_message(&mut self, now: Instant) {
        self.dropped(Dropped::Unreachable, 1);
        self.handle_disconnected(now);
    }

    /// Sets what keeps the connection from coming up.
    pub fn set_trouble(&mut self, why: impl Into<String>) {
        self.trouble = Some(why.into());
    }

    /// Says that a try to connect has failed, and why. The channel is told of the first.
    pub fn handle_unreachable(&mut self, why: impl Into<String>) {
        self.set_trouble(why);
        if !std::mem::replace(&mut self.has_failed, true) {
            self.events.push_back(Event::Changed);
        }
    }

    /// Says how far a try to connect has come, unless a reason is known for which it may fail.
    pub fn handle_underway(&mut self, what: impl Into<String>) {
        self.trouble.get_or_insert_with(|| what.into());
    }

    /// Returns why there is no connection, if a try to connect has failed since it was last up.
    #[must_use]
    pub fn failure(&self) -> Option<Status> {
        let has_failed = self.has_failed && self.phase.get() == Phase::Connecting;
        has_failed.then(|| self.not_connected("there is no connection to"))
    }

    /// Says that nothing is known to keep the connection from coming up. Returns whether something was.
    pub fn clear_trouble(&mut self) -> bool {
        self.has_failed = false;
        self.trouble.take().is_some()
    }

    /// Says that the name of a connection without a transport has led to a server.
    pub fn mark_up(&mut self) {
        self.was_up = true;
    }
}
