//! Reads the named files and all their imports, and parses each once.
//!
//! Where bytes come from is up to the [`Loader`]; how bytes become text is in [`text`].

mod other_language;
mod parsed;
mod text;

use std::collections::{BTreeMap, BTreeSet};

use crate::ast::{File, Import};
use crate::diagnostic::{self, Diagnostic, Report};
use crate::graph;
use crate::parse;
use crate::source::{FileId, FoundImport, SourceMap, Span};
pub(crate) use parsed::Parsed;
use text::Text;

/// Maximum number of imports of a cycle that are shown beside the first.
const MAX_RELATED: usize = 6;

/// A source of files.
pub trait Loader {
    /// Returns the bytes of the file at a path, whose parts are separated by `/`.
    fn load(&self, path: &str) -> Result<Vec<u8>, LoadError>;

    /// Returns a name that is the same for all paths to one file, links followed. If there is none, paths are compared
    /// as strings.
    fn identity(&self, _path: &str) -> Option<String> {
        None
    }
}

/// Why a file could not be loaded.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum LoadError {
    /// There is no such file. An import is then searched for in the next place.
    NotFound,
    /// The file exists but can't be read; holds the reason.
    Unreadable(String),
}

/// Files in memory, for tests.
#[derive(Debug, Clone, Default)]
pub struct MemoryLoader {
    files: BTreeMap<String, Vec<u8>>,
}

impl MemoryLoader {
    /// Adds a file.
    #[must_use]
    pub fn with(mut self, path: impl Into<String>, bytes: impl Into<Vec<u8>>) -> Self {
        self.files.insert(normalized(&path.into()), bytes.into());
        self
    }
}

impl Loader for MemoryLoader {
    fn load(&self, path: &str) -> Result<Vec<u8>, LoadError> {
        self.files.get(&normalized(path)).cloned().ok_or(LoadError::NotFound)
    }
}

/// All files, parsed, by [`FileId`].
#[derive(Debug, Default)]
pub(crate) struct Program {
    pub(crate) sources: SourceMap,
    pub(crate) files: Vec<File>,
    /// For each file, the file that each of its imports refers to; `None` if not found.
    pub(crate) targets: Vec<Vec<Option<FileId>>>,
    /// Number of files that were named; the files after them are imports.
    pub(crate) named: usize,
}

impl Program {
    /// Reports whether a file was named, and not only imported.
    pub(crate) fn is_named(&self, file: FileId) -> bool {
        (file.0 as usize) < self.named
    }
}

pub(crate) fn load(
    loader: &dyn Loader,
    files: &[String],
    include_paths: &[String],
    report: &mut Report,
) -> Program {
    load_again(loader, files, include_paths, report, &mut Parsed::default())
}

/// Loads like [`load`], without parsing what an earlier call has.
pub(crate) fn load_again(
    loader: &dyn Loader,
    files: &[String],
    include_paths: &[String],
    report: &mut Report,
    parsed: &mut Parsed,
) -> Program {
    let (program, known) = (Program::default(), BTreeMap::new());
    let mut reader = Reader { loader, include_paths, report, program, known, parsed };
    for path in files {
        reader.root(path);
    }
    reader.program.named = reader.program.files.len();
    // Imports append files to the ones that this loop goes through.
    let mut next = 0;
    while next < reader.program.files.len() {
        let imports = std::mem::take(&mut reader.program.files[next].imports);
        let targets = imports.iter().map(|import| reader.import(next, import)).collect();
        reader.program.files[next].imports = imports;
        reader.program.targets.push(targets);
        next += 1;
    }
    let mut program = reader.program;
    tell_imports(&mut program);
    imported_twice(&program, report);
    import_cycles(&program, report);
    program
}

struct Reader<'a> {
    loader: &'a dyn Loader,
    include_paths: &'a [String],
    report: &'a mut Report,
    program: Program,
    /// Files already read, by the shortest form of each path to them and by their identities.
    known: BTreeMap<String, FileId>,
    parsed: &'a mut Parsed,
}

