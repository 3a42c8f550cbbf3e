//! Helpers for the build scripts: selecting the part of a crate to build, and writing files without touching
//! unchanged ones.

use std::path::Path;
use std::{env, fs, io};

/// Selects the part of the crate to build from the variable `BUILD_PART`: `nothing`, the `generated` code, or, if it
/// is not set, all of it including what is `used`. A change of the variable makes Cargo run the build script and
/// build the crate again, and nothing else.
pub fn choose_part() {
    println!("cargo:rerun-if-env-changed=BUILD_PART");
    println!("cargo:rustc-check-cfg=cfg(generated, used)");
    let cfgs: &[&str] = match env::var("BUILD_PART").as_deref() {
        Ok("nothing") => &[],
        Ok("generated") => &["generated"],
        _ => &["generated", "used"],
    };
    for cfg in cfgs {
        println!("cargo:rustc-cfg={cfg}");
    }
}

/// Writes a file unless it already has this text: Cargo treats a file that is newer than the last run of its build
/// script as changed.
pub fn write(path: &Path, text: &str) -> io::Result<()> {
    if fs::read_to_string(path).is_ok_and(|there| there == text) { Ok(()) } else { fs::write(path, text) }
}
