//! Rust types as people read them: what editors show of a type of the language. Generated code spells them with absolute paths
//! ([`crate::site`]).

use zsvc_idl::schema::{Type, TypeId};

/// Returns the Rust type of a type, with the names that `named` gives to those that are declared.
///
/// Boxes, which are made where a type holds itself, and types of a user's own are not seen.
pub fn rust_type(ty: &Type, named: &dyn Fn(TypeId) -> String) -> String {
    match ty {
        Type::Builtin(builtin) => {
            let tokens = crate::site::builtin_type(*builtin).to_string();
            short(&tokens)
        }
        Type::List(element) => format!("Vec<{}>", rust_type(element, named)),
        Type::Set(element) => format!("BTreeSet<{}>", rust_type(element, named)),
        Type::Map(key, value) => format!("BTreeMap<{}, {}>", rust_type(key, named), rust_type(value, named)),
        Type::Optional(inner) => format!("Option<{}>", rust_type(inner, named)),
        Type::Named(id) => named(*id),
    }
}

/// Returns the Rust type of a built-in type by its keyword; `None` for any other word.
#[must_use]
pub fn rust_builtin(keyword: &str) -> Option<String> {
    use zsvc_idl::analysis::language;
    match keyword {
        "list" => Some("Vec<T>".to_owned()),
        "set" => Some("BTreeSet<T>".to_owned()),
        "map" => Some("BTreeMap<K, V>".to_owned()),
        _ => language::builtin(keyword).map(|builtin| rust_type(&Type::Builtin(builtin), &|_| String::new())),
    }
}

/// Returns a path as it is written where its crate's prelude or a `use` has it: of the standard library the name alone, of the
/// runtime `zsvc::Name`.
fn short(tokens: &str) -> String {
    let path = tokens.replace(' ', "");
    match path.strip_prefix("::zsvc::") {
        Some(name) => format!("zsvc::{name}"),
        None => path.rsplit("::").next().unwrap_or_default().to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use zsvc_idl::analysis::language::builtin_types;

    #[test]
    fn every_keyword_has_a_type() {
        for keyword in builtin_types() {
            let found = rust_builtin(keyword).unwrap_or_default();
            assert!(!found.is_empty() && !found.starts_with(':'), "{keyword}: {found}");
        }
        assert_eq!(rust_builtin("string").as_deref(), Some("String"));
        assert_eq!(rust_builtin("bytes").as_deref(), Some("zsvc::Bytes"));
        assert_eq!(rust_builtin("duration").as_deref(), Some("Duration"));
        assert_eq!(rust_builtin("Trade"), None);
    }

    #[test]
    fn types_nest() {
        let named = Type::Optional(Box::new(Type::List(Box::new(Type::Named(TypeId(0))))));
        assert_eq!(rust_type(&named, &|_| "a::B".to_owned()), "Option<Vec<a::B>>");
    }
}
