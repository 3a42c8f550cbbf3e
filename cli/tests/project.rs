//! Tests projects as the command finds them: from folders below, with their errors, and with stale outputs.
//!
//! The content of project files is tested in `zsvc-codegen`.

use std::fs;
use std::path::Path;
use std::process::Command;

use tempfile::TempDir;

const TOML: &str = "roots = [\"svc\"]\n[[generate]]\nout = \"src/all\"\n[[generate]]\nout = \"src/client\"\nsides = \"client\"\n";
const SHOP: &str = "package shop.v1;\n\nservice Shop { rpc open(); }\n";

fn project(toml: &str) -> TempDir {
    let folder = tempfile::tempdir().expect("a folder for the test");
    fs::create_dir_all(folder.path().join("svc/deep")).expect("folders below");
    fs::write(folder.path().join("svc/shop.svc"), SHOP).expect("a schema");
    fs::write(folder.path().join("zsvc.toml"), toml).expect("a project file");
    folder
}

/// Runs a command line in a folder; returns its exit status and its output.
fn zsvc(folder: &Path, arguments: &str) -> (i32, String) {
    let mut command = Command::new(env!("CARGO_BIN_EXE_zsvc"));
    let command = command.args(arguments.split_whitespace()).current_dir(folder);
    let output = command.output().expect("the command that was just built");
    let told = [output.stdout, output.stderr].concat();
    (output.status.code().expect("an exit"), String::from_utf8(told).expect("text"))
}

#[test]
fn a_project_is_found_from_below_and_written_where_it_says() {
    let folder = project(TOML);
    let below = folder.path().join("svc/deep");
    assert_eq!(zsvc(&below, "check"), (0, String::new()));
    let (status, told) = zsvc(&below, "gen --check --format short");
    let missing = "error: `../../src/all/mod.rs` is missing\nerror: `../../src/client/mod.rs` is missing\n";
    assert_eq!((status, told.as_str()), (1, missing));
    assert_eq!(zsvc(&below, "gen"), (0, String::new()));
    assert_eq!(zsvc(&below, "gen --check"), (0, String::new()));
    let text = |path: &str| fs::read_to_string(folder.path().join(path)).expect("generated code");
    assert!(
        text("src/all/mod.rs").contains("ShopServer") && !text("src/client/mod.rs").contains("ShopServer")
    );
    fs::write(folder.path().join("svc/shop.svc"), SHOP.replace("open", "close")).expect("another schema");
    let (status, told) = zsvc(folder.path(), "gen --check --format short");
    assert!(status == 1 && told.starts_with("error: `src/all/mod.rs` is stale"), "{told}");
}

#[test]
fn what_is_wrong_is_told_once_though_there_are_two_outputs() {
    let folder = project(TOML);
    fs::write(folder.path().join("svc/shop.svc"), "package shop.v1;\nstruct A { a: Missing = 1; }\n")
        .expect("a schema");
    let (status, told) = zsvc(folder.path(), "gen --format short");
    let expected = "svc/shop.svc:2:15: error[E0201]: there is no type `Missing`\n";
    assert_eq!((status, told.as_str()), (1, expected));
    assert!(!folder.path().join("src").exists(), "nothing is written");
}

#[test]
fn a_project_that_is_wrong_is_told_by_every_command() {
    let folder = project("root = [\"svc\"]\n");
    for arguments in ["check", "lint", "gen", "fmt", "lint --list"] {
        let (status, told) = zsvc(folder.path(), arguments);
        let expected = "error[E0502]: there is no key `root`\n --> zsvc.toml:1:1\n";
        assert!(status == 1 && told.starts_with(expected), "{arguments}: {told}");
    }
}

#[test]
fn an_output_that_names_an_unknown_type_is_told_in_the_project_file() {
    let folder = project("[[generate]]\nout = \"src\"\nderive = { \"shop.v1.Item\" = \"Eq\" }\n");
    let (status, told) = zsvc(folder.path(), "gen --format short");
    let expected = "zsvc.toml:3:12: error[E0503]: no file declares a type `shop.v1.Item`\n";
    assert_eq!((status, told.as_str()), (1, expected));
}

#[test]
fn a_project_without_outputs_or_files_says_so() {
    let folder = project("roots = [\"svc\"]\n");
    let (status, told) = zsvc(folder.path(), "gen --format short");
    assert_eq!((status, told.as_str()), (2, "error: `zsvc.toml` has no `[[generate]]`\n"));
    fs::remove_file(folder.path().join("svc/shop.svc")).expect("it was there");
    let (status, told) = zsvc(folder.path(), "check --format short");
    assert_eq!(
        (status, told.as_str()),
        (1, "zsvc.toml:1:9: error[E0503]: there is no .svc file below `svc`\n")
    );
}

#[cfg(unix)]
#[test]
fn a_circle_of_links_in_a_project_ends() {
    let folder = project(TOML);
    std::os::unix::fs::symlink("../..", folder.path().join("svc/deep/up")).expect("a link");
    assert_eq!(zsvc(folder.path(), "check"), (0, String::new()));
}

#[test]
fn imports_are_looked_for_in_the_roots() {
    let folder = project("roots = [\"svc\"]\n");
    let text = "package deep.v1;\n\nimport \"shop.svc\";\nimport \"deep/other.svc\";\n";
    fs::write(folder.path().join("svc/deep/deep.svc"), text).expect("a schema");
    fs::write(folder.path().join("svc/deep/other.svc"), "package other.v1;\n").expect("a schema");
    assert_eq!(zsvc(folder.path(), "check"), (0, String::new()));
    assert_eq!(zsvc(&folder.path().join("svc/deep"), "check deep.svc"), (0, String::new()));
}
