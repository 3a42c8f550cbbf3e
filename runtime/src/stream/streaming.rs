//! [`Streaming`]: what a stream is read from.

use std::any::Any;
use std::fmt;
use std::marker::PhantomData;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use futures_core::Stream;

use super::{Inbound, Outgoing};
use crate::codec::{self, Body, Form};
use crate::middleware::{Around, Step};
use crate::server::unreadable;
use crate::status::{CallError, Failure, Status};
use crate::wire;

/// The receiving side of a stream: a client's answers, or a handler's items.
///
/// It is a [`Stream`] of `Result<T, E>`; after an error it has ended. Reading gives the sender credit, so a reader that
/// stops stops its sender, and nobody else. A client that drops it cancels the call.
///
/// # Cancel safety
/// Waiting for an item and giving up loses nothing.
pub struct Streaming<T, E = Status> {
    half: Half,
    /// Items received and not yet decoded, laid end to end.
    chunk: Body,
    /// Bytes read for which no credit has been given back yet.
    consumed: u64,
    read: fn(&mut Body) -> Result<T, Status>,
    ended: bool,
    error: PhantomData<fn() -> E>,
}

/// What a stream needs besides its types.
///
/// In this order: fields are dropped in theirs, and what is unread is to go after the call, or it would go with the lock of the
/// call's connection held. To drop a user's bytes may run his code.
pub(crate) struct Half {
    /// What cancels a client's call when it is dropped; it goes when the stream has ended.
    pub(crate) call: Option<Box<dyn Any + Send + Sync>>,
    pub(crate) inbound: Arc<Inbound>,
    pub(crate) outgoing: Arc<dyn Outgoing>,
    /// The call's.
    pub(crate) id: u64,
    /// The credit that the sender has while nothing is on its way.
    pub(crate) window: u64,
    /// The middleware of a client's call, which is there until the stream ends.
    pub(crate) around: Option<Box<Around>>,
}

impl<T, E: CallError> Streaming<T, E> {
    /// A client's answers, taken as they come.
    pub(crate) fn answers<F: Form<T>>(half: Half) -> Self {
        Self::new(half, read_answer::<F, T>)
    }

    /// A handler's items, which must keep to their bounds.
    pub(crate) fn items<F: Form<T>>(half: Half) -> Self {
        Self::new(half, read_item::<F, T>)
    }

    fn new(half: Half, read: fn(&mut Body) -> Result<T, Status>) -> Self {
        Self { half, chunk: Body::default(), consumed: 0, read, ended: false, error: PhantomData }
    }

    /// The next item; `None` at the end.
    ///
    /// # Errors
    /// How the call failed. Nothing comes after it.
    ///
    /// # Cancel safety
    /// Dropped before it is done, no item is lost.
    pub async fn next(&mut self) -> Option<Result<T, E>> {
        std::future::poll_fn(|context| Pin::new(&mut *self).poll_next(context)).await
    }

    /// The next item, or the end that the middleware makes of the stream's.
    fn poll_around(&mut self, context: &mut Context<'_>) -> Poll<Option<Result<T, E>>> {
        while let Some(around) = &mut self.half.around {
            match around.step(context) {
                Step::Wait => {}
                Step::Call(_) => {
                    let why = Status::failed_precondition("a call that streams can't be made again");
                    around.ended(Err(Failure::Status(why.not_sent())));
                    continue;
                }
                Step::Cancel => self.end(),
                Step::Done(response) => {
                    self.end();
                    self.half.around = None;
                    let failure = response.into_reply().err();
                    return Poll::Ready(failure.map(|failure| Err(E::from_failure(failure))));
                }
            }
            let item = if self.ended { Poll::Pending } else { self.poll_item(context) };
            let ended = match ready!(item) {
                Some(Ok(item)) => return Poll::Ready(Some(Ok(item))),
                Some(Err(failure)) => Err(failure),
                None => Ok(None),
            };
            if let Some(around) = &mut self.half.around {
                around.ended(ended);
            }
        }
        Poll::Ready(None)
    }

    #[inline]
    fn poll_item(&mut self, context: &Context<'_>) -> Poll<Option<Result<T, Failure>>> {
        if self.ended {
            return Poll::Ready(None);
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
        match (self.read)(&mut self.chunk) {
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

    /// A sender keeps to its own bound, which may be another.
    #[inline]
    fn check_size(&mut self, size: usize) -> Result<(), Status> {
        let most = self.half.outgoing.max_body();
        if size <= most {
            return Ok(());
        }
        self.end();
        let what = format!("an item of the stream has {size} bytes; a message may have {most}");
        Err(Status::resource_exhausted(what).maybe_executed())
    }

    /// Nothing comes after this, so others need not wait for the stream to be dropped.
    fn end(&mut self) {
        self.ended = true;
        self.half.call = None;
    }

    /// Credit goes back in halves of the window: seldom enough to cost little, soon enough that the sender need not wait.
    #[inline]
    fn give_back(&mut self, bytes: u64) {
        self.consumed += bytes;
        if self.consumed * 2 >= self.half.window {
            let bytes = std::mem::take(&mut self.consumed);
            self.half.inbound.grant(bytes);
            self.half.outgoing.record(&mut |out| wire::credit(out, self.half.id, bytes));
        }
    }
}

fn read_answer<F: Form<T>, T>(items: &mut Body) -> Result<T, Status> {
    codec::decode_prefix::<F, T>(items).map_err(|error| {
        Status::unknown(format!("an item of the server's stream can't be read: {error}")).maybe_executed()
    })
}

fn read_item<F: Form<T>, T>(items: &mut Body) -> Result<T, Status> {
    let item = codec::decode_prefix::<F, T>(items).map_err(|error| unreadable(&error))?;
    codec::validate::<F, T>(&item).map_err(|violation| Status::invalid_argument(violation.to_string()))?;
    Ok(item)
}

impl<T, E: CallError> Stream for Streaming<T, E> {
    type Item = Result<T, E>;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        if self.half.around.is_some() {
            return self.poll_around(context);
        }
        self.poll_item(context).map(|item| item.map(|item| item.map_err(E::from_failure)))
    }
}

// Nothing in it is pinned: items are made anew, and the error type is only named.
impl<T, E> Unpin for Streaming<T, E> {}

impl<T, E> fmt::Debug for Streaming<T, E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Streaming")
            .field("call", &self.half.id)
            .field("ended", &self.ended)
            .finish_non_exhaustive()
    }
}
