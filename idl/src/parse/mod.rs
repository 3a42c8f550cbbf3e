//! Parses text to a syntax tree. The only module that knows pest.
//!
//! A file is split into declarations ([`cut`]), each is parsed by the grammar (`grammar.pest`) and built ([`build`],
//! [`part`]). One that does not parse is read again member by member ([`recover`]), so that all of its mistakes are
//! reported and its valid members stay. What the parts mean is not checked here.

mod build;
mod comma;
mod concrete;
mod correct;
mod cut;
mod expected;
mod habit;
mod hint;
mod listed;
mod literal;
mod mask;
mod nest;
mod part;
mod recover;
mod slip;
mod token;

use std::collections::HashSet;

use pest::Parser as _;
use pest::iterators::Pair;
use pest_derive::Parser;

use crate::ast;
use crate::characters;
use crate::diagnostic::{self, Diagnostic, Report};
use crate::source::{FileId, Span, offset};
use build::{Builder, Declaration};
pub(crate) use concrete::{Node, comment_ranges, declarations, words};
use cut::Piece;
use expected::Failure;
pub(crate) use listed::{Word, WordKind, all_words};
pub(crate) use literal::shortened;
use token::{Token, TokenKind};

/// Maximum length of a name in characters. A longer one is an error.
pub(crate) const MAX_NAME: usize = 255;
/// Maximum length of a string in bytes as written, with its quotes. A longer one is an error.
const MAX_STRING: usize = 64 * 1024;

#[derive(Parser)]
#[grammar = "grammar.pest"]
struct Grammar;

/// Parses one file. What could be parsed is in the tree, errors are in the report.
pub(crate) fn parse(file: FileId, text: &str, report: &mut Report) -> ast::File {
    let masked = mask::masked(file, text, report);
    let text = &*masked.text;
    let tokens = token::tokens(text);
    let mut parser = Parser::new(file, text, &tokens, report);
    parser.tree.incomplete = masked.is_incomplete;
    parser.too_long();
    for piece in cut::declarations(text, &tokens) {
        parser.declaration(&piece);
    }
    parser.finish()
}

struct Parser<'a> {
    file: FileId,
    text: &'a str,
    tokens: &'a [Token],
    report: &'a mut Report,
    tree: ast::File,
    /// Whether there is a package declaration that could not be parsed.
    lost_package: bool,
    /// Index of the token after the last declaration that could not be parsed.
    broken_until: usize,
    /// The declaration whose members are read again, if it is known.
    within: Option<ast::ItemId>,
    /// Number of declarations around what is read.
    depth: usize,
}

impl<'a> Parser<'a> {
    fn new(file: FileId, text: &'a str, tokens: &'a [Token], report: &'a mut Report) -> Self {
        Self {
            file,
            text,
            tokens,
            report,
            tree: ast::File::empty(file),
            lost_package: false,
            broken_until: 0,
            within: None,
            depth: 0,
        }
    }

    /// Reports names and strings that are too long: they are written out wherever they are used. Each name is reported
    /// once.
    fn too_long(&mut self) {
        let mut seen = HashSet::new();
        for token in self.tokens {
            let (length, span) = (token.text(self.text).len(), self.span(*token));
            match token.kind {
                TokenKind::Word if length > MAX_NAME && seen.insert(token.text(self.text)) => {
                    let message = format!("this name has {length} characters, and may have {MAX_NAME}");
                    let diagnostic = Diagnostic::new(diagnostic::LONG_NAME, message).at(span, "");
                    self.report.add(diagnostic.help("give it a shorter name, and say the rest in its docs"));
                }
                TokenKind::String if length > MAX_STRING => {
                    let message = format!("this string has {length} bytes, and may have {MAX_STRING}");
                    let diagnostic = Diagnostic::new(diagnostic::LONG_STRING, message).at(span, "");
                    self.report
                        .add(diagnostic.help("put it into a file of its own, which the program reads"));
                }
                _ => {}
            }
        }
    }

