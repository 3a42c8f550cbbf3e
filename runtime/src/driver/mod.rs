//! Drivers: the tasks that own a transport. One loop per side, over the traits of [`crate::transport`] and the sessions of
//! connections and peers.

mod client;
mod connection;
mod core;
mod listener;
mod publish;
mod server;
#[cfg(test)]
mod tests;

pub(crate) use self::core::{Core, DuplicateMethod};
pub(crate) use client::ClientDriver;
pub(crate) use listener::ListenerDriver;
pub(crate) use publish::PublishDriver;
pub(crate) use server::ServerDriver;
