//! Tests the page of each code: compiles its examples, and compares docs/diagnostics.md with all pages.
//!
//! `SNAPSHOTS=overwrite cargo test -p zsvc-idl` writes docs/diagnostics.md anew.

mod support;

use snapbox::data::DataFormat;
use snapbox::{Assert, Data};
use support::{blocks, levels_for, rendered, repository};
use zsvc_idl::diagnostic::{Code, explain, reference};
use zsvc_idl::{MemoryLoader, compile_with};

/// Codes that no short text can show, each with the reason.
const WITHOUT_EXAMPLES: [(&str, &str); 18] = [
    ("E0001", "it is about a file that can't be read, not about what one says"),
    ("E0006", "the example would have 64 MiB"),
    ("E0007", "a document can't hold what is no text"),
    ("E0008", "a reader could not see what is wrong"),
    ("E0009", "the example would have a hundred mistakes"),
    ("E0010", "nothing brings it about, or it would be mended"),
    ("E0113", "the example would have a name of 256 letters"),
    ("E0114", "the example would have 64 KiB"),
    ("E0115", "git and editors would take the example for a conflict of their own"),
    ("E0316", "the example would have 256 parameters"),
    ("E0322", "the example would have 33 errors"),
    ("E0327", "the example would have 33 services"),
    ("E0501", "it is about project files, not about what a .svc file says"),
    ("E0502", "as E0501"),
    ("E0503", "as E0501"),
    ("W0009", "the example would have a hundred names"),
    ("W0117", "it is about where a file lies"),
    ("W0118", "it is about what a file is called"),
];

/// Returns the files of an example: the first is the one that is compiled.
fn files(text: &str) -> MemoryLoader {
    let mut pieces = text.split("// file: ");
    let first = pieces.next().unwrap_or_default();
    pieces.fold(MemoryLoader::default().with("main.svc", first), |loader, piece| {
        let (path, text) = piece.split_once('\n').unwrap_or((piece, ""));
        loader.with(path.trim(), text)
    })
}

/// Returns the codes about one set of files. Those of changes, which take two, are tested in `compat.rs`.
fn diagnostics() -> impl Iterator<Item = Code> {
    Code::all().filter(|code| !code.id().starts_with('D'))
}

/// Compiles an example with the lint that it is for; returns the codes of all diagnostics, and their text.
fn told(code: Code, text: &str) -> (Vec<&'static str>, String) {
    let compilation = compile_with(&files(text), &["main.svc".to_owned()], &[], &levels_for(code.id()));
    let codes = compilation.diagnostics.iter().map(|diagnostic| diagnostic.code.id()).collect();
    (codes, rendered(&compilation))
}

/// Returns the examples of a page: the kind of each, and its text.
fn examples(code: Code) -> Vec<(String, String)> {
    let page = code.page();
    blocks(page).into_iter().map(|(_, info, text)| (info, text)).collect()
}

#[test]
fn wrong_examples_give_their_code_alone_and_right_ones_nothing() {
    for code in diagnostics() {
        for (info, text) in examples(code) {
            let (codes, rendered) = told(code, &text);
            let expected: &[&str] = match info.as_str() {
                "svc,wrong" => &[code.id()],
                "svc,right" => &[],
                _ => panic!("{code}: a block is marked `{info}`"),
            };
            assert_eq!(codes, expected, "{code}, {info}:\n{rendered}");
        }
    }
}

#[test]
fn a_page_has_a_wrong_example_and_a_right_one() {
    for code in Code::all() {
        let infos: Vec<String> = examples(code).into_iter().map(|(info, _)| info).collect();
        let exempt = WITHOUT_EXAMPLES.iter().any(|(id, _)| *id == code.id());
        let expected: &[&str] = match code.id().as_bytes() {
            _ if exempt => &[],
            [b'D', ..] => &["svc,old", "svc,new"],
            _ => &["svc,wrong", "svc,right"],
        };
        assert_eq!(infos, expected, "the page of {code}");
    }
}

#[test]
fn a_page_says_why_and_what_to_do() {
    for code in Code::all() {
        let page = code.page();
        let prose = page.split("```").next().unwrap_or_default();
        let sentences = prose.split_inclusive(['.', ':']).filter(|it| it.trim().len() > 5).count();
        assert!((2..=14).contains(&sentences), "the page of {code} has {sentences} sentences");
        assert!(page.lines().all(|line| line.chars().count() <= 130), "a line of {code} is too long");
        assert!(
            page.ends_with('\n') && !page.ends_with("\n\n"),
            "the page of {code} ends with one line break"
        );
    }
}

#[test]
fn the_document_holds_all_pages() {
    let golden = Data::read_from(&repository().join("docs/diagnostics.md"), Some(DataFormat::Text)).raw();
    Assert::new().action_env("SNAPSHOTS").eq(reference(), golden);
}

#[test]
fn a_page_on_a_screen_has_its_examples_indented() {
    let code = Code::named("w0004").expect("a code, whatever the case of its letters");
    let text = explain(code);
    let (head, rest) = text.split_once("\n\n").expect("a heading");
    assert_eq!(head, "W0004: a package that is not in lower case");
    assert!(rest.ends_with("\nwrong:\n\n    package Shop.V1;\n\nright:\n\n    package shop.v1;\n"), "{rest}");
}
