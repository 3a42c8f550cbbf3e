//! The kinds of calls, as futures: nothing happens until they are awaited, and their methods set options. The unary call is in
//! [`super::unary`].

use std::fmt;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use futures_core::Stream;

use super::handle::CallHandle;
use super::layer::{Layer, LayeredCall, poll_around};
use super::pending_call::PendingCall;
use super::unary::{Answer, UnaryCall};
use super::upload::Upload;
use crate::codec::{Body, Form};
use crate::connection::{Connection, OverlapPermit};
use crate::flow::{InboundStream, OutboundStream};
use crate::metadata::{MetadataValue, ResponseMetadata};
use crate::middleware::{Around, ClientRequest};
use crate::session::client::Streams;
use crate::status::{CallError, Failure, Status};
use crate::stream::{Answers, Sink, SinkHalf, StreamLayer, Streaming, StreamingHalf};
use crate::wire::INITIAL_CREDIT;

/// Adds the options of every kind of call, and `Debug`. The first two texts document `deadline` and `no_deadline`.
macro_rules! options {
    ($call:ident $(<$($parameter:ident),*>)?, $($pending:ident).+, $deadline:expr, $no_deadline:expr) => {
        impl $(<$($parameter),*>)? $call $(<$($parameter),*>)? {
            #[doc = $deadline]
            pub fn deadline(mut self, within: Duration) -> Self {
                self.$($pending).+.deadline(within);
                self
            }

            #[doc = $no_deadline]
            pub fn no_deadline(mut self) -> Self {
                self.$($pending).+.no_deadline();
                self
            }

            /// Makes the call fail at once, with `unavailable` and the outcome [`NotSent`](crate::Outcome::NotSent),
            /// where no server is connected.
            pub fn fail_fast(mut self) -> Self {
                self.$($pending).+.wait_for_ready(false);
                self
            }

            /// Makes the call wait, within its deadline, where no server is connected. This is the default, unless the channel
            /// is set to fail fast.
            pub fn wait_for_ready(mut self) -> Self {
                self.$($pending).+.wait_for_ready(true);
                self
            }

            /// Adds an entry to the metadata, which the handler reads from its [`crate::Context`].
            pub fn metadata(mut self, name: impl Into<String>, value: impl Into<MetadataValue>) -> Self {
                self.$($pending).+.metadata(name, value);
                self
            }

            /// Keeps what the server sends beside its answer or its stream in `response`, where it can be read while the call
            /// runs, and after it, whether that has ended well or not. Without this, it is skipped. A one-way call has none.
            pub fn response_metadata(mut self, response: &ResponseMetadata) -> Self {
                self.$($pending).+.response_metadata(response);
                self
            }
        }

        impl $(<$($parameter),*>)? fmt::Debug for $call $(<$($parameter),*>)? {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.$($pending).+.fmt(f)
            }
        }
    };
    ($call:ident $(<$($parameter:ident),*>)?, $($pending:ident).+) => {
        options!(
            $call $(<$($parameter),*>)?, $($pending).+,
            "Sets how long the call may take, from its first poll on and with the wait for a connection. By default, the \
             method's `@deadline` applies, or else the channel's; a call made in a handler never outlives the handler's own \
             deadline. Past it, the call fails with `deadline_exceeded`, and the server drops the handler.",
            "Removes any deadline: the method's, the channel's, and one inherited from a handler."
        );
    };
    (streams: $call:ident $(<$($parameter:ident),*>)?, $($pending:ident).+) => {
        options!(
            $call $(<$($parameter),*>)?, $($pending).+,
            "Sets how long the call may take, from its first poll on and with the wait for a connection, up to the end of its \
             streams. By default, the method's `@deadline` applies, or else there is none: the channel's is for calls without \
             streams. A call made in a handler never outlives the handler's own deadline. Past it, the call fails with \
             `deadline_exceeded`, and the server drops the handler.",
            "Removes any deadline: the method's, and one inherited from a handler."
        );
    };
}

