//! What the fuzz targets share. The properties that must hold are in the files of the tests that replay past findings.

#![allow(dead_code, reason = "the modules are those of tests, which need a little more")]

#[path = "../../codegen/tests/support/holds.rs"]
mod codegen;
#[path = "../../idl/tests/support/files.rs"]
pub(crate) mod files;
#[path = "../../idl/tests/support/holds.rs"]
mod idl;

/// Compiles any bytes and renders the diagnostics in every way.
pub fn check(bytes: &[u8]) {
    idl::check(bytes);
}

/// Formats any bytes, and formats the result again.
pub fn format(bytes: &[u8]) {
    idl::formats(bytes);
}

/// Compares two schemas, separated by a line `//===`, or one with itself.
pub fn diff(bytes: &[u8]) {
    idl::compares(bytes);
}

/// Generates Rust from any bytes.
pub fn generate(bytes: &[u8]) {
    codegen::generates(bytes);
}
