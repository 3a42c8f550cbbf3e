//! [`Record`]: one record of a batch, read. Its meaning to a call is the session's.

use std::time::Duration;

use crate::metadata::Metadata;
use crate::status::{Cause, Failure, Status};

/// A record. Slices are of its batch; `id` is that of the call it belongs to.
///
/// The elements of each kind are described in the project's `docs/protocol.md`.
#[derive(Debug)]
#[allow(missing_docs, reason = "each field is named as in the protocol's table of kinds")]
pub enum Record<'a> {
    /// Starts a call.
    Call(CallRecord<'a>),
    /// Starts a call that is not answered.
    OneWay(CallRecord<'a>),
    /// Ends a call with its answer.
    Reply { id: u64, body: &'a [u8] },
    /// Ends a call with a failure. With id 0 it is about a whole batch.
    Error { id: u64, failure: Failure },
    /// One or more items of a stream, laid end to end.
    Items { id: u64, items: &'a [u8] },
    /// Ends the stream of the side that sent it.
    End { id: u64 },
    /// Allows the peer `bytes` more of items.
    Credit { id: u64, bytes: u64 },
    /// Ends a call that the client no longer waits for.
    Cancel { id: u64 },
    /// Asks for a pong with the same id.
    Ping { id: u64 },
    /// Answers a ping. A server may add the number of its present life.
    Pong { id: u64, instance: Option<u64> },
    /// Asks whether the server has a call in flight.
    Query { id: u64 },
    /// Names and values beside the answer of a call, or its stream. May be past its bounds; see [`Metadata::excess`].
    ResponseMetadata { id: u64, metadata: Metadata },
    /// The server takes no new calls.
    GoingAway,
    /// A record of a kind that this version does not know and may not skip. The records after it stand.
    Unknown { kind: u64, id: u64 },
}

/// A call, or a one-way call.
#[derive(Debug)]
pub struct CallRecord<'a> {
    /// Id of the call, chosen by the client; 0 for a one-way call.
    pub id: u64,
    /// `package.Service/method` as the client wrote it, not checked to be UTF-8: names are looked up by their bytes.
    pub method: &'a [u8],
    /// Parameters.
    pub body: &'a [u8],
    /// Time left until the deadline, in whole microseconds on the wire.
    pub timeout: Option<Duration>,
    /// Names and values beside the parameters. May be past its bounds; see [`Metadata::excess`].
    pub metadata: Metadata,
    /// Number of bytes of items that the client can take at first.
    pub credit: u64,
}

/// Returns the status with which a [`Record::Query`] of a call is answered that is not in flight.
#[must_use]
pub fn not_in_flight() -> Status {
    Status::unavailable("the server does not have the call in flight: it was started anew since")
        .maybe_executed()
        .caused_by(Cause::ServerRestarted)
}

/// Returns the status with which a [`Record::Unknown`] is answered.
#[must_use]
pub fn unknown_kind(kind: u64) -> Status {
    Status::unimplemented(format!("a record of kind {kind}, which this version does not know"))
        .maybe_executed()
        .caused_by(Cause::Protocol)
}
