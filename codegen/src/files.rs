//! The file system: reading `.svc` files, and writing generated ones.
//!
//! The only module of this crate that accesses it. The callers decide what is read and written, and when:
//! [`crate::build`] and the command line.

use std::cell::RefCell;
use std::collections::BTreeSet;
use std::fs::{self, File, Permissions};
use std::io::{self, ErrorKind, Read, Write};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};

use zsvc_idl::source::MAX_FILE_BYTES;
use zsvc_idl::{LoadError, Loader};

/// Loads `.svc` files from disk, and records their paths.
#[derive(Debug, Default)]
pub struct Disk {
    read: RefCell<BTreeSet<String>>,
    missed: RefCell<BTreeSet<String>>,
}

impl Disk {
    /// Returns the paths of all files that were read, in order.
    #[must_use]
    pub fn files_read(&self) -> Vec<String> {
        self.read.borrow().iter().cloned().collect()
    }

    /// Returns the paths at which there was no file, in order.
    #[must_use]
    pub fn files_missed(&self) -> Vec<String> {
        self.missed.borrow().iter().cloned().collect()
    }
}

impl Loader for Disk {
    fn load(&self, path: &str) -> Result<Vec<u8>, LoadError> {
        match read_at_most(path, MAX_FILE_BYTES) {
            Ok(bytes) => {
                self.read.borrow_mut().insert(path.to_owned());
                Ok(bytes)
            }
            Err(error) if error.kind() == ErrorKind::NotFound => {
                self.missed.borrow_mut().insert(path.to_owned());
                Err(LoadError::NotFound)
            }
            Err(error) => Err(LoadError::Unreadable(reason(&error))),
        }
    }

    /// Returns the absolute path with links resolved. Where that is not UTF-8, paths are compared as written.
    fn identity(&self, path: &str) -> Option<String> {
        fs::canonicalize(path).ok()?.into_os_string().into_string().ok()
    }
}

/// Reads at most one byte past the limit, which shows that the file is longer: a device may have no end.
pub(crate) fn read_at_most(path: &str, limit: usize) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    File::open(path)?.take(limit as u64 + 1).read_to_end(&mut bytes)?;
    Ok(bytes)
}

/// Returns why an operation failed, as messages of this project say it: in lower case, without the error number.
#[must_use]
pub fn reason(error: &io::Error) -> String {
    let text = error.to_string();
    let end = text.find(" (os error").unwrap_or(text.len());
    text[..end].to_lowercase()
}

/// How a file on disk compares to what it should hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Freshness {
    /// The file holds exactly that.
    Current,
    /// The file holds something else.
    Stale,
    /// There is no such file.
    Missing,
}

/// Compares a file with the text that it should hold.
pub fn freshness(path: &Path, text: &str) -> io::Result<Freshness> {
    match fs::read(path) {
        Ok(bytes) if bytes == text.as_bytes() => Ok(Freshness::Current),
        Ok(_) => Ok(Freshness::Stale),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(Freshness::Missing),
        Err(error) => Err(error),
    }
}

/// Writes a file, and creates the folders above it, unless it already holds the text: an unchanged modification time
/// keeps Cargo from rebuilding what depends on it.
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

/// Writes beside the file and renames, so that no reader sees half of it, and the old file stays if that fails. A link
/// stays a link: its target is replaced. Permissions are kept.
fn replace(path: &Path, text: &str) -> io::Result<()> {
    let real = match fs::canonicalize(path) {
        Err(error) if error.kind() == ErrorKind::NotFound => path.to_owned(),
        real => real?,
    };
    let permissions = match fs::metadata(&real) {
        Err(error) if error.kind() == ErrorKind::NotFound => None,
        metadata => Some(metadata?.permissions()),
    };
    // Renaming requires a writable folder only, so the file's own permissions are checked here.
    if permissions.as_ref().is_some_and(Permissions::readonly) {
        return Err(io::Error::new(ErrorKind::PermissionDenied, "it is read-only"));
    }
    let (beside, file) = create_beside(&real)?;
    let replaced = write(file, text, permissions).and_then(|()| fs::rename(&beside, &real));
    if replaced.is_err() {
        // The first error is reported; that the temporary file stays behind is not worth a second.
        let _ = fs::remove_file(&beside);
    }
    replaced
}

