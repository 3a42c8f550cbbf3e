//! [`Sink`]: the sending side of a stream, as users see it.

use std::fmt;
use std::future::poll_fn;
use std::pin::pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use futures_core::Stream;

use super::{Answers, Outgoing};
use crate::codec::{EncodeError, WriteForm};
use crate::flow::{OutboundStream, Pushed};
use crate::flush::{StreamPacer, yield_to_driver};
use crate::fork::{Process, forked};
use crate::status::{Cause, Status};
use crate::wire::{Item, ItemHead};

/// The sending side of a stream: a handler's answers, or a client's items.
///
/// A handler's stream ends when the handler returns. **A client's stream ends well only by [`finish`](Sink::finish)**: a sink
/// that is dropped without it, by a `?`, a timeout or a panic of the task that sends, cancels the call, and its answers end in
/// `cancelled`. Otherwise the server would take half a stream for a whole one.
pub struct Sink<T> {
    half: Half,
    encode: fn(&ItemHead, &T) -> Result<Item, EncodeError>,
    /// Whether this is a client's sink whose stream has not ended.
    unfinished: bool,
}

/// The part of a sink that does not depend on its item's type.
pub(crate) struct Half {
    stream: Arc<OutboundStream>,
    outgoing: Arc<dyn Outgoing>,
    process: Process,
    pacer: StreamPacer,
    /// Id of the call.
    id: u64,
    head: ItemHead,
    max_body: usize,
    /// The answers to the same call, of a client's call that streams both ways.
    #[cfg_attr(not(feature = "tracing"), expect(dead_code, reason = "there is no log"))]
    answers: Option<Answers>,
}

/// An encoded item that its stream has not taken yet.
#[derive(Debug)]
pub(crate) struct Unsent {
    item: Option<Item>,
    /// Whether its sender has yielded to the driver.
    has_yielded: bool,
}

impl Unsent {
    pub(crate) fn new(item: Item) -> Self {
        Self { item: Some(item), has_yielded: false }
    }
}

impl<T> Sink<T> {
    /// Creates the sink of a handler, or (`finishes`) of a client.
    pub(crate) fn new<F: WriteForm<T>>(half: Half, finishes: bool) -> Self {
        Self { half, encode: Item::encode::<F, T>, unfinished: finishes }
    }

    /// Returns the largest item in bytes that can be sent.
    pub(crate) fn max_body(&self) -> usize {
        self.half.max_body
    }

    /// Sends one item: encodes it at once, then waits until the reader has room for it.
    ///
    /// The item leaves, together with others, once its thread has run its other ready tasks. A task that sends an item and then
    /// computes for long, without waiting for anything, holds the item up meanwhile; it may call `tokio::task::yield_now` first.
    /// The next item that is sent a millisecond later does so by itself.
    ///
    /// Several sends may be under way at a time. Their order is then that in which they are first polled, as long as none has to
    /// wait.
    ///
    /// # Errors
    /// The call is over (the status says why), or the item can't be encoded or is larger than a message may be.
    ///
    /// # Cancel safety
    /// If the future is dropped before it completes, the item is not sent.
    pub async fn send(&self, item: T) -> Result<(), Status> {
        let encoded = self.half.encode(self.encode, &item).map_err(|error| {
            Status::internal(format!("an item of the stream can't be encoded: {error}"))
                .caused_by(Cause::BadValue)
        })?;
        drop(item);
        self.half.check(&encoded)?;
        let mut unsent = Unsent::new(encoded);
        #[cfg(feature = "tracing")]
        let mut stall = super::stall::Stall::default();
        poll_fn(|context| {
            let sent = self.half.poll_send(context, &mut unsent);
            #[cfg(feature = "tracing")]
            if sent.is_pending() {
                stall.watch(context, self.half.answers.as_ref(), self.half.outgoing.runtime());
            }
            sent
        })
        .await
    }

    /// Sends every item of a stream, and waits for the reader's room.
    ///
    /// # Errors
    /// As for [`Sink::send`]; the rest of the stream is dropped.
    pub async fn send_all(&self, items: impl Stream<Item = T>) -> Result<(), Status> {
        let mut items = pin!(items);
        while let Some(item) = poll_fn(|context| items.as_mut().poll_next(context)).await {
            self.send(item).await?;
        }
        Ok(())
    }

    /// Ends a client's stream as complete. Its answers go on. A handler's stream ends when the handler returns, whether
    /// or not its sink was finished.
    pub fn finish(mut self) {
        if std::mem::take(&mut self.unfinished) {
            self.half.finish();
        }
    }
}

impl Half {
    pub(crate) fn new(stream: Arc<OutboundStream>, outgoing: Arc<dyn Outgoing>, id: u64) -> Self {
        let max_body = outgoing.max_body();
        Self {
            stream,
            outgoing,
            process: Process::current(),
            pacer: StreamPacer::new(),
            id,
            head: ItemHead::new(id),
            max_body,
            answers: None,
        }
    }

    /// Says which answers are to be read while this sends.
    pub(crate) fn with_answers(self, answers: Answers) -> Self {
        Self { answers: Some(answers), ..self }
    }

    /// Encodes an item.
    #[inline]
    pub(crate) fn encode<T>(
        &self,
        encode: fn(&ItemHead, &T) -> Result<Item, EncodeError>,
        item: &T,
    ) -> Result<Item, EncodeError> {
        encode(&self.head, item)
    }

    /// Ends a client's stream.
    pub(crate) fn finish(&self) {
        self.outgoing.finish(self.id, &self.stream);
    }

    /// Refuses an item that is larger than a message may be.
    #[inline]
    pub(crate) fn check(&self, item: &Item) -> Result<(), Status> {
        let (size, max) = (item.len(), self.max_body);
        if size <= max {
            return Ok(());
        }
        let what = format!("an item of the stream has {size} bytes, and this side sends up to {max}");
        Err(Status::resource_exhausted(what).caused_by(Cause::TooLarge))
    }

    /// Sends an item as soon as there is credit for it. `unsent` is empty afterwards.
    ///
    /// # Errors
    /// The call is over.
    #[inline]
    pub(crate) fn poll_send(&self, context: &Context<'_>, unsent: &mut Unsent) -> Poll<Result<(), Status>> {
        if unsent.item.is_none() {
            return Poll::Ready(Ok(()));
        }
        if !self.process.is_this() {
            return Poll::Ready(Err(forked("the stream").maybe_executed()));
        }
        if self.pacer.must_yield(&mut unsent.has_yielded, || self.stream.is_announced()) {
            self.outgoing.notify_now();
            yield_to_driver(context);
            return Poll::Pending;
        }
        let pushed = ready!(self.stream.poll_push(context, &mut unsent.item))?;
        self.pacer.sent(matches!(pushed, Pushed::First));
        match pushed {
            Pushed::Gathered => {}
            Pushed::First => self.outgoing.announce(self.id, &self.stream),
            Pushed::Flush(item) => self.outgoing.flush(self.id, &self.stream, item),
        }
        Poll::Ready(Ok(()))
    }
}

impl<T> Drop for Sink<T> {
    fn drop(&mut self) {
        // An end would say that the stream is complete.
        if self.unfinished {
            self.half.outgoing.abandon(self.half.id);
        }
    }
}

impl<T> fmt::Debug for Sink<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Sink").field("call", &self.half.id).finish_non_exhaustive()
    }
}
