//! Compiles the description of the floor to Rust.

fn main() -> Result<(), zsvc_codegen::Error> {
    zsvc_codegen::compile("svc/tape.svc")
}
