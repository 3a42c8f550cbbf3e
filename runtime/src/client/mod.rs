//! The client: channels, connections, and calls as values.
//!
//! - [`channel`]: where calls go, and how that is set up ([`limits`]). [`endpoints`]: its connections, and which of them a
//!   call goes by; [`eject`]: which of them are worth it; [`resolve`]: those of names. [`states`], [`counters`]: what users can ask.
//! - [`call`]: the kinds of calls, as futures; [`upload`]: a client's stream on its way. [`attempt`]: a call that is answered
//!   once, from its first sending to the answer that stands; [`retry`]: when it is made again; [`around`]: what middleware
//!   does about it. [`overlap`]: calls of a method that does not run twice at a time.
//! - [`launch`]: a call until it is sent. [`connection`]: the lock around a connection's [`state`]: the [`calls`]
//!   [`in_flight`] and those in the [`line`] for room; [`one_way`]: what the server has read of those that it does not answer.
//!   [`handle`]: what a caller holds of it; [`deadline`]: for how long.
//! - [`owner`]: what the owner of its socket tells it; [`records`]: what the server says. [`driver`]: the task that owns the socket. [`watch`]: whether the server is there,
//!   where libzmq does not tell. [`local`]: a connection without a socket.

mod around;
mod attempt;
mod call;
mod calls;
mod channel;
mod connection;
mod counters;
mod deadline;
mod discard;
mod driver;
mod eject;
mod endpoints;
#[cfg(fuzzing)]
mod fuzzed;
mod handle;
mod in_flight;
mod launch;
mod limits;
mod line;
mod local;
mod one_way;
mod overlap;
mod owner;
mod records;
mod resolve;
mod retry;
mod state;
mod states;
mod upload;
mod watch;

pub use call::{BidirectionalCall, ClientStreamCall, OneWayCall, ServerStreamCall, UnaryCall};
pub use channel::{Channel, ChannelBuilder};
pub use counters::{ChannelCounters, ChannelDropped};
pub(crate) use deadline::Deadline;
#[cfg(fuzzing)]
pub use fuzzed::FuzzedClient;
pub(crate) use local::{Host, Order, Place, Way};
pub use resolve::Resolve;
pub use retry::Retry;
pub use states::{ConnectionState, EndpointState, StateWatch};
