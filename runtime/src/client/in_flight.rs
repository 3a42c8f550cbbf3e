//! [`ClientCall`]: a call in flight, as its connection knows it.

use std::sync::Arc;
use std::task::{Context, Poll, Waker};

use tokio::time::Instant;

use super::deadline::Deadline;
use super::state::Wakers;
use crate::codec::Body;
use crate::flow::{InboundStream as Inbound, OutboundStream as Outbound};
use crate::status::{Failure, Status};

/// A call in flight, or one whose reply has come and was not looked at yet.
#[derive(Debug)]
pub(super) struct ClientCall {
    pub(super) method: &'static str,
    pub(super) deadline: Option<Deadline>,
    pub(super) streams: Streams,
    /// How it ended, until somebody looks.
    reply: Option<Result<Body, Failure>>,
    waker: Option<Waker>,
    /// Which one it is of all that were begun.
    pub(super) number: u64,
}

/// What a call that streams has besides.
#[derive(Debug, Default, Clone)]
pub(super) struct Streams {
    pub(super) inbound: Option<Arc<Inbound>>,
    pub(super) outbound: Option<Arc<Outbound>>,
}

/// Which record ends a call well.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Due {
    Reply,
    End,
    Pong,
}

/// What a ping has for a method. No method is called so: theirs have a service before a slash.
pub(super) const PING: &str = "ping";

impl ClientCall {
    #[inline]
    pub(super) fn new(
        method: &'static str,
        deadline: Option<Deadline>,
        streams: Streams,
        waker: Option<Waker>,
        number: u64,
    ) -> Self {
        Self { method, deadline, streams, reply: None, waker, number }
    }

    #[inline]
    pub(super) fn due(&self) -> Due {
        match self.streams.inbound {
            Some(_) => Due::End,
            None if self.method == PING => Due::Pong,
            None => Due::Reply,
        }
    }

    /// It has a reply, of which parts may be a user's: of a server in the same process.
    pub(super) fn has_long_reply(&self) -> bool {
        self.reply.as_ref().is_some_and(|reply| reply.as_ref().is_ok_and(|body| !body.is_whole()))
    }

    /// It has not ended.
    #[inline]
    pub(super) fn is_open(&self) -> bool {
        self.reply.is_none()
    }

    /// Its time is up, and it has not ended.
    pub(super) fn is_late(&self, now: Instant) -> bool {
        self.is_open() && self.deadline.is_some_and(|deadline| deadline.at <= now)
    }

    /// How it ended, once it has.
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

    /// It has ended so; only the first time counts. Whether there is nobody who would ask: how a stream ended stands at
    /// its end.
    #[inline]
    pub(super) fn end(&mut self, result: Result<Body, Failure>, wakers: &mut Wakers) -> bool {
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

    /// Its caller has given it up.
    pub(super) fn give_up(&self, why: &Status, wakers: &mut Wakers) {
        if let Some(inbound) = &self.streams.inbound {
            wakers.extend(inbound.finish(Err(Failure::Status(why.clone()))));
        }
        if let Some(outbound) = &self.streams.outbound {
            wakers.extend(outbound.close(why.clone()));
        }
    }

    #[cold]
    pub(super) fn wrong_answer(&self, what: &str) -> Failure {
        let what = format!("the server answered `{}` with {what}, which does not go with it", self.method);
        Failure::Status(Status::unknown(what).maybe_executed())
    }
}

/// Why nothing more can be sent on a call that has ended.
fn end_of_sending(result: &Result<Body, Failure>) -> Status {
    match result {
        Err(Failure::Status(status)) => status.clone(),
        Err(Failure::Declared { message, .. }) => {
            Status::cancelled(format!("the call has failed: {message}"))
        }
        Ok(_) => Status::cancelled("the server has ended the call"),
    }
}
