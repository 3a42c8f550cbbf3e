//! [`Malformed`]: why bytes are no batch.

use std::fmt;

use super::VERSION;
use crate::status::{Code, Status};

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
        }
    }
}

impl Malformed {
    /// Returns the status to answer with.
    #[must_use]
    pub fn status(&self) -> Status {
        let code = match self {
            Self::Version(_) => Code::Unimplemented,
            Self::Record { .. } => Code::InvalidArgument,
            Self::TooMuchAttached => Code::ResourceExhausted,
        };
        Status::new(code, self.to_string()).maybe_executed()
    }
}
