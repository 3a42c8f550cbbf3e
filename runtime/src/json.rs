//! What a program may ask of JSON and other formats for people.
//!
//! Generated types implement serde's traits. By a format for people, such as `serde_json`, they are written and read with the names
//! of the schema, times as RFC 3339 and bytes as base64; the project's `docs/json.md` is the contract. By any other format, such as
//! `rmp-serde`, they are as on the wire.

pub use crate::codec::json::{safe_integers, strict};
