//! Compiles the services that the tests call.

use std::fmt::Write;
use std::path::PathBuf;
use std::{env, fs};

use zsvc_codegen::Builder;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let out = env::var_os("OUT_DIR").map(PathBuf::from).ok_or("Cargo sets `OUT_DIR`")?;
    Builder::new()
        .file("../../../examples/tape/svc/tape.svc")
        .files(["svc/exchange.svc", "svc/probe.svc", "svc/shapes.svc", "svc/vault.svc"])
        .mocks()
        .compile()?;
    // Two versions of some schemas, each in a file of its own, since their packages have the same names.
    let mut versions = String::new();
    for (version, docs) in [
        ("old", "The older of two versions of one schema."),
        ("new", "The newer of two versions of one schema."),
    ] {
        let folder = out.join(version);
        let files = ["shop", "rows", "branch", "guard", "errors", "ticker"]
            .map(|name| format!("svc/{version}/{name}.svc"));
        Builder::new().files(files).out_dir(&folder).compile()?;
        writeln!(
            versions,
            "/// {docs}\n#[path = \"{}\"]\npub mod {version};",
            folder.join("mod.rs").display()
        )?;
    }
    Ok(fs::write(out.join("versions.rs"), versions)?)
}
