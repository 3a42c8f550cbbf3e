//! Puts tokens on one line, with spaces between them, and records what is needed to break it.
//!
//! One pass from left to right, with a stack of open brackets.

use std::fmt::{Display, Write};
use std::iter::Peekable;
use std::mem;

use proc_macro2::token_stream::IntoIter;
use proc_macro2::{Delimiter, Group, Punct, Spacing, TokenStream, TokenTree};

use super::spacing::{is_keyword, is_operand, is_spaced};
use super::tokens::{Bracket, Kind, Token, Tokens};

/// Returns the tokens on a line.
pub(super) fn flatten(stream: TokenStream) -> Tokens {
    let mut flattener = Flattener::default();
    flattener.stream(stream);
    while flattener.in_angle() {
        flattener.forget_angle();
    }
    flattener.tokens
}

/// The role of brackets in their context.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
enum Role {
    /// Braces of an item or a block, which are never on one line, unlike those of a value or pattern.
    Body,
    /// Arguments of a call or fields of a struct expression.
    Call,
    #[default]
    Other,
}

/// State of brackets while they are open.
#[derive(Debug, Default)]
struct Level {
    /// `None` outside of all.
    bracket: Option<Bracket>,
    open: usize,
    role: Role,
    /// Whether braces that come, in this piece, hold a body.
    expects_body: bool,
    /// The end of a body, until it is seen whether the piece ends with it.
    body: Option<usize>,
    /// Between the bars of a closure.
    in_bars: bool,
    has_semicolon: bool,
    /// How many pieces have ended.
    pieces: usize,
}

#[derive(Debug, Default)]
struct Flattener {
    tokens: Tokens,
    levels: Vec<Level>,
    /// Whether the last token sticks to what follows.
    glued: bool,
    /// For the text of one token.
    text: String,
}

impl Flattener {
    fn stream(&mut self, stream: TokenStream) {
        let mut trees = stream.into_iter().peekable();
        while let Some(tree) = trees.next() {
            match tree {
                TokenTree::Ident(ident) => self.word(&ident),
                TokenTree::Literal(literal) => self.push_shown(Kind::Literal, &literal),
                TokenTree::Punct(punct) if punct.as_char() == '#' => self.attribute(&mut trees),
                TokenTree::Punct(punct) => self.punct(punct, &mut trees),
                TokenTree::Group(group) => self.group(group),
            }
        }
    }

    fn word(&mut self, word: &impl Display) {
        let mut text = mem::take(&mut self.text);
        text.clear();
        // Writing to a `String` never fails.
        write!(text, "{word}").expect("strings take any text");
        self.push(if is_keyword(&text) { Kind::Keyword } else { Kind::Word }, &text);
        self.level().expects_body |= has_body(&text);
        self.text = text;
    }

    /// An attribute; one that is documentation becomes a line of it.
    fn attribute(&mut self, trees: &mut Peekable<IntoIter>) {
        let Some(TokenTree::Group(group)) = trees.next_if(|tree| matches!(tree, TokenTree::Group(_))) else {
            return self.push(Kind::Operator, "#");
        };
        if let Some(text) = documentation(&group) {
            return self.push_shown(Kind::Docs, &format_args!("///{text}"));
        }
        self.push(Kind::Operator, "#");
        self.group(group);
    }

    /// An operator, which may be of several signs, or a lifetime.
    fn punct(&mut self, first: Punct, trees: &mut Peekable<IntoIter>) {
        if first.as_char() == '\''
            && let Some(name) = trees.next_if(|tree| matches!(tree, TokenTree::Ident(_)))
        {
            return self.push_shown(Kind::Lifetime, &format_args!("'{name}"));
        }
        let mut operator = String::from(first.as_char());
        let mut last = first;
        while last.spacing() == Spacing::Joint
            && let Some(next) = longer(&operator, trees.peek())
        {
            operator.push(next.as_char());
            last = next;
            trees.next();
        }
        self.operator(&operator);
        self.glued |= last.spacing() == Spacing::Joint && matches!(trees.peek(), Some(TokenTree::Punct(_)));
    }

