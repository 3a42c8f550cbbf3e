//! [`Room`]: whether a connection takes a message.

/// Whether there is room for a message, as far as is known.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Room {
    Some,
    /// A message found none.
    None,
    /// There is room again, which is to be told.
    Again,
    /// The peer has reset the connection, and nothing is written any more. What the peer has sent before is still read.
    Reset,
}
