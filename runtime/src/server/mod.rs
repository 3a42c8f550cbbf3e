//! The server, as users see it: [`ServerBuilder`], [`Server`], and what can go wrong.
//!
//! How records become calls is in [`crate::session::server`], its clients in [`crate::peer`], its handlers in
//! [`crate::dispatch`], and the loop over its transport in [`crate::driver`].

mod builder;
mod error;
mod serving;
mod signal;
mod within;

pub use builder::ServerBuilder;
pub use error::ServeError;
pub use serving::Server;
pub use signal::shutdown_signal;
pub(crate) use within::{ServerWithin, serve_within};
