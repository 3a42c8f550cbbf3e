//! [`Access`]: the clients that servers let in by their keys, which may change while the servers run.
//!
//! - `table`: the clients at one time, found by their keys.
//! - `subscription`: how connections are told of changes.
//! - `file`: how a file says it; `follow`: how a file is followed. Both with the feature `access-file`.

#[cfg(feature = "access-file")]
mod file;
#[cfg(feature = "access-file")]
mod follow;
mod subscription;
mod table;

use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock};
use zsvc_proto::keys::PublicKey;

use crate::auth::Grant;
use crate::telemetry::Counter;

#[cfg(feature = "access-file")]
pub use file::{AccessFileError, Mistake};
pub(crate) use subscription::Subscription;
use subscription::Subscriptions;
use table::Table;
pub use table::{AccessError, Client};

/// The clients that servers let in by their keys: their names, keys and roles. It may be changed while servers run, by any of its
/// clones, which are cheap and share it.
///
/// A client that is taken out, whose time is up, or that loses a role, loses its connections within a second: its handlers are
/// cancelled, and its calls end with `unauthenticated` or `unavailable`. A client that gains roles has them from its next call on.
///
/// ```
/// use zsvc::curve::{Access, Client, CurveServer, generate};
///
/// let (server, old, new) = (generate()?, generate()?.public_key(), generate()?.public_key());
/// let access = Access::new([Client::new("desk").key(old).role("trader")])?;
/// let curve = CurveServer::new(server).access(access.clone());
///
/// // Later: the client is to have another key. First it has both, and then, once it has moved over, the new one alone.
/// access.put(Client::new("desk").key(old).key(new).role("trader"))?;
/// access.put(Client::new("desk").key(new).role("trader"))?;
/// access.remove("desk");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Default)]
pub struct Access(Arc<Inner>);

#[derive(Default)]
struct Inner {
    /// Read at handshakes, and written when clients change.
    table: RwLock<Arc<Table>>,
    /// Held while clients change, so that no change is lost.
    changing: Mutex<()>,
    subscriptions: Subscriptions,
    files: Files,
}

/// Number of changed files that were taken over, and that were not.
struct Files {
    taken: Counter,
    refused: Counter,
}

impl Default for Files {
    fn default() -> Self {
        let files = |what| Counter::because("zsvc_access_files_total", what);
        Self { taken: files("taken"), refused: files("refused") }
    }
}

impl Access {
    /// Creates a list of clients, which may be empty.
    ///
    /// # Errors
    /// Two clients have the same name or key, one has no name, or no key.
    pub fn new(clients: impl IntoIterator<Item = Client>) -> Result<Self, AccessError> {
        let table = Table::new(clients)?;
        let access = Self::default();
        access.set(table);
        Ok(access)
    }

    /// Takes these clients in place of all that there are. In case of an error, all stay as they are.
    ///
    /// # Errors
    /// As for [`Access::new`].
    pub fn replace(&self, clients: impl IntoIterator<Item = Client>) -> Result<(), AccessError> {
        let table = Table::new(clients)?;
        let _changing = self.changing();
        self.set(table);
        Ok(())
    }

    /// Adds a client, or takes it in place of the one of the same name. In case of an error, all stay as they are.
    ///
    /// # Errors
    /// The client has no name, no key, or a key of another client.
    pub fn put(&self, client: Client) -> Result<(), AccessError> {
        let _changing = self.changing();
        let before = self.table();
        let mut clients: Vec<_> =
            before.clients().filter(|known| known.name() != client.name()).cloned().collect();
        clients.push(client);
        let table = Table::new(clients)?;
        self.set(table);
        Ok(())
    }

    /// Takes a client out. Returns it, if it was there. One that stands in a [file](Self::from_file) that is followed is back when that file
    /// changes next: take it out of the file, too.
    #[allow(clippy::must_use_candidate, reason = "what was there may not matter")]
    pub fn remove(&self, name: &str) -> Option<Client> {
        let _changing = self.changing();
        let table = self.table();
        let client = table.clients().find(|known| known.name() == name).cloned()?;
        let others = table.clients().filter(|known| known.name() != name).cloned();
        // Clients that are fine together are fine without one.
        let table = Table::new(others).ok()?;
        self.set(table);
        Some(client)
    }

    /// Returns all clients, in the order of their names.
    #[must_use]
    pub fn clients(&self) -> Vec<Client> {
        self.table().clients().cloned().collect()
    }

    /// Returns the number of times that a changed [file](Self::from_file) was taken over.
    #[must_use]
    pub fn files_taken(&self) -> u64 {
        self.0.files.taken.get()
    }

