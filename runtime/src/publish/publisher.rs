//! [`Publisher`]: what a program sends events by, and its settings.

use std::fmt;
use std::marker::PhantomData;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};

use super::counters::PublisherCounters;
use super::feed::Feed;
use crate::declaration::Event;
use crate::events::{
    Came, CatchUp, EventType, Joined, KeyWriter, Limits, Mailbox, Member, Notice, Position, Posted, Topic,
    Unpostable, Wanted,
};
use crate::fork::{Process, forked, random};
use crate::identity::Identity;
use crate::status::{Cause, Status};

/// Default of the largest event in bytes: with what surrounds it in its item, no more than a server sends by default.
const MAX_EVENT_BYTES: usize = crate::DEFAULT_MESSAGE_SIZE - 64;

/// What a program sends the events of one type by. Cheap to clone; clones share the subscribers, and may be used from anywhere.
///
/// A server [offers](crate::ServerBuilder::events) it. Events may be sent before that, and while there is no subscriber: those that the
/// schema has kept by `@latest` or `@history` reach those who subscribe later, for as long as the publisher lives.
pub struct Publisher<E> {
    shared: Arc<Shared>,
    event: PhantomData<fn(&E)>,
}

/// What the clones of a publisher and its subscriptions share.
pub(super) struct Shared {
    event: &'static EventType,
    limits: Limits,
    /// Largest event in bytes.
    max_event: usize,
    process: Process,
    counters: Arc<PublisherCounters>,
    topic: Mutex<Topic>,
}

impl<E: Event> Publisher<E> {
    /// Creates a publisher with the default settings.
    #[must_use]
    pub fn new() -> Self {
        Self::builder().build()
    }

    /// Returns the settings of a publisher.
    pub fn builder() -> PublisherBuilder<E> {
        PublisherBuilder { limits: Limits::default(), max_event: MAX_EVENT_BYTES, event: PhantomData }
    }

    /// Sends an event to everyone who has asked for it. It is encoded once, whatever their number.
    ///
    /// Never waits: for a subscriber who does not read as fast, the event waits in memory, up to a
    /// [bound](PublisherBuilder::max_waiting); what happens past that says `@slow` in the schema. So `Ok` means that the event is on
    /// its way, and not that anyone has it.
    ///
    /// Events that are sent one after the other arrive in this order. Those that several threads send at a time have some order,
    /// which is the same for all subscribers.
    ///
    /// # Errors
    /// `internal`: a value in the event can't be encoded. `resource_exhausted`: the event is larger than
    /// [`max_event_size`](PublisherBuilder::max_event_size), or its key fields have more than 1,024 bytes. `unavailable`: the process was
    /// forked since. The event was not sent then.
    pub fn send(&self, event: &E) -> Result<(), Status> {
        let posted = self.encode(event)?;
        let came = self.shared.lock()?.post(posted);
        self.shared.sent(came);
        Ok(())
    }

    /// Returns what sends events to some subscribers alone: those for whom `is_chosen` returns `true`, given who they are, which is `None`
    /// for a client that the server does not know.
    ///
    /// Such an event is never kept for those who subscribe later. A subscriber whose connection is lost meanwhile is told that an unknown number
    /// of events may be missing, even if none was for it.
    pub fn to<F: Fn(Option<&Identity>) -> bool>(&self, is_chosen: F) -> Addressed<'_, E, F> {
        Addressed { publisher: self, is_chosen }
    }

    /// Drops the events that are kept with the same key as this one, as of a symbol that is traded no more: those who subscribe from
    /// now on do not get them. Returns how many there were. Without key fields, all that are kept are dropped.
    ///
    /// # Errors
    /// As for [`send`](Self::send).
    pub fn forget(&self, like: &E) -> Result<usize, Status> {
        let posted = self.encode(like)?;
        Ok(self.shared.lock()?.forget(posted.key()))
    }

    /// Returns the number of subscriptions, without those of plain subscribers at a [PUB endpoint](crate::ServerBuilder::publish).
    #[must_use]
    pub fn subscribers(&self) -> usize {
        self.shared.lock().map_or(0, |topic| topic.subscribers())
    }

    /// Returns the counters of the publisher and all its clones.
    #[must_use]
    pub fn counters(&self) -> Arc<PublisherCounters> {
        Arc::clone(&self.shared.counters)
    }

    /// Returns how many events are kept for those who subscribe later.
    #[must_use]
    pub fn kept(&self) -> usize {
        self.shared.lock().map_or(0, |topic| topic.kept().0)
    }

    fn encode(&self, event: &E) -> Result<Posted, Status> {
        let key = |writer: &mut KeyWriter| event.write_key(writer);
        Posted::encode::<E::Form, E>(event, key, self.shared.max_event).map_err(|error| {
            let name = E::EVENT.name();
            unpostable(name, &error).not_sent()
        })
    }

    /// Returns the publisher as a PUB socket has it.
    pub(crate) fn feed(&self) -> Feed {
        Feed(Arc::clone(&self.shared))
    }

    pub(super) fn shared(&self) -> &Arc<Shared> {
        &self.shared
    }
}

