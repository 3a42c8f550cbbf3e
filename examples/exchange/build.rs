//! Generates Rust from the exchange's description; `src/main.rs` includes it.

fn main() -> Result<(), zsvc_codegen::Error> {
    zsvc_codegen::compile("svc/exchange.svc")
}
