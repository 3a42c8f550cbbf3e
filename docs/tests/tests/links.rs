//! Checks that links between the documents have targets, and that the paths and modules in ARCHITECTURE.md exist.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use zsvc_docs::blocks::{Part, parts};

fn repository() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

fn read(path: &Path) -> String {
    std::fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// Returns the paths of all documents: those at the root of the repository, those in `docs/`, and the READMEs of the published crates.
fn documents() -> Vec<PathBuf> {
    let folders = ["", "docs", "idl", "codegen", "proto", "dynamic", "runtime", "cli"]
        .map(|folder| repository().join(folder));
    let entries =
        folders.iter().flat_map(|folder| std::fs::read_dir(folder).expect("a folder of the repository"));
    let paths = entries.map(|entry| entry.expect("a readable entry").path());
    paths.filter(|path| path.extension().is_some_and(|extension| extension == "md")).collect()
}

/// Returns the lines of a document outside of code blocks.
fn prose(markdown: &str) -> Vec<&str> {
    let lines = parts(markdown).into_iter().filter_map(|part| match part {
        Part::Line(line) => Some(line),
        Part::Block(_) => None,
    });
    lines.collect()
}

/// Returns the link targets in a line: the text in `](…)`.
fn targets(line: &str) -> impl Iterator<Item = &str> {
    line.split("](").skip(1).filter_map(|rest| rest.split(')').next())
}

/// Returns the anchor of a heading, as links name it.
fn anchor(heading: &str) -> String {
    let kept = heading.trim_start_matches('#').trim().chars();
    let kept = kept.filter(|it| it.is_alphanumeric() || matches!(it, ' ' | '-' | '_'));
    kept.map(|it| if it == ' ' { '-' } else { it.to_ascii_lowercase() }).collect()
}

fn anchors(markdown: &str) -> BTreeSet<String> {
    prose(markdown).into_iter().filter(|line| line.starts_with('#')).map(anchor).collect()
}

/// Returns an error message if a link of this document has no target.
fn wrong(document: &Path, target: &str) -> Option<String> {
    if target.starts_with("http") {
        return None;
    }
    let (file, heading) = target.split_once('#').unwrap_or((target, ""));
    let path = if file.is_empty() { document.to_owned() } else { document.with_file_name(file) };
    if !path.exists() {
        return Some(format!("{}: there is no `{target}`", document.display()));
    }
    let found = heading.is_empty() || anchors(&read(&path)).contains(heading);
    (!found).then(|| format!("{}: there is no heading for `{target}`", document.display()))
}

#[test]
fn links_lead_somewhere() {
    let mut all_wrong = Vec::new();
    for document in documents() {
        let text = read(&document);
        let targets = prose(&text).into_iter().flat_map(targets);
        all_wrong.extend(targets.filter_map(|target| wrong(&document, target)));
    }
    assert!(all_wrong.is_empty(), "{}", all_wrong.join("\n"));
}

/// Returns the texts in backticks that look like paths from the root of the repository.
fn paths(line: &str) -> impl Iterator<Item = &str> {
    let folders = ["idl/", "codegen/", "proto/", "runtime/", "cli/", "examples/", "docs/", "bench/", ".ci/"];
    let quoted = line.split('`').skip(1).step_by(2);
    let paths = quoted.filter(move |text| folders.iter().any(|folder| text.starts_with(folder)));
    // A path that contains a placeholder is a pattern.
    paths.filter(|path| !path.contains("NAME") && !path.contains("CODE"))
}

#[test]
fn the_paths_that_are_named_are_there() {
    for document in ["ARCHITECTURE.md", "CONTRIBUTING.md"] {
        let text = read(&repository().join(document));
        for path in prose(&text).into_iter().flat_map(paths) {
            assert!(repository().join(path).exists(), "{document} names `{path}`, which is not there");
        }
    }
}

/// Returns the names of a crate's top-level modules.
fn modules(source: &str) -> Vec<String> {
    let entries = std::fs::read_dir(repository().join(source)).expect("the sources of a crate");
    let names =
        entries.map(|entry| entry.expect("a readable entry").file_name().to_string_lossy().into_owned());
    let stems = names.map(|name| name.strip_suffix(".rs").unwrap_or(&name).to_owned());
    stems.filter(|stem| stem != "lib").collect()
}

#[test]
fn the_code_map_has_every_module() {
    let text = read(&repository().join("ARCHITECTURE.md"));
    for source in ["idl/src", "codegen/src", "proto/src", "runtime/src", "cli/src"] {
        let start = text.find(&format!("### `{source}`")).expect("a section for each crate");
        let section = &text[start + 4..];
        let section = &section[..section.find("\n##").unwrap_or(section.len())];
        for module in modules(source) {
            let named =
                [format!("`{module}`"), format!("`{module}/`")].iter().any(|name| section.contains(name));
            assert!(named, "ARCHITECTURE.md does not say what `{source}/{module}` is for");
        }
    }
}
