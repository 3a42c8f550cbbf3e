//! What a peer says of itself at the end of a handshake.

use bytes::{Buf, BufMut, Bytes};

use super::Error;
use super::error::printable;
use crate::keys::PublicKey;

/// A type of ZeroMQ socket, as far as this project has them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum SocketType {
    /// A client's.
    Dealer,
    /// A server's.
    Router,
    /// One that sends a request, and waits for the reply.
    Req,
    /// One that replies to requests.
    Rep,
    /// A publisher's, whose peers say which topics they want.
    Pub,
    /// A subscriber's.
    Sub,
    /// A subscriber's that shows its subscriptions to its program, such as that of a device.
    XSub,
}

impl SocketType {
    /// Returns the name that ZMTP has for it.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Dealer => "DEALER",
            Self::Router => "ROUTER",
            Self::Req => "REQ",
            Self::Rep => "REP",
            Self::Pub => "PUB",
            Self::Sub => "SUB",
            Self::XSub => "XSUB",
        }
    }

    fn of(name: &[u8]) -> Option<Self> {
        [Self::Dealer, Self::Router, Self::Req, Self::Rep, Self::Pub, Self::Sub, Self::XSub]
            .into_iter()
            .find(|socket_type| socket_type.name().as_bytes() == name)
    }

    /// Reports whether sockets of these types may talk to each other. Source: RFC 37, "Socket type property".
    fn talks_to(self, other: Self) -> bool {
        match self {
            Self::Router => matches!(other, Self::Dealer | Self::Req | Self::Router),
            Self::Dealer => matches!(other, Self::Router | Self::Rep | Self::Dealer),
            Self::Req => matches!(other, Self::Rep | Self::Router),
            Self::Rep => matches!(other, Self::Req | Self::Dealer),
            Self::Pub => matches!(other, Self::Sub | Self::XSub),
            Self::Sub | Self::XSub => matches!(other, Self::Pub),
        }
    }
}

/// What is known of a peer after the handshake.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Peer {
    /// The type of its socket.
    pub socket_type: SocketType,
    /// The routing id that it has announced, of up to 255 bytes. It is the peer's word and no more: another may
    /// announce the same.
    pub routing_id: Bytes,
    /// Minor version of ZMTP 3 that it speaks.
    pub minor_version: u8,
    /// The user that it has proved to be, by PLAIN.
    pub username: Option<Bytes>,
    /// The public key that it has proved to have the secret key of, by CURVE.
    pub public_key: Option<PublicKey>,
}

impl Peer {
    /// Reports whether the peer knows `PING` and `PONG`, as those do that speak ZMTP 3.1.
    #[must_use]
    pub fn knows_pings(&self) -> bool {
        self.minor_version > 0
    }
}

const SOCKET_TYPE: &str = "Socket-Type";
const IDENTITY: &str = "Identity";
/// Maximum length in bytes of a routing id. Source: RFC 37.
pub(super) const MAX_ROUTING_ID_BYTES: usize = 255;

/// Returns the properties of this side.
pub(super) fn write(socket_type: SocketType, routing_id: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    property(&mut out, SOCKET_TYPE, socket_type.name().as_bytes());
    property(&mut out, IDENTITY, routing_id);
    out
}

fn property(out: &mut Vec<u8>, name: &str, value: &[u8]) {
    super::command::short_string(out, name.as_bytes());
    // Names of types, and routing ids of up to 255 bytes.
    out.put_u32(u32::try_from(value.len()).unwrap_or(u32::MAX));
    out.extend_from_slice(value);
}

/// The properties of a peer that matter; others are skipped.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Properties {
    socket_type: Option<Bytes>,
    routing_id: Bytes,
}

impl Properties {
    /// Reads the properties of a peer.
    ///
    /// # Errors
    /// They can't be read.
    pub(super) fn read(mut data: Bytes) -> Result<Self, Error> {
        let wrong = Error::Command { expected: "metadata of names and values" };
        let mut read = Self::default();
        while !data.is_empty() {
            let name = super::command::take_short_string(&mut data).ok_or_else(|| wrong.clone())?;
            let value = take_value(&mut data).ok_or_else(|| wrong.clone())?;
            // Names are compared without regard to case. Source: RFC 37.
            if name.eq_ignore_ascii_case(SOCKET_TYPE.as_bytes()) {
                read.socket_type = Some(value);
            } else if name.eq_ignore_ascii_case(IDENTITY.as_bytes()) {
                if value.len() > MAX_ROUTING_ID_BYTES {
                    return Err(wrong);
                }
                read.routing_id = value;
            }
        }
        Ok(read)
    }

    /// Returns the peer that they describe.
    ///
    /// # Errors
    /// Its socket is of a type that `ours` can't talk to.
    pub(super) fn into_peer(
        self,
        ours: SocketType,
        minor_version: u8,
        username: Option<Bytes>,
    ) -> Result<Peer, Error> {
        let name = self.socket_type.unwrap_or_default();
        match SocketType::of(&name).filter(|theirs| ours.talks_to(*theirs)) {
            Some(socket_type) => Ok(Peer {
                socket_type,
                routing_id: self.routing_id,
                minor_version,
                username,
                public_key: None,
            }),
            None => Err(Error::SocketType { theirs: printable(&name), ours }),
        }
    }
}

fn take_value(data: &mut Bytes) -> Option<Bytes> {
    let length = data.first_chunk().map(|length| u32::from_be_bytes(*length) as usize)?;
    (data.len() - 4 >= length).then(|| {
        data.advance(4);
        data.split_to(length)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn peer(ours: SocketType, properties: &[u8]) -> Result<Peer, Error> {
        Properties::read(Bytes::copy_from_slice(properties))?.into_peer(ours, 1, None)
    }

    #[test]
    fn properties_are_read_as_they_were_written_and_unknown_ones_skipped() {
        let mut properties = write(SocketType::Dealer, b"me");
        property(&mut properties, "X-More", b"whatever");
        let read = peer(SocketType::Router, &properties).unwrap();
        assert_eq!((read.socket_type, &read.routing_id[..]), (SocketType::Dealer, &b"me"[..]));
    }

    #[test]
    fn names_are_compared_without_regard_to_case() {
        let mut properties = Vec::new();
        property(&mut properties, "socket-type", b"REQ");
        assert_eq!(peer(SocketType::Router, &properties).unwrap().socket_type, SocketType::Req);
    }

    #[test]
    fn sockets_that_can_not_talk_to_each_other_are_told() {
        for (ours, theirs) in [
            (SocketType::Router, "PUB"),
            (SocketType::Router, "REP"),
            (SocketType::Dealer, ""),
            (SocketType::Pub, "DEALER"),
        ] {
            let mut properties = Vec::new();
            property(&mut properties, "Socket-Type", theirs.as_bytes());
            assert_eq!(peer(ours, &properties), Err(Error::SocketType { theirs: theirs.to_owned(), ours }));
        }
        assert!(peer(SocketType::Router, &[]).is_err(), "a peer has to say what it is");
    }

    #[test]
    fn lengths_that_lie_are_refused() {
        let properties = write(SocketType::Dealer, b"me");
        for cut in 1..properties.len() {
            let read = Properties::read(Bytes::copy_from_slice(&properties[..cut]));
            // A cut between two properties leaves whole ones.
            assert!(read.is_err() || cut == 22, "{cut}");
        }
        let mut long = Vec::new();
        property(&mut long, IDENTITY, &[7; 256]);
        assert!(Properties::read(long.into()).is_err());
    }
}
