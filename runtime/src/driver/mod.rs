//! Drivers: the tasks that own a transport. One loop per side, over the traits of [`crate::transport`] and the sessions of connections and peers.

mod client;
mod server;

pub(crate) use client::ClientDriver;
pub(crate) use server::ServerDriver;
