//! What a generated server is made of: [`Service`], and the [`Incoming`] call that it hands to a handler.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{self, Poll};

use pin_project_lite::pin_project;
use tokio::time::Instant;

use super::calls::CallKey;
use super::counters::Counters;
use super::peer::{Answer, Peer, PeerOutgoing};
use crate::codec::{self, Body, Decode, DecodeError, Form, Validate};
use crate::context::Context;
use crate::generated::{
    BidirectionalMethod, ClientStreamMethod, OneWayMethod, ServerStreamMethod, UnaryMethod,
};
use crate::method::{Method, MethodKind};
use crate::middleware::{Direction, Traffic};
use crate::status::{CallError, Code, Failure, Status};
use crate::stream::{Inbound, Outbound, Outgoing, Sink, Streaming};
use crate::stream::{SinkHalf, StreamingHalf};
use crate::wire::{self, Draft, INITIAL_CREDIT};

/// A service that a [`crate::Server`] can offer. Generated code implements it for `…Server<T>`.
pub trait Service: Send + Sync + 'static {
    /// Its methods. The index into them is what [`Service::dispatch`] is called with.
    fn methods(&self) -> &'static [Method];

    /// Starts the handler of one call.
    ///
    /// # Errors
    /// There is none, or its parameters are not what they should be.
    fn dispatch(&self, method: usize, call: Incoming) -> Result<Handling, Status>;
}

/// A handler that is about to run, or why there is none.
pub struct Handling(Result<Work, Status>);

/// A handler, and how its call is answered. Nothing of it has run.
pub(crate) type Work = Pin<Box<dyn Future<Output = Answer> + Send>>;

/// The parameters of a method.
pub trait Params: Decode + Validate + Send + 'static {}

impl<P: Decode + Validate + Send + 'static> Params for P {}

/// One call on its way to its handler.
pub struct Incoming {
    pub(crate) context: Context,
    pub(crate) params: Body,
    /// What the client can take of the handler's stream at first.
    credit: u64,
    /// When the message came in that it was in.
    pub(crate) received: Instant,
    streams: Streams,
}

/// A call whose parameters were read, which waits for its handler. `O` is what the handler comes to.
pub struct AcceptedCall<O> {
    responder: Responder,
    // No closure, which would be compiled anew for each handler.
    answer: fn(Responder, O) -> Answer,
}

impl<O: 'static> AcceptedCall<O> {
    /// Has the call handled by a future.
    ///
    /// # Errors
    /// None; this is what generated code returns.
    #[inline]
    pub fn handle<H: Future<Output = O> + Send + 'static>(self, handler: H) -> Result<Handling, Status> {
        let Self { responder, answer } = self;
        Ok(Handling(Ok(Box::pin(Answering { handler, responder, answer }))))
    }
}

/// The streams of a call that has begun before its handler.
#[derive(Default)]
struct Streams {
    inbound: Option<Arc<Inbound>>,
    outbound: Option<Arc<Outbound>>,
}

impl Incoming {
    pub(super) fn new(context: Context, params: Body, credit: u64, received: Instant) -> Self {
        Self { context, params, credit, received, streams: Streams::default() }
    }

    /// Returns what a handler takes that answers once, and the call that it is to handle.
    #[inline]
    #[allow(clippy::type_complexity, reason = "each part is what a handler takes")]
    pub fn unary<M: UnaryMethod>(
        self,
    ) -> Result<(Context, M::Params, AcceptedCall<Result<M::Answer, M::Error>>), Status> {
        let (params, key) = self.accept()?;
        let (context, call) = self.into_parts(key, Responder::reply::<M::AnswerForm, _, _>);
        Ok((context, params, call))
    }

    /// Returns what a handler takes that answers with a stream, and the call that it is to handle.
    #[inline]
    #[allow(clippy::type_complexity, reason = "each part is what a handler takes")]
    pub fn server_stream<M: ServerStreamMethod>(
        mut self,
    ) -> Result<(Context, M::Params, Sink<M::Answer>, AcceptedCall<Result<(), M::Error>>), Status> {
        let (params, key) = self.accept()?;
        let sink = self.sink::<M::AnswerForm, _>(key);
        let (context, call) = self.into_parts(key, Responder::end);
        Ok((context, params, sink, call))
    }

    /// Returns what a handler takes that reads a stream and answers once, and the call that it is to handle.
    #[inline]
    #[allow(clippy::type_complexity, reason = "each part is what a handler takes")]
    pub fn client_stream<M: ClientStreamMethod>(
        mut self,
    ) -> Result<(Context, M::Params, Streaming<M::Item>, AcceptedCall<Result<M::Answer, M::Error>>), Status>
    {
        let (params, key) = self.accept()?;
        let items = self.items::<M::ItemForm, _>(key);
        let (context, call) = self.into_parts(key, Responder::reply::<M::AnswerForm, _, _>);
        Ok((context, params, items, call))
    }

