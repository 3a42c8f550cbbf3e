//! What a generated server is made of: [`Service`], and the [`Incoming`] call that it hands to a handler.

use std::pin::Pin;
use std::sync::Arc;

use bytes::Bytes;
use serde::Serialize;
use serde::de::DeserializeOwned;

use super::peer::{Answer, CallKey, Peer, PeerOutgoing};
use crate::codec::{self, DecodeError, Form, Plain, Validate};
use crate::context::Context;
use crate::method::Method;
use crate::status::{CallError, Code, Failure, Status};
use crate::stream::{Inbound, Outbound, Outgoing, Sink, Streaming};
use crate::stream::{SinkHalf, StreamingHalf};
use crate::wire::{self, Draft, INITIAL_CREDIT};

/// A service that a [`crate::Server`] can offer. Generated code implements it for `…Server<T>`.
pub trait Service: Send + Sync + 'static {
    /// Its methods. The index into them is what [`Service::dispatch`] is called with.
    fn methods(&self) -> &'static [Method];

    /// Starts the handler of one call.
    fn dispatch(&self, method: usize, call: Incoming) -> Handling;
}

/// A handler that was started, or not.
#[derive(Default)]
pub struct Handling(pub(super) Option<Pin<Box<dyn Future<Output = ()> + Send>>>);

/// The parameters of a method.
pub trait Params: Serialize + DeserializeOwned + Validate + Send + 'static {}

impl<P: Serialize + DeserializeOwned + Validate + Send + 'static> Params for P {}

/// One call on its way to its handler.
pub struct Incoming {
    pub(super) peer: Arc<Peer>,
    /// The call's; `None` for a one-way call, which can't be answered.
    pub(super) key: Option<CallKey>,
    pub(super) context: Context,
    pub(super) params: Bytes,
    /// What the client can take of the handler's stream at first.
    pub(super) credit: u64,
}

impl Incoming {
    /// Runs a handler that answers once.
    pub fn unary<P, F, R, E, H, Fut>(self, handler: H) -> Handling
    where
        P: Params,
        F: Form<R>,
        R: Send,
        E: CallError,
        H: FnOnce(Context, P) -> Fut + Send + 'static,
        Fut: Future<Output = Result<R, E>> + Send,
    {
        let (Some(params), Some(key)) = (self.params(), self.key) else { return Handling::default() };
        let responder = Responder { peer: self.peer, key, answered: false };
        let context = self.context;
        Handling::of(async move {
            let result = handler(context, params).await;
            responder.reply::<F, R, E>(result);
        })
    }

    /// Runs a handler that answers with a stream.
    pub fn server_stream<P, F, R, E, H, Fut>(self, handler: H) -> Handling
    where
        P: Params,
        F: Form<R>,
        R: Send + 'static,
        E: CallError,
        H: FnOnce(Context, P, Sink<R>) -> Fut + Send + 'static,
        Fut: Future<Output = Result<(), E>> + Send,
    {
        let (Some(params), Some(key)) = (self.params(), self.key) else { return Handling::default() };
        let sink = self.sink::<F, R>(key);
        let responder = Responder { peer: self.peer, key, answered: false };
        let context = self.context;
        Handling::of(async move {
            let result = handler(context, params, sink).await;
            responder.end(result);
        })
    }

    /// Runs a handler that reads a stream and answers once.
    pub fn client_stream<P, I, T, F, R, E, H, Fut>(self, handler: H) -> Handling
    where
        P: Params,
        I: Form<T>,
        T: Send + 'static,
        F: Form<R>,
        R: Send,
        E: CallError,
        H: FnOnce(Context, P, Streaming<T>) -> Fut + Send + 'static,
        Fut: Future<Output = Result<R, E>> + Send,
    {
        let (Some(params), Some(key)) = (self.params(), self.key) else { return Handling::default() };
        let items = self.items::<I, T>(key);
        let responder = Responder { peer: self.peer, key, answered: false };
        let context = self.context;
        Handling::of(async move {
            let result = handler(context, params, items).await;
            responder.reply::<F, R, E>(result);
        })
    }

    /// Runs a handler that reads a stream and answers with one.
    pub fn bidirectional<P, I, T, F, R, E, H, Fut>(self, handler: H) -> Handling
    where
        P: Params,
        I: Form<T>,
        T: Send + 'static,
        F: Form<R>,
        R: Send + 'static,
        E: CallError,
        H: FnOnce(Context, P, Streaming<T>, Sink<R>) -> Fut + Send + 'static,
        Fut: Future<Output = Result<(), E>> + Send,
    {
        let (Some(params), Some(key)) = (self.params(), self.key) else { return Handling::default() };
        let items = self.items::<I, T>(key);
        let sink = self.sink::<F, R>(key);
        let responder = Responder { peer: self.peer, key, answered: false };
        let context = self.context;
        Handling::of(async move {
            let result = handler(context, params, items, sink).await;
            responder.end(result);
        })
    }

