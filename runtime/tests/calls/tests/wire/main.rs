//! The wire protocol: both sides follow `docs/protocol.md`, whatever the other one sends.
//!
//! - [`listed_clients`], [`listed_servers`], [`listed_values`]: the byte listings of the document, read by
//!   [`listings`].
//! - [`attachments`]: parts of bodies in separate frames; the document does not list them because they are long.
//! - [`curve`]: encrypted connections to peers of libzmq, in Python. [`curve_matrix`]: every mechanism of either side against every one of
//!   the other.
//! - [`python`]: a peer in another language, written from the document alone.
//! - [`hostile_clients`], [`hostile_streams`], [`hostile_values`], [`hostile_servers`]: peers that violate the
//!   protocol, with bytes from [`damage`].
//! - [`errors`]: each row of the document's tables of errors. [`refusals`]: their order, and the rules for what does not belong.
//! - [`devices`]: a proxy between client and server.
//!
//! [`floor`] is the service, [`rig`] starts servers and clients, [`raw`] holds bare sockets for the other side.

mod attachments;
mod curve;
mod curve_matrix;
mod damage;
mod devices;
mod engines;
mod errors;
mod floor;
mod hostile_clients;
mod hostile_servers;
mod hostile_streams;
mod hostile_values;
mod listed_clients;
mod listed_events;
mod listed_servers;
mod listed_values;
mod listings;
mod publish;
mod python;
mod raw;
mod refusals;
mod req;
mod rig;
