//! Schemas that a server has sent: `.svc` files, compiled in memory and within bounds.
//!
//! A server may be hostile, or not be one of zsvc at all. Its files are held to the rules of the language as those of a disk are, so that
//! cycles and names that are none are refused there; here is the bound on how many and how large they are.

use std::fmt;

use zsvc_idl::diagnostic::{Severity, brief};
use zsvc_idl::schema::Schema;
use zsvc_idl::source::SourceMap;
use zsvc_idl::{Compilation, MemoryLoader};

/// Maximum number of files of a server's schema.
pub const MAX_FILES: usize = 4_096;

/// Maximum size of all files of a server's schema, in bytes.
pub const MAX_BYTES: usize = 32 * 1024 * 1024;

/// Number of errors in a server's schema that are told.
const MAX_ERRORS: usize = 5;

/// Why a server's schema is not used.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Refused {
    /// The server has sent no file.
    Empty,
    /// The files are more, or larger, than they may be.
    TooLarge {
        /// Number of files that were sent.
        files: usize,
        /// Sum of their sizes in bytes.
        bytes: usize,
    },
    /// The files are no schema: the first errors in them, one line each.
    Wrong(Vec<String>),
}

impl fmt::Display for Refused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Empty => f.write_str("the server's schema has no files"),
            Self::TooLarge { files, bytes } => write!(
                f,
                "the server's schema has {files} files of {bytes} bytes together, and up to {MAX_FILES} files of {MAX_BYTES} bytes \
                 are read"
            ),
            Self::Wrong(errors) => {
                f.write_str("the server's schema is wrong")?;
                errors.iter().try_for_each(|error| write!(f, "\n  {}", error.escape_debug()))
            }
        }
    }
}

impl std::error::Error for Refused {}

/// Compiles the files that a server has sent, given by their paths and texts. Imports are looked for among these alone.
///
/// # Errors
/// They are past the bounds, or break a rule of the language.
pub fn compile(files: impl IntoIterator<Item = (String, String)>) -> Result<(Schema, SourceMap), Refused> {
    let mut loader = MemoryLoader::default();
    let (mut paths, mut bytes) = (Vec::new(), 0_usize);
    for (path, text) in files {
        bytes = bytes.saturating_add(path.len()).saturating_add(text.len());
        if paths.len() == MAX_FILES || bytes > MAX_BYTES {
            return Err(Refused::TooLarge { files: paths.len() + 1, bytes });
        }
        loader = loader.with(path.clone(), text);
        paths.push(path);
    }
    if paths.is_empty() {
        return Err(Refused::Empty);
    }
    match zsvc_idl::compile(&loader, &paths, &[]) {
        Compilation { schema: Some(schema), sources, .. } => Ok((schema, sources)),
        failed => Err(Refused::Wrong(errors(&failed))),
    }
}

fn errors(failed: &Compilation) -> Vec<String> {
    let errors = failed.diagnostics.iter().filter(|diagnostic| diagnostic.severity() == Severity::Error);
    errors.take(MAX_ERRORS).map(|diagnostic| brief(diagnostic, &failed.sources)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file(path: &str, text: &str) -> (String, String) {
        (path.to_owned(), text.to_owned())
    }

    #[test]
    fn files_find_each_other() {
        let files = [
            file("svc/a.svc", "package a.v1; import \"b.svc\" as b; service A { rpc m() -> b.T; }"),
            file("svc/b.svc", "package b.v1; struct T { n: u8 = 1; }"),
        ];
        let (schema, _) = compile(files).expect("a schema");
        assert_eq!(schema.packages.len(), 2);
    }

    #[test]
    fn what_is_wrong_is_told_in_a_few_lines() {
        for (files, reason) in [
            (vec![], "no files"),
            (vec![file("a.svc", "package a.v1; import \"/etc/passwd\" as b;")], "a.svc:1"),
            (
                vec![
                    file("a.svc", "package a.v1; import \"b.svc\" as b; struct A { b: b.B = 1; }"),
                    file("b.svc", "package b.v1; import \"a.svc\" as a; struct B { a: a.A = 1; }"),
                ],
                "a.svc",
            ),
            (vec![file("a.svc", "package a.v1; struct S { s: S = 1; }")], "a.svc:1"),
            (vec![file("a.svc", "package a.v1; struct S { n\u{1b}[31m: u8 = 1; }")], "a.svc:1"),
            (vec![file("a.svc", "<html></html>")], "a.svc:1"),
            (vec![file("a\u{1b}[2J.svc", "nonsense")], "expected a declaration"),
        ] {
            let told = compile(files).expect_err(reason).to_string();
            assert!(told.contains(reason) && !told.contains('\u{1b}') && told.lines().count() <= 6, "{told}");
        }
    }

    #[test]
    fn too_many_files_and_bytes_are_refused_before_they_are_read() {
        let many = (0..=MAX_FILES).map(|number| (format!("{number}.svc"), String::new()));
        assert!(matches!(compile(many), Err(Refused::TooLarge { files: 4_097, .. })));
        let large = [file("a.svc", &" ".repeat(MAX_BYTES))];
        assert!(matches!(compile(large), Err(Refused::TooLarge { files: 1, .. })));
    }
}
