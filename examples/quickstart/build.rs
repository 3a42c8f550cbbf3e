//! Compiles the service's description to Rust.

fn main() -> Result<(), zsvc_codegen::Error> {
    zsvc_codegen::compile("svc/greeter.svc")
}
