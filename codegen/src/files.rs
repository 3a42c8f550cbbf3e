//! The file system: reading `.svc` files, and writing generated ones.
//!
//! The one place of this crate that touches it. What is to be read and written, and when, is up to the callers:
//! [`crate::build`] and the command line.

use std::cell::RefCell;
use std::collections::BTreeSet;
use std::fs::{self, File};
use std::io::{self, ErrorKind, Read, Write};
use std::path::Path;

use zsvc_idl::source::MAX_FILE_BYTES;
use zsvc_idl::{LoadError, Loader};

/// Loads `.svc` files from disk, and remembers which ones.
#[derive(Debug, Default)]
pub struct Disk {
    read: RefCell<BTreeSet<String>>,
}

impl Disk {
    /// The paths of all files that were read, in order.
    #[must_use]
    pub fn files_read(&self) -> Vec<String> {
        self.read.borrow().iter().cloned().collect()
    }
}

impl Loader for Disk {
    fn load(&self, path: &str) -> Result<Vec<u8>, LoadError> {
        match read_at_most(path, MAX_FILE_BYTES) {
            Ok(bytes) => {
                self.read.borrow_mut().insert(path.to_owned());
                Ok(bytes)
            }
            Err(error) if error.kind() == ErrorKind::NotFound => Err(LoadError::NotFound),
            Err(error) => Err(LoadError::Unreadable(reason(&error))),
        }
    }
}

/// Reads one byte past the limit, which then says that there are more: a device may have no end.
pub(crate) fn read_at_most(path: &str, limit: usize) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    File::open(path)?.take(limit as u64 + 1).read_to_end(&mut bytes)?;
    Ok(bytes)
}

/// Why something failed, as messages of this project say it: in lower case, without the system's number for it.
#[must_use]
pub fn reason(error: &io::Error) -> String {
    let text = error.to_string();
    let end = text.find(" (os error").unwrap_or(text.len());
    text[..end].to_lowercase()
}

/// How a file on disk compares to what it should hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Freshness {
    /// It holds just that.
    Current,
    /// It holds something else.
    Stale,
    /// There is no such file.
    Missing,
}

/// Compares a file to what it should hold.
pub fn freshness(path: &Path, text: &str) -> io::Result<Freshness> {
    match fs::read(path) {
        Ok(bytes) if bytes == text.as_bytes() => Ok(Freshness::Current),
        Ok(_) => Ok(Freshness::Stale),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(Freshness::Missing),
        Err(error) => Err(error),
    }
}

/// Writes a file, and the folders above it, unless it holds just that already: an unchanged time of change keeps
/// Cargo from building what depends on it.
pub fn update(path: &Path, text: &str) -> io::Result<()> {
    match freshness(path, text)? {
        Freshness::Current => Ok(()),
        Freshness::Stale => replace(path, text),
        Freshness::Missing => {
            path.parent().map_or(Ok(()), fs::create_dir_all)?;
            replace(path, text)
        }
    }
}

/// Writes beside the file and renames, so that nobody ever reads half of it.
fn replace(path: &Path, text: &str) -> io::Result<()> {
    let beside = path.with_extension(format!("{}.tmp", std::process::id()));
    let written = File::create(&beside).and_then(|mut file| file.write_all(text.as_bytes()));
    let replaced = written.and_then(|()| fs::rename(&beside, path));
    if replaced.is_err() {
        // The first error is the one to tell; that the rest of it stays behind is not worth a second.
        let _ = fs::remove_file(&beside);
    }
    replaced
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_unchanged_file_is_left_alone() {
        let folder = tempfile::tempdir().expect("a folder for the test");
        let path = folder.path().join("deep").join("mod.rs");
        update(&path, "text").expect("the first writing");
        let long_ago = std::time::SystemTime::UNIX_EPOCH;
        File::options()
            .append(true)
            .open(&path)
            .and_then(|it| it.set_modified(long_ago))
            .expect("a time set back");
        update(&path, "text").expect("nothing to write");
        assert_eq!(fs::metadata(&path).and_then(|it| it.modified()).expect("its time"), long_ago);
    }

    #[test]
    fn a_changed_file_is_replaced_and_leaves_nothing_beside_it() {
        let folder = tempfile::tempdir().expect("a folder for the test");
        let path = folder.path().join("mod.rs");
        update(&path, "old").expect("the first writing");
        update(&path, "new").expect("the second writing");
        assert_eq!(fs::read_to_string(&path).expect("the file"), "new");
        assert_eq!(fs::read_dir(folder.path()).expect("the folder").count(), 1);
    }

    #[test]
    fn a_folder_is_no_file() {
        let disk = Disk::default();
        let error = disk.load(".").expect_err("a folder");
        assert_eq!(error, LoadError::Unreadable("is a directory".to_owned()));
    }
}
