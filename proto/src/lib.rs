//! The protocol of **zsvc**, services over ZeroMQ: records and their meaning, without I/O.
//!
//! No tokio, sockets, threads or clocks: messages are handed in and out, and time is handed in as
//! [`std::time::Instant`]. The runtime (the crate `zsvc`) moves the messages; a router, a gateway or a fuzzer can do so, too.
//! Programs that offer or call services use `zsvc`, not this crate: its API follows the runtime's needs.
//!
//! From the bottom up:
//!
//! - [`codec`]: values and bytes.
//! - [`wire`]: records and batches. The contract is the project's `docs/protocol.md`.
//! - [`flow`]: the two halves of a stream, and the credit that bounds what is on its way between them.
//! - [`zmtp`]: what ZeroMQ puts on a connection, with its security; [`keys`]: the long-term keys of that.
//! - [`status`], [`metadata`], [`method`]: how a call fails, what travels beside its parameters, what both sides know of it.
//! - [`identity`]: who a client is, as its server knows it.
//! - [`events`]: what a publisher keeps, and what waits for each subscriber.

pub mod codec;
pub mod events;
pub mod flow;
pub mod id_map;
pub mod identity;
pub mod keys;
pub mod metadata;
pub mod method;
mod msgpack;
pub mod session;
pub mod stable_hash;
pub mod status;
pub mod text;
pub mod wire;
pub mod zmtp;
