//! What build scripts have in common: which part of a crate is built, and files that are not newer than they must be.

use std::path::Path;
use std::{env, fs, io};

/// Has Cargo build so much of the crate as the variable `BUILD_PART` says: `nothing`, what is `generated`, or, without it, all
/// of it `used`, too. Another value has the build script run again and the crate be built again, and nothing else.
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

/// Writes a file, unless it is there: Cargo would take one that is newer than its build script's last run for changed.
pub fn write(path: &Path, text: &str) -> io::Result<()> {
    if fs::read_to_string(path).is_ok_and(|there| there == text) { Ok(()) } else { fs::write(path, text) }
}
