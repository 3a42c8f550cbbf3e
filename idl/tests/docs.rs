//! Tests the `svc` blocks of the documents.
//!
//! A plain block compiles without any diagnostic. One marked `fragment` holds members or declarations that need others, so only
//! its syntax is checked. One marked `error=CODE` shows a mistake, which has that code and no other. The blocks of
//! docs/diagnostics.md are those of the pages, which `pages.rs` compiles.

mod support;

use std::path::PathBuf;

use support::{Folder, blocks, rendered, repository};
use zsvc_idl::{Compilation, LoadError, Loader, MemoryLoader, compile, format};

/// A loader of the files of the examples, and of the one under test.
struct Beside {
    examples: Folder,
    text: String,
}

impl Loader for Beside {
    fn load(&self, path: &str) -> Result<Vec<u8>, LoadError> {
        if path == "block.svc" { Ok(self.text.clone().into_bytes()) } else { self.examples.load(path) }
    }
}

fn compiled(text: &str) -> Compilation {
    let has_package = text.lines().any(|line| line.starts_with("package "));
    let text = if has_package { text.to_owned() } else { format!("package block.v1;\n{text}") };
    let loader = Beside { examples: Folder::of_repository("examples/tape/svc"), text };
    compile(&loader, &["block.svc".to_owned()], &[])
}

/// Returns all documents that have blocks.
fn documents() -> Vec<PathBuf> {
    let entries = std::fs::read_dir(repository().join("docs")).expect("the folder is part of the repository");
    let paths = entries.map(|entry| entry.expect("a readable entry").path());
    let mut documents: Vec<PathBuf> =
        paths.filter(|path| path.extension().is_some_and(|extension| extension == "md")).collect();
    documents.retain(|path| !path.ends_with("diagnostics.md"));
    documents.extend(Some(repository().join("README.md")).filter(|path| path.exists()));
    documents.sort();
    documents
}

/// Parses declarations, or members of any kind of declaration.
fn is_well_formed(text: &str) -> bool {
    let wrapped =
        ["struct", "enum", "union", "error", "service"].map(|what| format!("{what} Block {{\n{text}}}\n"));
    std::iter::once(text.to_owned()).chain(wrapped).any(|text| {
        let told = compiled(&text).diagnostics;
        !told.iter().any(|diagnostic| diagnostic.code.id().starts_with("E01"))
    })
}

/// Checks that a block that can be formatted on its own follows the style.
fn assert_style(place: &str, text: &str) {
    let loader = MemoryLoader::default().with("block.svc", text);
    if let Some(formatted) = format(&loader, "block.svc").text {
        assert_eq!(formatted, text, "{place} is not in the style");
    }
}

fn check(place: &str, info: &str, text: &str) {
    assert_style(place, text);
    if info == "svc,fragment" {
        return assert!(is_well_formed(text), "{place}: {}", rendered(&compiled(text)));
    }
    let compilation = compiled(text);
    let Some(code) = info.strip_prefix("svc,error=") else {
        assert_eq!(info, "svc", "{place}");
        return assert_eq!(rendered(&compilation), "", "{place}");
    };
    let told: Vec<&str> = compilation.diagnostics.iter().map(|diagnostic| diagnostic.code.id()).collect();
    assert!(!told.is_empty() && told.iter().all(|told| *told == code), "{place}: {}", rendered(&compilation));
}

#[test]
fn every_block_says_what_is_true() {
    let mut checked = 0;
    for path in documents() {
        let document = std::fs::read_to_string(&path).expect("the document was listed a moment ago");
        for (line, info, text) in blocks(&document) {
            check(&format!("{}:{line}", path.display()), &info, &text);
            checked += 1;
        }
    }
    assert!(checked > 5, "only {checked} blocks were found");
}
