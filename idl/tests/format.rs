//! Tests `format`: the style, by `format/NAME.in.svc` and `format/NAME.svc`, and properties of all files: every comment
//! keeps its place, only space is changed, and the result does not depend on the space of the input.
//!
//! `SNAPSHOTS=overwrite cargo test -p zsvc-idl` writes `NAME.svc` anew; look at what changed before you commit it.

mod support;

use std::fs;
use std::path::{Path, PathBuf};

use snapbox::data::DataFormat;
use snapbox::{Assert, Data};
use support::words::{Numbers, scrambled, without_commas, words};
use support::{holds, repository};
use zsvc_idl::{Formatting, MemoryLoader, format};

/// Well-formed files that do not follow the style, since they test space or commas.
const OTHERWISE: [&str; 6] = [
    // Lines have to be as long as what is tested.
    "idl/tests/cases/E0113_long_name.svc",
    "idl/tests/cases/E0114_long_string.svc",
    // Starts with a byte order mark, which the style leaves out.
    "idl/tests/cases/byte_order_mark.svc",
    // Shows which commas and empty lines the grammar allows.
    "idl/tests/cases/fine.svc",
    // Has many members on one line.
    "idl/tests/cases/keywords_as_names.svc",
    // Is one line of many declarations.
    "idl/tests/cases/long_line.svc",
];

fn formatting(text: impl Into<Vec<u8>>) -> Formatting {
    format(&MemoryLoader::default().with("text.svc", text), "text.svc")
}

/// Returns the formatted text, which must have no syntax error.
fn formatted(text: &str, place: &str) -> String {
    let formatting = formatting(text);
    formatting.text.unwrap_or_else(|| panic!("{place} is refused: {:?}\n{text}", formatting.diagnostics))
}

/// Returns all `.svc` files below a folder, except those in `target` and in hidden folders.
fn files_below(folder: &Path, files: &mut Vec<PathBuf>) {
    let entries = fs::read_dir(folder).expect("a folder of the repository");
    let mut paths: Vec<PathBuf> = entries.map(|entry| entry.expect("a readable entry").path()).collect();
    paths.sort();
    for path in paths {
        let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default().to_owned();
        if path.is_dir() && name != "target" && !name.starts_with('.') {
            files_below(&path, files);
        } else if path.is_file() && path.extension().is_some_and(|extension| extension == "svc") {
            files.push(path);
        }
    }
}

/// Returns the path and the text of each file of the repository that can be formatted.
fn repository_files() -> Vec<(String, String)> {
    let mut paths = Vec::new();
    files_below(&repository(), &mut paths);
    let mut files = Vec::new();
    for path in paths {
        let bytes = fs::read(&path).expect("the file was listed a moment ago");
        let name = path.strip_prefix(repository()).expect("it is below").to_string_lossy().replace('\\', "/");
        if formatting(bytes.clone()).text.is_some() {
            files.push((name, String::from_utf8(bytes).expect("what can be formatted is UTF-8")));
        }
    }
    assert!(files.len() > 80, "only {} files were found", files.len());
    files
}

fn cases() -> Vec<PathBuf> {
    let entries =
        fs::read_dir(repository().join("idl/tests/format")).expect("the folder is part of the repository");
    let mut cases: Vec<PathBuf> = entries.map(|entry| entry.expect("a readable entry").path()).collect();
    cases.retain(|path| path.to_string_lossy().ends_with(".in.svc"));
    cases.sort();
    cases
}

/// Checks that only space and commas differ, and that formatting again changes nothing.
fn assert_sound(text: &str, formatted_text: &str, place: &str) {
    assert_eq!(without_commas(text), without_commas(formatted_text), "{place}");
    assert_eq!(formatted(formatted_text, place), formatted_text, "{place}");
}

/// Returns the schema of a text without its spans; the text may import the example's amounts.
fn meaning(text: &str) -> Vec<String> {
    let money = fs::read(repository().join("examples/tape/svc/money.svc")).expect("part of the repository");
    holds::meaning(&MemoryLoader::default().with(holds::PATH, text).with("money.svc", money))
}

#[test]
fn each_case_comes_out_as_its_golden() {
    let blessing = std::env::var_os("SNAPSHOTS").is_some_and(|value| value == "overwrite");
    let cases = cases();
    assert!(cases.len() > 3, "only {} cases were found", cases.len());
    for case in cases {
        let text = fs::read_to_string(&case).expect("the case was listed a moment ago");
        let golden = PathBuf::from(case.to_string_lossy().replace(".in.svc", ".svc"));
        let place = case.display().to_string();
        let result = formatted(&text, &place);
        assert_sound(&text, &result, &place);
        assert!(blessing || golden.exists(), "{} is missing", golden.display());
        let expected = Data::read_from(&golden, Some(DataFormat::Text)).raw();
        Assert::new().action_env("SNAPSHOTS").eq(Data::text(result).raw(), expected);
    }
}

