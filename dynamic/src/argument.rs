//! Arguments as people write them in a shell: `symbol=ACME size=5`.

use std::time::Duration;

use zsvc_idl::schema::{Builtin, Schema, Type, TypeKind};
use zsvc_proto::codec::dynamic::Scalar;

/// Returns the JSON of an argument for a type. What is text in JSON is taken as it is, without quotes: strings, times, bytes and names.
/// Numbers, lists and objects are JSON. Text that is no JSON becomes a string, of which the codec says what it should have been.
#[must_use]
pub fn argument(schema: &Schema, ty: &Type, text: &str) -> String {
    let ty = schema.resolved(ty);
    match ty {
        Type::Optional(_) if text == "null" => text.to_owned(),
        Type::Optional(inner) => argument(schema, inner, text),
        Type::Builtin(
            Builtin::String | Builtin::Bytes | Builtin::Timestamp | Builtin::Duration | Builtin::Uuid,
        ) => quoted(text),
        Type::Named(id) => match &schema.definition(*id).kind {
            TypeKind::Enum(_) if text.parse::<i32>().is_err() => quoted(text),
            _ => json_or_quoted(text),
        },
        _ => json_or_quoted(text),
    }
}

/// Returns the time that a text such as `1.5s` or `500ms` stands for.
///
/// # Errors
/// The text is no duration.
pub fn duration(text: &str) -> Result<Duration, String> {
    let read = Scalar::of("duration").and_then(|ty| ty.read(text.into()).ok());
    let nanoseconds = read.and_then(|value| value.as_u64());
    nanoseconds.map(Duration::from_nanos).ok_or_else(|| "write it as `1.5s` or `500ms`".to_owned())
}

fn json_or_quoted(text: &str) -> String {
    match serde_json::from_str::<serde::de::IgnoredAny>(text) {
        Ok(_) => text.to_owned(),
        Err(_) => quoted(text),
    }
}

fn quoted(text: &str) -> String {
    // A string always is JSON.
    serde_json::to_string(text).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use zsvc_idl::MemoryLoader;

    use super::argument;

    #[test]
    fn what_is_text_in_json_needs_no_quotes() {
        let text = "package a.v1; enum Side { Buy = 1; } struct S { n: u8 = 1; } union U { A = 1; B: u8 = 2; }
            type Name = string;
            service X { rpc m(a: Name, b: string?, c: duration, d: Side, e: u64, f: list<u8>, g: S, h: U, i: bool, j: value, k: f64); }";
        let loader = MemoryLoader::default().with("a.svc", text);
        let schema = zsvc_idl::compile(&loader, &["a.svc".to_owned()], &[]).schema.expect("no errors");
        let parameters = &schema.packages[0].services[0].methods[0].parameters;
        let cases = [
            ("a", "ACME", "\"ACME\""),
            ("a", "5", "\"5\""),
            ("a", "a \"b\"", "\"a \\\"b\\\"\""),
            ("b", "null", "null"),
            ("b", "x", "\"x\""),
            ("c", "1.5s", "\"1.5s\""),
            ("d", "Buy", "\"Buy\""),
            ("d", "-2", "-2"),
            ("e", "18446744073709551615", "18446744073709551615"),
            ("e", "many", "\"many\""),
            ("f", "[1, 2]", "[1, 2]"),
            ("g", "{\"n\": 1}", "{\"n\": 1}"),
            ("h", "A", "\"A\""),
            ("h", "{\"B\": 1}", "{\"B\": 1}"),
            ("i", "true", "true"),
            ("j", "{}", "{}"),
            ("j", "x", "\"x\""),
            ("k", "NaN", "\"NaN\""),
        ];
        for (name, text, json) in cases {
            let field = parameters.iter().find(|field| field.name == name).expect("a parameter");
            assert_eq!(argument(&schema, &field.ty, text), json, "{name}={text}");
        }
    }
}
