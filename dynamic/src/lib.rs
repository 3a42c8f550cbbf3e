//! Values by schema at run time: JSON to the wire format of **zsvc** and back, without generated code.
//!
//! The mapping is that of the project's `docs/json.md`, as generated types have it through serde. How scalars are read and written is
//! that of `zsvc-proto`, so both take the same values and refuse others with the same words.
//!
//! - [`Codec`] converts: `encode` is JSON to bytes, `decode` bytes to JSON.
//! - `bounds` checks `@len` and `@range`, `literal` writes default values, `text` lays out JSON.
//! - [`remote`] compiles a schema that a server has sent, within bounds.
//! - [`subscription`] makes methods of events.
//! - [`find`] looks methods and types up by what people write, and says which names are near.
//!
//! Not here: calls, sockets and threads. The schema itself is in `zsvc-idl`.

// MessagePack is a name, and stands in every other sentence.
#![allow(clippy::doc_markdown)]

mod argument;
mod bounds;
mod codec;
mod decode;
mod encode;
mod error;
pub mod find;
mod literal;
mod lookup;
pub mod remote;
mod shape;
pub mod subscription;
mod text;

pub use argument::{argument, duration};
pub use codec::Codec;
pub use error::Error;
pub use shape::Shape;

/// The example of README.md, compiled as a doctest.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
pub mod readme {}
