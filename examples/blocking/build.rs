//! Generates Rust from the service's description; `src/lib.rs` includes it.

fn main() -> Result<(), zsvc_codegen::Error> {
    zsvc_codegen::compile("svc/counter.svc")
}
