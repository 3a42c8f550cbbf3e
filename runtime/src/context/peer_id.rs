//! [`PeerId`]: a client's connection, as names of it are compared.

use std::fmt;
use std::sync::Arc;

/// A client's connection, as the server sees it. It means nothing beyond being the same or not.
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

/// So that a map of clients can be asked with the bytes of a route.
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
