//! Helpers of several tests: a loader for folders, and diagnostics as one text.

#![allow(dead_code, reason = "each test program uses a part of it")]

pub(crate) mod files;
pub(crate) mod holds;
pub(crate) mod words;

use std::path::PathBuf;

use zsvc_idl::diagnostic::{RenderStyle, render};
use zsvc_idl::lint::{Level, Levels, rules};
use zsvc_idl::{Compilation, LoadError, Loader};

/// A loader of the files in a folder.
pub(crate) struct Folder(PathBuf);

impl Folder {
    /// Returns the loader of a folder, relative to the root of the repository.
    pub(crate) fn of_repository(path: &str) -> Self {
        Self(repository().join(path))
    }
}

impl Loader for Folder {
    fn load(&self, path: &str) -> Result<Vec<u8>, LoadError> {
        std::fs::read(self.0.join(path)).map_err(|error| match error.kind() {
            std::io::ErrorKind::NotFound => LoadError::NotFound,
            _ => LoadError::Unreadable(error.to_string()),
        })
    }
}

/// Returns the root of the repository.
pub(crate) fn repository() -> PathBuf {
    PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/.."))
}

/// Returns all diagnostics as text, with an empty line between them.
pub(crate) fn rendered(compilation: &Compilation) -> String {
    let texts = compilation.diagnostics.iter();
    let texts: Vec<String> =
        texts.map(|diagnostic| render(diagnostic, &compilation.sources, RenderStyle::Plain) + "\n").collect();
    texts.join("\n")
}

/// Returns the code blocks of a document whose info starts with `svc`: line, info and text.
pub(crate) fn blocks(document: &str) -> Vec<(usize, String, String)> {
    let mut blocks = Vec::new();
    let mut lines = document.lines().enumerate();
    while let Some((number, line)) = lines.next() {
        let Some(info) = line.trim_start().strip_prefix("```") else { continue };
        let inside = lines.by_ref().map(|(_, line)| line).take_while(|line| line.trim_start() != "```");
        let text: String = inside.flat_map(|line| [line, "\n"]).collect();
        if info == "svc" || info.starts_with("svc,") {
            blocks.push((number + 1, info.to_owned(), text));
        }
    }
    blocks
}

/// Returns the lints to run for a case of a code: spelling, and the lint of that code, if there is one.
pub(crate) fn levels_for(code: &str) -> Levels {
    let mut levels = Levels::of_check();
    for rule in rules().filter(|rule| rule.code().id() == code) {
        levels.set(rule, Level::Warn);
    }
    levels
}