impl Reader<'_> {
    fn root(&mut self, path: &str) {
        if self.known(path).is_some() {
            return;
        }
        match self.loader.load(path) {
            Ok(bytes) => {
                self.take(path, bytes);
            }
            Err(error) => self.report.add(unreadable(path, error)),
        }
    }

    fn import(&mut self, importing: usize, import: &Import) -> Option<FileId> {
        if import.path.is_empty() || import.path.starts_with('/') {
            let diagnostic = Diagnostic::new(diagnostic::IMPORT_PATH, "an import needs a relative path")
                .at(import.path_span, "")
                .help("write it relative to this file or to an include path: `import \"money.svc\";`");
            self.report.add(diagnostic);
            return None;
        }
        let own = self.program.sources.files()[importing].path();
        let folder = own.rfind('/').map_or("", |end| &own[..=end]).to_owned();
        let include_paths = self.include_paths.iter().map(|path| format!("{path}/"));
        let places: Vec<String> = std::iter::once(folder).chain(include_paths).collect();
        for place in &places {
            let path = normalized(&format!("{place}{}", import.path));
            if let Some(file) = self.known(&path) {
                return Some(file);
            }
            match self.loader.load(&path) {
                Ok(bytes) => return Some(self.take(&path, bytes)),
                Err(LoadError::NotFound) => {}
                Err(error) => {
                    self.report.add(unreadable(&path, error).at(import.path_span, "imported here"));
                    return None;
                }
            }
        }
        self.report.add(not_found(import, self.include_paths));
        None
    }

    /// Returns the file at a path if it was already read, also under another path.
    fn known(&mut self, path: &str) -> Option<FileId> {
        let shortest = normalized(path);
        if let Some(file) = self.known.get(&shortest) {
            return Some(*file);
        }
        let file = *self.known.get(&identity_key(&self.loader.identity(path)?))?;
        self.known.insert(shortest, file);
        Some(file)
    }

    fn take(&mut self, path: &str, bytes: Vec<u8>) -> FileId {
        let file = self.parse(path, bytes);
        let id = file.id;
        self.known.insert(normalized(path), id);
        if let Some(identity) = self.loader.identity(path) {
            self.known.insert(identity_key(&identity), id);
        }
        self.program.files.push(file);
        id
    }

    fn parse(&mut self, path: &str, bytes: Vec<u8>) -> File {
        let (id, text) = text::take(path, bytes, &mut self.program.sources, self.report);
        match text {
            Text::Unchanged => self.parsed.file(id, self.program.sources.file(id).text(), self.report),
            Text::Replaced(text) => parse::parse(id, &text, self.report),
            Text::Unreadable => File { incomplete: true, ..File::empty(id) },
        }
    }
}

/// Reads one file without its imports. Returns `None` if it does not exist, or is not text throughout.
pub(crate) fn one(
    loader: &dyn Loader,
    path: &str,
    sources: &mut SourceMap,
    report: &mut Report,
) -> Option<FileId> {
    let bytes = loader.load(path).map_err(|error| report.add(unreadable(path, error))).ok()?;
    let (id, text) = text::take(path, bytes, sources, report);
    matches!(text, Text::Unchanged).then_some(id)
}

fn unreadable(path: &str, error: LoadError) -> Diagnostic {
    let why = match error {
        LoadError::NotFound => "there is no such file".to_owned(),
        LoadError::Unreadable(why) => why,
    };
    Diagnostic::new(diagnostic::UNREADABLE_FILE, format!("`{path}` can't be read: {why}"))
        .help("check the path and who may read it")
}

fn not_found(import: &Import, include_paths: &[String]) -> Diagnostic {
    let help = match include_paths {
        [] => "it is neither beside this file, nor is there an include path".to_owned(),
        paths => format!("it is neither beside this file nor in {}", paths.join(", ")),
    };
    Diagnostic::new(diagnostic::IMPORT_NOT_FOUND, format!("there is no `{}`", import.path))
        .at(import.path_span, "no such file")
        .help(help)
}

