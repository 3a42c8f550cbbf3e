//! Which files to read: those that are named, or those of the project that the working folder belongs to.

use std::path::Path;

use clap::Args;
use zsvc_codegen::{Disk, Project, svc_files};
use zsvc_idl::lint::Levels;
use zsvc_idl::schema::Schema;
use zsvc_idl::source::SourceMap;
use zsvc_idl::{Compilation, compile_with};

use super::Outcome;
use super::report::Report;

/// Which files to read, and where to look for what they import.
#[derive(Debug, Args)]
pub(crate) struct Inputs {
    /// The .svc files, or folders that hold some; without any, those of the project.
    #[arg(value_name = "FILE")]
    pub(crate) files: Vec<String>,
    /// A folder in which imports are looked for that are not beside the importing file; may be given several times.
    #[arg(short = 'I', long = "include", value_name = "DIR")]
    include: Vec<String>,
}

/// The inputs, once the project is known that the working folder belongs to.
pub(crate) struct Setting {
    pub(crate) project: Option<Project>,
    files: Vec<String>,
    /// Those of the command line, then the project's.
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
    /// The files that are meant, whether named or the project's.
    pub(crate) fn files(&self) -> Result<Vec<String>, Outcome> {
        files(&self.files, self.project.as_ref(), self.report)
    }

    /// The levels of lints: some to start from, and what the project says of any.
    pub(crate) fn levels(&self, levels: Levels) -> Levels {
        match &self.project {
            Some(project) => project.levels(levels),
            None => levels,
        }
    }

    /// Reads files and says what is to be said about them. Without an error there is a schema.
    pub(crate) fn compile(&self, files: &[String], levels: &Levels) -> Result<(Schema, SourceMap), Outcome> {
        let compilation = self.read(files, levels);
        self.report.diagnostics(&compilation.diagnostics, &compilation.sources);
        compiled(compilation)
    }

    /// Reads files, and says nothing.
    pub(crate) fn read(&self, files: &[String], levels: &Levels) -> Compilation {
        compile_with(&Disk::default(), files, &self.include, levels)
    }
}

/// The schema, if there is one.
pub(crate) fn compiled(compilation: Compilation) -> Result<(Schema, SourceMap), Outcome> {
    let unusable = compilation.has_unreadable_file();
    match compilation {
        Compilation { schema: Some(schema), sources, .. } => Ok((schema, sources)),
        Compilation { schema: None, .. } if unusable => Err(Outcome::Unusable),
        Compilation { schema: None, .. } => Err(Outcome::Wrong),
    }
}

/// The project that the working folder belongs to, if any.
pub(crate) fn project(report: Report) -> Result<Option<Project>, Outcome> {
    Project::find(Path::new(".")).map_err(|wrong| tell(&wrong, report))
}

/// The files that are meant by some paths, which may be folders: where there are none, those of the project.
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

/// Says that there is nothing to do anything with.
pub(crate) fn nothing_named(report: Report) -> Outcome {
    let message = "no file is named, and neither here nor above is there a `zsvc.toml`";
    report.error(message, "name the files to read, or write a `zsvc.toml` where your project starts");
    Outcome::Unusable
}

fn named(paths: &[String], report: Report) -> Result<Vec<String>, Outcome> {
    let mut files = Vec::new();
    for path in paths {
        if path == "-" {
            let message = "`-` would be standard input, which `zsvc fmt` alone reads";
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

/// Says what is wrong with a project.
pub(crate) fn tell(wrong: &Compilation, report: Report) -> Outcome {
    report.diagnostics(&wrong.diagnostics, &wrong.sources);
    if wrong.has_unreadable_file() { Outcome::Unusable } else { Outcome::Wrong }
}
