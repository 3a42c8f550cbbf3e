//! [`Relayed`]: an event that a router has for its clients, and the service by which they subscribe to it and publish it.

use std::fmt;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::task::Waker;
use std::time::Duration;

use bytes::Bytes;
use tokio::sync::{Notify, watch};

use super::counters::PublisherCounters;
use super::line::{Line, Turn};
use super::publisher::{Shared, unpostable};
use super::service::subscription;
use crate::codec::DecodeError;
use crate::dispatch::{Handling, Incoming, Service};
use crate::events::{Layout, Limits, Posted, Unreadable, event_of};
use crate::method::Method;
use crate::session::server::Answer;
use crate::status::{Cause, Failure, Status};
use crate::stream::undecodable;

/// Says what is wrong with the bytes of an event.
pub type Check = dyn Fn(&[u8]) -> Result<(), DecodeError> + Send + Sync;

/// An event that a router has for its clients. Its bytes are passed on as they came. Clones share the subscribers.
#[derive(Clone)]
pub struct Relayed {
    shared: Arc<Shared>,
    layout: Layout,
    /// `subscribe` and `publish`.
    methods: &'static [Method; 2],
    check: Arc<Mutex<Arc<Check>>>,
    line: Arc<Line>,
    demand: Arc<Demand>,
}

/// Who asks for an event, for what brings it along from elsewhere.
#[derive(Debug)]
pub struct Demand {
    /// Number of subscriptions, those that wait until they may begin included.
    wanting: AtomicUsize,
    changed: Notify,
    /// Whether subscriptions may begin.
    is_ready: watch::Sender<bool>,
    /// Why they fail, if they do.
    refusal: Mutex<Option<Status>>,
}

/// One that asks for an event, until it is dropped.
#[derive(Debug)]
struct Wanting(Arc<Demand>);

/// How long a subscription waits until it may begin, at most. It is told what it misses then.
const MAX_READY: Duration = Duration::from_secs(5);

impl Demand {
    /// Returns the number of subscriptions.
    #[must_use]
    pub fn wanting(&self) -> usize {
        self.wanting.load(Ordering::Acquire)
    }

    /// Has [`Demand::changed`] be ready.
    pub fn wake(&self) {
        self.changed.notify_one();
    }

    /// Waits until the number of subscriptions has changed, or something else was told.
    pub async fn changed(&self) {
        self.changed.notified().await;
    }

    /// Says whether subscriptions may begin.
    pub fn set_ready(&self, is_ready: bool) {
        self.is_ready.send_if_modified(|before| std::mem::replace(before, is_ready) != is_ready);
    }

    /// Says why subscriptions fail that have not begun, if they do.
    pub fn set_refusal(&self, refusal: Option<Status>) {
        // Nothing panics while the lock is held.
        *self.refusal.lock().unwrap_or_else(PoisonError::into_inner) = refusal;
    }

    /// Asks for the event, and waits until a subscription may begin.
    async fn enter(self: Arc<Self>) -> Result<Wanting, Status> {
        let mut ready = self.is_ready.subscribe();
        self.wanting.fetch_add(1, Ordering::AcqRel);
        self.wake();
        let wanting = Wanting(self);
        // It is ready, or it is late.
        let _ = tokio::time::timeout(MAX_READY, ready.wait_for(|is_ready| *is_ready)).await;
        let refusal = wanting.0.refusal.lock().unwrap_or_else(PoisonError::into_inner).clone();
        refusal.map_or(Ok(wanting), Err)
    }
}

impl Drop for Wanting {
    fn drop(&mut self) {
        self.0.wanting.fetch_sub(1, Ordering::AcqRel);
        self.0.wake();
    }
}

impl Relayed {
    /// Creates an event that was not published yet. What clients publish is held to `check` and `max_event` bytes. Subscriptions begin once
    /// its [`Demand`] is ready, as it is from the beginning.
    #[must_use]
    pub fn new(
        layout: Layout,
        methods: &'static [Method; 2],
        (limits, max_event): (Limits, usize),
        check: Arc<Check>,
    ) -> Self {
        let shared = Shared::new(layout.event(), limits, max_event);
        let (wanting, changed, is_ready) = (AtomicUsize::new(0), Notify::new(), watch::Sender::new(true));
        let demand = Arc::new(Demand { wanting, changed, is_ready, refusal: Mutex::default() });
        let (check, line) = (Arc::new(Mutex::new(check)), Arc::default());
        Self { shared, layout, methods, check, line, demand }
    }

    /// Returns who asks for the event.
    #[must_use]
    pub fn demand(&self) -> &Arc<Demand> {
        &self.demand
    }

