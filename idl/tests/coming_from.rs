//! Holds docs/coming-from.md to the language: what its tables show of it can be written, and what it shows of another language is told from
//! this one. Its `svc` blocks are compiled with those of other documents, in `docs.rs`.

mod support;

use support::repository;
use zsvc_idl::analysis::language::{KEYWORDS, builtin_types};
use zsvc_idl::{MemoryLoader, compile};

/// What stands in the tables in code, and is not of the language: names of Rust, words of other languages, and one form of all fields.
const OTHERS: [&str; 8] = [
    ".svc",
    "(id: n)",
    "(required)",
    "Context::send_metadata",
    "OuterInner",
    "name: type = number;",
    "response_metadata",
    "…",
];

/// What is written around a part of a file so that it can be read: members of each kind, types, attributes, parts of methods, and nothing for declarations.
const FRAMES: [&str; 10] = [
    "struct Frame { {} }",
    "enum Frame { {} }",
    "union Frame { {} }",
    "service Frame { {} }",
    "struct Frame { name: {} = 1; }",
    "struct Frame { {} name: string = 1; }",
    "service Frame { rpc name({}); }",
    "service Frame { rpc name() {}; }",
    "service Frame { {}; }",
    "{}",
];

fn document() -> String {
    std::fs::read_to_string(repository().join("docs/coming-from.md")).expect("a document of the repository")
}

fn codes(text: &str) -> Vec<&'static str> {
    let loader = MemoryLoader::default().with("shown.svc", text);
    let compilation = compile(&loader, &["shown.svc".to_owned()], &[]);
    compilation.diagnostics.iter().map(|diagnostic| diagnostic.code.id()).collect()
}

/// Reports whether a text can stand somewhere in a file, apart from the names that it uses.
fn can_be_written(shown: &str) -> bool {
    // What is left out of an example is none of it.
    let shown = shown.replace('…', "");
    let is_written = |text: String| !codes(&text).iter().any(|code| code.starts_with("E01"));
    let frames = FRAMES.iter().map(|frame| format!("package frame.v1;\n{}\n", frame.replace("{}", &shown)));
    frames.chain([shown.clone(), format!("package frame.v1;\n{shown} {{}}\n")]).any(is_written)
}

/// Reports whether a word is one of the language, or stands for any name as those in upper case do.
fn is_known(word: &str) -> bool {
    let is_name = word.contains('.') || word.starts_with(|first: char| first.is_ascii_uppercase());
    is_name || builtin_types().contains(&word) || KEYWORDS.iter().any(|keyword| keyword.word == word)
}

/// Returns the code in the last cell of each row of the document's tables, with its line.
fn shown(document: &str) -> Vec<(usize, String)> {
    let rows = document.lines().enumerate().filter(|(_, line)| line.starts_with("| "));
    let cells = rows.map(|(at, row)| {
        let cell = row.trim_end_matches(['|', ' ']).rsplit(" | ").next().unwrap_or_default();
        (at + 1, cell.split('`').skip(1).step_by(2).map(str::to_owned).collect::<Vec<_>>())
    });
    cells.flat_map(|(line, spans)| spans.into_iter().map(move |span| (line, span))).collect()
}

#[test]
fn what_the_tables_show_can_be_written() {
    let document = document();
    let mut checked = 0;
    for (line, text) in shown(&document).iter().filter(|(_, text)| !OTHERS.contains(&text.as_str())) {
        let words: Vec<&str> = text.split([' ', '…']).filter(|word| !word.is_empty()).collect();
        let is_words = words
            .iter()
            .all(|word| word.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'.')));
        let is_sign = ["->", "?", "///", "//", "@default"].contains(&text.as_str());
        let holds =
            if is_words { words.iter().all(|word| is_known(word)) } else { is_sign || can_be_written(text) };
        assert!(holds, "docs/coming-from.md:{line}: `{text}` is not of the language");
        checked += 1;
    }
    assert!(checked > 150, "only {checked} parts were found");
}

/// The heads of files in other languages, which the blocks leave out, by what the blocks begin with.
const HEADS: [(&str, &str); 3] = [
    ("message ", "syntax = \"proto3\";\npackage shop.v1;\n"),
    ("operation ", "$version: \"2\"\nnamespace shop\n"),
    ("interface ", "@0xdbb9ad1f14bf0b36;\n"),
];

#[test]
fn what_is_shown_of_other_languages_is_told_from_this_one() {
    let document = document();
    let mut fences = document.split("```").skip(1).step_by(2).filter(|block| !block.starts_with("svc\n"));
    let mut checked = 0;
    for block in fences.by_ref() {
        let (_, text) = block.split_once('\n').expect("a fence has its own line");
        let head = HEADS.iter().find(|(start, _)| text.starts_with(start)).map_or("", |(_, head)| head);
        assert_eq!(codes(&format!("{head}{text}")), ["E0117"], "{text}");
        checked += 1;
    }
    assert_eq!(checked, 6, "one block of each language");
}
