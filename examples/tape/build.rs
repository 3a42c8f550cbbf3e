//! Generates Rust from the description of the floor; `src/lib.rs` includes it.

fn main() -> Result<(), zsvc_codegen::Error> {
    zsvc_codegen::compile("svc/tape.svc")
}
