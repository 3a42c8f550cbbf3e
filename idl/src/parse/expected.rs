//! Turns "these rules did not match here" into a sentence for users: what was expected, what was found, and what to
//! type. No name of a grammar rule ever reaches a user.

use pest::error::{Error, ErrorVariant, InputLocation};

use super::Rule;
use super::token::{Token, TokenKind};

/// Why the grammar does not accept a piece of text.
pub(super) struct Failure {
    /// Offset in the piece at which nothing matches.
    pub(super) at: usize,
    expected: Vec<Rule>,
}

impl Failure {
    pub(super) fn of(error: &Error<Rule>) -> Self {
        let at = match error.location {
            InputLocation::Pos(at) | InputLocation::Span((at, _)) => at,
        };
        let expected = match &error.variant {
            ErrorVariant::ParsingError { positives, .. } => positives.clone(),
            ErrorVariant::CustomError { .. } => Vec::new(),
        };
        Self { at, expected }
    }

    /// Returns a failure for a text that the grammar accepted without a pair in it, which its entry rules make
    /// impossible.
    pub(super) fn nowhere(at: usize) -> Self {
        Self { at, expected: Vec::new() }
    }

    pub(super) fn wants(&self, rule: Rule) -> bool {
        self.expected.contains(&rule)
    }

    /// Returns `expected a type` or "expected `,` or `)`", the most likely first.
    pub(super) fn expectation(&self) -> String {
        let mut known: Vec<(usize, &str)> = self.expected.iter().filter_map(|rule| words(*rule)).collect();
        known.sort_unstable();
        known.dedup();
        // Tokens that are allowed in many places but seldom meant are named only if nothing else is expected.
        if known.iter().any(|(rank, _)| *rank < SELDOM) {
            known.retain(|(rank, _)| *rank < SELDOM);
        }
        let known: Vec<&str> = known.into_iter().map(|(_, words)| words).collect();
        match known.as_slice() {
            [] => "expected nothing more".to_owned(),
            [one] => format!("expected {one}"),
            [most @ .., last] => format!("expected {} or {last}", most.join(", ")),
        }
    }

    /// Returns what to type, if that is known.
    pub(super) fn help(&self) -> &'static str {
        HELP.iter()
            .find(|(rule, _)| self.wants(*rule))
            .map_or("write what is expected here, or remove what stands there instead", |(_, help)| help)
    }
}

const SELDOM: usize = 90;

/// Help by rule, in order of preference.
const HELP: &[(Rule, &str)] = &[
    (Rule::number_sign, "each member has a number: `= 1`"),
    (Rule::close_bracket, "values stand between `[` and `]`, with commas between them: `[1, 2]`"),
    (Rule::type_name, "a name starts with an ASCII letter or `_`, such as `Trade`"),
    (Rule::constant_name, "a constant looks like `const LIMIT: u32 = 500;`"),
    (Rule::alias_name, "a name starts with an ASCII letter or `_`, such as `money`"),
    (Rule::attribute_name, "an attribute looks like `@len(1..=12)`"),
    (Rule::error_path, "name the error that is thrown: `throws TapeError`"),
    (Rule::service_path, "name the service that is taken over: `service Tape extends Health { }`"),
    (Rule::reserved_entry, "numbers, ranges and names are reserved: `reserved 8, 10..15, \"exchange\";`"),
    (Rule::arrow, "what it answers follows after `->`, and `;` ends it"),
    (Rule::semicolon, "end it with `;`"),
    (Rule::number, "a number is written `1`"),
    (Rule::equals, "what it is follows after `=`"),
    (
        Rule::type_use,
        "write a type: `u32`, `string`, `list<T>`, `set<T>`, `map<K, V>`, `T?` or the name of one",
    ),
    (
        Rule::type_path,
        "write a type: `u32`, `string`, `list<T>`, `set<T>`, `map<K, V>`, `T?` or the name of one",
    ),
    (
        Rule::streamed,
        "write a type: `u32`, `string`, `list<T>`, `set<T>`, `map<K, V>`, `T?` or the name of one",
    ),
    (Rule::colon, "a type follows after `:`"),
    (Rule::method_name, "a method looks like `rpc name(parameter: u32) -> string;` or `oneway name();`"),
    (Rule::method, "a method looks like `rpc name(parameter: u32) -> string;` or `oneway name();`"),
    (Rule::kw_rpc, "a method looks like `rpc name(parameter: u32) -> string;` or `oneway name();`"),
    (Rule::struct_member, "a field looks like `name: string = 1;`"),
    (Rule::variant_field, "a field looks like `name: string = 1;`"),
    (Rule::field, "a field looks like `name: string = 1;`"),
    (Rule::field_name, "a field looks like `name: string = 1;`"),
    (Rule::enum_member, "a value looks like `Name = 1;`"),
    (Rule::enum_value, "a value looks like `Name = 1;`"),
    (Rule::value_name, "a value looks like `Name = 1;`"),
    (
        Rule::union_member,
        "a variant looks like `Name = 1;`, `Name: Type = 1;` or `Name { field: u32 = 1; } = 1;`",
    ),
    (Rule::variant, "a variant looks like `Name = 1;`, `Name: Type = 1;` or `Name { field: u32 = 1; } = 1;`"),
    (
        Rule::variant_name,
        "a variant looks like `Name = 1;`, `Name: Type = 1;` or `Name { field: u32 = 1; } = 1;`",
    ),
    (Rule::parameter, "a parameter looks like `name: string`"),
    (Rule::parameter_name, "a parameter looks like `name: string`"),
    (Rule::close_paren, "close it with `)`"),
    (Rule::close_angle, "close it with `>`"),
    (Rule::close_brace, "close it with `}`"),
    (Rule::package_path, "a package is named like `market.v1`"),
    (Rule::string, "text stands between quotes: `\"text\"`"),
    (
        Rule::item,
        "declare one of `struct`, `enum`, `flags`, `union`, `error`, `event`, `service`, `const`, `type`, or `import` a file",
    ),
    (
        Rule::declaration,
        "declare one of `struct`, `enum`, `flags`, `union`, `error`, `event`, `service`, `const`, `type`, or `import` a file",
    ),
    (
        Rule::value,
        "write a number, a string, `true`, `false`, a duration such as `500ms`, `[…]`, `{ … }` or the name of a constant",
    ),
    (Rule::object_colon, "fields and entries look like `name: value`"),
    (Rule::object_entry, "fields and entries look like `name: value`"),
    (Rule::object_key, "fields and entries look like `name: value`"),
    (Rule::open_brace, "what belongs to it stands between `{` and `}`"),
    (Rule::open_paren, "parameters stand between `(` and `)`, also where there are none"),
];

