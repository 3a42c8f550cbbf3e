//! What may stand at a position of a text that a user is typing: a keyword, a type, a number.
//!
//! Looks at the words before the position alone, since what is being typed does not parse. Names are not resolved here.

mod statement;
mod value;

use std::ops::Range;

pub use value::{Step, Value};

use super::language::Site;
use crate::parse::{Word, WordKind, all_words};

/// What surrounds a position.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cursor {
    /// What may stand there.
    pub expected: Expected,
    /// The bytes of the word, path or text that has been typed up to the position.
    pub typed: Range<usize>,
    /// Byte at which the name of the declaration around the position starts; `None` between declarations.
    pub container: Option<usize>,
}

/// What may stand at a position.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Expected {
    /// Nothing that is known: a new name, a comment, text.
    Nothing,
    /// The start of a declaration or member.
    Start(Site),
    /// A type.
    Type {
        /// Whether `stream` may stand before it.
        stream: bool,
    },
    /// An error, after `throws`.
    Error,
    /// A service, after `extends`.
    Service,
    /// Keywords or signs, of which one continues what stands before.
    Word(&'static [&'static str]),
    /// The number of a member, after `=`.
    Number,
    /// The name of an attribute, after `@`.
    Attribute(Site),
    /// An argument of an attribute.
    Argument {
        /// The attribute's name.
        attribute: String,
        /// Where in the argument's value it is; `None` where no part of one can start.
        value: Option<Value>,
    },
    /// A constant's value, or a part of it.
    Value(Value),
    /// The path of a file, in quotes.
    Import,
}

/// Returns what surrounds a byte of a text, at a character boundary.
#[must_use]
pub fn cursor(text: &str, byte: usize) -> Cursor {
    let all: Vec<Word> = all_words(text).take_while(|word| word.range.start < byte).collect();
    let is_remark = |word: &&Word| matches!(word.kind, WordKind::Doc | WordKind::Comment);
    let ends_in_remark =
        all.last().filter(is_remark).is_some_and(|word| !text[word.range.start..byte].contains('\n'));
    let before: Vec<Word> = all.into_iter().filter(|word| word.kind != WordKind::Comment).collect();
    let (blocks, start) = blocks(text, &before);
    let container = blocks.last().map(|block| before[block.name].range.start);
    if ends_in_remark {
        return Cursor { expected: Expected::Nothing, typed: byte..byte, container };
    }
    let (mut words, mut typed) = (before.as_slice(), byte..byte);
    match before.last().filter(|word| byte <= word.range.end).map(|word| word.kind) {
        Some(WordKind::String) => return in_string(text, &before, byte, container),
        Some(WordKind::Number) => return number(text, &before, byte, container, (&blocks, start)),
        Some(WordKind::Name | WordKind::Sign(b'.')) => {
            typed.start = path_start(&before);
            words = &before[..before.partition_point(|word| word.range.start < typed.start)];
        }
        _ => {}
    }
    let expected = expected(text, words, (&blocks, start), byte);
    Cursor { expected, typed, container }
}

/// A brace that is open, and what it belongs to.
struct Block {
    site: Site,
    /// Index of the word before the brace: the declaration's name.
    name: usize,
}

/// Returns the blocks that are open after some words, and the index of the first word of the declaration or member that is not
/// finished. The braces of values are no blocks.
fn blocks(text: &str, words: &[Word]) -> (Vec<Block>, usize) {
    let mut open: Vec<Block> = Vec::new();
    let (mut start, mut parens, mut values) = (0, 0_usize, 0_usize);
    for (index, word) in words.iter().enumerate() {
        match word.kind {
            WordKind::Sign(b'(') => parens += 1,
            WordKind::Sign(b')') => parens = parens.saturating_sub(1),
            // The braces of a value.
            WordKind::Sign(b'{') if values + parens > 0 || is_constant(text, &words[start..index]) => {
                values += 1;
            }
            WordKind::Sign(b'}') if values > 0 => values -= 1,
            WordKind::Sign(b'{') => {
                let head: Vec<&str> =
                    code(&words[start..index]).iter().map(|word| &text[word.range.clone()]).collect();
                // A variant may have the name of a keyword.
                let keyword = head.first().copied().filter(|_| head.len() > 1 || open.is_empty());
                let site = match (keyword, open.last().map(|block| block.site)) {
                    (Some("enum" | "flags"), _) => Site::Enum,
                    (Some("union"), _) => Site::Union,
                    (Some("error"), None) => Site::Error,
                    (Some("event"), None) => Site::Event,
                    (Some("service"), None) => Site::Service,
                    (_, Some(Site::Union | Site::Error)) if head.len() < 2 => Site::Variant,
                    _ => Site::Struct,
                };
                // What a service extends stands between its name and the brace.
                let back = if site == Site::Service { head.len().max(2) - 1 } else { 1 };
                open.push(Block { site, name: index.saturating_sub(back) });
                start = index + 1;
            }
            WordKind::Sign(b'}') => {
                open.pop();
                start = index + 1;
            }
            WordKind::Sign(b';') => (start, parens, values) = (index + 1, 0, 0),
            _ => {}
        }
    }
    (open, start)
}

