//! Names of types in other languages, and what to write instead.

use crate::ast::Path;

/// The types by names in lower case. Misspelt names are not here; [`crate::suggest`] handles them.
const SYNONYMS: [(&[&str], &str); 26] = [
    (&["boolean"], "`bool`"),
    (&["byte", "uint8", "uchar"], "`u8`"),
    (&["ushort", "uint16"], "`u16`"),
    (&["uint", "uint32", "unsigned", "fixed32"], "`u32`"),
    (&["ulong", "uint64", "usize", "fixed64"], "`u64`"),
    (&["int8", "sbyte"], "`i8`"),
    (&["short", "int16"], "`i16`"),
    (&["int", "integer", "int32", "sint32", "sfixed32"], "`i32`"),
    (&["long", "int64", "sint64", "sfixed64", "isize"], "`i64`"),
    (&["u128", "uint128", "i128", "int128", "bigint"], "`u64` or `i64`, or `bytes` for more"),
    (&["float", "float32", "single"], "`f32`"),
    (&["double", "float64", "number", "real"], "`f64`"),
    (&["str", "text", "varchar", "char"], "`string`"),
    (&["blob", "binary", "buffer", "bytearray"], "`bytes`"),
    (&["datetime", "date", "time", "instant"], "`timestamp`"),
    (&["interval", "timespan", "timedelta"], "`duration`"),
    (&["guid"], "`uuid`"),
    (&["any", "json", "object", "dynamic", "variant"], "`value`"),
    (&["vec", "vector", "array", "slice", "seq", "sequence", "repeated"], "`list<T>`"),
    (&["hashset", "btreeset", "treeset"], "`set<T>`"),
    (&["dict", "dictionary", "hashmap", "btreemap", "record"], "`map<K, V>`"),
    (&["optional", "option", "nullable", "maybe"], "`T?`"),
    (
        &["promise", "future", "task", "awaitable"],
        "the type alone: callers wait for an answer in their own way",
    ),
    (&["asyncstream", "observable", "iterator", "asynciterator", "generator"], "`stream T`, in a method"),
    (&["result", "either", "fallible"], "`-> T throws E`: what fails is named after `throws`"),
    (
        &["void", "unit", "nil", "none", "null", "empty", "nothing"],
        "nothing: without `->`, a method answers when it is done",
    ),
];

/// Returns what to write for a type of another language.
pub(crate) fn meant(name: &str) -> Option<&'static str> {
    let name = name.to_ascii_lowercase();
    SYNONYMS.iter().find(|(names, _)| names.contains(&name.as_str())).map(|(_, meant)| *meant)
}

/// Returns the text to write, if it is one type that is complete.
pub(super) fn exact(instead: &'static str) -> Option<&'static str> {
    let ty = instead.strip_prefix('`')?.strip_suffix('`')?;
    let is_complete = !ty.contains('`') && !ty.bytes().any(|byte| byte.is_ascii_uppercase());
    is_complete.then_some(ty)
}

/// Returns what to write for a type of protobuf's own package.
pub(super) fn well_known_path(path: &Path) -> Option<&'static str> {
    let [google, protobuf, name] = path.segments.as_slice() else { return None };
    if google.text != "google" || protobuf.text != "protobuf" {
        return None;
    }
    let name = match name.text.as_str() {
        "Struct" | "Value" | "ListValue" | "Any" => "any",
        "FieldMask" => return Some("`list<string>`"),
        wrapped => match wrapped.strip_suffix("Value") {
            Some("Bool") => return Some("`bool?`"),
            Some("String") => return Some("`string?`"),
            Some("Bytes") => return Some("`bytes?`"),
            Some("Int32") => return Some("`i32?`"),
            Some("Int64") => return Some("`i64?`"),
            Some("UInt32") => return Some("`u32?`"),
            Some("UInt64") => return Some("`u64?`"),
            Some("Float") => return Some("`f32?`"),
            Some("Double") => return Some("`f64?`"),
            _ => wrapped,
        },
    };
    match name {
        "Timestamp" => Some("`timestamp`"),
        "Duration" => Some("`duration`"),
        other => meant(other),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_name_is_a_type_of_the_language_or_there_twice() {
        let mut seen = crate::resolve::BUILTINS.to_vec();
        for name in SYNONYMS.iter().flat_map(|(names, _)| *names) {
            assert!(!seen.contains(name), "{name}");
            seen.push(name);
        }
        assert_eq!((meant("Vec"), meant("Trade")), (Some("`list<T>`"), None));
    }

    #[test]
    fn only_whole_types_are_exact() {
        assert_eq!(exact("`list<string>`"), Some("list<string>"));
        assert_eq!((exact("`list<T>`"), exact("`u64` or `i64`"), exact("text")), (None, None, None));
    }
}
