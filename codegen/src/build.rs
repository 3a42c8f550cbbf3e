//! The interface for build scripts: [`compile`] for one file, [`Builder`] for everything else.
//!
//! Cargo's instructions go to standard output, as the protocol for build scripts requires; nothing else is printed.

use std::collections::BTreeSet;
use std::path::{Component, MAIN_SEPARATOR_STR, Path, PathBuf};
use std::{env, fs};

use zsvc_idl::Compilation;
use zsvc_idl::diagnostic::{Diagnostic, RenderStyle, Severity, render};
use zsvc_idl::lint::Levels;
use zsvc_idl::source::SourceMap;

use crate::files::{self, Disk};
use crate::options::{Options, Sides};
use crate::project::{Project, Wrong};
use crate::{Error, Placement, generate};

/// Generates Rust from one `.svc` file and all that it imports, for `zsvc::include_generated!()`.
pub fn compile(file: impl AsRef<Path>) -> Result<(), Error> {
    Builder::new().file(file).compile()
}

/// Generates Rust from `.svc` files, with options.
///
/// Where a `zsvc.toml` lies in the folder of `Cargo.toml` or above it, its include paths and levels of lints hold here,
/// too, and so does what its `[[generate]]` says of these files where the builder says nothing. A builder without files
/// takes those of the project.
///
/// ```no_run
/// fn main() -> Result<(), zsvc_codegen::Error> {
///     zsvc_codegen::Builder::new()
///         .file("svc/tape.svc")
///         .include("../shared-svc")
///         .derive("market.v1.Side", "serde_repr::Serialize_repr")
///         .client_only()
///         .compile()
/// }
/// ```
#[derive(Debug, Clone, Default)]
pub struct Builder {
    files: Vec<String>,
    includes: Vec<String>,
    folder: Option<PathBuf>,
    options: Options,
}

impl Builder {
    /// Returns a builder without files.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a file, by its path from the folder of `Cargo.toml`.
    #[must_use]
    pub fn file(mut self, file: impl AsRef<Path>) -> Self {
        self.files.push(slashed(file));
        self
    }

    /// Adds several files.
    #[must_use]
    pub fn files(mut self, files: impl IntoIterator<Item = impl AsRef<Path>>) -> Self {
        self.files.extend(files.into_iter().map(slashed));
        self
    }

    /// Adds a folder in which imports are looked for that are not beside the file that has them.
    #[must_use]
    pub fn include(mut self, folder: impl AsRef<Path>) -> Self {
        self.includes.push(slashed(folder));
        self
    }

    /// Writes `mod.rs` into this folder instead of `$OUT_DIR/zsvc`, for generated code that is checked in: a module with
    /// docs of its own. Below `OUT_DIR` it has none, so that it can be included.
    /// `zsvc gen --check` then fails where it is stale.
    #[must_use]
    pub fn out_dir(mut self, folder: impl Into<PathBuf>) -> Self {
        self.folder = Some(folder.into());
        self
    }

    /// Derives more traits for a type, by its full name: `.derive("market.v1.Trade", "PartialOrd")`; or for all types of a
    /// package: `.derive("market.v1", "PartialOrd")`. Several are separated by commas; those that a type already derives are
    /// skipped.
    #[must_use]
    pub fn derive(mut self, name: impl Into<String>, derives: impl Into<String>) -> Self {
        self.options.derives.push((name.into(), derives.into()));
        self
    }

    /// Replaces a generated type by a Rust type of yours: `.replace("market.v1.Trade", "::my::Trade")`.
    /// See [`Options::replacements`] for what that type must implement.
    #[must_use]
    pub fn replace(mut self, name: impl Into<String>, replacement: impl Into<String>) -> Self {
        self.options.replacements.push((name.into(), replacement.into()));
        self
    }

    /// Takes a package from another crate that generated it: `.extern_package("money.v1", "::money_types")`, where
    /// `::money_types::money::v1::Amount` is one of its types. Nothing is generated for it here. The path may also start with
    /// `crate`, for a module of this crate.
    #[must_use]
    pub fn extern_package(mut self, name: impl Into<String>, path: impl Into<String>) -> Self {
        self.options.extern_packages.push((name.into(), path.into()));
        self
    }