options!(UnaryCall<R, E>, attempts.call);
options!(streams: ServerStreamCall<R, E>, call);
options!(streams: ClientStreamCall<S, T, R, E>, upload.call);
options!(streams: BidirectionalCall<T, R, E>, call);
options!(
    OneWayCall,
    sending.call,
    "Sets how long the call may wait to be accepted for sending, and then to reach its handler. By default, the method's \
     `@deadline` applies, or else the channel's; a call made in a handler never outlives the handler's own deadline.",
    "Removes any deadline, also one inherited from a handler: the call waits for as long as it takes."
);

/// A call that is answered with a stream. Its output is `Result<Streaming<R, E>, E>`, as soon as the call is queued for
/// sending; if the call fails later, the stream returns the failure.
///
/// # Cancel safety
/// If the future is dropped before it completes, nothing was sent. The stream cancels the call when it is dropped.
#[must_use = "a call does nothing until it is awaited"]
pub struct ServerStreamCall<R, E> {
    call: PendingCall,
    layer: Layer,
    inbound: Arc<InboundStream>,
    window: u64,
    answers: fn(StreamingHalf) -> Streaming<R, E>,
}

/// A call that sends a stream and is answered once. Its output is `Result<R, E>`. Items are taken from the stream as the
/// server has room for them, and no more once the server has answered.
///
/// # Cancel safety
/// If the future is dropped before it completes, the call is cancelled at the server.
#[must_use = "a call does nothing until it is awaited"]
pub struct ClientStreamCall<S, T, R, E> {
    upload: Upload<S, T>,
    layer: Layer,
    answer: Answer<R, E>,
}

/// A call that sends a stream and is answered with one. Its output is `Result<(Sink<T>, Streaming<R, E>), E>`, as soon as the
/// call is queued for sending. Only [`Sink::finish`] ends the client's stream normally.
///
/// # Cancel safety
/// If the future is dropped before it completes, nothing was sent. The stream of answers cancels the call when it is dropped,
/// and so does the sink unless it was finished.
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

/// A call without an answer. Its output is `Result<(), Status>`: `Ok` means that the call was accepted for sending. The call
/// runs at most once; if the connection is lost at that moment, it may not run at all, which is
/// [counted](crate::ChannelDropped::OneWaySent). [`delivered`](Self::delivered) waits for a proof that it has arrived.
///
/// # Cancel safety
/// If the future is dropped before it completes, nothing was sent.
#[must_use = "a call does nothing until it is awaited"]
pub struct OneWayCall {
    sending: OneWaySending,
    layer: Layer,
}

/// A call with streams, from the middleware's view: its caller gets the streams once it is queued.
struct Opening<'a> {
    call: &'a mut PendingCall,
    streams: &'a Streams,
    window: u64,
    handle: Option<CallHandle>,
}

