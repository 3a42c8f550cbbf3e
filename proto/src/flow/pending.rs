//! [`PendingStreams`]: the streams of one session in which items gather.

use std::sync::Arc;

use super::OutboundStream;
use crate::wire::{Item, Outbox};

/// Streams, by the ids of their calls, in which items have begun to gather since the session last collected them. It
/// lies under the same lock as the outbox.
#[derive(Debug, Default)]
pub struct PendingStreams {
    streams: Vec<(u64, Arc<OutboundStream>)>,
}

impl PendingStreams {
    /// Reports whether no stream waits to be collected.
    #[must_use]
    #[inline]
    pub fn is_empty(&self) -> bool {
        self.streams.is_empty()
    }

    /// Adds a stream in which items have begun to gather.
    pub fn announce(&mut self, id: u64, stream: &Arc<OutboundStream>) {
        self.streams.push((id, Arc::clone(stream)));
    }

    /// Queues the items that have gathered in a stream, and `last` after them. More may follow, so the stream stays announced.
    pub fn flush(&mut self, outbox: &mut Outbox, id: u64, stream: &Arc<OutboundStream>, last: Option<Item>) {
        if stream.flush(|items| outbox.push_items(id, items)) {
            self.announce(id, stream);
        }
        if let Some(item) = last {
            outbox.push_item(id, item);
        }
    }

    /// Queues all items that have gathered, of those streams that `stream_of` still gives for the ids of their calls:
    /// an id may be another call's by now.
    #[inline]
    pub fn collect<'a>(
        &mut self,
        outbox: &mut Outbox,
        stream_of: impl Fn(u64) -> Option<&'a Arc<OutboundStream>>,
    ) {
        for (id, stream) in self.streams.drain(..) {
            if stream_of(id).is_some_and(|current| Arc::ptr_eq(current, &stream)) {
                stream.collect(outbox, id);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn items_of_a_call_that_is_over_are_not_those_of_the_next_with_its_id() {
        let [before, now] = [(); 2].map(|()| Arc::new(OutboundStream::with_items(b"12")));
        let (mut pending, mut outbox) = (PendingStreams::default(), Outbox::default());
        pending.announce(1, &before);
        pending.collect(&mut outbox, |_| Some(&now));
        assert!(pending.is_empty() && outbox.is_empty());
        pending.announce(1, &before);
        pending.collect(&mut outbox, |_| None);
        assert!(pending.is_empty() && outbox.is_empty());
        pending.announce(1, &now);
        pending.collect(&mut outbox, |id| (id == 1).then_some(&now));
        assert!(pending.is_empty() && !outbox.is_empty());
    }
}
