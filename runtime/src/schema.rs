//! [`ServiceSchema`]: the schema of a service as text, which generated code carries along. How it is told to peers is in
//! [`crate::reflection`].

use std::fmt;

/// A file of a schema in the canonical format. See [`ServiceSchema::files`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SchemaFile {
    path: &'static str,
    text: &'static str,
}

impl SchemaFile {
    /// Creates a file from its path and its text.
    #[must_use]
    pub const fn new(path: &'static str, text: &'static str) -> Self {
        Self { path, text }
    }

    /// Returns the path: the parts of the package's name and that of the file, with `/` between them, as `market/v1/tape.svc`.
    #[must_use]
    pub const fn path(&self) -> &'static str {
        self.path
    }

    /// Returns the text. Its imports are relative to the folder of the file.
    #[must_use]
    pub const fn text(&self) -> &'static str {
        self.text
    }
}

/// The schema that the code of a service was generated from.
pub struct ServiceSchema {
    service: &'static str,
    /// All files of the generated code.
    files: &'static [SchemaFile],
    /// Indices of those that the service needs, its own first.
    needed: &'static [usize],
    fingerprint: u128,
}

impl ServiceSchema {
    /// Creates the schema of a service by its full name: the files that generated code has, the indices of those that it needs, and
    /// their fingerprint.
    #[must_use]
    pub const fn new(
        service: &'static str,
        files: &'static [SchemaFile],
        needed: &'static [usize],
        fingerprint: u128,
    ) -> Self {
        Self { service, files, needed, fingerprint }
    }

    /// Returns the full name of the service: `market.v1.Tape`.
    #[must_use]
    pub const fn service(&self) -> &'static str {
        self.service
    }

    /// Returns the files that the service needs: its own first, then those that it imports, directly or not. Together they compile.
    pub fn files(&self) -> impl Iterator<Item = &'static SchemaFile> {
        self.needed.iter().filter_map(|index| self.files.get(*index))
    }

    /// Returns a number that is the same for two schemas only if their files are the same. It proves nothing about who wrote them.
    #[must_use]
    pub const fn fingerprint(&self) -> [u8; 16] {
        self.fingerprint.to_be_bytes()
    }
}

impl fmt::Debug for ServiceSchema {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let files: Vec<&str> = self.files().map(SchemaFile::path).collect();
        f.debug_struct("ServiceSchema")
            .field("service", &self.service)
            .field("files", &files)
            .finish_non_exhaustive()
    }
}

/// What has a schema: a generated client.
pub trait HasSchema {
    /// Returns the schema that the code was generated from.
    fn schema() -> &'static ServiceSchema;
}
