//! A model that checks the verdicts of `zsvc diff`: random schemas and changes of them ([`draft`], [`mutate`]), random
//! values of their types ([`value`]), and a codec ([`codec`]) that writes and reads such values by a schema alone, made from
//! docs/protocol.md and independent of the runtime. [`meaning`] decides whether a value that was read means what was
//! written, and [`crossing`] which side reads what.
//!
//! `tests/verdicts.rs` compares `zsvc_idl::compat` with it. That this codec and generated code write the same bytes is
//! tested in `codegen/tests/model`. Nothing here is for use outside of tests.

pub mod codec;
pub mod constants;
pub mod crossing;
mod defaults;
pub mod draft;
pub mod meaning;
pub mod mutate;
pub mod random;
pub mod value;
