//! The kinds of calls, as values: nothing happens until they are awaited, and their options hang on them. The unary one is in [`super::unary`].

use std::fmt;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use futures_core::Stream;

use super::handle::CallHandle;
use super::layer::{Layer, Made, poll_around};
use super::pending_call::PendingCall;
use super::unary::{Answer, UnaryCall};
use super::upload::Upload;
use crate::codec::{Body, Form};
use crate::connection::{Connection, OverlapPermit};
use crate::flow::{InboundStream, OutboundStream};
use crate::metadata::MetadataValue;
use crate::middleware::{Around, ClientRequest};
use crate::session::client::Streams;
use crate::status::{CallError, Failure, Status};
use crate::stream::{Sink, SinkHalf, StreamLayer, Streaming, StreamingHalf};
use crate::wire::INITIAL_CREDIT;

/// The options of every kind of call.
macro_rules! options {
    ($call:ident<$($parameter:ident),*>, $($pending:ident).+) => {
        impl<$($parameter),*> $call<$($parameter),*> {
            /// How long the call may take from when it is first polled, waiting for a connection included. Without it,
            /// the method's `@deadline` holds, or else the channel's; a call made in a handler never outlives the
            /// handler's own deadline. At the server, the handler is dropped when time is up.
            pub fn deadline(mut self, within: Duration) -> Self {
                self.$($pending).+.deadline(within);
                self
            }

            /// Without any deadline, be it the method's, the channel's or one inherited from a handler.
            pub fn no_deadline(mut self) -> Self {
                self.$($pending).+.no_deadline();
                self
            }

            /// Fails at once, with `unavailable` and the outcome [`NotSent`](crate::Outcome::NotSent), where no server is
            /// connected.
            pub fn fail_fast(mut self) -> Self {
                self.$($pending).+.wait_for_ready(false);
                self
            }

            /// Waits, within the deadline, where no server is connected. It does anyway, unless the channel is set up to
            /// fail fast.
            pub fn wait_for_ready(mut self) -> Self {
                self.$($pending).+.wait_for_ready(true);
                self
            }

            /// Sends a name and a value along, which the handler finds in its [`crate::Context`].
            pub fn metadata(mut self, name: impl Into<String>, value: impl Into<MetadataValue>) -> Self {
                self.$($pending).+.metadata(name, value);
                self
            }
        }

        impl<$($parameter),*> fmt::Debug for $call<$($parameter),*> {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.$($pending).+.fmt(f)
            }
        }
    };
}

options!(UnaryCall<R, E>, attempts.call);
options!(ServerStreamCall<R, E>, call);
options!(ClientStreamCall<S, T, R, E>, upload.call);
options!(BidirectionalCall<T, R, E>, call);

/// A call that is answered with a stream. Awaited, it is `Result<Streaming<R, E>, E>`, as soon as it is queued for
/// sending: how the call itself fails is told by the stream.
///
/// # Cancel safety
/// Dropped before it is done, nothing was sent. The stream cancels the call when it is dropped.
#[must_use = "a call does nothing until it is awaited"]
pub struct ServerStreamCall<R, E> {
    call: PendingCall,
    layer: Layer,
    inbound: Arc<InboundStream>,
    window: u64,
    answers: fn(StreamingHalf) -> Streaming<R, E>,
}

/// A call that sends a stream and is answered once. Awaited, it is `Result<R, E>`; items are taken from the stream as
/// the server has room for them, and no more once it has answered.
///
/// # Cancel safety
/// Dropped before it is done, the call is cancelled at the server.
#[must_use = "a call does nothing until it is awaited"]
pub struct ClientStreamCall<S, T, R, E> {
    upload: Upload<S, T>,
    layer: Layer,
    answer: Answer<R, E>,
}

/// A call that sends a stream and is answered with one. Awaited, it is `Result<(Sink<T>, Streaming<R, E>), E>`, as soon
/// as it is queued for sending. The client's stream ends well by [`Sink::finish`] alone.
///
/// # Cancel safety
/// Dropped before it is done, nothing was sent. The stream of answers cancels the call when it is dropped, and so does
/// the sink unless it was finished.
#[must_use = "a call does nothing until it is awaited"]
pub struct BidirectionalCall<T, R, E> {
    call: PendingCall,
    layer: Layer,
    inbound: Arc<InboundStream>,
    outbound: Arc<OutboundStream>,
    window: u64,
    sink: fn(SinkHalf) -> Sink<T>,
    answers: fn(StreamingHalf) -> Streaming<R, E>,
}

