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

/// A call, as its caller knows it, and what the test knows of its way.
#[derive(Debug)]
pub(crate) struct Call {
    pub(crate) kind: usize,
    pub(crate) id: u32,
    pub(crate) deadline: Option<Instant>,
    pub(crate) poller: Arc<Poller>,
    pub(crate) reader: Option<Reader>,
    pub(crate) writer: Option<Writer>,
    /// Whether the caller knows how it ended, or has given it up.
    pub(crate) has_ended: bool,
    /// Whether the caller has given it up.
    pub(crate) is_given_up: bool,
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
        assert!(!self.has_ended, "a call has ended twice");
        self.has_ended = true;
        match result {
            Ok(body) if self.kind == PING => assert!(body.is_empty()),
            Ok(body) => {
                let reply = decode::<Plain, String>(&body).expect("replies are texts");
                assert_eq!(self.answered, Some(Answered::Reply(reply)), "the reply is not what was answered");
            }
            Err(failure) => self.check_failure(&failure),
        }
    }

    /// Checks that the call's stream may end as it did.
    pub(crate) fn end_of_items(&mut self, may_miss: bool) {
        let reader = self.reader.as_ref().expect("only calls with a reader are read");
        let items = reader.items;
        match reader.end.as_ref().expect("the stream has ended") {
            Ok(()) => {
                assert_eq!(self.answered, Some(Answered::End), "a stream ended well that its handler did not end");
                assert!(items == self.items_down || may_miss, "{items} of {} items", self.items_down);
            }
            Err(failure) => self.check_failure(failure),
        }
        if !self.is_given_up {
            assert!(!self.has_ended, "a call has ended twice");
            self.has_ended = true;
        }
    }

    fn check_failure(&self, failure: &Failure) {
        let status = match failure {
            Failure::Status(status) => status,
            Failure::Declared { message, .. } => {
                let answered = Some(Answered::Declared(message.clone()));
                return assert_eq!(self.answered, answered, "the error is not what was answered");
            }
        };
        assert!(!status.message().contains("without credit"), "credit went wrong: {status}");
        assert!(!status.message().contains("does not go with it"), "a record of the wrong kind: {status}");
        match status.outcome() {
            Outcome::NotSent => assert!(!self.was_seen, "a handler has seen a call that was not sent: {status}"),
            Outcome::Executed => assert!(self.answered.is_some(), "no handler has answered: {status}"),
            Outcome::MaybeExecuted => {}
        }
    }

    /// Reports whether its caller still waits for it.
    pub(crate) fn is_open(&self) -> bool {
        !self.has_ended
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
