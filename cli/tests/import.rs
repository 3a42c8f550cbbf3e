//! `zsvc import` over `tests/import/proto`, whose files have every construct of protobuf: what is written and told, that it checks and
//! is in the style, and that no comment is lost. That generated code of it compiles is shown by `codegen/tests/compiled`.
//!
//! `SNAPSHOTS=overwrite` updates `tests/import/svc`, `tests/import/explicit` and `tests/import/notes.txt`.
#![cfg(feature = "import")]

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::time::{Duration, Instant};

const PROTO: &str = "tests/import/proto";

fn zsvc(arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_zsvc")).args(arguments).output().expect("the command runs")
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).expect("output in UTF-8")
}

/// Imports into a folder. Returns what was told.
fn import(from: &str, options: &[&str], out: &Path) -> String {
    let out = out.to_str().expect("a path in UTF-8");
    let output = zsvc(&[&["import", from, "--out", out], options].concat());
    let told = text(&output.stderr);
    assert_eq!(output.status.code(), Some(0), "{told}");
    assert_eq!(text(&output.stdout), "");
    told
}

/// Returns the files below a folder with their texts, by their paths in it.
fn files(folder: &Path) -> BTreeMap<PathBuf, String> {
    let mut files = BTreeMap::new();
    let mut waiting = vec![folder.to_owned()];
    while let Some(path) = waiting.pop() {
        for entry in fs::read_dir(&path).expect("a folder") {
            let path = entry.expect("an entry").path();
            if path.is_dir() {
                waiting.push(path);
            } else {
                let name = path.strip_prefix(folder).expect("a path below").to_owned();
                files.insert(name, fs::read_to_string(&path).expect("a text"));
            }
        }
    }
    files
}

fn compare(found: &BTreeMap<PathBuf, String>, golden: &str) {
    if std::env::var("SNAPSHOTS").is_ok_and(|value| value == "overwrite") {
        let _ = fs::remove_dir_all(golden);
        for (name, text) in found {
            let path = Path::new(golden).join(name);
            fs::create_dir_all(path.parent().expect("a folder")).expect("a new folder");
            fs::write(path, text).expect("a new file");
        }
    }
    let golden = files(Path::new(golden));
    for (name, text) in found {
        assert_eq!(Some(text), golden.get(name), "{}", name.display());
    }
    assert_eq!(found.len(), golden.len(), "files that are no longer written: {:?}", golden.keys());
}

#[test]
fn every_construct_is_written_as_the_goldens_say() {
    let out = tempfile::tempdir().expect("a folder");
    let told = import(PROTO, &[], out.path());
    compare(&files(out.path()), "tests/import/svc");
    let notes = BTreeMap::from([(PathBuf::from("notes.txt"), told)]);
    compare(&notes, "tests/import/notes");
}

#[test]
fn presence_may_be_explicit() {
    let out = tempfile::tempdir().expect("a folder");
    import("tests/import/proto/scalars.proto", &["--presence", "explicit"], out.path());
    compare(&files(out.path()), "tests/import/explicit");
}

#[test]
fn what_is_written_checks_and_is_in_the_style() {
    for presence in ["default", "explicit"] {
        let out = tempfile::tempdir().expect("a folder");
        import(PROTO, &["--presence", presence], out.path());
        let folder = out.path().to_str().expect("a path in UTF-8");
        for command in [&["check", folder][..], &["fmt", "--check", folder]] {
            let output = zsvc(command);
            let told = text(&output.stdout) + &text(&output.stderr);
            assert_eq!((output.status.code(), told.as_str()), (Some(0), ""), "{command:?}");
        }
    }
}

/// Returns the comments of a `.proto` file whose strings hold none.
fn comments(proto: &str) -> Vec<&str> {
    let mut comments = Vec::new();
    let mut rest = proto;
    while let Some(start) = rest.find("//").into_iter().chain(rest.find("/*")).min() {
        let comment = &rest[start..];
        let end = if comment.starts_with("//") {
            comment.find('\n')
        } else {
            comment.find("*/").map(|end| end + 2)
        };
        let (comment, after) = comment.split_at(end.unwrap_or(comment.len()));
        comments.push(comment);
        rest = after;
    }
    comments
}