/// Reports whether these words start a constant.
fn is_constant(text: &str, words: &[Word]) -> bool {
    code(words).first().is_some_and(|first| &text[first.range.clone()] == "const")
}

/// Returns the words after docs, comments and attributes.
fn code(words: &[Word]) -> &[Word] {
    let mut rest = words;
    loop {
        rest = match rest {
            [Word { kind: WordKind::Doc | WordKind::Comment, .. }, more @ ..] => more,
            [at, name, open, ..] if is(at, b'@') && name.kind == WordKind::Name && is(open, b'(') => {
                match closing(&rest[2..]) {
                    Some(end) => &rest[2 + end + 1..],
                    None => return &[],
                }
            }
            [at, name, more @ ..] if is(at, b'@') && name.kind == WordKind::Name => more,
            _ => return rest,
        };
    }
}

/// Returns the index of the parenthesis that closes the first of some words.
fn closing(words: &[Word]) -> Option<usize> {
    let mut depth = 0_usize;
    words.iter().position(|word| {
        match word.kind {
            WordKind::Sign(b'(') => depth += 1,
            WordKind::Sign(b')') => depth = depth.saturating_sub(1),
            _ => {}
        }
        depth == 0
    })
}

fn is(word: &Word, sign: u8) -> bool {
    word.kind == WordKind::Sign(sign)
}

/// Returns the byte at which the path starts that the last word is part of: words and dots without space between.
fn path_start(words: &[Word]) -> usize {
    let mut start = words.last().map_or(0, |word| word.range.start);
    for word in words.iter().rev().skip(1) {
        if word.range.end != start || !matches!(word.kind, WordKind::Name | WordKind::Sign(b'.')) {
            break;
        }
        start = word.range.start;
    }
    start
}

fn in_string(text: &str, words: &[Word], byte: usize, container: Option<usize>) -> Cursor {
    let Some((string, before)) = words.split_last() else {
        return Cursor { expected: Expected::Nothing, typed: byte..byte, container };
    };
    let is_import = before.last().is_some_and(|word| &text[word.range.clone()] == "import");
    let is_inside = byte > string.range.start
        && (byte < string.range.end || !text[string.range.clone()].ends_with('"') || string.range.len() == 1);
    let expected = if is_import && is_inside { Expected::Import } else { Expected::Nothing };
    Cursor { expected, typed: string.range.start + 1..byte, container }
}

/// Returns what surrounds a position at the end of or in a number: that of a member, or nothing.
fn number(
    text: &str,
    words: &[Word],
    byte: usize,
    container: Option<usize>,
    (blocks, statement): (&[Block], usize),
) -> Cursor {
    let start = words.last().map_or(byte, |word| word.range.start);
    let before = &words[..words.len().saturating_sub(1)];
    let expected = expected(text, before, (blocks, statement), byte);
    let expected = if expected == Expected::Number { expected } else { Expected::Nothing };
    Cursor { expected, typed: start..byte, container }
}

/// Returns what may follow after some words, of which those of the statement that is not finished start at an index.
fn expected(text: &str, words: &[Word], (blocks, start): (&[Block], usize), byte: usize) -> Expected {
    let site = blocks.last().map_or(Site::File, |block| block.site);
    let start = start.min(words.len());
    let statement = &words[start..];
    // A variant's number follows after its fields.
    let after_fields =
        words[..start].last().is_some_and(|last| is(last, b'}')) && matches!(site, Site::Union | Site::Error);
    if let [equals] = statement
        && after_fields
        && is(equals, b'=')
    {
        return Expected::Number;
    }
    if let Some(expected) = in_attribute(text, statement, site, byte) {
        return expected;
    }
    if let Some(value) = value::of_constant(text, statement) {
        return Expected::Value(value);
    }
    let code = code(statement);
    let said: Vec<&str> = code.iter().map(|word| &text[word.range.clone()]).collect();
    match site {
        Site::File => statement::declaration(&said),
        Site::Struct | Site::Event | Site::Variant | Site::Union | Site::Error | Site::Enum => {
            statement::member(&said, site)
        }
        Site::Service | Site::Parameters => statement::method(&said),
    }
}