/// Says why an event can't be published.
#[cold]
pub(super) fn unpostable(name: &str, error: &Unpostable) -> Status {
    let what = format!("`{name}`: {error}");
    match error {
        Unpostable::Unencodable(_) => Status::internal(what).caused_by(Cause::BadValue),
        Unpostable::TooLarge { .. } | Unpostable::KeyTooLong => {
            Status::resource_exhausted(what).caused_by(Cause::TooLarge)
        }
    }
}

impl Shared {
    /// Creates what is shared by those who publish an event.
    pub(super) fn new(event: &'static EventType, limits: Limits, max_event: usize) -> Arc<Self> {
        Arc::new(Self {
            event,
            limits,
            max_event,
            process: Process::current(),
            counters: Arc::new(PublisherCounters::new()),
            topic: Mutex::new(Topic::new(event, limits, random())),
        })
    }

    /// Returns another life of the topic, in which nothing was published.
    pub(super) fn new_topic(&self) -> Topic {
        Topic::new(self.event, self.limits, random())
    }

    /// Returns the largest event in bytes.
    pub(super) fn max_event(&self) -> usize {
        self.max_event
    }

    pub(super) fn event(&self) -> &'static EventType {
        self.event
    }

    /// Takes the lock, under which no code of a user's runs.
    pub(super) fn lock(&self) -> Result<MutexGuard<'_, Topic>, Status> {
        if !self.process.is_this() {
            return Err(forked("the publisher").not_sent());
        }
        // Nothing in a topic panics; it is whole in any case.
        Ok(self.topic.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Counts an event that was sent, and wakes those who have it, with no lock held.
    pub(super) fn sent(&self, came: Came) {
        self.counters.count(&came);
        came.wakers.into_iter().for_each(Waker::wake);
    }

    pub(super) fn counters(&self) -> Arc<PublisherCounters> {
        Arc::clone(&self.counters)
    }

    /// Adds a subscriber, who leaves when the subscription is dropped.
    pub(super) fn join(
        self: &Arc<Self>,
        wanted: Wanted,
        since: Option<Position>,
        identity: Option<Identity>,
    ) -> Result<Membership, Status> {
        let Joined { catch_up, mailbox, member } = self.lock()?.join(wanted, since, identity);
        let catch_up = Some(Box::new(catch_up));
        Ok(Membership { shared: Arc::clone(self), catch_up, mailbox, member, has_left: false })
    }
}

/// One subscriber, until it is dropped.
pub(super) struct Membership {
    shared: Arc<Shared>,
    /// What was published before it; `None` once all of that was taken.
    catch_up: Option<Box<CatchUp>>,
    pub(super) mailbox: Arc<Mailbox>,
    member: Member,
    has_left: bool,
}

impl Membership {
    /// Leaves: no event comes any more. What waits can still be taken.
    pub(super) fn leave(&mut self) {
        if !std::mem::replace(&mut self.has_left, true) {
            self.shared.leave(&self.member);
        }
    }

    /// Takes what comes next of what was published before. Is ready with `None` once that is all, and gives way to other tasks while it looks.
    ///
    /// # Errors
    /// The process was forked since.
    pub(super) fn poll_earlier(&mut self, context: &Context<'_>) -> Poll<Result<Option<Notice>, Status>> {
        let Some(catch_up) = &mut self.catch_up else { return Poll::Ready(Ok(None)) };
        if let Some(notice) = catch_up.pop() {
            return Poll::Ready(Ok(Some(notice)));
        }
        if catch_up.is_done() {
            self.catch_up = None;
            return Poll::Ready(Ok(None));
        }
        self.shared.lock()?.catch_up(catch_up);
        if let Some(notice) = catch_up.pop() {
            return Poll::Ready(Ok(Some(notice)));
        }
        context.waker().wake_by_ref();
        Poll::Pending
    }
}