    /// Returns the number of times that a changed [file](Self::from_file) could not be taken over, and the clients stayed as they were.
    #[must_use]
    pub fn files_refused(&self) -> u64 {
        self.0.files.refused.get()
    }

    /// Returns what the client with a key was granted, also if its time is up.
    pub(crate) fn grant(&self, key: &PublicKey) -> Option<Grant> {
        self.table().grant(key).cloned()
    }

    /// Returns what tells of changes from now on.
    pub(crate) fn subscribe(&self) -> Subscription {
        self.0.subscriptions.add()
    }

    fn changing(&self) -> MutexGuard<'_, ()> {
        self.0.changing.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn table(&self) -> Arc<Table> {
        Arc::clone(&self.0.table.read().unwrap_or_else(PoisonError::into_inner))
    }

    fn set(&self, table: Table) {
        let table = Arc::new(table);
        let before =
            std::mem::replace(&mut *self.0.table.write().unwrap_or_else(PoisonError::into_inner), table);
        self.0.subscriptions.tell();
        drop(before);
    }
}

impl fmt::Debug for Access {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Access").field(&self.clients()).finish()
    }
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, SystemTime};

    use super::*;
    use crate::identity::Mechanism;

    fn key(byte: u8) -> PublicKey {
        PublicKey::from_bytes([byte; 32])
    }

    fn name(access: &Access, byte: u8) -> Option<String> {
        access.grant(&key(byte)).map(|grant| grant.identity().name().to_owned())
    }

    #[test]
    fn a_client_is_known_by_each_of_its_keys_until_its_time_is_up() {
        let end = SystemTime::now() + Duration::from_mins(1);
        let access = Access::new([
            Client::new("desk").key(key(1)).key(key(2)).role("trader").role("admin"),
            Client::new("guest").key(key(3)).expires(end),
        ]);
        let access = access.unwrap();
        let desk = access.grant(&key(2)).unwrap();
        let identity = desk.identity();
        assert_eq!(
            (identity.name(), identity.key(), identity.mechanism()),
            ("desk", Some(key(2)), Mechanism::Curve)
        );
        assert_eq!((identity.roles().collect::<Vec<_>>(), desk.end()), (vec!["admin", "trader"], None));
        assert_eq!(access.grant(&key(1)).unwrap().identity().key(), Some(key(1)));
        assert_eq!(name(&access, 3).as_deref(), Some("guest"));
        let guest = access.grant(&key(3)).unwrap();
        assert!(guest.is_over(end) && !guest.is_over(end - Duration::from_secs(1)));
        assert_eq!(name(&access, 4), None);
    }

    #[test]
    fn clients_come_and_go_and_what_is_wrong_changes_nothing() {
        let access = Access::default();
        assert_eq!(access.clients(), []);
        let alice = Client::new("alice").key(key(1));
        access.put(alice.clone()).unwrap();
        access.put(Client::new("bob").key(key(2))).unwrap();
        let taken = access.put(Client::new("carol").key(key(3)).key(key(1))).unwrap_err();
        assert_eq!(taken, AccessError::SameKey { key: key(1), clients: ["alice".into(), "carol".into()] });
        assert_eq!((name(&access, 1).as_deref(), name(&access, 3)), (Some("alice"), None));
        access.put(Client::new("alice").key(key(4))).unwrap();
        assert_eq!((name(&access, 1), name(&access, 4).as_deref()), (None, Some("alice")));
        assert_eq!(
            (access.remove("alice").map(|it| it.keys().to_vec()), access.remove("alice")),
            (Some(vec![key(4)]), None)
        );
        assert_eq!(access.clients(), [Client::new("bob").key(key(2))]);
        for (clients, wrong) in [
            (vec![Client::new("").key(key(1))], AccessError::NoName),
            (vec![Client::new("a")], AccessError::NoKey { client: "a".into() }),
            (vec![alice.clone(), alice], AccessError::SameName { client: "alice".into() }),
        ] {
            assert_eq!(access.replace(clients).unwrap_err(), wrong);
            assert_eq!(access.clients().len(), 1);
        }
        access.replace([]).unwrap();
        assert_eq!(name(&access, 2), None);
    }

    #[test]
    fn each_change_is_told_to_those_who_asked_before() {
        let access = Access::default();
        let subscription = access.subscribe();
        assert!(!subscription.take_change());
        access.put(Client::new("a").key(key(1))).unwrap();
        assert!(subscription.has_changed() && subscription.take_change() && !subscription.take_change());
        assert!(!access.subscribe().take_change());
        access.remove("nothing");
        assert!(!subscription.take_change(), "nothing has changed");
    }
}
