//! Generates the service. The package `money.v1` comes from `bank-types`.

use std::env;

fn main() -> Result<(), zsvc_codegen::Error> {
    // Set by Cargo, from what the build script of `bank-types` prints.
    let schemas = env::var("DEP_BANK_TYPES_INCLUDE").unwrap_or_default();
    zsvc_codegen::Builder::new()
        .file("svc/bank.svc")
        .include(schemas)
        .extern_package("money.v1", "::bank_types")
        .server_only()
        .compile()
}