/// Creates a file with a hidden name in the same folder, so that renaming never crosses file systems. The name is short,
/// however long that of the file; an existing file or link of that name is not touched.
fn create_beside(path: &Path) -> io::Result<(PathBuf, File)> {
    static NEXT: AtomicU32 = AtomicU32::new(0);
    loop {
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        let beside = path.with_file_name(format!(".zsvc-{}-{number}.tmp", std::process::id()));
        match File::create_new(&beside) {
            Err(error) if error.kind() == ErrorKind::AlreadyExists => {}
            created => return created.map(|file| (beside, file)),
        }
    }
}

/// Writes the text and syncs it: the name must not lead to an empty file after a power failure.
fn write(mut file: File, text: &str, permissions: Option<Permissions>) -> io::Result<()> {
    file.write_all(text.as_bytes())?;
    permissions.map_or(Ok(()), |permissions| file.set_permissions(permissions))?;
    file.sync_all()
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

    #[cfg(unix)]
    #[test]
    fn a_link_stays_one_and_permissions_stay() {
        use std::os::unix::fs::PermissionsExt;
        let folder = tempfile::tempdir().expect("a folder for the test");
        let (path, link) = (folder.path().join("real.rs"), folder.path().join("link.rs"));
        update(&path, "old").expect("the first writing");
        fs::set_permissions(&path, Permissions::from_mode(0o640)).expect("permissions set");
        std::os::unix::fs::symlink(&path, &link).expect("a link");
        update(&link, "new").expect("the second writing");
        assert!(fs::symlink_metadata(&link).expect("the link").is_symlink());
        assert_eq!(fs::read_to_string(&path).expect("the file"), "new");
        let mode = fs::metadata(&path).expect("the file").permissions().mode();
        assert_eq!(mode & 0o777, 0o640);
    }

    #[test]
    fn the_longest_name_can_be_written() {
        let folder = tempfile::tempdir().expect("a folder for the test");
        let path = folder.path().join("a".repeat(251) + ".svc");
        update(&path, "old").expect("the first writing");
        update(&path, "new").expect("the second writing");
        assert_eq!(fs::read_to_string(&path).expect("the file"), "new");
    }

    #[test]
    fn a_read_only_file_stays_as_it_is() {
        let folder = tempfile::tempdir().expect("a folder for the test");
        let path = folder.path().join("mod.rs");
        update(&path, "old").expect("the first writing");
        let mut permissions = fs::metadata(&path).expect("the file").permissions();
        permissions.set_readonly(true);
        fs::set_permissions(&path, permissions).expect("permissions set");
        let error = update(&path, "new").expect_err("a read-only file");
        assert_eq!(reason(&error), "it is read-only");
        assert_eq!(fs::read_to_string(&path).expect("the file"), "old");
        assert_eq!(fs::read_dir(folder.path()).expect("the folder").count(), 1);
    }

    #[cfg(unix)]
    #[test]
    fn a_link_leads_to_the_same_file() {
        let folder = tempfile::tempdir().expect("a folder for the test");
        let (real, link) = (folder.path().join("real.svc"), folder.path().join("link.svc"));
        update(&real, "package real;").expect("a file");
        std::os::unix::fs::symlink(&real, &link).expect("a link to it");
        let identity = |path: &Path| Disk::default().identity(path.to_str().expect("text"));
        assert!(identity(&real).is_some());
        assert_eq!(identity(&real), identity(&link));
        assert_eq!(identity(&folder.path().join("gone.svc")), None);
    }

    #[test]
    fn a_folder_is_no_file() {
        let disk = Disk::default();
        let error = disk.load(".").expect_err("a folder");
        assert_eq!(error, LoadError::Unreadable("is a directory".to_owned()));
    }
}
