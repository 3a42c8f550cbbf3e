//! Generates the measured services from `svc/` and `proto/`. The code for Cap'n Proto is checked in, since its
//! compiler is a program that must be installed; the service for tarpc is a trait in `src/system/tarpc.rs`.

use std::error::Error;

fn main() -> Result<(), Box<dyn Error>> {
    // `Trade` comes from the example, so that it is defined only once.
    zsvc_codegen::Builder::new()
        .files(["svc/echo.svc", "svc/ticks.svc"])
        .include("../examples/tape/svc")
        .compile()?;

    println!("cargo::rerun-if-changed=proto");
    let files = protox::compile(["proto/echo.proto"], ["proto"])?;
    // `Bytes` in place of `Vec<u8>` saves a copy of each payload. The faster variant of tonic is the one to compare
    // with.
    tonic_prost_build::configure().bytes(".").compile_fds(files)?;
    Ok(())
}
