//! Middleware: user code around every call, at the server, at the client, or both.
//!
//! A middleware gets the call and the rest of the stack, [`ServerNext`] or [`ClientNext`]. It may read and add metadata, refuse
//! the call with a [`Status`](crate::Status), read how the call ended, measure it, or replace the response. The middleware that
//! was added first is the outermost.
//!
//! - At the server it implements [`ServerMiddleware`] and is added by
//!   [`ServerBuilder::middleware`](crate::ServerBuilder::middleware).
//! - At the client it implements [`ClientMiddleware`] and is added by
//!   [`ChannelBuilder::middleware`](crate::ChannelBuilder::middleware).
//! - Included are [`ConcurrencyLimit`] and [`RateLimit`] for servers; and for both ends `Tracing` and `Metrics`, with
//!   the features `tracing` and `metrics`.
//!
//! A server or a channel without middleware pays nothing for this.

mod client;
mod concurrency;
mod limit;
#[cfg(feature = "metrics")]
mod meter;
#[cfg(any(feature = "metrics", feature = "tracing"))]
mod on_drop;
mod rate;
mod response;
mod scope;
mod server;
#[cfg(feature = "tracing")]
mod trace;
#[cfg(feature = "tracing")]
mod traceparent;

pub use client::{ClientMiddleware, ClientNext, ClientRequest};
pub use concurrency::ConcurrencyLimit;
#[cfg(feature = "metrics")]
pub use meter::Metrics;
pub use rate::RateLimit;
pub use response::{Response, Traffic};
pub use server::{ServerMiddleware, ServerNext, ServerRequest};
#[cfg(feature = "tracing")]
pub(crate) use trace::Inherited;
#[cfg(feature = "tracing")]
pub use trace::Tracing;

pub(crate) use client::{Around, ClientStack, Step};
pub(crate) use response::Direction;
pub(crate) use server::ServerStack;

/// The trace that a call inherits: none without the feature `tracing`.
#[cfg(not(feature = "tracing"))]
#[derive(Debug, Clone, Default)]
pub(crate) struct Inherited;

#[cfg(not(feature = "tracing"))]
impl Inherited {
    pub(crate) fn here() -> Self {
        Self
    }
}
