//! [`Response`]: how a call ended, from its middleware's view; [`Traffic`]: the bytes that its parameters and streams
//! have carried.

use std::fmt;
use std::sync::Arc;

use crate::codec::Body;
use crate::flow::{InboundStream, OutboundStream};
use crate::status::{Code, Failure, Outcome, Status};
use crate::wire::RecordBuilder;

/// How a call ended: with an answer, with an error that its method declares, or with a [`Status`].
///
/// A middleware returns the response that [`ServerNext::run`](super::ServerNext::run) gave it, or a status in its place, by
/// `Status::…("…").into()`. The outcome of that status is then corrected: if a middleware has refused the call, its caller learns
/// that the call was not sent, so it is safe to send again.
#[must_use = "the call ends with what its middleware returns"]
pub struct Response {
    pub(crate) result: Result<Reply, Failure>,
}

/// The answer of a call that succeeded.
pub(crate) enum Reply {
    /// A reply, not sent yet, at the server.
    Record(RecordBuilder),
    /// A reply that came in, at the client.
    Body(Body),
    /// No reply: a stream has ended, or the call has no answer.
    Nothing,
}

impl Response {
    /// Reports whether the call succeeded.
    #[must_use]
    pub fn is_ok(&self) -> bool {
        self.result.is_ok()
    }

    /// Returns how the call failed; `None` if it succeeded or ended with a declared error.
    #[must_use]
    pub fn status(&self) -> Option<&Status> {
        match &self.result {
            Err(Failure::Status(status)) => Some(status),
            Ok(_) | Err(Failure::Declared { .. }) => None,
        }
    }

    /// Returns the code with which the call failed; `None` if it succeeded or ended with a declared error.
    #[must_use]
    pub fn code(&self) -> Option<Code> {
        self.status().map(Status::code)
    }

    /// Returns the text of the declared error with which the call ended, if it did.
    #[must_use]
    pub fn declared(&self) -> Option<&str> {
        match &self.result {
            Err(Failure::Declared { message, .. }) => Some(message),
            Ok(_) | Err(Failure::Status(_)) => None,
        }
    }

    /// Returns the outcome of a call that failed; `None` for a call that succeeded.
    #[must_use]
    pub fn outcome(&self) -> Option<Outcome> {
        match &self.result {
            Ok(_) => None,
            Err(Failure::Declared { .. }) => Some(Outcome::Executed),
            Err(Failure::Status(status)) => Some(status.outcome()),
        }
    }

    /// Returns how the call ended in a word: `ok`, `declared`, or the name of the code. For logs and metrics.
    #[must_use]
    pub fn ending(&self) -> &'static str {
        match &self.result {
            Ok(_) => "ok",
            Err(Failure::Declared { .. }) => "declared",
            Err(Failure::Status(status)) => status.code().name(),
        }
    }

    /// Returns the size of the answer, or of the declared error, in bytes as encoded. What a stream has carried is in
    /// [`Traffic`].
    #[must_use]
    pub fn answer_bytes(&self) -> u64 {
        let bytes = match &self.result {
            Ok(Reply::Record(reply)) => reply.body_len(),
            Ok(Reply::Body(body)) => body.len(),
            Err(Failure::Declared { body, .. }) => body.len(),
            Ok(Reply::Nothing) | Err(Failure::Status(_)) => 0,
        };
        bytes as u64
    }

    /// Returns the reply that a client's call ends in.
    pub(crate) fn into_reply(self) -> Result<Body, Failure> {
        match self.result {
            Ok(Reply::Body(body)) => Ok(body),
            Ok(Reply::Nothing) => Ok(Body::default()),
            // A server's middleware has passed its response to a client's middleware in the same process.
            Ok(Reply::Record(_)) => Err(Failure::Status(Status::internal(
                "a middleware of the client returned a server's response",
            ))),
            Err(failure) => Err(failure),
        }
    }

    /// Creates the response of a call that the runtime has failed: the cause of the status stays.
    pub(crate) fn failed(status: Status) -> Self {
        Self { result: Err(Failure::Status(status)) }
    }
}

impl From<Status> for Response {
    /// Ends the call with a status. If the status came from another call, its outcome and cause are left out.
    fn from(status: Status) -> Self {
        Self::failed(status.of_handler())
    }
}

impl fmt::Display for Response {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.result {
            Ok(_) => f.write_str("ok"),
            Err(Failure::Declared { message, .. }) => write!(f, "declared: {message}"),
            Err(Failure::Status(status)) => status.fmt(f),
        }
    }
}

impl fmt::Debug for Response {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Response({self})")
    }
}

/// The bytes that a call's parameters and streams have carried so far. It may be read at any time, also once the call is over or
/// was dropped.
#[derive(Debug, Clone)]
pub struct Traffic {
    /// Size of the parameters in bytes.
    pub(crate) params: u64,
    /// The client's stream.
    pub(crate) items: Direction,
    /// The handler's stream.
    pub(crate) answers: Direction,
}

/// One direction of a stream, from either of its ends.
#[derive(Debug, Clone, Default)]
pub(crate) enum Direction {
    /// No stream.
    #[default]
    None,
    In(Arc<InboundStream>),
    Out(Arc<OutboundStream>),
}

impl Direction {
    fn bytes(&self) -> u64 {
        match self {
            Self::None => 0,
            Self::In(inbound) => inbound.received(),
            Self::Out(outbound) => outbound.sent(),
        }
    }
}

impl Traffic {
    /// Returns the bytes of the parameters and of the client's stream, as encoded.
    #[must_use]
    pub fn request_bytes(&self) -> u64 {
        self.params.saturating_add(self.items.bytes())
    }

    /// Returns the bytes of the server's stream, as encoded. A single answer is not part of one: see [`Response::answer_bytes`].
    #[must_use]
    pub fn answer_bytes(&self) -> u64 {
        self.answers.bytes()
    }
}
