//! The connections of a channel: each a session with a lock around it, which the calls on it and its driver share.
//!
//! - [`Connection`]: one of them. What its calls and its driver do to it is with it; how calls are sent, in `sending`; what its
//!   channel does, in `control`; what streams do, in `outgoing`. It calls its channel for each event, with no lock held, and knows no
//!   more of it than a trait: see `events`.
//! - [`Endpoints`]: all of a channel, and which of them a call goes by; [`overlap`]: calls of a method that does not
//!   run twice at a time.
//! - [`Config`]: what a channel's builder sets; [`retry`]: when calls are made again; [`counters`], [`states`]: what users ask.

mod config;
#[expect(clippy::module_inception, reason = "the type that the folder is about")]
mod connection;
mod control;
mod counters;
mod endpoints;
mod events;
mod outgoing;
mod overlap;
mod retry;
mod sending;
mod states;

pub(crate) use config::Config;
pub(crate) use connection::{Connection, DriverAction, Link};
pub use counters::{ChannelCounters, ChannelDropped};
pub(crate) use endpoints::Endpoints;
pub(crate) use overlap::OverlapPermit;
pub use retry::Retry;
pub(crate) use retry::{Verdict, classify};
pub(crate) use sending::SendPermit;
pub use states::{ConnectionState, EndpointState, StateWatch};
