//! [`Channel`]: where a client's calls go, and how that is set up.
//!
//! - [`channel`]: what users and generated clients call. [`builder`]: its settings.
//! - [`connect`]: how connections are made; [`resolve`]: those of names; [`local`]: one to a service within the process.

mod builder;
#[expect(clippy::module_inception, reason = "the type that the folder is about")]
mod channel;
mod connect;
#[cfg(fuzzing)]
mod fuzzed;
mod local;
mod resolve;
#[cfg(feature = "schema-check")]
mod schema_check;

pub use builder::ChannelBuilder;
pub use channel::Channel;
#[cfg(fuzzing)]
pub use fuzzed::FuzzedClient;
pub use resolve::Resolve;
