//! What to do about slips that many make who come from other languages: told by the words around the place, where
//! what the grammar expects there would lead astray.

use super::Rule;
use super::expected::Failure;
use super::token::{Token, TokenKind};
use crate::suggest;

/// Where parsing failed.
pub(super) struct Place<'a> {
    pub(super) text: &'a str,
    pub(super) failure: &'a Failure,
    /// A parenthesis is open.
    pub(super) in_parameters: bool,
    pub(super) before: Option<Token>,
    pub(super) found: Option<Token>,
}

/// The help for a slip that is known.
pub(super) fn hint(place: &Place) -> Option<String> {
    let found = place.found?;
    match found.kind {
        TokenKind::Other => place.character(found.text(place.text)),
        TokenKind::Word => place.word(found.text(place.text)),
        TokenKind::Sign(sign) => place.sign(sign).map(str::to_owned),
        _ => None,
    }
}

impl Place<'_> {
    fn wants(&self, rule: Rule) -> bool {
        self.failure.wants(rule)
    }

    /// One that stands in no file outside strings and comments.
    fn character(&self, text: &str) -> Option<String> {
        let character = text.chars().next()?;
        let is_inside = self.before.is_some_and(|before| {
            before.kind == TokenKind::Word && self.found.is_some_and(|found| found.start == before.end)
        });
        character.is_alphanumeric().then(|| {
            let which = if is_inside {
                "consists of ASCII letters, digits and `_`"
            } else {
                "starts with an ASCII letter or `_`"
            };
            format!("a name {which}, such as `Trade`")
        })
    }

    fn word(&self, found: &str) -> Option<String> {
        if self.wants(Rule::comma) && self.wants(Rule::close_angle) {
            return Some("put a `,` between: `map<string, u32>`".to_owned());
        }
        if self.wants(Rule::comma) && self.wants(Rule::close_paren) {
            return Some(format!("put a `,` before `{}`", super::literal::shortened(found)));
        }
        if self.wants(Rule::kw_throws) && suggest::nearest(found, ["throws"]).is_some() {
            return Some("did you mean `throws`?".to_owned());
        }
        let name = super::literal::shortened(found);
        let before = self.before.filter(|_| self.wants(Rule::colon))?;
        Some(match before.text(self.text) {
            "stream" => format!("`stream` stands before the type: `{name}: stream T`"),
            "optional" => format!("a `?` behind the type makes it optional: `{name}: T?`"),
            "repeated" => format!("what is there many times is a list: `{name}: list<T>`"),
            "required" => {
                "leave `required` out: what is not optional and has no default must be there".to_owned()
            }
            _ => return None,
        })
    }

    fn sign(&self, sign: u8) -> Option<&'static str> {
        Some(match sign {
            b'#' => "a comment starts with `//`",
            b'(' if self.wants(Rule::colon) && self.wants(Rule::open_brace) => {
                "a variant's type follows after `:`, as in `Market: MarketOrder = 2;`"
            }
            b'(' if !self.in_parameters && self.wants(Rule::streamed) => {
                "a method answers with one type: put several into a `struct`"
            }
            b'=' if self.wants(Rule::close_paren) => {
                "a default stands before the parameter: `@default(1) lot: u32`"
            }
            b')' | b',' if self.in_parameters && self.wants(Rule::colon) => {
                "a parameter has a name and a type: `symbol: string`"
            }
            b'.' if self.wants(Rule::value) => "a float starts with a digit: `0.5`",
            _ if self.wants(Rule::value) && self.before.is_some_and(|before| before.is(b'=')) => {
                "write a number, a string, `true`, `false` or a duration such as `500ms`"
            }
            _ => return None,
        })
    }
}