/// Returns the rank of a rule in a list of several, and its name for users.
fn words(rule: Rule) -> Option<(usize, &'static str)> {
    let words = match rule {
        Rule::item | Rule::declaration => (0, "a declaration"),
        Rule::struct_member | Rule::variant_field | Rule::field | Rule::field_name => (1, "a field"),
        Rule::enum_member | Rule::enum_value | Rule::value_name => (1, "a value's name"),
        Rule::union_member | Rule::variant | Rule::variant_name => (1, "a variant's name"),
        Rule::method => (1, "a method"),
        Rule::method_name => (1, "a method's name"),
        Rule::parameter | Rule::parameter_name => (1, "a parameter"),
        Rule::type_name | Rule::alias_name => (1, "a name"),
        Rule::constant_name => (1, "a constant's name"),
        Rule::package_path => (1, "a package's name"),
        Rule::attribute_name => (1, "an attribute's name"),
        Rule::type_use | Rule::type_path | Rule::streamed => (1, "a type"),
        Rule::error_path => (1, "an error's name"),
        Rule::service_path => (1, "a service's name"),
        Rule::value | Rule::value_path | Rule::bound | Rule::range => (2, "a value"),
        Rule::object_entry | Rule::object_key => (1, "a field's name or a key"),
        Rule::reserved_entry => (2, "a number, a range, a name in quotes"),
        Rule::number | Rule::number_range => (2, "a number"),
        Rule::string => (3, "a string"),
        Rule::parameters | Rule::open_paren => (4, "`(`"),
        Rule::kw_rpc => (5, "`rpc`"),
        Rule::kw_oneway => (6, "`oneway`"),
        Rule::colon | Rule::object_colon => (10, "`:`"),
        Rule::tag | Rule::number_sign | Rule::equals => (11, "`=`"),
        Rule::open_brace | Rule::variant_fields => (12, "`{`"),
        Rule::answer | Rule::arrow => (13, "`->`"),
        Rule::throws | Rule::kw_throws => (14, "`throws`"),
        Rule::kw_as => (15, "`as`"),
        Rule::extends | Rule::kw_extends => (16, "`extends`"),
        Rule::comma => (20, "`,`"),
        Rule::close_paren => (21, "`)`"),
        Rule::close_angle => (22, "`>`"),
        Rule::close_bracket => (23, "`]`"),
        Rule::semicolon => (24, "`;`"),
        Rule::close_brace => (25, "`}`"),
        Rule::open_angle | Rule::type_arguments => (SELDOM, "`<`"),
        Rule::question => (SELDOM, "`?`"),
        Rule::dots => (SELDOM, "`..`"),
        Rule::arguments => (SELDOM, "`(`"),
        Rule::preamble | Rule::attribute | Rule::at => (SELDOM, "`@`"),
        _ => return None,
    };
    Some(words)
}

/// Describes the token that was found.
pub(super) fn found(token: Option<Token>, text: &str) -> String {
    let Some(token) = token else { return "the end of the file".to_owned() };
    match token.kind {
        TokenKind::String | TokenKind::OpenString => "a string".to_owned(),
        TokenKind::Doc => "docs".to_owned(),
        TokenKind::Other => {
            let character = token.text(text).chars().next().unwrap_or_default();
            match crate::characters::described(character) {
                Some(described) if described.starts_with(['a', 'e', 'i', 'o', 'u']) => {
                    format!("an {described}")
                }
                Some(described) => format!("a {described}"),
                None if character.is_alphanumeric() => format!("`{character}`"),
                None => format!("`{}`", character.escape_default()),
            }
        }
        _ => format!("`{}`", super::literal::shortened(token.text(text))),
    }
}
