//! [`ClientCall`]: a call in flight, as its session knows it.

use std::sync::Arc;
use std::task::{Context, Poll, Waker};
use std::time::Instant;

use crate::codec::Body;
use crate::flow::{InboundStream, OutboundStream};
use crate::metadata::ResponseMetadata;
use crate::session::Deadline;
use crate::status::{Cause, Failure, Status};

/// A call in flight, or one whose reply has arrived and was not taken yet.
#[derive(Debug)]
pub(super) struct ClientCall {
    pub(super) method: &'static str,
    pub(super) deadline: Option<Deadline>,
    pub(super) streams: Streams,
    /// How the call ended, until its caller takes it.
    reply: Option<Result<Body, Failure>>,
    waker: Option<Waker>,
    /// Where what the server sends beside its answer is kept, if the caller has asked for it.
    pub(super) response: Option<ResponseMetadata>,
    /// Number of one-way calls that were begun before this call, all of which the server has read when it answers.
    pub(super) one_way_before: u64,
}

/// The streams of a call, if it has any.
#[derive(Debug, Default, Clone)]
pub struct Streams {
    /// The server's stream.
    pub inbound: Option<Arc<InboundStream>>,
    /// The client's stream.
    pub outbound: Option<Arc<OutboundStream>>,
}

/// The record that ends a call well.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Ending {
    Reply,
    End,
    Pong,
}

/// The method name of a ping. No method has it: their names have a service before a slash.
pub(super) const PING: &str = "ping";

impl ClientCall {
    #[inline]
    pub(super) fn new(
        method: &'static str,
        deadline: Option<Deadline>,
        streams: Streams,
        waker: Option<Waker>,
        one_way_before: u64,
    ) -> Self {
        Self { method, deadline, streams, reply: None, waker, response: None, one_way_before }
    }

    /// Returns the record that ends this call well.
    #[inline]
    pub(super) fn ending(&self) -> Ending {
        match self.streams.inbound {
            Some(_) => Ending::End,
            None if self.method == PING => Ending::Pong,
            None => Ending::Reply,
        }
    }

    /// Reports whether a reply waits of which parts may be a user's bytes, of a server in the same process.
    pub(super) fn has_long_reply(&self) -> bool {
        self.reply.as_ref().is_some_and(|reply| reply.as_ref().is_ok_and(|body| !body.is_whole()))
    }

    /// Reports whether the call has not ended.
    #[inline]
    pub(super) fn is_open(&self) -> bool {
        self.reply.is_none()
    }

    /// Reports whether the call is out of time and has not ended.
    pub(super) fn is_late(&self, now: Instant) -> bool {
        self.is_open() && self.deadline.is_some_and(|deadline| deadline.at <= now)
    }

    /// Returns how the call ended, once it has.
    #[inline]
    pub(super) fn poll_reply(&mut self, context: &Context<'_>) -> Poll<Result<Body, Failure>> {
        if let Some(reply) = self.reply.take() {
            return Poll::Ready(reply);
        }
        if !self.waker.as_ref().is_some_and(|waker| waker.will_wake(context.waker())) {
            self.waker = Some(context.waker().clone());
        }
        Poll::Pending
    }

    /// Ends the call; only the first time counts. Returns `true` if its caller will not ask how: a stream carries its end itself.
    #[inline]
    pub(super) fn end(&mut self, result: Result<Body, Failure>, wakers: &mut Vec<Waker>) -> bool {
        wakers.extend(self.waker.take());
        if let Some(outbound) = &self.streams.outbound {
            wakers.extend(outbound.close(end_of_sending(&result)));
        }
        let Some(inbound) = self.streams.inbound.take() else {
            self.reply.get_or_insert(result);
            return false;
        };
        wakers.extend(inbound.finish(result.map(drop)));
        true
    }

    /// Closes the streams of a call that its caller has given up.
    pub(super) fn give_up(&self, why: &Status, wakers: &mut Vec<Waker>) {
        if let Some(inbound) = &self.streams.inbound {
            wakers.extend(inbound.finish(Err(Failure::Status(why.clone()))));
        }
        if let Some(outbound) = &self.streams.outbound {
            wakers.extend(outbound.close(why.clone()));
        }
    }

    /// Returns the failure of a call that was answered by a record of the wrong kind.
    #[cold]
    pub(super) fn wrong_answer(&self, what: &str) -> Failure {
        let what = format!("the server answered `{}` with {what}, which does not go with it", self.method);
        Failure::Status(Status::unknown(what).maybe_executed().caused_by(Cause::Protocol))
    }
}

/// Returns why nothing more can be sent on a call that has ended.
fn end_of_sending(result: &Result<Body, Failure>) -> Status {
    match result {
        Err(Failure::Status(status)) => status.clone(),
        Err(Failure::Declared { message, .. }) => {
            Status::cancelled(format!("the call has failed: {message}"))
        }
        Ok(_) => Status::cancelled("the server has ended the call"),
    }
}
