//! [`Malformed`]: why bytes are no batch.

use std::fmt;

use super::{RecordKind, VERSION};
use crate::status::{Cause, Code, Status};

/// Bytes that are no batch of this version. Records read before the fault stand.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Malformed {
    /// The batch has another version, or is empty.
    Version(Option<u8>),
    /// A record is not as it should be.
    Record {
        /// Index of the byte in the batch.
        at: usize,
        /// What should be there.
        expected: &'static str,
    },
    /// The message has more frames before the batch, or more bytes in them, than the receiver takes.
    TooMuchAttached,
    /// The message has more bytes than the receiver takes.
    TooLarge {
        /// The first record, which is the large one, if its kind and id could be read.
        first: Option<FirstRecord>,
        /// Size of the message in bytes.
        bytes: u64,
        /// Number of bytes that the receiver takes.
        max: usize,
    },
    /// The peer announces a routing id, by which the receiver could not tell it from the next peer that does.
    RoutingId,
}

/// Kind and id of the first record of a batch whose rest was not kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FirstRecord {
    /// The kind.
    pub kind: RecordKind,
    /// The id.
    pub id: u64,
}

impl fmt::Display for Malformed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Version(Some(version)) => write!(
                f,
                "a batch of version {version}, or no batch at all; this side speaks version {VERSION} of the zsvc protocol"
            ),
            Self::Version(None) => f.write_str("an empty message is no batch"),
            Self::Record { at, expected } => {
                write!(f, "a malformed record: {expected} expected at byte {at}")
            }
            Self::TooMuchAttached => {
                f.write_str("a message of more frames, or of more bytes in them, than one may have")
            }
            Self::TooLarge { bytes, max, .. } => {
                write!(f, "a message of {bytes} bytes, and this side takes up to {max}")
            }
            Self::RoutingId => f.write_str(
                "a peer that announces a routing id is not heard here; do not set one (`ZMQ_ROUTING_ID`, `ZMQ_IDENTITY`), \
                 or have the server use the engine `zmtp`",
            ),
        }
    }
}

impl Malformed {
    /// Returns the status to answer with.
    #[must_use]
    pub fn status(&self) -> Status {
        let (code, cause) = match self {
            Self::Version(_) => (Code::Unimplemented, Cause::Protocol),
            Self::Record { .. } => (Code::InvalidArgument, Cause::Protocol),
            Self::TooMuchAttached | Self::TooLarge { .. } => (Code::ResourceExhausted, Cause::TooLarge),
            Self::RoutingId => (Code::FailedPrecondition, Cause::Protocol),
        };
        Status::new(code, self.to_string()).maybe_executed().caused_by(cause)
    }
}
