//! The texts that the editor has open, which stand in the place of files.

use std::collections::BTreeMap;
use std::path::Path;

use ls_types::{TextDocumentContentChangeEvent, Uri};
use zsvc_codegen::Disk;
use zsvc_idl::{LoadError, Loader};

use super::position::{Encoding, Lines};

/// Maximum size of all open texts together, in bytes. A text past it is not taken: its file on disk counts.
const MAX_OPEN_BYTES: usize = 512 * 1024 * 1024;

/// An open text.
#[derive(Debug)]
pub(super) struct Document {
    /// As the client names it.
    pub(super) uri: Uri,
    pub(super) version: i32,
    pub(super) text: String,
    /// The absolute path with links followed, where that is another one.
    identity: Option<String>,
}

/// All open texts, by path.
#[derive(Debug, Default)]
pub(super) struct Documents {
    open: BTreeMap<String, Document>,
    bytes: usize,
}

/// Returns the path of a document, whose parts are separated by `/`. What is no file has its URI for a path.
pub(super) fn path_of(uri: &Uri) -> String {
    let path = uri.scheme().as_str().eq_ignore_ascii_case("file").then(|| uri.to_file_path()).flatten();
    match path {
        Some(path) => normalized(&path.to_string_lossy().replace(std::path::MAIN_SEPARATOR, "/")),
        None => uri.as_str().to_owned(),
    }
}

/// Shortens `/a/./b/../c` to `/a/c`, as the compiler does with the paths of imports.
pub(super) fn normalized(path: &str) -> String {
    let mut parts: Vec<&str> = Vec::new();
    for part in path.split('/') {
        match part {
            "" | "." => {}
            ".." => {
                parts.pop();
            }
            part => parts.push(part),
        }
    }
    let root = if path.starts_with('/') { "/" } else { "" };
    format!("{root}{}", parts.join("/"))
}

impl Documents {
    /// Takes a text. Returns what is wrong if it is not taken.
    pub(super) fn open(&mut self, uri: Uri, version: i32, text: String) -> Result<(), String> {
        let path = path_of(&uri);
        self.close(&path);
        self.room(&path, text.len())?;
        let identity = Disk::default().identity(&path).filter(|identity| *identity != path);
        self.bytes += text.len();
        self.open.insert(path, Document { uri, version, text, identity });
        Ok(())
    }

    /// Applies changes in their order. Returns what is wrong if they are not applied.
    pub(super) fn change(
        &mut self,
        path: &str,
        version: i32,
        changes: Vec<TextDocumentContentChangeEvent>,
        encoding: Encoding,
    ) -> Result<(), String> {
        for change in changes {
            let Some(document) = self.open.get_mut(path) else {
                return Err(format!("`{path}` is changed, but it is not open"));
            };
            let before = document.text.len();
            match change.range {
                None => document.text = change.text,
                Some(range) => {
                    let lines = Lines::of(&document.text, encoding);
                    let (start, end) = (lines.byte(range.start), lines.byte(range.end));
                    document.text.replace_range(start.min(end)..end.max(start), &change.text);
                }
            }
            document.version = version;
            let after = document.text.len();
            self.bytes = self.bytes - before + after;
            if self.bytes > MAX_OPEN_BYTES {
                self.close(path);
                self.room(path, after)?;
            }
        }
        Ok(())
    }

    /// Returns what is wrong if there is no room for so many bytes.
    fn room(&self, path: &str, bytes: usize) -> Result<(), String> {
        if self.bytes + bytes <= MAX_OPEN_BYTES {
            return Ok(());
        }
        Err(format!(
            "`{path}` is not looked at while it is open: all open files together have more than {MAX_OPEN_BYTES} bytes"
        ))
    }

    /// Closes a text. Reports whether it was open.
    pub(super) fn close(&mut self, path: &str) -> bool {
        let closed = self.open.remove(path);
        self.bytes -= closed.as_ref().map_or(0, |document| document.text.len());
        closed.is_some()
    }

