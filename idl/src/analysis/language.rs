//! The words of the language, for editors and for grammars of highlighters.
//!
//! Each list is the only one: built-in types are those that resolving knows, attributes those that checks know, and a test
//! compares the keywords with the grammar.

use crate::check::attributes_listed;
use crate::resolve;
use crate::schema::Builtin;

/// A place where keywords or attributes may stand.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Site {
    /// Between declarations.
    File,
    /// Before a field of a struct.
    Struct,
    /// Before a field of an event.
    Event,
    /// Before a field of a variant.
    Variant,
    /// Before a value or a flag.
    Enum,
    /// Before a variant of a union.
    Union,
    /// Before a variant of an error.
    Error,
    /// Before a method.
    Service,
    /// Before a parameter.
    Parameters,
}

/// A keyword, and the places where it starts something.
#[derive(Debug, Clone, Copy)]
pub struct Keyword {
    /// The word.
    pub word: &'static str,
    /// Where it starts a declaration or member; empty for one that stands inside.
    pub starts: &'static [Site],
}

const MEMBERS: &[Site] = &[Site::Struct, Site::Event, Site::Variant, Site::Enum, Site::Union, Site::Error];

const fn declares(word: &'static str) -> Keyword {
    Keyword { word, starts: &[Site::File] }
}

/// Returns a keyword of a type, which may stand inside of others.
const fn nests(word: &'static str) -> Keyword {
    Keyword { word, starts: &[Site::File, Site::Struct, Site::Event, Site::Union, Site::Error] }
}

/// All keywords, in alphabetical order. They are keywords only where they may stand.
pub const KEYWORDS: [Keyword; 18] = [
    Keyword { word: "as", starts: &[] },
    declares("const"),
    nests("enum"),
    declares("error"),
    declares("event"),
    Keyword { word: "extends", starts: &[] },
    nests("flags"),
    declares("import"),
    Keyword { word: "oneway", starts: &[Site::Service] },
    declares("package"),
    Keyword { word: "reserved", starts: MEMBERS },
    Keyword { word: "rpc", starts: &[Site::Service] },
    declares("service"),
    Keyword { word: "stream", starts: &[] },
    nests("struct"),
    Keyword { word: "throws", starts: &[] },
    declares("type"),
    nests("union"),
];

/// The words that are values.
pub const LITERALS: [&str; 2] = ["false", "true"];

/// Returns the names of built-in types, `list` and `map` included.
#[must_use]
pub fn builtin_types() -> &'static [&'static str] {
    &resolve::BUILTINS
}

/// Returns the built-in type of a keyword; `None` for `list` and `map`, which take types, and for any other word.
#[must_use]
pub fn builtin(keyword: &str) -> Option<Builtin> {
    resolve::builtin(keyword)
}

/// An attribute of the language.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Attribute {
    /// The name, without `@`.
    pub name: &'static str,
    /// What it belongs on: "a field or parameter".
    pub belongs: &'static str,
    /// An example of its use: `@len(1..=12)`.
    pub example: &'static str,
}

/// Returns all attributes, in alphabetical order.
#[must_use]
pub fn attributes() -> Vec<Attribute> {
    attributes_listed::all(None)
}

/// Returns the attributes that may stand at a place.
#[must_use]
pub fn attributes_at(site: Site) -> Vec<Attribute> {
    attributes_listed::all(Some(site))
}

/// Returns the words that an attribute's argument may be: the rules of `@allow`, the ways of `@overlap` and of
/// `@slow`.
#[must_use]
pub fn words_of(attribute: &str) -> Vec<String> {
    match attribute {
        "allow" => crate::lint::rules().map(|rule| rule.name().replace('-', "_")).collect(),
        "slow" => crate::value::slow_words().map(str::to_owned).collect(),
        "overlap" => crate::value::overlap_words().map(str::to_owned).collect(),
        _ => Vec::new(),
    }
}

/// Reports whether a text is a name that a declaration or member may have.
#[must_use]
pub fn is_name(text: &str) -> bool {
    let is_word = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_';
    text.bytes().all(is_word)
        && text.len() <= crate::parse::MAX_NAME
        && text.bytes().next().is_some_and(|first| !first.is_ascii_digit())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keywords_are_those_of_the_grammar() {
        let grammar = include_str!("../grammar.pest");
        let mut words: Vec<&str> = grammar
            .lines()
            .filter(|line| line.starts_with("kw_"))
            .filter_map(|line| line.split('"').nth(1))
            .collect();
        words.sort_unstable();
        let listed: Vec<&str> = KEYWORDS.iter().map(|keyword| keyword.word).collect();
        assert_eq!(listed, words);
    }

    #[test]
    fn each_attribute_stands_somewhere_and_is_shown_as_itself() {
        let sites = [
            Site::File,
            Site::Struct,
            Site::Event,
            Site::Variant,
            Site::Enum,
            Site::Union,
            Site::Error,
            Site::Service,
            Site::Parameters,
        ];
        for attribute in attributes() {
            assert!(attribute.example.starts_with(&format!("@{}", attribute.name)), "{attribute:?}");
            assert!(sites.iter().any(|site| attributes_at(*site).contains(&attribute)), "{attribute:?}");
        }
        let names = |site| attributes_at(site).iter().map(|attribute| attribute.name).collect::<Vec<_>>();
        assert!(names(Site::Struct).contains(&"len") && !names(Site::Enum).contains(&"len"));
        assert!(names(Site::Error).contains(&"message") && !names(Site::Union).contains(&"message"));
    }

    #[test]
    fn names_are_words() {
        assert!(is_name("_a1") && is_name("Trade"));
        for wrong in ["", "1a", "a-b", "a.b", "ä", &"a".repeat(256)] {
            assert!(!is_name(wrong), "{wrong}");
        }
    }
}