/// Returns the lines of a comment without its marks.
fn lines_of(comment: &str) -> Vec<String> {
    if comment.starts_with("//") {
        return vec![plain(comment.trim_start_matches('/'))];
    }
    let text = comment.trim_start_matches('/').trim_start_matches('*');
    let text = text.trim_end_matches('/').trim_end_matches('*');
    let (first, below) = text.split_once('\n').unwrap_or((text, ""));
    let are_marked = below.lines().all(|line| line.trim().is_empty() || line.trim().starts_with('*'));
    let below = below.lines().map(|line| match line.trim_start().strip_prefix('*') {
        Some(text) if are_marked => plain(text),
        _ => plain(line),
    });
    std::iter::once(plain(first)).chain(below).collect()
}

/// Returns a line with one space for all white space, and without what no file of the language may hold.
fn plain(line: &str) -> String {
    let is_kept = |char: &char| {
        char.is_whitespace()
            || !(char.is_control() || matches!(char, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}'))
    };
    let kept: String = line.chars().filter(is_kept).collect();
    kept.split_whitespace().collect::<Vec<_>>().join(" ")
}

#[test]
fn every_line_of_every_comment_is_kept_once() {
    let out = tempfile::tempdir().expect("a folder");
    import(PROTO, &[], out.path());
    let written = files(out.path());
    for (name, proto) in files(Path::new(PROTO)) {
        let svc = &written[&name.with_extension("svc")];
        let found = svc.lines().filter_map(|line| line.trim_start().strip_prefix("//"));
        let found: Vec<String> = found.map(|line| plain(line.strip_prefix('/').unwrap_or(line))).collect();
        // The text in this string is no comment.
        let proto = proto.replace("http://no/*comment*/", "");
        let all: Vec<String> = comments(&proto).into_iter().flat_map(lines_of).collect();
        for line in all.iter().filter(|line| !line.is_empty()) {
            // What is quoted from protobuf keeps its marks.
            let quoted = [format!("// {line}"), format!("/* {line} */")];
            let is_this =
                |other: &&String| *other == line || quoted.iter().any(|quoted| other.ends_with(quoted));
            let count =
                (found.iter().filter(is_this).count(), all.iter().filter(|other| *other == line).count());
            assert_eq!(count.0, count.1, "`{line}` of {}:\n{svc}", name.display());
        }
    }
}

#[test]
fn a_file_that_is_there_is_not_written_over() {
    let out = tempfile::tempdir().expect("a folder");
    let path = out.path().join("no_package.svc");
    fs::write(&path, "package mine;\n").expect("a new file");
    let folder = out.path().to_str().expect("a path in UTF-8");
    let arguments = ["import", "tests/import/proto/no_package.proto", "--out", folder];
    let output = zsvc(&arguments);
    assert_eq!(output.status.code(), Some(2));
    assert!(text(&output.stderr).contains("is there and differs"), "{}", text(&output.stderr));
    assert_eq!(fs::read_to_string(&path).expect("the file"), "package mine;\n");
    assert_eq!(zsvc(&[&arguments[..], &["--force"]].concat()).status.code(), Some(0));
    assert_eq!(zsvc(&arguments).status.code(), Some(0), "what would be written is there");
}

#[test]
fn what_can_not_be_read_is_not_written_over() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = |name: &str| folder.path().join(name).to_str().expect("a path in UTF-8").to_owned();
    for name in ["a", "b"] {
        let text = format!("syntax = \"proto3\"; package {name}; message A {{}}");
        fs::write(path(&format!("{name}.proto")), text).expect("a new file");
    }
    // A folder in the place of the second file.
    fs::create_dir_all(path("svc/b.svc")).expect("a new folder");
    let output = zsvc(&["import", &path("a.proto"), &path("b.proto"), "--out", &path("svc")]);
    let told = text(&output.stderr);
    assert_eq!(output.status.code(), Some(2), "{told}");
    assert!(told.contains("b.svc` can't be read"), "{told}");
    assert!(!Path::new(&path("svc/a.svc")).exists(), "written before all were looked at");
}

