//! The files to read: those that are named, or those of the working folder's project.

use std::path::Path;

use clap::Args;
use zsvc_codegen::{Disk, Project, svc_files};
use zsvc_idl::lint::Levels;
use zsvc_idl::schema::Schema;
use zsvc_idl::source::SourceMap;
use zsvc_idl::{Compilation, compile_with};

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
    /// Include paths of the command line, then the project's.
    include: Vec<String>,
    report: Report,
}

impl Inputs {
    /// Looks for the project.
    pub(crate) fn setting(self, report: Report) -> Result<Setting, Outcome> {
        let project = project(report)?;
        let mut include = self.include;
        include.extend(project.iter().flat_map(|project| project.include.iter().cloned()));
        Ok(Setting { project, files: self.files, include, report })
    }
}

impl Setting {
    /// Returns the files to read, whether named or the project's.
    pub(crate) fn files(&self) -> Result<Vec<String>, Outcome> {
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
        compile_with(&Disk::default(), files, &self.include, levels)
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
            let message = "`-` is standard input, which only `zsvc fmt` reads";
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
