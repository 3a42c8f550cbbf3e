//! The generated services that the tests call, and code that the tests share.
//!
//! [`probe`] is a service whose methods do what a test asks for; [`Probe`] implements it and writes what happens to
//! its handlers to a [`Journal`]. [`old`] and [`new`] are two versions of one schema. `market` is the service of the
//! examples.

mod bomb;
pub mod engines;
mod journal;
mod losses;
pub mod memory;
mod probing;
mod watchdog;

zsvc::include_generated!();

pub use journal::Journal;
pub use losses::losses;
pub use probing::{Probe, Ticker, nils};
pub use watchdog::Watchdog;

include!(concat!(env!("OUT_DIR"), "/versions.rs"));
