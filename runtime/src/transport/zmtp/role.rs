//! [`Role`]: which side of a connection this is, and how it proves who it is.

use std::io;

use zsvc_proto::zmtp::{Mechanism, SocketType};

use super::stream::Stream;
use crate::curve::{CurveClient, CurveServer};

/// The side of a connection, with its keys if it has some.
#[derive(Debug, Clone)]
pub(crate) enum Role {
    Client(Option<CurveClient>),
    Server(Option<CurveServer>),
    /// The server of a PUB socket.
    Publisher(Option<CurveServer>),
}

impl Role {
    /// Returns this side's type of socket.
    pub(super) fn socket_type(&self) -> SocketType {
        match self {
            Self::Client(_) => SocketType::Dealer,
            Self::Server(_) => SocketType::Router,
            Self::Publisher(_) => SocketType::Pub,
        }
    }

    /// Returns the mechanism for a connection. Within the process, both sides may read each other's memory in any case.
    ///
    /// # Errors
    /// There are keys, and the system gives no random bytes.
    pub(super) fn mechanism(&self, stream: &Stream) -> io::Result<Mechanism> {
        Ok(match self {
            _ if matches!(stream, Stream::Pipe(_) | Stream::Known(..)) => Mechanism::Null,
            Self::Client(None) | Self::Server(None) | Self::Publisher(None) => Mechanism::Null,
            Self::Client(Some(client)) => Mechanism::CurveClient(client.begin()?),
            Self::Server(Some(server)) | Self::Publisher(Some(server)) => {
                Mechanism::CurveServer(server.begin()?)
            }
        })
    }

    /// Returns what decides on clients by their keys, at a server that has keys.
    pub(super) fn curve_server(&self) -> Option<&CurveServer> {
        match self {
            Self::Server(server) | Self::Publisher(server) => server.as_ref(),
            Self::Client(_) => None,
        }
    }

    /// Returns what may be wrong if a peer closes the connection in the middle of the handshake without a word, as servers do that can't
    /// open what they are sent.
    pub(super) fn hint(&self) -> &'static str {
        match self {
            Self::Client(Some(_)) => {
                "; is the server's public key the right one, and does that server use CURVE? Or can it not tell now who this client is?"
            }
            Self::Client(None) | Self::Server(_) | Self::Publisher(_) => "",
        }
    }
}
