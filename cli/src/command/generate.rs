//! `zsvc gen [FILE…] --out DIR`, or without arguments the outputs of a project. With `--check` nothing is written.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use clap::Args;
use clap::builder::PossibleValuesParser;
use zsvc_codegen::{
    Choices, Freshness, Language, Options, Output, Project, Sides, freshness, generate_files, is_replaceable,
    reason, update,
};
use zsvc_idl::Compilation;
use zsvc_idl::diagnostic::{Diagnostic, RenderStyle, render};
use zsvc_idl::lint::Levels;
use zsvc_idl::schema::Schema;
use zsvc_idl::source::SourceMap;

use super::Outcome;
use super::inputs::{Inputs, Setting, compiled, nothing_named, tell};
use super::report::Report;

/// The arguments of `gen`.
#[derive(Debug, Args)]
#[expect(clippy::struct_excessive_bools, reason = "each is a flag of the command line")]
pub(crate) struct Generate {
    #[command(flatten)]
    inputs: Inputs,
    /// The folder to write the generated files into, made if it is not there; without it, what the project says is written.
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,
    /// The language: `rust` writes `mod.rs`, `python` a package of modules.
    #[arg(long, requires = "out", value_name = "LANGUAGE", default_value = "rust")]
    #[arg(value_parser = PossibleValuesParser::new(Language::ALL.map(Language::name)))]
    lang: String,
    /// Writes nothing, and fails if what is there is not what would be written.
    #[arg(long)]
    check: bool,
    /// Leaves out the traits and servers.
    #[arg(long, requires = "out", conflicts_with = "server_only")]
    client_only: bool,
    /// Leaves out the clients.
    #[arg(long, requires = "out")]
    server_only: bool,
    /// Adds a mock of each service, for tests.
    #[arg(long, requires = "out", conflicts_with = "client_only")]
    mocks: bool,
    /// Derives more traits for a type, or all of a package: `market.v1.Side=PartialOrd,Ord`; may be given several times.
    #[arg(long, requires = "out", value_name = "TYPE=TRAITS", value_parser = pair)]
    derive: Vec<(String, String)>,
    /// Puts a Rust type in the place of a generated one: `market.v1.Trade=::my::Trade`; may be given several times.
    #[arg(long, requires = "out", value_name = "TYPE=PATH", value_parser = pair)]
    replace: Vec<(String, String)>,
    /// Takes a package from another crate that generated it: `money.v1=::money_types`; may be given several times.
    #[arg(long, requires = "out", value_name = "PACKAGE=PATH", value_parser = pair)]
    extern_package: Vec<(String, String)>,
    /// The path of the runtime, if it is not `::zsvc`.
    #[arg(long, requires = "out", value_name = "PATH")]
    runtime_path: Option<String>,
    #[command(flatten)]
    report: Report,
}

impl Generate {
    /// Generates, and writes or compares. A file that already holds the right text is not touched.
    pub(crate) fn run(self) -> Outcome {
        let target = Target { check: self.check, report: self.report };
        let names_files = !self.inputs.files.is_empty();
        let options = self.options();
        let outcome =
            self.inputs.setting(self.report).and_then(|setting| match (&self.out, &setting.project) {
                (Some(out), _) => one(&setting, out, &options, target),
                (None, _) if names_files => Err(no_folder(self.report)),
                (None, Some(project)) => all(&setting, project, target),
                (None, None) => Err(nothing_named(self.report)),
            });
        outcome.unwrap_or_else(|outcome| outcome)
    }

    fn options(&self) -> Options {
        let sides = match (self.client_only, self.server_only) {
            (true, _) => Sides::Client,
            (false, true) => Sides::Server,
            (false, false) => Sides::Both,
        };
        Options {
            derives: self.derive.clone(),
            replacements: self.replace.clone(),
            extern_packages: self.extern_package.clone(),
            runtime: self.runtime_path.clone(),
            language: Language::named(&self.lang).unwrap_or_default(),
            sides,
            mocks: self.mocks,
        }
    }
}

fn pair(text: &str) -> Result<(String, String), String> {
    match text.split_once('=') {
        Some((name, value)) if !name.is_empty() && !value.is_empty() => Ok((name.into(), value.into())),
        _ => Err("write the full name, `=`, and what becomes of it".to_owned()),
    }
}

fn no_folder(report: Report) -> Outcome {
    report.error("there is no folder to write the generated code to", "give the folder: `--out DIR`");
    Outcome::Unusable
}

