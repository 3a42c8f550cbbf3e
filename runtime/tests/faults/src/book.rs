//! [`Book`]: which keys handlers have written down, in a file that outlives them.

use std::collections::BTreeMap;
use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::path::Path;

/// A file of keys, eight bytes each. Several processes may write into one: each key is a single write to its end.
#[derive(Debug)]
pub struct Book {
    file: File,
}

impl Book {
    /// The book at a path, which is made if it is not there.
    ///
    /// # Errors
    /// The file can't be opened for writing.
    pub fn open(path: &Path) -> io::Result<Self> {
        Ok(Self { file: OpenOptions::new().create(true).append(true).open(path)? })
    }

    /// Writes a key down. Once this returns, the death of the process does not undo it.
    ///
    /// # Errors
    /// The file can't be written.
    pub fn write(&self, key: u64) -> io::Result<()> {
        (&self.file).write_all(&key.to_le_bytes())
    }

    /// How often each key stands in the book at a path.
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
