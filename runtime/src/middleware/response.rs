//! [`Response`]: how a call ended, as its middleware sees it; [`Traffic`]: what its streams have carried.

use std::fmt;
use std::sync::Arc;

use crate::codec::Body;
use crate::flow::{InboundStream as Inbound, OutboundStream as Outbound};
use crate::status::{Code, Failure, Outcome, Status};
use crate::wire::RecordBuilder;

/// How a call ended: well, with the error that its method declares, or with a [`Status`].
///
/// A middleware hands on what [`ServerNext::run`](super::ServerNext::run) gave it, or puts a status in its place, by
/// `Status::…("…").into()`. The outcome is then seen to: of a call that a middleware has refused, its caller hears that it is
/// not sent, and so that it is safe to send again.
#[must_use = "the call ends with what its middleware returns"]
pub struct Response {
    pub(crate) result: Result<Reply, Failure>,
}

/// What a call that ended well was answered with.
pub(crate) enum Reply {
    /// A reply, at the server.
    RecordBuilder(RecordBuilder),
    /// A reply, at the client.
    Body(Body),
    /// Nothing: a stream has ended, or the call has no answer.
    Nothing,
}

impl Response {
    /// It ended well.
    #[must_use]
    pub fn is_ok(&self) -> bool {
        self.result.is_ok()
    }

    /// How it failed, unless it ended well or with a declared error.
    #[must_use]
    pub fn status(&self) -> Option<&Status> {
        match &self.result {
            Err(Failure::Status(status)) => Some(status),
            Ok(_) | Err(Failure::Declared { .. }) => None,
        }
    }

    /// Why it failed, unless it ended well or with a declared error.
    #[must_use]
    pub fn code(&self) -> Option<Code> {
        self.status().map(Status::code)
    }

    /// The text of the declared error with which it ended.
    #[must_use]
    pub fn declared(&self) -> Option<&str> {
        match &self.result {
            Err(Failure::Declared { message, .. }) => Some(message),
            Ok(_) | Err(Failure::Status(_)) => None,
        }
    }

    /// What became of a call that failed; `None` for one that ended well.
    #[must_use]
    pub fn outcome(&self) -> Option<Outcome> {
        match &self.result {
            Ok(_) => None,
            Err(Failure::Declared { .. }) => Some(Outcome::Executed),
            Err(Failure::Status(status)) => Some(status.outcome()),
        }
    }

    /// How it ended, in a word: `ok`, `declared`, or the name of the code. For logs and metrics.
    #[must_use]
    pub fn ending(&self) -> &'static str {
        match &self.result {
            Ok(_) => "ok",
            Err(Failure::Declared { .. }) => "declared",
            Err(Failure::Status(status)) => status.code().name(),
        }
    }

    /// The size of the answer, or of the declared error, in bytes as encoded. What a stream has carried is in [`Traffic`].
    #[must_use]
    pub fn answer_bytes(&self) -> u64 {
        let bytes = match &self.result {
            Ok(Reply::RecordBuilder(draft)) => draft.body_len(),
            Ok(Reply::Body(body)) => body.len(),
            Err(Failure::Declared { body, .. }) => body.len(),
            Ok(Reply::Nothing) | Err(Failure::Status(_)) => 0,
        };
        bytes as u64
    }

    /// As a client's call ends in it.
    pub(crate) fn into_reply(self) -> Result<Body, Failure> {
        match self.result {
            Ok(Reply::Body(body)) => Ok(body),
            Ok(Reply::Nothing) => Ok(Body::default()),
            // A middleware of a server and one of a client, in one process, have passed each other what is not theirs.
            Ok(Reply::RecordBuilder(_)) => {
                Err(Failure::Status(Status::internal("this is a server's response")))
            }
            Err(failure) => Err(failure),
        }
    }

    /// The runtime's own word: its cause stands.
    pub(crate) fn failed(status: Status) -> Self {
        Self { result: Err(Failure::Status(status)) }
    }
}

impl From<Status> for Response {
    /// Ends the call so. What the status says of the call that it came from, if it came from another, is left out.
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

/// What a call's parameters and streams have carried so far. It may be read at any time, also once the call is over or was
/// dropped.
#[derive(Debug, Clone)]
pub struct Traffic {
    pub(crate) params: u64,
    /// What the client sends.
    pub(crate) items: Direction,
    /// What the server sends.
    pub(crate) answers: Direction,
}

/// One direction of a stream, from either of its ends.
#[derive(Debug, Clone, Default)]
pub(crate) enum Direction {
    /// The method has no such stream.
    #[default]
    None,
    In(Arc<Inbound>),
    Out(Arc<Outbound>),
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
    /// The bytes of the parameters and of the client's stream, as encoded.
    #[must_use]
    pub fn request_bytes(&self) -> u64 {
        self.params.saturating_add(self.items.bytes())
    }

    /// The bytes of the server's stream, as encoded. A single answer is not one: see [`Response::answer_bytes`].
    #[must_use]
    pub fn answer_bytes(&self) -> u64 {
        self.answers.bytes()
    }
}
