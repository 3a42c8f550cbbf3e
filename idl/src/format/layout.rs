//! Lays out each part of a declaration: where spaces are, where lines may end and where they must.
//!
//! The rules are documented for users in docs/language.md, "Format". [`super::document`] chooses among the possible
//! line breaks, and [`super::file`] writes what is between declarations.

use super::comments::Comments;
use super::document::{Doc, Group};
use crate::parse::{Node, Rule};

/// Maximum number of members of a body on one line, except those of a service.
const MAX_MEMBERS: usize = 3;
/// Maximum number of methods of a service on one line.
const MAX_METHODS: usize = 1;
/// Maximum length in characters of a line with a whole body: shorter than others, because it is denser.
const BODY_WIDTH: usize = 80;

/// The layout of one part after the other, in the order of the text.
pub(super) struct Layout<'a> {
    text: &'a str,
    pub(super) comments: Comments<'a>,
    /// Rule of the last word, if the next one is on the same line.
    before: Option<Rule>,
    /// Offset of the end of the last word.
    end: usize,
}

/// How the members of a body may be written.
#[derive(Clone, Copy)]
enum Form {
    /// On one line, if they fit.
    Short,
    /// Each on its own line.
    Open,
}

impl<'a> Layout<'a> {
    pub(super) fn new(text: &'a str) -> Self {
        Self { text, comments: Comments::of(text), before: None, end: 0 }
    }

