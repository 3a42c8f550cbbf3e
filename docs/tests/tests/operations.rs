//! What docs/operations.md says of faults is tested: each row names a test that there is.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

fn repository() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

/// The last cell of each row of the table under "Faults", but for its head.
fn named(markdown: &str) -> Vec<&str> {
    let section = markdown.split("\n## ").find(|section| section.starts_with("Faults\n"));
    let rows = section.expect("the section is there").lines().filter(|line| line.starts_with("| "));
    rows.skip(1).map(|row| row.trim_end_matches(" |").rsplit('|').next().unwrap_or_default().trim()).collect()
}

/// The names of all tests in a folder and those below it.
fn tests_below(folder: &Path, tests: &mut BTreeSet<String>) {
    for entry in std::fs::read_dir(folder).expect("a folder of the repository") {
        let path = entry.expect("a readable entry").path();
        if path.is_dir() {
            tests_below(&path, tests);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            let text = std::fs::read_to_string(&path).expect("a readable file");
            let functions = text.split("#[test]\n").skip(1);
            tests.extend(
                functions.filter_map(|rest| Some(rest.split_once("fn ")?.1.split_once('(')?.0.to_owned())),
            );
        }
    }
}

#[test]
fn every_fault_names_a_test_that_there_is() {
    let markdown = std::fs::read_to_string(repository().join("docs/operations.md")).expect("a readable file");
    let mut tests = BTreeSet::new();
    tests_below(&repository().join("runtime/tests"), &mut tests);
    let named = named(&markdown);
    assert!(named.len() > 20, "{named:#?}");
    let unknown: Vec<_> = named.iter().filter(|name| !tests.contains(name.trim_matches('`'))).collect();
    assert!(unknown.is_empty(), "no such tests: {unknown:#?}");
    let once: BTreeSet<_> = named.iter().collect();
    assert_eq!(once.len(), named.len(), "each row has a test of its own");
}
