//! The server, as users see it: [`ServerBuilder`], [`Server`], and what can go wrong.
//!
//! How records become calls is in [`crate::session::server`], its clients in [`crate::peer`], its handlers in
//! [`crate::dispatch`], and the loop over its transport in [`crate::driver`].

mod announced;
mod beside;
mod bind;
mod builder;
mod error;
mod introspection;
mod peers;
mod register;
mod serving;
mod signal;
mod task;
mod within;

pub use builder::ServerBuilder;
pub use error::ServeError;
pub use peers::Peers;
pub use register::Register;
pub use serving::Server;
pub use signal::shutdown_signal;
pub use task::{Task, TaskEnd};
pub(crate) use within::{ServerWithin, serve_within};