    /// Lays out a whole declaration, without the comments above it.
    pub(super) fn item(&mut self, item: &Node) -> Vec<Doc<'a>> {
        self.before = None;
        let mut docs = Vec::new();
        self.typed(item, &mut docs);
        docs
    }

    /// Lays out a declaration, or a type inside of one. Recursion is bounded by [`crate::ast::MAX_NESTED`].
    fn typed(&mut self, item: &Node, docs: &mut Vec<Doc<'a>>) {
        let has_docs =
            item.find(Rule::preamble).is_some_and(|preamble| preamble.find(Rule::doc_line).is_some());
        let form = if has_docs { Form::Open } else { Form::Short };
        for part in &item.children {
            match part.rule {
                Rule::preamble => self.attributes_above(part, docs),
                Rule::declaration => {
                    part.children.iter().for_each(|declared| self.declared(declared, form, docs));
                }
                _ => self.declared(part, form, docs),
            }
        }
    }

    fn declared(&mut self, declared: &Node, form: Form, docs: &mut Vec<Doc<'a>>) {
        match declared.rule {
            Rule::constant => self.constant(declared, docs),
            _ => self.with_body(&declared.children, form, docs),
        }
    }

    fn constant(&mut self, constant: &Node, docs: &mut Vec<Doc<'a>>) {
        for part in &constant.children {
            let has_parts = |value: &Node| {
                value
                    .find(Rule::list)
                    .or(value.find(Rule::object))
                    .is_some_and(|list| list.children.len() > 2)
            };
            if part.rule == Rule::value && !has_parts(part) {
                let mut value = self.on_next_line(part);
                let trailing = comment_at_end(&mut value);
                docs.push(Doc::Group(Group::of(vec![Doc::Indented(value)])));
                docs.extend(trailing);
            } else {
                self.part(part, docs);
            }
        }
    }

    /// Lays out a part that may have a body, and its body.
    fn with_body(&mut self, parts: &[Node], form: Form, docs: &mut Vec<Doc<'a>>) {
        let Some(open) = parts.iter().position(|part| part.rule == Rule::open_brace) else {
            return self.parts(parts, docs);
        };
        let close = parts.iter().rposition(|part| part.rule == Rule::close_brace).unwrap_or(parts.len() - 1);
        self.parts(&parts[..open], docs);
        self.body(&parts[open..=close], form, docs);
        self.parts(&parts[close + 1..], docs);
    }

    /// Lays out a body from brace to brace.
    fn body(&mut self, parts: &[Node], form: Form, docs: &mut Vec<Doc<'a>>) {
        let [open, members @ .., close] = parts else { return };
        let mut group = Vec::new();
        self.part(open, &mut group);
        let mut inside = Vec::new();
        for member in members {
            self.free_line(member, &mut inside);
            self.member(member, &mut inside);
        }
        self.comments_above(close.range.start, &mut inside);
        if !inside.is_empty() {
            group.push(Doc::Indented(inside));
            group.push(Doc::Line(" "));
        }
        self.before = None;
        self.part(close, &mut group);
        let is_open = matches!(form, Form::Open) && !members.is_empty()
            || members.len() > max_members_on_a_line(members);
        let trailing = comment_at_end(&mut group);
        docs.push(Doc::Group(Group::of(group).within(BODY_WIDTH).broken_if(is_open)));
        docs.extend(trailing);
    }

    /// Ends the line before a member; keeps the comments above it and the author's blank lines.
    fn free_line(&mut self, member: &Node, docs: &mut Vec<Doc<'a>>) {
        let is_first = docs.is_empty();
        self.before = None;
        docs.push(Doc::Line(" "));
        self.comments_above(member.range.start, docs);
        if self.comments.has_blank_line_before(member.range.start) && !(is_first && docs.len() == 1) {
            docs.push(Doc::Blank);
        }
    }

    /// Writes the comments before a byte, with blank lines where the author has them, but none at the start of a body.
    fn comments_above(&mut self, start: usize, docs: &mut Vec<Doc<'a>>) {
        while let Some(comment) = self.comments.before(start) {
            if comment.has_blank_line_before && docs.iter().any(|doc| !matches!(doc, Doc::Line(_))) {
                docs.push(Doc::Blank);
            }
            docs.push(Doc::Own(comment.text));
        }
    }

    fn member(&mut self, member: &Node, docs: &mut Vec<Doc<'a>>) {
        match member.rule {
            Rule::struct_member | Rule::enum_member | Rule::union_member | Rule::variant_field => {
                for member in &member.children {
                    self.member(member, docs);
                }
            }
            Rule::nested => self.typed(member, docs),
            Rule::field | Rule::enum_value => self.attributes_beside(member, docs),
            Rule::reserved => self.filled(member, Rule::reserved_entry, docs),
            _ => {
                for part in &member.children {
                    match part.rule {
                        Rule::preamble => self.attributes_above(part, docs),
                        Rule::variant_fields => self.with_body(&part.children, Form::Short, docs),
                        Rule::answer | Rule::throws => {}
                        _ => self.part(part, docs),
                    }
                    if part.rule == Rule::parameters {
                        self.result(member, docs);
                    }
                }
            }
        }
    }

    /// Lays out what a method returns and throws: after the parameters, or each on its own line.
    fn result(&mut self, method: &Node, docs: &mut Vec<Doc<'a>>) {
        let mut result = Vec::new();
        for part in method.children.iter().filter(|part| matches!(part.rule, Rule::answer | Rule::throws)) {
            result.extend(self.on_next_line(part));
        }
        let trailing = comment_at_end(&mut result);
        if !result.is_empty() {
            docs.push(Doc::Group(Group::of(vec![Doc::Indented(result)])));
        }
        docs.extend(trailing);
    }

    /// Lays out a field, a value or a parameter: its attributes are on its line if they fit.
    fn attributes_beside(&mut self, node: &Node, docs: &mut Vec<Doc<'a>>) {
        let mut group = Vec::new();
        for part in &node.children {
            if part.rule == Rule::preamble {
                group = self.preamble(part, docs);
                if !group.is_empty() {
                    group.push(Doc::Line(" "));
                    self.before = None;
                }
            } else {
                self.part(part, &mut group);
            }
        }
        let trailing = comment_at_end(&mut group);
        docs.push(Doc::Group(Group::of(group)));
        docs.extend(trailing);
    }

    /// Lays out docs and attributes above what they belong to.
    fn attributes_above(&mut self, preamble: &Node, docs: &mut Vec<Doc<'a>>) {
        let attributes = self.preamble(preamble, docs);
        if !attributes.is_empty() {
            docs.extend(attributes);
            docs.push(Doc::Hard);
            self.before = None;
        }
    }

    /// Lays out docs, each line by itself, and attributes above docs. Returns the attributes below them.
    fn preamble(&mut self, preamble: &Node, docs: &mut Vec<Doc<'a>>) -> Vec<Doc<'a>> {
        let mut attributes = Vec::new();
        for part in &preamble.children {
            if part.rule == Rule::doc_line {
                if !attributes.is_empty() {
                    docs.append(&mut attributes);
                    docs.push(Doc::Hard);
                    self.before = None;
                }
                self.part(part, docs);
            } else if attributes.is_empty() {
                self.part(part, &mut attributes);
            } else {
                let mut next = self.on_next_line(part);
                let trailing = comment_at_end(&mut next);
                attributes.push(Doc::Chunk(Group::of(next)));
                attributes.extend(trailing);
            }
        }
        attributes
    }

    /// Lays out `reserved`, `throws` or `extends`, with as many entries on a line as fit.
    fn filled(&mut self, list: &Node, entry: Rule, docs: &mut Vec<Doc<'a>>) {
        let mut parts = list.children.iter().peekable();
        let mut is_first = true;
        while let Some(part) = parts.next() {
            match part.rule {
                rule if rule == entry && !is_first => {
                    let mut next = self.on_next_line(part);
                    let trailing = comment_at_end(&mut next);
                    docs.push(Doc::Chunk(Group::of(vec![Doc::Indented(next)])));
                    docs.extend(trailing);
                }
                Rule::comma => {
                    let is_last = parts.peek().is_none_or(|next| next.rule != entry);
                    let mut comma = Vec::new();
                    self.comma(part, (!is_last).then_some(Doc::Comma), &mut comma);
                    docs.push(Doc::Indented(comma));
                }
                _ => self.part(part, docs),
            }
            is_first &= part.rule != entry;
        }
    }

    /// Lays out a list from sign to sign, with commas between: on one line, or each entry on its own.
    fn list(&mut self, list: &Node, docs: &mut Vec<Doc<'a>>) {
        let [open, parts @ .., close] = list.children.as_slice() else { return };
        let edge = if list.rule == Rule::object { " " } else { "" };
        let mut group = Vec::new();
        self.part(open, &mut group);
        let mut inside = Vec::new();
        for (index, part) in parts.iter().enumerate() {
            let is_last =
                parts.get(index + 1..).is_none_or(|rest| rest.iter().all(|next| next.rule == Rule::comma));
            let comma = if is_last { Doc::LastComma } else { Doc::Comma };
            if part.rule == Rule::comma {
                self.comma(part, Some(comma), &mut inside);
                continue;
            }
            inside.push(Doc::Line(if inside.is_empty() { edge } else { " " }));
            self.before = None;
            self.own_comments(part.range.start, &mut inside);
            self.entry(part, &mut inside);
            if index + 1 == parts.len() {
                inside.push(comma);
            }
        }
        self.own_comments(close.range.start, &mut inside);
        if !inside.is_empty() {
            group.push(Doc::Indented(inside));
            group.push(Doc::Line(edge));
            self.before = None;
        }
        self.part(close, &mut group);
        let trailing = comment_at_end(&mut group);
        docs.push(Doc::Group(Group::of(group)));
        docs.extend(trailing);
    }

    fn entry(&mut self, entry: &Node, docs: &mut Vec<Doc<'a>>) {
        match entry.rule {
            Rule::parameter => self.attributes_beside(entry, docs),
            _ => self.part(entry, docs),
        }
    }

    fn own_comments(&mut self, start: usize, docs: &mut Vec<Doc<'a>>) {
        while let Some(comment) = self.comments.before(start) {
            docs.push(Doc::Own(comment.text));
        }
    }

    /// Writes the comma that the style wants, or none; the comments around the written one stay.
    fn comma(&mut self, node: &Node, comma: Option<Doc<'a>>, docs: &mut Vec<Doc<'a>>) {
        self.own_comments(node.range.start, docs);
        docs.extend(comma);
        self.end = node.range.end;
        self.before = Some(Rule::comma);
        self.trailing_comment(docs);
    }

    fn on_next_line(&mut self, node: &Node) -> Vec<Doc<'a>> {
        self.before = None;
        let mut docs = vec![Doc::Line(" ")];
        self.part(node, &mut docs);
        docs
    }

    fn parts(&mut self, parts: &[Node], docs: &mut Vec<Doc<'a>>) {
        for part in parts {
            self.part(part, docs);
        }
    }

    fn part(&mut self, node: &Node, docs: &mut Vec<Doc<'a>>) {
        match node.rule {
            Rule::parameters | Rule::arguments | Rule::type_arguments | Rule::list | Rule::object => {
                self.list(node, docs);
            }
            Rule::throws => self.filled(node, Rule::error_path, docs),
            Rule::extends => self.filled(node, Rule::service_path, docs),
            _ if node.children.is_empty() => self.word(node, docs),
            _ => self.parts(&node.children, docs),
        }
    }

    /// Writes a word or sign, with the comments before it and the one after it.
    fn word(&mut self, node: &Node, docs: &mut Vec<Doc<'a>>) {
        let is_inside = self.before.is_some() && !matches!(node.rule, Rule::close_paren | Rule::close_angle);
        while let Some(comment) = self.comments.before(node.range.start) {
            docs.push(if is_inside { Doc::OwnContinued(comment.text) } else { Doc::Own(comment.text) });
        }
        if self.before.is_some_and(|before| has_space_between(before, node.rule)) {
            docs.push(Doc::Space);
        }
        let text = self.text[node.range.clone()].trim_ascii_end();
        docs.push(if is_inside { Doc::Continued(text) } else { Doc::Text(text) });
        self.before = Some(node.rule);
        self.end = node.range.end;
        if node.rule == Rule::doc_line {
            docs.push(Doc::Hard);
            self.before = None;
        }
        self.trailing_comment(docs);
    }

    fn trailing_comment(&mut self, docs: &mut Vec<Doc<'a>>) {
        docs.extend(self.comments.trailing(self.end).map(Doc::Trailing));
    }
}