    fn declaration(&mut self, piece: &Piece) {
        let tokens = &self.tokens[piece.tokens.clone()];
        if self.obstacle(tokens).is_some() {
            return self.recover(piece, None);
        }
        let (base, text) = self.text_of(tokens);
        match first_pair(Rule::one_item, text) {
            Ok(pair) => match self.builder(base).declaration(pair) {
                Some(declaration) => self.add(declaration, tokens),
                None => self.lose(piece),
            },
            Err(failure) => self.recover(piece, Some(&failure)),
        }
    }

    /// Adds a declaration, and checks that `package` comes first and imports before all others.
    fn add(&mut self, declaration: Declaration, tokens: &[Token]) {
        let first = tokens.iter().find(|token| token.kind == TokenKind::Word);
        let span = first.map(|token| self.span(*token));
        match declaration {
            Declaration::Package(package) => {
                if let Some(earlier) = &self.tree.package {
                    let message = "a file has one package";
                    let at =
                        Diagnostic::new(diagnostic::ORDER, message).at(package.path.span, "a second package");
                    let at = at.related(earlier.path.span, "the first one");
                    self.report
                        .add(at.help("remove one of them, or move what follows into a file of its own"));
                    return;
                }
                if !self.tree.items.is_empty() || !self.tree.imports.is_empty() {
                    self.too_late(span, "`package` comes first", "move it to the top of the file");
                }
                self.tree.package = Some(package);
            }
            Declaration::Import(import) => {
                if let Some(docs) = tokens.iter().rfind(|token| token.kind == TokenKind::Doc) {
                    self.docs_of_import(*docs);
                }
                if !self.tree.items.is_empty() {
                    self.too_late(span, "imports come before declarations", "move it up, below `package`");
                }
                self.tree.imports.push(import);
            }
            Declaration::Item => {}
        }
    }

    fn too_late(&mut self, span: Option<Span>, message: &str, help: &str) {
        if let Some(span) = span {
            self.report.add(Diagnostic::new(diagnostic::ORDER, message).at(span, "too late").help(help));
        }
    }

    fn finish(self) -> ast::File {
        if self.tree.package.is_none() && !self.lost_package {
            let start = self.tokens.first().map_or(0, |token| token.start);
            let span = Span { file: self.file, start, end: start };
            let diagnostic = Diagnostic::new(diagnostic::NO_PACKAGE, "this file has no package")
                .at(span, "`package` belongs here")
                .help("start it with, say, `package market.v1;`");
            self.report.add(diagnostic);
        }
        self.tree
    }

    /// Records what could not be parsed, so that its uses are not reported as well.
    fn lose(&mut self, piece: &Piece) {
        let tokens = &self.tokens[piece.tokens.clone()];
        let stray = |token: &&Token| matches!(token.kind, TokenKind::Sign(sign) if sign != b'@');
        let tokens = &tokens[tokens.iter().take_while(stray).count()..];
        let (keyword, name) = cut::head(tokens);
        let word = keyword.map_or("", |token| token.text(self.text));
        let follows = keyword.and_then(|keyword| tokens.iter().find(|token| token.start >= keyword.end));
        let follows = |sign| follows.is_some_and(|token: &Token| token.is(sign));
        let is_first =
            self.tree.package.is_none() && self.tree.imports.is_empty() && self.tree.items.is_empty();
        let starts_with_string = tokens.first().is_some_and(|token| token.kind == TokenKind::String);
        match (recover::meant(word), name) {
            ("package", _) => self.lost_package = true,
            ("import", _) => self.tree.incomplete = true,
            // Only the keyword is missing, here and below.
            _ if starts_with_string => self.tree.incomplete = true,
            (_, Some(name)) => self.tree.broken_names.push((None, name.text(self.text).to_owned())),
            (_, None) if is_first && follows(b'.') => self.lost_package = true,
            (name, None)
                if !recover::DECLARATIONS.contains(&name) && b"=:{".iter().any(|sign| follows(*sign)) =>
            {
                self.tree.broken_names.push((None, word.to_owned()));
            }
            (keyword, None) => {
                self.tree.incomplete |= piece.body.is_some() || recover::DECLARATIONS.contains(&keyword);
            }
        }
    }

