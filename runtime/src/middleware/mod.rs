//! Middleware: code of a program's own around every call, at the server, at the client, or both.
//!
//! A middleware is given the call and what comes [next](ServerNext). It may read and add metadata, refuse the call with a
//! [`Status`](crate::Status), look at how it ended, measure it, or put something else in its place. Several are a stack;
//! the one that was added first is the outermost.
//!
//! - At the server it implements [`ServerMiddleware`] and is added by
//!   [`ServerBuilder::middleware`](crate::ServerBuilder::middleware).
//! - [`ConcurrencyLimit`] and [`RateLimit`] come along, for servers.
//!
//! A server without any runs as if there were none of this.

mod caught;
mod concurrency;
mod rate;
mod response;
mod scope;
mod server;

pub use concurrency::ConcurrencyLimit;
pub use rate::RateLimit;
pub use response::{Response, Traffic};
pub use server::{ServerMiddleware, ServerNext, ServerRequest};

pub(crate) use response::Direction;
pub(crate) use server::ServerStack;
