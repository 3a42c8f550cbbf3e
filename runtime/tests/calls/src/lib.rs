//! The generated services that the tests call, and what the tests share.
//!
//! [`probe`] is a service whose methods do what a test asks for; [`Probe`] implements it and writes a [`Journal`] of what
//! happened to its handlers. [`old`] and [`new`] are two ages of one schema. `market` is the service of the examples.

mod journal;
mod losses;
mod probing;

zsvc::include_generated!();

pub use journal::Journal;
pub use losses::losses;
pub use probing::{Probe, Ticker};

include!(concat!(env!("OUT_DIR"), "/ages.rs"));
