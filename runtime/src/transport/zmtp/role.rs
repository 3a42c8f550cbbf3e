//! [`Role`]: which side of a connection this is, and how it proves who it is.

use std::io;

use zsvc_proto::keys::PublicKey;
use zsvc_proto::zmtp::curve::Rejection;
use zsvc_proto::zmtp::{Mechanism, SocketType};

use super::stream::Stream;
use crate::curve::{CurveClient, CurveServer};
use crate::identity::Identity;

/// The side of a connection, with its keys if it has some.
#[derive(Debug, Clone)]
pub(crate) enum Role {
    Client(Option<CurveClient>),
    Server(Option<CurveServer>),
}

impl Role {
    /// Returns this side's type of socket.
    pub(super) fn socket_type(&self) -> SocketType {
        match self {
            Self::Client(_) => SocketType::Dealer,
            Self::Server(_) => SocketType::Router,
        }
    }

    /// Returns the mechanism for a connection. Within the process, both sides may read each other's memory in any case.
    ///
    /// # Errors
    /// There are keys, and the system gives no random bytes.
    pub(super) fn mechanism(&self, stream: &Stream) -> io::Result<Mechanism> {
        Ok(match self {
            _ if matches!(stream, Stream::Pipe(_) | Stream::Known(..)) => Mechanism::Null,
            Self::Client(None) | Self::Server(None) => Mechanism::Null,
            Self::Client(Some(client)) => Mechanism::CurveClient(client.begin()?),
            Self::Server(Some(server)) => Mechanism::CurveServer(server.begin()?),
        })
    }

    /// Judges the key that a client has proved to have.
    pub(super) fn judge(&self, client: &PublicKey) -> Result<(), Rejection> {
        match self {
            Self::Server(Some(server)) => server.judge(client),
            // Nothing but a server with keys is asked.
            Self::Server(None) | Self::Client(_) => Err(Rejection::Internal),
        }
    }

    /// Returns who a client is that has proved to have a key, and was let in by it.
    pub(super) fn identity(&self, client: &PublicKey) -> Option<Identity> {
        match self {
            Self::Server(Some(server)) => Some(server.identity(client)),
            Self::Server(None) | Self::Client(_) => None,
        }
    }

    /// Returns what may be wrong if a peer closes the connection in the middle of the handshake without a word, as servers do that can't
    /// open what they are sent.
    pub(super) fn hint(&self) -> &'static str {
        match self {
            Self::Client(Some(_)) => {
                "; is the server's public key the right one, and does that server use CURVE?"
            }
            Self::Client(None) | Self::Server(_) => "",
        }
    }
}
