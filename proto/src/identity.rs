//! [`Identity`]: who a client is, as its server knows it. How a server comes to know it is not decided here.

use std::collections::BTreeSet;
use std::fmt;
use std::sync::Arc;

use crate::keys::PublicKey;

/// Who a client is, as its server knows it: a name, and the roles that decide which methods it may call. Cheap to clone.
///
/// A client that is not known has none of it: servers say `Option<Identity>`.
#[derive(Clone, PartialEq, Eq)]
pub struct Identity(Arc<Parts>);

#[derive(Clone, PartialEq, Eq)]
struct Parts {
    name: String,
    key: Option<PublicKey>,
    roles: BTreeSet<String>,
    mechanism: Mechanism,
}

/// What an [`Identity`] rests on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
#[non_exhaustive]
pub enum Mechanism {
    /// The word of the program that client and server are both in.
    #[default]
    Local,
    /// The client has proved by CURVE that it has the secret key of a public one.
    Curve,
    /// The client has sent a token with the call.
    Token,
}

impl Mechanism {
    /// Returns its name in lower case, for logs.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Local => "local",
            Self::Curve => "curve",
            Self::Token => "token",
        }
    }
}

impl Identity {
    /// Creates the identity of a client of this process, without roles.
    #[must_use]
    pub fn new(name: impl Into<String>) -> Self {
        let mechanism = Mechanism::default();
        Self(Arc::new(Parts { name: name.into(), key: None, roles: BTreeSet::new(), mechanism }))
    }

    /// Adds a role, byte by byte as `@roles` has it.
    #[must_use]
    pub fn with_role(mut self, role: impl Into<String>) -> Self {
        Arc::make_mut(&mut self.0).roles.insert(role.into());
        self
    }

    /// Sets the public key that the client has proved to be its own.
    #[must_use]
    pub fn with_key(mut self, key: PublicKey) -> Self {
        Arc::make_mut(&mut self.0).key = Some(key);
        self
    }

    /// Sets what the identity rests on.
    #[must_use]
    pub fn with_mechanism(mut self, mechanism: Mechanism) -> Self {
        Arc::make_mut(&mut self.0).mechanism = mechanism;
        self
    }

    /// Returns the client's name.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.0.name
    }

    /// Returns the public key that the client's connection has proved to have, with CURVE. Behind a device, it is the device's.
    #[must_use]
    pub fn key(&self) -> Option<PublicKey> {
        self.0.key
    }

    /// Returns the client's roles, in the order of their bytes.
    pub fn roles(&self) -> impl Iterator<Item = &str> {
        self.0.roles.iter().map(String::as_str)
    }

    /// Reports whether the client has a role.
    #[must_use]
    pub fn has_role(&self, role: &str) -> bool {
        self.0.roles.contains(role)
    }

    /// Returns what the identity rests on.
    #[must_use]
    pub fn mechanism(&self) -> Mechanism {
        self.0.mechanism
    }
}

impl fmt::Debug for Identity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Identity")
            .field("name", &self.0.name)
            .field("key", &self.0.key)
            .field("roles", &self.0.roles)
            .field("mechanism", &self.0.mechanism)
            .finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_identity_has_what_it_was_given() {
        let plain = Identity::new("alice");
        let alice = plain.clone().with_role("trader").with_role("admin").with_role("trader");
        assert_eq!((alice.name(), alice.key(), alice.mechanism()), ("alice", None, Mechanism::Local));
        assert_eq!(alice.roles().collect::<Vec<_>>(), ["admin", "trader"]);
        assert!(alice.has_role("admin") && !alice.has_role("Admin") && !alice.has_role(""));
        assert_eq!(plain.roles().count(), 0, "a clone is another identity once it is changed");

        let bob =
            Identity::new("bob").with_key(PublicKey::from_bytes([7; 32])).with_mechanism(Mechanism::Curve);
        assert_eq!((bob.key(), bob.mechanism()), (Some(PublicKey::from_bytes([7; 32])), Mechanism::Curve));
        let shown = format!("{bob:?}");
        let key = PublicKey::from_bytes([7; 32]).to_string();
        assert!(shown.contains(&key) && shown.contains("Curve"), "{shown}");
    }
}
