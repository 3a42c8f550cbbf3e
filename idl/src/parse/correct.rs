//! Corrects a mistake of syntax where the help says to the letter what to write: a sign or word that is missing, too much, or misspelt.

use super::hint::{self, Place};
use super::recover::{DECLARATIONS, METHODS};
use super::token::{Token, TokenKind};
use super::{Parser, Rule};
use crate::characters;
use crate::source::Span;
use crate::suggest;

impl Parser<'_> {
    /// Returns what to replace by what.
    pub(super) fn correction(&self, place: &Place) -> Option<(Span, &'static str)> {
        let &Place { before, found, .. } = place;
        if let Some(before) = before
            && self.belongs_after(before, found)
            && place.wants(Rule::semicolon)
            && !place.wants(Rule::number_sign)
        {
            return Some((self.span(before).after(), ";"));
        }
        let found = found?;
        let text = found.text(self.text);
        if place.has_semicolon() || place.misses_comma() {
            return self.comma(place, found);
        }
        match found.kind {
            TokenKind::Other => {
                let sign = characters::sign(text.chars().next()?)?;
                Some((self.span(found), sign))
            }
            TokenKind::Word => self.word(place, found, text),
            TokenKind::Sign(b',') if place.wants(Rule::semicolon) && !place.in_parameters => {
                // What a method throws may be meant to go on.
                let is_method = place.earlier.iter().any(|token| METHODS.contains(&token.text(self.text)));
                (!is_method).then(|| (self.span(found), ";"))
            }
            TokenKind::Sign(b';') if wants_declaration(place) => Some((self.span(found), "")),
            _ => None,
        }
    }

    /// Puts a comma where one is missing, or in the place of a `;`.
    fn comma(&self, place: &Place, found: Token) -> Option<(Span, &'static str)> {
        match place.before? {
            _ if place.is_in_range() => None,
            _ if found.is(b';') => Some((self.span(found), ",")),
            before => Some((self.span(before).after(), ",")),
        }
    }

    fn word(&self, place: &Place, found: Token, text: &str) -> Option<(Span, &'static str)> {
        if place.wants(Rule::kw_throws) {
            let throws = suggest::nearest(text, ["throws"])?;
            return Some((self.span(found), throws));
        }
        let keywords: &[&'static str] = match () {
            () if wants_declaration(place) => &DECLARATIONS,
            () if place.wants(Rule::kw_rpc) || place.wants(Rule::method) => &METHODS,
            () => return None,
        };
        // What the help says otherwise is more than a word.
        if hint::hint(place).is_some() {
            return None;
        }
        let nearest = suggest::nearest(text, keywords.iter().copied())?;
        Some((self.span(found), nearest))
    }
}

fn wants_declaration(place: &Place) -> bool {
    place.wants(Rule::item) || place.wants(Rule::declaration)
}
