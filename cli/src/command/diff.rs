//! `zsvc diff OLD NEW` and `zsvc diff --against-git REV [FILE…]`
//!
//! `zsvc_idl::compat` finds changes and what they break. This module chooses the files to compare, and which changes fail
//! the command. [`super::git`] reads the files of another revision.

use std::path::Path;

use clap::Args;
use zsvc_codegen::{Disk, Project};
use zsvc_idl::compat::{Change, Kind, Sources, compare};
use zsvc_idl::diagnostic::{Code, Diagnostic};
use zsvc_idl::schema::Schema;
use zsvc_idl::source::SourceMap;
use zsvc_idl::{Compilation, Loader, compile};

use super::git::Revision;
use super::report::Report;
use super::{Outcome, inputs};

/// The arguments of `diff`.
#[derive(Debug, Args)]
pub(crate) struct Diff {
    /// The older and the newer files, each a .svc file or a folder that holds some; with `--against-git` the newer ones
    /// alone, or nothing for those of the project.
    #[arg(value_name = "PATH")]
    paths: Vec<String>,
    /// Takes the older files from a revision that git knows: `HEAD`, `main`, `v1.2`.
    #[arg(long, value_name = "REV")]
    against_git: Option<String>,
    /// A folder in which imports are looked for that are not beside the importing file; may be given several times.
    #[arg(short = 'I', long = "include", value_name = "DIR")]
    include: Vec<String>,
    /// Changes that fail nothing: `source`, `risk`, `wire` or a code such as `D0305`; may be given several times.
    #[arg(long, value_name = "KIND|CODE", value_parser = allowance)]
    allow: Vec<Allowance>,
    #[command(flatten)]
    report: Report,
}

/// A kind of change that is allowed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Allowance {
    Kind(Kind),
    Code(Code),
}

fn allowance(text: &str) -> Result<Allowance, String> {
    let kinds = [Kind::Wire, Kind::Risk, Kind::Source];
    if let Some(kind) = kinds.into_iter().find(|kind| kind.name() == text) {
        return Ok(Allowance::Kind(kind));
    }
    match Code::named(text).filter(|code| code.id().starts_with('D')) {
        Some(code) => Ok(Allowance::Code(code)),
        None => Err(
            "it must be `source`, `risk`, `wire` or a code from D0101 on; `zsvc explain --all` lists them"
                .to_owned(),
        ),
    }
}

/// The files of one side, and how to load them.
struct Side<'a> {
    loader: &'a dyn Loader,
    files: Vec<String>,
    include: Vec<String>,
    /// Returns the name of a path in messages.
    name: &'a dyn Fn(&str) -> String,
}

/// Diagnostics of a side.
struct Wrong {
    diagnostics: Vec<Diagnostic>,
    sources: Sources,
    outcome: Outcome,
}

impl Side<'_> {
    fn compile(&self) -> Result<(Schema, SourceMap), Wrong> {
        let compilation = compile(self.loader, &self.files, &self.include);
        let outcome = if compilation.has_unreadable_file() { Outcome::Unusable } else { Outcome::Wrong };
        let Compilation { schema, diagnostics, sources } = compilation;
        if let Some(schema) = schema {
            return Ok((schema, sources));
        }
        let sources = Sources::new(&sources, &SourceMap::default(), self.name);
        Err(Wrong { diagnostics, sources, outcome })
    }
}

/// Returns the include paths of a project, if there is one.
fn included(project: Option<&Project>) -> impl Iterator<Item = String> {
    project.into_iter().flat_map(Project::include_paths)
}

impl Diff {
    /// Compares, reports all changes, and fails if some break what is not allowed to break.
    pub(crate) fn run(self) -> Outcome {
        let compared = match &self.against_git {
            Some(revision) => self.against(revision),
            None => self.two(),
        };
        match compared {
            Ok((changes, sources)) => self.tell(&changes, &sources),
            Err(outcome) => outcome,
        }
    }

