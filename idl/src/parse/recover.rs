//! Reads a declaration that did not parse again, member by member: every mistake in it is reported once, and valid
//! members stay for later stages to check.

use std::ops::Range;

use super::build::Builder;
use super::cut::{self, Piece};
use super::expected::{self, Failure};
use super::hint::{self, Place};
use super::token::{Token, TokenKind};
use super::{Parser, Rule, first_pair};
use crate::ast::{Enum, Fields, ItemKind, Name, Path, Preamble, Service, Union};
use crate::diagnostic::{self, Diagnostic};
use crate::source::Span;
use crate::suggest;

/// Maximum number of times that reading of a member resumes after a mistake. Each time scans the rest of it, so the
/// limit keeps a huge broken member from costing its length squared.
const MAX_RESUMES: usize = 4;

pub(super) const DECLARATIONS: [&str; 11] =
    ["const", "enum", "error", "event", "flags", "import", "package", "service", "struct", "type", "union"];
pub(super) const METHODS: [&str; 2] = ["oneway", "rpc"];

impl Parser<'_> {
    /// Reads the members of a declaration that the grammar rejected with `failure`, or reports why it has none.
    pub(super) fn recover(&mut self, piece: &Piece, failure: Option<&Failure>) {
        let tokens = &self.tokens[piece.tokens.clone()];
        let (keyword, name) = cut::head(tokens);
        let members = keyword.and_then(|word| Members::of(meant(word.text(self.text))));
        let is_rest = self.is_rest(piece, keyword);
        self.broken_until = piece.tokens.end;
        let (Some(mut members), Some(body)) = (members, piece.body.clone()) else {
            if !is_rest {
                self.report_failure(piece.tokens.clone(), failure);
            }
            return self.lose(piece);
        };
        let head = self.head(piece, &body, keyword, failure);
        if head != Head::Sound {
            self.report_failure(piece.tokens.clone(), failure);
        }
        let first = self.tree.items.len();
        let name = name.filter(|_| head != Head::Broken);
        let id = name.map(|name| self.tree.open(None, Preamble::default(), self.name(name)));
        let broken = self.inside(id, |parser| parser.members(&mut members, body, piece.unclosed));
        if head == Head::Sound && !broken {
            self.report_end(piece, failure);
        }
        if let (Some(name), Members::Service(service)) = (name, &mut members) {
            service.extends = self.extended(piece, name);
        }
        if let Some(id) = id {
            self.tree.close(id, members.into_kind(), true);
        } else {
            // What is inside of it has no name without its own.
            self.tree.items.truncate(first);
            self.lose(piece);
        }
    }

    /// Returns the services that a broken one extends, as far as they are sound: what stands between its name and its brace.
    fn extended(&mut self, piece: &Piece, name: Token) -> Vec<Path> {
        let end = piece.body.as_ref().map_or(piece.tokens.end, |body| body.start);
        let head = &self.tokens[piece.tokens.start..end];
        let head = &head[head.partition_point(|token| token.start <= name.start)..];
        let brace = head.iter().position(|token| token.is(b'{')).unwrap_or(head.len());
        let (base, text) = self.text_of(&head[..brace]);
        match first_pair(Rule::one_extends, text) {
            Ok(pair) => self.builder(base).extends(pair),
            Err(_) => Vec::new(),
        }
    }

    /// Reports whether this is only the rest of the declaration before: it continues on the same line and has no
    /// keyword.
    fn is_rest(&self, piece: &Piece, keyword: Option<Token>) -> bool {
        let start = piece.tokens.start;
        let has_keyword = keyword.is_some_and(|word| DECLARATIONS.contains(&meant(word.text(self.text))));
        start > 0
            && self.broken_until == start
            && cut::is_same_line(self.text, self.tokens, start)
            && !has_keyword
    }

    /// Returns the state of what comes before the members.
    fn head(
        &self,
        piece: &Piece,
        body: &Range<usize>,
        keyword: Option<Token>,
        failure: Option<&Failure>,
    ) -> Head {
        let tokens = &self.tokens[piece.tokens.start..body.start];
        let (base, text) = self.text_of(tokens);
        let is_at = |token: Token, failure: &Failure| base + failure.at == token.start as usize;
        let before = body.start.checked_sub(1).map(|before| self.tokens[before]);
        match failure {
            Some(failure) if keyword.is_some_and(|keyword| is_at(keyword, failure)) => Head::Clear,
            Some(_) if before.is_some_and(|before| !before.is(b'{')) => Head::Clear,
            Some(failure) if failure.at < text.len() => Head::Broken,
            None if self.obstacle(tokens).is_some() => Head::Broken,
            Some(_) | None => Head::Sound,
        }
    }

    /// Reads all members, and reports whether any was broken.
    pub(super) fn members(
        &mut self,
        members: &mut Members,
        body: Range<usize>,
        unclosed: Option<usize>,
    ) -> bool {
        let mut broken = false;
        let body_end = body.end;
        // A `}` too many is that of a variant whose `{` is missing: tokens up to it belong to that variant.
        let lone =
            cut::closing(self.tokens[body.clone()].iter()).map_or(body.start, |lone| body.start + lone + 1);
        let mut inside_until = body.start;
        // Where a broken member was cut by a `;`, if text follows on its line: that is the rest of the same member.
        let mut cut_at = None;
        for cut::Member { tokens: mut member, nested } in cut::members(self.text, self.tokens, body) {
            if member.start < inside_until {
                continue;
            }
            if let Some(keyword) = nested {
                broken |= self.nested(members, keyword, member);
                continue;
            }
            let is_rest =
                cut_at == Some(member.start) && !members.starts(self.text, &self.tokens[member.clone()]);
            for _ in 0..=MAX_RESUMES {
                let Some(failed) = self.member(members, member.clone()) else { break };
                let at_end = failed.at >= member.end && member.end == body_end;
                if at_end && unclosed.is_some() {
                    return broken;
                }
                broken = true;
                if !is_rest {
                    self.report_failure(member.clone(), failed.failure.as_ref());
                }
                let rest = &self.tokens[failed.at.min(member.end)..member.end];
                // `[u8; 4]`, too: its `;` ends no member.
                let is_cut = is_rest || rest.len() == 1 || cut::is_in_brackets(rest);
                cut_at =
                    Some(member.end).filter(|end| is_cut && cut::is_same_line(self.text, self.tokens, *end));
                if matches!(members, Members::Union(_)) {
                    inside_until = lone;
                }
                if !failed.resumes || failed.at <= member.start || failed.at >= member.end {
                    break;
                }
                member.start = failed.at;
            }
        }
        broken
    }

    /// Reads one member, or returns the token at which that failed.
    pub(super) fn member(&mut self, members: &mut Members, range: Range<usize>) -> Option<Failed> {
        let tokens = &self.tokens[range.clone()];
        if self.obstacle(tokens).is_some() {
            return Some(Failed { at: range.start, failure: None, resumes: false });
        }
        let (base, text) = self.text_of(tokens);
        match first_pair(members.rule(), text) {
            Ok(pair) => {
                members.add(&mut self.builder(base), pair);
                None
            }
            Err(failure) => {
                let at = self.token_at(base + failure.at);
                let before = at.checked_sub(1).map(|before| self.tokens[before]);
                let is_next_line =
                    before.is_some_and(|before| self.belongs_after(before, self.tokens.get(at).copied()));
                let resumes = is_next_line && failure.wants(Rule::semicolon);
                Some(Failed { at, failure: Some(failure), resumes })
            }
        }
    }

    /// Reports that only the end is wrong: a brace is open.
    fn report_end(&mut self, piece: &Piece, failure: Option<&Failure>) {
        let Some(brace) = piece.unclosed else { return self.report_failure(piece.tokens.clone(), failure) };
        let diagnostic = Diagnostic::new(diagnostic::OPEN_BRACE, "this brace is never closed")
            .at(self.span(self.tokens[brace]), "opened here")
            .help("close it with `}`");
        self.report.add(diagnostic);
    }

    /// Reports what is wrong with some tokens: why the grammar can't be run on them, or where parsing failed.
    pub(super) fn report_failure(&mut self, range: Range<usize>, failure: Option<&Failure>) {
        let tokens = &self.tokens[range.clone()];
        if let Some(obstacle) = self.obstacle(tokens) {
            return self.report.add(obstacle);
        }
        let Some(failure) = failure else { return };
        if self.report.is_full(self.file, diagnostic::SYNTAX) {
            return self.report.count(self.file, diagnostic::SYNTAX);
        }
        let (base, _) = self.text_of(tokens);
        let at = self.token_at(base + failure.at);
        let found = self.tokens.get(at).copied();
        let before =
            at.checked_sub(1).filter(|before| *before >= range.start).map(|before| self.tokens[before]);
        let ends = found.is_none_or(|token| token.is(b'}'));
        if let Some(docs) = before.filter(|token| ends && token.kind == TokenKind::Doc) {
            let stray = self.stray_docs(docs);
            return self.report.add(stray);
        }
        let in_parameters = is_in_parentheses(&self.tokens[range.start..at.max(range.start)]);
        let place = Place {
            text: self.text,
            failure,
            in_parameters,
            before,
            found,
            earlier: &self.tokens[range.start..at.clamp(range.start, self.tokens.len())],
            later: self.tokens.get(at + 1..).unwrap_or_default(),
        };
        let diagnostic = self.syntax_error(&place);
        self.report.add(diagnostic);
    }

    fn syntax_error(&self, place: &Place) -> Diagnostic {
        let &Place { before, found, failure, .. } = place;
        let expectation = failure.expectation();
        let message = format!("{expectation}, found {}", expected::found(found, self.text));
        let diagnostic = Diagnostic::new(diagnostic::SYNTAX, message);
        let diagnostic = match (before, found) {
            (Some(before), found) if self.belongs_after(before, found) => {
                diagnostic.at(self.span(before).after(), expectation)
            }
            (_, Some(found)) => diagnostic.at(self.span(found), ""),
            (Some(before), None) => diagnostic.at(self.span(before).after(), expectation),
            (None, None) => diagnostic.at(Span { file: self.file, start: 0, end: 0 }, ""),
        };
        let diagnostic = diagnostic.help(self.syntax_help(place));
        match self.correction(place) {
            Some((span, text)) => diagnostic.suggest(span, text),
            None => diagnostic,
        }
    }

    /// Reports whether something missing belongs after the token before, rather than before the first token of the next
    /// line.
    pub(super) fn belongs_after(&self, before: Token, found: Option<Token>) -> bool {
        let next = found.map_or(self.text.len(), |token| token.start as usize);
        let starts_anew = matches!(before.kind, TokenKind::Sign(b';' | b'{' | b'}') | TokenKind::Doc);
        !starts_anew && self.text[before.end as usize..next].contains('\n')
    }

    fn syntax_help(&self, place: &Place) -> String {
        if let Some(hint) = hint::hint(place) {
            return hint;
        }
        let &Place { found, failure, .. } = place;
        let word = found.filter(|token| token.kind == TokenKind::Word).map(|token| token.text(self.text));
        let keywords: &[&str] = if failure.wants(Rule::item) || failure.wants(Rule::declaration) {
            &DECLARATIONS
        } else if failure.wants(Rule::kw_rpc) || failure.wants(Rule::method) {
            &METHODS
        } else {
            &[]
        };
        match word.and_then(|word| suggest::nearest(word, keywords.iter().copied())) {
            Some(nearest) => format!("did you mean `{nearest}`?"),
            None => failure.help().to_owned(),
        }
    }

    /// Returns the index of the first token that starts at or after a byte.
    fn token_at(&self, at: usize) -> usize {
        self.tokens.partition_point(|token| (token.start as usize) < at)
    }

    pub(super) fn name(&self, token: Token) -> Name {
        Name { text: token.text(self.text).to_owned(), span: self.span(token) }
    }
}

