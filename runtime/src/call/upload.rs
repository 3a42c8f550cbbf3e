//! [`Upload`]: a call that sends a client's stream and is answered once. Its future for users is in [`super::kinds`].

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use futures_core::Stream;

use super::handle::CallHandle;
use super::layer::LayeredCall;
use super::pending_call::PendingCall;
use crate::codec::{Body, EncodeError, Form};
use crate::connection::Connection;
use crate::flow::OutboundStream;
use crate::middleware::ClientRequest;
use crate::session::client::Streams;
use crate::status::{Cause, Failure, Status};
use crate::stream::{SinkHalf, Unsent};
use crate::wire::{INITIAL_CREDIT, Item, ItemHead};

/// A call that sends a stream, until it is answered.
pub(super) struct Upload<S, T> {
    pub(super) call: PendingCall,
    pub(super) streams: Streams,
    outbound: Arc<OutboundStream>,
    sending: Option<Sending>,
    items: Option<Pin<Box<S>>>,
    encode: fn(&ItemHead, &T) -> Result<Item, EncodeError>,
}

/// A client's stream that is being sent.
struct Sending {
    handle: CallHandle,
    sink: SinkHalf,
    /// Item that waits for credit.
    next: Option<Unsent>,
}

impl<S, T> Upload<S, T> {
    pub(super) fn new<I: Form<T>>(call: PendingCall, items: S) -> Self {
        let outbound = Arc::new(OutboundStream::new(INITIAL_CREDIT));
        Self {
            call,
            streams: Streams { inbound: None, outbound: Some(Arc::clone(&outbound)) },
            outbound,
            sending: None,
            items: Some(Box::pin(items)),
            encode: Item::encode::<I, T>,
        }
    }

    fn poll_start(&mut self, context: &mut Context<'_>) -> Poll<Result<(), Status>> {
        if self.sending.is_none() {
            let id = ready!(self.call.poll_call(context, &self.streams, None))?;
            let handle = CallHandle::new(self.call.connection(), id);
            let connection: Arc<Connection> = Arc::clone(handle.connection());
            let sink = SinkHalf::new(Arc::clone(&self.outbound), connection, handle.id());
            self.sending = Some(Sending { handle, sink, next: None });
        }
        Poll::Ready(Ok(()))
    }
}

impl<S, T> Upload<S, T> {
    /// Ends the call, and drops its items.
    pub(super) fn give_up(&mut self) {
        (self.sending, self.items) = (None, None);
        self.call.give_up();
    }
}

impl<S: Stream<Item = T>, T> Upload<S, T> {
    /// Sends the stream, and returns the answer.
    pub(super) fn poll_reply(&mut self, context: &mut Context<'_>) -> Poll<Result<Body, Failure>> {
        if let Err(status) = ready!(self.poll_start(context)) {
            return Poll::Ready(Err(Failure::Status(status)));
        }
        if let Poll::Ready(Err(status)) = self.poll_items(context) {
            // Dropping the handle cancels the call at the server.
            self.sending = None;
            return Poll::Ready(Err(Failure::Status(status)));
        }
        let Some(sending) = &mut self.sending else { return Poll::Pending };
        sending.handle.poll_reply(context)
    }

    /// Sends items as long as there are some and the server grants credit.
    ///
    /// # Errors
    /// An item can't be sent at all. The end of the call is no error: the reply tells how it ended.
    fn poll_items(&mut self, context: &mut Context<'_>) -> Poll<Result<(), Status>> {
        let Some(sending) = &mut self.sending else { return Poll::Ready(Ok(())) };
        while let Some(items) = &mut self.items {
            if let Some(next) = &mut sending.next {
                if ready!(sending.sink.poll_send(context, next)).is_err() {
                    self.items = None;
                    return Poll::Ready(Ok(()));
                }
                sending.next = None;
            }
            if let Some(item) = ready!(items.as_mut().poll_next(context)) {
                sending.next = Some(sending.encode(self.encode, &item)?);
            } else {
                sending.sink.finish();
                self.items = None;
            }
        }
        Poll::Ready(Ok(()))
    }
}

impl Sending {
    fn encode<T>(
        &self,
        encode: fn(&ItemHead, &T) -> Result<Item, EncodeError>,
        item: &T,
    ) -> Result<Unsent, Status> {
        let item = self.sink.encode(encode, item).map_err(|error| {
            Status::invalid_argument(format!("an item of the stream can't be encoded: {error}"))
                .caused_by(Cause::BadValue)
                .maybe_executed()
        })?;
        self.sink.check(&item).map_err(Status::maybe_executed)?;
        Ok(Unsent::new(item))
    }
}

impl<S: Stream<Item = T>, T> LayeredCall for Upload<S, T> {
    fn begin(&mut self, request: ClientRequest) -> Result<(), Status> {
        self.sending = None;
        self.call.begin_again(request)
    }

    fn poll(&mut self, context: &mut Context<'_>) -> Poll<Result<Option<Body>, Failure>> {
        self.poll_reply(context).map_ok(Some)
    }

    fn cancel(&mut self) {
        self.sending = None;
    }
}