    /// Returns what a handler takes that reads a stream and answers with one, and the call that it is to handle.
    #[allow(clippy::type_complexity, reason = "each part is what a handler takes")]
    pub fn bidirectional<M: BidirectionalMethod>(
        mut self,
    ) -> Result<
        (Context, M::Params, Streaming<M::Item>, Sink<M::Answer>, AcceptedCall<Result<(), M::Error>>),
        Status,
    > {
        let (params, key) = self.accept()?;
        let items = self.items::<M::ItemForm, _>(key);
        let sink = self.sink::<M::AnswerForm, _>(key);
        let (context, call) = self.into_parts(key, Responder::end);
        Ok((context, params, items, sink, call))
    }

    /// Returns what a handler takes that is not answered, and the call that it is to handle.
    #[inline]
    pub fn one_way<M: OneWayMethod>(self) -> Result<(Context, M::Params, AcceptedCall<()>), Status> {
        let params = self.params()?;
        let responder = Responder { id: 0, most: 0 };
        Ok((self.context, params, AcceptedCall { responder, answer: |_, ()| Answer::End }))
    }

    /// Turns away a call of a method that the table has and the code does not: a generated file that was edited.
    pub fn unimplemented(&self) -> Result<Handling, Status> {
        let name = self.context.method().name();
        Err(Status::unimplemented(format!("the server does not handle the method `{name}`")))
    }

    /// The parameters of a call that is answered, and what it is answered by; or what is wrong with them.
    #[inline]
    fn accept<P: Params>(&self) -> Result<(P, CallKey), Status> {
        match (self.context.key(), self.params()) {
            (Some(key), Ok(params)) => Ok((params, key)),
            (None, _) => Err(Status::invalid_argument("a one-way call of a method that answers")),
            (_, Err(refusal)) => Err(refusal),
        }
    }

    fn params<P: Params>(&self) -> Result<P, Status> {
        match codec::decode_params::<P>(&self.params) {
            Ok(params) => match params.validate() {
                Ok(()) => Ok(params),
                Err(violation) => Err(Status::invalid_argument(violation.to_string())),
            },
            Err(error) => Err(unreadable(&error)),
        }
    }

    #[inline]
    fn into_parts<O>(self, key: CallKey, answer: fn(Responder, O) -> Answer) -> (Context, AcceptedCall<O>) {
        let responder = Responder { id: key.id, most: self.peer().shared().limits.message_size };
        (self.context, AcceptedCall { responder, answer })
    }

    /// What is counted at the server.
    pub(crate) fn counters(&self) -> Arc<Counters> {
        Arc::clone(&self.peer().shared().counters)
    }

    /// What its streams carry, as far as there are any by now.
    pub(crate) fn traffic(&self) -> Traffic {
        let Streams { inbound, outbound } = &self.streams;
        Traffic {
            params: self.params.len() as u64,
            items: inbound.clone().map_or(Direction::None, Direction::In),
            answers: outbound.clone().map_or(Direction::None, Direction::Out),
        }
    }

    pub(super) fn peer(&self) -> &Arc<Peer> {
        self.context.client()
    }

    /// Begins its streams, for a handler that may not begin at once: what the client sends meanwhile is kept for it, up
    /// to the credit that every stream has from the start.
    pub(crate) fn open_streams(&mut self) {
        let Some(key) = self.context.key() else { return };
        let kind = self.context.method().kind();
        if matches!(kind, MethodKind::ClientStream | MethodKind::Bidirectional) {
            self.inbound(key);
        }
        if matches!(kind, MethodKind::ServerStream | MethodKind::Bidirectional) {
            self.outbound(key);
        }
    }

    fn inbound(&mut self, key: CallKey) -> Arc<Inbound> {
        let (peer, window) = (self.context.client(), self.window());
        Arc::clone(self.streams.inbound.get_or_insert_with(|| {
            let inbound = Arc::new(Inbound::new(window));
            peer.with_call(key, |call| call.inbound = Some(Arc::clone(&inbound)));
            inbound
        }))
    }

    fn outbound(&mut self, key: CallKey) -> Arc<Outbound> {
        let (peer, credit) = (self.context.client(), self.credit);
        Arc::clone(self.streams.outbound.get_or_insert_with(|| {
            let outbound = Arc::new(Outbound::new(credit));
            peer.with_call(key, |call| call.outbound = Some(Arc::clone(&outbound)));
            outbound
        }))
    }

    fn window(&self) -> u64 {
        self.peer().shared().limits.stream_window.max(INITIAL_CREDIT)
    }