    /// Reports whether another one is a clone of this one.
    #[must_use]
    pub fn demand_is(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.demand, &other.demand)
    }

    /// Returns the method by which the event is subscribed to.
    #[must_use]
    pub fn subscribe(&self) -> &'static Method {
        &self.methods[0]
    }

    /// Returns the method by which clients publish the event.
    #[must_use]
    pub fn publish_method(&self) -> &'static Method {
        &self.methods[1]
    }

    /// Passes an event on that was published elsewhere. One that is no such event, or too large, is told as missing.
    pub fn pass_on(&self, event: &[u8]) {
        match self.layout.read(event, self.shared.max_event()) {
            Ok(posted) => self.post(posted),
            Err(_) => self.lose(),
        }
    }

    /// Tells subscribers that events may be missing here.
    pub fn lose(&self) {
        if let Ok(mut topic) = self.shared.lock() {
            let came = topic.lose();
            drop(topic);
            came.wakers.into_iter().for_each(Waker::wake);
        }
    }

    /// Forgets all that was published, if there is no subscriber: another life begins.
    pub fn forget_all(&self) {
        let mut before = None;
        if let Ok(mut topic) = self.shared.lock()
            && topic.subscribers() == 0
        {
            before = Some(std::mem::replace(&mut *topic, self.shared.new_topic()));
        }
        drop(before);
    }

    fn post(&self, posted: Posted) {
        if let Ok(mut topic) = self.shared.lock() {
            let came = topic.post(posted);
            drop(topic);
            self.shared.sent(came);
        }
    }

    /// Returns the full name of the event.
    #[must_use]
    pub fn name(&self) -> &'static str {
        self.shared.event().name()
    }

    /// Returns what is known of the event.
    #[must_use]
    pub fn layout(&self) -> Layout {
        self.layout
    }

    /// Has what is published from now on held to another check, by clones, too.
    pub fn set_check(&self, check: Arc<Check>) {
        // Nothing panics while the lock is held.
        *self.check.lock().unwrap_or_else(PoisonError::into_inner) = check;
    }

    /// Returns the number of subscriptions.
    #[must_use]
    pub fn subscribers(&self) -> usize {
        self.shared.lock().map_or(0, |topic| topic.subscribers())
    }

    /// Returns the number of events that are kept for those who join late, and of bytes that they count for.
    #[must_use]
    pub fn kept(&self) -> (usize, usize) {
        let kept = self.shared.lock().map(|topic| topic.kept());
        kept.map_or((0, 0), |(events, _, bytes)| (events, bytes))
    }

    /// Returns the counters of the event. Clones share them.
    #[must_use]
    pub fn counters(&self) -> Arc<PublisherCounters> {
        self.shared.counters()
    }

    /// Publishes an event for a client, given the parameters of its call.
    pub(super) fn publish(&self, params: &Bytes) -> Result<(), Status> {
        let name = self.name();
        let unread = |error: &DecodeError| {
            let why = undecodable(error);
            let told = Status::new(why.code(), format!("the bytes are no `{name}`: {error}"));
            told.caused_by(why.cause().unwrap_or(Cause::BadValue))
        };
        let event = event_of(params).map_err(|error| unread(&error))?;
        let posted = self.layout.read(&event, self.shared.max_event()).map_err(|error| match error {
            Unreadable::Undecodable(error) => unread(&error),
            Unreadable::Unpostable(error) => unpostable(name, &error),
        })?;
        let check = Arc::clone(&self.check.lock().unwrap_or_else(PoisonError::into_inner));
        check(&event).map_err(|error| unread(&error))?;
        let came = self.shared.lock()?.post(posted);
        self.shared.sent(came);
        Ok(())
    }

    pub(super) fn line(&self) -> &Line {
        &self.line
    }
}

impl Service for Relayed {
    fn methods(&self) -> &'static [Method] {
        self.methods
    }

    fn dispatch(&self, method: usize, call: Incoming) -> Result<Handling, Status> {
        if method == 0 {
            return subscription(&self.shared, call, Arc::clone(&self.demand).enter());
        }
        let (params, call) = call.publication()?;
        let published = call.handle(async { Ok(()) })?;
        match self.line.enter(params.into_bytes()) {
            Turn::Now(params) => {
                self.publish(&params)?;
                Ok(published)
            }
            Turn::Later(waiting, work) => {
                if let Some(work) = work {
                    tokio::spawn(work.run(self.clone()));
                }
                Ok(Handling::of(async move {
                    let failure = |why| Answer::Failure(Failure::Status(why));
                    match waiting.published().await.and_then(|()| published.begin()) {
                        Ok(answer) => answer.await,
                        Err(why) => failure(why),
                    }
                }))
            }
        }
    }

    /// A client's events are published in the order in which they came.
    fn begins_in_order(&self) -> bool {
        true
    }
}

impl fmt::Debug for Relayed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Relayed").field("event", &self.name()).finish_non_exhaustive()
    }
}
