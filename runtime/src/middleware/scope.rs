//! What a limit holds for: every call, or those of one method or one caller by themselves.

use super::ServerRequest;
use crate::context::PeerId;

/// What a limit holds for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Scope {
    All,
    Method,
    Peer,
}

/// Calls that share a limit.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) enum Key {
    All,
    Method(&'static str),
    Peer(PeerId),
}

impl Scope {
    pub(super) fn key(self, request: &ServerRequest) -> Key {
        match self {
            Self::All => Key::All,
            Self::Method => Key::Method(request.method().name()),
            Self::Peer => Key::Peer(request.peer().clone()),
        }
    }

    /// Whose limit was reached, for messages.
    pub(super) fn of_what(self) -> &'static str {
        match self {
            Self::All => "the server",
            Self::Method => "the method",
            Self::Peer => "this client",
        }
    }
}
