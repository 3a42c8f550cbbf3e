//! Writes the service as a `.proto` file and compiles it, as the build script of a user does.

use std::error::Error;
use std::path::PathBuf;

use schema_200::{Schema, choose_part, write};

fn main() -> Result<(), Box<dyn Error>> {
    choose_part();
    let out = PathBuf::from(std::env::var("OUT_DIR")?);
    let schema = Schema::fleet();
    write(&out.join("fleet.proto"), &schema.to_proto())?;
    write(&out.join("used.rs"), &schema.to_tonic_use())?;
    let files = protox::compile(["fleet.proto"], [&out])?;
    tonic_prost_build::configure().compile_fds(files)?;
    Ok(())
}
