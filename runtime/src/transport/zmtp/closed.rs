//! [`Closed`]: why a connection has ended.

use zsvc_proto::keys::PublicKey;
use zsvc_proto::zmtp::Error;

use crate::transport::{HandshakeFailure, Refusal};

/// Why a connection has ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Closed {
    /// The peer has closed it, or it was cut.
    Stream(Option<String>),
    /// What the peer sent, or did not send, is no ZMTP as it is spoken here.
    Protocol(Error),
}

impl Closed {
    /// Returns why the handshake was not completed, if the peer was at fault. The key is the one that it has proved to have.
    pub(super) fn refusal(&self, key: Option<PublicKey>) -> Option<Box<Refusal>> {
        let Self::Protocol(error) = self else { return None };
        let reason = HandshakeFailure::of(error);
        Some(Box::new(Refusal { reason, why: error.to_string(), key }))
    }
}
