//! [`Name`]: the name of a new crate.

/// A name that is good for a crate, for a module of Rust and for a package of a `.svc` file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Name(String);

/// Why a name is not good: what is wrong, and what to do.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct WrongName {
    pub(crate) what: &'static str,
    pub(crate) help: &'static str,
}

/// Maximum length in bytes, as on crates.io.
const MAX_BYTES: usize = 64;

/// Names that Rust, Cargo or the new crate itself uses for something else.
const TAKEN: [&str; 63] = [
    "abstract",
    "alloc",
    "as",
    "async",
    "await",
    "become",
    "box",
    "break",
    "client",
    "const",
    "continue",
    "core",
    "crate",
    "do",
    "dyn",
    "else",
    "enum",
    "extern",
    "false",
    "final",
    "fn",
    "for",
    "gen",
    "if",
    "impl",
    "in",
    "let",
    "loop",
    "macro",
    "match",
    "mod",
    "move",
    "mut",
    "override",
    "priv",
    "proc_macro",
    "pub",
    "ref",
    "return",
    "self",
    "server",
    "static",
    "std",
    "struct",
    "super",
    "test",
    "tests",
    "tokio",
    "trait",
    "true",
    "try",
    "type",
    "typeof",
    "union",
    "unsafe",
    "unsized",
    "use",
    "virtual",
    "where",
    "while",
    "yield",
    "zsvc",
    "zsvc_codegen",
];

impl Name {
    /// Reads a name.
    pub(crate) fn parse(text: &str) -> Result<Self, WrongName> {
        let wrong = |what, help| Err(WrongName { what, help });
        if text.len() > MAX_BYTES {
            return wrong("is longer than 64 bytes", "choose a shorter one");
        }
        let is_word = |word: &str| {
            !word.is_empty() && word.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit())
        };
        if !text.starts_with(|first: char| first.is_ascii_lowercase()) || !text.split(['-', '_']).all(is_word)
        {
            return wrong(
                "is no name for a crate here",
                "use words of small letters and digits with `-` between them, such as `night-desk`",
            );
        }
        let name = Self(text.to_owned());
        if TAKEN.contains(&name.module().as_str()) {
            return wrong("means something else in Rust, in Cargo or in the new crate", "choose another");
        }
        Ok(name)
    }

    pub(crate) fn as_str(&self) -> &str {
        &self.0
    }

    /// Returns the name as Rust and `.svc` files write it.
    pub(crate) fn module(&self) -> String {
        self.0.replace('-', "_")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names() {
        for good in ["demo", "night-desk", "night_desk", "a", "desk2", "a-2"] {
            assert_eq!(Name::parse(good).map(|name| name.0), Ok(good.to_owned()));
        }
        for wrong in [
            "",
            "Demo",
            "2desk",
            "-desk",
            "desk-",
            "night--desk",
            "night desk",
            "d\u{e9}sk",
            "std",
            "match",
            "proc-macro",
        ] {
            assert!(Name::parse(wrong).is_err(), "{wrong}");
        }
        assert!(Name::parse(&"a".repeat(64)).is_ok());
        assert!(Name::parse(&"a".repeat(65)).is_err());
    }
}
