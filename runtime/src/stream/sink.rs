//! [`Sink`]: what a stream is written to.

use std::fmt;
use std::future::poll_fn;
use std::pin::pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use futures_core::Stream;

use super::{Outbound, Outgoing, Unsent};
use crate::codec::{EncodeError, Form};
use crate::status::Status;
use crate::wire::{Item, ItemHead};

/// The sending side of a stream: of a handler's answers, or of a client's items.
///
/// A handler's stream ends when the handler returns. **A client's ends well by [`finish`](Sink::finish) alone**: a sink that
/// is dropped without it, by a `?`, a timeout or a panic of the task that sends, cancels the call, and its answers end
/// in `cancelled`. Otherwise the server would take half a stream for a whole one.
pub struct Sink<T> {
    half: Half,
    encode: fn(&ItemHead, &T) -> Result<Item, EncodeError>,
    /// A client's, which has not ended its stream yet.
    unfinished: bool,
}

/// What a sink needs besides its item's type.
pub(crate) struct Half {
    outbound: Arc<Outbound>,
    outgoing: Arc<dyn Outgoing>,
    /// The call's.
    id: u64,
    head: ItemHead,
    max_body: usize,
}

impl<T> Sink<T> {
    /// The sink of a handler, or (`finishes`) of a client.
    pub(crate) fn new<F: Form<T>>(half: Half, finishes: bool) -> Self {
        Self { half, encode: Item::encode::<F, T>, unfinished: finishes }
    }

    /// Sends one item: encodes it at once, then waits until the reader has room for it. It leaves, together with others, once
    /// its thread has run what else is ready. Whoever sends one and then computes for long, without waiting for anything,
    /// holds it up meanwhile, and may let it go first by `tokio::task::yield_now`; another item that is sent a millisecond
    /// later sees to that by itself.
    ///
    /// Several may be under way at a time; their order is then that in which they are first polled, as long as none
    /// has to wait.
    ///
    /// # Errors
    /// The call is over (then the status says why), or the item can't be encoded or is larger than a message may be.
    ///
    /// # Cancel safety
    /// Dropped before it is done, the item is not sent.
    pub async fn send(&self, item: T) -> Result<(), Status> {
        let encoded = self
            .half
            .encode(self.encode, &item)
            .map_err(|error| Status::internal(format!("an item of the stream can't be encoded: {error}")))?;
        drop(item);
        self.half.check(&encoded)?;
        let mut unsent = Some(Unsent::new(encoded));
        poll_fn(|context| self.half.poll_send(context, &mut unsent)).await
    }

    /// Sends every item of a stream, waiting for the reader's room.
    ///
    /// # Errors
    /// As for [`Sink::send`]; what is left of the stream is dropped.
    pub async fn send_all(&self, items: impl Stream<Item = T>) -> Result<(), Status> {
        let mut items = pin!(items);
        while let Some(item) = poll_fn(|context| items.as_mut().poll_next(context)).await {
            self.send(item).await?;
        }
        Ok(())
    }

    /// Ends a client's stream: the server has been sent all of it. Its answers go on. A handler's stream ends when the
    /// handler returns, whether or not its sink was finished.
    pub fn finish(mut self) {
        if std::mem::take(&mut self.unfinished) {
            self.half.finish();
        }
    }
}

impl Half {
    pub(crate) fn new(outbound: Arc<Outbound>, outgoing: Arc<dyn Outgoing>, id: u64) -> Self {
        let max_body = outgoing.max_body();
        Self { outbound, outgoing, id, head: ItemHead::new(id), max_body }
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
        self.outgoing.finish(self.id, &self.outbound);
    }

    /// Refuses an item that is larger than a message may be.
    #[inline]
    pub(crate) fn check(&self, item: &Item) -> Result<(), Status> {
        let (size, most) = (item.len(), self.max_body);
        if size <= most {
            return Ok(());
        }
        let what = format!("an item of the stream has {size} bytes; a message may have {most}");
        Err(Status::resource_exhausted(what))
    }

    /// See [`Outbound::poll_send`].
    #[inline]
    pub(crate) fn poll_send(
        &self,
        context: &Context<'_>,
        unsent: &mut Option<Unsent>,
    ) -> Poll<Result<(), Status>> {
        self.outbound.poll_send(context, &*self.outgoing, self.id, unsent)
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