    /// Sets the path of the runtime, for a crate that depends on it under another name or gets it from another crate:
    /// `.runtime_path("::acme::zsvc")`. By default it is `::zsvc`.
    #[must_use]
    pub fn runtime_path(mut self, path: impl Into<String>) -> Self {
        self.options.runtime = Some(path.into());
        self
    }

    /// Leaves out the traits and servers.
    #[must_use]
    pub fn client_only(mut self) -> Self {
        self.options.sides = Sides::Client;
        self
    }

    /// Leaves out the clients.
    #[must_use]
    pub fn server_only(mut self) -> Self {
        self.options.sides = Sides::Server;
        self
    }

    /// Adds a mock of each service, for tests: `TapeMock` implements the trait `Tape` by closures that a test gives it.
    /// With [`Builder::client_only`] there is no trait, and so no mock.
    #[must_use]
    pub fn mocks(mut self) -> Self {
        self.options.mocks = true;
        self
    }

    /// Reads the files and writes the generated Rust, unless the file already holds it.
    pub fn compile(self) -> Result<(), Error> {
        let folder = self.folder.clone().or_else(default_folder).ok_or(Error::NoOutputFolder)?;
        if let Some(missing) = self.includes.iter().find(|folder| !Path::new(folder).is_dir()) {
            return Err(Error::NoSuchInclude { folder: PathBuf::from(missing) });
        }
        let plan = self.plan().map_err(|wrong| Error::Project { rendered: rendered(&wrong) })?;
        let disk = Disk::default();
        let compilation = zsvc_idl::compile_with(&disk, &plan.files, &plan.includes, &plan.levels);
        plan.told_to_cargo
            .iter()
            .chain(&told_to_cargo(&disk, &compilation))
            .for_each(|line| println!("{line}"));
        let Compilation { schema: Some(schema), sources, .. } = compilation else {
            return Err(Error::Schema { rendered: rendered(&compilation) });
        };
        let choices = plan.options.resolve(&schema);
        let choices = choices.map_err(|error| Error::Options(error.located(&sources)))?;
        let path = folder.join("mod.rs");
        let text = generate(&schema, &choices, &sources, placement(&folder));
        files::update(&path, &text).map_err(|reason| Error::Write { path, reason })
    }
}

/// A run of a builder, whose project is known.
struct Plan {
    files: Vec<String>,
    includes: Vec<String>,
    levels: Levels,
    options: Options,
    /// Paths that the output depends on besides the files that are read.
    told_to_cargo: Vec<String>,
}

impl Builder {
    /// Options of the builder, completed by those of the project.
    fn plan(self) -> Result<Plan, Wrong> {
        let Self { files, includes, options, .. } = self;
        let mut plan =
            Plan { files, includes, levels: Levels::of_check(), options, told_to_cargo: Vec::new() };
        if let Some(project) = project()? {
            plan.take(&project)?;
        }
        Ok(plan)
    }
}

impl Plan {
    fn take(&mut self, project: &Project) -> Result<(), Wrong> {
        self.told_to_cargo.push(format!("cargo:rerun-if-changed={}", project.path));
        let output = project.output_for(&self.files)?;
        if self.files.is_empty() {
            self.files = output.map_or_else(|| project.files(), |output| project.files_of(output))?;
            // A new file in the folder becomes one of them.
            let roots = project.roots.iter().filter(|root| !holds_output(Path::new(root)));
            self.told_to_cargo.extend(roots.map(|root| format!("cargo:rerun-if-changed={root}")));
        }
        self.includes.extend(project.include_paths());
        self.levels = project.levels(Levels::of_check());
        if let Some(output) = output {
            self.options.or(&output.options);
        }
        Ok(())
    }
}

/// Reports whether Cargo's target folder lies in a folder: it changes with each run, and would cause the next.
fn holds_output(folder: &Path) -> bool {
    let real = |path: &Path| path.canonicalize().ok();
    let out = env::var_os("OUT_DIR").and_then(|out| real(Path::new(&out)));
    out.is_none_or(|out| real(folder).is_none_or(|folder| out.starts_with(folder)))
}

