//! [`Streaming`]: the receiving side of a stream, as users see it.

use std::any::Any;
use std::fmt;
use std::marker::PhantomData;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use futures_core::Stream;

use super::{Outgoing, undecodable, unreadable};
use crate::codec::{self, Body, Form, max_decoded};
use crate::flow::InboundStream;
use crate::fork::{Process, forked};
use crate::status::{CallError, Cause, Failure, Status};

/// The receiving side of a stream: a client's answers, or a handler's items.
///
/// A [`Stream`] of `Result<T, E>` that ends after an error. Reading gives the sender credit, so a reader that stops reading stops
/// its own sender and no other. A client that drops the stream cancels the call.
///
/// # Cancel safety
/// If a wait for an item is dropped, no item is lost.
pub struct Streaming<T, E = Status> {
    half: Half,
    process: Process,
    /// Items received and not yet decoded, laid end to end.
    chunk: Body,
    /// Number of bytes read for which no credit was given back yet.
    consumed: u64,
    /// Reads an item where messages may have as many bytes as the second argument says.
    read: fn(&mut Body, usize) -> Result<T, Status>,
    ended: bool,
    error: PhantomData<fn() -> E>,
}

/// The part of a stream that does not depend on its types.
///
/// In this order: fields are dropped in theirs, and unread items must be dropped after the call, or they would be dropped while
/// the lock of the call's connection is held. Dropping a user's bytes may run the user's code.
pub(crate) struct Half {
    /// Cancels a client's call when it is dropped; it goes when the stream has ended.
    pub(crate) call: Option<Box<dyn Any + Send + Sync>>,
    pub(crate) inbound: Arc<InboundStream>,
    pub(crate) outgoing: Arc<dyn Outgoing>,
    /// Id of the call.
    pub(crate) id: u64,
    /// Credit in bytes that the sender has while nothing is on its way.
    pub(crate) window: u64,
    /// What surrounds a client's call until the stream ends, if anything does.
    pub(crate) layer: Option<Box<dyn StreamLayer>>,
}

/// What surrounds a client's call that streams: in practice, its channel's middleware.
pub(crate) trait StreamLayer: Send + Sync {
    /// Runs the layer as far as it gets. Called before the stream is read, and after [`StreamLayer::ended`].
    fn step(&mut self, context: &mut Context<'_>) -> LayerStep;
    /// Tells the layer how the stream has ended.
    fn ended(&mut self, result: Result<(), Failure>);
}

/// What a layer wants of the stream that it surrounds.
pub(crate) enum LayerStep {
    /// To go on reading.
    Wait,
    /// To make the call once more, which a stream can't.
    CallAgain,
    /// To cancel the call.
    Cancel,
    /// To end, like this.
    Done(Result<(), Failure>),
}

impl<T, E: CallError> Streaming<T, E> {
    /// Creates a client's stream of answers, taken as they come.
    pub(crate) fn answers<F: Form<T>>(half: Half) -> Self {
        Self::new(half, read_answer::<F, T>)
    }

    /// Creates a handler's stream of items, which must keep to their bounds.
    pub(crate) fn items<F: Form<T>>(half: Half) -> Self {
        Self::new(half, read_item::<F, T>)
    }

    fn new(half: Half, read: fn(&mut Body, usize) -> Result<T, Status>) -> Self {
        Self {
            half,
            process: Process::current(),
            chunk: Body::default(),
            consumed: 0,
            read,
            ended: false,
            error: PhantomData,
        }
    }

    /// Returns the next item, or `None` at the end.
    ///
    /// # Errors
    /// The call failed. Nothing comes after an error.
    ///
    /// # Cancel safety
    /// If the future is dropped before it completes, no item is lost.
    pub async fn next(&mut self) -> Option<Result<T, E>> {
        std::future::poll_fn(|context| Pin::new(&mut *self).poll_next(context)).await
    }

