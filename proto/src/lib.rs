//! The protocol of **zsvc**, services over ZeroMQ: what is said on the wire and what it means, without I/O.
//!
//! Nothing here knows tokio, a socket, a thread or a clock: messages are handed in and out, and time is handed in as
//! [`std::time::Instant`]. The runtime (the crate `zsvc`) moves the messages; a router, a gateway or a fuzzer can do so, too.
//! Programs that offer or call services use `zsvc`, not this crate: its API follows the runtime's needs.
//!
//! From the bottom up:
//!
//! - [`codec`]: values and bytes.
//! - [`wire`]: records and batches. The contract is the project's `docs/protocol.md`.
//! - [`flow`]: the two halves of a stream, and the credit that bounds what is on its way between them.
//! - [`status`], [`metadata`], [`method`]: how a call fails, what travels beside its parameters, what both sides know of it.

pub mod codec;
pub mod flow;
pub mod id_map;
pub mod metadata;
pub mod method;
pub mod status;
pub mod wire;
pub mod zmtp;
