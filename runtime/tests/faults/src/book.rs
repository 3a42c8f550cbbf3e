//! [`Book`]: the keys that handlers have written, in a file that outlives the process.

use std::collections::BTreeMap;
use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::path::Path;

/// A file of keys of 8 bytes. Several processes may append to one file: each key is a single write to its end.
#[derive(Debug)]
pub struct Book {
    file: File,
}

impl Book {
    /// Opens the book at a path. Creates the file if it does not exist.
    ///
    /// # Errors
    /// The file can't be opened for writing.
    pub fn open(path: &Path) -> io::Result<Self> {
        Ok(Self { file: OpenOptions::new().create(true).append(true).open(path)? })
    }

    /// Writes a key. Once this returns, the death of the process does not undo it.
    ///
    /// # Errors
    /// The file can't be written.
    pub fn write(&self, key: u64) -> io::Result<()> {
        (&self.file).write_all(&key.to_le_bytes())
    }

    /// Returns how often each key occurs in the book at a path.
    ///
    /// # Errors
    /// The file can't be read.
    pub fn read(path: &Path) -> io::Result<BTreeMap<u64, usize>> {
        let bytes = std::fs::read(path)?;
        let mut keys = BTreeMap::new();
        for key in bytes.as_chunks::<8>().0 {
            *keys.entry(u64::from_le_bytes(*key)).or_default() += 1;
        }
        Ok(keys)
    }
}
