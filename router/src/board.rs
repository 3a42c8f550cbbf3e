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
    /// Number of subscriptions.
    pub subscribers: usize,
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
    events: Vec<(String, Relayed)>,
    /// By realms and names, of events that were there before, as numbers only grow. Their names are leaked at any rate: they are few.
    gone: BTreeMap<(String, String), [u64; 3]>,
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

    /// Has these events, with their realms, in place of those before.
    pub(crate) fn set(&self, events: Vec<(String, Relayed)>) {
        let mut entries = self.lock();
        let before = std::mem::replace(&mut entries.events, events);
        for (realm, event) in before {
            let stays =
                entries.events.iter().any(|(other, known)| *other == realm && known.demand_is(&event));
            if !stays {
                add(entries.gone.entry((realm, event.name().to_owned())).or_default(), counted(&event));
            }
        }
    }

    /// Returns the events that there are, in the order of their realms and names.
    pub(crate) fn views(&self) -> Vec<EventView> {
        let entries = self.lock();
        let views = entries.events.iter().map(|(realm, event)| {
            let name = event.name().to_owned();
            let mut sum = entries.gone.get(&(realm.clone(), name.clone())).copied().unwrap_or_default();
            add(&mut sum, counted(event));
            let [sent, dropped, disconnected] = sum;
            let (subscribers, realm) = (event.subscribers(), realm.clone());
            EventView { event: name, realm, subscribers, sent, dropped, disconnected }
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
        entries.events.iter().for_each(|(_, event)| add(&mut sum, counted(event)));
        [("events_sent", sum[0]), ("events_dropped", sum[1]), ("slow_subscriptions", sum[2])]
    }
}
