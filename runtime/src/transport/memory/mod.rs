//! Links within the process, on tokio's clock: the transport of [`crate::Channel::local`] and of [`crate::testing`].
//!
//! A [`SimNetwork`] connects one server with its clients, and applies the faults that a test asks for. The drivers and
//! everything above them are those that sockets have, too; the only difference is that a message may be delayed, lost
//! or repeated.
//!
//! - [`network`]: the lock around the state of a network, and what it drops after the lock is released.
//! - [`state`]: what a network knows; [`link`]: one client's part of it.
//! - [`client`] and [`server`]: the two ends, as drivers see them.
//! - [`registry`]: the endpoints of networks.

mod client;
mod due;
mod link;
mod network;
mod registry;
mod server;
mod state;
#[cfg(test)]
mod tests;

pub(crate) use client::MemoryClient;
pub(crate) use link::Fault;
pub(crate) use network::SimNetwork;
pub(crate) use registry::{find, register, unregister};
#[cfg(test)]
use server::MemoryServer;