/// Takes the comment after the last word: it ends the line, but breaks no group before it.
fn comment_at_end<'a>(docs: &mut Vec<Doc<'a>>) -> Option<Doc<'a>> {
    docs.pop_if(|doc| matches!(doc, Doc::Trailing(_)))
}

/// Returns the maximum number of members of this kind on one line.
fn max_members_on_a_line(members: &[Node]) -> usize {
    let has_body = |member: &Node| {
        member.children.iter().any(|member| {
            let fields = member.find(Rule::variant_fields);
            member.rule == Rule::nested || fields.is_some_and(|body| body.children.len() > 2)
        })
    };
    match members {
        [first, ..] if first.rule == Rule::method => MAX_METHODS,
        _ if members.iter().any(has_body) => 0,
        _ => MAX_MEMBERS,
    }
}

/// Reports whether there is a space between two words of one line.
fn has_space_between(before: Rule, next: Rule) -> bool {
    let clings_to_next =
        matches!(before, Rule::open_angle | Rule::open_paren | Rule::open_bracket | Rule::at | Rule::dots);
    let clings_to_last = match next {
        Rule::close_brace => before == Rule::open_brace,
        Rule::dots => matches!(before, Rule::number | Rule::value_path),
        Rule::semicolon
        | Rule::comma
        | Rule::colon
        | Rule::object_colon
        | Rule::question
        | Rule::open_angle
        | Rule::close_angle
        | Rule::open_paren
        | Rule::close_paren
        | Rule::close_bracket => true,
        _ => false,
    };
    !clings_to_next && !clings_to_last
}
