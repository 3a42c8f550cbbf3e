//! Subscribing to events: [`Subscribe`], which asks for them, and [`Subscription`], the stream of what comes.
//!
//! A subscription is a call that is answered with a stream. Here is what goes on after a connection was lost: the call is made again,
//! from the position of what was last received. How events are published is in `publish`.

mod ask;
mod publish;
mod subscription;

pub use ask::Subscribe;
pub use subscription::{Delivery, Subscription};

use crate::channel::Channel;
use crate::declaration::Event;

impl Channel {
    /// Asks for events: returns what has a method for each key field, by which they are filtered, and is then awaited, as in
    /// `channel.subscribe::<Price>().symbol("ACME").await`. The project's `docs/events.md` shows more.
    #[must_use]
    pub fn subscribe<E: Event>(&self) -> E::Subscribe
    where
        E::Subscribe: From<Subscribe<E>>,
    {
        Subscribe::new(self.clone()).into()
    }
}
