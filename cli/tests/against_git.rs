//! Tests `zsvc diff --against-git` in repositories that the test creates with git.

use std::fs;
use std::path::Path;
use std::process::{Command, Output};

use tempfile::TempDir;

const OLD: &str = "package shop.v1;\n\nimport \"parts.svc\" as parts;\n\nservice Shop {\n    rpc put(part: parts.Part);\n}\n";
const PARTS: &str = "package parts.v1;\n\nstruct Part {\n    size: u32 = 1;\n}\n";
const CHANGED: &str = "package parts.v1;\n\nstruct Part {\n    size: string = 1;\n}\n";

/// Creates a repository with `svc/shop.svc`, which imports `svc/parts.svc`, both committed.
fn repository() -> TempDir {
    let folder = tempfile::tempdir().expect("a folder for the test");
    git(folder.path(), &["init", "-q"]);
    write(&folder, "svc/shop.svc", OLD);
    write(&folder, "svc/parts.svc", PARTS);
    commit(&folder);
    folder
}

fn write(folder: &TempDir, path: &str, text: &str) {
    let path = folder.path().join(path);
    fs::create_dir_all(path.parent().expect("it lies in a folder")).expect("the folder is ours");
    fs::write(path, text).expect("the folder is ours");
}

fn commit(folder: &TempDir) {
    git(folder.path(), &["add", "."]);
    let who = ["-c", "user.name=somebody", "-c", "user.email=somebody@example.com"];
    git(folder.path(), &[&who[..], &["commit", "-q", "-m", "a state of things"]].concat());
}

