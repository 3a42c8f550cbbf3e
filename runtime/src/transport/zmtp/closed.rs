//! [`Closed`]: why a connection has ended.

use zsvc_proto::zmtp::Error;

use super::handshakes::Cut;
use crate::transport::{HandshakeFailure, HandshakeLimits};

/// Why a connection has ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Closed {
    /// The peer has closed it, or it was cut.
    Stream(Option<String>),
    /// What the peer sent, or did not send, is no ZMTP as it is spoken here.
    Protocol(Error),
    /// The handshake was not complete when its place was needed, or the server closed.
    Cut(Cut, HandshakeLimits),
}

impl Closed {
    /// Returns why the handshake was not completed, as a kind and for people, unless nothing was wrong with it.
    pub(super) fn refusal(&self) -> Option<(HandshakeFailure, String)> {
        match self {
            Self::Stream(_) => None,
            Self::Protocol(error) => Some((HandshakeFailure::of(error), error.to_string())),
            Self::Cut(cut, limits) => Some((HandshakeFailure::Crowded, cut.reason(*limits)?)),
        }
    }
}
