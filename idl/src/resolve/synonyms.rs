//! Names of types in other languages, and what to write instead.

/// The types by names in lower case. Misspelt names are not here; [`crate::suggest`] handles them.
const SYNONYMS: [(&[&str], &str); 21] = [
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
    (&["vec", "vector", "array", "slice", "seq", "sequence", "set", "repeated"], "`list<T>`"),
    (&["dict", "dictionary", "hashmap", "btreemap", "record"], "`map<K, V>`"),
    (&["optional", "option", "nullable", "maybe"], "`T?`"),
];

/// Returns what to write for a type of another language.
pub(super) fn meant(name: &str) -> Option<&'static str> {
    let name = name.to_ascii_lowercase();
    SYNONYMS.iter().find(|(names, _)| names.contains(&name.as_str())).map(|(_, meant)| *meant)
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
}
