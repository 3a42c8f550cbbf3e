//! What the targets share: what has to hold is written beside the tests that replay what was found.

#![allow(dead_code, reason = "the modules are those of tests, which need a little more")]

#[path = "../../codegen/tests/support/holds.rs"]
mod codegen;
#[path = "../../idl/tests/support/files.rs"]
pub(crate) mod files;
#[path = "../../idl/tests/support/holds.rs"]
mod idl;

/// Any bytes, through rendering in every way.
pub fn check(bytes: &[u8]) {
    idl::check(bytes);
}

/// Any bytes, to the canonical style and again.
pub fn format(bytes: &[u8]) {
    idl::formats(bytes);
}

/// Any bytes, or two of them with a line `//===` between, as two ages of a schema.
pub fn diff(bytes: &[u8]) {
    idl::compares(bytes);
}

/// Any bytes, to Rust.
pub fn generate(bytes: &[u8]) {
    codegen::generates(bytes);
}
