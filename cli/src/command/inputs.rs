//! The files to read: those that are named, or those of the working folder's project.

use std::io::{self, Read};
use std::path::Path;

use clap::Args;
use zsvc_codegen::{Disk, Project, reason, svc_files};
use zsvc_idl::lint::Levels;
use zsvc_idl::schema::Schema;
use zsvc_idl::source::{MAX_FILE_BYTES, SourceMap};
use zsvc_idl::{Compilation, LoadError, Loader, compile_with};

use super::Outcome;
use super::report::Report;

/// The files to read, and where to look for what they import.
#[derive(Debug, Args)]
pub(crate) struct Inputs {
    /// The .svc files, or folders that hold some; without any, those of the project.
    #[arg(value_name = "FILE")]
    pub(crate) files: Vec<String>,
    /// A folder in which imports are looked for that are not beside the importing file; may be given several times.
    #[arg(short = 'I', long = "include", value_name = "DIR")]
    include: Vec<String>,
}

/// The inputs, with the working folder's project.
pub(crate) struct Setting {
    pub(crate) project: Option<Project>,
    files: Vec<String>,
    /// Include paths: those of the command line, then the folders that are named, then those of the project.
    include: Vec<String>,
    /// The only file to read, if it comes from standard input.
    stdin: Option<Stdin>,
    report: Report,
}

impl Inputs {
    /// Looks for the project.
    pub(crate) fn setting(self, report: Report) -> Result<Setting, Outcome> {
        let project = project(report)?;
        all_there(&self.include, |folder| Path::new(folder).is_dir(), report)?;
        let mut include = self.include;
        include.extend(self.files.iter().filter(|path| Path::new(path).is_dir()).cloned());
        include.extend(project.iter().flat_map(Project::include_paths));
        Ok(Setting { project, files: self.files, include, stdin: None, report })
    }
}

impl Setting {
    /// Takes standard input for the only file, if it is named `-`. Its name in messages, from which its imports are
    /// looked for, is `path`.
    pub(crate) fn with_stdin(mut self, path: Option<String>) -> Result<Self, Outcome> {
        let is_named = self.files.iter().any(|file| file == "-");
        match (is_named, path) {
            (false, None) => Ok(self),
            (false, Some(_)) => {
                let message = "`--stdin-path` is about standard input, which is not named";
                self.report.error(message, "name it as `-`, or leave the option out");
                Err(Outcome::Unusable)
            }
            (true, _) if self.files.len() > 1 => {
                let message = "`-` is standard input, and can't be read together with files";
                self.report.error(message, "run the command once for `-` and once for the files");
                Err(Outcome::Unusable)
            }
            (true, path) => {
                let path = path.unwrap_or_else(|| STDIN.to_owned());
                self.stdin = Some(Stdin { path, bytes: read_stdin(), disk: Disk::default() });
                Ok(self)
            }
        }
    }

    /// Returns the files to read, whether named or the project's.
    pub(crate) fn files(&self) -> Result<Vec<String>, Outcome> {
        if let Some(stdin) = &self.stdin {
            return Ok(vec![stdin.path.clone()]);
        }
        files(&self.files, self.project.as_ref(), self.report)
    }

    /// Returns the levels of lints: those given, overridden by the project's.
    pub(crate) fn levels(&self, levels: Levels) -> Levels {
        match &self.project {
            Some(project) => project.levels(levels),
            None => levels,
        }
    }

    /// Reads files and reports their diagnostics. Returns the schema if there is no error.
    pub(crate) fn compile(&self, files: &[String], levels: &Levels) -> Result<(Schema, SourceMap), Outcome> {
        let compilation = self.read(files, levels);
        self.report.diagnostics(&compilation.diagnostics, &compilation.sources);
        compiled(compilation)
    }

    /// Reads files without reporting.
    pub(crate) fn read(&self, files: &[String], levels: &Levels) -> Compilation {
        match &self.stdin {
            Some(stdin) => compile_with(stdin, files, &self.include, levels),
            None => compile_with(&Disk::default(), files, &self.include, levels),
        }
    }
}

