//! Help for common slips of users who come from other languages, recognised by the words around the position. For
//! these, what the grammar expects there would be misleading.

use super::Rule;
use super::expected::Failure;
use super::token::{Token, TokenKind};
use crate::suggest;

/// The position at which parsing failed, and what is around it.
pub(super) struct Place<'a> {
    pub(super) text: &'a str,
    pub(super) failure: &'a Failure,
    /// Whether a parenthesis is open.
    pub(super) in_parameters: bool,
    pub(super) before: Option<Token>,
    pub(super) found: Option<Token>,
}

/// Returns the help for a known slip.
pub(super) fn hint(place: &Place) -> Option<String> {
    let found = place.found?;
    match found.kind {
        TokenKind::Other => place.character(found.text(place.text)),
        TokenKind::Word => place.word(found.text(place.text)),
        TokenKind::Sign(sign) => place.sign(sign).map(str::to_owned),
        _ => None,
    }
}

/// Words that start a method in other languages.
const METHODS: [&str; 7] = ["async", "def", "fn", "fun", "func", "function", "method"];

/// Words for declarations in other languages, the keyword in this one, and what to do.
const DECLARATIONS: [(&[&str], &str, &str); 10] = [
    (
        &["message", "record", "class", "structure"],
        "struct",
        "what has fields is a `struct`: `struct Trade { symbol: string = 1; }`",
    ),
    (
        &["interface", "trait", "protocol"],
        "service",
        "what has methods is a `service`: `service Tape { rpc ping(); }`",
    ),
    (
        &["oneof", "choice", "variant"],
        "union",
        "one of several is a `union`: `union Order { Limit: u32 = 1; }`",
    ),
    (&["exception"], "error", "what a method throws is an `error`: `error TapeError { Halted = 1; }`"),
    (&["typedef", "using", "alias"], "type", "another name for a type is written `type Symbol = string;`"),
    (&["namespace", "module", "mod"], "package", "a file starts with its `package`: `package market.v1;`"),
    (&["include", "use", "require"], "import", "write `import \"money.svc\" as money;`"),
    (
        &["option"],
        "",
        "there are no options: attributes such as `@deadline(500ms)` say more of what follows them",
    ),
    (&["syntax", "edition"], "", "leave it out: a file starts with its `package`"),
    (&["pub", "public", "export", "extern"], "", "leave it out: all that is declared is public"),
];

/// Returns the help for a word that starts a declaration in other languages.
fn declaration(word: &str) -> Option<&'static str> {
    DECLARATIONS.iter().find(|(words, _, _)| words.contains(&word)).map(|(_, _, help)| *help)
}

/// Returns the keyword in this language for one of other languages.
pub(super) fn keyword(word: &str) -> Option<&'static str> {
    let known = DECLARATIONS.iter().find(|(words, _, _)| words.contains(&word));
    known.map(|(_, keyword, _)| *keyword).filter(|keyword| !keyword.is_empty())
}

impl Place<'_> {
    fn wants(&self, rule: Rule) -> bool {
        self.failure.wants(rule)
    }

    /// Returns the help for a character that is valid in no file outside strings and comments.
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
        if self.wants(Rule::arrow) && suggest::nearest(found, ["returns"]).is_some() {
            return Some(
                "what it answers follows after `->`: `rpc last(symbol: string) -> Trade;`".to_owned(),
            );
        }
        if self.wants(Rule::item) || self.wants(Rule::declaration) {
            return declaration(found).map(str::to_owned);
        }
        if self.wants(Rule::kw_rpc) || self.wants(Rule::method) {
            return METHODS.contains(&found).then(|| format!("write `rpc` instead of `{found}`"));
        }
        let name = super::literal::shortened(found);
        let before = self.before.filter(|_| self.wants(Rule::colon))?;
        Some(match before.text(self.text) {
            "stream" => format!("`stream` stands before the type: `{name}: stream T`"),
            "optional" => {
                let (name, ty) = self.named(found);
                format!("a `?` behind the type makes it optional: `{name}: {ty}?`")
            }
            "repeated" => {
                let (name, ty) = self.named(found);
                format!("what is there many times is a list: `{name}: list<{ty}>`")
            }
            "required" => {
                "leave `required` out: what is not optional and has no default must be there".to_owned()
            }
            "pub" | "public" => {
                format!("leave `{}` out: all that is declared is public", before.text(self.text))
            }
            before if self.is_type(before) => format!("the name comes first: `{name}: {before}`"),
            _ => return None,
        })
    }

    /// Returns the name and the type of a member that starts with this word: if another word follows, the type came
    /// first.
    fn named(&self, word: &str) -> (String, String) {
        let rest = self.found.map_or("", |found| &self.text[found.end as usize..]).trim_start();
        let end = rest.find(|next: char| !next.is_ascii_alphanumeric() && next != '_').unwrap_or(rest.len());
        let shortened = super::literal::shortened;
        match &rest[..end] {
            "" => (shortened(word), "T".to_owned()),
            name => (shortened(name), shortened(word)),
        }
    }

    /// Reports whether a word was likely meant as a type.
    fn is_type(&self, word: &str) -> bool {
        let is_scalar = !self.wants(Rule::open_brace) && crate::resolve::BUILTINS.contains(&word);
        is_scalar
            || word.starts_with(|first: char| first.is_ascii_uppercase()) && !self.wants(Rule::open_brace)
    }

    fn sign(&self, sign: u8) -> Option<&'static str> {
        Some(match sign {
            b'#' => "a comment starts with `//`",
            b'(' if self.wants(Rule::colon) && self.wants(Rule::open_brace) => {
                "a variant's type follows after `:`, as in `Market: MarketOrder = 2;`"
            }
            b'<' if self.wants(Rule::colon) => "the name comes first: `attributes: map<string, string>`",
            b',' if !self.in_parameters && self.wants(Rule::number_sign) => {
                "each member has a number, and `;` behind it: `= 1;`"
            }
            b',' if !self.in_parameters && self.wants(Rule::semicolon) => {
                "members end with `;`, not with `,`"
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
