//! Generates the types, and tells dependents where their schema is.

fn main() -> Result<(), zsvc_codegen::Error> {
    println!("cargo:include={}/svc", env!("CARGO_MANIFEST_DIR"));
    zsvc_codegen::compile("svc/money.svc")
}