/// Returns the project that a build script belongs to. Outside of build scripts there is none.
fn project() -> Result<Option<Project>, Wrong> {
    let Some(package) = env::var_os("CARGO_MANIFEST_DIR").map(PathBuf::from) else { return Ok(None) };
    // Build scripts run in the folder of their package, so relative paths are enough.
    let is_here = env::current_dir().is_ok_and(|here| here == package);
    Project::find(if is_here { Path::new(".") } else { &package })
}

/// Files below `OUT_DIR` are included by `include!`, others are modules.
fn placement(folder: &Path) -> Placement {
    let below = env::var_os("OUT_DIR").is_some_and(|out| folder.starts_with(out));
    if below { Placement::Included } else { Placement::Module }
}

fn default_folder() -> Option<PathBuf> {
    env::var_os("OUT_DIR").map(|folder| PathBuf::from(folder).join("zsvc"))
}

/// Returns a path as `zsvc-idl` takes it and messages show it: the same on every system.
fn slashed(path: impl AsRef<Path>) -> String {
    path.as_ref().to_string_lossy().replace(MAIN_SEPARATOR_STR, "/")
}

/// Returns the dependencies and warnings in Cargo's protocol.
///
/// Where an import was looked for and not found, a new file would be imported instead of the one that was. The folder
/// that would hold it is named, since Cargo treats a missing file as a changed one, and would run the build script every
/// time.
fn told_to_cargo(disk: &Disk, compilation: &Compilation) -> Vec<String> {
    let folders: BTreeSet<String> = disk.files_missed().iter().filter_map(|path| watched(path)).collect();
    let paths = disk.files_read().into_iter().chain(folders);
    let paths = paths.map(|path| format!("cargo:rerun-if-changed={path}"));
    let shown = named_from_workspace(&compilation.sources);
    let warnings = compilation.diagnostics.iter().filter(|it| it.severity() == Severity::Warning);
    let warnings = warnings.map(|warning| format!("cargo:warning={}", on_one_line(warning, &shown)));
    paths.chain(warnings).collect()
}

/// Returns the folder in which a file, or a folder above it, would be made; none if Cargo's output is in it, too.
fn watched(path: &str) -> Option<String> {
    let mut folders = Path::new(path).ancestors().skip(1);
    let folder = folders.find(|folder| folder.as_os_str().is_empty() || folder.is_dir())?;
    let folder = if folder.as_os_str().is_empty() { Path::new(".") } else { folder };
    (!holds_output(folder)).then(|| slashed(folder))
}