/// Returns the options of the arguments.
fn one(setting: &Setting, out: &Path, options: &Options, target: Target) -> Result<Outcome, Outcome> {
    let (schema, sources) = setting.compile(&setting.files()?, &setting.levels(Levels::of_check()))?;
    let choices = options.resolve(&schema).map_err(|error| {
        let error = error.located(&sources);
        target.report.error(&error.message(), &error.help());
        Outcome::Unusable
    })?;
    Ok(target.reach(&schema, &choices, &sources, out))
}

/// Generates the outputs of the project. Files of several outputs are read, and reported, once.
fn all(setting: &Setting, project: &Project, target: Target) -> Result<Outcome, Outcome> {
    let outputs: Vec<(&Output, &Path)> =
        project.outputs.iter().filter_map(|output| Some((output, output.out.as_deref()?))).collect();
    if outputs.is_empty() {
        let message = format!("`{}` has no `[[generate]]`", project.path);
        target
            .report
            .error(&message, "write `[[generate]]` and `out = \"src/generated\"` there, or give `--out DIR`");
        return Err(Outcome::Unusable);
    }
    let levels = setting.levels(Levels::of_check());
    let mut schemas: BTreeMap<Vec<String>, Result<(Schema, SourceMap), Outcome>> = BTreeMap::new();
    let mut told = BTreeSet::new();
    let mut worst = Outcome::Fine;
    for (output, out) in outputs {
        let files = project.files_of(output).map_err(|wrong| tell(&wrong, target.report))?;
        let schema = schemas.entry(files).or_insert_with_key(|files| {
            let compilation = setting.read(files, &levels);
            target.report.diagnostics(&not_told_yet(&compilation, &mut told), &compilation.sources);
            compiled(compilation)
        });
        worst = worst.max(match schema {
            Err(outcome) => *outcome,
            Ok((schema, sources)) => match output.options.resolve(schema) {
                Ok(choices) => target.reach(schema, &choices, sources, out),
                Err(error) => tell(&project.wrong_option(output, &error.located(sources)), target.report),
            },
        });
    }
    Ok(worst)
}

/// Returns the diagnostics that no other output with the same file has reported.
fn not_told_yet(compilation: &Compilation, told: &mut BTreeSet<String>) -> Vec<Diagnostic> {
    let is_new = |it: &&Diagnostic| told.insert(render(it, &compilation.sources, RenderStyle::Plain));
    compilation.diagnostics.iter().filter(is_new).cloned().collect()
}

/// Reports whether a file of a Python package holds what was written by hand. The file of Rust, `mod.rs`, is the only one of
/// its folder.
fn is_taken(path: &Path) -> bool {
    path.extension().is_some_and(|extension| extension == "py")
        && std::fs::read_to_string(path).is_ok_and(|text| !is_replaceable(&text))
}

/// What to do with generated code.
#[derive(Clone, Copy)]
struct Target {
    check: bool,
    report: Report,
}

impl Target {
    fn reach(self, schema: &Schema, choices: &Choices, sources: &SourceMap, folder: &Path) -> Outcome {
        let files = generate_files(schema, choices, sources);
        let paths: Vec<PathBuf> = files.iter().map(|file| folder.join(&file.path)).collect();
        if !self.check
            && let Some(taken) = paths.iter().find(|path| is_taken(path))
        {
            let message = format!("`{}` is there, and was not generated by zsvc", taken.display());
            self.report.error(&message, "generate into a folder of its own");
            return Outcome::Unusable;
        }
        let results = paths.iter().zip(&files).map(|(path, file)| {
            if self.check { self.compare(path, &file.text) } else { self.write(path, &file.text) }
        });
        results.max().unwrap_or(Outcome::Fine)
    }

    fn compare(self, path: &Path, text: &str) -> Outcome {
        let shown = path.display();
        let again = "generate it again with the same command, without `--check`";
        match freshness(path, text) {
            Ok(Freshness::Current) => Outcome::Fine,
            Ok(Freshness::Stale) => {
                let message = format!("`{shown}` is stale: its .svc files generate something else now");
                self.report.error(&message, again);
                Outcome::Wrong
            }
            Ok(Freshness::Missing) => {
                self.report.error(&format!("`{shown}` is missing"), again);
                Outcome::Wrong
            }
            Err(error) => {
                let message = format!("`{shown}` can't be read: {}", reason(&error));
                self.report.error(&message, "check the path and its permissions");
                Outcome::Unusable
            }
        }
    }

    fn write(self, path: &Path, text: &str) -> Outcome {
        match update(path, text) {
            Ok(()) => Outcome::Fine,
            Err(error) => {
                let message = format!("`{}` can't be written: {}", path.display(), reason(&error));
                self.report.error(&message, "check the path and its permissions");
                Outcome::Unusable
            }
        }
    }
}
