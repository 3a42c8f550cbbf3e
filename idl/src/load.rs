//! Reads the files that were named and all that they import, and parses each once.
//!
//! Where bytes come from is a [`Loader`]'s matter. Also here: what must hold of a file before it is text at all.

use std::collections::{BTreeMap, BTreeSet};

use crate::ast::{File, Import};
use crate::diagnostic::{self, Diagnostic, Report};
use crate::graph;
use crate::parse;
use crate::source::{FileId, MAX_FILE_BYTES, SourceMap, Span, offset};

/// How many imports of a circle are shown beside the first.
const MAX_RELATED: usize = 6;

/// Where the bytes of a file come from.
pub trait Loader {
    /// The bytes under a path, whose parts are divided by `/`.
    fn load(&self, path: &str) -> Result<Vec<u8>, LoadError>;
}

/// Why there are no bytes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum LoadError {
    /// There is no such file. For an import the next place is tried.
    NotFound,
    /// There is one, but it can't be read: why.
    Unreadable(String),
}

/// Files in memory, for tests.
#[derive(Debug, Clone, Default)]
pub struct MemoryLoader {
    files: BTreeMap<String, Vec<u8>>,
}

impl MemoryLoader {
    /// Holds one more file.
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
    /// For each file and each of its imports the file that is meant; absent where there is none.
    pub(crate) targets: Vec<Vec<Option<FileId>>>,
    /// How many files were named; those behind them are imported.
    pub(crate) named: usize,
}

impl Program {
    /// Whether a file was named, and is not only imported.
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
    let mut reader =
        Reader { loader, include_paths, report, program: Program::default(), known: BTreeMap::new() };
    for path in files {
        reader.root(path);
    }
    reader.program.named = reader.program.files.len();
    // Imports add files behind the ones that are being looked at.
    let mut next = 0;
    while next < reader.program.files.len() {
        let imports = std::mem::take(&mut reader.program.files[next].imports);
        let targets = imports.iter().map(|import| reader.import(next, import)).collect();
        reader.program.files[next].imports = imports;
        reader.program.targets.push(targets);
        next += 1;
    }
    let program = reader.program;
    imported_twice(&program, report);
    import_cycles(&program, report);
    program
}

struct Reader<'a> {
    loader: &'a dyn Loader,
    include_paths: &'a [String],
    report: &'a mut Report,
    program: Program,
    /// Which paths were read already, in their shortest form.
    known: BTreeMap<String, FileId>,
}