    fn operator(&mut self, operator: &str) {
        let after_operand = self.tokens.last().is_some_and(|token| is_operand(token.kind));
        let in_bars = self.level().in_bars;
        match operator {
            "<" if self.tokens.ends_with_binder() => return self.open(Bracket::Binder, "<"),
            "<" => return self.open(Bracket::Angle, "<"),
            ">" if self.in_angle() => return self.close(">"),
            // The second bar of a closure sticks to what is before it, the first to what comes.
            "|" if in_bars => self.glued = true,
            _ => {}
        }
        self.push(Kind::Operator, operator);
        let level = self.level();
        match operator {
            "|" => {
                level.in_bars = !in_bars;
                self.glued = !in_bars;
            }
            "-" | "*" => self.glued = !after_operand,
            "," if !in_bars => self.end_piece(),
            ";" => {
                level.has_semicolon = true;
                self.end_piece();
            }
            _ => {}
        }
    }

    fn group(&mut self, group: Group) {
        let (bracket, open, close) = match group.delimiter() {
            Delimiter::Parenthesis => (Bracket::Parenthesis, "(", ")"),
            Delimiter::Bracket => (Bracket::Square, "[", "]"),
            Delimiter::Brace => (Bracket::Brace, "{", "}"),
            Delimiter::None => return self.stream(group.stream()),
        };
        let stream = group.stream();
        // Now the stream is ours alone, and need not be copied to be taken apart.
        drop(group);
        self.open(bracket, open);
        self.stream(stream);
        while self.in_angle() {
            self.forget_angle();
        }
        self.close(close);
    }

    fn open(&mut self, bracket: Bracket, text: &str) {
        let expects_body = self.level().expects_body;
        let last = self.tokens.len().checked_sub(1);
        let before = last.map_or((Kind::Operator, ";"), |last| self.tokens.seen(last));
        let starts_body = matches!(before, (Kind::Operator, "=" | "=>" | "|" | "||" | "!"));
        let role = match before {
            _ if bracket == Bracket::Brace && (starts_body || expects_body) => Role::Body,
            (Kind::Word | Kind::Close(Bracket::Angle), _) | (_, "!") => Role::Call,
            _ => Role::Other,
        };
        self.push(Kind::Open(bracket), text);
        let open = self.tokens.len() - 1;
        self.levels.push(Level { bracket: Some(bracket), open, role, ..Level::default() });
    }

    fn close(&mut self, text: &str) {
        let Some(level) = self.levels.pop() else { return };
        let Level { bracket: Some(bracket), open, role, .. } = level else { return };
        let is_empty = self.tokens.len() == open + 1;
        let is_list = !is_empty && self.is_list(bracket, &level);
        if is_list {
            self.tokens.drop_comma();
        }
        self.push(Kind::Close(bracket), text);
        let close = self.tokens.len() - 1;
        self.tokens.tokens[close].breaks += usize::from(role == Role::Body && !is_empty);
        let opening = &mut self.tokens.tokens[open];
        opening.close = close;
        opening.is_list = is_list;
        self.level().body = (role == Role::Body).then_some(close);
    }

    /// Whether a comma may follow the last piece without another meaning.
    fn is_list(&self, bracket: Bracket, level: &Level) -> bool {
        let Level { role, pieces, has_semicolon, .. } = *level;
        let is_call = role == Role::Call;
        match bracket {
            Bracket::Parenthesis => is_call || pieces > 1 || pieces == 1 && !self.tokens.ends_with(","),
            Bracket::Square => pieces > 0 && !has_semicolon,
            Bracket::Brace => is_call && !has_semicolon && !self.tokens.ends_with(".."),
            // A qualified path, `<T as Trait>`, is the one form without a list.
            Bracket::Angle | Bracket::Binder => !self.tokens.has_between(level.open + 1, "as"),
        }
    }

    /// What looked like an opening bracket was none.
    fn forget_angle(&mut self) {
        if let Some(level) = self.levels.pop() {
            self.tokens.tokens[level.open].kind = Kind::Operator;
        }
    }