#[test]
fn a_oneof_past_the_fields_that_a_struct_may_have_is_told() {
    let folder = tempfile::tempdir().expect("a folder");
    let proto = "syntax = \"proto3\";\npackage full;\nmessage Full {\n  reserved 1 to 65535;\n  oneof kind {\n    int32 a = 70000;\n    \
                 int32 b = 70001;\n  }\n  int32 more = 70002;\n}\n";
    let path = folder.path().join("full.proto");
    fs::write(&path, proto).expect("a new file");
    let out = folder.path().join("svc");
    let told = import(path.to_str().expect("a path in UTF-8"), &[], &out);
    let notes: Vec<&str> = told.lines().collect();
    assert_eq!(
        notes,
        [
            "full.proto:5: note: the field of a `oneof` past the 65,535 that a struct may have has no counterpart, and is kept as a comment",
            "full.proto:9: note: a field past the 65,535 that a struct may have has no counterpart, and is kept as a comment",
        ]
    );
    let svc = &files(&out)[Path::new("full.svc")];
    for line in ["    // protobuf: oneof kind\n", "    // protobuf: int32 more = 70002;\n"] {
        assert!(svc.contains(line), "{svc}");
    }
    let output = zsvc(&["check", out.to_str().expect("a path in UTF-8")]);
    assert_eq!((output.status.code(), text(&output.stderr)), (Some(0), String::new()));
}

/// The parts of protobuf's own file that others use.
const STRUCT: &str = r#"
syntax = "proto3";
package google.protobuf;
message Struct { map<string, Value> fields = 1; }
message Value {
  oneof kind {
    NullValue null_value = 1;
    double number_value = 2;
    string string_value = 3;
    bool bool_value = 4;
    Struct struct_value = 5;
    ListValue list_value = 6;
  }
}
enum NullValue { NULL_VALUE = 0; }
message ListValue { repeated Value values = 1; }
"#;

#[test]
fn protobufs_own_files_may_lie_beside_the_others() {
    let folder = tempfile::tempdir().expect("a folder");
    let google = folder.path().join("google/protobuf");
    fs::create_dir_all(&google).expect("a new folder");
    let file = |name: &str, text: &str| fs::write(folder.path().join(name), text).expect("a new file");
    file("google/protobuf/struct.proto", STRUCT);
    file("google/protobuf/descriptor.proto", "edition = \"2030\"; what only that has");
    let import_line = "import \"google/protobuf/struct.proto\";";
    file(
        "new.proto",
        &format!(
            "syntax = \"proto3\"; package new; {import_line} message A {{ google.protobuf.NullValue n = 1; }}"
        ),
    );
    file(
        "old.proto",
        &format!(
            "syntax = \"proto2\"; package old; {import_line} message A {{\n\
             optional google.protobuf.NullValue n = 1 [default = NULL_VALUE]; }}"
        ),
    );
    let root = folder.path().to_str().expect("a path in UTF-8");
    let out = folder.path().join("svc");
    let told = import(root, &[], &out);
    let notes: Vec<&str> = told.lines().collect();
    assert_eq!(
        notes,
        [
            "google/protobuf/descriptor.proto:1: note: the file describes protobuf itself, and is left out: its types are used by options \
             alone, which are kept as comments",
            "old.proto:2: note: the default of `n` has no counterpart, and is kept as a comment",
        ]
    );
    let written = files(&out);
    assert!(written[Path::new("new.svc")].contains(" n: value = 1;"), "{written:?}");
    assert!(!written[Path::new("new.svc")].contains("@default"), "{written:?}");
    assert_eq!(written.len(), 3, "{:?}", written.keys());
    let output = zsvc(&["check", out.to_str().expect("a path in UTF-8")]);
    assert_eq!((output.status.code(), text(&output.stderr)), (Some(0), String::new()));
    // A folder with nothing else leaves nothing to write.
    fs::remove_file(google.join("struct.proto")).expect("a file");
    let none = folder.path().join("none");
    let told = import(google.to_str().expect("a path in UTF-8"), &["-I", root], &none);
    assert_eq!((told.lines().count(), none.exists()), (1, false), "{told}");
}

#[test]
fn a_later_descriptor_beside_the_files_does_not_matter() {
    let folder = tempfile::tempdir().expect("a folder");
    let google = folder.path().join("google/protobuf");
    fs::create_dir_all(&google).expect("a new folder");
    fs::write(google.join("descriptor.proto"), "edition = \"2030\"; what only that has").expect("a new file");
    let proto = "syntax = \"proto3\"; package a; import \"google/protobuf/descriptor.proto\";\n\
                extend google.protobuf.FieldOptions { string x = 50000; } message A { string b = 1 [(x) = \"c\"]; }";
    fs::write(folder.path().join("a.proto"), proto).expect("a new file");
    let root = folder.path().to_str().expect("a path in UTF-8");
    import(
        folder.path().join("a.proto").to_str().expect("a path in UTF-8"),
        &["-I", root],
        &folder.path().join("svc"),
    );
    assert_eq!(files(&folder.path().join("svc")).len(), 1);
    let named = google.join("descriptor.proto");
    let output = zsvc(&["import", named.to_str().expect("a path in UTF-8"), "-I", root, "--out", root]);
    assert_eq!(output.status.code(), Some(1));
    assert!(text(&output.stderr).contains("describes protobuf itself"), "{}", text(&output.stderr));
}

