//! [`PeerId`]: the identity of a client's connection.

use std::fmt;
use std::sync::Arc;

/// The identity of a client's connection at the server. Only comparisons are meaningful.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct PeerId(Arc<[u8]>);

impl PeerId {
    #[inline]
    pub(crate) fn new(route: &[u8]) -> Self {
        Self(route.into())
    }

    /// Returns the route by which messages reach the client.
    pub(crate) fn route(&self) -> &[u8] {
        &self.0
    }
}

/// Lets a map of clients be searched by the bytes of a route.
impl std::borrow::Borrow<[u8]> for PeerId {
    fn borrow(&self) -> &[u8] {
        &self.0
    }
}

impl fmt::Display for PeerId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl fmt::Debug for PeerId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "PeerId({self})")
    }
}
