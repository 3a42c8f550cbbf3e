//! Generates Rust from the service's description; `src/main.rs` includes it.

fn main() -> Result<(), zsvc_codegen::Error> {
    zsvc_codegen::compile("svc/telemetry.svc")
}
