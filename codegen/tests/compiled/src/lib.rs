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

/// Held to all that clippy says of code by hand, but for what is named here.
#[allow(
    clippy::default_trait_access,
    clippy::derivable_impls,
    clippy::too_many_lines,
    deprecated,
    non_camel_case_types,
    reason = "defaults stand for a user's type, too; the rest is the schema's doing"
)]
pub mod linted {
    include!(concat!(env!("OUT_DIR"), "/linted/mod.rs"));
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
