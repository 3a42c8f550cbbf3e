//! Recognises files in other schema languages, which would cause a message on each of their lines.

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

/// Returns what to report of a file in another language.
pub(super) fn told(file: FileId, path: &str, text: &str) -> Option<Diagnostic> {
    let start = after_comments(text);
    let rest = &text[start..];
    let first: String = rest.chars().take(40).filter(|character| !character.is_whitespace()).collect();
    let by_name = BY_NAME.iter().find(|(end, _)| path.ends_with(end));
    let (_, language) = by_name.or_else(|| BY_START.iter().find(|(start, _)| first.starts_with(start)))?;
    let help = match *language {
        PROTOBUF if first.starts_with("edition=") => {
            "`zsvc import` reads proto2 and proto3: write it as proto3 for the import, `syntax = \"proto3\";` and `optional` before fields with explicit presence; docs/coming-from.md shows what each construct becomes"
        }
        PROTOBUF => {
            "`zsvc import FILE --out DIR` writes it anew as a `.svc` file; docs/coming-from.md shows what each construct becomes"
        }
        _ => {
            "write it anew in a `.svc` file, which starts with its `package`; docs/language.md shows every construct"
        }
    };
    let end = start + rest.find('\n').unwrap_or(rest.len());
    let span = Span { file, start: offset(start), end: offset(end) };
    Some(
        Diagnostic::new(diagnostic::OTHER_LANGUAGE, format!("this is a file of {language}, not of zsvc"))
            .at(span, "")
            .help(help),
    )
}

/// Returns the offset of the first text that is in no comment of any of these languages.
fn after_comments(text: &str) -> usize {
    let mut rest = text;
    loop {
        rest = rest.trim_start();
        let end = match rest.as_bytes() {
            [b'/', b'/', ..] | [b'#', ..] => rest.find('\n'),
            [b'/', b'*', ..] => rest.find("*/").map(|end| end + 2),
            _ => return text.len() - rest.len(),
        };
        let Some(end) = end else { return text.len() };
        rest = &rest[end..];
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
