//! Compiles the services that the tests call.

use std::env;
use std::path::PathBuf;

use zsvc_codegen::{Builder, Error};

fn main() -> Result<(), Error> {
    let out = env::var_os("OUT_DIR").map(PathBuf::from).ok_or(Error::NoOutputFolder)?;
    Builder::new().files(["../../../examples/tape/svc/tape.svc", "svc/probe.svc", "svc/shapes.svc"]).compile()?;
    // Two ages of one schema, each in a folder of its own: their packages have the same name.
    Builder::new().file("svc/old/shop.svc").out_dir(out.join("old")).compile()?;
    Builder::new().file("svc/new/shop.svc").out_dir(out.join("new")).compile()
}
