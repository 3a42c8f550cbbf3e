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

    /// Reports whether the client is at the other end of the connection, and not behind a device there.
    pub(crate) fn is_direct(&self) -> bool {
        self.connection() == *self
    }

    /// Returns the identity of the connection alone, which all clients behind a device share: what devices add to a route is what
    /// the other end says, and anything could.
    pub(crate) fn connection(&self) -> Self {
        let Some((length, rest)) = self.0.split_first_chunk::<4>() else { return self.clone() };
        let own = u32::from_be_bytes(*length) as usize;
        if rest.len() <= own { self.clone() } else { Self::new(&self.0[..4 + own]) }
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn clients_behind_a_device_have_its_connection() {
        let direct = PeerId::new(&[0, 0, 0, 2, 7, 8]);
        assert!(direct.is_direct() && direct.connection() == direct);
        for behind in [&[0, 0, 0, 2, 7, 8, 0, 0, 0, 0][..], &[0, 0, 0, 2, 7, 8, 0, 0, 0, 1, 9]] {
            assert!(PeerId::new(behind) != direct && !PeerId::new(behind).is_direct());
            assert_eq!(PeerId::new(behind).connection(), direct);
        }
        assert_ne!(PeerId::new(&[0, 0, 0, 1, 7, 0, 0, 0, 1, 8]).connection(), direct);
    }
}
