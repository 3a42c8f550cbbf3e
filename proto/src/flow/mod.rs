//! The two halves of a stream, and the credit that bounds what is on its way between them.
//!
//! Credit is in bytes of encoded items, per stream and direction. A sender may send while its credit is above zero, and the last
//! item may take it below, so an item larger than the window still passes. A receiver therefore holds at most its window and one
//! message. The same code serves both sides.
//!
//! Each half has a lock of its own, so that a task that reads or writes a stream contends with its session only while a message
//! is handed over. **Lock order:** the lock around a session is taken before that of a stream.

mod inbound;
mod outbound;
mod pending;

pub use inbound::{InboundStream, Overrun};
pub use outbound::{OutboundStream, Pushed};
pub use pending::PendingStreams;

use std::task::Waker;

/// Wakes tasks. A waker is its user's code, so no lock may be held.
pub fn wake(wakers: impl IntoIterator<Item = Waker>) {
    wakers.into_iter().for_each(Waker::wake);
}