    fn outgoing(&self, key: CallKey) -> Arc<dyn Outgoing> {
        Arc::new(PeerOutgoing { peer: Arc::clone(self.peer()), key })
    }

    fn sink<F: Form<R>, R>(&mut self, key: CallKey) -> Sink<R> {
        let outbound = self.outbound(key);
        Sink::new::<F>(SinkHalf::new(outbound, self.outgoing(key), key.id), false)
    }

    fn items<I: Form<T>, T>(&mut self, key: CallKey) -> Streaming<T> {
        let (id, window) = (key.id, self.window());
        let inbound = self.inbound(key);
        if window > INITIAL_CREDIT {
            self.peer().send(|out| wire::credit(out, id, window - INITIAL_CREDIT));
        }
        let outgoing = self.outgoing(key);
        Streaming::items::<I>(StreamingHalf { inbound, outgoing, id, window, call: None, around: None })
    }
}

impl Handling {
    pub(crate) fn of(handler: impl Future<Output = Answer> + Send + 'static) -> Self {
        Self(Ok(Box::pin(handler)))
    }

    /// Reads the parameters and makes the handler's future. Both run code of the user's.
    pub(crate) fn by(service: &dyn Service, method: usize, call: Incoming) -> Self {
        match catch_unwind(AssertUnwindSafe(|| service.dispatch(method, call))) {
            Ok(Ok(handling)) => handling,
            Ok(Err(refusal)) => Self::refused(refusal),
            Err(_) => Self(Err(Self::panicked())),
        }
    }

    /// No handler sees the call.
    pub(crate) fn refused(why: Status) -> Self {
        Self(Err(why.not_sent()))
    }

    /// The handler, or why the call is turned away.
    pub(crate) fn begin(self) -> Result<Work, Status> {
        self.0
    }

    /// What a caller is told of a handler that panicked.
    pub(crate) fn panicked() -> Status {
        Status::internal("the handler panicked").maybe_executed()
    }
}

/// What a client is told whose parameters or items can't be read.
pub(crate) fn unreadable(error: &DecodeError) -> Status {
    let code = if error.is_too_deep() { Code::ResourceExhausted } else { Code::InvalidArgument };
    Status::new(code, error.to_string())
}

pin_project! {
    /// A handler and what makes an answer of what it comes to. An `async` block would do the same, but have room for the
    /// handler twice: where it was captured, and where it is awaited.
    struct Answering<H: Future> {
        #[pin]
        handler: H,
        responder: Responder,
        answer: fn(Responder, H::Output) -> Answer,
    }
}

impl<H: Future> Future for Answering<H> {
    type Output = Answer;

    fn poll(self: Pin<&mut Self>, context: &mut task::Context<'_>) -> Poll<Answer> {
        let this = self.project();
        match this.handler.poll(context) {
            Poll::Ready(output) => Poll::Ready((this.answer)(*this.responder, output)),
            Poll::Pending => Poll::Pending,
        }
    }
}

/// Makes an answer of what a handler returns.
#[derive(Clone, Copy)]
struct Responder {
    /// The call's.
    id: u64,
    /// The largest body of an answer.
    most: usize,
}

impl Responder {
    fn reply<F: Form<R>, R, E: CallError>(self, result: Result<R, E>) -> Answer {
        match result {
            Ok(value) => self.encode::<F, R>(&value),
            Err(error) => self.failure(error),
        }
    }

    fn end<E: CallError>(self, result: Result<(), E>) -> Answer {
        match result {
            Ok(()) => Answer::End,
            Err(error) => self.failure(error),
        }
    }

    fn failure<E: CallError>(self, error: E) -> Answer {
        let most = self.most;
        Answer::Failure(match error.into_failure() {
            Failure::Declared { body, message } if body.len() > most => {
                let size = body.len();
                Failure::Status(Status::resource_exhausted(format!(
                    "the declared error `{}` has {size} bytes; a message may have {most}",
                    message.chars().take(200).collect::<String>()
                )))
            }
            Failure::Status(status) => Failure::Status(status.of_handler()),
            declared @ Failure::Declared { .. } => declared,
        })
    }

    fn encode<F: Form<R>, R>(self, value: &R) -> Answer {
        let most = self.most;
        let status = match Draft::reply::<F, R>(self.id, value) {
            Ok(draft) if draft.body_len() <= most => return Answer::Reply(draft),
            Ok(draft) => Status::resource_exhausted(format!(
                "the answer has {} bytes; a message may have {most}",
                draft.body_len()
            )),
            Err(error) => Status::internal(format!("the answer can't be encoded: {error}")),
        };
        Answer::Failure(Failure::Status(status))
    }
}
