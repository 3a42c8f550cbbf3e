//! The streams of one peer or connection in which items gather, for whoever owns its socket.

use std::sync::Arc;

use super::Outbound;
use crate::wire::{Item, Outbox};

/// Streams, by the ids of their calls, in which items have begun to gather since the owner last came. It lies under the same
/// lock as the outbox.
#[derive(Debug, Default)]
pub(crate) struct Gathering {
    streams: Vec<(u64, Arc<Outbound>)>,
}

impl Gathering {
    /// There is none.
    #[inline]
    pub(crate) fn is_empty(&self) -> bool {
        self.streams.is_empty()
    }

    /// Items have begun to gather in this one.
    pub(crate) fn announce(&mut self, id: u64, outbound: &Arc<Outbound>) {
        self.streams.push((id, Arc::clone(outbound)));
    }

    /// Queues the items that have gathered in a stream, and one after them, while more may follow.
    pub(crate) fn flush(
        &mut self,
        outbox: &mut Outbox,
        id: u64,
        outbound: &Arc<Outbound>,
        last: Option<Item>,
    ) {
        if outbound.flush(|items| outbox.push_items(id, items)) {
            self.announce(id, outbound);
        }
        if let Some(item) = last {
            outbox.push_item(id, item);
        }
    }

    /// Queues all items that have gathered, of those streams that are still the streams of the calls with their ids.
    #[inline]
    pub(crate) fn collect<'a>(
        &mut self,
        outbox: &mut Outbox,
        stream_of: impl Fn(u64) -> Option<&'a Arc<Outbound>>,
    ) {
        for (id, outbound) in self.streams.drain(..) {
            if stream_of(id).is_some_and(|its_own| Arc::ptr_eq(its_own, &outbound)) {
                outbound.collect(outbox, id);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn items_of_a_call_that_is_over_are_not_those_of_the_next_with_its_id() {
        let [before, now] = [(); 2].map(|()| Arc::new(Outbound::with_items(b"12")));
        let (mut gathering, mut outbox) = (Gathering::default(), Outbox::default());
        gathering.announce(1, &before);
        gathering.collect(&mut outbox, |_| Some(&now));
        assert!(gathering.is_empty() && outbox.is_empty());
        gathering.announce(1, &before);
        gathering.collect(&mut outbox, |_| None);
        assert!(gathering.is_empty() && outbox.is_empty());
        gathering.announce(1, &now);
        gathering.collect(&mut outbox, |id| (id == 1).then_some(&now));
        assert!(gathering.is_empty() && !outbox.is_empty());
    }
}
