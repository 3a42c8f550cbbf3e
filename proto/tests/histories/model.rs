//! What the test knows of each call beside what the sessions know: [`Call`] at its caller, [`Handler`] at the server.

use std::sync::Arc;
use std::task::Poll;
use std::time::Instant;

use zsvc_proto::codec::{Body, Plain, decode};
use zsvc_proto::method::{Method, MethodKind};
use zsvc_proto::session::Deadline;
use zsvc_proto::session::client::{Ticket, Wait};
use zsvc_proto::session::server::CallKey;
use zsvc_proto::status::{Failure, Outcome};

use crate::stream::{Poller, Reader, Writer};

/// The methods of the server. A call's kind is an index into them, or [`PING`].
pub(crate) const METHODS: [Method; 5] = [
    Method::new("t.Histories/unary", MethodKind::Unary),
    Method::new("t.Histories/down", MethodKind::ServerStream),
    Method::new("t.Histories/up", MethodKind::ClientStream),
    Method::new("t.Histories/both", MethodKind::Bidirectional),
    Method::new("t.Histories/note", MethodKind::OneWay),
];
/// Kind of one-way calls.
pub(crate) const NOTE: usize = 4;
/// Kind of pings.
pub(crate) const PING: usize = 5;

/// Reports whether the server answers calls of a kind by a stream.
pub(crate) fn streams_down(kind: usize) -> bool {
    matches!(kind, 1 | 3)
}

/// Reports whether the client sends a stream with calls of a kind.
pub(crate) fn streams_up(kind: usize) -> bool {
    matches!(kind, 2 | 3)
}

/// A caller that waits for room.
#[derive(Debug)]
pub(crate) struct Waiter {
    pub(crate) kind: usize,
    pub(crate) deadline: Option<Deadline>,
    pub(crate) wait: Wait,
    pub(crate) ticket: Option<Ticket>,
    pub(crate) poller: Poller,
}

/// How a handler, or what ends handlers, has answered a call.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Answered {
    Reply(String),
    End,
    Declared(String),
    Status,
}

/// How a call ended for its caller.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Ended {
    Well,
    Declared,
    NotSent,
    MaybeExecuted,
    Executed,
    GivenUp,
}

/// A call, as its caller knows it, and what the test knows of its way.
#[derive(Debug)]
pub(crate) struct Call {
    pub(crate) kind: usize,
    pub(crate) id: u32,
    pub(crate) deadline: Option<Instant>,
    pub(crate) poller: Arc<Poller>,
    pub(crate) reader: Option<Reader>,
    pub(crate) writer: Option<Writer>,
    /// How it ended, once its caller knows that or has given it up.
    pub(crate) ended: Option<Ended>,
    /// Whether the server handed it to a handler.
    pub(crate) was_seen: bool,
    /// How it was answered, if it was.
    pub(crate) answered: Option<Answered>,
    /// Number of items that its handler had written when it was answered.
    pub(crate) items_down: u64,
}

impl Call {
    /// Ends the call at its caller, who was told `result`, which must be true.
    pub(crate) fn end(&mut self, result: Result<Body, Failure>) {
        let ended = match result {
            Ok(body) if self.kind == PING => {
                assert!(body.is_empty());
                Ended::Well
            }
            Ok(body) => {
                let reply = decode::<Plain, String>(&body, usize::MAX).expect("replies are texts");
                assert_eq!(self.answered, Some(Answered::Reply(reply)), "the reply is not what was answered");
                Ended::Well
            }
            Err(failure) => self.check_failure(&failure),
        };
        self.ends(ended);
    }

    /// Checks that the call's stream may end as it did.
    pub(crate) fn end_of_items(&mut self, may_miss: bool) {
        let reader = self.reader.as_ref().expect("only calls with a reader are read");
        let items = reader.items;
        let ended = match reader.end.as_ref().expect("the stream has ended") {
            Ok(()) => {
                assert_eq!(
                    self.answered,
                    Some(Answered::End),
                    "a stream ended well that its handler did not end"
                );
                assert!(items == self.items_down || may_miss, "{items} of {} items", self.items_down);
                Ended::Well
            }
            Err(failure) => self.check_failure(failure),
        };
        // A caller that has given its call up may still read how the stream ended.
        if self.ended != Some(Ended::GivenUp) {
            self.ends(ended);
        }
    }

    fn ends(&mut self, how: Ended) {
        assert_eq!(self.ended.replace(how), None, "a call has ended twice");
    }

    fn check_failure(&self, failure: &Failure) -> Ended {
        let status = match failure {
            Failure::Status(status) => status,
            Failure::Declared { message, .. } => {
                let answered = Some(Answered::Declared(message.clone()));
                assert_eq!(self.answered, answered, "the error is not what was answered");
                return Ended::Declared;
            }
        };
        assert!(!status.message().contains("without credit"), "credit went wrong: {status}");
        assert!(!status.message().contains("does not go with it"), "a record of the wrong kind: {status}");
        match status.outcome() {
            Outcome::NotSent => {
                assert!(!self.was_seen, "a handler has seen a call that was not sent: {status}");
                Ended::NotSent
            }
            Outcome::Executed => {
                assert!(self.answered.is_some(), "no handler has answered: {status}");
                Ended::Executed
            }
            Outcome::MaybeExecuted => Ended::MaybeExecuted,
        }
    }

    /// Reports whether its caller still waits for it.
    pub(crate) fn is_open(&self) -> bool {
        self.ended.is_none()
    }
}

/// A handler of a call, or what is left of it once the call is over.
#[derive(Debug)]
pub(crate) struct Handler {
    pub(crate) key: CallKey,
    /// Index of the call.
    pub(crate) call: usize,
    /// Whether the call is in flight at the server.
    pub(crate) is_live: bool,
    pub(crate) reader: Option<Reader>,
    pub(crate) writer: Option<Writer>,
}

/// Returns what is ready.
pub(crate) fn ready<T>(poll: Poll<T>) -> Option<T> {
    match poll {
        Poll::Ready(value) => Some(value),
        Poll::Pending => None,
    }
}
