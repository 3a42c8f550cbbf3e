//! Records and bytes, and nothing else: how batches are written and read. `docs/protocol.md` is the contract.
//!
//! - [`RecordBuilder`]: one record in the making, around a body that is encoded straight into it.
//! - [`Item`]: one item of a stream.
//! - [`Outbox`]: records waiting for their socket's owner, packed into batches.
//! - [`Batch`] and [`Reader`]: a message that came in, and its records.
//!
//! What records mean to a call is in [`crate::session`].

mod batch;
mod count;
mod item;
mod message;
mod outbox;
mod pool;
mod read;
mod record_builder;
mod unsent;
mod write;

pub use batch::{Batch, frames_before};
pub use count::count_responses;
pub use item::{Item, ItemHead};
pub use message::{Buffer, Message};
pub use outbox::Outbox;
pub use read::{CallRecord, Malformed, Reader, Record, unknown_kind};
pub use record_builder::RecordBuilder;
pub use write::{cancel, credit, end, error, going_away, ping, pong};

/// The first byte of every batch: the version of the protocol.
pub const VERSION: u8 = 1;

/// Credit in bytes that a client's stream has before the server has granted any.
pub const INITIAL_CREDIT: u64 = 65_536;

/// A record with a body of this size or more travels as a message of its own, and is not copied into a batch.
const SEPARATE_MESSAGE_BYTES: usize = 16 * 1024;

/// A batch that has reached this size is closed, and the next record starts another. It bounds how long one message
/// keeps libzmq busy, and how much memory a high-water mark counted in messages can stand for.
const SEAL_BATCH_AT_BYTES: usize = 128 * 1024;

/// A batch of small records is no larger: the last that it takes may come to so much.
pub const MAX_BATCH_BYTES: usize = SEAL_BATCH_AT_BYTES + 2 * SEPARATE_MESSAGE_BYTES;

/// The kinds of records, by their numbers on the wire.
mod kind {
    pub(super) const CALL: u8 = 1;
    pub(super) const ONE_WAY: u8 = 2;
    pub(super) const REPLY: u8 = 3;
    pub(super) const ERROR: u8 = 4;
    pub(super) const ITEMS: u8 = 5;
    pub(super) const END: u8 = 6;
    pub(super) const CREDIT: u8 = 7;
    pub(super) const CANCEL: u8 = 8;
    pub(super) const PING: u8 = 9;
    pub(super) const PONG: u8 = 10;
    pub(super) const GOING_AWAY: u8 = 11;
    /// Kinds from here on may be skipped unread by whoever doesn't know them; an unknown kind below is an error.
    pub(super) const FIRST_OPTIONAL: u64 = 64;
}

/// The code of an error record that carries a declared error.
const DECLARED: u8 = 0;