    /// Compares two paths.
    fn two(&self) -> Result<(Vec<Change>, Sources), Outcome> {
        let [old, new] = self.paths.as_slice() else {
            let help = "write `zsvc diff OLD NEW`, each a file or a folder, or `zsvc diff --against-git REV`";
            self.report.error(&format!("`zsvc diff` compares two paths, not {}", self.paths.len()), help);
            return Err(Outcome::Unusable);
        };
        let disk = Disk::default();
        let project = inputs::project(self.report)?;
        inputs::all_there(&self.include, |folder| Path::new(folder).is_dir(), self.report)?;
        let side = |path: &String| -> Result<Side<'_>, Outcome> {
            let files = inputs::files(std::slice::from_ref(path), None, self.report)?;
            let own = Path::new(path).is_dir().then(|| path.clone());
            let include = self.include.iter().cloned().chain(own).chain(included(project.as_ref())).collect();
            Ok(Side { loader: &disk, files, include, name: &str::to_owned })
        };
        self.compare(&side(old)?, &side(new)?)
    }

    /// Compares a revision with the files on disk.
    fn against(&self, revision: &str) -> Result<(Vec<Change>, Sources), Outcome> {
        let revision = Revision::open(revision).map_err(|error| {
            self.report.error(&error.message, &error.help);
            Outcome::Unusable
        })?;
        let project = inputs::project(self.report)?;
        let is_folder = |folder: &str| {
            Path::new(folder).is_dir()
                || revision.files(&[folder.to_owned()]).is_ok_and(|files| !files.is_empty())
        };
        inputs::all_there(&self.include, is_folder, self.report)?;
        let folders =
            self.paths.iter().filter(|path| Path::new(path).extension().is_none_or(|end| end != "svc"));
        let include = self.include.iter().chain(folders).cloned();
        let include: Vec<String> = include.chain(included(project.as_ref())).collect();
        let paths = match &project {
            Some(project) if self.paths.is_empty() => &project.roots,
            _ => &self.paths,
        };
        if paths.is_empty() {
            return Err(inputs::nothing_named(self.report));
        }
        let old_files = revision.files(paths).map_err(|error| {
            self.report.error(&error.message, &error.help);
            Outcome::Unusable
        })?;
        let new_files = self.present(paths, &old_files, &revision)?;
        let disk = Disk::default();
        let old = Side {
            loader: &revision,
            files: old_files,
            include: include.clone(),
            name: &|path| revision.name(path),
        };
        let new = Side { loader: &disk, files: new_files, include, name: &str::to_owned };
        self.compare(&old, &new)
    }

    /// Returns the newer files. A path that exists in the older revision only was removed, which is no error.
    fn present(
        &self,
        paths: &[String],
        old_files: &[String],
        revision: &Revision,
    ) -> Result<Vec<String>, Outcome> {
        let mut files = Vec::new();
        for path in paths {
            let was_there = old_files.iter().any(|file| revision.is_below(file, path));
            let is_bare = was_there
                && Path::new(path).is_dir()
                && zsvc_codegen::svc_files(path).is_ok_and(|files| files.is_empty());
            if is_bare || was_there && !Path::new(path).exists() {
                continue;
            }
            files.extend(inputs::files(std::slice::from_ref(path), None, self.report)?);
        }
        Ok(files)
    }

    /// Reports what is wrong with either side, or else what has changed.
    fn compare(&self, old: &Side<'_>, new: &Side<'_>) -> Result<(Vec<Change>, Sources), Outcome> {
        match (old.compile(), new.compile()) {
            (Ok((old_schema, old_sources)), Ok((new_schema, new_sources))) => {
                let sources = Sources::new(&old_sources, &new_sources, old.name);
                Ok((compare(&old_schema, &new_schema), sources))
            }
            (Err(old), Err(new)) => {
                let outcome = self.tell_wrong(&old);
                self.report.part();
                Err(outcome.max(self.tell_wrong(&new)))
            }
            (Err(wrong), Ok(_)) | (Ok(_), Err(wrong)) => Err(self.tell_wrong(&wrong)),
        }
    }

    fn tell_wrong(&self, wrong: &Wrong) -> Outcome {
        self.report.diagnostics(&wrong.diagnostics, wrong.sources.map());
        wrong.outcome
    }

    fn tell(&self, changes: &[Change], sources: &Sources) -> Outcome {
        let is_breaking = |change: &&Change| change.kind() != Kind::Safe && !self.allows(change);
        let breaking = changes.iter().filter(is_breaking).count();
        self.report.changes(changes, sources, breaking);
        if breaking > 0 { Outcome::Wrong } else { Outcome::Fine }
    }

    fn allows(&self, change: &Change) -> bool {
        self.allow.iter().any(|allowance| match allowance {
            Allowance::Kind(kind) => change.kind() == *kind,
            Allowance::Code(code) => change.code == *code,
        })
    }
}
