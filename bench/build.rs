//! Compiles the service that is measured.

fn main() -> Result<(), zsvc_codegen::Error> {
    zsvc_codegen::compile("svc/echo.svc")
}
