//! Reads a declaration inside of another again, where it did not parse, or reports why it must not stand there.

use std::ops::Range;

use super::cut;
use super::hint;
use super::recover::{Failed, Members, meant};
use super::token::Token;
use super::{Parser, literal};
use crate::ast::{ItemId, MAX_NESTED, Preamble};
use crate::diagnostic::{self, Diagnostic};
use crate::source::Span;

impl Parser<'_> {
    /// Reads the declaration that starts with a keyword, and reports whether it was broken.
    pub(super) fn nested(&mut self, members: &mut Members, keyword: usize, member: Range<usize>) -> bool {
        let word = self.tokens[keyword].text(self.text);
        let meant_word = meant(word);
        if !members.hold_types() || !cut::NESTED.contains(&meant_word) || !self.tokens[keyword + 2].is(b'{') {
            self.misplaced(members, keyword, &member);
            return true;
        }
        if word != meant_word {
            self.other_keyword(keyword);
            match word {
                // Its members look otherwise.
                "oneof" => self.lose_nested(keyword),
                _ => self.reread(meant_word, keyword, member, None),
            }
            return true;
        }
        if self.depth >= MAX_NESTED {
            let too_nested = self.too_nested(self.tokens[keyword + 1]);
            self.report.add(too_nested);
            self.lose_nested(keyword);
            return true;
        }
        let Some(failed) = self.member(members, member.clone()) else { return false };
        self.reread(word, keyword, member, Some(&failed));
        true
    }

    /// Runs `read` for what is inside of a declaration.
    pub(super) fn inside<T>(&mut self, id: Option<ItemId>, read: impl FnOnce(&mut Self) -> T) -> T {
        let around = std::mem::replace(&mut self.within, id);
        self.depth += 1;
        let result = read(self);
        self.depth -= 1;
        self.within = around;
        result
    }

    /// Reads a type member by member. Recursion is bounded by [`MAX_NESTED`].
    fn reread(&mut self, word: &str, keyword: usize, member: Range<usize>, failed: Option<&Failed>) {
        let Some(mut members) = Members::of(word) else { return };
        let body = self.body(keyword, &member);
        let id = self.tree.open(self.within, Preamble::default(), self.name(self.tokens[keyword + 1]));
        let start = body.start;
        let is_broken = self.inside(Some(id), |parser| parser.members(&mut members, body, None));
        self.tree.close(id, members.into_kind(), true);
        let Some(Failed { at, failure, .. }) = failed else { return };
        if *at < start && failure.is_some() {
            self.report_failure(member.start..start, failure.as_ref());
        } else if !is_broken {
            self.report_failure(member, failure.as_ref());
        }
    }

    /// Returns the tokens between the braces.
    fn body(&self, keyword: usize, member: &Range<usize>) -> Range<usize> {
        let start = (keyword + 3).min(member.end.max(keyword + 3));
        let end = member.end.max(start);
        let length = cut::closing(self.tokens[start..end].iter()).unwrap_or(end - start);
        start..start + length
    }

    /// Reports a keyword of another language before a type.
    fn other_keyword(&mut self, keyword: usize) {
        let (token, name) = (self.tokens[keyword], self.tokens[keyword + 1]);
        let (word, meant_word) = (token.text(self.text), meant(token.text(self.text)));
        let shown = literal::shortened(name.text(self.text));
        let help = match word {
            "oneof" => format!(
                "one of several is a `union`: declare `union {0} {{ … }}` here, and add a field of that type: `{shown}: {0} = 1;`",
                hint::pascal(&shown)
            ),
            _ => format!("write `{meant_word} {shown} {{ … }}`"),
        };
        let replacement = (word != "oneof").then(|| meant_word.to_owned());
        let span = self.span(token);
        self.report.add_with(self.file, diagnostic::SYNTAX, |code| {
            Diagnostic::new(code, format!("there is no keyword `{word}`"))
                .at(span, "")
                .help(help)
                .suggest_if(span, replacement)
        });
    }

    /// Reports a declaration that may not stand inside of another, and the mistakes of its members.
    fn misplaced(&mut self, around: &Members, keyword: usize, member: &Range<usize>) {
        let (word, name) = (self.tokens[keyword].text(self.text), self.tokens[keyword + 1]);
        let meant_word = meant(word);
        let shown = literal::shortened(name.text(self.text));
        let out = if word == meant_word { String::new() } else { format!(", as a `{meant_word}`") };
        let why = if around.hold_types() {
            "only a `struct`, `enum`, `union` or `flags` may stand inside of another declaration"
        } else {
            "only a `struct`, `union` or `error` holds other types"
        };
        let span = Span { end: name.end, ..self.span(self.tokens[keyword]) };
        self.report.add_with(self.file, diagnostic::NESTED, |code| {
            Diagnostic::new(code, format!("`{shown}` is declared inside of another declaration"))
                .at(span, "")
                .help(format!("move `{shown}` out{out}: {why}"))
        });
        self.lose_nested(keyword);
        let is_open = self.tokens[keyword + 2].is(b'{');
        let Some(mut members) = Members::of(meant_word).filter(|_| is_open && word != "oneof") else {
            return;
        };
        if self.depth < MAX_NESTED {
            let (first, body) = (self.tree.items.len(), self.body(keyword, member));
            self.inside(None, |parser| parser.members(&mut members, body, None));
            self.tree.items.truncate(first);
        }
    }

    /// Records the name of a declaration that is not read.
    fn lose_nested(&mut self, keyword: usize) {
        let name: Token = self.tokens[keyword + 1];
        self.tree.broken_names.push((self.within, name.text(self.text).to_owned()));
        if self.within.is_some() {
            // It may be used as if it stood outside.
            self.tree.broken_names.push((None, name.text(self.text).to_owned()));
        }
    }
}
