//! Compiles the service of the suite.

fn main() -> Result<(), zsvc_codegen::Error> {
    zsvc_codegen::compile("../svc/conformance.svc")
}
