//! `router.toml`: the configuration of a router as a file. All mistakes are told at once, each with its place, but for those of syntax,
//! since others follow from them. `docs/router.md` is the reference of the keys.

mod known;
mod mistake;
mod reader;
mod rules;
mod values;
mod workers;

use std::fs::File;
use std::io::Read as _;
use std::path::{Path, PathBuf};

pub use mistake::{FileError, Mistake};

use crate::config::Config;

/// Name of the file that is read where none is given.
pub const DEFAULT_FILE: &str = "router.toml";

/// Maximum size of a configuration file in bytes.
const MAX_FILE_BYTES: u64 = 1024 * 1024;

/// Reads a configuration file, and the key, access and schema files that it names.
///
/// # Errors
/// The file can't be read, or something in it is wrong: then all that is.
pub fn read(path: &Path) -> Result<Config, FileError> {
    let unreadable = |why| FileError::Unreadable { path: path.to_owned(), why };
    let mut bytes = Vec::new();
    let file = File::open(path).map_err(unreadable)?;
    file.take(MAX_FILE_BYTES + 1).read_to_end(&mut bytes).map_err(unreadable)?;
    if bytes.len() as u64 > MAX_FILE_BYTES {
        let why = format!("it has more than {MAX_FILE_BYTES} bytes");
        return Err(unreadable(std::io::Error::new(std::io::ErrorKind::InvalidData, why)));
    }
    let text = String::from_utf8(bytes)
        .map_err(|error| unreadable(std::io::Error::new(std::io::ErrorKind::InvalidData, error)))?;
    parse(path, &text)
}

/// Reads a configuration from a text. Paths in it are relative to the folder of `path`.
///
/// # Errors
/// As for [`read`].
pub fn parse(path: &Path, text: &str) -> Result<Config, FileError> {
    let folder: PathBuf = path.parent().unwrap_or(Path::new("")).to_owned();
    let config = reader::config(text, &folder);
    let config = config.map_err(|mistakes| FileError::Wrong { path: path.to_owned(), mistakes })?;
    Ok(config.named_in(path.to_owned()))
}

#[cfg(test)]
mod tests;
