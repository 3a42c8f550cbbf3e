//! The client: channels, connections, and calls as values.
//!
//! - [`channel`]: where calls go, and how that is set up. [`call`]: the kinds of calls, as futures.
//! - [`launch`]: a call until it is sent. [`state`]: the calls in flight. [`connection`]: the lock around them.
//!   [`records`]: what the server says of them.
//! - [`driver`]: the task that owns the socket. [`watch`]: whether the server is there, where libzmq does not tell.
//!   [`local`]: a connection without a socket.

mod call;
mod channel;
mod connection;
mod driver;
mod launch;
mod local;
mod records;
mod state;
mod watch;

pub use call::{BidirectionalCall, ClientStreamCall, OneWayCall, ServerStreamCall, UnaryCall};
pub use channel::{Channel, ChannelBuilder};
