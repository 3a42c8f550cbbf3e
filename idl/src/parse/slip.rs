//! Help for signs of other languages, by the sign and what is around it. Words are in [`super::hint`].

use super::Rule;
use super::cut;
use super::hint::Place;
use super::literal::shortened;
use super::token::TokenKind;

impl Place<'_> {
    /// Returns the help for a sign that can't stand here.
    pub(super) fn sign(&self, sign: u8) -> Option<String> {
        let help = match sign {
            b'=' if self.before.is_some_and(|before| before.is(b'}')) => {
                return Some("leave the number out: a type inside of another has none".to_owned());
            }
            b'[' | b'(' | b'{' => self.bracket(sign),
            b':' | b'<' if self.wants(Rule::open_brace) && !self.wants(Rule::colon) => {
                return Some(if sign == b':' { self.inheritance() } else { self.generics() });
            }
            b'<' if self.wants(Rule::equals) || self.wants(Rule::open_paren) => return Some(self.generics()),
            _ => self.computed(sign).or_else(|| self.separator(sign)).or_else(|| self.start(sign)),
        };
        help.or_else(|| self.in_value())
    }

    /// Returns the help where a value is missing.
    fn in_value(&self) -> Option<String> {
        let is_value = self.wants(Rule::value) && self.before.is_some_and(|before| before.is(b'='));
        is_value.then(|| "write a number, a string, `true`, `false` or a duration such as `500ms`".to_owned())
    }

    fn generics(&self) -> String {
        let (_, name) = cut::head(self.earlier);
        let name = name.map_or_else(String::new, |name| shortened(name.text(self.text)));
        format!(
            "there are no generics, only `list`, `set` and `map` take types: declare `{name}` for each type that it is for"
        )
    }

    fn bracket(&self, sign: u8) -> Option<String> {
        let next_is = |sign| self.later.first().is_some_and(|next| next.is(sign));
        let help = match sign {
            // `[default = 5]`, and no list.
            b'[' if self.wants(Rule::question)
                && self.later.first().is_some_and(|next| next.kind == TokenKind::Word) =>
            {
                "attributes stand before what they are about: `@default(5) lot: u32 = 1;`"
            }
            b'[' if self.wants(Rule::question) => {
                return Some(format!("a list is written `list<{}>`", shortened(self.before_text()?)));
            }
            b'[' if self.wants(Rule::type_path)
                || self.wants(Rule::type_use)
                || self.wants(Rule::streamed) =>
            {
                "a list is written `list<T>`, one of four elements `@len(4) name: list<T>`; bytes are `bytes`"
            }
            b'[' if self.wants(Rule::semicolon) => {
                "attributes stand before what they are about: `@default(5) lot: u32 = 1;`"
            }
            b'{' if self.wants(Rule::arrow) => "a method has no body: end it with `;`",
            b'(' if self.wants(Rule::error_path) => {
                "errors are named without parentheses or numbers: `throws TapeError, FeeError`"
            }
            b'(' if self.wants(Rule::colon) && self.wants(Rule::open_brace) => {
                "a variant's type follows after `:`, as in `Market: MarketOrder = 2;`"
            }
            b'(' if self.wants(Rule::streamed) && next_is(b')') => {
                "leave `-> ()` out: a method without `->` answers when it is done"
            }
            b'(' if !self.in_parameters && self.wants(Rule::streamed) => {
                "a method answers with one type: put several into a `struct`"
            }
            b'(' if self.wants(Rule::type_path)
                || self.wants(Rule::type_use)
                || self.wants(Rule::streamed) =>
            {
                "there are no tuples: declare a `struct` with a field for each part"
            }
            _ => return None,
        };
        Some(help.to_owned())
    }

    /// Returns the help for a sign between two operands.
    fn computed(&self, sign: u8) -> Option<String> {
        let is_after_number = self.before.is_some_and(|before| before.kind == TokenKind::Number);
        let is_operator = match sign {
            b'+' | b'*' | b'/' | b'|' | b'&' | b'^' | b'%' => self.before.is_some(),
            b'<' | b'>' | b'-' => is_after_number,
            _ => false,
        };
        if !is_operator || !(self.wants(Rule::semicolon) || self.wants(Rule::close_paren)) {
            return None;
        }
        let (keyword, _) = cut::head(self.earlier);
        let help = match keyword.map(|keyword| keyword.text(self.text)) {
            Some("type") if !is_after_number => {
                "one of several types is a `union`: `union Order { Limit: u32 = 1; }`"
            }
            Some("rpc") if self.before_throws() => SEVERAL_ERRORS,
            _ => "nothing is computed: write the result, such as `16` or `0x10`",
        };
        Some(help.to_owned())
    }

    /// Returns the help for a sign where a member or one of its parts ends.
    fn separator(&self, sign: u8) -> Option<String> {
        let help = match sign {
            b',' if !self.in_parameters && self.wants(Rule::number_sign) => {
                "each member has a number, and `;` behind it: `= 1;`"
            }
            b',' if !self.in_parameters && self.wants(Rule::semicolon) => {
                "members end with `;`, not with `,`"
            }
            b'=' if self.wants(Rule::close_paren) => {
                "a default stands before the parameter: `@default(1) lot: u32`"
            }
            b'=' if self.wants(Rule::semicolon) => "a default stands before: `@default(5) lot: u32 = 1;`",
            b'@' if self.wants(Rule::semicolon) || self.wants(Rule::number_sign) => {
                "attributes stand before what they are about: `@default(5) lot: u32 = 1;`"
            }
            b')' | b',' if self.in_parameters && self.wants(Rule::colon) => {
                "a parameter has a name and a type: `symbol: string`"
            }
            b';' if self.wants(Rule::item) || self.wants(Rule::declaration) => {
                "leave it out: no `;` follows after the `}` of a declaration"
            }
            b';' if self.wants(Rule::open_brace) && !self.wants(Rule::colon) => {
                "what has no members yet is written `struct Nothing {}`"
            }
            _ => return None,
        };
        Some(help.to_owned())
    }

    /// Returns the help for a sign where something else starts.
    fn start(&self, sign: u8) -> Option<String> {
        let help = match sign {
            b'#' if self.later.first().is_some_and(|next| next.is(b'[') || next.is(b'!')) => {
                "derives are chosen in `build.rs`, by `Builder::derive(\"market.v1.Trade\", \"PartialOrd\")`; attributes look \
                 like `@deprecated(\"use …\")`"
            }
            b'#' => "a comment starts with `//`",
            b'<' if self.wants(Rule::colon) => "the name comes first: `attributes: map<string, string>`",
            b'?' if self.wants(Rule::colon) => "a `?` stands behind the type: `venue: string?`",
            b'.' if self.wants(Rule::colon)
                && !self.wants(Rule::equals)
                && !self.wants(Rule::number_sign) =>
            {
                "the name comes first: `price: money.Amount`"
            }
            b'.' if self.wants(Rule::value) => "a float starts with a digit: `0.5`",
            b'\'' if self.wants(Rule::value) || self.wants(Rule::string) => "text stands between `\"`",
            _ => return None,
        };
        Some(help.to_owned())
    }

    /// Reports whether the name before is that of an error that a method throws.
    pub(super) fn before_throws(&self) -> bool {
        let mut words = self
            .earlier
            .iter()
            .rev()
            .skip_while(|token| !token.is(b')') && token.text(self.text) != "throws");
        words.next().is_some_and(|token| token.kind == TokenKind::Word)
    }
}

/// The help where several errors are joined by something else than commas.
pub(super) const SEVERAL_ERRORS: &str =
    "several errors stand behind each other: `throws TapeError, FeeError`";