    /// Runs a handler that nobody waits for.
    pub fn one_way<P, H, Fut>(self, handler: H) -> Handling
    where
        P: Params,
        H: FnOnce(Context, P) -> Fut + Send + 'static,
        Fut: Future<Output = ()> + Send,
    {
        let Some(params) = self.params() else { return Handling::default() };
        let context = self.context;
        Handling::of(async move { handler(context, params).await })
    }

    /// Turns away a call of a method that the table has and the code does not: a generated file that was edited.
    pub fn unimplemented(self) -> Handling {
        let name = self.context.method().name();
        self.refuse(Status::unimplemented(format!("the server does not handle the method `{name}`")));
        Handling::default()
    }

    /// The parameters, or an answer that says what is wrong with them.
    fn params<P: Params>(&self) -> Option<P> {
        self.checked_params().map_err(|status| self.refuse(status)).ok()
    }

    fn checked_params<P: Params>(&self) -> Result<P, Status> {
        let params = codec::decode::<Plain, P>(&self.params).map_err(|error| unreadable(&error))?;
        params.validate().map_err(|violation| Status::invalid_argument(violation.to_string()))?;
        Ok(params)
    }

    fn refuse(&self, status: Status) {
        super::shared::count(&self.peer.shared().counters.refused);
        if let Some(key) = self.key {
            self.peer.answer(key, Answer::Failure(Failure::Status(status.not_sent())));
        }
    }

    fn outgoing(&self, key: CallKey) -> Arc<dyn Outgoing> {
        Arc::new(PeerOutgoing { peer: Arc::clone(&self.peer), key })
    }

    fn sink<F: Form<R>, R>(&self, key: CallKey) -> Sink<R> {
        let outbound = Arc::new(Outbound::new(self.credit));
        self.peer.with_call(key, |call| call.outbound = Some(Arc::clone(&outbound)));
        Sink::new::<F>(SinkHalf { outbound, outgoing: self.outgoing(key), id: key.id }, false)
    }

    fn items<I: Form<T>, T>(&self, key: CallKey) -> Streaming<T> {
        let id = key.id;
        let window = self.peer.shared().limits.stream_window.max(INITIAL_CREDIT);
        let inbound = Arc::new(Inbound::new(window));
        self.peer.with_call(key, |call| call.inbound = Some(Arc::clone(&inbound)));
        if window > INITIAL_CREDIT {
            self.peer.send(|out| wire::credit(out, id, window - INITIAL_CREDIT));
        }
        Streaming::items::<I>(StreamingHalf {
            inbound,
            outgoing: self.outgoing(key),
            id,
            window,
            _call: None,
        })
    }
}

impl Handling {
    fn of(handler: impl Future<Output = ()> + Send + 'static) -> Self {
        Self(Some(Box::pin(handler)))
    }
}

/// What a client is told whose parameters or items can't be read.
pub(crate) fn unreadable(error: &DecodeError) -> Status {
    let code = if error.is_too_deep() { Code::ResourceExhausted } else { Code::InvalidArgument };
    Status::new(code, error.to_string())
}

/// Owes a call its answer. Dropped without one, it says so to the client.
struct Responder {
    peer: Arc<Peer>,
    key: CallKey,
    answered: bool,
}

impl Responder {
    fn reply<F: Form<R>, R, E: CallError>(mut self, result: Result<R, E>) {
        let answer = match result {
            Ok(value) => self.encode::<F, R>(&value),
            Err(error) => self.failure(error),
        };
        self.answer(answer);
    }

    fn end<E: CallError>(mut self, result: Result<(), E>) {
        let answer = match result {
            Ok(()) => Answer::End,
            Err(error) => self.failure(error),
        };
        self.answer(answer);
    }

    fn answer(&mut self, answer: Answer) {
        self.answered = true;
        self.peer.answer(self.key, answer);
    }

    fn failure<E: CallError>(&self, error: E) -> Answer {
        let most = self.peer.shared().limits.message_size;
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

    fn encode<F: Form<R>, R>(&self, value: &R) -> Answer {
        let most = self.peer.shared().limits.message_size;
        let status = match Draft::reply::<F, R>(self.key.id, value) {
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

impl Drop for Responder {
    fn drop(&mut self) {
        if self.answered {
            return;
        }
        let status = if std::thread::panicking() {
            Status::internal("the handler panicked")
        } else {
            Status::cancelled("the server dropped the call")
        };
        self.answer(Answer::Failure(Failure::Status(status.maybe_executed())));
    }
}
