//! [`Event`]: what a session tells its channel.

/// What a session tells its channel.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Event {
    /// The connection is up; `again`: it was up before.
    Connected {
        /// Whether it was up before.
        again: bool,
    },
    /// The connection is lost. It may come back.
    Disconnected,
    /// Something else that a channel shows of its connections has changed.
    Changed,
    /// The connection leads nowhere, and the transport has to connect anew.
    Renew,
    /// Something was dropped.
    Dropped {
        /// Why.
        reason: Dropped,
        /// How many times.
        count: usize,
    },
}

/// Why a client has dropped something. Calls that wait for an answer have failed then, and said so; for one-way calls,
/// this is all that is said, but for those whose caller waits for a proof.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
#[repr(u8)]
pub enum Dropped {
    /// A one-way call that was accepted for sending and had not left when its connection was lost, or its channel was
    /// dropped without one. It has not run.
    OneWay,
    /// A one-way call that had left when its connection was lost, and of which nothing proves that the server has read it. It may
    /// have run. The server is asked once a second while there are such calls, so those of the last second may be among them
    /// although they have arrived.
    OneWaySent,
    /// A message that was handed to a connection just as that was lost.
    Unreachable,
    /// A message of a server that can't be read, and may have held answers.
    Unreadable,
    /// An answer to a ping of a server that does not read.
    Pong,
}

impl Dropped {
    /// All reasons that there are.
    pub const ALL: [Self; 5] =
        [Self::OneWay, Self::OneWaySent, Self::Unreachable, Self::Unreadable, Self::Pong];

    /// Returns its name in `snake_case`, for metrics.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::OneWay => "one_way",
            Self::OneWaySent => "one_way_sent",
            Self::Unreachable => "unreachable",
            Self::Unreadable => "unreadable",
            Self::Pong => "pong",
        }
    }
}
