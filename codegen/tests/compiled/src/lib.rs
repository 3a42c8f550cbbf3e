//! Everything that `svc/` holds, as a user's crate would have it: with all warnings denied.
//!
//! That it compiles is half of the test; what the types do is in `tests/`.

#![deny(warnings, missing_docs, rust_2018_idioms, unreachable_pub)]
#![warn(clippy::pedantic)]

zsvc::include_generated!();

/// All that `svc/` holds.
pub mod hazards {
    include!(concat!(env!("OUT_DIR"), "/hazards/mod.rs"));
}

/// Without traits and servers.
pub mod client {
    include!(concat!(env!("OUT_DIR"), "/client/mod.rs"));
}

/// Without clients.
pub mod server {
    include!(concat!(env!("OUT_DIR"), "/server/mod.rs"));
}

/// With types of this crate in place of generated ones, and with more derives.
pub mod replaced {
    include!(concat!(env!("OUT_DIR"), "/replaced/mod.rs"));
}

/// Stands for `money.v1.Amount`.
#[derive(Clone, Debug, PartialEq, PartialOrd, serde::Serialize, serde::Deserialize)]
pub struct Price(f64);

/// Stands for `market.v1.Symbol`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, serde::Serialize, serde::Deserialize)]
pub struct Ticker(String);