    /// Returns the next item, or the end that the layer around the call makes of the stream's.
    fn poll_layered(&mut self, context: &mut Context<'_>) -> Poll<Option<Result<T, E>>> {
        while let Some(layer) = &mut self.half.layer {
            match layer.step(context) {
                LayerStep::Wait => {}
                LayerStep::CallAgain => {
                    let why = Status::failed_precondition("a call that streams can't be made again");
                    layer.ended(Err(Failure::Status(why.not_sent())));
                    continue;
                }
                LayerStep::Cancel => self.end(),
                LayerStep::Done(result) => {
                    self.end();
                    self.half.layer = None;
                    return Poll::Ready(result.err().map(|failure| Err(self.error(failure))));
                }
            }
            let item = if self.ended { Poll::Pending } else { self.poll_item(context) };
            let ended = match ready!(item) {
                Some(Ok(item)) => return Poll::Ready(Some(Ok(item))),
                Some(Err(failure)) => Err(failure),
                None => Ok(()),
            };
            if let Some(layer) = &mut self.half.layer {
                layer.ended(ended);
            }
        }
        Poll::Ready(None)
    }

    #[inline]
    fn poll_item(&mut self, context: &Context<'_>) -> Poll<Option<Result<T, Failure>>> {
        if self.ended {
            return Poll::Ready(None);
        }
        if !self.process.is_this() {
            self.end();
            return Poll::Ready(Some(Err(Failure::Status(forked("the stream").maybe_executed()))));
        }
        if self.chunk.is_empty() {
            match self.half.inbound.poll_chunk(context) {
                Poll::Pending => return Poll::Pending,
                Poll::Ready(Some(Ok(chunk))) => self.chunk = chunk,
                Poll::Ready(Some(Err(failure))) => {
                    self.end();
                    return Poll::Ready(Some(Err(failure)));
                }
                Poll::Ready(None) => {
                    self.end();
                    return Poll::Ready(None);
                }
            }
        }
        Poll::Ready(Some(self.decode_next().map_err(Failure::Status)))
    }

    #[inline]
    fn decode_next(&mut self) -> Result<T, Status> {
        let before = self.chunk.len();
        match (self.read)(&mut self.chunk, self.half.outgoing.max_body()) {
            Ok(item) => {
                let size = before - self.chunk.len();
                self.check_size(size)?;
                self.give_back(size as u64);
                Ok(item)
            }
            Err(status) => {
                self.end();
                Err(status)
            }
        }
    }

    /// Refuses an item past this side's bound. The sender keeps to its own, which may be another.
    #[inline]
    fn check_size(&mut self, size: usize) -> Result<(), Status> {
        let max = self.half.outgoing.max_body();
        if size <= max {
            return Ok(());
        }
        self.end();
        let what = format!("an item of the stream has {size} bytes, and this side takes up to {max}");
        Err(Status::resource_exhausted(what).caused_by(Cause::TooLarge).maybe_executed())
    }

    /// Ends the stream, and lets go of the call: others need not wait until the stream is dropped.
    fn end(&mut self) {
        self.ended = true;
        self.half.call = None;
    }

    fn error(&self, failure: Failure) -> E {
        E::from_failure(failure, self.half.outgoing.max_body())
    }

    /// Gives credit back in halves of the window: seldom enough to cost little, soon enough that the sender need not wait.
    #[inline]
    fn give_back(&mut self, bytes: u64) {
        self.consumed += bytes;
        if self.consumed * 2 >= self.half.window {
            let bytes = std::mem::take(&mut self.consumed);
            self.half.inbound.grant(bytes);
            self.half.outgoing.grant(self.half.id, bytes);
        }
    }
}

fn read_answer<F: Form<T>, T>(items: &mut Body, max_body: usize) -> Result<T, Status> {
    codec::decode_prefix::<F, T>(items, max_decoded(max_body))
        .map_err(|error| unreadable("an item of the server's stream", &error).maybe_executed())
}

fn read_item<F: Form<T>, T>(items: &mut Body, max_body: usize) -> Result<T, Status> {
    let item =
        codec::decode_prefix::<F, T>(items, max_decoded(max_body)).map_err(|error| undecodable(&error))?;
    codec::validate::<F, T>(&item).map_err(|violation| super::invalid(&violation))?;
    Ok(item)
}

impl<T, E: CallError> Stream for Streaming<T, E> {
    type Item = Result<T, E>;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        if self.half.layer.is_some() {
            return self.poll_layered(context);
        }
        let item = ready!(self.poll_item(context));
        Poll::Ready(item.map(|item| item.map_err(|failure| self.error(failure))))
    }
}

// Nothing in it is pinned: items are decoded into new values, and the error type is only named.
impl<T, E> Unpin for Streaming<T, E> {}

impl<T, E> fmt::Debug for Streaming<T, E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Streaming")
            .field("call", &self.half.id)
            .field("ended", &self.ended)
            .finish_non_exhaustive()
    }
}
