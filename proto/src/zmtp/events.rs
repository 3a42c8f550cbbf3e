//! [`Events`]: what has happened on a connection and was not taken yet.

use std::collections::VecDeque;

use super::Event;

/// Number of events for which room is kept: a flood of short frames is no reason to keep more.
const MAX_KEPT_EVENTS: usize = 64;

/// Events in their order. The first needs no allocation: mostly there is one.
#[derive(Debug, Default)]
pub(super) struct Events {
    first: Option<Event>,
    /// Those after it; none if there is no first.
    more: VecDeque<Event>,
}

impl Events {
    #[inline]
    pub(super) fn push(&mut self, event: Event) {
        if self.first.is_none() {
            self.first = Some(event);
        } else {
            self.more.push_back(event);
        }
    }

    #[inline]
    pub(super) fn pop(&mut self) -> Option<Event> {
        let event = self.first.take()?;
        self.first = self.more.pop_front();
        if self.first.is_none() && self.more.capacity() > MAX_KEPT_EVENTS {
            self.more = VecDeque::new();
        }
        Some(event)
    }

    /// Returns the number of events after the first.
    pub(super) fn queued(&self) -> usize {
        self.more.len()
    }
}