#[test]
fn what_the_document_shows_of_protobuf_is_imported() {
    let document = fs::read_to_string("../docs/coming-from.md").expect("a document of the repository");
    let (_, block) = document.split_once("```proto\n").expect("a block of protobuf");
    let (block, _) = block.split_once("```").expect("a block with an end");
    let folder = tempfile::tempdir().expect("a folder");
    let (proto, svc) = (folder.path().join("shown.proto"), folder.path().join("svc"));
    // What the block leaves out.
    let head = "syntax = \"proto3\";\npackage shown.v1;\nmessage PlaceReply { uint64 number = 1; }\n\
                message WatchRequest { repeated string ids = 1; }\n";
    fs::write(&proto, format!("{head}{block}")).expect("a new file");
    import(proto.to_str().expect("a path in UTF-8"), &[], &svc);
    let written = files(&svc).into_values().collect::<String>();
    assert!(written.contains("rpc watch(request: WatchRequest) -> stream Order;"), "{written}");
    assert_eq!(zsvc(&["check", svc.to_str().expect("a path in UTF-8")]).status.code(), Some(0));
}

#[test]
fn links_in_a_circle_end() {
    let folder = tempfile::tempdir().expect("a folder");
    let proto = folder.path().join("proto");
    fs::create_dir(&proto).expect("a new folder");
    fs::write(proto.join("a.proto"), "syntax = \"proto3\"; package a; message A {}").expect("a new file");
    #[cfg(unix)]
    std::os::unix::fs::symlink(&proto, proto.join("again")).expect("a new link");
    import(proto.to_str().expect("a path in UTF-8"), &[], &folder.path().join("svc"));
    assert_eq!(files(&folder.path().join("svc")).len(), 1);
}

/// Writes a tree of files, each of which uses types of the ones before.
fn tree(folder: &Path, count: usize) {
    for number in 0..count {
        let others = number.saturating_sub(3)..number;
        let imports: Vec<String> =
            others.clone().map(|other| format!("import \"p{other}.proto\";\n")).collect();
        let field = |other| {
            format!("  // Of file {other}.\n  p{other}.Message0 of{other} = {};\n", 20 + number - other)
        };
        let (imports, fields) = (imports.concat(), others.map(field).collect::<Vec<_>>().concat());
        let message = |message| {
            format!(
                "// A message.\nmessage Message{message} {{\n{fields}  string text = 1; // text\n  oneof kind {{ int32 a = 2; \
                 string b = 3; }}\n  message Inner {{ repeated bytes data = 1; }}\n  Inner inner = 4;\n}}\n\n"
            )
        };
        let messages = (0..20).map(message).collect::<Vec<_>>().concat();
        let text = format!("syntax = \"proto3\";\npackage p{number};\n{imports}\n{messages}");
        fs::write(folder.join(format!("p{number}.proto")), text).expect("a new file");
    }
}

#[test]
fn a_large_tree_is_imported_checked_and_compiled_in_time() {
    let folder = tempfile::tempdir().expect("a folder");
    let (proto, svc) = (folder.path().join("proto"), folder.path().join("svc"));
    fs::create_dir(&proto).expect("a new folder");
    tree(&proto, 600);
    let start = Instant::now();
    import(proto.to_str().expect("a path in UTF-8"), &[], &svc);
    let svc = svc.to_str().expect("a path in UTF-8");
    assert_eq!(zsvc(&["check", svc]).status.code(), Some(0));
    assert_eq!(zsvc(&["fmt", "--check", svc]).status.code(), Some(0));
    let out = folder.path().join("generated");
    assert_eq!(zsvc(&["gen", svc, "--out", out.to_str().expect("a path in UTF-8")]).status.code(), Some(0));
    // Without optimization, and beside other tests, several times what users wait.
    assert!(start.elapsed() < Duration::from_secs(120), "{:?}", start.elapsed());
    println!("600 files: {:?}", start.elapsed());
}
