//! The clients of a server, as the runtime holds them.
//!
//! - [`Peer`]: the lock around the session of one client; [`Peers`]: all of them; `ready_list`: those with something to send.
//! - [`Config`], [`Counters`]: bounds and counters. [`Shared`]: what a driver shares with handlers.
//!
//! What records mean, and what answers a call, is in [`crate::session::server`]. What works on a call is a
//! [`CallState`], which the owner of the server chooses: a handler, in [`crate::dispatch`].

mod config;
mod connected;
mod counters;
#[expect(clippy::module_inception, reason = "the type that the folder is about")]
mod peer;
mod peers;
mod ready_list;
mod shared;

pub(crate) use config::{Config, MaxRunning};
pub use connected::ConnectedPeer;
pub use counters::{Counters, Dropped};
pub(crate) use peer::{CallState, Next, OneWay, Peer, Progress};
#[cfg(test)]
pub(crate) use peers::MAX_PEERS;
pub(crate) use peers::{Directory, Peers};
pub(crate) use shared::Shared;
