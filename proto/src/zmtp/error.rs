//! [`Error`]: why a connection can't go on.

use std::fmt;
use std::time::Duration;

use super::SocketType;
use super::curve::Rejection;

/// Why a ZMTP connection can't go on.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Error {
    /// The peer's first bytes are no ZMTP greeting: it is an HTTP client, a TLS client, or something else.
    NotZmtp,
    /// The peer speaks a version before 3.0.
    Version {
        /// Major version that the peer has announced.
        major: u8,
    },
    /// The peer wants another security mechanism.
    Mechanism {
        /// Name of the peer's mechanism, as far as it is printable.
        theirs: String,
        /// Name of this side's mechanism.
        ours: &'static str,
    },
    /// Both peers want to be the server of the security mechanism.
    Roles,
    /// The peer's socket is of a type that this side's can't talk to.
    SocketType {
        /// The peer's, as far as it is printable.
        theirs: String,
        /// This side's.
        ours: SocketType,
    },
    /// The peer has refused the connection.
    Refused {
        /// The peer's reason, as far as it is printable.
        reason: String,
    },
    /// The credentials of the peer were refused.
    Denied,
    /// The key of the peer was refused.
    Rejected {
        /// Why.
        why: Rejection,
    },
    /// Something encrypted can't be opened: the peer has other keys than it should have, or bytes were changed on the way.
    Unopened {
        /// What it is.
        what: &'static str,
    },
    /// A frame, or a command of the handshake, does not have the next number: it was sent again, another was taken away, or their order was
    /// changed.
    Order,
    /// A frame that is not encrypted, on a connection whose frames have to be.
    Unsealed,
    /// A public key of the peer with which every secret key has the same in common.
    WeakKey,
    /// As many frames were sent as there are numbers for them.
    Exhausted,
    /// A command that does not belong here, or that can't be read.
    Command {
        /// What was expected.
        expected: &'static str,
    },
    /// A frame with flags that ZMTP does not have, or a command inside a message.
    Frame,
    /// A frame with more bytes than this side takes.
    FrameTooLong {
        /// Bytes that the frame has, as announced.
        bytes: u64,
        /// Bytes that it may have.
        max: usize,
    },
    /// A message with more frames than this side takes.
    TooManyFrames {
        /// Frames that it may have.
        max: usize,
    },
    /// The handshake was not completed in time.
    HandshakeTimeout {
        /// The time that it had.
        after: Duration,
    },
    /// The peer has sent nothing for too long after it was pinged.
    Silent {
        /// The time that it had.
        after: Duration,
    },
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotZmtp => f.write_str("the peer does not speak ZMTP"),
            Self::Version { major } => {
                write!(f, "the peer speaks ZMTP {major}; version 3.0 or later is needed")
            }
            Self::Mechanism { theirs, ours } => {
                write!(f, "the peer uses the security mechanism `{theirs}`, this side `{ours}`")
            }
            Self::Roles => f.write_str("both peers want to be the server of the security mechanism"),
            Self::SocketType { theirs, ours } => {
                write!(f, "the peer's socket is a `{theirs}`, which can't talk to a `{}`", ours.name())
            }
            Self::Refused { reason } => write!(f, "the peer has refused the connection: {reason}"),
            Self::Denied => f.write_str("the peer's credentials were refused"),
            Self::Rejected { why } => write!(f, "the peer's key was refused with the status {}", why.code()),
            Self::Unopened { what } => {
                write!(
                    f,
                    "{what} can't be decrypted: the peer has other keys than it should have, or bytes were changed"
                )
            }
            Self::Order => f.write_str("a frame of the peer was repeated, left out or moved"),
            Self::Unsealed => f.write_str("the peer sent a frame that is not encrypted"),
            Self::WeakKey => f.write_str("the peer has a public key that protects nothing"),
            Self::Exhausted => f.write_str("no more frames can be sent over this connection"),
            Self::Command { expected } => write!(f, "the peer sent a wrong command; expected {expected}"),
            Self::Frame => f.write_str("the peer sent a malformed frame"),
            Self::FrameTooLong { bytes, max } => {
                write!(f, "the peer sent a frame of {bytes} bytes; it may have {max}")
            }
            Self::TooManyFrames { max } => {
                write!(f, "the peer sent a message of more than {max} frames")
            }
            Self::HandshakeTimeout { after } => {
                write!(f, "the peer has not completed the handshake within {after:?}")
            }
            Self::Silent { after } => write!(f, "the peer has not answered a ping within {after:?}"),
        }
    }
}

impl std::error::Error for Error {}

impl Error {
    /// Returns what to tell the peer in an `ERROR` command, if it can be told anything that helps.
    pub(super) fn reason_for_peer(&self) -> Option<&'static str> {
        match self {
            Self::SocketType { .. } => Some("Socket type is not compatible"),
            Self::Denied => Some("Access denied"),
            // As libzmq does: the client is to try again.
            Self::Rejected { why: Rejection::Temporary } => None,
            Self::Rejected { why } => Some(why.code()),
            Self::Command { .. } => Some("Unexpected command"),
            _ => None,
        }
    }
}

/// Returns bytes of a peer as text for messages: up to 64 characters, with all but printable ASCII replaced.
pub(super) fn printable(bytes: &[u8]) -> String {
    let shown = bytes.iter().take(64);
    shown.map(|byte| if byte.is_ascii_graphic() || *byte == b' ' { char::from(*byte) } else { '?' }).collect()
}
