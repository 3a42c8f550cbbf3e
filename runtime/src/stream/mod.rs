//! What users write a stream to and read it from: [`Sink`] and [`Streaming`].
//!
//! Credit and what has gathered is in [`zsvc_proto::flow`]. Where the records of a stream go is behind [`Outgoing`], and what
//! surrounds a client's stream until it ends behind [`StreamLayer`]: a stream knows neither its connection nor middleware.

mod sink;
mod stall;
mod streaming;

pub(crate) use sink::Half as SinkHalf;
pub use sink::Sink;
pub(crate) use sink::Unsent;
pub(crate) use stall::Answers;
pub use streaming::Streaming;
pub(crate) use streaming::{Half as StreamingHalf, LayerStep, StreamLayer};

use std::sync::Arc;

use crate::codec::{DecodeError, Violation};
use crate::flow::OutboundStream;
use crate::status::{Cause, Code, Status};
use crate::wire::Item;

/// Where the records of a stream go: a client's connection, or a server's peer.
pub(crate) trait Outgoing: Send + Sync {
    /// Queues a record that grants the peer `bytes` of credit for the stream of the call `id`.
    fn grant(&self, id: u64, bytes: u64);
    /// Announces that items have begun to gather in a stream, which the session collects.
    fn announce(&self, id: u64, stream: &Arc<OutboundStream>);
    /// Queues the items that have gathered in a stream, and `last` after them.
    fn flush(&self, id: u64, stream: &Arc<OutboundStream>, last: Option<Item>);
    /// Tells the driver at once, because a sender yields to it.
    fn notify_now(&self);
    /// Ends a client's stream, after the items that have gathered. A handler's stream ends with its handler.
    fn finish(&self, id: u64, stream: &OutboundStream);
    /// Cancels a client's call whose sink was dropped in the middle of the stream.
    fn abandon(&self, id: u64);
    /// Returns the largest body or item in bytes, either way.
    fn max_body(&self) -> usize;
    /// Returns the runtime of a client's channel, if it is known.
    #[cfg(feature = "tracing")]
    fn runtime(&self) -> Option<&tokio::runtime::Handle> {
        None
    }
}

/// Returns the status for a caller who gets no answer, since what the server has sent, `what`, can't be decoded.
pub(crate) fn unreadable(what: &str, error: &DecodeError) -> Status {
    Status::new(code_of(error, Code::Unknown), format!("{what} can't be read: {error}"))
        .caused_by(cause_of(error))
}

/// Returns the status for a peer whose parameters or items can't be decoded.
pub(crate) fn undecodable(error: &DecodeError) -> Status {
    Status::new(code_of(error, Code::InvalidArgument), error.to_string()).caused_by(cause_of(error))
}

/// Returns the code of a value that is past a limit, or `otherwise` for one that is not of its type.
fn code_of(error: &DecodeError, otherwise: Code) -> Code {
    if error.is_too_deep() || error.is_too_large() { Code::ResourceExhausted } else { otherwise }
}

fn cause_of(error: &DecodeError) -> Cause {
    if error.is_too_large() { Cause::TooLarge } else { Cause::BadValue }
}

/// Returns the status for a peer whose parameters or items break a bound of the schema.
pub(crate) fn invalid(violation: &Violation) -> Status {
    Status::invalid_argument(violation.to_string()).caused_by(Cause::BadValue)
}
