//! [`Subscription`]: the stream of a subscription, over as many connections as it takes.

use std::fmt;
use std::future::poll_fn;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use futures_core::Stream;

use crate::call::ServerStreamCall;
use crate::channel::Channel;
use crate::clock::{self, Timer};
use crate::connection::{Retry, Verdict, classify};
use crate::declaration::Event;
use crate::events::{Delivered, Deliveries, Filter, Position, Request};
use crate::metadata::MetadataValue;
use crate::status::{Failure, Status};
use crate::stream::Streaming;

/// What a subscriber gets.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Delivery<E> {
    /// An event.
    Event(E),
    /// This number of events that were asked for is missing here: the subscriber has not kept up, or its connection was lost for longer
    /// than the server keeps events. `None` if their number is not known, which may then be none: after the publisher was started
    /// anew, and where it can't be known which of them had been asked for.
    Missed(Option<u64>),
    /// The events that the server had kept have all come; what follows is published from now on. Comes again each time when a lost
    /// connection was made up for.
    Live,
}

/// The stream of a subscription. Dropping it ends the subscription.
///
/// After a lost connection, a restart of the server or a server that shuts down, it goes on by itself for as long as the channel is open: it
/// subscribes again, waits with pauses that grow to 5 s, and says by [`Delivery::Missed`] what is missing. No event comes twice.
/// Each other failure is an item, the last one.
///
/// # Cancel safety
/// If a wait for an item is dropped, no item is lost.
pub struct Subscription<E: Event> {
    calls: Calls,
    state: State<E>,
    /// Where to go on after a loss.
    position: Option<Position>,
    /// The publisher's life of the stream that is read.
    epoch: u64,
    /// Whether all kept events of that stream have come, or it goes on from a position, so that its events stand for those before.
    is_steady: bool,
    /// Sequence number of the last event that was handed out of the life `epoch`.
    seen: u64,
    /// Number of failures in a row.
    failures: u32,
}

/// How the call of a subscription is made, as often as needed.
pub(super) struct Calls {
    pub(super) channel: Channel,
    pub(super) filter: Filter,
    pub(super) metadata: Vec<(String, MetadataValue)>,
}

type Items<E> = Streaming<Delivered<E>, Status>;

enum State<E> {
    /// A call is being made.
    Opening(Box<ServerStreamCall<Delivered<E>, Status>>),
    Reading(Items<E>),
    /// A call has failed, and the next is made at a time.
    Pausing(Timer),
    Ended,
}

/// Pauses between calls that fail one after the other: up to the first at first, up to the second in the end.
const PAUSES: (Duration, Duration) = (Duration::from_millis(100), Duration::from_secs(5));

impl Calls {
    fn call<E: Event>(&self, since: Option<Position>) -> ServerStreamCall<Delivered<E>, Status> {
        let request = Request { filter: self.filter.clone(), since };
        let call = self.channel.server_stream::<Deliveries<E::Form>, _, _>(E::EVENT.method(), &request);
        // Nor that of the call whose handler subscribes: a subscription is for as long as it is held.
        let call = call.no_deadline();
        self.metadata.iter().fold(call, |call, (name, value)| call.metadata(name, value.clone()))
    }
}

impl<E: Event> Subscription<E> {
    /// Subscribes, and waits until the server has said so.
    pub(super) async fn open(calls: Calls, since: Option<Position>) -> Result<Self, Status> {
        let mut items = calls.call::<E>(since).await?;
        let mut this = Self {
            calls,
            state: State::Ended,
            position: since,
            epoch: 0,
            is_steady: false,
            seen: 0,
            failures: 0,
        };
        loop {
            match items.next().await {
                Some(Ok(Delivered::Opened { epoch, last })) => {
                    this.begin(epoch, last);
                    this.state = State::Reading(items);
                    return Ok(this);
                }
                Some(Ok(Delivered::Unknown)) => {}
                Some(Ok(_)) => return Err(out_of_order::<E>()),
                Some(Err(status)) => return Err(status),
                None => return Err(ended::<E>()),
            }
        }
    }

    /// Returns the next item, or `None` after a failure.
    ///
    /// # Errors
    /// The subscription has failed for good: nothing comes after that.
    ///
    /// # Cancel safety
    /// If the future is dropped before it completes, no item is lost.
    pub async fn next(&mut self) -> Option<Result<Delivery<E>, Status>> {
        poll_fn(|context| Pin::new(&mut *self).poll_next(context)).await
    }

    /// Returns how far the subscription has come, for a later one to go on [from there](super::Subscribe::since), as after a restart of the
    /// program: the events that were returned before, and no others, are left out then. `None` until the kept
    /// events have come for the first time. Where the publisher has begun anew since, this is the position in its life before, until the kept
    /// events of the new one have come.
    #[must_use]
    pub fn position(&self) -> Option<Position> {
        self.position
    }

