//! [`Subscribe`]: a subscription that is to be made.

use std::fmt;
use std::marker::PhantomData;
use std::pin::Pin;

use super::subscription::{Calls, Subscription};
use crate::Value;
use crate::channel::Channel;
use crate::codec::{self, EncodeError, WriteForm};
use crate::declaration::Event;
use crate::events::{Position, Request};
use crate::metadata::MetadataValue;
use crate::status::{Cause, Status};

/// A subscription that is to be made: nothing happens until it is awaited. Its output is `Result<Subscription<E>, Status>`, once the
/// server has said that it sends what is published from then on. See [`Channel::subscribe`].
///
/// # Errors
/// What a call may fail with: `unavailable`, `permission_denied` if the event has `@roles`, `unimplemented` if the server does not
/// publish the event, `invalid_argument` if it does not know a key field. Without a server, it waits; put a timeout around it.
///
/// # Cancel safety
/// If the future is dropped before it completes, there is no subscription.
#[must_use = "a subscription is not made until it is awaited"]
pub struct Subscribe<E> {
    channel: Channel,
    request: Request,
    metadata: Vec<(String, MetadataValue)>,
    /// Why a value of a key can't be sent.
    wrong: Option<EncodeError>,
    event: PhantomData<fn() -> E>,
}

impl<E: Event> Subscribe<E> {
    pub(super) fn new(channel: Channel) -> Self {
        Self { channel, request: Request::default(), metadata: Vec::new(), wrong: None, event: PhantomData }
    }

    /// Goes on where an earlier subscription was: see [`Subscription::position`]. What was published since comes first, as far as the
    /// server still has it, and the subscriber is told what is missing.
    pub fn since(mut self, position: Position) -> Self {
        self.request.since = Some(position);
        self
    }

    /// Adds an entry to the metadata of the call, and of each that is made again after a loss.
    pub fn metadata(mut self, name: impl Into<String>, value: impl Into<MetadataValue>) -> Self {
        self.metadata.push((name.into(), value.into()));
        self
    }

    /// Asks for a value of a key field, besides others of the same field. For generated code.
    #[doc(hidden)]
    pub fn key<F: WriteForm<T>, T: ?Sized>(mut self, number: u16, value: &T) -> Self {
        match codec::encode_body::<F, T>(value) {
            Ok(body) => {
                let bytes = body.into_bytes();
                // It was written right now.
                let value = rmpv::decode::read_value(&mut &bytes[..]).unwrap_or(Value::Nil);
                self.request.filter.add(number, value);
            }
            Err(error) => self.wrong = Some(error),
        }
        self
    }
}

impl<E: Event> IntoFuture for Subscribe<E> {
    type Output = Result<Subscription<E>, Status>;
    type IntoFuture = Pin<Box<dyn Future<Output = Self::Output> + Send>>;

    fn into_future(self) -> Self::IntoFuture {
        let Self { channel, request, metadata, wrong, .. } = self;
        Box::pin(async move {
            if let Some(error) = wrong {
                let what = format!("a key of `{}` can't be encoded: {error}", E::EVENT.name());
                return Err(Status::internal(what).caused_by(Cause::BadValue).not_sent());
            }
            Subscription::open(Calls { channel, filter: request.filter, metadata }, request.since).await
        })
    }
}

impl<E> fmt::Debug for Subscribe<E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Subscribe").field("request", &self.request).finish_non_exhaustive()
    }
}
