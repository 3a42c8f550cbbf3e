//! The languages that code is generated in: one [`Target`] each.
//!
//! A target turns a schema into files, and can't fail: what a user may choose was checked before ([`Options::resolve`]).
//! Rust is a single file, whose modules are the packages ([`crate::generate()`]); Python is a package of modules
//! ([`crate::python`]).
//!
//! [`Options::resolve`]: crate::Options::resolve

use zsvc_idl::schema::Schema;
use zsvc_idl::source::SourceMap;

use crate::options::Choices;
use crate::{Placement, generate, python};

/// A language that code is generated in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Language {
    /// Rust, for the crate `zsvc`.
    #[default]
    Rust,
    /// Python, for the package `zsvc`.
    Python,
}

/// A file that was generated.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GeneratedFile {
    /// The path below the output folder, with `/` between its parts.
    pub path: String,
    /// The text.
    pub text: String,
}

/// What makes files of a schema.
trait Target {
    fn files(&self, schema: &Schema, choices: &Choices, sources: &SourceMap) -> Vec<GeneratedFile>;
}

struct Rust;

impl Target for Rust {
    fn files(&self, schema: &Schema, choices: &Choices, sources: &SourceMap) -> Vec<GeneratedFile> {
        let text = generate(schema, choices, sources, Placement::Module);
        vec![GeneratedFile { path: "mod.rs".to_owned(), text }]
    }
}

struct Python;

impl Target for Python {
    fn files(&self, schema: &Schema, choices: &Choices, sources: &SourceMap) -> Vec<GeneratedFile> {
        python::files(schema, choices.sides(), sources)
    }
}

impl Language {
    /// All languages, in the order in which messages list them.
    pub const ALL: [Self; 2] = [Self::Rust, Self::Python];

    /// Returns the name, as options have it.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Rust => "rust",
            Self::Python => "python",
        }
    }

    /// Returns the language with a name.
    #[must_use]
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|language| language.name() == name)
    }

    fn target(self) -> &'static dyn Target {
        match self {
            Self::Rust => &Rust,
            Self::Python => &Python,
        }
    }
}

/// Returns the files of a schema in the language that was chosen, in the order of their paths.
#[must_use]
pub fn generate_files(schema: &Schema, choices: &Choices, sources: &SourceMap) -> Vec<GeneratedFile> {
    choices.language().target().files(schema, choices, sources)
}
