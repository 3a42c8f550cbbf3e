//! Tests what of `fmt` needs more than a command line: standard input, links, and files that can't be written.

use std::fs;
use std::io::Write;
use std::path::Path;
use std::process::{Command, Output, Stdio};

const LOOSE: &str = "package a.v1;struct A{a:u8=1;}";
const NEAT: &str = "package a.v1;\n\nstruct A { a: u8 = 1; }\n";

fn fmt(folder: &Path, arguments: &[&str], input: &str) -> Output {
    let mut child = Command::new(env!("CARGO_BIN_EXE_zsvc"))
        .arg("fmt")
        .args(arguments)
        .current_dir(folder)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("the command was built for this test");
    child.stdin.take().expect("a pipe").write_all(input.as_bytes()).expect("the command reads it");
    child.wait_with_output().expect("the command ends")
}

fn fmt_input(arguments: &[&str], input: &str) -> (Option<i32>, String, String) {
    let folder = tempfile::tempdir().expect("a folder for the test");
    let output = fmt(folder.path(), arguments, input);
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).expect("UTF-8");
    (output.status.code(), text(output.stdout), text(output.stderr))
}

#[test]
fn standard_input_goes_to_standard_output() {
    assert_eq!(fmt_input(&["-"], LOOSE), (Some(0), NEAT.to_owned(), String::new()));
    assert_eq!(fmt_input(&["-"], NEAT), (Some(0), NEAT.to_owned(), String::new()));
    assert_eq!(fmt_input(&["--check", "-"], NEAT), (Some(0), String::new(), String::new()));
    assert_eq!(fmt_input(&["--check", "-"], LOOSE), (Some(1), "<stdin>\n".to_owned(), String::new()));
    let (status, diff, _) = fmt_input(&["--diff", "-"], LOOSE);
    assert_eq!((status, diff.contains("+struct A { a: u8 = 1; }\n")), (Some(1), true));
}

#[test]
fn of_wrong_input_nothing_comes_out() {
    let (status, text, told) = fmt_input(&["-"], "package a.v1; struct A {");
    assert_eq!((status, text.as_str()), (Some(1), ""));
    assert!(told.contains("error[E0103]") && told.contains("<stdin>:1:24"), "{told}");
}

#[test]
fn where_nobody_reads_nothing_is_said() {
    let folder = tempfile::tempdir().expect("a folder for the test");
    for name in ["a.svc", "b.svc", "c.svc"] {
        fs::write(folder.path().join(name), LOOSE).expect("the folder is ours");
    }
    let (reader, writer) = std::io::pipe().expect("a pipe");
    drop(reader);
    let output = Command::new(env!("CARGO_BIN_EXE_zsvc"))
        .args(["fmt", "--check", "."])
        .current_dir(folder.path())
        .stdout(writer)
        .output()
        .expect("the command was built for this test");
    assert_eq!((output.status.code(), String::from_utf8_lossy(&output.stderr).as_ref()), (Some(2), ""));
}

#[test]
fn a_read_only_file_stays_and_the_others_are_written() {
    let folder = tempfile::tempdir().expect("a folder for the test");
    let (locked, free) = (folder.path().join("locked.svc"), folder.path().join("free.svc"));
    for path in [&locked, &free] {
        fs::write(path, LOOSE).expect("a file for the test");
    }
    let mut permissions = fs::metadata(&locked).expect("the file").permissions();
    permissions.set_readonly(true);
    fs::set_permissions(&locked, permissions).expect("permissions set");
    let output = fmt(folder.path(), &["locked.svc", "free.svc"], "");
    let told = String::from_utf8(output.stderr).expect("UTF-8");
    assert_eq!(output.status.code(), Some(2));
    assert!(told.contains("`locked.svc` can't be written: it is read-only"), "{told}");
    assert_eq!(fs::read_to_string(&locked).expect("the file"), LOOSE);
    assert_eq!(fs::read_to_string(&free).expect("the file"), NEAT);
    assert_eq!(fs::read_dir(folder.path()).expect("the folder").count(), 2, "nothing is left beside them");
}

#[test]
fn a_file_in_the_style_is_not_touched() {
    let folder = tempfile::tempdir().expect("a folder for the test");
    let path = folder.path().join("neat.svc");
    fs::write(&path, NEAT).expect("a file for the test");
    let long_ago = std::time::SystemTime::UNIX_EPOCH;
    let file = fs::File::options().append(true).open(&path).expect("the file");
    file.set_modified(long_ago).expect("a time set back");
    assert_eq!(fmt(folder.path(), &["neat.svc"], "").status.code(), Some(0));
    assert_eq!(fs::metadata(&path).and_then(|it| it.modified()).expect("its time"), long_ago);
}

#[cfg(unix)]
#[test]
fn a_link_stays_a_link() {
    let folder = tempfile::tempdir().expect("a folder for the test");
    fs::write(folder.path().join("real.svc"), LOOSE).expect("a file for the test");
    std::os::unix::fs::symlink("real.svc", folder.path().join("link.svc")).expect("a link");
    assert_eq!(fmt(folder.path(), &["link.svc"], "").status.code(), Some(0));
    let link = fs::symlink_metadata(folder.path().join("link.svc")).expect("the link");
    assert!(link.is_symlink());
    assert_eq!(fs::read_to_string(folder.path().join("real.svc")).expect("the file"), NEAT);
}

#[test]
fn a_byte_order_mark_and_carriage_returns_go() {
    let folder = tempfile::tempdir().expect("a folder for the test");
    let path = folder.path().join("marked.svc");
    let text = format!("\u{feff}{}", NEAT.replace('\n', "\r\n"));
    fs::write(&path, text).expect("a file for the test");
    assert_eq!(fmt(folder.path(), &["--check", "."], "").stdout, b"marked.svc\n");
    assert_eq!(fmt(folder.path(), &["."], "").status.code(), Some(0));
    assert_eq!(fs::read_to_string(&path).expect("the file"), NEAT);
}
