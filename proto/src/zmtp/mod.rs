//! ZMTP, the protocol by which ZeroMQ sockets talk over a connection, as a closed machine: greeting, handshake,
//! commands and frames.
//!
//! Version 3.1 is spoken, and version 3.0 understood. Sources: RFC 23 (3.0), RFC 24 (PLAIN), RFC 25 and 26 ([CURVE](curve)), and RFC 37
//! (3.1) of <https://rfc.zeromq.org>. What is in messages is not known here: see [`crate::wire`].
//!
//! # Order of calls
//!
//! A [`Connection`] is made with a [`Config`] once the bytes of a connection can flow. Then, in a loop:
//!
//! 1. Inputs: [`Connection::handle_bytes`] for bytes that have arrived, and again for those that were not taken, once there is no
//!    event; or a read into [`Connection::frame_buffer`] followed by [`Connection::handle_filled`];
//!    [`Connection::handle_timeout`] once [`Connection::poll_timeout`] has passed.
//! 2. Outputs, until there is none: [`Connection::poll_event`] for what has happened, [`Connection::poll_transmit`] for
//!    bytes to send before any message.
//! 3. Once [`Event::Ready`] has come, messages may be sent: each frame after its [`FrameHeader`], never between two parts of what
//!    `poll_transmit` returns. With CURVE, each frame and each [`Transmit::Command`] is encrypted by the [`curve::Sealer`] that
//!    [`Connection::take_sealer`] returns, in the order in which they are sent.
//!
//! After [`Event::Failed`] the connection is over: what `poll_transmit` still returns is to be sent, if possible, and
//! nothing else.

mod command;
mod connection;
pub mod curve;
mod error;
mod events;
mod frame;
mod greeting;
mod handshake;
mod heartbeat;
mod properties;

pub use connection::{Config, Connection, Event, SIGN_OF_LIFE, Transmit};
pub use error::Error;
pub use frame::FrameHeader;
pub use handshake::{Credentials, Mechanism};
pub use heartbeat::Heartbeat;
pub use properties::{Peer, SocketType};
