//! [`Layer`]: makes a call when the middleware of its channel asks for it. The middleware itself is in [`crate::middleware`].

use std::task::{Context, Poll};

use super::pending_call::PendingCall;
use crate::clock;
use crate::codec::Body;
use crate::middleware::{Around, ClientRequest, Direction, Step, Traffic};
use crate::session::client::Streams;
use crate::status::{Failure, Status};

/// The middleware around a call.
pub(super) enum Layer {
    /// The call was not polled yet.
    Unpolled,
    /// There is no middleware, or it is done.
    None,
    Around(Box<Around>),
}

/// A call that is made by its middleware.
pub(super) trait LayeredCall {
    /// Makes the call, for the first time or again.
    ///
    /// # Errors
    /// The call can't be made again.
    fn begin(&mut self, request: ClientRequest) -> Result<(), Status>;
    /// Returns the answer of the call; `None` for a call that has no answer.
    fn poll(&mut self, context: &mut Context<'_>) -> Poll<Result<Option<Body>, Failure>>;
    /// Cancels the call, if it is in flight.
    fn cancel(&mut self);
}

impl Layer {
    /// Returns the middleware of the call's channel, if it has any. Called whenever the call is polled.
    pub(super) fn of(&mut self, call: &mut PendingCall, streams: &Streams) -> Option<&mut Around> {
        if let Self::Unpolled = self {
            *self = call.around(streams).map_or(Self::None, |around| Self::Around(Box::new(around)));
        }
        match self {
            Self::Around(around) => Some(around),
            Self::Unpolled | Self::None => None,
        }
    }

    /// Takes the middleware out of the layer.
    pub(super) fn take(&mut self) -> Option<Box<Around>> {
        match std::mem::replace(self, Self::None) {
            Self::Around(around) => Some(around),
            Self::Unpolled | Self::None => None,
        }
    }
}

/// Makes a call as its middleware asks, and returns the result that the middleware decides on.
pub(super) fn poll_around(
    around: &mut Around,
    call: &mut impl LayeredCall,
    context: &mut Context<'_>,
) -> Poll<Result<Body, Failure>> {
    loop {
        match around.step(context) {
            Step::Done(response) => {
                call.cancel();
                return Poll::Ready(response.into_reply());
            }
            Step::Call(request) => {
                if let Err(status) = call.begin(request) {
                    around.ended(Err(Failure::Status(status)));
                    continue;
                }
            }
            Step::Cancel => call.cancel(),
            Step::Wait => {}
        }
        if !around.is_in_flight() {
            return Poll::Pending;
        }
        match call.poll(context) {
            Poll::Pending => return Poll::Pending,
            Poll::Ready(result) => around.ended(result),
        }
    }
}

impl PendingCall {
    fn around(&mut self, streams: &Streams) -> Option<Around> {
        let stack = self.middleware()?;
        let deadline = self.fix_deadline(clock::now());
        let traffic = Traffic {
            params: self.parameter_bytes() as u64,
            items: streams.outbound.clone().map_or(Direction::None, Direction::Out),
            answers: streams.inbound.clone().map_or(Direction::None, Direction::In),
        };
        let (method, metadata, trace) = (self.method(), self.take_metadata(), self.take_trace());
        let until = deadline.map(|deadline| tokio::time::Instant::from_std(deadline.at));
        let response = self.response();
        let request = ClientRequest { method, metadata, response, deadline: until, traffic, trace };
        Some(stack.around(request, deadline, self.runtime()))
    }
}
