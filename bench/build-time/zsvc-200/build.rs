//! Writes the service as a `.svc` file and compiles it, as the build script of a user does.

use std::error::Error;
use std::path::PathBuf;

use schema_200::{Schema, choose_part, write};

fn main() -> Result<(), Box<dyn Error>> {
    choose_part();
    let out = PathBuf::from(std::env::var("OUT_DIR")?);
    let schema = Schema::fleet();
    write(&out.join("fleet.svc"), &schema.to_svc())?;
    write(&out.join("used.rs"), &schema.to_zsvc_use())?;
    zsvc_codegen::compile(out.join("fleet.svc"))?;
    Ok(())
}
