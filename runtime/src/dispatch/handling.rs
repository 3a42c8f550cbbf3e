//! [`Handling`]: a handler as a future that returns its answer, so that a layer around it sees how it ended, and its runner sends
//! the answer.

use std::pin::Pin;
use std::task::{Context, Poll};

use pin_project_lite::pin_project;

use super::incoming::{Incoming, Service};
use crate::caught::{Panicked, caught};
use crate::codec::Form;
use crate::session::server::Answer;
use crate::status::{CallError, Cause, Failure, Status};
use crate::wire::RecordBuilder;

/// A handler that is about to run, or why there is none.
pub struct Handling(Result<Work, Status>);

/// A handler, as a future that returns its answer and was not polled yet.
pub(crate) type Work = Pin<Box<dyn Future<Output = Answer> + Send>>;

/// A call whose parameters were read, which waits for its handler. `O` is what the handler returns.
pub struct AcceptedCall<O> {
    responder: Responder,
    // Not a closure, which would be compiled again for each handler.
    answer: fn(Responder, O) -> Answer,
}

impl<O> AcceptedCall<O> {
    #[inline]
    fn new(id: u64, max_body: usize, answer: fn(Responder, O) -> Answer) -> Self {
        Self { responder: Responder { id, max_body }, answer }
    }
}

impl<O: 'static> AcceptedCall<O> {
    /// Returns the handling of the call by a future.
    ///
    /// # Errors
    /// Never fails; this is what generated code returns.
    #[inline]
    pub fn handle<H: Future<Output = O> + Send + 'static>(self, handler: H) -> Result<Handling, Status> {
        let Self { responder, answer } = self;
        Ok(Handling(Ok(Box::pin(Answering { handler, responder, answer }))))
    }
}

impl<R, E: CallError> AcceptedCall<Result<R, E>> {
    /// Accepts a call that is answered once.
    #[inline]
    pub(super) fn replying<F: Form<R>>(id: u64, max_body: usize) -> Self {
        Self::new(id, max_body, Responder::reply::<F, R, E>)
    }
}

impl<E: CallError> AcceptedCall<Result<(), E>> {
    /// Accepts a call that is answered with a stream.
    #[inline]
    pub(super) fn streaming(id: u64, max_body: usize) -> Self {
        Self::new(id, max_body, Responder::end::<E>)
    }
}

impl AcceptedCall<()> {
    /// Accepts a one-way call.
    #[inline]
    pub(super) fn one_way() -> Self {
        Self::new(0, 0, |_, ()| Answer::End)
    }
}

impl Handling {
    pub(crate) fn of(handler: impl Future<Output = Answer> + Send + 'static) -> Self {
        Self(Ok(Box::pin(handler)))
    }

    /// Reads the parameters of a call and creates its handler's future. Both run user code, whose panic is caught.
    pub(crate) fn by(service: &dyn Service, method: usize, call: Incoming) -> Self {
        match caught(|| service.dispatch(method, call)) {
            Ok(Ok(handling)) => handling,
            Ok(Err(refusal)) => Self::refused(refusal),
            Err(Panicked) => Self(Err(Self::panicked())),
        }
    }

    /// Turns away a call that no handler has seen.
    pub(crate) fn refused(why: Status) -> Self {
        Self(Err(why.not_sent()))
    }

    /// Returns the handler, or why the call is turned away.
    pub(crate) fn begin(self) -> Result<Work, Status> {
        self.0
    }

    /// Returns the status of a call whose handler panicked.
    pub(crate) fn panicked() -> Status {
        Status::internal("the handler panicked").caused_by(Cause::Panicked).maybe_executed()
    }
}

pin_project! {
    /// A handler, and the function that turns its result into an answer. An `async` block would do the same, but would hold the
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

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Answer> {
        let this = self.project();
        match this.handler.poll(context) {
            Poll::Ready(output) => Poll::Ready((this.answer)(*this.responder, output)),
            Poll::Pending => Poll::Pending,
        }
    }
}

/// Turns the result of a handler into an answer.
#[derive(Clone, Copy)]
struct Responder {
    /// Id of the call.
    id: u64,
    /// Largest body of an answer, in bytes.
    max_body: usize,
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
        let max = self.max_body;
        Answer::Failure(match error.into_failure() {
            Failure::Declared { body, message } if body.len() > max => {
                let size = body.len();
                let shown: String = message.chars().take(200).collect();
                Failure::Status(too_large(&format!("the declared error `{shown}`"), size, max))
            }
            Failure::Status(status) => Failure::Status(status.of_handler()),
            declared @ Failure::Declared { .. } => declared,
        })
    }

    fn encode<F: Form<R>, R>(self, value: &R) -> Answer {
        let max = self.max_body;
        let status = match RecordBuilder::reply::<F, R>(self.id, value) {
            Ok(reply) if reply.body_len() <= max => return Answer::Reply(reply),
            Ok(reply) => too_large("the answer", reply.body_len(), max),
            Err(error) => {
                Status::internal(format!("the answer can't be encoded: {error}")).caused_by(Cause::BadValue)
            }
        };
        Answer::Failure(Failure::Status(status))
    }
}

/// Returns the status of a call that ran, and whose answer is not sent.
#[cold]
fn too_large(what: &str, size: usize, max: usize) -> Status {
    let what = format!("{what} has {size} bytes, and the server sends up to {max}");
    Status::resource_exhausted(what).caused_by(Cause::TooLarge)
}
