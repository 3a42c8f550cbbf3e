//! Code generated from everything in `svc/`, as a user's crate would include it, with all warnings denied.
//!
//! That it compiles is half of the test; the behaviour of the types is tested in `tests/`.

#![deny(warnings, missing_docs, rust_2018_idioms, unreachable_pub)]
#![warn(clippy::pedantic)]

zsvc::include_generated!();

/// Code generated from all of `svc/`.
pub mod hazards {
    include!(concat!(env!("OUT_DIR"), "/hazards/mod.rs"));
}

/// Code checked by all lints that clippy has for handwritten code, except those named here.
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

/// Code generated from all that `zsvc import` writes in its tests.
pub mod imported {
    include!(concat!(env!("OUT_DIR"), "/imported/mod.rs"));
}

/// Code without traits and servers.
pub mod client {
    include!(concat!(env!("OUT_DIR"), "/client/mod.rs"));
}

/// Code without clients.
pub mod server {
    include!(concat!(env!("OUT_DIR"), "/server/mod.rs"));
}

/// Another crate, through which the runtime can be reached.
pub mod acme {
    pub use zsvc;
}

/// Code whose money is that at the root, and whose runtime has another name.
pub mod shared {
    include!(concat!(env!("OUT_DIR"), "/shared/mod.rs"));
}

/// Code with types in place of generated ones: one that was itself generated, and others.
pub mod direct {
    include!(concat!(env!("OUT_DIR"), "/direct/mod.rs"));
}

pub mod by_hand;

/// Code that uses those, as types of an imported package and in the place of generated ones.
pub mod by_hand_uses {
    include!(concat!(env!("OUT_DIR"), "/by_hand/mod.rs"));
}

/// Code with types of this crate in place of generated ones, and with more derives.
pub mod replaced {
    include!(concat!(env!("OUT_DIR"), "/replaced/mod.rs"));
}

/// Code whose methods throw errors of another crate, and types of this crate in place of errors.
pub mod thrown {
    include!(concat!(env!("OUT_DIR"), "/thrown/mod.rs"));
}

/// Replacement of `throws.Unknown` and `throws.match`.
#[derive(Clone, Debug, PartialEq, serde::Serialize, serde::Deserialize)]
pub struct Refused(pub u32, pub Option<u32>);

impl std::fmt::Display for Refused {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(formatter, "refused {}", self.0)
    }
}

impl std::error::Error for Refused {}

/// Replacement of `money.v1.Amount`.
#[derive(Clone, Debug, PartialEq, PartialOrd, serde::Serialize, serde::Deserialize)]
pub struct Price(f64);

/// Replacement of `market.v1.Symbol`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, serde::Serialize, serde::Deserialize)]
pub struct Ticker(String);
