//! Keeps the documents correct: the code in README.md and the guide is compiled, and run where possible.
//!
//! The build script extracts the code from the documents; the doctests and `tests/` use it. This crate is not published.

zsvc::include_generated!();

pub mod blocks;
/// The code that `zsvc gen` writes for the service of README.md, as a project would check it in.
pub mod generated;

/// The examples of README.md.
#[cfg(doctest)]
#[doc = include_str!(concat!(env!("OUT_DIR"), "/README.md"))]
pub mod readme {}

/// The examples of the guide.
#[cfg(doctest)]
#[doc = include_str!(concat!(env!("OUT_DIR"), "/guide.md"))]
pub mod guide {}

/// The examples of the page about events.
#[cfg(doctest)]
#[doc = include_str!(concat!(env!("OUT_DIR"), "/events.md"))]
pub mod events_page {}

/// The examples of the page about security.
#[cfg(doctest)]
#[doc = include_str!(concat!(env!("OUT_DIR"), "/security.md"))]
pub mod security_page {}

/// The examples of the page about finding servers. All registries have to be built for them.
#[cfg(all(doctest, feature = "discovery"))]
#[doc = include_str!(concat!(env!("OUT_DIR"), "/discovery.md"))]
pub mod discovery_page {}

/// The examples of the page about JSON.
#[cfg(doctest)]
#[doc = include_str!(concat!(env!("OUT_DIR"), "/json.md"))]
pub mod json_page {}
