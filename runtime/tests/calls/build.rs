//! Compiles the services that the tests call.

fn main() -> Result<(), zsvc_codegen::Error> {
    zsvc_codegen::compile("../../../examples/tape/svc/tape.svc")
}