/// Returns one line: Cargo shows only the first of a warning.
fn on_one_line(diagnostic: &Diagnostic, sources: &SourceMap) -> String {
    let place = diagnostic.primary.as_ref().map(|label| {
        let location = sources.location(label.span);
        format!("{}:{}:{}: ", sources.file(label.span.file).path(), location.line, location.column)
    });
    let help = diagnostic.help.as_ref().map(|help| format!(" ({help})"));
    let told = format!("[{}] {}", diagnostic.code.id(), diagnostic.message);
    let line = place.unwrap_or_default() + &told + &help.unwrap_or_default();
    line.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// Returns files under the names that Cargo and rustc use in messages of the package: from the folder of its workspace.
fn named_from_workspace(sources: &SourceMap) -> SourceMap {
    let package = env::var_os("CARGO_MANIFEST_DIR").map(PathBuf::from);
    let package = package.filter(|package| env::current_dir().is_ok_and(|here| here == *package));
    let Some(prefix) = package.as_deref().and_then(below_workspace) else { return sources.clone() };
    let mut named = SourceMap::default();
    for file in sources.files() {
        named.add(from_workspace(&prefix, file.path()), file.text());
    }
    named
}

/// Returns the path of a package from the folder of its workspace; none if it is that folder.
fn below_workspace(package: &Path) -> Option<PathBuf> {
    let is_workspace = |folder: &&Path| {
        let text = fs::read_to_string(folder.join("Cargo.toml")).unwrap_or_default();
        text.lines().any(|line| line.trim_start().starts_with("[workspace"))
    };
    let workspace = package.ancestors().find(is_workspace)?;
    package.strip_prefix(workspace).ok().filter(|below| !below.as_os_str().is_empty()).map(Path::to_owned)
}

/// Returns a path from the folder of a package as one from that of its workspace. What lies outside of the workspace, and
/// an absolute path, stays as it is.
fn from_workspace(prefix: &Path, path: &str) -> String {
    let mut whole = PathBuf::new();
    for part in prefix.join(path).components() {
        match part {
            Component::ParentDir if !whole.pop() => return path.to_owned(),
            Component::ParentDir | Component::CurDir => {}
            part => whole.push(part),
        }
    }
    slashed(whole)
}

fn rendered(compilation: &Compilation) -> String {
    let sources = named_from_workspace(&compilation.sources);
    let errors = compilation.diagnostics.iter().filter(|it| it.severity() == Severity::Error);
    let rendered = errors.map(|error| render(error, &sources, RenderStyle::Plain));
    rendered.collect::<Vec<_>>().join("\n\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_are_named_from_the_folder_of_the_workspace() {
        let folder = tempfile::tempdir().expect("a folder for the test");
        let package = folder.path().join("crates/api");
        fs::create_dir_all(&package).expect("a package");
        fs::write(folder.path().join("Cargo.toml"), "[workspace]\nmembers = []\n").expect("a workspace");
        fs::write(package.join("Cargo.toml"), "[package]\n").expect("a package");
        let prefix = below_workspace(&package).expect("it lies below the workspace");
        assert_eq!(from_workspace(&prefix, "svc/tape.svc"), "crates/api/svc/tape.svc");
        assert_eq!(from_workspace(&prefix, "../shared/./money.svc"), "crates/shared/money.svc");
        assert_eq!(from_workspace(&prefix, "../../../money.svc"), "../../../money.svc");
        assert_eq!(from_workspace(&prefix, "/svc/tape.svc"), "/svc/tape.svc");
        assert_eq!(below_workspace(folder.path()), None);
    }

    #[test]
    fn a_folder_in_which_a_new_file_would_be_imported_is_watched() {
        let folder = tempfile::tempdir().expect("a folder for the test");
        let path = |name: &str| slashed(folder.path().join(name));
        fs::create_dir_all(path("svc/a")).and_then(|()| fs::create_dir(path("below"))).expect("folders");
        fs::write(path("below/money.svc"), "package money;\n").expect("an imported file");
        fs::write(path("svc/test.svc"), "package test;\nimport \"money.svc\";\nimport \"a/b/c.svc\";\n")
            .expect("a file");

        let disk = Disk::default();
        let compilation = zsvc_idl::compile(&disk, &[path("svc/test.svc")], &[path("below")]);
        let lines = told_to_cargo(&disk, &compilation);
        // Here `OUT_DIR` is not set, so that nothing is known to be no output.
        let watched = |name: &str| lines.contains(&format!("cargo:rerun-if-changed={}", path(name)));
        assert!(watched("below/money.svc") && !watched("svc/money.svc"), "{lines:#?}");
        assert_eq!(
            disk.files_missed(),
            [path("below/a/b/c.svc"), path("svc/a/b/c.svc"), path("svc/money.svc")]
        );
    }

    #[test]
    fn cargo_hears_of_the_files_that_were_read_and_of_warnings_of_a_line_each() {
        let folder = tempfile::tempdir().expect("a folder for the test");
        let path = |name: &str| slashed(folder.path().join(name));
        fs::create_dir(path("below")).expect("a folder below");
        fs::write(path("below/money.svc"), "package money;\n").expect("an imported file");
        fs::write(path("test.svc"), "package test;\nimport \"money.svc\";\nstruct thing {}\n")
            .expect("a file");

        let disk = Disk::default();
        let compilation = zsvc_idl::compile(&disk, &[path("test.svc")], &[path("below")]);
        let lines = told_to_cargo(&disk, &compilation);
        let (files, warnings) = lines.split_at(2);
        let files_read =
            ["below/money.svc", "test.svc"].map(|name| format!("cargo:rerun-if-changed={}", path(name)));
        assert_eq!(files, files_read);
        let start = format!("cargo:warning={}:3:8: [W0001] `thing` is not in `PascalCase`", path("test.svc"));
        assert!(warnings.iter().any(|warning| warning.starts_with(&start)), "{warnings:#?}");
        assert!(warnings.iter().all(|warning| !warning.contains('\n')), "{warnings:#?}");
    }
}
