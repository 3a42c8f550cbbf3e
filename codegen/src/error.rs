//! Why a build script's run of the generator failed.

use std::fmt;
use std::io;
use std::path::PathBuf;

use crate::files;
use crate::options::OptionsError;

/// Why no code was generated. Its `Debug` output is its `Display` output, so that a `main` that returns it prints it
/// readably in Cargo's output.
pub enum Error {
    /// The `.svc` files have errors.
    Schema {
        /// All errors with their lines, as `zsvc check` prints them.
        rendered: String,
    },
    /// The project's `zsvc.toml`, or a file or folder that it names, is wrong.
    Project {
        /// All errors with their lines, as `zsvc check` prints them.
        rendered: String,
    },
    /// The options do not fit the files.
    Options(OptionsError),
    /// A folder in which imports are to be looked for does not exist.
    NoSuchInclude {
        /// The folder, as the builder has it.
        folder: PathBuf,
    },
    /// No output folder was given, and Cargo has not set `OUT_DIR`.
    NoOutputFolder,
    /// The generated file cannot be written.
    Write {
        /// Where to.
        path: PathBuf,
        /// Why not.
        reason: io::Error,
    },
}

impl fmt::Display for Error {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Schema { rendered } => write!(formatter, "the `.svc` files have errors\n\n{rendered}"),
            Self::Project { rendered } => write!(formatter, "the project has errors\n\n{rendered}"),
            Self::Options(error) => error.fmt(formatter),
            Self::NoSuchInclude { folder } => write!(
                formatter,
                "there is no folder `{}`, in which imports are to be looked for: its path starts at the folder of `Cargo.toml`",
                folder.display()
            ),
            Self::NoOutputFolder => formatter.write_str(
                "there is no folder to write to: call this from a build script, or give one with `out_dir`",
            ),
            Self::Write { path, reason } => {
                write!(formatter, "`{}` can't be written: {}", path.display(), files::reason(reason))
            }
        }
    }
}

impl fmt::Debug for Error {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, formatter)
    }
}

impl std::error::Error for Error {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Write { reason, .. } => Some(reason),
            Self::Schema { .. }
            | Self::Project { .. }
            | Self::Options(_)
            | Self::NoSuchInclude { .. }
            | Self::NoOutputFolder => None,
        }
    }
}
