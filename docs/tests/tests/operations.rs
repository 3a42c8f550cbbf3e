//! Checks docs/operations.md: each fault names an existing test, and the metrics have the names that the runtime records. Checks that each
//! protection of docs/security.md names an existing test, too.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

fn repository() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

/// Returns the last cell of each row of the table under a heading, without its head.
fn named<'a>(markdown: &'a str, heading: &str) -> Vec<&'a str> {
    let section = markdown.split("\n## ").find(|section| section.starts_with(heading));
    let rows = section.expect("the section is there").lines().filter(|line| line.starts_with("| "));
    rows.skip(1).map(|row| row.trim_end_matches(" |").rsplit('|').next().unwrap_or_default().trim()).collect()
}

/// Collects the names of all tests in a folder and the folders below it.
fn tests_below(folder: &Path, tests: &mut BTreeSet<String>) {
    for entry in std::fs::read_dir(folder).expect("a folder of the repository") {
        let path = entry.expect("a readable entry").path();
        if path.is_dir() {
            tests_below(&path, tests);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            let text = std::fs::read_to_string(&path).expect("a readable file");
            let functions = text.split("test]\n").skip(1);
            tests.extend(
                functions.filter_map(|rest| Some(rest.split_once("fn ")?.1.split_once('(')?.0.to_owned())),
            );
        }
    }
}

/// Checks that each row of a table names a test of its own that there is below some folders.
fn check_faults(heading: &str, folders: &[&str]) {
    let markdown = std::fs::read_to_string(repository().join("docs/operations.md")).expect("a readable file");
    let mut tests = BTreeSet::new();
    for folder in folders {
        tests_below(&repository().join(folder), &mut tests);
    }
    let named = named(&markdown, heading);
    assert!(named.len() > 15, "{named:#?}");
    let unknown: Vec<_> = named.iter().filter(|name| !tests.contains(name.trim_matches('`'))).collect();
    assert!(unknown.is_empty(), "no such tests: {unknown:#?}");
    let once: BTreeSet<_> = named.iter().collect();
    assert_eq!(once.len(), named.len(), "each row has a test of its own");
}

#[test]
fn every_fault_names_a_test_that_there_is() {
    check_faults("Faults\n", &["proto/src", "proto/tests", "runtime/src", "runtime/tests"]);
}

#[test]
fn every_fault_behind_a_router_names_a_test_that_there_is() {
    check_faults("Faults behind a router\n", &["router/src", "router/tests", "cli/tests"]);
}

#[test]
fn every_protection_names_a_test_that_there_is() {
    let markdown = std::fs::read_to_string(repository().join("docs/security.md")).expect("a readable file");
    let mut tests = BTreeSet::new();
    for folder in ["proto/src", "runtime/src", "runtime/tests", "router/tests"] {
        tests_below(&repository().join(folder), &mut tests);
    }
    let named = named(&markdown, "What is protected");
    assert!(named.len() > 10, "{named:#?}");
    let unknown: Vec<_> = named.iter().filter(|name| !tests.contains(name.trim_matches('`'))).collect();
    assert!(unknown.is_empty(), "no such tests: {unknown:#?}");
}

/// Returns every word of a text that starts like the name of a metric.
fn metrics_in(text: &str) -> BTreeSet<String> {
    let words = text.split(|letter: char| !letter.is_ascii_alphanumeric() && letter != '_');
    // The crate is none.
    words.filter(|word| word.starts_with("zsvc_") && *word != "zsvc_proto").map(str::to_owned).collect()
}

/// Returns the names in the first cells of the tables under "Metrics"; `END` stands for both ends.
fn documented_metrics(markdown: &str) -> BTreeSet<String> {
    let section = markdown.split("\n## ").find(|section| section.starts_with("Metrics\n"));
    let rows =
        section.expect("the section is there").lines().filter_map(|line| line.strip_prefix("| `zsvc_"));
    let names = rows.filter_map(|row| row.split('|').next()).map(|cell| format!("zsvc_{cell}"));
    let ends = names.flat_map(|name| [name.replace("_END_", "_server_"), name.replace("_END_", "_client_")]);
    ends.flat_map(|names| metrics_in(&names)).collect()
}

#[test]
fn every_metric_is_in_the_table_and_every_row_is_one() {
    let read = |path: &str| std::fs::read_to_string(repository().join(path)).expect("a readable file");
    let sources = [
        "telemetry.rs",
        "middleware/meter.rs",
        "connection/counters.rs",
        "peer/counters.rs",
        "publish/counters.rs",
        "curve/access/mod.rs",
        "auth/jwt/mod.rs",
    ]
    .map(|file| {
        let text = read(&format!("runtime/src/{file}"));
        metrics_in(&text)
    });
    let recorded: BTreeSet<String> = sources.into_iter().flatten().collect();
    assert!(recorded.len() > 20, "{recorded:#?}");
    assert_eq!(documented_metrics(&read("docs/operations.md")), recorded);
}