/// Reports whether a parenthesis is open after these tokens.
fn is_in_parentheses(tokens: &[Token]) -> bool {
    let count = |sign| tokens.iter().filter(|token| token.is(sign)).count();
    count(b'(') > count(b')')
}

/// State of what comes before a declaration's members.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Head {
    /// Nothing is wrong there.
    Sound,
    /// Something is wrong, but the intent is clear: the keyword is misspelt, or the brace is missing.
    Clear,
    Broken,
}

/// Returns the keyword that was likely meant.
pub(super) fn meant(word: &str) -> &str {
    hint::keyword(word).or_else(|| suggest::nearest(word, DECLARATIONS)).unwrap_or(word)
}

/// Where a member could not be parsed.
pub(super) struct Failed {
    /// Index of the token at which nothing matched.
    pub(super) at: usize,
    pub(super) failure: Option<Failure>,
    /// Whether only a `;` was missing at the end of a line, so that what follows may be the next member.
    resumes: bool,
}

/// The valid members of a broken declaration.
pub(super) enum Members {
    Struct(Fields),
    Enum(Enum),
    Union(Union),
    Service(Service),
}

impl Members {
    pub(super) fn of(keyword: &str) -> Option<Self> {
        Some(match keyword {
            "struct" | "event" => Self::Struct(Fields { is_event: keyword == "event", ..Fields::default() }),
            "enum" | "flags" => Self::Enum(Enum { is_flags: keyword == "flags", ..Enum::default() }),
            "union" | "error" => Self::Union(Union { is_error: keyword == "error", ..Union::default() }),
            "service" => Self::Service(Service::default()),
            _ => return None,
        })
    }