#[test]
fn the_files_of_the_repository_are_in_the_style() {
    // The inputs of formatting.
    let is_input = |path: &str| path.ends_with(".in.svc") || path.starts_with("cli/tests/cmd/fmt.in/");
    let is_wrong = |(path, text): &(String, String)| {
        !is_input(path) && (formatted(text, path) != *text) != OTHERWISE.contains(&path.as_str())
    };
    let wrong: Vec<String> = repository_files().into_iter().filter(is_wrong).map(|(path, _)| path).collect();
    let wrong = wrong.join(" ");
    assert_eq!(wrong, "", "not in the style, which `zsvc fmt {wrong}` mends, or exceptions without need");
}

#[test]
fn other_space_makes_no_difference() {
    let mut numbers = Numbers(0x5eed);
    for (path, text) in repository_files() {
        let text = formatted(&text, &path);
        for _ in 0..5 {
            let scrambled = scrambled(&text, &mut numbers);
            assert_eq!(formatted(&scrambled, &path), text, "{path}, from\n{scrambled}");
        }
    }
}

#[test]
fn nothing_is_changed_but_space() {
    for (path, text) in repository_files() {
        let result = formatted(&text, &path);
        assert_sound(text.trim_start_matches('\u{feff}'), &result, &path);
        assert_eq!(meaning(&text), meaning(&result), "{path}");
    }
}

/// Tries a comment between any two words, on its own line and not, one at a time and all at once.
#[test]
fn a_comment_stays_where_it_is() {
    let tape =
        fs::read_to_string(repository().join("examples/tape/svc/tape.svc")).expect("part of the repository");
    let (all, _) = words(&tape);
    for is_own in [true, false] {
        let mut everywhere = String::new();
        for (index, word) in all.iter().enumerate() {
            let comment = format!("{}// c{index}\n", if is_own { "\n" } else { " " });
            let at = word.text.as_ptr() as usize - tape.as_ptr() as usize;
            let one = format!("{}{comment}{}", &tape[..at], &tape[at..]);
            assert_sound(&one, &formatted(&one, "one comment"), &comment);
            everywhere.extend([word.space, &comment, word.text]);
        }
        let result = formatted(&everywhere, "a comment at every word");
        assert_sound(&everywhere, &result, "a comment at every word");
        assert_eq!(result.matches("// c").count(), all.len());
    }
}

/// Also checks that a comment follows a word on its line exactly if it did before.
#[test]
fn a_comment_stays_on_its_line_or_its_own() {
    let text = "package a; // 1\n// 2\nstruct A { // 3\n// 4\nx: u8 = 1; // 5\n// 6\n} // 7\n";
    let expected =
        "package a; // 1\n\n// 2\nstruct A { // 3\n    // 4\n    x: u8 = 1; // 5\n    // 6\n} // 7\n";
    assert_eq!(formatted(text, "comments"), expected);
}

#[test]
fn what_is_no_text_of_the_language_is_refused_and_told() {
    for (text, code) in [
        ("package a; struct A { x: u8 = 1 }", "E0101"),
        ("package a; struct A {", "E0103"),
        ("package a; /* b */", "E0108"),
        ("package a; /// nothing", "E0107"),
        ("package a; event B { x }", "E0101"),
        ("package a; const A: string = \"b", "E0102"),
        ("package a; struct A {} \0", "E0008"),
    ] {
        let formatting = formatting(text);
        assert!(formatting.text.is_none(), "{text}");
        assert!(formatting.diagnostics.iter().any(|diagnostic| diagnostic.code.id() == code), "{text}");
    }
    let missing = format(&MemoryLoader::default(), "text.svc");
    assert!(missing.text.is_none() && missing.has_unreadable_file());
}

#[test]
fn what_is_wrong_in_other_ways_is_formatted() {
    for (text, expected) in [
        ("", ""),
        ("\n\n  ", ""),
        ("// only this", "// only this\n"),
        ("struct A{a:B??=999999999999999999999999;}", "struct A { a: B?? = 999999999999999999999999; }\n"),
        ("import \"b\";package a;", "import \"b\";\n\npackage a;\n"),
        ("@x@y(1)package a;", "@x @y(1)\npackage a;\n"),
    ] {
        assert_eq!(formatted(text, text), expected);
    }
}
