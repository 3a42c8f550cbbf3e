//! [`Topic`]: all of one publisher, under one lock of its owner: what it keeps, who has subscribed, and what is next.

mod catch_up;

use std::sync::Arc;

use super::event_type::{EventType, Slow};
use super::filter::Wanted;
use super::kept::Kept;
use super::key::Key;
use super::mailbox::{Came, Mailbox};
use super::posted::Posted;
use super::prefixes::Prefixes;
use super::queue::Queue;
use super::recent::Recent;
use super::request::Position;
use super::roster::{Roster, Subscriber, Tap};
use crate::identity::Identity;

pub use catch_up::CatchUp;

/// What a topic may keep.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Largest size in bytes of the events that wait for one subscriber, about 100 for each included. Their bytes are shared
    /// by all for whom they wait.
    pub queue_bytes: usize,
    /// Largest number of keys of which events are kept for those who join late.
    pub kept_keys: usize,
    /// Largest size of these events in bytes.
    pub kept_bytes: usize,
    /// Largest number of events that are kept for subscribers whose connection was lost.
    pub recent_events: usize,
    /// Largest size of these events in bytes.
    pub recent_bytes: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            queue_bytes: 1024 * 1024,
            kept_keys: 65_536,
            kept_bytes: 64 * 1024 * 1024,
            recent_events: 1024,
            recent_bytes: 1024 * 1024,
        }
    }
}

/// All of one publisher.
#[derive(Debug)]
pub struct Topic {
    event: &'static EventType,
    limits: Limits,
    /// Which life of the publisher this is: a number that others do not have.
    epoch: u64,
    /// Sequence number of the last event; 0 before the first.
    last: u64,
    kept: Kept,
    recent: Recent,
    roster: Roster,
    /// Number of subscribers so far.
    joined: u64,
}

/// What a subscriber has on joining.
#[derive(Debug)]
pub struct Joined {
    /// What was published before, and is taken first.
    pub catch_up: CatchUp,
    /// What waits for the subscriber of what is published from then on.
    pub mailbox: Arc<Mailbox>,
    /// What the subscriber leaves by.
    pub member: Member,
}

/// What a subscriber of ZeroMQ's own has.
#[derive(Debug)]
pub struct Tapped {
    /// What waits for the subscriber: events, and how many were dropped.
    pub mailbox: Arc<Mailbox>,
    id: u64,
}

/// Those who have asked for an event, at one time.
#[derive(Debug)]
pub struct Audience {
    /// By their numbers.
    subscribers: Vec<(u64, Option<Identity>)>,
    /// Number of the newest subscriber of all then.
    newest: u64,
}

/// Those of an [`Audience`] for whom an event is.
#[derive(Debug)]
pub struct Chosen {
    /// In ascending order.
    ids: Vec<u64>,
    newest: u64,
}

impl Audience {
    /// Returns those that are chosen, given who they are; `None` if that is not known.
    pub fn choose(self, is_chosen: impl Fn(Option<&Identity>) -> bool) -> Chosen {
        let chosen = self.subscribers.into_iter().filter(|(_, identity)| is_chosen(identity.as_ref()));
        let mut ids: Vec<u64> = chosen.map(|(id, _)| id).collect();
        ids.sort_unstable();
        Chosen { ids, newest: self.newest }
    }
}

/// What a subscriber leaves by, once.
#[derive(Debug)]
pub struct Member(Arc<Subscriber>);

impl Topic {
    /// Creates the topic of an event. `epoch` is drawn at random.
    #[must_use]
    pub fn new(event: &'static EventType, limits: Limits, epoch: u64) -> Self {
        Self {
            event,
            limits,
            epoch,
            last: 0,
            kept: Kept::new(event.kept_per_key(), limits.kept_keys, limits.kept_bytes),
            recent: Recent::new(limits.recent_events, limits.recent_bytes),
            roster: Roster::default(),
            joined: 0,
        }
    }

    /// Returns the position of the last event.
    #[must_use]
    pub fn position(&self) -> Position {
        Position::new(self.epoch, self.last)
    }

    /// Returns the number of subscribers.
    #[must_use]
    pub fn subscribers(&self) -> usize {
        self.roster.len()
    }

    /// Returns the number of events that are kept for those who join late, of their keys, and of bytes that they count for.
    #[must_use]
    pub fn kept(&self) -> (usize, usize, usize) {
        self.kept.size()
    }