fn git(folder: &Path, arguments: &[&str]) {
    let output = Command::new("git").args(arguments).current_dir(folder).output().expect("git is installed");
    assert!(output.status.success(), "git {arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
}

fn zsvc(folder: &Path, arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_zsvc"));
    command.arg("diff").args(arguments).current_dir(folder);
    command
}

/// Returns the exit status, the standard output and the standard error.
fn run(mut command: Command) -> (Option<i32>, String, String) {
    let Output { status, stdout, stderr } = command.output().expect("the command is built");
    let text = |bytes: Vec<u8>| String::from_utf8_lossy(&bytes).into_owned();
    (status.code(), text(stdout), text(stderr))
}

#[test]
fn nothing_has_changed() {
    let folder = repository();
    let outcome = run(zsvc(folder.path(), &["--against-git", "HEAD", "svc"]));
    assert_eq!(outcome, (Some(0), String::new(), String::new()));
}

#[test]
fn a_change_in_an_imported_file_is_told_with_both_places() {
    let folder = repository();
    write(&folder, "svc/parts.svc", CHANGED);
    let (status, told, said) = run(zsvc(folder.path(), &["--against-git", "HEAD", "svc/shop.svc"]));
    assert_eq!((status, said.as_str()), (Some(1), ""));
    assert!(told.starts_with("wire[D0308]: "), "{told}");
    assert!(told.contains("svc/parts.svc:4:11") && told.contains("HEAD:svc/parts.svc:4:11"), "{told}");
}

#[test]
fn paths_start_at_the_working_folder() {
    let folder = repository();
    write(&folder, "svc/parts.svc", CHANGED);
    let below = folder.path().join("svc");
    for path in ["shop.svc", ".", "../svc"] {
        let (status, told, said) = run(zsvc(&below, &["--against-git", "HEAD", path, "--format", "short"]));
        assert_eq!((status, said.as_str()), (Some(1), ""), "{path}: {told}");
        assert!(told.contains("wire[D0308]"), "{path}: {told}");
    }
    let absolute = folder.path().canonicalize().expect("it is there").join("svc/shop.svc");
    let absolute = absolute.to_str().expect("the folder has a plain name");
    let (status, told, said) =
        run(zsvc(folder.path(), &["--against-git", "HEAD", absolute, "--format", "short"]));
    assert_eq!((status, said.as_str()), (Some(1), ""), "{told}");
}

#[test]
fn the_files_of_the_project() {
    let folder = repository();
    write(&folder, "zsvc.toml", "roots = [\"svc\"]\n");
    write(&folder, "svc/parts.svc", CHANGED);
    let (status, told, said) = run(zsvc(folder.path(), &["--against-git", "HEAD", "--format", "short"]));
    assert_eq!((status, said.as_str()), (Some(1), ""), "{told}");
    assert_eq!(told.lines().count(), 1, "{told}");
}

#[test]
fn a_file_that_has_come_or_gone() {
    let folder = repository();
    write(&folder, "svc/new.svc", "package late.v1;\n\nstruct Late {\n    by: duration = 1;\n}\n");
    let (status, told, said) =
        run(zsvc(folder.path(), &["--against-git", "HEAD", "svc/new.svc", "--format", "short"]));
    assert_eq!((status, said.as_str()), (Some(0), ""));
    assert!(told.contains("safe[D0101]: package `late.v1` is new"), "{told}");
    commit(&folder);
    fs::remove_file(folder.path().join("svc/new.svc")).expect("it was written");
    for path in ["svc", "svc/new.svc"] {
        let (status, told, said) =
            run(zsvc(folder.path(), &["--against-git", "HEAD", path, "--format", "short"]));
        assert_eq!((status, said.as_str()), (Some(1), ""), "{path}");
        assert!(told.contains("source[D0102]: package `late.v1` is gone"), "{told}");
    }
}

#[test]
fn both_sides_pass_over_the_same_files() {
    let folder = repository();
    for path in ["svc/.hidden/h.svc", "svc/target/t.svc", "svc/.h.svc"] {
        write(&folder, path, "package hidden.v1;\n");
    }
    commit(&folder);
    let outcome = run(zsvc(folder.path(), &["--against-git", "HEAD", "svc"]));
    assert_eq!(outcome, (Some(0), String::new(), String::new()));
}

#[cfg(unix)]
#[test]
fn links_lead_to_the_same_files_on_both_sides() {
    use std::os::unix::fs::symlink;
    let folder = repository();
    write(&folder, "elsewhere/deep/late.svc", "package late.v1;\n");
    for (target, link) in [
        ("parts.svc", "svc/link.svc"),
        ("../elsewhere", "svc/folder"),
        ("..", "elsewhere/up"),
        ("nowhere.svc", "svc/gone.svc"),
        ("round.svc", "svc/round.svc"),
        ("/nowhere.svc", "svc/outside.svc"),
    ] {
        symlink(target, folder.path().join(link)).expect("the folder is ours");
    }
    commit(&folder);
    let outcome = run(zsvc(folder.path(), &["--against-git", "HEAD", "svc"]));
    assert_eq!(outcome, (Some(0), String::new(), String::new()));
    write(&folder, "elsewhere/deep/late.svc", "package later.v1;\n");
    let (_, told, _) = run(zsvc(folder.path(), &["--against-git", "HEAD", "svc", "--format", "short"]));
    assert!(told.contains("package `late.v1`"), "{told}");
}

#[test]
fn what_lies_outside_the_repository_has_no_older_state() {
    let folder = tempfile::tempdir().expect("a folder for the test");
    write(&folder, "shared/parts.svc", PARTS);
    write(&folder, "shop/zsvc.toml", "include = [\"../shared\"]\n");
    write(&folder, "shop/svc/shop.svc", OLD);
    let shop = folder.path().join("shop");
    git(&shop, &["init", "-q"]);
    let who = ["-c", "user.name=somebody", "-c", "user.email=somebody@example.com"];
    git(&shop, &["add", "."]);
    git(&shop, &[&who[..], &["commit", "-q", "-m", "a state of things"]].concat());
    let outcome = run(zsvc(&shop, &["--against-git", "HEAD"]));
    assert_eq!(outcome, (Some(0), String::new(), String::new()));
    let outcome = run(zsvc(&shop, &["svc", "svc"]));
    assert_eq!(outcome, (Some(0), String::new(), String::new()));
}

#[test]
fn a_file_that_is_gone_may_be_named_in_any_way() {
    let folder = repository();
    fs::remove_file(folder.path().join("svc/shop.svc")).expect("it was written");
    for path in ["svc/shop.svc", "./svc/shop.svc", "svc/../svc//shop.svc"] {
        let (status, told, said) =
            run(zsvc(folder.path(), &["--against-git", "HEAD", path, "--format", "short"]));
        assert_eq!((status, said.as_str()), (Some(1), ""), "{path}");
        assert!(told.contains("package `shop.v1` is gone"), "{path}: {told}");
    }
}

#[test]
fn an_older_side_that_does_not_compile() {
    let folder = repository();
    write(&folder, "svc/parts.svc", "package parts.v1;\n\nstruct Part {\n    size: u3 = 1;\n}\n");
    commit(&folder);
    write(&folder, "svc/parts.svc", PARTS);
    let (status, told, said) = run(zsvc(folder.path(), &["--against-git", "HEAD", "svc"]));
    assert_eq!((status, told.as_str()), (Some(1), ""));
    assert!(said.contains("error[E0201]") && said.contains("HEAD:svc/parts.svc:4:11"), "{said}");
}

#[test]
fn two_sides_that_do_not_compile_are_told_apart() {
    let folder = repository();
    write(&folder, "svc/parts.svc", "package parts.v1;\n\nstruct Part {\n    size: u3 = 1;\n}\n");
    let (status, told, said) = run(zsvc(folder.path(), &["svc", "svc"]));
    assert_eq!((status, told.as_str()), (Some(1), ""));
    assert_eq!(said.matches("error[E0201]").count(), 2, "{said}");
    assert_eq!(said.matches("\n\nerror[E0201]").count(), 1, "{said}");
}

#[test]
fn a_minus_is_no_file() {
    let folder = repository();
    let (status, _, said) = run(zsvc(folder.path(), &["-", "svc"]));
    assert_eq!(status, Some(2), "{said}");
    assert!(said.contains("which `zsvc check`, `lint` and `fmt` read") && said.contains("`./-`"), "{said}");
}

#[test]
fn what_git_does_not_have() {
    let folder = repository();
    for revision in ["nowhere", "-x", "HEAD~7", ""] {
        let argument = format!("--against-git={revision}");
        let (status, _, said) = run(zsvc(folder.path(), &[&argument, "svc"]));
        assert_eq!(status, Some(2), "{said}");
        assert!(said.contains("git knows no revision") || said.contains("a value is required"), "{said}");
    }
    let elsewhere = tempfile::tempdir().expect("a folder for the test");
    let mut command = zsvc(elsewhere.path(), &["--against-git", "HEAD", "svc"]);
    command.env("GIT_CEILING_DIRECTORIES", elsewhere.path().parent().expect("it lies somewhere"));
    let (status, _, said) = run(command);
    assert_eq!(status, Some(2), "{said}");
    assert!(said.contains("the working folder is not in a git repository"), "{said}");
}

#[test]
fn without_git() {
    let folder = repository();
    let mut command = zsvc(folder.path(), &["--against-git", "HEAD", "svc"]);
    command.env("PATH", folder.path());
    let (status, _, said) = run(command);
    assert_eq!(status, Some(2), "{said}");
    assert!(said.contains("`git`, which reads the older files, can't be run"), "{said}");
}

#[test]
fn nothing_to_compare() {
    let folder = repository();
    let (status, _, said) = run(zsvc(folder.path(), &["--against-git", "HEAD"]));
    assert_eq!(status, Some(2), "{said}");
    assert!(said.contains("no file is named"), "{said}");
    let (status, _, said) = run(zsvc(folder.path(), &["--against-git", "HEAD", "nowhere.svc"]));
    assert_eq!(status, Some(2), "{said}");
    assert!(said.contains("nowhere.svc"), "{said}");
}

#[test]
fn imports_are_looked_for_in_the_folders_named() {
    let folder = repository();
    write(
        &folder,
        "svc/deep/all.svc",
        "package all.v1;\n\nimport \"parts.svc\" as parts;\n\nservice All {\n    rpc all(part: parts.Part);\n}\n",
    );
    commit(&folder);
    write(&folder, "svc/parts.svc", CHANGED);
    let (status, told, said) = run(zsvc(folder.path(), &["--against-git", "HEAD", "svc"]));
    assert_eq!((status, said.as_str()), (Some(1), ""));
    assert!(told.starts_with("wire[D0308]: "), "{told}");
    let (status, _, said) = run(zsvc(folder.path(), &["--against-git", "HEAD", "svc", "-I", "nowhere"]));
    assert!(status == Some(2) && said.contains("there is no folder `nowhere`"), "{said}");
}
