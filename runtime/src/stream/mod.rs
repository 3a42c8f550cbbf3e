//! The two halves of a stream, and the credit that bounds what is on its way between them.
//!
//! Credit is in bytes of encoded items, per stream and direction. A sender may send while its credit is above zero,
//! and the last item may take it below, so an item larger than the window still passes. What a receiver holds is thus
//! at most its window and one message. The same code serves both ends; where records go is behind [`Outgoing`].

mod gathering;
mod inbound;
mod outbound;
mod sink;
mod streaming;

pub(crate) use gathering::Gathering;
pub(crate) use inbound::Inbound;
pub(crate) use outbound::{Outbound, Unsent};
pub(crate) use sink::Half as SinkHalf;
pub use sink::Sink;
pub(crate) use streaming::Half as StreamingHalf;
pub use streaming::Streaming;

use std::sync::Arc;
use std::task::Waker;

use crate::wire::Item;

/// Wakes those of whom a half of a stream says that they wait. A waker is its user's code: no lock may be held.
pub(crate) fn wake(wakers: impl IntoIterator<Item = Waker>) {
    wakers.into_iter().for_each(Waker::wake);
}

/// Where the records of a stream go: a client's connection, or a server's peer.
pub(crate) trait Outgoing: Send + Sync {
    /// Queues a record that the function writes.
    fn record(&self, write: &mut dyn FnMut(&mut Vec<u8>));
    /// Items have begun to gather: whoever owns the socket is to come for them soon.
    fn announce(&self, id: u64, outbound: &Arc<Outbound>);
    /// Queues the items that have gathered, and this one after them.
    fn flush(&self, id: u64, outbound: &Arc<Outbound>, last: Option<Item>);
    /// Whoever owns the socket is to come at once, and not when its thread has nothing else to do.
    fn hurry(&self);
    /// Ends a client's stream, after the items that have gathered.
    fn finish(&self, id: u64, outbound: &Outbound);
    /// Gives the call up: its sink was dropped in the middle of the stream.
    fn abandon(&self, id: u64);
    /// The largest body or item, either way.
    fn max_body(&self) -> usize;
}
