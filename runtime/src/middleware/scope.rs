//! [`Scope`]: which calls share a limit: all, those of one method, or those over one connection. The limits are in [`super::rate`] and
//! [`super::concurrency`].

use super::ServerRequest;
use crate::context::PeerId;

/// Which calls share a limit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Scope {
    All,
    Method,
    Peer,
}

/// One group of calls that share a limit.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) enum Key {
    All,
    Method(&'static str),
    Peer(PeerId),
}

impl Scope {
    /// Returns the group of a call.
    pub(super) fn key(self, request: &ServerRequest) -> Key {
        match self {
            Self::All => Key::All,
            Self::Method => Key::Method(request.method().name()),
            Self::Peer => Key::Peer(request.peer().connection()),
        }
    }

    /// Returns the name of what has reached its limit, for messages.
    pub(super) fn subject(self) -> &'static str {
        match self {
            Self::All => "the server",
            Self::Method => "the method",
            Self::Peer => "this client",
        }
    }
}
