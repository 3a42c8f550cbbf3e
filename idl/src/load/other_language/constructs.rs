//! Recognises a language by what its files hold. A file that says its `package` is of zsvc whatever else it holds, since that is what every
//! `.svc` file does first: mistakes in it are told one by one.

use super::after_comments;
use crate::parse::{WordKind, all_words};

const CAPNP: &str = "Cap'n Proto";
const FIDL: &str = "FIDL";
const FLATBUFFERS: &str = "FlatBuffers";
const SMITHY: &str = "Smithy";
const THRIFT: &str = "Thrift";

/// Number of words that are looked at, from the start of a file.
const MAX_WORDS: usize = 4096;

/// Types of enums in `FlatBuffers`.
const ENUM_TYPES: [&str; 16] = [
    "byte", "ubyte", "short", "ushort", "int", "uint", "long", "ulong", "int8", "uint8", "int16", "uint16",
    "int32", "uint32", "int64", "uint64",
];

/// Returns the language of a text that starts with no comment, if it is one of those that have no first words of their own.
pub(super) fn language(text: &str) -> Option<&'static str> {
    if text.starts_with("package") {
        return None;
    }
    let words: Vec<&str> = words(text).collect();
    if words.windows(2).any(|pair| pair[0] == "package" && is_name(pair[1])) {
        return None;
    }
    by_head(text, without_attributes(&words)).or_else(|| (0..words.len()).find_map(|at| by_words(&words, at)))
}

fn words(text: &str) -> impl Iterator<Item = &str> {
    let words = all_words(text).take(MAX_WORDS);
    let words =
        words.filter(|word| !matches!(word.kind, WordKind::Doc | WordKind::Comment | WordKind::Other));
    words.map(|word| &text[word.range])
}

/// Returns the words after attributes such as `@available(added=1)`.
fn without_attributes<'w, 't>(mut words: &'w [&'t str]) -> &'w [&'t str] {
    while let ["@", _, rest @ ..] = words {
        words = match rest {
            ["(", ..] => {
                let end = rest.iter().position(|word| *word == ")");
                end.map_or(&[], |end| &rest[end + 1..])
            }
            _ => rest,
        };
    }
    words
}

/// Returns the language of a file by what it starts with.
fn by_head(text: &str, words: &[&str]) -> Option<&'static str> {
    match words {
        ["library", name, ..] if is_name(name) && after_path(&words[1..]) == Some(";") => Some(FIDL),
        ["namespace", ..] => namespace(text),
        ["$", name, ":", ..] if is_name(name) => Some(SMITHY),
        ["metadata", key, "=", ..] if is_name(key) || key.starts_with('"') => Some(SMITHY),
        ["include" | "cpp_include", file, ..] if file.ends_with(".thrift\"") => Some(THRIFT),
        ["include" | "native_include", file, ..] if file.ends_with(".fbs\"") => Some(FLATBUFFERS),
        ["attribute" | "file_identifier" | "file_extension", string, ";", ..] if string.starts_with('"') => {
            Some(FLATBUFFERS)
        }
        ["using", "import", string, ..] | ["using", _, "=", "import", string, ..]
            if string.starts_with('"') =>
        {
            Some(CAPNP)
        }
        _ => None,
    }
}

/// Returns the first word after a path, `a.b.c`.
fn after_path<'t>(path: &[&'t str]) -> Option<&'t str> {
    let dots = path.iter().skip(1).step_by(2).take_while(|word| **word == ".").count();
    path.get(1 + 2 * dots).copied()
}

/// Returns the language that has such a `namespace`: `namespace rs shop`, `namespace shop.v1;`, or `namespace shop.v1` alone on its line.
fn namespace(text: &str) -> Option<&'static str> {
    let (line, below) = text.split_once('\n').unwrap_or((text, ""));
    let said = line.strip_prefix("namespace")?.split("//").next().unwrap_or_default().trim();
    let name = said.trim_end_matches(';').trim_end();
    match () {
        // Those of programming languages have braces.
        () if said.contains('{') || after_comments(below).1.starts_with('{') => None,
        () if name.contains(char::is_whitespace) => Some(THRIFT),
        () if name != said => Some(FLATBUFFERS),
        () => Some(SMITHY),
    }
}

/// Returns the language of a construct that starts at a word.
fn by_words(words: &[&str], at: usize) -> Option<&'static str> {
    let starts = at == 0 || matches!(words[at - 1], ";" | "}");
    match &words[at..] {
        // Fields and parameters with their numbers first, and their types before their names.
        ["struct" | "union" | "exception", name, "{", rest @ ..] if is_name(name) && is_numbered(rest) => {
            Some(THRIFT)
        }
        ["(", rest @ ..] if is_numbered(rest) => Some(THRIFT),
        ["table" | "rpc_service", name, "{", ..] if starts && is_name(name) => Some(FLATBUFFERS),
        ["root_type", name, ";", ..] if starts && is_name(name) => Some(FLATBUFFERS),
        ["enum", name, ":", ty, "{", ..] if starts && is_name(name) && ENUM_TYPES.contains(ty) => {
            Some(FLATBUFFERS)
        }
        [name, "@", number, ":", ..] if is_name(name) && is_number(number) => Some(CAPNP),
        _ => None,
    }
}

/// Reports whether words start with a field of Thrift: `1: string name`, `1: required list<…`.
fn is_numbered(words: &[&str]) -> bool {
    match words {
        [number, ":", ty, next, ..] => {
            is_number(number) && is_name(ty) && (is_name(next) || matches!(*next, "<" | "."))
        }
        _ => false,
    }
}

fn is_name(word: &str) -> bool {
    word.starts_with(|first: char| first.is_ascii_alphabetic() || first == '_')
}

fn is_number(word: &str) -> bool {
    word.bytes().all(|byte| byte.is_ascii_digit())
}
