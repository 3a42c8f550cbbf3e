//! [`Cause`]: which part of the runtime failed a call, for programs. A status's message is for people.

/// Why the runtime itself failed a call. A status made by a handler has none.
///
/// Programs can tell "the server is dead", "the server is slow" and "there never was a server" apart by it, without
/// parsing texts. What became of the call is its [`Outcome`](crate::status::Outcome), whatever the cause.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Cause {
    /// No server was connected for as long as the call could wait, or when it was made, if it was not to wait.
    NeverConnected,
    /// The connection that the call was in flight on was lost: the server died, or is cut off.
    ConnectionLost,
    /// The connection is up, but the server has sent nothing for too long: it hangs, or a device in between has lost it.
    ServerSilent,
    /// The server does not have the call any more: it was started anew behind a device that has stayed, and does not tell.
    ServerRestarted,
    /// The server is about to shut down, and has rejected the call or ended it.
    GoingAway,
    /// The channel, or the server itself, was closed while the call was made or in flight.
    Closed,
    /// The call's deadline has passed.
    Deadline,
    /// A limit on concurrent work was reached. See
    /// [`Status::retry_after`](crate::status::Status::retry_after).
    Overloaded,
    /// The server considers the client gone: it has sent nothing for too long, or has not read what it was sent.
    ClientLost,
    /// Another call of the same method came before or after, and the method does not run twice at a time.
    Overlap,
    /// Parameters, metadata, an answer or an item is larger than one side takes. The message has the size, the limit and whose
    /// limit that is. The same call fails again.
    TooLarge,
    /// A value can't be written, or can't be read as what the schema says, or breaks a bound of the schema.
    BadValue,
    /// The server does not have the method, or has it as one of another kind.
    NoSuchMethod,
    /// The method has `@roles`, and the client has none of them, or the server does not know who the client is; or the client was taken
    /// out of those whom the server lets in, or has lost a role, while the call ran.
    Forbidden,
    /// The peer broke a rule of the protocol, or speaks another version of it.
    Protocol,
    /// The handler, or a middleware, panicked.
    Panicked,
}

impl Cause {
    /// Returns the number on the wire, for causes that a server can know of. The others are known to the client alone.
    pub(crate) const fn number(self) -> Option<u8> {
        match self {
            Self::GoingAway => Some(1),
            Self::Overloaded => Some(2),
            Self::Deadline => Some(3),
            Self::ClientLost => Some(4),
            Self::TooLarge => Some(5),
            Self::BadValue => Some(6),
            Self::NoSuchMethod => Some(7),
            Self::Protocol => Some(8),
            Self::Panicked => Some(9),
            Self::ServerRestarted => Some(10),
            Self::Forbidden => Some(11),
            _ => None,
        }
    }

    /// Returns the cause with this number, if this version knows it.
    pub(crate) const fn from_number(number: u64) -> Option<Self> {
        match number {
            1 => Some(Self::GoingAway),
            2 => Some(Self::Overloaded),
            3 => Some(Self::Deadline),
            4 => Some(Self::ClientLost),
            5 => Some(Self::TooLarge),
            6 => Some(Self::BadValue),
            7 => Some(Self::NoSuchMethod),
            8 => Some(Self::Protocol),
            9 => Some(Self::Panicked),
            10 => Some(Self::ServerRestarted),
            11 => Some(Self::Forbidden),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Cause;

    #[test]
    fn causes_keep_their_numbers() {
        for (number, cause) in [
            (1, Cause::GoingAway),
            (2, Cause::Overloaded),
            (3, Cause::Deadline),
            (4, Cause::ClientLost),
            (5, Cause::TooLarge),
            (6, Cause::BadValue),
            (7, Cause::NoSuchMethod),
            (8, Cause::Protocol),
            (9, Cause::Panicked),
            (10, Cause::ServerRestarted),
            (11, Cause::Forbidden),
        ] {
            assert_eq!((cause.number(), Cause::from_number(number.into())), (Some(number), Some(cause)));
        }
        assert_eq!(Cause::ConnectionLost.number(), None);
        assert_eq!([Cause::from_number(0), Cause::from_number(12), Cause::from_number(1 << 32)], [None; 3]);
    }
}
