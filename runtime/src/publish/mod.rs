//! Publishing events: [`Publisher`], which a program sends by from anywhere, and the service by which a server offers it.
//!
//! What is kept, what waits for whom and what is missed is decided in [`zsvc_proto::events`]. Here is the lock around it, and the
//! handler of a subscription: a call that is answered with a stream, so that credit, cancellation, middleware and roles are those
//! of calls. How a client subscribes is in `subscribe`.

mod counters;
mod feed;
mod line;
mod publisher;
mod relayed;
mod service;

pub use counters::PublisherCounters;
pub(crate) use feed::{Feed, Tap};
pub use publisher::{Addressed, Publisher, PublisherBuilder};
pub use relayed::{Check, Demand, Relayed};
