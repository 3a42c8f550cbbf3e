//! `zsvc keygen NAME` and `zsvc key show FILE`: the keys of CURVE.

use std::ffi::OsString;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};

use clap::{Args, Subcommand};
use zeroize::Zeroizing;
use zsvc_codegen::reason;
use zsvc_proto::keys::{Certificate, KEY_BYTES, SecretKey};

use super::Outcome;
use super::report::Report;

/// The arguments of `keygen`.
#[derive(Debug, Args)]
pub(crate) struct Keygen {
    /// The name of the files, and of the key, which may have a folder before it: `keys/floor` stands for `keys/floor.key_secret` and
    /// `keys/floor.key`.
    #[arg(value_name = "NAME")]
    name: PathBuf,
}

/// The subcommands of `key`.
#[derive(Debug, Args)]
pub(crate) struct Key {
    #[command(subcommand)]
    command: KeyCommand,
}

#[derive(Debug, Subcommand)]
enum KeyCommand {
    /// Prints the name and the public key in a file, and whether it has a secret key, which is not printed.
    Show {
        /// A file of `zsvc keygen`, of czmq or of pyzmq.
        #[arg(value_name = "FILE")]
        file: PathBuf,
    },
}

/// What the names of both files end in: as those of pyzmq's `zmq.auth`.
const PUBLIC: &str = ".key";
const SECRET: &str = ".key_secret";

/// Maximum number of bytes that are read of a file: one byte more than a certificate may have is too many.
const MAX_READ_BYTES: u64 = 128 * 1024;

impl Keygen {
    /// Creates a pair of keys, and writes both files, or none.
    pub(crate) fn run(self) -> Outcome {
        self.generate().map_or_else(|outcome| outcome, |()| Outcome::Fine)
    }

    fn generate(&self) -> Result<(), Outcome> {
        let Some(name) = self.name.file_name() else {
            let message = format!("`{}` is no name for files", self.name.display());
            return Err(unusable(&message, "give one, for example `keys/floor`"));
        };
        let [public, secret] = [PUBLIC, SECRET].map(|ending| self.with_ending(ending));
        for path in [&public, &secret] {
            if fs::symlink_metadata(path).is_ok() {
                return Err(exists(path));
            }
        }
        let mut bytes = Zeroizing::new([0; KEY_BYTES]);
        getrandom::fill(&mut *bytes).map_err(|error| {
            let message = format!("the system gives no random bytes: {error}");
            unusable(&message, "without them a key could be guessed; try again")
        })?;
        let pair = Certificate::of_pair(SecretKey::from_bytes(&bytes)).named(&name.to_string_lossy());
        let text = pair.secret_text().unwrap_or_default();
        write_new(&secret, text.as_bytes(), 0o600)?;
        write_new(&public, pair.public_text().as_bytes(), 0o644).inspect_err(|_| {
            // Half a pair is of no use, and would be in the way of the next try.
            let _ = fs::remove_file(&secret);
        })?;
        say(&format!(
            "wrote `{}`, for the owner of the key alone, and `{}`, for those who talk to it\npublic key: {}\n",
            secret.display(),
            public.display(),
            pair.public_key()
        ));
        Ok(())
    }

    fn with_ending(&self, ending: &str) -> PathBuf {
        let mut path = OsString::from(&self.name);
        path.push(ending);
        path.into()
    }
}

impl Key {
    pub(crate) fn run(self) -> Outcome {
        let KeyCommand::Show { file } = self.command;
        show(&file).map_or_else(|outcome| outcome, |()| Outcome::Fine)
    }
}

fn show(path: &Path) -> Result<(), Outcome> {
    let (text, is_open_to_others) = read(path).map_err(|error| {
        let message = format!("`{}` can't be read: {}", path.display(), reason(&error));
        unusable(&message, "check the path and who may read it")
    })?;
    let certificate = Certificate::read(&text).map_err(|error| {
        let message = format!("`{}` is no file of keys: {error}", path.display());
        Report::default().error(&message, "name a file of `zsvc keygen`, of czmq or of pyzmq's `zmq.auth`");
        Outcome::Wrong
    })?;
    let name = certificate.name().map(|name| format!("name: {}\n", name.escape_debug()));
    let has = if certificate.secret_key().is_some() { "in the file" } else { "not in the file" };
    say(&format!(
        "{}public key: {}\nsecret key: {has}\n",
        name.unwrap_or_default(),
        certificate.public_key()
    ));
    if certificate.secret_key().is_some() && is_open_to_others {
        let message = format!("others than its owner may read `{}`, which has a secret key", path.display());
        Report::default().error(
            &message,
            &format!("run `chmod 600 {}`; a key that others may have read is to be replaced", path.display()),
        );
        return Err(Outcome::Wrong);
    }
    Ok(())
}

/// Reads a file, and whether others than its owner may.
fn read(path: &Path) -> io::Result<(Zeroizing<Vec<u8>>, bool)> {
    let file = File::open(path)?;
    let metadata = file.metadata()?;
    // All at once: a buffer that grows leaves what it had behind.
    let mut text = Zeroizing::new(Vec::with_capacity(
        usize::try_from(metadata.len().min(MAX_READ_BYTES)).unwrap_or(0) + 1,
    ));
    file.take(MAX_READ_BYTES).read_to_end(&mut text)?;
    Ok((text, is_open_to_others(&metadata)))
}

#[cfg(unix)]
fn is_open_to_others(metadata: &fs::Metadata) -> bool {
    use std::os::unix::fs::PermissionsExt as _;
    metadata.permissions().mode() & 0o077 != 0
}

/// Elsewhere, it is not known by a file's mode.
#[cfg(not(unix))]
fn is_open_to_others(_metadata: &fs::Metadata) -> bool {
    false
}

/// Writes a file that is not there yet, and that those may read who the mode says, where there are modes.
fn write_new(path: &Path, text: &[u8], mode: u32) -> Result<(), Outcome> {
    let mut options = OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, mode);
    #[cfg(not(unix))]
    let _ = mode;
    let written = options.open(path).and_then(|mut file| {
        let written = file.write_all(text).and_then(|()| file.sync_all());
        written.inspect_err(|_| drop(fs::remove_file(path)))
    });
    written.map_err(|error| {
        if error.kind() == io::ErrorKind::AlreadyExists {
            return exists(path);
        }
        let message = format!("`{}` can't be written: {}", path.display(), reason(&error));
        unusable(&message, "check the path and its permissions")
    })
}

fn exists(path: &Path) -> Outcome {
    let message = format!("`{}` is there already, and is not written over", path.display());
    unusable(&message, "choose another name; or remove both files, if nothing uses the key any more")
}

fn unusable(message: &str, help: &str) -> Outcome {
    Report::default().error(message, help);
    Outcome::Unusable
}

/// Prints; a closed standard output is no error, since its reader has read enough.
fn say(text: &str) {
    let _ = io::stdout().write_all(text.as_bytes());
}