    /// Returns the reason why the grammar must not be run on these tokens, if there is one.
    fn obstacle(&self, tokens: &[Token]) -> Option<Diagnostic> {
        if tokens.iter().all(|token| token.kind == TokenKind::Doc) {
            return tokens.last().map(|token| self.stray_docs(*token));
        }
        let unfit = |token: &&Token| matches!(token.kind, TokenKind::OpenString | TokenKind::BlockComment);
        if let Some(token) = tokens.iter().find(unfit) {
            let span = self.span(*token);
            return Some(match token.kind {
                TokenKind::OpenString => Diagnostic::new(diagnostic::OPEN_STRING, "this string has no end")
                    .at(span, "")
                    .help(open_string_help(token.text(self.text))),
                _ => Diagnostic::new(diagnostic::BLOCK_COMMENT, "there are no block comments")
                    .at(span, "")
                    .help("start each line with `//`"),
            });
        }
        let too_deep = cut::too_deep(tokens).map(|token| {
            let message = format!("this type nests more than {} deep", ast::MAX_TYPE_DEPTH);
            Diagnostic::new(diagnostic::TOO_DEEP, message)
                .at(self.span(token), "one too many")
                .help("put a `struct` between: what its fields hold is counted anew")
        });
        let value = cut::value_too_deep(tokens).map(|token| {
            let message = format!("this value nests more than {} deep", ast::MAX_VALUE_DEPTH);
            Diagnostic::new(diagnostic::TOO_DEEP, message)
                .at(self.span(token), "one too many")
                .help("make a constant of what is inside, or let the program make it")
        });
        let too_deep = too_deep.or(value);
        let most = ast::MAX_NESTED.saturating_sub(self.depth);
        too_deep.or_else(|| cut::too_nested(self.text, tokens, most).map(|name| self.too_nested(name)))
    }

    fn too_nested(&self, name: Token) -> Diagnostic {
        let message = format!("declarations nest more than {} deep", ast::MAX_NESTED);
        Diagnostic::new(diagnostic::TOO_DEEP, message)
            .at(self.span(name), "one too many")
            .help("declare it outside of the others")
    }

    fn stray_docs(&self, token: Token) -> Diagnostic {
        Diagnostic::new(diagnostic::STRAY_DOCS, "these docs belong to nothing")
            .at(self.span(token), "nothing follows")
            .help("put them before a declaration or member, or write `//` for a comment")
    }

    /// Reports docs of an import: nothing of an import goes into the generated code, so they would be lost.
    fn docs_of_import(&mut self, token: Token) {
        let diagnostic = Diagnostic::new(diagnostic::STRAY_DOCS, "these docs belong to nothing")
            .at(self.span(token), "an import has no docs")
            .help("write `//` for a comment, or put them before `package` or a declaration");
        self.report.add(diagnostic);
    }

    fn builder(&mut self, base: usize) -> Builder<'_> {
        Builder { file: self.file, base, report: self.report, tree: &mut self.tree, within: self.within }
    }

    /// Returns the text that some tokens span, and its offset. Between tokens there are only white space and comments.
    fn text_of(&self, tokens: &[Token]) -> (usize, &'a str) {
        match tokens {
            [] => (0, ""),
            [first, ..] => {
                let end = tokens.last().map_or(first.end, |last| last.end);
                (first.start as usize, &self.text[first.start as usize..end as usize])
            }
        }
    }

    fn span(&self, token: Token) -> Span {
        Span { file: self.file, start: token.start, end: token.end }
    }
}

/// Returns how to close a string that is open at the end of its line.
fn open_string_help(text: &str) -> String {
    match characters::quotation_mark(text).and_then(characters::described) {
        Some(mark) => format!("close it with `\"`, which a {mark} is not"),
        None => "close it with `\"` on the same line; `\\n` stands for a line break".to_owned(),
    }
}

/// Returns what a rule matches in a text, all of which it must match.
fn first_pair(rule: Rule, text: &str) -> Result<Pair<'_, Rule>, Failure> {
    let mut pairs = Grammar::parse(rule, text).map_err(|error| Failure::of(&error))?;
    // The entry rules hold one pair and the end of the text.
    pairs.next().ok_or_else(|| Failure::nowhere(offset(text.len()) as usize))
}
