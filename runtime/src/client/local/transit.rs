//! [`Transit`]: messages on their way in one direction.

use std::collections::VecDeque;
use std::time::Duration;

use tokio::time::Instant;

use super::place::Way;
use crate::wire::Message;

/// Later than that, nothing arrives in any test, and clocks end.
const FAR: Duration = Duration::from_hours(24 * 365);

/// Messages on their way, in the order in which they were sent, which is that in which they arrive.
#[derive(Debug, Default)]
pub(super) struct Transit(VecDeque<(Instant, Message)>);

impl Transit {
    /// Takes a message in, or loses it.
    pub(super) fn take_in(&mut self, message: Message, now: Instant, way: Way) {
        if way.loses {
            return;
        }
        let at = now + way.delay.min(FAR);
        // One that was sent later does not arrive before one that was sent when the way was longer.
        let at = self.0.back().map_or(at, |(last, _)| at.max(*last));
        self.0.push_back((at, message));
    }

    /// The next message that has arrived.
    pub(super) fn due(&mut self, now: Instant) -> Option<Message> {
        let (at, _) = self.0.front()?;
        if *at <= now { self.0.pop_front().map(|(_, message)| message) } else { None }
    }

    /// When the next one arrives.
    pub(super) fn next(&self) -> Option<Instant> {
        self.0.front().map(|(at, _)| *at)
    }

    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub(super) fn clear(&mut self) {
        self.0.clear();
    }
}
