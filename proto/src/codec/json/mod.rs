//! The mapping of values to formats for people, such as JSON: fields, enums and variants by name, times and bytes as text.
//!
//! The contract is the project's `docs/json.md`. Generated types are written and read by number, as on the wire, and turned into
//! names here by a [`Description`] of their type: so nothing of it is compiled for each type.
//!
//! - `description` says what the fields, values and variants of a type are called, as a text that generated code carries; `parse`
//!   reads that text.
//! - `write` and `read` convert a [`Value`](rmpv::Value) in the form of the wire to one with names, and back; `scalars` and `any` do
//!   it for what is no struct: what a single text or number stands for, and a `value` of the language.
//! - `scalar` offers the last two to programs that know types at run time alone.
//! - `options` are what a program may ask of the mapping.
//! - `base64` and `duration` are texts that no other module has.

mod any;
mod base64;
mod description;
mod duration;
mod found;
mod members;
mod options;
mod parse;
mod read;
mod scalar;
mod scalars;
mod write;

pub use description::{Described, Description};
pub(super) use options::is_strict;
pub use options::{safe_integers, strict};
pub(super) use read::read;
pub use scalar::{Scalar, given_twice, read_any, unknown_name, write_any, wrong_type};
pub(super) use write::write;

#[cfg(test)]
mod tests;
