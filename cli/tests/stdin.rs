//! Tests `check -` and `lint -`: a text from standard input that stands for a file.

use std::fs;
use std::io::Write;
use std::path::Path;
use std::process::{Command, Stdio};

/// Runs a command line in a folder; returns its exit status and its output.
fn zsvc(folder: &Path, arguments: &str, input: &str) -> (Option<i32>, String) {
    let mut child = Command::new(env!("CARGO_BIN_EXE_zsvc"))
        .args(arguments.split_whitespace())
        .current_dir(folder)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("the command was built for this test");
    // A command that is used wrongly ends without reading.
    let _ = child.stdin.take().expect("a pipe").write_all(input.as_bytes());
    let output = child.wait_with_output().expect("the command ends");
    let told = [output.stdout, output.stderr].concat();
    (output.status.code(), String::from_utf8(told).expect("text"))
}

/// Creates a folder with `svc/money.svc` and `svc/bank.svc`, which import each other's types.
fn folder() -> tempfile::TempDir {
    let folder = tempfile::tempdir().expect("a folder for the test");
    fs::create_dir(folder.path().join("svc")).expect("a folder below");
    let write = |name: &str, text: &str| {
        fs::write(folder.path().join("svc").join(name), text).expect("the folder is ours");
    };
    write("money.svc", "package money.v1;\n\nstruct Old { units: i64 = 1; }\n");
    write(
        "bank.svc",
        "package bank.v1;\n\nimport \"money.svc\" as money;\n\nstruct Account { has: money.Amount = 1; }\n",
    );
    folder
}

#[test]
fn a_text_from_standard_input_is_checked() {
    let folder = folder();
    assert_eq!(zsvc(folder.path(), "check -", "package a.v1;\n"), (Some(0), String::new()));
    let (status, told) =
        zsvc(folder.path(), "check - --format short", "package a.v1;\nstruct A { a: B = 1; }\n");
    assert_eq!((status, told.as_str()), (Some(1), "<stdin>:2:15: error[E0201]: there is no type `B`\n"));
    let (status, told) = zsvc(folder.path(), "lint - --format short", "package a;\nservice A { rpc a(); }\n");
    assert!(status == Some(0) && told.contains("<stdin>:1:9: warning[W0109]"), "{told}");
}

#[test]
fn it_stands_for_the_file_of_its_name() {
    let folder = folder();
    let text = "package shop.v1;\n\nimport \"money.svc\" as money;\n\nstruct Price { of: money.Old = 1; }\n";
    let outcome = zsvc(folder.path(), "check - --stdin-path svc/shop.svc", text);
    assert_eq!(outcome, (Some(0), String::new()));
    let (status, told) = zsvc(folder.path(), "check - --stdin-path shop.svc --format short", text);
    assert!(status == Some(1) && told.starts_with("shop.svc:3:8: error[E0002]"), "{told}");
}

#[test]
fn what_imports_the_file_gets_this_text() {
    let folder = folder();
    let text = "package money.v1;\n\nimport \"bank.svc\";\n\nstruct Amount { units: i64 = 1; }\n";
    let (status, told) = zsvc(folder.path(), "check - --stdin-path svc/money.svc --format short", text);
    // The file on disk declares no `Amount`, and imports nothing.
    assert!(status == Some(1) && told.starts_with("svc/money.svc:3:8: error[E0003]"), "{told}");
    assert_eq!(told.lines().count(), 1, "{told}");
}

#[test]
fn wrong_uses_are_told() {
    let folder = folder();
    let (status, told) = zsvc(folder.path(), "check - svc", "");
    assert!(status == Some(2) && told.contains("can't be read together with files"), "{told}");
    let (status, told) = zsvc(folder.path(), "check svc --stdin-path a.svc", "");
    assert!(status == Some(2) && told.contains("which is not named"), "{told}");
    let (status, told) = zsvc(folder.path(), "gen - --out out", "");
    assert!(status == Some(2) && told.contains("`-` is standard input"), "{told}");
}
