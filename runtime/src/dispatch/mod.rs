//! Starts the handlers of calls that a session has taken, and runs them.
//!
//! - `incoming`: what generated code implements and calls: [`Service`], and the [`Incoming`] call that is passed to a handler.
//! - `handling`: a handler as a future that returns its answer.
//! - `handler`: runs a handler, once in place and then as a task.
//! - `promptness`: which methods' handlers keep the thread that begins them; `apart`: begins these in tasks of their own.
//! - `running`: the task of a handler, which the end of its call aborts.
//! - `queue`: calls that wait until fewer run.
//! - `dispatcher`: takes a call to its handler, by all of these.
//! - `tokens`: who makes a call by the token that comes with it, before the call runs or waits.
//! - `outgoing`: how a call's streams write to its peer.
//!
//! Which calls are accepted is decided in [`crate::session::server`].

mod apart;
mod dispatcher;
mod handler;
mod handling;
mod incoming;
mod measured;
mod orphans;
mod outgoing;
mod promptness;
mod queue;
mod ready;
mod running;
mod tokens;

pub(crate) use dispatcher::{Dispatcher, HandlerLayer};
pub use handling::{AcceptedCall, Handling};
pub use incoming::{Incoming, Service};
#[cfg(test)]
pub(crate) use outgoing::PeerOutgoing;
#[cfg(test)]
pub(crate) use running::spawn;
pub(crate) use running::{Directory, Peer, Peers};
pub(crate) use tokens::{AUTHORIZATION, Tokens};
