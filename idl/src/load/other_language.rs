//! Recognises files in other schema languages, which would cause a message on each of their lines.

mod constructs;

use crate::diagnostic::{self, Diagnostic};
use crate::source::{FileId, Span, offset};

const PROTOBUF: &str = "protobuf";

/// Languages by the end of a file's name.
const BY_NAME: [(&str, &str); 8] = [
    (".proto", PROTOBUF),
    (".thrift", "Thrift"),
    (".capnp", "Cap'n Proto"),
    (".smithy", "Smithy"),
    (".fidl", "FIDL"),
    (".wit", "WIT"),
    (".slice", "Slice"),
    (".fbs", "FlatBuffers"),
];

/// Languages by the first words of a file, without spaces.
const BY_START: [(&str, &str); 7] = [
    ("syntax=\"proto", PROTOBUF),
    ("syntax='proto", PROTOBUF),
    ("edition=\"20", PROTOBUF),
    ("edition='20", PROTOBUF),
    ("$version:", "Smithy"),
    ("@0x", "Cap'n Proto"),
    ("package*;", "WIT"),
];

/// Sections of docs/coming-from.md, of languages that have one.
const SECTIONS: [(&str, &str); 5] = [
    ("Thrift", "thrift"),
    ("Smithy", "smithy"),
    ("Cap'n Proto", "capn-proto"),
    ("FIDL", "fidl"),
    ("FlatBuffers", "flatbuffers"),
];

/// Returns what to report of a file in another language.
pub(super) fn told(file: FileId, path: &str, text: &str) -> Option<Diagnostic> {
    let (start, rest) = after_comments(text);
    let first: String = rest.chars().take(40).filter(|character| !character.is_whitespace()).collect();
    let named = || BY_NAME.iter().find(|(end, _)| path.ends_with(end));
    let started = || BY_START.iter().find(|(start, _)| first.starts_with(start));
    let language = named().or_else(started).map(|(_, language)| *language);
    let language = language.or_else(|| constructs::language(rest))?;
    let end = start + rest.find('\n').unwrap_or(rest.len());
    let span = Span { file, start: offset(start), end: offset(end) };
    let message = format!("this is a file of {language}, not of zsvc");
    let diagnostic = Diagnostic::new(diagnostic::OTHER_LANGUAGE, message).at(span, "");
    Some(diagnostic.help(help(language, first.starts_with("edition="))))
}

fn help(language: &str, is_edition: bool) -> String {
    if language == PROTOBUF && is_edition {
        return "`zsvc import` reads proto2 and proto3: write it as proto3 for the import, `syntax = \"proto3\";` and `optional` before fields with explicit presence; docs/coming-from.md shows what each construct becomes".to_owned();
    }
    if language == PROTOBUF {
        return "`zsvc import FILE --out DIR` writes it anew as a `.svc` file; docs/coming-from.md shows what each construct becomes".to_owned();
    }
    let page = SECTIONS.iter().find(|(name, _)| *name == language).map_or_else(
        || "docs/language.md shows every construct".to_owned(),
        |(_, section)| format!("docs/coming-from.md#{section} shows what each construct becomes"),
    );
    format!("write it anew in a `.svc` file, which starts with its `package`; {page}")
}

