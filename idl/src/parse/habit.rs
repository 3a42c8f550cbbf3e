//! Help for slips that the construct around them tells: types, numbers, answers and values as other languages write them.
//! Asked first: [`super::hint`] and [`super::slip`] look at less.

use super::Rule;
use super::cut;
use super::hint::{self, Place};
use super::literal::shortened;
use super::token::TokenKind;

const ATTRIBUTES: &str = "attributes stand before what they are about: `@default(5) lot: u32 = 1;`";
const OPTIONAL: &str = "a `?` stands behind the type: `venue: string?`";
const ERRORS: &str = "the errors of a method are named after `throws`: `-> string throws TapeError`";
const COMPUTED: &str = "nothing is computed: write the result, such as `16` or `0x10`";

/// Words for declarations that have no name where they stand as a type.
const KINDS: [&str; 9] =
    ["enum", "flags", "group", "interface", "message", "oneof", "record", "struct", "union"];

impl Place<'_> {
    /// Returns the help for a slip that the construct around it tells.
    pub(super) fn habit(&self) -> Option<String> {
        let kind = self.found?.kind;
        if let TokenKind::Sign(sign) = kind {
            let help = self.in_type(sign).or_else(|| self.beside_value(sign));
            return help.map(str::to_owned).or_else(|| self.around_brace(sign));
        }
        self.arrow(kind).or_else(|| self.number_first(kind)).map(str::to_owned).or_else(|| self.said(kind))
    }

    /// Returns the help for a sign where a type starts, or behind one.
    fn in_type(&self, sign: u8) -> Option<&'static str> {
        let (is_start, is_behind) = (self.starts_type(), self.wants(Rule::question));
        let is_answer = self.wants(Rule::kw_throws);
        let help = match sign {
            b'@' if is_start || self.in_parameters && is_behind => ATTRIBUTES,
            b'?' if is_start => OPTIONAL,
            b'&' | b'*' if is_start => "leave it out: a type is its name alone, and nothing is a reference",
            b'!' if is_behind && is_answer => ERRORS,
            b'|' if is_behind && is_answer => {
                "a method answers with one type: one of several is a `union`; errors are named after `throws`"
            }
            b'|' if is_behind => "one of several types is a `union`: `union Order { Limit: u32 = 1; }`",
            b'=' if self.wants(Rule::arrow) => "what it answers follows after `->`: `rpc last() -> Trade;`",
            _ => return None,
        };
        Some(help)
    }

    /// Returns the help for a sign behind a member's number, or where a value starts.
    fn beside_value(&self, sign: u8) -> Option<&'static str> {
        let before = self.before?;
        let next = self.later.first().map(|next| next.kind);
        let is_operand = matches!(next, Some(TokenKind::Word | TokenKind::Number));
        let ends = before.kind == TokenKind::Number && self.wants(Rule::semicolon);
        let help = match sign {
            b'?' if ends => OPTIONAL,
            b'(' if ends => ATTRIBUTES,
            b'=' if ends && !self.has_type() => "one number is enough: `Buy = 1;`",
            b'@' if self.wants(Rule::colon) && next == Some(TokenKind::Number) => NUMBER_LAST,
            b'-' | b'~' | b'!' if self.wants(Rule::value) && is_operand => COMPUTED,
            b'(' if before.kind == TokenKind::Word && self.ends_value() => {
                "nothing is computed: write the value itself, or the name of a constant"
            }
            _ => return None,
        };
        Some(help)
    }

    /// Returns the help for a brace behind a word: the name of a struct before its value, or a type without a name.
    fn around_brace(&self, sign: u8) -> Option<String> {
        let before = self.before_text().filter(|_| sign == b'{')?;
        if self.ends_value() && self.before?.kind == TokenKind::Word {
            let name = shortened(before);
            return Some(format!(
                "leave `{name}` out: a struct's value is its fields alone, `{{ name: value }}`"
            ));
        }
        let is_type = self.wants(Rule::question) || before == "oneof" && self.wants(Rule::colon);
        if !is_type || !KINDS.contains(&before) {
            return None;
        }
        let keyword = hint::keyword(before).unwrap_or(if before == "group" { "struct" } else { before });
        Some(match self.earlier {
            [.., name, colon, _] if colon.is(b':') => {
                let name = shortened(name.text(self.text));
                let ty = hint::pascal(&name);
                format!("give it a name: declare `{keyword} {ty} {{ … }}`, and write `{name}: {ty}`")
            }
            _ => format!(
                "give it a name: declare `{keyword} Kind {{ … }}`, and add a field of that type: `kind: Kind = 1;`"
            ),
        })
    }

    /// Returns the help for an arrow of one long sign, `–>`.
    fn arrow(&self, kind: TokenKind) -> Option<&'static str> {
        let is_arrow = kind == TokenKind::Other && self.later.first().is_some_and(|next| next.is(b'>'));
        (is_arrow && self.wants(Rule::arrow)).then_some("write `->`")
    }

    /// Returns the help for `1: string name`, and for text in the place of a number.
    fn number_first(&self, kind: TokenKind) -> Option<&'static str> {
        let is_member = self.wants(Rule::struct_member) || self.wants(Rule::variant_field);
        let is_before_colon = self.later.first().is_some_and(|next| next.is(b':'));
        let is_whole = self.found?.text(self.text).bytes().all(|byte| byte.is_ascii_digit());
        match kind {
            TokenKind::Number if is_member && is_before_colon && is_whole => Some(NUMBER_LAST),
            TokenKind::String if self.wants(Rule::number) && self.has_type() => {
                Some("a default stands before: `@default(5) lot: u32 = 1;`")
            }
            _ => None,
        }
    }

    /// Returns the help for a word.
    fn said(&self, kind: TokenKind) -> Option<String> {
        let found = self.found.filter(|_| kind == TokenKind::Word)?.text(self.text);
        if self.wants(Rule::kw_throws) && ["raise", "raises", "errors", "except"].contains(&found) {
            return Some(ERRORS.to_owned());
        }
        let is_number = self.before.is_some_and(|before| before.kind == TokenKind::Number);
        if found == "default" && is_number && self.wants(Rule::semicolon) {
            return Some(ATTRIBUTES.to_owned());
        }
        let is_stream = matches!(self.earlier, [.., colon, stream] if colon.is(b':') && stream.text(self.text) == "stream");
        (is_stream && self.wants(Rule::number_sign)).then(|| {
            let ty = shortened(found);
            format!("only methods have streams, as a parameter or an answer; a field holds `list<{ty}>`")
        })
    }

    fn starts_type(&self) -> bool {
        [Rule::type_path, Rule::type_use, Rule::streamed].into_iter().any(|rule| self.wants(rule))
    }

    /// Reports whether a value that is written could end here.
    fn ends_value(&self) -> bool {
        let (keyword, _) = cut::head(self.earlier);
        let is_constant = keyword.is_some_and(|keyword| keyword.text(self.text) == "const");
        let ends = self.wants(Rule::close_bracket)
            || self.wants(Rule::close_paren)
            || self.wants(Rule::semicolon) && is_constant;
        ends && !self.wants(Rule::question)
    }

    /// Reports whether the member has a type before the position.
    fn has_type(&self) -> bool {
        self.earlier.iter().any(|token| token.is(b':'))
    }
}

const NUMBER_LAST: &str = "the number comes last: `name: string = 1;`";
