//! Keeps the documents true: what README.md and the guide show is compiled, and run where it can be.
//!
//! The build script makes code of the documents; the doctests and `tests/` are where it is used.

zsvc::include_generated!();

pub mod blocks;
/// What the service of README.md becomes, as `zsvc gen` writes it for code that is checked in.
pub mod generated;

/// The examples of README.md.
#[cfg(doctest)]
#[doc = include_str!(concat!(env!("OUT_DIR"), "/README.md"))]
pub mod readme {}

/// The examples of the guide.
#[cfg(doctest)]
#[doc = include_str!(concat!(env!("OUT_DIR"), "/guide.md"))]
pub mod guide {}