    /// Returns an open text.
    pub(super) fn get(&self, path: &str) -> Option<&Document> {
        self.open.get(path)
    }

    /// Returns all open texts, by path.
    pub(super) fn iter(&self) -> impl Iterator<Item = (&String, &Document)> {
        self.open.iter()
    }

    /// Returns how the client names a path.
    pub(super) fn uri(&self, path: &str) -> Option<Uri> {
        match self.open.get(path) {
            Some(document) => Some(document.uri.clone()),
            None => Uri::from_file_path(Path::new(path)),
        }
    }

    /// Returns the open text that stands in the place of a file: by its path, or through a link.
    fn in_place_of(&self, path: &str) -> Option<&Document> {
        if let Some(document) = self.open.get(path) {
            return Some(document);
        }
        if self.open.values().all(|document| document.identity.is_none()) {
            return None;
        }
        let identity = Disk::default().identity(path)?;
        let linked = || self.open.values().find(|document| document.identity.as_ref() == Some(&identity));
        self.open.get(&identity).or_else(linked)
    }
}

impl Loader for Documents {
    fn load(&self, path: &str) -> Result<Vec<u8>, LoadError> {
        match self.in_place_of(path) {
            Some(document) => Ok(document.text.clone().into_bytes()),
            None => Disk::default().load(path),
        }
    }

    fn identity(&self, path: &str) -> Option<String> {
        Disk::default().identity(path)
    }
}

#[cfg(test)]
mod tests {
    use std::str::FromStr;

    use ls_types::{Position, Range};

    use super::*;

    fn uri(text: &str) -> Uri {
        Uri::from_str(text).expect("a URI")
    }

    fn changed(text: &str, range: ((u32, u32), (u32, u32)), with: &str) -> String {
        let mut documents = Documents::default();
        documents.open(uri("file:///a.svc"), 1, text.to_owned()).expect("room");
        let position = |(line, character)| Position::new(line, character);
        let range = Some(Range::new(position(range.0), position(range.1)));
        let change = TextDocumentContentChangeEvent { range, range_length: None, text: with.to_owned() };
        documents.change("/a.svc", 2, vec![change], Encoding::Utf16).expect("room");
        assert_eq!(documents.bytes, documents.get("/a.svc").expect("it is open").text.len());
        documents.get("/a.svc").expect("it is open").text.clone()
    }

    #[test]
    fn parts_are_replaced() {
        assert_eq!(changed("one\ntwo\n", ((0, 1), (1, 2)), "\u{1f600}"), "o\u{1f600}o\n");
        assert_eq!(changed("\u{1f600}b", ((0, 2), (0, 3)), "c"), "\u{1f600}c");
        assert_eq!(changed("ab", ((9, 9), (9, 9)), "c"), "abc");
        assert_eq!(changed("abc", ((0, 2), (0, 1)), ""), "ac", "a range that ends before it starts");
    }

    #[test]
    fn there_is_room_for_so_much() {
        let mut documents = Documents { bytes: MAX_OPEN_BYTES - 1, ..Documents::default() };
        assert!(documents.open(uri("file:///a.svc"), 1, "ab".to_owned()).is_err());
        documents.open(uri("file:///a.svc"), 1, "a".to_owned()).expect("room");
        let change =
            TextDocumentContentChangeEvent { range: None, range_length: None, text: "abc".to_owned() };
        assert!(documents.change("/a.svc", 2, vec![change.clone()], Encoding::Utf8).is_err());
        assert!(documents.get("/a.svc").is_none());
        assert!(documents.change("/a.svc", 3, vec![change], Encoding::Utf8).is_err());
    }

    #[test]
    fn paths_are_short_and_others_stay() {
        assert_eq!(path_of(&uri("file:///a/./b/../c%20d.svc")), "/a/c d.svc");
        assert_eq!(path_of(&uri("untitled:Untitled-1")), "untitled:Untitled-1");
        assert_eq!(path_of(&uri("file:///../a.svc")), "/a.svc");
    }
}
