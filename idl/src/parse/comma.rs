//! Help where the entries of a value, an attribute, parameters or a type are not separated by commas: where one is missing, and where
//! `;` stands in its place.

use super::Rule;
use super::cut;
use super::hint::Place;
use super::token::{Token, TokenKind};

/// What encloses the entries.
enum Around<'a> {
    /// An attribute of this name.
    Attribute(&'a str),
    Parameters,
    List,
    Object,
    Type,
}

impl Place<'_> {
    /// Returns the help.
    pub(super) fn comma(&self) -> Option<String> {
        let around = self.around()?;
        let is_semicolon = self.has_semicolon();
        let is_slip = is_semicolon || self.misses_comma();
        let help = match around {
            Around::Attribute(_) if self.starts_member() => "close it with `)`",
            Around::Attribute(_) if is_slip && self.is_in_range() => "a range is written `1..=12`",
            Around::Attribute(_) if is_slip => "put a `,` between the arguments: `@meta(\"key\", \"value\")`",
            Around::Object if is_slip => "put a `,` between the entries: `{ x: 1, y: 2 }`",
            Around::Parameters if is_semicolon => {
                "put a `,` between the parameters: `rpc last(symbol: string, size: u32)`"
            }
            Around::Type if is_semicolon => "put a `,` between: `map<string, u32>`",
            // What each expects otherwise tells of the commas, or there is none to put.
            _ => return None,
        };
        Some(help.to_owned())
    }

    /// Reports whether what was found is a `;` in the place of a comma: what is around it is closed behind it.
    pub(super) fn has_semicolon(&self) -> bool {
        let close = match self.around() {
            Some(Around::Attribute(_) | Around::Parameters) => b')',
            Some(Around::List) => b']',
            Some(Around::Object) => b'}',
            Some(Around::Type) => b'>',
            None => return false,
        };
        self.found.is_some_and(|found| found.is(b';')) && cut::closes(self.text, self.later, close)
    }

    /// Reports whether only a comma is missing before what was found, which is another entry.
    pub(super) fn misses_comma(&self) -> bool {
        let Some(found) = self.found else { return false };
        let is_word = matches!(found.kind, TokenKind::Word | TokenKind::Number | TokenKind::String);
        let is_name = self.before.is_some_and(|before| before.kind == TokenKind::Word);
        match self.around() {
            Some(Around::Object) => is_word && self.later.first().is_some_and(|next| next.is(b':')),
            // A name before a brace is that of a struct, which is too much.
            Some(Around::List) => is_word || !is_name && (found.is(b'{') || found.is(b'[')),
            Some(Around::Attribute(_)) => is_word && !self.starts_member(),
            Some(Around::Parameters) => found.kind == TokenKind::Word,
            Some(Around::Type) | None => false,
        }
    }

    /// Reports whether the position is in an attribute that takes a range, and no list.
    pub(super) fn is_in_range(&self) -> bool {
        matches!(self.around(), Some(Around::Attribute("len" | "range")))
    }

    /// Returns what encloses entries here, if a comma could stand here.
    fn around(&self) -> Option<Around<'_>> {
        if !self.wants(Rule::comma) {
            return None;
        }
        Some(match () {
            () if self.wants(Rule::close_bracket) => Around::List,
            () if self.wants(Rule::close_brace) => Around::Object,
            () if self.wants(Rule::close_angle) => Around::Type,
            () if self.wants(Rule::close_paren) => match self.attribute() {
                Some(name) => Around::Attribute(name),
                None => Around::Parameters,
            },
            () => return None,
        })
    }

    /// Returns the name of the attribute whose arguments the position is among.
    fn attribute(&self) -> Option<&str> {
        let mut closed = 0_usize;
        let open = self.earlier.iter().rposition(|token| {
            closed += usize::from(token.is(b')'));
            let is_open = token.is(b'(') && closed == 0;
            closed -= usize::from(token.is(b'(') && closed > 0);
            is_open
        })?;
        let [at, name] = self.earlier.get(open.checked_sub(2)?..open)? else { return None };
        at.is(b'@').then(|| name.text(self.text))
    }

    /// Reports whether a member or another attribute starts here, so that what is around was to be closed before.
    fn starts_member(&self) -> bool {
        let is_word = |token: &Token| token.kind == TokenKind::Word;
        self.found.as_ref().is_some_and(is_word)
            && self
                .later
                .first()
                .is_some_and(|next| next.is(b':') || next.is(b'=') || next.is(b'{') || is_word(next))
    }
}
