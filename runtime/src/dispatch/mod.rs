//! How calls that a session has taken come to their handlers, and how handlers run.
//!
//! - `incoming`: what generated code implements and calls: [`Service`], and the [`Incoming`] call that it hands to a handler.
//! - `handling`: a handler as a future that ends in its answer.
//! - `handler`: running it, once in place and then as a task.
//! - `queue`: calls that wait until fewer run.
//! - `dispatcher`: from a call to its handler, by all of these.
//! - `outgoing`: what a call's streams write to its peer.
//!
//! Which calls are taken at all is decided in [`crate::session::server`].

mod dispatcher;
mod handler;
mod handling;
mod incoming;
mod outgoing;
mod queue;

pub(crate) use dispatcher::{Dispatcher, HandlerLayer};
pub use handling::{AcceptedCall, Handling};
pub use incoming::{Incoming, Service};
#[cfg(test)]
pub(crate) use outgoing::PeerOutgoing;