impl Shared {
    fn leave(&self, member: &Member) {
        if let Ok(mut topic) = self.lock() {
            topic.leave(member);
        }
    }
}

impl Drop for Membership {
    fn drop(&mut self) {
        self.leave();
    }
}

/// Sends events to some subscribers alone. See [`Publisher::to`].
#[must_use = "it sends nothing by itself"]
pub struct Addressed<'a, E, F> {
    publisher: &'a Publisher<E>,
    is_chosen: F,
}

impl<E: Event, F: Fn(Option<&Identity>) -> bool> Addressed<'_, E, F> {
    /// Sends an event to those who were chosen, and have asked for it. Otherwise as [`Publisher::send`]. Who subscribes while the
    /// choice is made does not get the event, and is told that it may be missing.
    ///
    /// # Errors
    /// As for [`Publisher::send`].
    pub fn send(&self, event: &E) -> Result<(), Status> {
        let posted = self.publisher.encode(event)?;
        let shared = &self.publisher.shared;
        // The choice is the program's code, so it is made without the lock.
        let audience = shared.lock()?.audience(&posted);
        let chosen = audience.choose(&self.is_chosen);
        let came = shared.lock()?.post_to(posted, &chosen);
        shared.sent(came);
        Ok(())
    }
}

/// The settings of a publisher. See [`Publisher::builder`].
#[must_use = "a builder does nothing until it builds"]
pub struct PublisherBuilder<E> {
    limits: Limits,
    max_event: usize,
    event: PhantomData<fn(&E)>,
}

impl<E: Event> PublisherBuilder<E> {
    /// Sets how many bytes of events may wait for one subscriber; past it, the event's `@slow` applies. One event may always wait,
    /// however large. Events count for about 100 bytes more than they have; for all subscribers together they take memory once.
    /// 1 MiB by default. What was handed to a subscriber's connection is bounded by the subscriber's credit besides.
    pub fn max_waiting(mut self, bytes: usize) -> Self {
        self.limits.queue_bytes = bytes;
        self
    }

    /// Sets the most events that are kept for those who subscribe later, by `@latest` or `@history`: of how many keys, and how many bytes
    /// in all. Past either, the oldest events go first. 65,536 keys and 64 MiB by default.
    pub fn max_kept(mut self, keys: usize, bytes: usize) -> Self {
        (self.limits.kept_keys, self.limits.kept_bytes) = (keys, bytes);
        self
    }

    /// Sets the most events that are kept, whatever the schema says, for subscribers whose connection was lost, so that they go
    /// on without a gap: their number, and their bytes in all. 1,024 events and 1 MiB by default. With 0, a subscriber is told what is
    /// missing after every loss.
    pub fn max_recent(mut self, events: usize, bytes: usize) -> Self {
        (self.limits.recent_events, self.limits.recent_bytes) = (events, bytes);
        self
    }

    /// Sets the largest event in bytes, as encoded. 16 MiB by default, less 64 bytes, in which the rest of an item of that size has room. A
    /// server whose [`max_message_size`](crate::ServerBuilder::max_message_size) is less than 64 bytes larger than an event says
    /// [`Missed`](crate::Delivery::Missed) in its place.
    pub fn max_event_size(mut self, bytes: usize) -> Self {
        self.max_event = bytes;
        self
    }

    /// Creates the publisher.
    #[must_use]
    pub fn build(self) -> Publisher<E> {
        let shared = Shared::new(E::EVENT, self.limits, self.max_event);
        Publisher { shared, event: PhantomData }
    }
}

impl<E> Clone for Publisher<E> {
    fn clone(&self) -> Self {
        Self { shared: Arc::clone(&self.shared), event: PhantomData }
    }
}

impl<E: Event> Default for Publisher<E> {
    fn default() -> Self {
        Self::new()
    }
}

impl<E> fmt::Debug for Publisher<E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Publisher").field("event", &self.shared.event.name()).finish_non_exhaustive()
    }
}

impl<E, F> fmt::Debug for Addressed<'_, E, F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Addressed").field(self.publisher).finish()
    }
}

impl<E: Event> fmt::Debug for PublisherBuilder<E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PublisherBuilder")
            .field("event", &E::EVENT.name())
            .field("limits", &self.limits)
            .field("max_event", &self.max_event)
            .finish()
    }
}