/// Makes a key that differs from every path: no path holds a NUL.
fn identity_key(identity: &str) -> String {
    format!("\0{identity}")
}

/// Shortens `a/./b/../c` to `a/c`, as strings alone: links are not followed.
fn normalized(path: &str) -> String {
    let mut parts: Vec<&str> = Vec::new();
    for part in path.split('/') {
        match part {
            "" | "." => {}
            ".." if parts.last().is_some_and(|last| *last != "..") => {
                parts.pop();
            }
            part => parts.push(part),
        }
    }
    let root = if path.starts_with('/') { "/" } else { "" };
    format!("{root}{}", parts.join("/"))
}

fn imported_twice(program: &Program, report: &mut Report) {
    for (file, targets) in program.files.iter().zip(&program.targets) {
        let mut seen: BTreeMap<FileId, Span> = BTreeMap::new();
        for (import, target) in file.imports.iter().zip(targets) {
            let Some(target) = target else { continue };
            if let Some(first) = seen.insert(*target, import.path_span) {
                seen.insert(*target, first);
                let message = format!("`{}` is imported twice", import.path);
                let diagnostic = Diagnostic::new(diagnostic::IMPORTED_TWICE, message)
                    .at(import.path_span, "once more")
                    .related(first, "first imported here")
                    .help("remove one of the two");
                report.add(diagnostic);
            }
        }
    }
}

/// Has the sources know where the imports of each file lead.
fn tell_imports(program: &mut Program) {
    for (file, targets) in program.files.iter().zip(&program.targets) {
        let found = file.imports.iter().zip(targets);
        let found = found
            .filter_map(|(import, target)| Some(FoundImport { span: import.path_span, file: (*target)? }));
        program.sources.set_imports(file.id, found.collect());
    }
}

/// Reports one error for each import cycle, at an import of the file that was read first.
fn import_cycles(program: &Program, report: &mut Report) {
    let edges: Vec<Vec<usize>> = program.targets.iter().map(|targets| indices(targets)).collect();
    for cycle in graph::cycles(&edges) {
        let files: Vec<&str> = cycle.iter().map(|file| program.sources.files()[*file].path()).collect();
        let next = cycle.get(1).copied().unwrap_or(cycle[0]);
        let Some(closing) = import_of(program, cycle[0], next) else { continue };
        let mut diagnostic =
            Diagnostic::new(diagnostic::IMPORT_CYCLE, graph::describe_cycle(&files, "imports"))
                .at(closing.path_span, "part of the circle")
                .help(
                    "move what both need into a file that imports neither; it may stay in its package, since one package may \
                     lie in several files",
                );
        for (index, file) in cycle.iter().enumerate().skip(1).take(MAX_RELATED) {
            let next = cycle.get(index + 1).copied().unwrap_or(cycle[0]);
            if let Some(import) = import_of(program, *file, next) {
                diagnostic = diagnostic.related(import.path_span, "");
            }
        }
        report.add(diagnostic);
    }
}

/// Returns the import by which one file imports another.
fn import_of(program: &Program, file: usize, target: usize) -> Option<&Import> {
    let mut imports = program.files[file].imports.iter().zip(&program.targets[file]);
    imports.find(|(_, id)| id.is_some_and(|id| id.0 as usize == target)).map(|(import, _)| import)
}

fn indices(targets: &[Option<FileId>]) -> Vec<usize> {
    let distinct: BTreeSet<usize> = targets.iter().flatten().map(|target| target.0 as usize).collect();
    distinct.into_iter().collect()
}

#[cfg(test)]
mod tests {
    use super::normalized;

    #[test]
    fn paths_are_told_in_their_shortest_form() {
        for (path, expected) in [
            ("a/./b/../c.svc", "a/c.svc"),
            ("./a.svc", "a.svc"),
            ("../a.svc", "../a.svc"),
            ("a/../../b.svc", "../b.svc"),
            ("/a//b.svc", "/a/b.svc"),
        ] {
            assert_eq!(normalized(path), expected);
        }
    }
}
