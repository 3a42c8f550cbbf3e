//! [`Cause`]: which part of the runtime failed a call, for programs; a status's message is for people.

/// Why the runtime itself failed a call. A status that a handler has made has none.
///
/// So that "the server is dead", "the server is slow" and "there never was a server" are told apart without a look at
/// texts. What became of the call is its [`Outcome`](crate::status::Outcome), whatever the cause.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Cause {
    /// No server was connected for as long as the call could wait, or at the moment where it was not to wait.
    NeverConnected,
    /// The connection was lost on which the call was in flight: the server died, or is cut off.
    ConnectionLost,
    /// The connection stands, but the server has said nothing for too long: it hangs, or a device in between has lost it.
    ServerSilent,
    /// The server is about to shut down, and has turned the call away or ended it.
    GoingAway,
    /// The channel, or the server itself, was closed while the call was made or in flight.
    Closed,
    /// The call's deadline has passed.
    Deadline,
    /// A bound on how much may be done at a time was reached. See
    /// [`Status::retry_after`](crate::status::Status::retry_after).
    Overloaded,
    /// The server took the client for gone: it has shown no sign of life, or has not read what it was sent.
    ClientLost,
    /// Another call of the same method was there before or came after, and the method does not run twice at a time.
    Overlap,
}

impl Cause {
    /// Its number on the wire, for those that a server can know of. What else went wrong, only this side knows.
    pub const fn number(self) -> Option<u8> {
        match self {
            Self::GoingAway => Some(1),
            Self::Overloaded => Some(2),
            Self::Deadline => Some(3),
            Self::ClientLost => Some(4),
            _ => None,
        }
    }

    /// The cause with this number, if this version knows it.
    pub const fn from_number(number: u64) -> Option<Self> {
        match number {
            1 => Some(Self::GoingAway),
            2 => Some(Self::Overloaded),
            3 => Some(Self::Deadline),
            4 => Some(Self::ClientLost),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Cause;

    #[test]
    fn causes_keep_their_numbers() {
        for (number, cause) in
            [(1, Cause::GoingAway), (2, Cause::Overloaded), (3, Cause::Deadline), (4, Cause::ClientLost)]
        {
            assert_eq!((cause.number(), Cause::from_number(number.into())), (Some(number), Some(cause)));
        }
        assert_eq!(Cause::ConnectionLost.number(), None);
        assert_eq!([Cause::from_number(0), Cause::from_number(5), Cause::from_number(1 << 32)], [None; 3]);
    }
}
