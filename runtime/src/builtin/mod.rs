//! The services that every server has by itself: [`reflection`], [`health`] and [`stats`]. They are described in `.svc` files below
//! `runtime/svc`, generated as users' services are, by `zsvc.toml` there, and added where a server is created.
//!
//! - [`settings`]: which of them a server has, and for whom.
//! - [`guard`]: who may use those that tell what the server is.

#[allow(unused_imports, reason = "macros import traits that not every type needs")]
mod generated;
mod guard;
pub mod health;
pub mod reflection;
mod settings;
pub mod stats;

pub(crate) use settings::{Guarded, Settings};
