//! From `.proto` files to `.svc` files: what `zsvc import` writes.
//!
//! The front end is `protox`. What it says of a file has no comments in odd places and no text of options, so these are taken from
//! the text itself.
//!
//! - `source` reads files, and all that they import.
//! - `index` knows every type of them: what it becomes, and how it is named from elsewhere. `names` makes names of the language.
//! - `file` writes one file: `message`, `field`, `oneof`, `enumeration` and `service` are its parts.
//! - `comments` sees to it that no comment is lost; `unsaid` to what the language can't say, which becomes a comment and a note.
//! - `draft` is the text that grows. It has no layout: the formatter does that.

mod comments;
mod draft;
mod enumeration;
mod field;
mod file;
mod index;
mod literal;
mod message;
mod names;
mod oneof;
mod service;
mod source;
mod unsaid;

use std::collections::BTreeMap;
use std::path::PathBuf;

use zsvc_idl::{MemoryLoader, format};

use index::Index;
pub(crate) use source::Wrong;
use source::read;

/// How a field without presence (proto3, neither `optional` nor a message) is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Presence {
    /// `@default(0) size: u32`, which is absent where it has that value.
    Default,
    /// `size: u32?`
    Explicit,
}

/// What to import.
#[derive(Debug)]
pub(crate) struct Request {
    /// The `.proto` files.
    pub(crate) files: Vec<Asked>,
    /// The folders that imports, and the names of files, are relative to.
    pub(crate) roots: Vec<PathBuf>,
    pub(crate) presence: Presence,
}

/// A file to import.
#[derive(Debug)]
pub(crate) struct Asked {
    pub(crate) path: PathBuf,
    /// Whether it lies below a folder that was named, rather than having been named itself.
    pub(crate) is_found: bool,
}

/// What came of it.
#[derive(Debug)]
pub(crate) struct Imported {
    /// The `.svc` files, by their paths below the folder to write to.
    pub(crate) files: BTreeMap<String, String>,
    /// What could not be said, by file and line.
    pub(crate) notes: Vec<Note>,
}

/// Something that the language can't say.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Note {
    /// Name of the `.proto` file.
    pub(crate) file: String,
    /// Line in it, from 1.
    pub(crate) line: usize,
    pub(crate) text: String,
}

/// Reads `.proto` files and writes them anew, together with all files whose types they use.
pub(crate) fn import(request: &Request) -> Result<Imported, Wrong> {
    let sources = read(request)?;
    let index = Index::new(&sources);
    let mut imported = Imported { files: BTreeMap::new(), notes: sources.notes.clone() };
    let mut waiting: Vec<String> = sources.named.clone();
    let mut written_from: BTreeMap<String, String> = BTreeMap::new();
    while let Some(name) = waiting.pop() {
        let path = names::svc_path(&name);
        match written_from.get(&path) {
            Some(other) if *other == name => continue,
            Some(other) => return Err(two_of_a_path(other, &name, &path)),
            None => written_from.insert(path.clone(), name.clone()),
        };
        let Some(source) = sources.files.get(&name) else { continue };
        let written = file::write(source, &index, request.presence);
        waiting.extend(written.imports);
        imported.notes.extend(written.notes);
        imported.files.insert(path.clone(), formatted(&path, written.text)?);
    }
    imported.notes.sort();
    Ok(imported)
}

/// Returns the error of two `.proto` files that would be one `.svc` file.
fn two_of_a_path(one: &str, other: &str, path: &str) -> Wrong {
    Wrong::file(
        format!("`{one}` and `{other}` would both be written as `{path}`"),
        "name one of them otherwise, also where it is imported",
    )
}

/// Returns a text in the style of the language.
fn formatted(path: &str, text: String) -> Result<String, Wrong> {
    let formatting = format(&MemoryLoader::default().with(path, text), path);
    formatting.text.ok_or_else(|| {
        let first = formatting.diagnostics.first();
        let why = first.map(|diagnostic| diagnostic.message.clone()).unwrap_or_default();
        Wrong::file(
            format!("`{path}` would not be a file of the language: {why}"),
            "this is a mistake of `zsvc import`: please report it",
        )
    })
}