/// Name of standard input in messages.
pub(crate) const STDIN: &str = "<stdin>";

/// Standard input in the place of one file; others are read from disk.
struct Stdin {
    path: String,
    bytes: Result<Vec<u8>, LoadError>,
    disk: Disk,
}

impl Loader for Stdin {
    fn load(&self, path: &str) -> Result<Vec<u8>, LoadError> {
        if path == self.path { self.bytes.clone() } else { self.disk.load(path) }
    }

    /// Returns the identity of the file on disk in whose place it stands, which another file may import.
    fn identity(&self, path: &str) -> Option<String> {
        self.disk.identity(path)
    }
}

/// Reads standard input, at most one byte past the limit of a file.
pub(crate) fn read_stdin() -> Result<Vec<u8>, LoadError> {
    let mut bytes = Vec::new();
    let read = io::stdin().lock().take(MAX_FILE_BYTES as u64 + 1).read_to_end(&mut bytes);
    read.map(|_| bytes).map_err(|error| LoadError::Unreadable(reason(&error)))
}

/// Reports the first include path that is no folder.
pub(crate) fn all_there(
    include: &[String],
    is_folder: impl Fn(&str) -> bool,
    report: Report,
) -> Result<(), Outcome> {
    match include.iter().find(|folder| !is_folder(folder)) {
        None => Ok(()),
        Some(folder) => {
            let help = "`-I` names a folder by its path from the working folder: check its spelling";
            report.error(
                &format!("there is no folder `{folder}`, in which imports are to be looked for"),
                help,
            );
            Err(Outcome::Unusable)
        }
    }
}

/// Returns the schema, if there is one.
pub(crate) fn compiled(compilation: Compilation) -> Result<(Schema, SourceMap), Outcome> {
    let unusable = compilation.has_unreadable_file();
    match compilation {
        Compilation { schema: Some(schema), sources, .. } => Ok((schema, sources)),
        Compilation { schema: None, .. } if unusable => Err(Outcome::Unusable),
        Compilation { schema: None, .. } => Err(Outcome::Wrong),
    }
}

/// Returns the project that the working folder belongs to, if any.
pub(crate) fn project(report: Report) -> Result<Option<Project>, Outcome> {
    Project::find(Path::new(".")).map_err(|wrong| tell(&wrong, report))
}

/// Returns the files at some paths, which may be folders; without paths, those of the project.
pub(crate) fn files(
    paths: &[String],
    project: Option<&Project>,
    report: Report,
) -> Result<Vec<String>, Outcome> {
    if !paths.is_empty() {
        return named(paths, report);
    }
    match project {
        Some(project) => project.files().map_err(|wrong| tell(&wrong, report)),
        None => Err(nothing_named(report)),
    }
}

/// Reports that no files are named and there is no project.
pub(crate) fn nothing_named(report: Report) -> Outcome {
    let message = "no file is named, and there is no `zsvc.toml` here or in a folder above";
    report.error(message, "name the files to read, or write a `zsvc.toml` where your project starts");
    Outcome::Unusable
}

fn named(paths: &[String], report: Report) -> Result<Vec<String>, Outcome> {
    let mut files = Vec::new();
    for path in paths {
        if path == "-" {
            let message = "`-` is standard input, which `zsvc check`, `lint` and `fmt` read";
            report.error(message, "name a file; one of this name is `./-`");
            return Err(Outcome::Unusable);
        }
        if !Path::new(path).is_dir() {
            files.push(path.clone());
            continue;
        }
        let below = svc_files(path).map_err(|error| {
            report.error(&error.to_string(), error.help());
            Outcome::Unusable
        })?;
        if below.is_empty() {
            report.error(&format!("there is no .svc file below `{path}`"), "name another folder, or files");
            return Err(Outcome::Unusable);
        }
        files.extend(below);
    }
    Ok(files)
}

/// Reports what is wrong with a project.
pub(crate) fn tell(wrong: &Compilation, report: Report) -> Outcome {
    report.diagnostics(&wrong.diagnostics, &wrong.sources);
    if wrong.has_unreadable_file() { Outcome::Unusable } else { Outcome::Wrong }
}