    fn in_angle(&self) -> bool {
        let bracket = self.levels.last().and_then(|level| level.bracket);
        matches!(bracket, Some(Bracket::Angle | Bracket::Binder))
    }

    /// The innermost level.
    fn level(&mut self) -> &mut Level {
        if self.levels.is_empty() {
            self.levels.push(Level::default());
        }
        let last = self.levels.len() - 1;
        &mut self.levels[last]
    }

    fn push_shown(&mut self, kind: Kind, shown: &impl Display) {
        let mut text = mem::take(&mut self.text);
        text.clear();
        // Writing to a `String` never fails.
        write!(text, "{shown}").expect("strings take any text");
        self.push(kind, &text);
        self.text = text;
    }

    fn push(&mut self, kind: Kind, text: &str) {
        self.settle_body(kind, text);
        let last = self.tokens.len().checked_sub(1);
        if last.is_some_and(|last| is_spaced(self.tokens.seen(last), (kind, text), self.glued)) {
            self.tokens.line.push(' ');
        }
        self.glued = false;
        let start = self.tokens.line.len();
        self.tokens.line.push_str(text);
        let breaks = last.map_or(0, |last| self.tokens.at(last).breaks);
        self.tokens.tokens.push(Token {
            kind,
            start,
            end: self.tokens.line.len(),
            close: self.tokens.len(),
            ends_piece: false,
            is_list: false,
            breaks: breaks + usize::from(kind == Kind::Docs),
        });
    }

    /// A body ends its piece, unless this goes on with it.
    fn settle_body(&mut self, kind: Kind, text: &str) {
        let level = self.level();
        if let Some(body) = level.body.take()
            && !matches!(kind, Kind::Close(_))
            && !matches!(text, "." | "?" | "," | ";" | "else")
        {
            level.expects_body = false;
            level.pieces += 1;
            self.tokens.tokens[body].ends_piece = true;
        }
    }

    fn end_piece(&mut self) {
        let level = self.level();
        level.expects_body = false;
        level.pieces += 1;
        if let Some(last) = self.tokens.tokens.last_mut() {
            last.ends_piece = true;
        }
    }
}

/// Whether braces that follow this word, sooner or later, hold a body.
fn has_body(word: &str) -> bool {
    matches!(
        word,
        "async"
            | "else"
            | "enum"
            | "fn"
            | "for"
            | "if"
            | "impl"
            | "loop"
            | "match"
            | "mod"
            | "move"
            | "struct"
            | "trait"
            | "unsafe"
            | "while"
    )
}

/// The sign that makes an operator a longer one. None starts with an angle, which is a bracket more often than not.
fn longer(operator: &str, next: Option<&TokenTree>) -> Option<Punct> {
    let Some(TokenTree::Punct(next)) = next else { return None };
    let is_longer = match operator {
        ":" => next.as_char() == ':',
        "-" => next.as_char() == '>',
        "=" => matches!(next.as_char(), '>' | '='),
        "." => next.as_char() == '.',
        ".." => matches!(next.as_char(), '.' | '='),
        "!" => next.as_char() == '=',
        "&" => next.as_char() == '&',
        "|" => next.as_char() == '|',
        _ => false,
    };
    is_longer.then(|| next.clone())
}

/// The text of an attribute that is documentation, if a comment can hold it.
fn documentation(group: &Group) -> Option<String> {
    let mut trees = group.stream().into_iter();
    let (name, sign, value) = (trees.next()?, trees.next()?, trees.next()?);
    let is_docs = matches!(name, TokenTree::Ident(name) if name == "doc")
        && matches!(sign, TokenTree::Punct(sign) if sign.as_char() == '=');
    let TokenTree::Literal(value) = value else { return None };
    let syn::Lit::Str(value) = is_docs.then(|| syn::Lit::new(value))? else { return None };
    let text = value.value();
    let fits = !text.starts_with('/') && !text.contains(['\n', '\r']);
    fits.then_some(text)
}
