//! Records and batches: how they are written and read. The contract is the project's `docs/protocol.md`.
//!
//! - [`RecordBuilder`]: one record in the making, around a body that is encoded straight into it.
//! - [`Item`]: one item of a stream.
//! - [`Outbox`]: records that wait for their driver, packed into batches.
//! - [`Message`]: a complete batch on its way out.
//! - [`Batch`] and [`Reader`]: a message that was received, and its records.
//! - [`RawRecord`]: a record that a router passes on without reading it.
//! - [`Registration`]: what a worker tells a router of itself.
//!
//! Values are in [`crate::codec`]. What a record means to its call is up to the session.

mod batch;
mod count;
mod item;
mod malformed;
mod message;
mod outbox;
mod parameter;
mod pool;
mod raw;
mod read;
mod record;
mod record_builder;
mod registration;
mod unsent;
mod write;

pub use batch::{Batch, first_record, frames_before};
pub use count::count_responses;
pub use item::{Item, ItemHead};
pub use malformed::{FirstRecord, Malformed};
pub use message::{Buffer, Message};
pub use outbox::Outbox;
pub use parameter::Unreadable;
pub use raw::{RawReader, RawRecord, RecordKind, Rewrite};
pub use read::Reader;
pub use record::{CallRecord, Record, not_in_flight, unknown_kind};
pub use record_builder::RecordBuilder;
pub use registration::{MAX_REGISTERED_SERVICES, Notice, REGISTER, REGISTRATION_ID, Registration};
pub use write::{
    cancel, credit, end, error, going_away, ping, pong, pong_of_server, query, response_metadata,
};

/// The first byte of every batch: the version of the protocol.
pub const VERSION: u8 = 1;

/// Credit in bytes that a client's stream has before the server has granted any.
pub const INITIAL_CREDIT: u64 = 65_536;

/// A record with a body of this many bytes or more travels as a message of its own, and is not copied into a batch.
const SEPARATE_MESSAGE_BYTES: usize = 16 * 1024;

/// A batch that has reached this many bytes is sealed, and the next record starts another. It bounds how long one
/// message keeps the transport busy, and how much memory a high-water mark counted in messages can stand for.
const SEAL_BATCH_AT_BYTES: usize = 128 * 1024;

/// Largest size in bytes of a batch of records that share it: the last record may come to the difference.
pub const MAX_BATCH_BYTES: usize = SEAL_BATCH_AT_BYTES + 2 * SEPARATE_MESSAGE_BYTES;

/// Kinds of records by their numbers on the wire.
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
    /// A receiver skips kinds from this one on that it does not know; an unknown kind below is an error.
    pub(super) const FIRST_OPTIONAL: u64 = 64;
    pub(super) const QUERY: u8 = 65;
    pub(super) const RESPONSE_METADATA: u8 = 66;
}

/// Code of an error record that carries a declared error.
const DECLARED: u8 = 0;