    fn rule(&self) -> Rule {
        match self {
            Self::Struct(_) => Rule::one_struct_member,
            Self::Enum(_) => Rule::one_enum_member,
            Self::Union(_) => Rule::one_union_member,
            Self::Service(_) => Rule::one_method,
        }
    }

    /// Reports whether a member may start like this, apart from docs and attributes.
    fn starts(&self, text: &str, tokens: &[Token]) -> bool {
        let word = tokens.first().filter(|token| token.kind == TokenKind::Word);
        let word = word.map(|token| token.text(text));
        let signs: &[u8] = match self {
            Self::Service(_) => return word.is_some_and(|word| METHODS.contains(&word)),
            Self::Struct(_) => b":",
            Self::Enum(_) => b"=",
            Self::Union(_) => b":={",
        };
        let follows = tokens.get(1).is_some_and(|token| signs.iter().any(|sign| token.is(*sign)));
        let has_preamble = tokens.first().is_some_and(|token| token.is(b'@') || token.kind == TokenKind::Doc);
        has_preamble || word.is_some_and(|word| word == "reserved" || follows)
    }

    fn add(&mut self, builder: &mut Builder, pair: pest::iterators::Pair<Rule>) {
        let one = std::iter::once(pair.clone());
        match self {
            Self::Struct(all) => {
                let more = builder.fields(one).unwrap_or_default();
                all.fields.extend(more.fields);
                all.reserved.extend(more.reserved);
            }
            Self::Enum(all) => {
                let more = builder.enumeration(one).unwrap_or_default();
                all.values.extend(more.values);
                all.reserved.extend(more.reserved);
            }
            Self::Union(all) => {
                let more = builder.union(one).unwrap_or_default();
                all.variants.extend(more.variants);
                all.reserved.extend(more.reserved);
            }
            Self::Service(all) => all.methods.extend(builder.method(pair)),
        }
    }

    /// Reports whether types may stand between these.
    pub(super) fn hold_types(&self) -> bool {
        matches!(self, Self::Struct(_) | Self::Union(_))
    }

    pub(super) fn into_kind(self) -> ItemKind {
        match self {
            Self::Struct(fields) => ItemKind::Struct(fields),
            Self::Enum(values) => ItemKind::Enum(values),
            Self::Union(union) => ItemKind::Union(union),
            Self::Service(service) => ItemKind::Service(service),
        }
    }
}
