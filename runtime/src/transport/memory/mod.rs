//! Links within the process, on tokio's clock: the transport of [`crate::Channel::local`] and of [`crate::testing`].
//!
//! A [`SimNetwork`] is where one server is found by its clients, and where it is said what goes wrong on the way. Drivers and
//! everything above them are the ordinary ones: all that differs from a socket is that a message may be delayed, lost or repeated
//! as a test says.

mod client;
mod due;
mod link;
mod network;
mod registry;
mod server;
#[cfg(test)]
mod tests;

pub(crate) use client::MemoryClient;
pub(crate) use link::Fault;
pub(crate) use network::SimNetwork;
pub(crate) use registry::{find, register, unregister};
#[cfg(test)]
use server::MemoryServer;
