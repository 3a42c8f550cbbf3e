//! Tests that no file of zsvc is taken for one in another language, however much of it is written.

mod support;

use std::path::{Path, PathBuf};

use support::repository;
use zsvc_idl::{MemoryLoader, compile};

/// Returns all `.svc` files below a folder, except those in `target` and in hidden folders.
fn files_below(folder: &Path, files: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(folder).expect("a folder of the repository") {
        let path = entry.expect("a readable entry").path();
        let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
        if path.is_dir() && name != "target" && !name.starts_with('.') && name != "node_modules" {
            files_below(&path, files);
        } else if path.extension().is_some_and(|it| it == "svc") && !name.starts_with("E0117") {
            files.push(path);
        }
    }
}

/// Reports whether a text is taken for a file in another language.
fn is_other(text: &[u8]) -> bool {
    let loader = MemoryLoader::default().with("a.svc", text);
    let compilation = compile(&loader, &["a.svc".to_owned()], &[]);
    compilation.diagnostics.iter().any(|diagnostic| diagnostic.code.id() == "E0117")
}

fn files() -> Vec<(String, Vec<u8>)> {
    let mut paths = Vec::new();
    files_below(&repository(), &mut paths);
    assert!(paths.len() > 300, "only {} files were found", paths.len());
    let read = |path: PathBuf| (path.display().to_string(), std::fs::read(&path).expect("a readable file"));
    paths.into_iter().map(read).collect()
}

#[test]
fn no_file_of_the_repository_is_taken_for_another_language_whatever_mistakes_it_has() {
    for (path, text) in files() {
        assert!(!is_other(&text), "{path}");
    }
}

/// As files are while they are written, or pasted together: from some line on, up to some other.
#[test]
fn no_part_of_a_file_is_taken_for_another_language() {
    let of_cases = |path: &str| path.contains("idl/tests/") || path.contains("cli/tests/");
    for (path, text) in files().into_iter().filter(|(path, text)| !of_cases(path) && text.len() < 20_000) {
        let ends = (0..text.len()).filter(|end| text[*end] == b'\n');
        let starts: Vec<usize> = std::iter::once(0).chain(ends.map(|end| end + 1)).collect();
        for (line, start) in starts.iter().enumerate().step_by(1 + starts.len() / 60) {
            assert!(!is_other(&text[*start..]), "{path}, from line {}", line + 1);
            assert!(!is_other(&text[..*start]), "{path}, up to line {line}");
        }
    }
}