/// Returns the offset of the first text that is in no comment of any of these languages, and the text from there on.
fn after_comments(text: &str) -> (usize, &str) {
    let mut rest = text;
    loop {
        rest = rest.trim_start();
        let end = match rest.as_bytes() {
            [b'/', b'/', ..] | [b'#', ..] => rest.find('\n'),
            [b'/', b'*', ..] => rest.find("*/").map(|end| end + 2),
            _ => return (text.len() - rest.len(), rest),
        };
        rest = end.map_or("", |end| &rest[end..]);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_of_an_edition_is_not_told_to_be_imported_as_it_is() {
        let help = |path, text| told(FileId(0), path, text).and_then(|diagnostic| diagnostic.help);
        for path in ["a.svc", "a.proto"] {
            let edition = help(path, "// a\nedition = '2023';").expect("help");
            assert!(edition.contains("reads proto2 and proto3"), "{edition}");
            let syntax = help(path, "syntax = \"proto3\";").expect("help");
            assert!(syntax.starts_with("`zsvc import FILE --out DIR` writes it anew"), "{syntax}");
        }
    }

    fn language(path: &str, text: &str) -> Option<String> {
        told(FileId(0), path, text).map(|diagnostic| diagnostic.message)
    }

    /// Returns the language that the text of a `.svc` file is told to be of.
    fn told_of(text: &str) -> Option<String> {
        let message = language("a.svc", text)?;
        let language = message.strip_prefix("this is a file of ")?.strip_suffix(", not of zsvc")?;
        Some(language.to_owned())
    }

    #[test]
    fn what_other_languages_start_with() {
        for (text, language) in [
            ("// a\n/// b\nlibrary fuchsia.io;", "FIDL"),
            ("@available(added=HEAD)\n@no_doc\nlibrary a;", "FIDL"),
            ("# a\nnamespace rs shop", "Thrift"),
            ("/** a */ namespace * shop // b", "Thrift"),
            ("namespace cpp shop.v1;", "Thrift"),
            ("include \"a.thrift\"\nstruct A {}", "Thrift"),
            ("$version: \"2\"\nnamespace a", "Smithy"),
            ("$operationInputSuffix: \"In\"", "Smithy"),
            ("metadata a = []\nnamespace a", "Smithy"),
            ("namespace a.b // c\n\nuse c#D", "Smithy"),
            ("# a\n@0xdbb9ad1f14bf0b36;", "Cap'n Proto"),
            ("using Cxx = import \"/capnp/c++.capnp\";", "Cap'n Proto"),
            ("namespace a.b;\ntable A {}", "FlatBuffers"),
            ("namespace a ; // b", "FlatBuffers"),
            ("include \"a.fbs\";", "FlatBuffers"),
            ("attribute \"priority\";", "FlatBuffers"),
        ] {
            assert_eq!(told_of(text).as_deref(), Some(language), "{text}");
        }
    }

    #[test]
    fn what_other_languages_hold() {
        for (text, language) in [
            ("enum A { B = 1 }\nstruct C {\n  1: required string a\n}", "Thrift"),
            ("exception A { 1: list<string> a }", "Thrift"),
            ("service A { void b(1: c.D d) }", "Thrift"),
            ("struct A { x:float; }\ntable B { a:A; }", "FlatBuffers"),
            ("struct A { x:float; }\nroot_type A;", "FlatBuffers"),
            ("enum Color : byte { Red, Green }", "FlatBuffers"),
            ("struct A { a @0 :Text; }", "Cap'n Proto"),
        ] {
            assert_eq!(told_of(text).as_deref(), Some(language), "{text}");
            // What has a package is of zsvc, whatever mistakes it has.
            let text = format!("@meta(\"a\", \"b\") package a.v1;\n{text}");
            assert_eq!(told_of(&text), None, "{text}");
        }
    }

    #[test]
    fn what_may_be_the_beginning_of_a_file_of_zsvc_is_told_line_by_line() {
        for text in [
            "struct A { a: u8 = 1; }",
            "struct A { 1: a; }",
            "const A: map<u8, string> = { 1: \"a\" };",
            "@allow(missing_docs)",
            "@",
            "@default(1: 2",
            "enum A: u8 { B = 1; }",
            "include \"a.svc\";",
            "namespace a {",
            "namespace a\n{",
            "using a::b;",
            "library",
            "table",
            "type A = @0;",
        ] {
            assert_eq!(told_of(text), None, "{text}");
        }
    }

    #[test]
    fn files_of_other_languages_are_recognised_by_name_or_by_their_first_words() {
        let protobuf = Some("this is a file of protobuf, not of zsvc".to_owned());
        for text in ["syntax = \"proto3\";", "/* a */ // b\n\n edition=\"2023\";", "# c\nsyntax='proto2';"] {
            assert_eq!(language("a.svc", text), protobuf, "{text}");
        }
        assert_eq!(language("a.proto", ""), protobuf);
        for text in ["package a.v1;", "syntax: u32", "// syntax = \"proto3\";\n", "", "/*", "é"] {
            assert_eq!(language("a.svc", text), None, "{text}");
        }
    }
}
