//! Compiles the service that the tests call.

fn main() -> Result<(), zsvc_codegen::Error> {
    zsvc_codegen::compile("svc/ledger.svc")
}
