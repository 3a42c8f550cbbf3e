//! Generates the measured services from `svc/` and `proto/`. The code for Cap'n Proto is checked in, since its
//! compiler is a program that must be installed; the service for tarpc is a trait in `src/system/tarpc.rs`.

use std::env;
use std::error::Error;
use std::path::PathBuf;

fn main() -> Result<(), Box<dyn Error>> {
    // `Trade` comes from the example, so that it is defined only once.
    zsvc_codegen::Builder::new()
        .files(["svc/echo.svc", "svc/ticks.svc"])
        .include("../examples/tape/svc")
        .compile()?;

    // One service three times, for the command `shared`.
    let out = PathBuf::from(env::var_os("OUT_DIR").ok_or("Cargo sets it for build scripts")?);
    let shared = || zsvc_codegen::Builder::new().file("svc/shared.svc").include("../examples/bank-types/svc");
    shared().out_dir(out.join("own")).compile()?;
    shared().extern_package("money.v1", "::bank_types").out_dir(out.join("imported")).compile()?;
    shared()
        .replace("money.v1.Amount", "::bank_types::money::v1::Amount")
        .replace("money.v1.Currency", "::bank_types::money::v1::Currency")
        .out_dir(out.join("replaced"))
        .compile()?;

    println!("cargo::rerun-if-changed=proto");
    let files = protox::compile(["proto/echo.proto"], ["proto"])?;
    // `Bytes` in place of `Vec<u8>` saves a copy of each payload. The faster variant of tonic is the one to compare
    // with.
    tonic_prost_build::configure().bytes(".").compile_fds(files)?;
    Ok(())
}
