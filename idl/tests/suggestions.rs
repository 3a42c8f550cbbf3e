//! Applies the suggestion of every diagnostic of `cases/`: it must mend what the diagnostic is about.

mod support;

use support::files::files;
use support::{levels_for, repository};
use zsvc_idl::diagnostic::{Diagnostic, Suggestion};
use zsvc_idl::source::SourceMap;
use zsvc_idl::{Compilation, LoadError, Loader, compile_with};

/// The files of a case, one of them with another text.
struct Changed<'a> {
    loader: &'a dyn Loader,
    path: &'a str,
    text: &'a str,
}

impl Loader for Changed<'_> {
    fn load(&self, path: &str) -> Result<Vec<u8>, LoadError> {
        if path == self.path { Ok(self.text.as_bytes().to_vec()) } else { self.loader.load(path) }
    }
}

fn applied(sources: &SourceMap, suggestion: &Suggestion) -> String {
    let mut text = sources.file(suggestion.span.file).text().to_owned();
    text.replace_range(suggestion.span.range(), &suggestion.text);
    text
}

/// Returns what tells a diagnostic from others of its file.
fn told(diagnostic: &Diagnostic) -> (&str, &str, Option<u32>) {
    let start = diagnostic.primary.as_ref().map(|label| label.span.start);
    (diagnostic.code.id(), &diagnostic.message, start)
}

fn compiled(loader: &dyn Loader, name: &str) -> Compilation {
    compile_with(loader, &[name.to_owned()], &[], &levels_for(name.split('_').next().unwrap_or_default()))
}

/// Returns the suggestions of a case, after each has been tried.
fn suggestions(name: &str, bytes: &[u8]) -> Vec<(String, String)> {
    let loader = files(name, bytes);
    let before = compiled(&loader, name);
    let mut found = Vec::new();
    for diagnostic in &before.diagnostics {
        let Some(suggestion) = &diagnostic.suggestion else { continue };
        let path = before.sources.file(suggestion.span.file).path();
        let text = applied(&before.sources, suggestion);
        let after = compiled(&Changed { loader: &loader, path, text: &text }, name);
        let again = after.diagnostics.iter().find(|again| told(again) == told(diagnostic));
        assert!(again.is_none(), "{name}: {:?} is told again after {suggestion:?}", told(diagnostic));
        found.push((diagnostic.code.id().to_owned(), suggestion.text.clone()));
    }
    found
}

#[test]
fn every_suggestion_of_every_case_mends_it() {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(repository().join("idl/tests/cases")).expect("the folder is there") {
        let path = entry.expect("a readable entry").path();
        if path.extension().is_some_and(|extension| extension == "svc") {
            let name = path.file_name().and_then(|name| name.to_str()).expect("a name in UTF-8");
            found.extend(suggestions(name, &std::fs::read(&path).expect("a readable case")));
        }
    }
    for code in ["E0101", "E0201", "E0202", "E0302"] {
        assert!(found.iter().any(|(told, _)| told == code), "no case of {code} has a suggestion: {found:?}");
    }
}

#[test]
fn what_is_written_is_what_is_meant() {
    for (text, expected) in [
        ("struct A { a: strng = 1; }", "string"),
        ("struct A { a: int32 = 1; }", "i32"),
        ("struct A { struct B {} } struct C { b: B = 1; }", "A.B"),
        ("struct A { enum Side { X = 0; } s: Sied = 1; }", "Side"),
        ("struct A { enum Side { X = 0; } } struct B { s: A.Sied = 1; }", "Side"),
        ("struct A { message B { a: u8 = 1; } b: B = 1; }", "struct"),
        ("struct A { a: b.C = 1; }\n//--- c.svc\npackage c;", ""),
        ("struct A { a: u8 = 1 }\nstruct B { a: u8 = 1\n b: u8 = 2; }", ";"),
        ("struct A { a: u8 = 1, }", ";"),
        ("struct A {};", ""),
        ("strct A {}", "struct"),
        ("service A { rpc a() -> u8 thorws B; } error B { C = 1; }", "throws"),
        ("service A { rpc a(b: u8 c: u8); }", ","),
        ("struct A { @lne(1) a: string = 1; }", "len"),
        ("@allow(missing_dosc) struct A {}", "missing_docs"),
        ("struct A { a: u8 = 1; b: u8 = 1; }", "2"),
        ("struct A { reserved 1; a: u8 = 1; }", "2"),
        ("struct A { a: u8?? = 1; }", ""),
        ("enum S { Buy = 0; } struct A { @default(Buz) a: S = 1; }", "Buy"),
        ("error E { @message(\"{fo}\") A { foo: u8 = 1; } = 1; }", "{foo}"),
        ("service A { @overlap(quue) rpc a(); }", "queue"),
        ("const A: string = \u{201c}a\u{201d};", "\""),
    ] {
        let found = suggestions("a.svc", format!("package a.v1;\n{text}\n").as_bytes());
        let texts: Vec<&str> = found.iter().map(|(_, text)| text.as_str()).collect();
        assert!(texts.contains(&expected) || (expected.is_empty() && texts.is_empty()), "{text}: {found:?}");
    }
}

#[test]
fn nothing_is_suggested_where_there_is_a_choice() {
    for text in [
        "struct A { a: Vec = 1; }",
        "struct A { a: u128 = 1; }",
        "struct A { a: Unknown = 1; }",
        "struct A { a = 1; }",
    ] {
        let found = suggestions("a.svc", format!("package a.v1;\n{text}\n").as_bytes());
        assert!(found.is_empty(), "{text}: {found:?}");
    }
}
