//! A project: the settings in its `zsvc.toml`, and its files.
//!
//! The command line and build scripts find it in the same way, upward from where they run. [`read`] reads the file,
//! [`folder`] finds the `.svc` files of a folder. docs/tool.md is the reference of the keys.

mod folder;
mod read;

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use zsvc_idl::Compilation;
use zsvc_idl::diagnostic::{Code, Diagnostic};
use zsvc_idl::lint::{Level, Levels, Rule};
use zsvc_idl::source::{SourceMap, Span};

use crate::files::{read_at_most, reason};
use crate::options::{Options, OptionsError};
use crate::target::Language;

pub use folder::{FolderError, is_taken, svc_files};

/// Name of a project file.
pub const PROJECT_FILE: &str = "zsvc.toml";

/// Size of the largest project file that is read, in bytes. A larger one is an error.
const MAX_BYTES: usize = 1024 * 1024;

/// The settings of a project's `zsvc.toml`. All paths are relative to where the search for it began.
#[derive(Debug)]
pub struct Project {
    /// The path of its `zsvc.toml`.
    pub path: String,
    /// Folders whose `.svc` files belong to the project.
    pub roots: Vec<String>,
    /// Folders that are searched for imports that are not beside the importing file.
    pub include: Vec<String>,
    /// Outputs, in the order of the file.
    pub outputs: Vec<Output>,
    /// What the commands take that talk to a server.
    pub client: Client,
    lint: Vec<(&'static Rule, Level)>,
    /// Place of `roots`, or the start of the file.
    roots_span: Span,
    sources: SourceMap,
}

/// The `[client]` of a project: which server the commands talk to that talk to one.
#[derive(Debug, Default)]
pub struct Client {
    /// The endpoint.
    pub endpoint: Option<String>,
    /// File of the server's public key.
    pub server_key: Option<PathBuf>,
    /// File of the client's own keys.
    pub key: Option<PathBuf>,
}

/// One `[[generate]]` of a project.
#[derive(Debug)]
pub struct Output {
    /// Folder to write the generated files into. `None` for build scripts, which have their own.
    pub out: Option<PathBuf>,
    /// Options of the generated code.
    pub options: Options,
    /// Files and folders; if empty, all files of the project.
    files: Vec<String>,
    /// Place of the entry.
    span: Span,
    /// Place of each type that the options name.
    places: BTreeMap<String, Span>,
}

/// Errors in a project: as for `.svc` files, with diagnostics and without a schema.
pub type Wrong = Compilation;

impl Project {
    /// Looks for a project in a folder and all above it. All mistakes in its file are reported at once.
    pub fn find(from: &Path) -> Result<Option<Self>, Wrong> {
        let Ok(absolute) = std::path::absolute(from) else { return Ok(None) };
        for (steps, ancestor) in absolute.ancestors().enumerate() {
            let folder = shown(from, ancestor, steps);
            let path = format!("{folder}{PROJECT_FILE}");
            match read_at_most(&path, MAX_BYTES) {
                Ok(bytes) => return read::project(&path, &folder, bytes).map(Some),
                Err(error) if is_there(&path, error.kind()) => {
                    return Err(unreadable(&path, &reason(&error)));
                }
                Err(_) => {}
            }
        }
        Ok(None)
    }

    /// Returns the `.svc` files below the roots, in order, each once. It is an error if there are none.
    pub fn files(&self) -> Result<Vec<String>, Wrong> {
        let files = self.below(&self.roots, self.roots_span)?;
        if files.is_empty() {
            let places: Vec<String> = self.roots.iter().map(|root| format!("`{root}`")).collect();
            let message = format!("there is no .svc file below {}", places.join(", "));
            let diagnostic = Diagnostic::new(Code::PROJECT_VALUE, message).at(self.roots_span, "");
            return Err(self.wrong(diagnostic.help("name the folders that hold them: `roots = [\"svc\"]`")));
        }
        Ok(files)
    }

    /// Returns the folders in which imports are looked for: the project's include paths, then its roots.
    pub fn include_paths(&self) -> impl Iterator<Item = String> + '_ {
        self.include.iter().chain(&self.roots).cloned()
    }

    /// Returns the files that an output is generated from.
    pub fn files_of(&self, output: &Output) -> Result<Vec<String>, Wrong> {
        if output.files.is_empty() { self.files() } else { self.below(&output.files, output.span) }
    }

    /// Returns the first output in Rust that is generated from all of these files, and perhaps others; for no files the first.
    pub(crate) fn output_for(&self, files: &[String]) -> Result<Option<&Output>, Wrong> {
        for output in self.outputs.iter().filter(|output| output.options.language == Language::Rust) {
            let own: BTreeSet<PathBuf> = self.files_of(output)?.iter().map(|file| real(file)).collect();
            if files.iter().all(|file| own.contains(&real(file))) {
                return Ok(Some(output));
            }
        }
        Ok(None)
    }

    /// Returns the levels of lints: those given, overridden by the project's.
    #[must_use]
    pub fn levels(&self, mut levels: Levels) -> Levels {
        for (rule, level) in &self.lint {
            levels.set(rule, *level);
        }
        levels
    }

    /// Returns a diagnostic for a wrong option of an output, at its place in the project's file.
    #[must_use]
    pub fn wrong_option(&self, output: &Output, error: &OptionsError) -> Wrong {
        let span = output.places.get(error.name()).copied().unwrap_or(output.span);
        let diagnostic = Diagnostic::new(Code::PROJECT_VALUE, error.message()).at(span, "");
        self.wrong(diagnostic.help(error.help()))
    }

    fn below(&self, paths: &[String], span: Span) -> Result<Vec<String>, Wrong> {
        let mut files = Vec::new();
        for path in paths {
            if Path::new(path).is_dir() {
                files.extend(svc_files(path).map_err(|error| {
                    let diagnostic = Diagnostic::new(Code::UNREADABLE, error.to_string()).at(span, "");
                    self.wrong(diagnostic.help(error.help()))
                })?);
            } else {
                files.push(path.clone());
            }
        }
        files.sort();
        files.dedup();
        Ok(files)
    }

    fn wrong(&self, diagnostic: Diagnostic) -> Wrong {
        wrong(vec![diagnostic], self.sources.clone())
    }
}

fn wrong(diagnostics: Vec<Diagnostic>, sources: SourceMap) -> Wrong {
    Compilation { schema: None, diagnostics, sources }
}

fn unreadable(path: &str, why: &str) -> Wrong {
    let diagnostic = Diagnostic::new(Code::UNREADABLE, format!("`{path}` can't be read: {why}"));
    wrong(vec![diagnostic.help("check its permissions")], SourceMap::default())
}

/// Returns a folder as a prefix of paths: empty if the search began there, else the whole path.
fn shown(from: &Path, ancestor: &Path, steps: usize) -> String {
    if from == Path::new(".") {
        return "../".repeat(steps);
    }
    let told = ancestor.to_string_lossy().replace(std::path::MAIN_SEPARATOR, "/");
    if told.ends_with('/') { told } else { told + "/" }
}

/// Returns an identity of a file that is the same for all its paths.
fn real(path: &str) -> PathBuf {
    fs::canonicalize(path).unwrap_or_else(|_| PathBuf::from(path))
}

/// A file that can't be read is an error. A folder that can't be searched has none.
fn is_there(path: &str, kind: ErrorKind) -> bool {
    !matches!(kind, ErrorKind::NotFound | ErrorKind::NotADirectory) && fs::symlink_metadata(path).is_ok()
}
