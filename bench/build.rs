//! Generates the services that are measured, from `svc/` and `proto/`. That of Cap'n Proto is checked in, since its compiler
//! is a program to install; that of tarpc is a trait in `src/system/tarpc.rs`.

use std::error::Error;

fn main() -> Result<(), Box<dyn Error>> {
    // `Trade` is that of the example, so that there is one of it.
    zsvc_codegen::Builder::new().files(["svc/echo.svc"]).include("../examples/tape/svc").compile()?;

    println!("cargo::rerun-if-changed=proto");
    let files = protox::compile(["proto/echo.proto"], ["proto"])?;
    // `Bytes` in place of `Vec<u8>` spares a copy of each payload. It is tonic's better side, and the one that is shown.
    tonic_prost_build::configure().bytes(".").compile_fds(files)?;
    Ok(())
}