/// A call that nobody answers. Awaited, it is `Result<(), Status>`: `Ok` says that it was accepted for sending. It runs
/// at most once; if the connection is lost right then, it may not run at all.
///
/// # Cancel safety
/// Dropped before it is done, nothing was sent.
#[must_use = "a call does nothing until it is awaited"]
pub struct OneWayCall {
    call: PendingCall,
    layer: Layer,
}

/// A call whose answers, or whose way to send, its caller has once it is queued.
struct Opening<'a> {
    call: &'a mut PendingCall,
    streams: &'a Streams,
    window: u64,
    handle: Option<CallHandle>,
}

impl Made for Opening<'_> {
    fn begin(&mut self, request: ClientRequest) -> Result<(), Status> {
        self.call.begin_again(request.metadata)
    }

    fn poll(&mut self, context: &mut Context<'_>) -> Poll<Result<Option<Body>, Failure>> {
        match ready!(self.call.poll_call(context, self.streams, Some(self.window))) {
            Ok(id) => {
                self.handle = Some(CallHandle::new(self.call.connection(), id));
                // How it ends is told by its stream.
                Poll::Pending
            }
            Err(status) => Poll::Ready(Err(Failure::Status(status))),
        }
    }

    fn cancel(&mut self) {
        self.handle = None;
    }
}

/// Sends a call that is answered with a stream.
fn poll_open<E: CallError>(
    call: &mut PendingCall,
    layer: &mut Layer,
    streams: &Streams,
    window: u64,
    context: &mut Context<'_>,
) -> Poll<Result<CallHandle, E>> {
    let Some(around) = layer.of(call, streams) else {
        let opened = ready!(call.poll_call(context, streams, Some(window)));
        if opened.is_err() {
            call.give_up();
        }
        return Poll::Ready(opened.map(|id| CallHandle::new(call.connection(), id)).map_err(E::from));
    };
    let mut opening = Opening { call, streams, window, handle: None };
    let reply = poll_around(around, &mut opening, context);
    if let Some(handle) = opening.handle {
        return Poll::Ready(Ok(handle));
    }
    let reply = ready!(reply);
    *layer = Layer::None;
    call.give_up();
    Poll::Ready(Err(reply.map_or_else(E::from_failure, |_| Status::internal("the call was not made").into())))
}

impl<R, E: CallError> ServerStreamCall<R, E> {
    pub(crate) fn new<F: Form<R>>(call: PendingCall, window: u64) -> Self {
        let (layer, inbound) = (Layer::Unasked, Arc::new(InboundStream::new(window)));
        Self { call, layer, inbound, window, answers: Streaming::answers::<F> }
    }
}

impl<R, E: CallError> Future for ServerStreamCall<R, E> {
    type Output = Result<Streaming<R, E>, E>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        let this = &mut *self;
        let inbound = Arc::clone(&this.inbound);
        let streams = Streams { inbound: Some(Arc::clone(&inbound)), outbound: None };
        let handle = ready!(poll_open::<E>(&mut this.call, &mut this.layer, &streams, this.window, context))?;
        let (overlap, around) = (this.call.take_overlap(), this.layer.take());
        let half = half_of_answers(inbound, handle, this.window, overlap, around);
        Poll::Ready(Ok((this.answers)(half)))
    }
}

/// The stream keeps the call, the turn of its method and its middleware until it ends.
fn half_of_answers(
    inbound: Arc<InboundStream>,
    handle: CallHandle,
    window: u64,
    overlap: Option<Box<OverlapPermit>>,
    around: Option<Box<Around>>,
) -> StreamingHalf {
    let outgoing: Arc<Connection> = Arc::clone(handle.connection());
    let (id, call) = (handle.id(), Box::new((handle, overlap)));
    StreamingHalf {
        inbound,
        outgoing,
        id,
        window,
        call: Some(call),
        layer: around.map(|around| around as Box<dyn StreamLayer>),
    }
}

impl<T, R, E: CallError> BidirectionalCall<T, R, E> {
    pub(crate) fn new<I: Form<T>, F: Form<R>>(call: PendingCall, window: u64) -> Self {
        Self {
            call,
            layer: Layer::Unasked,
            inbound: Arc::new(InboundStream::new(window)),
            outbound: Arc::new(OutboundStream::new(INITIAL_CREDIT)),
            window,
            sink: |half| Sink::new::<I>(half, true),
            answers: Streaming::answers::<F>,
        }
    }
}

