//! [`Roster`]: the subscribers of a topic, and which of them an event is for.

use std::collections::HashMap;
use std::sync::Arc;

use super::filter::Wanted;
use super::key::Key;
use super::mailbox::Mailbox;
use super::prefixes::Prefixes;
use super::slots::Slots;
use crate::identity::Identity;

/// One subscriber.
#[derive(Debug)]
pub(super) struct Subscriber {
    /// Number of the subscriber, never used again.
    pub(super) id: u64,
    pub(super) mailbox: Arc<Mailbox>,
    pub(super) wanted: Arc<Wanted>,
    pub(super) identity: Option<Identity>,
}

/// The subscribers of a topic. Those that ask for few full keys are found by these; the filters of the others are looked at.
///
/// Joining and leaving take as long with many subscribers as with few.
#[derive(Debug, Default)]
pub(super) struct Roster {
    scanned: Slots<Arc<Subscriber>>,
    /// Those with the key, which is every key field. A subscriber may stand at several.
    by_key: HashMap<Arc<[u8]>, Slots<Arc<Subscriber>>>,
    count: usize,
    /// Subscribers of ZeroMQ's own.
    taps: Slots<Tap>,
}

/// A subscriber that knows topics and no keys.
#[derive(Debug)]
pub(super) struct Tap {
    pub(super) mailbox: Arc<Mailbox>,
    pub(super) prefixes: Arc<Prefixes>,
}

impl Roster {
    /// Returns the number of subscribers.
    pub(super) fn len(&self) -> usize {
        self.count
    }

    /// Adds the newest subscriber.
    pub(super) fn insert(&mut self, subscriber: &Arc<Subscriber>) {
        self.count += 1;
        let Some(keys) = subscriber.wanted.full_keys() else {
            return self.scanned.push(subscriber.id, Arc::clone(subscriber));
        };
        for key in keys {
            self.by_key.entry(Arc::clone(key)).or_default().push(subscriber.id, Arc::clone(subscriber));
        }
    }

    /// Removes a subscriber.
    pub(super) fn remove(&mut self, subscriber: &Subscriber) {
        self.count -= 1;
        let Some(keys) = subscriber.wanted.full_keys() else {
            self.scanned.remove(subscriber.id);
            return;
        };
        for key in keys {
            if let Some(subscribers) = self.by_key.get_mut(key) {
                subscribers.remove(subscriber.id);
                if subscribers.is_empty() {
                    self.by_key.remove(key);
                }
            }
        }
    }

    /// Adds the newest subscriber of ZeroMQ's own.
    pub(super) fn add_tap(&mut self, id: u64, tap: Tap) {
        self.taps.push(id, tap);
    }

    pub(super) fn remove_tap(&mut self, id: u64) {
        self.taps.remove(id);
    }

    /// Returns the subscribers of ZeroMQ's own.
    pub(super) fn taps(&self) -> impl Iterator<Item = &Tap> {
        self.taps.iter()
    }

    /// Returns all subscribers. One that is found by several keys comes several times.
    pub(super) fn iter(&self) -> impl Iterator<Item = &Arc<Subscriber>> {
        self.by_key.values().flat_map(Slots::iter).chain(self.scanned.iter())
    }

    /// Returns those that an event with this key is for.
    pub(super) fn of(&self, key: &Key) -> impl Iterator<Item = &Arc<Subscriber>> {
        let found = self.by_key.get(key.bytes()).into_iter().flat_map(Slots::iter);
        found.chain(self.scanned.iter().filter(|subscriber| subscriber.wanted.passes(key)))
    }
}
