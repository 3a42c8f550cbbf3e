//! Finds the `.svc` files in a folder and the folders below it.

use std::collections::BTreeSet;
use std::ffi::OsStr;
use std::fmt;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use crate::files::reason;

/// Most entries of folders that a search reads. Past it the search fails: most likely another folder was meant.
const MAX_ENTRIES: usize = 1_000_000;

/// Why the files of a folder could not be found.
#[derive(Debug)]
pub enum FolderError {
    /// A folder or one of its entries can't be read.
    Unreadable {
        /// Which.
        path: String,
        /// Why.
        why: String,
    },
    /// There are too many entries in it.
    TooMuch {
        /// The folder that was to be searched.
        folder: String,
        /// Number of entries that were read.
        most: usize,
    },
}

/// Returns the paths of all `.svc` files in a folder and those below it, in order.
///
/// Names that start with a dot and folders called `target` are skipped. Links are followed, into each folder once, so
/// that a link to a folder above ends the search there; broken links are skipped.
pub fn svc_files(folder: &str) -> Result<Vec<String>, FolderError> {
    svc_files_among(folder, MAX_ENTRIES)
}

fn svc_files_among(folder: &str, most: usize) -> Result<Vec<String>, FolderError> {
    let (seen, found, left) = (BTreeSet::new(), Vec::new(), Vec::new());
    let mut search = Search { folder, most, entries: 0, seen, found, left };
    search.enter(folder.to_owned());
    while let Some(next) = search.left.pop() {
        search.read(&next)?;
    }
    search.found.sort();
    Ok(search.found)
}

struct Search<'a> {
    folder: &'a str,
    /// Number of entries that may be read, and of those that were.
    most: usize,
    entries: usize,
    /// Canonical paths of the folders that were read.
    seen: BTreeSet<PathBuf>,
    found: Vec<String>,
    left: Vec<String>,
}

impl Search<'_> {
    fn enter(&mut self, path: String) {
        // If a folder has no canonical path, reading it tells why.
        let is_new = fs::canonicalize(&path).map_or(true, |real| self.seen.insert(real));
        if is_new {
            self.left.push(path);
        }
    }

    fn read(&mut self, path: &str) -> Result<(), FolderError> {
        let unreadable =
            |error: io::Error| FolderError::Unreadable { path: path.to_owned(), why: reason(&error) };
        let mut names = Vec::new();
        for entry in fs::read_dir(path).map_err(unreadable)? {
            self.entries += 1;
            if self.entries > self.most {
                return Err(FolderError::TooMuch { folder: self.folder.to_owned(), most: self.most });
            }
            names.push(entry.map_err(unreadable)?.file_name());
        }
        // Sorted, so that of two links to one folder the same is taken each time. A stack: last in, first out.
        names.sort_by(|one, other| other.cmp(one));
        for name in names {
            // Paths of the language are text; a name that is not UTF-8 can't be imported.
            let Some(name) = name.to_str().filter(|name| !is_hidden(name)) else { continue };
            let child =
                if path.is_empty() || path == "." { name.to_owned() } else { format!("{path}/{name}") };
            self.take(child, name);
        }
        Ok(())
    }

    fn take(&mut self, path: String, name: &str) {
        match fs::metadata(&path) {
            Ok(metadata) if metadata.is_dir() && !is_built(name) => self.enter(path),
            Ok(metadata) if !metadata.is_dir() && is_svc(name) => self.found.push(path),
            _ => {}
        }
    }
}

/// Reports whether [`svc_files`] of a folder finds a file, by its path from that folder.
#[must_use]
pub fn is_taken(below: &Path) -> bool {
    let names: Option<Vec<&str>> = below.iter().map(OsStr::to_str).collect();
    let Some((file, folders)) = names.as_deref().and_then(<[&str]>::split_last) else { return false };
    is_svc(file) && !is_hidden(file) && !folders.iter().any(|folder| is_hidden(folder) || is_built(folder))
}

fn is_hidden(name: &str) -> bool {
    name.starts_with('.')
}

/// Name of Cargo's target folder.
fn is_built(folder: &str) -> bool {
    folder == "target"
}

fn is_svc(name: &str) -> bool {
    Path::new(name).extension().is_some_and(|extension| extension == "svc")
}

impl FolderError {
    /// Returns what to do about it.
    #[must_use]
    pub fn help(&self) -> &'static str {
        match self {
            Self::Unreadable { .. } => "check the path and its permissions",
            Self::TooMuch { .. } => "name the folders that hold the .svc files",
        }
    }
}

impl fmt::Display for FolderError {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unreadable { path, why } => write!(formatter, "`{path}` can't be read: {why}"),
            Self::TooMuch { folder, most } => {
                write!(formatter, "`{folder}` holds more than {most} files and folders")
            }
        }
    }
}

impl std::error::Error for FolderError {}

#[cfg(test)]
mod tests {
    use super::*;

    /// Makes files below a fresh folder, and finds those that are `.svc`.
    fn found(files: &[&str], prepare: impl Fn(&std::path::Path)) -> Vec<String> {
        let folder = tempfile::tempdir().expect("a folder for the test");
        for file in files {
            let path = folder.path().join(file);
            fs::create_dir_all(path.parent().expect("it is below the folder")).expect("a folder below");
            fs::write(path, "").expect("a file");
        }
        prepare(folder.path());
        let root = folder.path().to_str().expect("a path that is text").to_owned();
        let found = svc_files(&root).expect("a folder that can be read");
        found.iter().map(|path| path[root.len() + 1..].to_owned()).collect()
    }

    #[test]
    fn files_are_found_in_order_but_not_hidden_or_built_ones() {
        let files = [
            "b.svc",
            "a/z.svc",
            "a/a.svc",
            "a/b.txt",
            ".git/x.svc",
            "target/x.svc",
            ".h.svc",
            "a/target.svc",
        ];
        let expected = ["a/a.svc", "a/target.svc", "a/z.svc", "b.svc"];
        assert_eq!(found(&files, |_| ()), expected);
        let mut taken: Vec<&str> = files.into_iter().filter(|file| is_taken(Path::new(file))).collect();
        taken.sort_unstable();
        assert_eq!(taken, expected);
    }

    #[cfg(unix)]
    #[test]
    fn a_circle_of_links_ends() {
        use std::os::unix::fs::symlink;
        let found = found(&["a/a.svc"], |folder| {
            symlink("..", folder.join("a/up")).expect("a link");
            symlink("nowhere", folder.join("a/gone.svc")).expect("a link");
            symlink("a.svc", folder.join("a/b.svc")).expect("a link");
        });
        assert_eq!(found, ["a/a.svc", "a/b.svc"]);
    }

    #[test]
    fn a_folder_of_too_much_is_given_up() {
        let folder = tempfile::tempdir().expect("a folder for the test");
        for name in ["a.svc", "b.txt", "c.txt"] {
            fs::write(folder.path().join(name), "").expect("a file");
        }
        let root = folder.path().to_str().expect("a path that is text");
        assert_eq!(svc_files_among(root, 3).expect("just as many as may be").len(), 1);
        let error = svc_files_among(root, 2).expect_err("one too many");
        assert_eq!(error.to_string(), format!("`{root}` holds more than 2 files and folders"));
    }

    #[test]
    fn a_folder_that_is_not_there_says_so() {
        let error = svc_files("no/such/folder").expect_err("there is none");
        assert_eq!(error.to_string(), "`no/such/folder` can't be read: no such file or directory");
    }
}
