//! ZMTP straight on tokio's sockets, without libzmq: the connections of clients and servers over TCP, Unix sockets and pipes
//! within the process.
//!
//! - [`stream`]: bytes to and from a peer, whatever carries them.
//! - [`link`]: one connection: the machine of [`zsvc_proto::zmtp`], and its stream.
//! - [`outlet`]: what a connection writes by, which [`pulse`] uses as well while user code keeps its task from running;
//!   [`outgoing`]: what is being written; [`room`]: whether there is room for more.
//! - [`role`]: which side a connection is, and the keys that it has; [`closed`]: why it has ended.
//! - [`client`]: the connection of a client, which is made again when it is lost.
//! - [`dialler`]: a server's own connection to a router, at which it registers.
//! - [`server`]: one connection of a server; [`listener`] accepts them; [`handshakes`] bounds how many are not up yet.
//! - [`inproc`]: the names of servers within the process.
//!
//! A connection is owned by one task, which reads only when it has taken what came before: a peer whose messages are not taken
//! is not read from, and TCP makes it wait.

mod client;
mod closed;
mod dialler;
mod handshakes;
mod inproc;
mod link;
mod listener;
mod outgoing;
mod outlet;
mod pulse;
mod role;
mod room;
mod server;
mod stream;
#[cfg(test)]
mod tests;

pub(crate) use client::ZmtpClient;
pub(crate) use dialler::Dialler;
pub(crate) use listener::ZmtpListener;
pub(crate) use role::Role;
pub(crate) use server::ZmtpPeer;
