//! Checks that `--format json` reports the same as the other formats, for each case of the tests of `zsvc-idl`.

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use serde_json::Value;

/// Returns the cases of `zsvc-idl`.
fn cases() -> Vec<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../idl/tests/cases");
    let entries = std::fs::read_dir(folder).expect("the folder is part of the repository");
    let paths = entries.map(|entry| entry.expect("a readable entry").path());
    let mut cases: Vec<PathBuf> =
        paths.filter(|path| path.extension().is_some_and(|extension| extension == "svc")).collect();
    cases.sort();
    cases
}

/// Writes the files of a case, which start after lines `//--- path`, into a folder; returns the first one's name.
fn unpack(case: &Path, folder: &Path) -> String {
    let name = case.file_name().and_then(|name| name.to_str()).expect("cases have plain names").to_owned();
    let bytes = std::fs::read(case).expect("the case was listed a moment ago");
    let mut path = name.clone();
    let mut text = Vec::new();
    let write = |path: &str, text: &[u8]| {
        let path = folder.join(path);
        std::fs::create_dir_all(path.parent().expect("it is below the folder")).expect("its folder");
        std::fs::write(path, text).expect("a file of the case");
    };
    for line in bytes.split_inclusive(|byte| *byte == b'\n') {
        match line.strip_prefix(b"//--- ") {
            Some(next) => {
                write(&path, &text);
                text.clear();
                String::from_utf8_lossy(next).trim().clone_into(&mut path);
            }
            None => text.extend_from_slice(line),
        }
    }
    write(&path, &text);
    name
}

fn check(folder: &Path, file: &str, format: &str) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_zsvc"));
    command.args(["check", file, "--format", format]).current_dir(folder);
    command.output().expect("the command that was just built")
}

fn lines(bytes: Vec<u8>) -> Vec<String> {
    String::from_utf8(bytes).expect("text").lines().map(str::to_owned).collect()
}

/// Returns `file:line:column: error[E0301]: message` for an object.
fn brief(object: &Value) -> String {
    let place = object["file"].as_str().map_or_else(String::new, |file| {
        format!("{file}:{}:{}: ", object["start"]["line"], object["start"]["column"])
    });
    let text =
        |name: &str| object[name].as_str().unwrap_or_else(|| panic!("{object} has no {name}")).to_owned();
    format!("{place}{}[{}]: {}", text("severity"), text("code"), text("message"))
}

fn number(value: &Value) -> usize {
    usize::try_from(value.as_u64().unwrap_or_else(|| panic!("{value} is no number"))).expect("a small number")
}

/// Returns the byte offset of a line and a column, both from 1.
fn byte(text: &str, point: &Value) -> usize {
    let line = text.split_inclusive('\n').take(number(&point["line"]) - 1).map(str::len).sum::<usize>();
    let before = text[line..].chars().take(number(&point["column"]) - 1);
    line + before.map(char::len_utf8).sum::<usize>()
}

/// Checks that lines and columns mean the same places as byte offsets.
fn assert_place(folder: &Path, place: &Value) {
    let Some(file) = place["file"].as_str() else { return };
    let bytes = std::fs::read(folder.join(file)).expect("a file of the case");
    let text = String::from_utf8_lossy(bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(&bytes)).into_owned();
    assert_eq!(byte(&text, &place["start"]), number(&place["span"]["start"]), "{place}");
    assert_eq!(byte(&text, &place["end"]), number(&place["span"]["end"]), "{place}");
    assert!(place["label"].is_string(), "{place}");
}

#[test]
fn json_says_what_the_short_format_says_of_every_case() {
    let cases = cases();
    assert!(cases.len() > 80, "only {} cases were found", cases.len());
    for case in cases {
        let folder = tempfile::tempdir().expect("a folder for the case");
        let file = unpack(&case, folder.path());
        let (short, json) = (check(folder.path(), &file, "short"), check(folder.path(), &file, "json"));
        assert_eq!((short.status, &short.stdout[..], &json.stderr[..]), (json.status, &b""[..], &b""[..]));
        let objects: Vec<Value> = lines(json.stdout)
            .iter()
            .map(|line| serde_json::from_str(line).unwrap_or_else(|error| panic!("{line}: {error}")))
            .collect();
        assert_eq!(objects.iter().map(brief).collect::<Vec<_>>(), lines(short.stderr), "{}", case.display());
        for object in &objects {
            assert_place(folder.path(), object);
            object["related"]
                .as_array()
                .expect("a list")
                .iter()
                .for_each(|it| assert_place(folder.path(), it));
            assert!(object["help"].is_string(), "{object}");
        }
    }
}
