//! Checks that what fuzzing has found, and the cases of the language, give Rust or errors and never panic.

#[path = "../../idl/tests/support/files.rs"]
mod files;
#[path = "support/holds.rs"]
mod holds;

use std::fs;
use std::path::Path;

#[test]
fn whatever_has_a_schema_becomes_rust() {
    let mut replayed = 0;
    for folder in ["../idl/tests/found", "../idl/tests/cases", "tests/golden", "tests/compiled/svc"] {
        let entries =
            fs::read_dir(Path::new(env!("CARGO_MANIFEST_DIR")).join(folder)).expect("a folder of inputs");
        for path in entries.map(|entry| entry.expect("a readable entry").path()) {
            if path.extension().is_some_and(|extension| extension == "svc" || extension == "input") {
                println!("{}", path.display());
                holds::generates(&fs::read(&path).expect("the file was listed a moment ago"));
                replayed += 1;
            }
        }
    }
    assert!(replayed > 100, "only {replayed} inputs were found");
}