/// Returns what is expected in an attribute that is not finished.
fn in_attribute(text: &str, statement: &[Word], site: Site, byte: usize) -> Option<Expected> {
    let at = statement.iter().rposition(|word| is(word, b'@'))?;
    let site = if is_in_parameters(statement, at) { Site::Parameters } else { site };
    match &statement[at + 1..] {
        [] => Some(Expected::Attribute(site)),
        [name, open, words @ ..] if is(open, b'(') && closing(&statement[at + 2..]).is_none() => {
            let ty = subject(text, byte).and_then(|subject| value::type_after(text, subject));
            Some(Expected::Argument {
                attribute: text[name.range.clone()].to_owned(),
                value: value::steps(text, words).map(|steps| Value { ty, steps }),
            })
        }
        _ => None,
    }
}

/// Reports whether a word of a method stands between the parentheses of its parameters.
fn is_in_parameters(statement: &[Word], at: usize) -> bool {
    let head = code(statement);
    let first = statement.len() - head.len();
    at > first && head.first().is_some_and(|word| word.kind == WordKind::Name) && {
        let open = head[..at - first].iter().filter(|word| is(word, b'(')).count();
        open > head[..at - first].iter().filter(|word| is(word, b')')).count()
    }
}

/// Returns the byte at which the word starts that the attributes around a byte are about.
fn subject(text: &str, byte: usize) -> Option<usize> {
    let rest: Vec<Word> = all_words(text).skip_while(|word| word.range.end <= byte).collect();
    let mut depth = 1_usize;
    let end = rest.iter().position(|word| {
        match word.kind {
            WordKind::Sign(b'(') => depth += 1,
            WordKind::Sign(b')') => depth -= 1,
            _ => {}
        }
        depth == 0
    })?;
    let after = code(&rest[end + 1..]);
    let is_keyword = |word: &Word| {
        matches!(&text[word.range.clone()], "rpc" | "oneway" | "const" | "type" | "struct" | "enum")
    };
    after.iter().find(|word| !is_keyword(word)).map(|word| word.range.start)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Returns what is expected at `|`, and what is typed there.
    fn at(text: &str) -> (Expected, String) {
        let byte = text.find('|').expect("a place");
        let text = text.replacen('|', "", 1);
        let cursor = cursor(&text, byte);
        (cursor.expected, text[cursor.typed].to_owned())
    }

    fn expected(text: &str) -> Expected {
        at(text).0
    }

    const TYPE: Expected = Expected::Type { stream: false };
    const STREAMED: Expected = Expected::Type { stream: true };

    #[test]
    fn declarations_start_between_others() {
        assert_eq!(at("package a;\nstr|"), (Expected::Start(Site::File), "str".to_owned()));
        assert_eq!(expected("|"), Expected::Start(Site::File));
        assert_eq!(expected("struct A {}\n/// Docs.\n@meta(\"a\", \"b\") |"), Expected::Start(Site::File));
        assert_eq!(expected("struct |"), Expected::Nothing);
        assert_eq!(expected("import \"a.svc\" |"), Expected::Word(&["as"]));
        assert_eq!(expected("service A |"), Expected::Word(&["extends"]));
        assert_eq!(expected("service A extends |"), Expected::Service);
        assert_eq!(expected("service A extends b.B, |"), Expected::Service);
        assert_eq!(expected("service A extends B |"), Expected::Nothing);
        assert_eq!(expected("service A extends B, c.C { |"), Expected::Start(Site::Service));
    }

    #[test]
    fn members_start_in_braces() {
        for (text, site) in [
            ("struct A { |", Site::Struct),
            ("struct A { a: u8 = 1; |", Site::Struct),
            ("event A { a: u8 = 1; |", Site::Event),
            ("event A { struct B { |", Site::Struct),
            ("enum A { |", Site::Enum),
            ("union A { |", Site::Union),
            ("union A { B { |", Site::Variant),
            ("union A { enum { |", Site::Variant),
            ("union A { B = 1; struct C { |", Site::Struct),
            ("struct A { enum B { |", Site::Enum),
            ("const A: B = { c: { d: 1 } }; struct A { |", Site::Struct),
            ("struct A { @default({ a: [{ b: 1 }] }) b: B = 1; |", Site::Struct),
            ("struct A { enum B { C = 0; } |", Site::Struct),
            ("struct A { union B { C { d: u8 = 1; } = 1; } struct D { |", Site::Struct),
            ("union A { B { c: u8 = 1; } = 1; |", Site::Union),
            ("error A { @message(\"{x\") |", Site::Error),
            ("service A { rpc a(); |", Site::Service),
            ("service A { r|pc a();", Site::Service),
        ] {
            assert_eq!(expected(text), Expected::Start(site), "{text}");
        }
    }

    #[test]
    fn types_follow_after_colons() {
        for text in [
            "struct A { a: |",
            "struct A { a: list<|",
            "struct A { a: map<string, |",
            "const A: |",
            "type A = |",
            "union A { B: |",
            "service A { rpc a(b: stream |",
            "service A { rpc a() -> stream |",
            "service A { rpc a() -> list<|",
            "struct A { @len(1) a: |",
        ] {
            assert_eq!(expected(text), TYPE, "{text}");
        }
        for text in [
            "service A { rpc a(b: |",
            "service A { rpc a(b: u8, c: |",
            "service A { oneway a(); rpc a() -> |",
        ] {
            assert_eq!(expected(text), STREAMED, "{text}");
        }
        assert_eq!(at("struct A { a: money.Am|"), (TYPE, "money.Am".to_owned()));
        assert_eq!(at("struct A { a: money.|"), (TYPE, "money.".to_owned()));
        assert_eq!(expected("service A { rpc a() throws |"), Expected::Error);
        assert_eq!(expected("service A { rpc a() |"), Expected::Word(&["->", "throws"]));
        assert_eq!(expected("service A { rpc a() -> u8 |"), Expected::Word(&["throws"]));
        assert_eq!(expected("enum A { a: |"), Expected::Nothing);
    }

    #[test]
    fn numbers_follow_after_the_sign() {
        for text in [
            "struct A { a: u8 = |",
            "enum A { B = |",
            "union A { B { c: u8 = 1; } = |",
            "struct A { a: u8 = 1|",
        ] {
            assert_eq!(expected(text), Expected::Number, "{text}");
        }
        assert!(matches!(expected("const A: u8 = |"), Expected::Value(_)));
        assert_eq!(expected("struct A { @len(1|"), Expected::Nothing);
    }

    #[test]
    fn attributes_stand_before_what_they_are_about() {
        assert_eq!(at("struct A { @de|"), (Expected::Attribute(Site::Struct), "de".to_owned()));
        assert_eq!(expected("@|"), Expected::Attribute(Site::File));
        assert_eq!(expected("service A { @|"), Expected::Attribute(Site::Service));
        assert_eq!(expected("service A { @idempotent rpc a(@|"), Expected::Attribute(Site::Parameters));
        let text = "enum S { Buy = 0; }\nstruct A { @default(|) side: S = 1; }";
        let start = text.replacen('|', "", 1).find("S = 1").expect("a type");
        let value = Some(Value { ty: Some(start..start + 1), steps: Vec::new() });
        assert_eq!(expected(text), Expected::Argument { attribute: "default".to_owned(), value });
        let value = Some(Value::default());
        assert_eq!(expected("@allow(|"), Expected::Argument { attribute: "allow".to_owned(), value });
    }

    #[test]
    fn nothing_is_known_in_text() {
        for text in [
            "// str|",
            "/// a|",
            "struct A { a: u8 = 1; // |",
            "@meta(\"a|\")",
            "const A: string = \"|\"",
            "\u{4f60}|",
        ] {
            assert_eq!(expected(text), Expected::Nothing, "{text}");
        }
        assert_eq!(at("import \"mon|ey.svc\";"), (Expected::Import, "mon".to_owned()));
        assert_eq!(expected("import \"|"), Expected::Import);
        assert_eq!(expected("import \"a\"|"), Expected::Nothing);
    }

    #[test]
    fn the_container_is_the_innermost() {
        let text = "union A { B { c: u8 = ";
        assert_eq!(cursor(text, text.len()).container, text.find('B'));
        assert_eq!(cursor("struct A {} ", 12).container, None);
        assert_eq!(cursor("}}{", 3).container, Some(1));
    }
}