    /// Publishes an event to all who have asked for it.
    #[must_use = "tasks are to be woken"]
    pub fn post(&mut self, posted: Posted) -> Came {
        self.last += 1;
        let posted = Arc::new(self.kept.share_key(posted).numbered(self.last));
        self.kept.push(&posted);
        self.recent.push(&posted);
        let subscribers = self.roster.of(posted.key()).map(|subscriber| &subscriber.mailbox);
        let taps = self.roster.taps().filter(|tap| tap.prefixes.passes(posted.topic(self.event)));
        let mut came = Came::default();
        subscribers.chain(taps.map(|tap| &tap.mailbox)).for_each(|mailbox| mailbox.push(&posted, &mut came));
        came
    }

    /// Returns those who have asked for an event, from whom some are chosen for [`Topic::post_to`].
    #[must_use]
    pub fn audience(&self, posted: &Posted) -> Audience {
        let all = self.roster.of(posted.key());
        let subscribers = all.map(|subscriber| (subscriber.id, subscriber.identity.clone())).collect();
        Audience { subscribers, newest: self.joined }
    }

    /// Publishes an event to some alone. It is not kept: for whom it was can't be known of those who join later. Those who have joined
    /// since the choice may be chosen ones whose connection was lost, so they are told that it may be missing.
    #[must_use = "tasks are to be woken"]
    pub fn post_to(&mut self, posted: Posted, chosen: &Chosen) -> Came {
        self.last += 1;
        self.recent.push_addressed(self.last);
        let posted = Arc::new(posted.numbered(self.last));
        let all = self.roster.of(posted.key());
        let mut came = Came::default();
        for subscriber in all {
            if chosen.ids.binary_search(&subscriber.id).is_ok() {
                subscriber.mailbox.push(&posted, &mut came);
            } else if subscriber.id > chosen.newest {
                subscriber.mailbox.note_missed(&mut came);
            }
        }
        came
    }

    /// Tells all subscribers that events may be missing here: this topic passes those of another publisher on, and can't know which are. Those
    /// who go on from a position before this learn it, too.
    #[must_use = "tasks are to be woken"]
    pub fn lose(&mut self) -> Came {
        self.last += 1;
        self.recent.push_addressed(self.last);
        let mut came = Came::default();
        self.roster.iter().for_each(|subscriber| subscriber.mailbox.note_missed(&mut came));
        came
    }

    /// Drops the kept events of a key. Returns how many there were.
    pub fn forget(&mut self, key: &Key) -> usize {
        self.kept.forget(key)
    }

    /// Adds a subscriber. What it takes first is the epoch, what was missed since its position, kept events, and `Live`.
    pub fn join(&mut self, wanted: Wanted, since: Option<Position>, identity: Option<Identity>) -> Joined {
        let wanted = Arc::new(wanted);
        let catch_up = CatchUp::new(self, Arc::clone(&wanted), since);
        let mailbox = Arc::new(Mailbox::new(Queue::new(self.event.when_slow(), self.limits.queue_bytes)));
        self.joined += 1;
        let subscriber = Subscriber { id: self.joined, mailbox: Arc::clone(&mailbox), wanted, identity };
        let subscriber = Arc::new(subscriber);
        self.roster.insert(&subscriber);
        Joined { catch_up, mailbox, member: Member(subscriber) }
    }

    /// Removes a subscriber. Nothing of it is dropped under the lock: the member holds it.
    pub fn leave(&mut self, member: &Member) {
        self.roster.remove(&member.0);
    }

    /// Adds a subscriber of ZeroMQ's own: events whose topics start with what it asks for by then wait for it, up to the bound of each
    /// subscriber. Past it the oldest is dropped, whatever the event says. Nothing that was kept comes.
    pub fn tap(&mut self, prefixes: Arc<Prefixes>) -> Tapped {
        let queue = Queue::new(Slow::DropOldest, self.limits.queue_bytes);
        let mailbox = Arc::new(Mailbox::new(queue));
        self.joined += 1;
        let id = self.joined;
        self.roster.add_tap(id, Tap { mailbox: Arc::clone(&mailbox), prefixes });
        Tapped { mailbox, id }
    }

    /// Removes a subscriber of ZeroMQ's own.
    pub fn untap(&mut self, tapped: &Tapped) {
        self.roster.remove_tap(tapped.id);
    }
}

#[cfg(test)]
pub(super) mod tests;
