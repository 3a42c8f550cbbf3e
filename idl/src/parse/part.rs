//! Builds the parts of declarations and members: types, preambles, values, names and spans.
//!
//! Not here: what numbers and strings mean ([`super::literal`]), and the declarations themselves ([`super::build`]).

use pest::iterators::Pair;

use super::Rule;
use super::build::{Builder, Parts};
use super::literal::{self, Flaw};
use crate::ast::{Attribute, Name, Path, Preamble, RangeValue, Type, Value, ValueKind};
use crate::diagnostic::{self, Code, Diagnostic};
use crate::source::{Span, offset};

impl Builder<'_> {
    /// Builds a type. Recursion is bounded by [`crate::ast::MAX_TYPE_DEPTH`].
    pub(super) fn ty(&mut self, pair: Pair<Rule>) -> Option<Type> {
        let mut parts = Parts::of(pair);
        let path = self.path(&parts.next(Rule::type_path)?);
        let mut span = path.span;
        let mut arguments = Vec::new();
        if let Some(pair) = parts.next_if(Rule::type_arguments) {
            span = span.to(self.span(&pair));
            let pairs = Parts::of(pair).all(Rule::type_use);
            arguments = pairs.map(|pair| self.ty(pair)).collect::<Option<_>>()?;
        }
        let optional: Vec<Span> = parts.all(Rule::question).map(|pair| self.span(&pair)).collect();
        let span = optional.last().map_or(span, |last| span.to(*last));
        Some(Type { path, arguments, optional, span })
    }

    pub(super) fn preamble(&mut self, pair: Pair<Rule>) -> Option<Preamble> {
        let mut preamble = Preamble::default();
        let mut lines = Vec::new();
        for part in pair.into_inner() {
            match part.as_rule() {
                Rule::doc_line => {
                    let line = part.as_str()["///".len()..].trim_end();
                    lines.push(line.strip_prefix(' ').unwrap_or(line));
                }
                _ => preamble.attributes.push(self.attribute(part)?),
            }
        }
        preamble.docs = lines.join("\n");
        Some(preamble)
    }

    fn attribute(&mut self, pair: Pair<Rule>) -> Option<Attribute> {
        let whole = self.span(&pair);
        let mut parts = Parts::of(pair);
        let name = self.name(&parts.next(Rule::attribute_name)?);
        let mut span = whole.to(name.span);
        span.end = name.span.end;
        let mut arguments = Vec::new();
        if let Some(pair) = parts.next_if(Rule::arguments) {
            span = span.to(self.span(&pair));
            arguments =
                Parts::of(pair).all(Rule::value).map(|pair| self.value(pair)).collect::<Option<_>>()?;
        }
        Some(Attribute { name, arguments, span })
    }

    /// Builds a value. Recursion is bounded by [`crate::ast::MAX_VALUE_DEPTH`].
    pub(super) fn value(&mut self, pair: Pair<Rule>) -> Option<Value> {
        let pair = pair.into_inner().next()?;
        match pair.as_rule() {
            Rule::range => {
                let span = self.trimmed(&pair);
                Some(Value { kind: self.range(pair)?, span })
            }
            Rule::list => {
                let span = self.trimmed(&pair);
                let values = Parts::of(pair).all(Rule::value).map(|pair| self.value(pair));
                Some(Value { kind: ValueKind::List(values.collect::<Option<_>>()?), span })
            }
            Rule::object => {
                let span = self.trimmed(&pair);
                let entries = Parts::of(pair).all(Rule::object_entry).map(|pair| self.entry(pair));
                Some(Value { kind: ValueKind::Object(entries.collect::<Option<_>>()?), span })
            }
            Rule::bytes => {
                let read = literal::bytes(pair.as_str());
                let kind = self.resolved(&pair, read).map_or(ValueKind::Invalid, ValueKind::Bytes);
                Some(Value { kind, span: self.span(&pair) })
            }
            Rule::string => {
                let kind = self.string(&pair).map_or(ValueKind::Invalid, ValueKind::String);
                Some(Value { kind, span: self.span(&pair) })
            }
            _ => Some(self.simple_value(&pair)),
        }
    }

    fn entry(&mut self, pair: Pair<Rule>) -> Option<(Value, Value)> {
        let mut parts = Parts::of(pair);
        let key = parts.next(Rule::object_key)?.into_inner().next()?;
        let key = match key.as_rule() {
            Rule::string => {
                let kind = self.string(&key).map_or(ValueKind::Invalid, ValueKind::String);
                Value { kind, span: self.span(&key) }
            }
            _ => self.simple_value(&key),
        };
        Some((key, self.value(parts.next(Rule::value)?)?))
    }

    fn range(&mut self, pair: Pair<Rule>) -> Option<ValueKind> {
        let mut parts = Parts::of(pair);
        let min = self.bound(&mut parts);
        let inclusive = parts.next(Rule::dots)?.as_str() == "..=";
        let max = self.bound(&mut parts);
        Some(ValueKind::Range(Box::new(RangeValue { min, max, inclusive })))
    }

    fn bound(&mut self, parts: &mut Parts) -> Option<Value> {
        let pair = parts.next_if(Rule::bound)?.into_inner().next()?;
        Some(self.simple_value(&pair))
    }

    /// Builds a number, or a path, which may be `true` or `false`.
    fn simple_value(&mut self, pair: &Pair<Rule>) -> Value {
        let span = self.span(pair);
        let kind = match (pair.as_rule(), pair.as_str()) {
            (Rule::number, _) => self.number(pair),
            (_, "true") => ValueKind::Bool(true),
            (_, "false") => ValueKind::Bool(false),
            _ => ValueKind::Path(self.path(pair)),
        };
        Value { kind, span }
    }

    fn number(&mut self, pair: &Pair<Rule>) -> ValueKind {
        literal::number(pair.as_str()).unwrap_or_else(|flaw| {
            self.flawed(diagnostic::BAD_NUMBER, self.span(pair), flaw);
            ValueKind::Invalid
        })
    }

    pub(super) fn integer(&mut self, pair: &Pair<Rule>) -> Option<i128> {
        match self.number(pair) {
            ValueKind::Integer(value) => return Some(value),
            ValueKind::Invalid => {}
            _ => {
                let message = format!("`{}` is no integer", literal::shortened(pair.as_str()));
                let help = "a member's number is written `1`".to_owned();
                self.flawed(diagnostic::BAD_NUMBER, self.span(pair), Flaw { message, help });
            }
        }
        None
    }

    pub(super) fn string(&mut self, pair: &Pair<Rule>) -> Option<String> {
        let read = literal::string(pair.as_str());
        self.resolved(pair, read)
    }

    /// Returns what a text stands for, or reports its flaw.
    fn resolved<T>(&mut self, pair: &Pair<Rule>, read: Result<T, (usize, usize, Flaw)>) -> Option<T> {
        match read {
            Ok(found) => Some(found),
            Err((start, end, flaw)) => {
                let from = self.span(pair).start;
                let span = Span { file: self.file, start: from + offset(start), end: from + offset(end) };
                self.flawed(diagnostic::BAD_ESCAPE, span, flaw);
                None
            }
        }
    }

    fn flawed(&mut self, code: Code, span: Span, flaw: Flaw) {
        self.report.add(Diagnostic::new(code, flaw.message).at(span, "").help(flaw.help));
    }

    pub(super) fn name(&self, pair: &Pair<Rule>) -> Name {
        Name { text: pair.as_str().to_owned(), span: self.span(pair) }
    }

    pub(super) fn path(&self, pair: &Pair<Rule>) -> Path {
        let span = self.span(pair);
        let mut start = span.start;
        let mut segments = Vec::new();
        for word in pair.as_str().split('.') {
            let end = start + offset(word.len());
            segments.push(Name { text: word.to_owned(), span: Span { start, end, ..span } });
            start = end + 1;
        }
        Path { segments, span, within: self.within }
    }

    pub(super) fn span(&self, pair: &Pair<Rule>) -> Span {
        let span = pair.as_span();
        Span { file: self.file, start: offset(self.base + span.start()), end: offset(self.base + span.end()) }
    }

    /// Returns the span without white space at its end, which a rule with an optional end may include.
    pub(super) fn trimmed(&self, pair: &Pair<Rule>) -> Span {
        let span = self.span(pair);
        Span { end: span.start + offset(pair.as_str().trim_end().len()), ..span }
    }
}
