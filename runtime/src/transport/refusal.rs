//! [`Refusal`]: why a connection did not complete its handshake, for logs and counters.

use std::net::SocketAddr;

use zsvc_proto::keys::PublicKey;
use zsvc_proto::zmtp::Error;
use zsvc_proto::zmtp::curve::Rejection;

use crate::telemetry;

/// Why a connection to a server did not complete the ZeroMQ handshake, for a reason that lies with the peer, or with how many of its kind
/// there are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Refusal {
    pub(crate) reason: HandshakeFailure,
    /// What has happened, for people.
    pub(crate) why: String,
    /// The key that the peer has proved to have, if it came so far.
    pub(crate) key: Option<PublicKey>,
    /// Where it comes from, if that is known.
    pub(crate) address: Option<SocketAddr>,
}

impl Refusal {
    /// Reports it to the log.
    pub(crate) fn log(&self) {
        let (why, reason, address) = (&self.why, self.reason.name(), self.address);
        match &self.key {
            Some(key) => telemetry::refused_key(key, why, reason, address),
            None => telemetry::refused_connection(why, reason, address),
        }
    }
}

/// What kind of reason a server had to refuse a connection before it was up.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
#[repr(u8)]
pub enum HandshakeFailure {
    /// What connected does not speak ZMTP 3.
    NotZmtp,
    /// The peer wants another security mechanism: it does not encrypt, and the server does, or the other way round.
    Mechanism,
    /// Something encrypted could not be opened: the peer has another public key of the server, lies about its own, or bytes were changed.
    Keys,
    /// The peer has proved its key, and is not let in.
    Denied,
    /// The peer broke the protocol in another way, or its socket is of a type that does not fit.
    Protocol,
    /// The handshake was not complete in time.
    Timeout,
    /// The peer has proved its key, and the server can't tell now whether it is let in: what is [asked](crate::auth::Authenticate) took too
    /// long, or has failed.
    Undecided,
    /// As many handshakes as [may be](crate::ServerBuilder::max_handshakes) were under way.
    Crowded,
}

impl HandshakeFailure {
    /// All kinds.
    pub const ALL: [Self; 8] = [
        Self::NotZmtp,
        Self::Mechanism,
        Self::Keys,
        Self::Denied,
        Self::Protocol,
        Self::Timeout,
        Self::Undecided,
        Self::Crowded,
    ];

    /// Returns the name of the kind in `snake_case`, for metrics.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::NotZmtp => "not_zmtp",
            Self::Mechanism => "mechanism",
            Self::Keys => "keys",
            Self::Denied => "denied",
            Self::Protocol => "protocol",
            Self::Timeout => "timeout",
            Self::Undecided => "undecided",
            Self::Crowded => "crowded",
        }
    }

    pub(crate) fn of(error: &Error) -> Self {
        match error {
            Error::NotZmtp | Error::Version { .. } => Self::NotZmtp,
            Error::Mechanism { .. } | Error::Roles => Self::Mechanism,
            Error::Unopened { .. } | Error::WeakKey | Error::Order => Self::Keys,
            Error::Denied | Error::Rejected { why: Rejection::Denied } => Self::Denied,
            Error::Rejected { .. } => Self::Undecided,
            Error::HandshakeTimeout { .. } => Self::Timeout,
            _ => Self::Protocol,
        }
    }
}
