//! Help for common slips of users who come from other languages, recognised by the words around the position. For
//! these, what the grammar expects there would be misleading.

use super::Rule;
use super::expected::Failure;
use super::literal::shortened;
use super::token::{Token, TokenKind};
use crate::characters;
use crate::suggest;

/// The position at which parsing failed, and what is around it.
pub(super) struct Place<'a> {
    pub(super) text: &'a str,
    pub(super) failure: &'a Failure,
    /// Whether a parenthesis is open.
    pub(super) in_parameters: bool,
    pub(super) before: Option<Token>,
    pub(super) found: Option<Token>,
    /// The tokens of the declaration or member before the position.
    pub(super) earlier: &'a [Token],
    /// The tokens of the file after the one that was found.
    pub(super) later: &'a [Token],
}

/// Returns the help for a known slip.
pub(super) fn hint(place: &Place) -> Option<String> {
    let found = place.found?;
    if let Some(known) = place.habit().or_else(|| place.comma()) {
        return Some(known);
    }
    match found.kind {
        TokenKind::Other => place.character(found.text(place.text)),
        TokenKind::Word => place.word(found.text(place.text)),
        TokenKind::Sign(sign) => place.sign(sign),
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
    pub(super) fn wants(&self, rule: Rule) -> bool {
        self.failure.wants(rule)
    }

    /// Returns the help for a character that is valid in no file outside strings and comments.
    fn character(&self, text: &str) -> Option<String> {
        let character = text.chars().next()?;
        if let Some(sign) = characters::sign(character) {
            return Some(format!("write `{sign}`"));
        }
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
        if let Some(prefixed) = self.prefixed_type(found) {
            return Some(prefixed);
        }
        if self.wants(Rule::comma) && self.wants(Rule::close_paren) {
            return Some(format!("put a `,` before `{}`", shortened(found)));
        }
        if self.wants(Rule::comma) && self.wants(Rule::semicolon) && self.before_throws() && self.is_on_line()
        {
            return Some(super::slip::SEVERAL_ERRORS.to_owned());
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
        if self.wants(Rule::open_brace) && ["extends", "implements", "inherits"].contains(&found) {
            return Some(self.inheritance());
        }
        self.option(found).or_else(|| self.type_inside(found)).or_else(|| self.type_first(found))
    }

    /// Returns the help for a type declared among the fields of a variant.
    fn type_inside(&self, found: &str) -> Option<String> {
        let keyword = self.before_text()?;
        let is_declared = self.later.first().is_some_and(|next| next.is(b'{')) && self.wants(Rule::colon);
        (is_declared && super::cut::NESTED.contains(&keyword)).then(|| {
            format!(
                "the fields of a variant hold no types: declare `{}` beside the variants",
                shortened(found)
            )
        })
    }

    /// Returns the help for `option allow_alias = true;` among members.
    fn option(&self, found: &str) -> Option<String> {
        let is_option = self.before_text() == Some("option");
        let help = match found {
            "allow_alias" => "leave it out: each value has a number of its own, and no other name",
            "deprecated" => "leave it out, and write `@deprecated(\"use …\")` before the declaration",
            _ => declaration("option")?,
        };
        (is_option && (self.wants(Rule::number_sign) || self.wants(Rule::colon))).then(|| help.to_owned())
    }

    /// Returns the help for a word of other languages, or a type, that stands before a member's name.
    fn type_first(&self, found: &str) -> Option<String> {
        let name = shortened(found);
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
            before => {
                // `number u32`: only the colon is missing.
                let is_typed =
                    crate::resolve::is_scalar(found) && !crate::resolve::BUILTINS.contains(&before);
                let is_variant = self.wants(Rule::open_brace);
                // A variant is spelt as types are; a name that is not follows after its type.
                let is_lower = found.starts_with(|first: char| first.is_ascii_lowercase());
                let ty = self.type_meant(before).filter(|_| !is_typed);
                let ty =
                    ty.or_else(|| (is_variant && is_lower && is_upper(before)).then(|| shortened(before)))?;
                let name = if is_variant { pascal(&name) } else { name };
                format!("the name comes first: `{name}: {ty}`")
            }
        })
    }

    /// Returns the help for `y: repeated string`.
    fn prefixed_type(&self, found: &str) -> Option<String> {
        let [.., name, colon, prefix] = self.earlier else { return None };
        let name = shortened(name.text(self.text));
        let ty = self.whole_type().or_else(|| self.type_meant(found)).unwrap_or(shortened(found));
        if !colon.is(b':') {
            return None;
        }
        match prefix.text(self.text) {
            "repeated" => Some(format!("what is there many times is a list: `{name}: list<{ty}>`")),
            "optional" => Some(format!("a `?` behind the type makes it optional: `{name}: {ty}?`")),
            "required" => Some(format!("leave `required` out: `{name}: {ty}`")),
            _ => None,
        }
    }

    /// Returns the type that starts at the position, as it is written, if it is more than a word.
    fn whole_type(&self) -> Option<String> {
        let (start, mut end) = (self.found?.start as usize, self.found?.end as usize);
        let is_part = |token: &&Token| {
            token.kind == TokenKind::Word || [b'.', b'<', b'>', b','].iter().any(|sign| token.is(*sign))
        };
        let parts = self.later.iter().take_while(is_part);
        let is_inside = |open: &mut i32, token: &Token| {
            *open += i32::from(token.is(b'<')) - i32::from(token.is(b'>'));
            (*open > 0 || !token.is(b',')).then_some(token.end as usize)
        };
        let ends: Vec<usize> = parts.scan(0, is_inside).collect();
        end =
            ends.last().copied().filter(|_| self.later.first().is_some_and(|next| !next.is(b',')))?.max(end);
        Some(shortened(&self.text[start..end]))
    }

    /// Returns the name and the type of a member that starts with this word: if another word follows, the type came
    /// first.
    fn named(&self, word: &str) -> (String, String) {
        let rest = self.found.map_or("", |found| &self.text[found.end as usize..]).trim_start();
        let end = rest.find(|next: char| !next.is_ascii_alphanumeric() && next != '_').unwrap_or(rest.len());
        match &rest[..end] {
            "" => (shortened(word), "T".to_owned()),
            name => (shortened(name), self.type_meant(word).unwrap_or(shortened(word))),
        }
    }

    /// Returns the type that a word was likely meant as.
    fn type_meant(&self, word: &str) -> Option<String> {
        if crate::resolve::BUILTINS.contains(&word) {
            return Some(word.to_owned());
        }
        if is_upper(word) && self.wants(Rule::open_brace) {
            return None;
        }
        let meant = crate::resolve::type_elsewhere(word);
        match meant.and_then(|meant| meant.strip_prefix('`')?.strip_suffix('`')) {
            Some(meant) if !meant.contains('`') => Some(meant.to_owned()),
            _ => is_upper(word).then(|| shortened(word)),
        }
    }

    /// Reports whether what was found is on the line of the token before.
    fn is_on_line(&self) -> bool {
        let ends = self.before.map(|before| before.end as usize).zip(self.found.map(|it| it.start as usize));
        ends.is_some_and(|(before, found)| !self.text[before..found].contains('\n'))
    }

    /// Returns the text of the token before.
    pub(super) fn before_text(&self) -> Option<&str> {
        self.before.map(|before| before.text(self.text))
    }

    /// Returns the help for a declaration that names one that it builds on.
    pub(super) fn inheritance(&self) -> String {
        let (keyword, name) = super::cut::head(self.earlier);
        let text = |token: Option<Token>| token.map_or("", |token| token.text(self.text));
        let name = shortened(text(name));
        let other = self.later.first().filter(|token| token.kind == TokenKind::Word);
        let other = other.map_or("T".to_owned(), |token| shortened(token.text(self.text)));
        let is_colon = self.found.is_some_and(|found| found.is(b':'));
        match text(keyword) {
            "enum" | "flags" if is_colon => {
                format!("leave it out: what `{name}` is on the wire is always an integer")
            }
            "enum" | "flags" => {
                format!("there is no inheritance: declare in `{name}` what `{other}` has, too")
            }
            "service" => format!("write `service {name} extends {other} {{ … }}`"),
            "struct" | "event" => {
                format!("there is no inheritance: give `{name}` a field of the type `{other}`")
            }
            _ => format!("there is no inheritance: give `{name}` a variant of the type `{other}`"),
        }
    }
}

fn is_upper(word: &str) -> bool {
    word.starts_with(|first: char| first.is_ascii_uppercase())
}

/// Returns a name as a type is spelt: `payment_kind` as `PaymentKind`.
pub(super) fn pascal(name: &str) -> String {
    let mut spelt = String::with_capacity(name.len());
    for word in name.split('_') {
        let mut characters = word.chars();
        spelt.extend(characters.next().map(|first| first.to_ascii_uppercase()));
        spelt.push_str(characters.as_str());
    }
    spelt
}