impl LayeredCall for Opening<'_> {
    fn begin(&mut self, request: ClientRequest) -> Result<(), Status> {
        self.call.begin_again(request)
    }

    fn poll(&mut self, context: &mut Context<'_>) -> Poll<Result<Option<Body>, Failure>> {
        match ready!(self.call.poll_call(context, self.streams, Some(self.window))) {
            Ok(id) => {
                self.handle = Some(CallHandle::new(self.call.connection(), id));
                // The stream returns how the call ends.
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
    Poll::Ready(Err(match reply {
        Err(failure) => E::from_failure(failure, call.max_body()),
        Ok(_) => Status::internal("the call was not made").into(),
    }))
}

impl<R, E: CallError> ServerStreamCall<R, E> {
    pub(crate) fn new<F: Form<R>>(call: PendingCall, window: u64) -> Self {
        let (layer, inbound) = (Layer::Unpolled, Arc::new(InboundStream::new(window)));
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

/// Returns the stream of answers, which keeps the call, its overlap permit and its middleware until the stream ends.
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
            layer: Layer::Unpolled,
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
        let answers = Answers { inbound: Arc::clone(&inbound), method: this.call.method().name() };
        let sink = SinkHalf::new(outbound, outgoing, handle.id()).with_answers(answers);
        let sink = (this.sink)(sink);
        let (overlap, around) = (this.call.take_overlap(), this.layer.take());
        let half = half_of_answers(inbound, handle, this.window, overlap, around);
        Poll::Ready(Ok((sink, (this.answers)(half))))
    }
}

impl<S, T, R, E: CallError> ClientStreamCall<S, T, R, E> {
    pub(crate) fn new<I: Form<T>, F: Form<R>>(call: PendingCall, items: S) -> Self {
        let upload = Upload::new::<I>(call, items);
        Self { upload, layer: Layer::Unpolled, answer: Answer::new::<F>() }
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
        Poll::Ready(this.answer.read(reply, this.upload.call.max_body()))
    }
}

// Only the items are pinned, and they have a box of their own.
impl<S, T, R, E> Unpin for ClientStreamCall<S, T, R, E> {}

impl OneWayCall {
    pub(crate) fn new(call: PendingCall) -> Self {
        Self { sending: OneWaySending { call, proof: Proof::NotAsked }, layer: Layer::Unpolled }
    }

    /// Makes the call wait until its server has proved that it has read it, by the answer to a ping that is sent behind it by the
    /// same connection. `Ok` then means that the call has arrived; not that it has run, which a server refuses past its limits and
    /// [counts](crate::Counters::dropped), nor how its handler ended. It takes one round trip more.
    ///
    /// # Errors
    /// Besides those of a call that is only sent, with the outcome [`MaybeExecuted`](crate::Outcome::MaybeExecuted): `unavailable`
    /// if the connection was lost or the channel closed first, `deadline_exceeded` if there was no proof within the deadline.
    ///
    /// # Cancel safety
    /// If the future is dropped before it completes, the call may have been sent.
    pub fn delivered(mut self) -> Self {
        self.sending.proof = Proof::Asked(None);
        self
    }
}

impl Future for OneWayCall {
    type Output = Result<(), Status>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        let this = &mut *self;
        let sent = match this.layer.of(&mut this.sending.call, &Streams::default()) {
            None => ready!(this.sending.poll_sent(context)),
            Some(around) => {
                let reply = ready!(poll_around(around, &mut this.sending, context));
                reply.map(drop).map_err(Status::of)
            }
        };
        this.layer = Layer::None;
        this.sending.cancel();
        this.sending.call.give_up();
        Poll::Ready(sent)
    }
}

/// A one-way call on its way.
struct OneWaySending {
    call: PendingCall,
    proof: Proof,
}

/// Whether a caller wants to know that its one-way call has arrived.
enum Proof {
    NotAsked,
    /// It does, and waits for the answer to this ping once the call was sent.
    Asked(Option<CallHandle>),
}

impl OneWaySending {
    fn poll_sent(&mut self, context: &mut Context<'_>) -> Poll<Result<(), Status>> {
        let Proof::Asked(ping) = &mut self.proof else { return self.call.poll_one_way(context) };
        let ping = if let Some(ping) = ping {
            ping
        } else {
            let id = ready!(self.call.poll_one_way_and_ping(context))?;
            ping.insert(CallHandle::new(self.call.connection(), id))
        };
        let answer = ready!(ping.poll_reply(context));
        let method = self.call.method().name();
        Poll::Ready(answer.map(drop).map_err(|failure| not_proved(method, &Status::of(failure))))
    }
}

/// Returns the status of a one-way call that was sent, and of which no proof came that it has arrived. Its ping may not have been
/// sent, which says nothing of the call.
#[cold]
fn not_proved(method: &str, why: &Status) -> Status {
    let what = format!("nothing proves that the one-way call `{method}` has arrived: {}", why.message());
    let status = Status::new(why.code(), what).maybe_executed();
    match why.cause() {
        Some(cause) => status.caused_by(cause),
        None => status,
    }
}

/// From the middleware's view, a one-way call ends once it is queued, or once it is known to have arrived.
impl LayeredCall for OneWaySending {
    fn begin(&mut self, request: ClientRequest) -> Result<(), Status> {
        self.cancel();
        self.call.begin_again(request)
    }

    fn poll(&mut self, context: &mut Context<'_>) -> Poll<Result<Option<Body>, Failure>> {
        self.poll_sent(context).map(|sent| sent.map(|()| None).map_err(Failure::Status))
    }

    fn cancel(&mut self) {
        if let Proof::Asked(ping) = &mut self.proof {
            *ping = None;
        }
    }
}
