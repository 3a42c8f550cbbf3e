//! What it takes to prove the verdicts of `zsvc diff`: random schemas and changes of them ([`draft`], [`mutate`]), random
//! values of their types ([`value`]), and a codec ([`codec`]) that writes and reads such values by a schema alone, made from
//! docs/protocol.md and independent of the runtime. Whether a value that was read means what was written is told by
//! [`meaning`], and who reads what of whom by [`crossing`].
//!
//! `tests/verdicts.rs` holds `zsvc_idl::compat` against it. That this codec and generated code write the same bytes is
//! tested in `codegen/tests/model`. Nothing here is for use outside of tests.

pub mod codec;
pub mod crossing;
pub mod draft;
pub mod meaning;
pub mod mutate;
pub mod random;
pub mod value;