impl Reader<'_> {
    fn root(&mut self, path: &str) {
        let shortest = normalized(path);
        if self.known.contains_key(&shortest) {
            return;
        }
        match self.loader.load(path) {
            Ok(bytes) => {
                self.take(shortest, path, bytes);
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
            if let Some(file) = self.known.get(&path) {
                return Some(*file);
            }
            match self.loader.load(&path) {
                Ok(bytes) => return Some(self.take(path.clone(), &path, bytes)),
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

    fn take(&mut self, shortest: String, path: &str, bytes: Vec<u8>) -> FileId {
        let file = self.parse(path, bytes);
        let id = file.id;
        self.known.insert(shortest, id);
        self.program.files.push(file);
        id
    }

    fn parse(&mut self, path: &str, bytes: Vec<u8>) -> File {
        match text_of(path, bytes, &mut self.program.sources) {
            Ok(id) => parse::parse(id, self.program.sources.file(id).text(), self.report),
            Err((id, problem)) => {
                self.report.add(*problem);
                File { incomplete: true, ..File::empty(id) }
            }
        }
    }
}

/// Reads one file, without what it imports. Absent where it is not there, or no text.
pub(crate) fn one(
    loader: &dyn Loader,
    path: &str,
    sources: &mut SourceMap,
    report: &mut Report,
) -> Option<FileId> {
    let bytes = loader.load(path).map_err(|error| report.add(unreadable(path, error))).ok()?;
    text_of(path, bytes, sources).map_err(|(_, problem)| report.add(*problem)).ok()
}

/// Takes the bytes of a file in, as text if that is what they are, and tells what keeps them from being it.
fn text_of(path: &str, bytes: Vec<u8>, sources: &mut SourceMap) -> Result<FileId, (FileId, Box<Diagnostic>)> {
    if bytes.len() > MAX_FILE_BYTES {
        let id = sources.add(path, "");
        return Err((id, Box::new(too_large(id))));
    }
    let (text, bad_byte) = match String::from_utf8(without_mark(bytes)) {
        Ok(text) => (text, None),
        Err(error) => {
            let at = error.utf8_error().valid_up_to();
            let byte = error.as_bytes()[at];
            (String::from_utf8_lossy(error.as_bytes()).into_owned(), Some((at, byte)))
        }
    };
    let id = sources.add(path, text);
    let problem = match bad_byte {
        Some((at, byte)) => Some(no_utf8(id, at, byte)),
        None => control_character(id, sources.file(id).text()),
    };
    problem.map_or(Ok(id), |problem| Err((id, Box::new(problem))))
}

/// Without the byte order mark that some editors put in front.
fn without_mark(mut bytes: Vec<u8>) -> Vec<u8> {
    if bytes.starts_with(b"\xef\xbb\xbf") {
        bytes.drain(..3);
    }
    bytes
}

fn too_large(file: FileId) -> Diagnostic {
    let limit = MAX_FILE_BYTES / 1024 / 1024;
    Diagnostic::new(diagnostic::FILE_TOO_LARGE, format!("this file has more than {limit} MiB"))
        .at(Span { file, start: 0, end: 0 }, "")
        .help("split it into several files that import each other's types")
}

fn no_utf8(file: FileId, at: usize, byte: u8) -> Diagnostic {
    // What is no text shows as U+FFFD, which takes three bytes.
    let span = Span { file, start: offset(at), end: offset(at + 3) };
    Diagnostic::new(diagnostic::NO_UTF8, format!("this file is not UTF-8: byte {at} is 0x{byte:02x}"))
        .at(span, "not UTF-8 from here")
        .help("save it as UTF-8")
}

/// Characters that no editor shows, or that make text look other than it is.
fn control_character(file: FileId, text: &str) -> Option<Diagnostic> {
    let is_bad = |character: char| {
        (character.is_control() && !matches!(character, '\t' | '\n' | '\r'))
            || matches!(character, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
    };
    let lone_return =
        || text.match_indices('\r').find(|(at, _)| !text[at + 1..].starts_with('\n')).map(|(at, _)| at);
    let at = text.find(is_bad).or_else(lone_return)?;
    let character = text[at..].chars().next()?;
    let span = Span { file, start: offset(at), end: offset(at + character.len_utf8()) };
    let name = match character {
        '\0' => "a NUL".to_owned(),
        '\r' => "a carriage return without a line feed".to_owned(),
        _ => format!("the invisible character U+{:04X}", u32::from(character)),
    };
    let help = match character {
        '\r' => "end lines with a line feed, with or without a carriage return before it",
        _ => "remove it; in a string write it as `\\0` or `\\u{…}`",
    };
    Some(
        Diagnostic::new(diagnostic::CONTROL_CHARACTER, format!("this file holds {name}"))
            .at(span, "")
            .help(help),
    )
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

/// `a/./b/../c` as `a/c`: by the letters alone, without a look at links.
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

/// One error for each circle of files, at an import of the one that was read first.
fn import_cycles(program: &Program, report: &mut Report) {
    let edges: Vec<Vec<usize>> = program.targets.iter().map(|targets| indices(targets)).collect();
    for cycle in graph::cycles(&edges) {
        let files: Vec<&str> = cycle.iter().map(|file| program.sources.files()[*file].path()).collect();
        let next = cycle.get(1).copied().unwrap_or(cycle[0]);
        let Some(closing) = import_of(program, cycle[0], next) else { continue };
        let mut diagnostic = Diagnostic::new(diagnostic::IMPORT_CYCLE, graph::told(&files, "imports"))
            .at(closing.path_span, "part of the circle")
            .help("move what both need into a file that imports neither");
        for (index, file) in cycle.iter().enumerate().skip(1).take(MAX_RELATED) {
            let next = cycle.get(index + 1).copied().unwrap_or(cycle[0]);
            if let Some(import) = import_of(program, *file, next) {
                diagnostic = diagnostic.related(import.path_span, "");
            }
        }
        report.add(diagnostic);
    }
}

/// How one file imports another.
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
