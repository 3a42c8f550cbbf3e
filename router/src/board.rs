//! [`Board`]: the events that the router has itself for its clients, with what was counted of each.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use zsvc::forward::Relayed;

/// An event that the router has itself, as it looks from outside: clients publish it, or it is relayed.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct EventView {
    /// Its name: `market.v1.Price`.
    pub event: String,
    /// The name of its realm; empty for the one without a name.
    pub realm: String,
    /// Whether the router subscribes to workers once for all clients.
    pub is_relayed: bool,
    /// Whether any client may publish it.
    pub is_published: bool,
    /// Number of subscriptions.
    pub subscribers: usize,
    /// Number of events that are kept for those who join late.
    pub kept: usize,
    /// Number of bytes that these count for.
    pub kept_bytes: usize,
    /// Number of events that were published, or have come from workers, since the router was started.
    pub sent: u64,
    /// Number of events that were dropped for subscribers who do not keep up: one that is dropped for two is counted twice.
    pub dropped: u64,
    /// Number of subscriptions that `@slow(disconnect)` has ended.
    pub disconnected: u64,
}

/// The events that there are, and what was counted of those that there were.
#[derive(Debug, Default)]
pub(crate) struct Board(Mutex<Entries>);

#[derive(Debug, Default)]
struct Entries {
    events: Vec<Entry>,
    /// By realms and names, of events that were there before, as numbers only grow. Their names are leaked at any rate: they are few.
    gone: BTreeMap<(String, String), [u64; 3]>,
}

/// An event of a realm.
#[derive(Debug)]
pub(crate) struct Entry {
    pub(crate) realm: String,
    pub(crate) event: Relayed,
    pub(crate) is_relayed: bool,
    pub(crate) is_published: bool,
}

impl Entry {
    /// Returns what it looks like, if that was counted.
    fn view(&self, [sent, dropped, disconnected]: [u64; 3]) -> EventView {
        let Self { event, is_relayed, is_published, .. } = self;
        let (kept, kept_bytes) = event.kept();
        EventView {
            event: event.name().to_owned(),
            realm: self.realm.clone(),
            is_relayed: *is_relayed,
            is_published: *is_published,
            subscribers: event.subscribers(),
            kept,
            kept_bytes,
            sent,
            dropped,
            disconnected,
        }
    }
}

fn counted(event: &Relayed) -> [u64; 3] {
    let counters = event.counters();
    [counters.sent(), counters.dropped(), counters.disconnected()]
}

fn add(sum: &mut [u64; 3], more: [u64; 3]) {
    sum.iter_mut().zip(more).for_each(|(sum, more)| *sum += more);
}

impl Board {
    fn lock(&self) -> MutexGuard<'_, Entries> {
        // Nothing panics while the lock is held but for lack of memory.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Has these events in place of those before.
    pub(crate) fn set(&self, events: Vec<Entry>) {
        let mut entries = self.lock();
        let before = std::mem::replace(&mut entries.events, events);
        for Entry { realm, event, .. } in before {
            let is_it = |known: &Entry| known.realm == realm && known.event.demand_is(&event);
            if !entries.events.iter().any(is_it) {
                add(entries.gone.entry((realm, event.name().to_owned())).or_default(), counted(&event));
            }
        }
    }

    /// Returns the events that there are, in the order of their realms and names.
    pub(crate) fn views(&self) -> Vec<EventView> {
        let entries = self.lock();
        let views = entries.events.iter().map(|entry| {
            let name = (entry.realm.clone(), entry.event.name().to_owned());
            let mut sum = entries.gone.get(&name).copied().unwrap_or_default();
            add(&mut sum, counted(&entry.event));
            entry.view(sum)
        });
        let mut views: Vec<_> = views.collect();
        views.sort_by(|one, other| (&one.realm, &one.event).cmp(&(&other.realm, &other.event)));
        views
    }

    /// Returns what was counted of all events that there are or were, each number behind its name.
    pub(crate) fn counted(&self) -> [(&'static str, u64); 3] {
        let entries = self.lock();
        let mut sum = [0; 3];
        entries.gone.values().for_each(|more| add(&mut sum, *more));
        entries.events.iter().for_each(|entry| add(&mut sum, counted(&entry.event)));
        [("events_sent", sum[0]), ("events_dropped", sum[1]), ("slow_subscriptions", sum[2])]
    }
}
