//! [`Client`]: one client as its server is told of it; [`Table`]: all of them, found by their keys.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::fmt;
use std::time::SystemTime;

use zsvc_proto::keys::PublicKey;

use crate::auth::Grant;
use crate::identity::{Identity, Mechanism};

/// A client that servers let in: a name, one key or several, roles, and perhaps when its time is up.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Client {
    name: String,
    keys: Vec<PublicKey>,
    roles: BTreeSet<String>,
    expires: Option<SystemTime>,
}

impl Client {
    /// Creates a client without a key yet. Its name is told to handlers, and in the log.
    #[must_use]
    pub fn new(name: impl Into<String>) -> Self {
        Self { name: name.into(), keys: Vec::new(), roles: BTreeSet::new(), expires: None }
    }

    /// Adds a public key. A client may have several, as while one is exchanged for another.
    #[must_use]
    pub fn key(mut self, key: PublicKey) -> Self {
        if !self.keys.contains(&key) {
            self.keys.push(key);
        }
        self
    }

    /// Adds a role, byte by byte as `@roles` has it.
    #[must_use]
    pub fn role(mut self, role: impl Into<String>) -> Self {
        self.roles.insert(role.into());
        self
    }

    /// Sets when the client's time is up. From then on it is not let in, and its connections are closed.
    #[must_use]
    pub fn expires(mut self, at: SystemTime) -> Self {
        self.expires = Some(at);
        self
    }

    /// Returns the client's name.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Returns the client's keys, in the order in which they were added.
    #[must_use]
    pub fn keys(&self) -> &[PublicKey] {
        &self.keys
    }

    fn grant(&self, key: PublicKey) -> Grant {
        let identity = Identity::new(&*self.name).with_key(key).with_mechanism(Mechanism::Curve);
        let grant =
            Grant::new(self.roles.iter().fold(identity, |identity, role| identity.with_role(&**role)));
        match self.expires {
            Some(end) => grant.until(end),
            None => grant,
        }
    }
}

/// Clients that can't be together in one [`Access`](super::Access).
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum AccessError {
    /// A client has an empty name.
    NoName,
    /// A client has no key.
    NoKey {
        /// Its name.
        client: String,
    },
    /// Two clients have one name.
    SameName {
        /// The name.
        client: String,
    },
    /// Two clients have one key, by which they could not be told apart.
    SameKey {
        /// The key.
        key: PublicKey,
        /// Their names.
        clients: [String; 2],
    },
}

impl fmt::Display for AccessError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoName => f.write_str("a client has an empty name; give it one"),
            Self::NoKey { client } => {
                write!(f, "the client `{client}` has no key; add one, or leave the client out")
            }
            Self::SameName { client } => {
                write!(
                    f,
                    "two clients are called `{client}`; give them different names, or one client both keys"
                )
            }
            Self::SameKey { key, clients: [one, other] } => {
                write!(
                    f,
                    "the clients `{one}` and `{other}` both have the key `{key}`; give each keys of its own"
                )
            }
        }
    }
}

impl std::error::Error for AccessError {}

/// The clients at one time.
#[derive(Debug, Default)]
pub(super) struct Table {
    clients: BTreeMap<String, Client>,
    /// Found by a keyed hash, and then compared in constant time: how long it takes tells nothing of the keys.
    by_key: HashMap<PublicKey, Grant>,
}

impl Table {
    pub(super) fn new(clients: impl IntoIterator<Item = Client>) -> Result<Self, AccessError> {
        let mut table = Self::default();
        let mut owners: HashMap<PublicKey, String> = HashMap::new();
        for client in clients {
            let name = client.name.clone();
            if name.is_empty() {
                return Err(AccessError::NoName);
            }
            if client.keys.is_empty() {
                return Err(AccessError::NoKey { client: name });
            }
            for key in &client.keys {
                if let Some(owner) = owners.insert(*key, name.clone()).filter(|owner| *owner != name) {
                    return Err(AccessError::SameKey { key: *key, clients: [owner, name] });
                }
                table.by_key.insert(*key, client.grant(*key));
            }
            if table.clients.insert(name.clone(), client).is_some() {
                return Err(AccessError::SameName { client: name });
            }
        }
        Ok(table)
    }

    pub(super) fn clients(&self) -> impl Iterator<Item = &Client> {
        self.clients.values()
    }

    pub(super) fn grant(&self, key: &PublicKey) -> Option<&Grant> {
        self.by_key.get(key)
    }
}