    /// Notes the life of the publisher whose items follow, and its last event, if that is known. A position past that is from another life,
    /// whatever its epoch: the server sends what it has kept then, and so it does for an event that was seen past it.
    fn begin(&mut self, epoch: u64, last: Option<u64>) {
        let last = last.unwrap_or(u64::MAX);
        if self.position.is_some_and(|position| position.epoch() == epoch && position.sequence() > last) {
            self.position = None;
        }
        self.is_steady = self.position.is_some_and(|position| position.epoch() == epoch);
        if self.epoch != epoch || self.seen > last {
            (self.epoch, self.seen) = (epoch, 0);
        }
        if let Some(position) = self.position.filter(|_| self.is_steady) {
            self.seen = self.seen.max(position.sequence());
        }
        self.failures = 0;
    }

    /// Returns what an item is for the subscriber, if anything.
    fn take(&mut self, item: Delivered<E>) -> Result<Option<Delivery<E>>, Status> {
        match item {
            Delivered::Opened { epoch, last } => {
                // The stream before was lost while kept events came. What was published from then on, and is not kept, can't be known.
                let is_unknown = self.position.is_none();
                self.begin(epoch, last);
                if is_unknown {
                    return Ok(Some(Delivery::Missed(None)));
                }
            }
            Delivered::Unknown => {}
            Delivered::Missed(count) => return Ok(Some(Delivery::Missed(count))),
            Delivered::Live(sequence) => {
                (self.is_steady, self.seen) = (true, self.seen.max(sequence));
                self.advance();
                return Ok(Some(Delivery::Live));
            }
            // Kept events come again, if the connection was lost before all of them had come.
            Delivered::Event(sequence, _) if sequence <= self.seen && !self.is_steady => {}
            Delivered::Event(sequence, _) if sequence <= self.seen => return Err(out_of_order::<E>()),
            Delivered::Event(sequence, event) => {
                self.seen = sequence;
                self.advance();
                return Ok(Some(Delivery::Event(event)));
            }
        }
        Ok(None)
    }

    /// Notes how far the stream has come. While kept events come it has come nowhere: between them are others that were never asked
    /// for, and would be taken for missing.
    fn advance(&mut self) {
        if self.is_steady {
            self.position = Some(Position::new(self.epoch, self.seen));
        }
    }

    /// Decides what follows a failure. Returns the status if that is the end.
    fn fail(&mut self, status: Status) -> Option<Status> {
        let hint = status.retry_after();
        let failure = Failure::Status(status);
        let verdict = classify(&failure, true);
        let pauses = Retry::default().pauses(PAUSES.0, PAUSES.1);
        self.failures = self.failures.saturating_add(1);
        let pause = match verdict {
            Verdict::Final => None,
            Verdict::AtOnce if self.failures == 1 => Some(Duration::ZERO),
            Verdict::AtOnce | Verdict::Later => pauses.pause(self.failures, hint),
        };
        let Some(pause) = pause else {
            self.state = State::Ended;
            return Some(Status::of(failure));
        };
        self.state = State::Pausing(self.calls.channel.timer(clock::now() + pause));
        None
    }

    /// Takes one step. Returns an item, or nothing if there is another step to take.
    fn poll_step(&mut self, context: &mut Context<'_>) -> Poll<Option<Result<Delivery<E>, Status>>> {
        let failed = match &mut self.state {
            State::Ended => return Poll::Ready(None),
            State::Pausing(timer) => match ready!(timer.poll(context)) {
                Ok(()) => {
                    self.state = State::Opening(Box::new(self.calls.call(self.position)));
                    return Poll::Ready(None);
                }
                Err(status) => status,
            },
            State::Opening(call) => match ready!(Pin::new(call).poll(context)) {
                Ok(items) => {
                    self.state = State::Reading(items);
                    return Poll::Ready(None);
                }
                Err(status) => status,
            },
            State::Reading(items) => match ready!(Pin::new(items).poll_next(context)) {
                Some(Ok(item)) => match self.take(item) {
                    Ok(delivery) => return Poll::Ready(delivery.map(Ok)),
                    Err(status) => {
                        self.state = State::Ended;
                        return Poll::Ready(Some(Err(status)));
                    }
                },
                Some(Err(status)) => status,
                None => ended::<E>(),
            },
        };
        Poll::Ready(self.fail(failed).map(Err))
    }
}

#[cold]
fn out_of_order<E: Event>() -> Status {
    let name = E::EVENT.name();
    Status::internal(format!(
        "the server sends events of `{name}` in another order than that of the protocol"
    ))
    .maybe_executed()
}

/// A stream of events never ends well.
#[cold]
fn ended<E: Event>() -> Status {
    Status::unavailable(format!("the server has ended the stream of `{}`", E::EVENT.name())).maybe_executed()
}

impl<E: Event> Stream for Subscription<E> {
    type Item = Result<Delivery<E>, Status>;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        loop {
            if matches!(self.state, State::Ended) {
                return Poll::Ready(None);
            }
            if let Some(item) = ready!(self.poll_step(context)) {
                return Poll::Ready(Some(item));
            }
        }
    }
}

// Nothing in it is pinned.
impl<E: Event> Unpin for Subscription<E> {}

impl<E: Event> fmt::Debug for Subscription<E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Subscription")
            .field("event", &E::EVENT.name())
            .field("position", &self.position)
            .finish_non_exhaustive()
    }
}
