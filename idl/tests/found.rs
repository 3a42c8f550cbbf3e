//! Checks the properties of all inputs for what fuzzing has found, in `found/`, and for what it starts from, in `cases/`.
//! `fuzz/` looks for more.

mod support;

use std::fs;

use support::{holds, repository};

#[test]
fn what_once_went_wrong_goes_well() {
    let mut replayed = 0;
    for folder in ["idl/tests/found", "idl/tests/cases", "idl/tests/format", "codegen/tests/golden"] {
        let entries = fs::read_dir(repository().join(folder)).expect("the folder is part of the repository");
        for path in entries.map(|entry| entry.expect("a readable entry").path()) {
            if path.extension().is_some_and(|extension| extension == "svc" || extension == "input") {
                println!("{}", path.display());
                let bytes = fs::read(&path).expect("the file was listed a moment ago");
                holds::check(&bytes);
                holds::formats(&bytes);
                holds::compares(&bytes);
                replayed += 1;
            }
        }
    }
    assert!(replayed > 100, "only {replayed} inputs were found");
}
