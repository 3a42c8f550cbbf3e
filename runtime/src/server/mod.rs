//! The server: what it is set up with, its clients, and what it counts.
//!
//! From the bottom up:
//!
//! - `config`, `counters`: what is bounded, and what is counted.
//! - `shared`: what the driver shares with handlers; `ready_list`: peers with something to send.
//! - `peer`: the lock around the session of one client; `peers`: all of them.
//! - `core`: a server without its transport; `serving` and `builder`: what users see.
//!
//! Elsewhere: what records mean, and who answers a call, is in [`crate::session::server`]; how calls come to their handlers in
//! [`crate::dispatch`], which knows peers and is known by `core`; the loop over the socket in [`crate::driver`].

mod builder;
mod config;
mod core;
mod counters;
mod error;
mod peer;
mod peers;
mod ready_list;
mod serving;
mod shared;
#[cfg(test)]
mod tests;
mod within;

pub(crate) use self::core::Core;
pub use builder::ServerBuilder;
pub(crate) use config::MaxRunning;
pub use counters::{Counters, Dropped};
pub use error::ServeError;
pub(crate) use peer::{Next, OneWay, Peer};
pub use serving::Server;
pub(crate) use shared::Shared;
pub(crate) use within::{ServerWithin, serve_within};
