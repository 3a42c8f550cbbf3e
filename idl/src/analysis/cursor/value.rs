//! Where in a value a position is: within which of its lists and braces.

use std::ops::Range;

use super::{Word, WordKind, code, is};
use crate::parse::all_words;

/// A value around a position.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Value {
    /// The bytes of the type that the value is of, as it is written; `None` if none is.
    pub ty: Option<Range<usize>>,
    /// The way from the whole value to the position, outermost first; empty for the whole value.
    pub steps: Vec<Step>,
}

/// A step from a value into one of its parts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Step {
    /// Into an element, between `[` and `]`.
    Element,
    /// Into what belongs to a field's name or a key, between `{` and `}`.
    Field(String),
    /// To where a field's name or a key stands; with those before it. Always the last.
    Name(Vec<String>),
}

/// Returns the way through the words of a value to their end; `None` where no part of a value can start.
pub(super) fn steps(text: &str, words: &[Word]) -> Option<Vec<Step>> {
    let mut steps: Vec<Step> = Vec::new();
    // The names before, in each brace that is open.
    let mut given: Vec<Vec<String>> = Vec::new();
    for (index, word) in words.iter().enumerate() {
        match word.kind {
            WordKind::Sign(b'[') => steps.push(Step::Element),
            WordKind::Sign(b'{') => {
                steps.push(Step::Name(Vec::new()));
                given.push(Vec::new());
            }
            WordKind::Sign(b']') if steps.last() == Some(&Step::Element) => drop(steps.pop()),
            WordKind::Sign(b'}') if given.pop().is_some() => drop(steps.pop()),
            WordKind::Sign(b':') => {
                let name = index.checked_sub(1).map(|before| text[words[before].range.clone()].to_owned())?;
                given.last_mut()?.push(name.clone());
                *steps.last_mut()? = Step::Field(name);
            }
            WordKind::Sign(b',') if matches!(steps.last(), Some(Step::Field(_))) => {
                *steps.last_mut()? = Step::Name(given.last()?.clone());
            }
            _ => {}
        }
    }
    let starts = |word: &Word| matches!(word.kind, WordKind::Sign(b'[' | b'{' | b':' | b',' | b'.'));
    words.last().is_none_or(starts).then_some(steps)
}

/// Returns the bytes of the type of what a word names, which follows after it: `name: T`.
pub(super) fn type_after(text: &str, name: usize) -> Option<Range<usize>> {
    let mut words = all_words(&text[name..]).skip(1);
    words.next().filter(|word| is(word, b':'))?;
    let ends = |word: &Word| matches!(word.kind, WordKind::Sign(b'=' | b';' | b')' | b'{' | b'}' | b'@'));
    let mut open = 0_usize;
    let mut found: Option<Range<usize>> = None;
    for word in words {
        match word.kind {
            WordKind::Sign(b'<') => open += 1,
            WordKind::Sign(b'>') => open = open.saturating_sub(1),
            WordKind::Sign(b',') if open == 0 => break,
            _ if ends(&word) => break,
            _ => {}
        }
        let start = found.map_or(word.range.start, |found| found.start);
        found = Some(start..word.range.end);
    }
    found.map(|found| name + found.start..name + found.end)
}

/// Returns the value in which the words of a constant end; `None` if they end before it or behind it.
pub(super) fn of_constant(text: &str, statement: &[Word]) -> Option<Value> {
    let words = code(statement);
    let [keyword, name, ..] = words else { return None };
    if &text[keyword.range.clone()] != "const" {
        return None;
    }
    let equals = words.iter().position(|word| is(word, b'='))?;
    Some(Value { ty: type_after(text, name.range.start), steps: steps(text, &words[equals + 1..])? })
}

#[cfg(test)]
mod tests {
    use super::super::{Expected, cursor};
    use super::*;

    /// Returns the type and the way at `|`, if a value may stand there.
    fn at(text: &str) -> Option<(String, Vec<Step>)> {
        let byte = text.find('|').expect("a place");
        let text = text.replacen('|', "", 1);
        let (Expected::Value(value) | Expected::Argument { value: Some(value), .. }) =
            cursor(&text, byte).expected
        else {
            return None;
        };
        Some((value.ty.map_or_else(String::new, |ty| text[ty].to_owned()), value.steps))
    }

    fn name(given: &[&str]) -> Step {
        Step::Name(given.iter().map(|name| (*name).to_owned()).collect())
    }

    fn field(name: &str) -> Step {
        Step::Field(name.to_owned())
    }

    #[test]
    fn parts_of_constants() {
        let ty = |steps: &[Step]| Some(("list<A>".to_owned(), steps.to_vec()));
        assert_eq!(at("const A: list<A> = |"), ty(&[]));
        assert_eq!(at("const A: list<A> = [|"), ty(&[Step::Element]));
        assert_eq!(at("const A: list<A> = [B, |];"), ty(&[Step::Element]));
        assert_eq!(at("const A: list<A> = [{ |"), ty(&[Step::Element, name(&[])]));
        assert_eq!(at("const A: list<A> = [{ a: |"), ty(&[Step::Element, field("a")]));
        assert_eq!(at("const A: list<A> = [{ a: 1, b: {}, c|"), ty(&[Step::Element, name(&["a", "b"])]));
        assert_eq!(at("const A: list<A> = [{ a: [1], b: { c: { d: 1 }, e: x.|"), {
            ty(&[Step::Element, field("b"), field("e")])
        });
        assert_eq!(at("struct S {} @meta(\"a\", \"b\") const A: list<A> = [|"), ty(&[Step::Element]));
        for ended in [
            "const A: B = 1 |",
            "const A: B = [1 |",
            "const A: B = {} |",
            "const A: B = {}; |",
            "const A: B |",
        ] {
            assert_eq!(at(ended), None, "{ended}");
        }
    }

    #[test]
    fn parts_of_defaults() {
        let text = "struct S { a: u8 = 1; @default({ a: 1, | }) @len(1) b: map<string, A> = 2; }";
        assert_eq!(at(text), Some(("map<string, A>".to_owned(), vec![name(&["a"])])));
        let text = "service S { rpc a(@default([|) a: set<A>?, b: u8); }";
        assert_eq!(at(text), Some(("set<A>?".to_owned(), vec![Step::Element])));
        let text = "struct S { @default({ a: |";
        assert_eq!(at(text), Some((String::new(), vec![field("a")])));
        assert_eq!(at("struct S { @default(1 |) a: u8 = 1; }"), None);
    }

    #[test]
    fn signs_that_do_not_fit_are_no_way() {
        for odd in
            ["const A: B = ]}:,|", "const A: B = }|", "const A: B = : |", "const A = [:|", "@default(}:|"]
        {
            assert_eq!(at(odd).map(|(_, steps)| steps).unwrap_or_default(), [], "{odd}");
        }
    }
}