impl<T, R, E: CallError> Future for BidirectionalCall<T, R, E> {
    type Output = Result<(Sink<T>, Streaming<R, E>), E>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        let this = &mut *self;
        let (inbound, outbound) = (Arc::clone(&this.inbound), Arc::clone(&this.outbound));
        let streams = Streams { inbound: Some(Arc::clone(&inbound)), outbound: Some(Arc::clone(&outbound)) };
        let handle = ready!(poll_open::<E>(&mut this.call, &mut this.layer, &streams, this.window, context))?;
        let outgoing: Arc<Connection> = Arc::clone(handle.connection());
        let sink = (this.sink)(SinkHalf::new(outbound, outgoing, handle.id()));
        let (overlap, around) = (this.call.take_overlap(), this.layer.take());
        let half = half_of_answers(inbound, handle, this.window, overlap, around);
        Poll::Ready(Ok((sink, (this.answers)(half))))
    }
}

impl<S, T, R, E: CallError> ClientStreamCall<S, T, R, E> {
    pub(crate) fn new<I: Form<T>, F: Form<R>>(call: PendingCall, items: S) -> Self {
        let upload = Upload::new::<I>(call, items);
        Self { upload, layer: Layer::Unasked, answer: Answer::new::<F>() }
    }
}

impl<S: Stream<Item = T>, T, R, E: CallError> Future for ClientStreamCall<S, T, R, E> {
    type Output = Result<R, E>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        let this = &mut *self;
        let upload = &mut this.upload;
        let reply = match this.layer.of(&mut upload.call, &upload.streams) {
            None => ready!(upload.poll_reply(context)),
            Some(around) => ready!(poll_around(around, upload, context)),
        };
        this.layer = Layer::None;
        upload.give_up();
        Poll::Ready(this.answer.read(reply))
    }
}

// Nothing in it is pinned but the items, which have a box of their own.
impl<S, T, R, E> Unpin for ClientStreamCall<S, T, R, E> {}

impl OneWayCall {
    pub(crate) fn new(call: PendingCall) -> Self {
        Self { call, layer: Layer::Unasked }
    }

    /// How long the call may wait to be accepted for sending, and then to reach its handler. Without it, the method's
    /// `@deadline` holds, or else the channel's.
    pub fn deadline(mut self, within: Duration) -> Self {
        self.call.deadline(within);
        self
    }

    /// Waits for as long as it takes.
    pub fn no_deadline(mut self) -> Self {
        self.call.no_deadline();
        self
    }

    /// Fails at once, with `unavailable` and the outcome [`NotSent`](crate::Outcome::NotSent), where no server is connected.
    pub fn fail_fast(mut self) -> Self {
        self.call.wait_for_ready(false);
        self
    }

    /// Waits, within the deadline, where no server is connected. It does anyway, unless the channel is set up to fail
    /// fast.
    pub fn wait_for_ready(mut self) -> Self {
        self.call.wait_for_ready(true);
        self
    }

    /// Sends a name and a value along, which the handler finds in its [`crate::Context`].
    pub fn metadata(mut self, name: impl Into<String>, value: impl Into<MetadataValue>) -> Self {
        self.call.metadata(name, value);
        self
    }
}

impl Future for OneWayCall {
    type Output = Result<(), Status>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        let this = &mut *self;
        let sent = match this.layer.of(&mut this.call, &Streams::default()) {
            None => ready!(this.call.poll_one_way(context)),
            Some(around) => {
                let reply = ready!(poll_around(around, &mut OneWay(&mut this.call), context));
                reply.map(drop).map_err(Status::from_failure)
            }
        };
        this.layer = Layer::None;
        this.call.give_up();
        Poll::Ready(sent)
    }
}

/// A call that is over once it is queued.
struct OneWay<'a>(&'a mut PendingCall);

impl Made for OneWay<'_> {
    fn begin(&mut self, request: ClientRequest) -> Result<(), Status> {
        self.0.begin_again(request.metadata)
    }

    fn poll(&mut self, context: &mut Context<'_>) -> Poll<Result<Option<Body>, Failure>> {
        self.0.poll_one_way(context).map(|sent| sent.map(|()| None).map_err(Failure::Status))
    }

    fn cancel(&mut self) {}
}

impl fmt::Debug for OneWayCall {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.call.fmt(f)
    }
}
