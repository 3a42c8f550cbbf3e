//! Compiles the services that the tests call.

use std::fmt::Write;
use std::path::PathBuf;
use std::{env, fs};

use zsvc_codegen::Builder;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let out = env::var_os("OUT_DIR").map(PathBuf::from).ok_or("Cargo says where output goes")?;
    Builder::new()
        .file("../../../examples/tape/svc/tape.svc")
        .files(["svc/probe.svc", "svc/shapes.svc"])
        .mocks()
        .compile()?;
    // Two versions of some schemas, each in a file of its own, since their packages have the same names.
    let mut ages = String::new();
    for (age, docs) in [("old", "The older of two ages of one schema."), ("new", "The newer of them.")] {
        let folder = out.join(age);
        let files = ["shop", "rows", "branch"].map(|name| format!("svc/{age}/{name}.svc"));
        Builder::new().files(files).out_dir(&folder).compile()?;
        writeln!(ages, "/// {docs}\n#[path = \"{}\"]\npub mod {age};", folder.join("mod.rs").display())?;
    }
    Ok(fs::write(out.join("ages.rs"), ages)?)
}
