//! Breaks a line of tokens where it is too long, or where a line must end.
//!
//! A *piece* gets a line of its own if the brackets around it are broken: an item, a statement, a field, an argument.
//! Pieces that fit stay on one line; in others, brackets are broken from the left, as far as necessary.

use super::tokens::{Bracket, Kind, Token, Tokens};
use super::{INDENT, WIDTH};

/// Starts of items that are separated from the item before them by a blank line.
const STARTS: &[&str] = &["#", "const", "fn", "impl", "pub", "static", "struct"];

/// Starts of pieces whose value may have a line of its own.
const BINDINGS: &[&str] = &["const", "let", "pub", "static"];

/// Writes all tokens, each piece on a line of its own.
pub(super) fn items(tokens: &Tokens, indent: usize, text: &mut String) {
    let mut printer = Printer { tokens, text, line: 0, indent };
    printer.pieces(0, tokens.len(), false);
}

struct Printer<'a> {
    tokens: &'a Tokens,
    text: &'a mut String,
    /// Start of the current line in the text.
    line: usize,
    indent: usize,
}

impl Printer<'_> {
    /// Writes the pieces from one token up to another, each on a line or more. With `commas` the last gets one like the
    /// others.
    fn pieces(&mut self, from: usize, to: usize, commas: bool) {
        let (mut start, mut last) = (from, from);
        while start < to {
            let end = self.end_of_piece(start, to);
            if start > from && self.is_set_apart(start) && !(self.is_row(last) && self.is_row(start)) {
                self.text.push('\n');
            }
            self.start_line();
            self.piece(start, end);
            if commas && end == to {
                self.text.push(',');
            }
            self.text.push('\n');
            (last, start) = (start, end);
        }
    }

    fn end_of_piece(&self, start: usize, to: usize) -> usize {
        let mut index = start;
        while index < to {
            index = self.tokens.at(index).close;
            let token = self.tokens.at(index);
            index += 1;
            if token.ends_piece {
                break;
            }
        }
        index
    }

    /// Reports whether a blank line goes before an item.
    fn is_set_apart(&self, start: usize) -> bool {
        let ends = matches!(self.tokens.text(start - 1), "}" | ";");
        let is_docs = self.tokens.at(start).kind == Kind::Docs;
        ends && (is_docs || STARTS.contains(&self.tokens.text(start)) || self.is_macro_call(start))
    }

    /// Reports whether a piece is a call of a macro.
    fn is_macro_call(&self, start: usize) -> bool {
        let is_path =
            |index: &usize| self.tokens.at(*index).kind == Kind::Word || self.tokens.text(*index) == "::";
        let name_end = (start..self.tokens.len()).find(|index| !is_path(index));
        name_end.is_some_and(|end| end > start && self.tokens.text(end) == "!")
    }

    /// Reports whether an item is a constant without docs. No blank line separates these.
    fn is_row(&self, start: usize) -> bool {
        let visibility_end = self.tokens.at((start + 1).min(self.tokens.len() - 1)).close;
        self.tokens.text(start) == "pub"
            && visibility_end + 1 < self.tokens.len()
            && self.tokens.text(visibility_end + 1) == "const"
    }

    /// Writes a piece: documentation and attributes on lines of their own, then the rest.
    fn piece(&mut self, start: usize, end: usize) {
        let mut start = start;
        loop {
            let token = self.tokens.at(start);
            let attribute_end = match token.kind {
                Kind::Docs => start + 1,
                Kind::Operator if self.tokens.text(start) == "#" && start + 1 < end => {
                    self.tokens.at(start + 1).close + 1
                }
                _ => break,
            };
            self.run(start, attribute_end);
            if attribute_end == end {
                return;
            }
            self.text.push('\n');
            self.start_line();
            start = attribute_end;
        }
        self.run(start, end);
    }

    /// Writes tokens that start on this line.
    fn run(&mut self, start: usize, end: usize) {
        if self.fits(start, end) {
            return self.text.push_str(self.tokens.flat(start, end));
        }
        let outer = self.indent;
        let is_chain = !self.tokens.breaks(start, end) && (start..end).any(|index| self.is_link(index));
        let value = self.value_on_a_line_of_its_own(start, end);
        let mut breaks_bounds = None;
        let mut index = start;
        while index < end {
            if is_chain && self.is_link(index) || value == Some(index) {
                self.indent = outer + INDENT;
                self.break_line();
            } else if index > start
                && self.is_bound(index)
                && *breaks_bounds.get_or_insert_with(|| self.breaks_bounds(index, end))
                || self.awaits_broken_call(start, index)
            {
                self.break_line();
            } else if index > start && self.tokens.is_spaced(index) {
                self.text.push(' ');
            }
            let token = *self.tokens.at(index);
            match token.kind {
                Kind::Open(bracket) => self.brackets(index, bracket, end, is_chain),
                _ => self.text.push_str(self.tokens.text(index)),
            }
            index = token.close + 1;
        }
        self.indent = outer;
    }

    /// Writes brackets and their content, on one line if that and what must follow on it fits.
    fn brackets(&mut self, open: usize, bracket: Bracket, end: usize, is_chain: bool) {
        let Token { close, is_list, .. } = *self.tokens.at(open);
        let stop = self.stop(close + 1, bracket, end, is_chain);
        if !self.tokens.breaks(open, close + 1) && self.fits(open, stop) {
            return self.text.push_str(self.tokens.flat(open, close + 1));
        }
        self.text.push_str(self.tokens.text(open));
        if open + 1 < close {
            if self.is_hugged(open, close) {
                self.run(open + 1, close);
            } else {
                self.text.push('\n');
                self.indent += INDENT;
                self.pieces(open + 1, close, is_list);
                self.indent -= INDENT;
                self.start_line();
            }
        }
        self.text.push_str(self.tokens.text(close));
    }

    /// Returns the start of the value of a binding, if it does not fit after its name but does on the next line.
    fn value_on_a_line_of_its_own(&self, start: usize, end: usize) -> Option<usize> {
        if !BINDINGS.contains(&self.tokens.text(start)) || self.tokens.breaks(start, end) {
            return None;
        }
        let mut index = start;
        while index < end && self.tokens.text(index) != "=" {
            index = self.tokens.at(index).close + 1;
        }
        let value = index + 1;
        let fits = value < end && self.indent + INDENT + self.tokens.flat(value, end).len() <= WIDTH;
        (fits && !self.tokens.flat(value, end).ends_with("};")).then_some(value)
    }

    /// Reports whether this is the `+` between two bounds.
    fn is_bound(&self, index: usize) -> bool {
        self.tokens.text(index) == "+"
    }

    /// Reports whether each bound from here on has a line of its own. After a bound that was broken itself, none has.
    fn breaks_bounds(&self, index: usize, end: usize) -> bool {
        let mut stop = index;
        while stop < end && self.is_bound(stop) {
            stop = self.stop(stop + 1, Bracket::Parenthesis, end, false);
        }
        !self.follows_broken_brackets() && !self.fits(index, stop)
    }

    /// Reports whether this is the dot of an `.await` of a call that takes several lines.
    fn awaits_broken_call(&self, start: usize, index: usize) -> bool {
        index > start
            && index + 1 < self.tokens.len()
            && self.tokens.text(index) == "."
            && self.tokens.text(index + 1) == "await"
            && self.follows_broken_brackets()
    }

    /// Reports whether the current line holds nothing but a closing bracket.
    fn follows_broken_brackets(&self) -> bool {
        matches!(self.text[self.line..].trim_start(), ")" | ">" | "]")
    }

    /// Returns the end of what must follow brackets on their line, before it may be broken again.
    fn stop(&self, after: usize, bracket: Bracket, end: usize, is_chain: bool) -> usize {
        let mut index = after;
        while index < end {
            let token = self.tokens.at(index);
            let is_last = match token.kind {
                Kind::Open(Bracket::Brace) => self.tokens.breaks(index, token.close + 1),
                Kind::Open(Bracket::Parenthesis) => matches!(bracket, Bracket::Angle | Bracket::Binder),
                Kind::Operator => matches!(self.tokens.text(index), "=" | "=>"),
                _ => false,
            };
            if is_last {
                return index + 1;
            }
            if is_chain && self.is_link(index) || self.is_bound(index) {
                return index;
            }
            index = token.close + 1;
        }
        end
    }

    /// Reports whether brackets stay on a line with the start of their content, which is broken instead: those of an
    /// attribute, and those around a single piece that ends with braces.
    fn is_hugged(&self, open: usize, close: usize) -> bool {
        let is_single = self.end_of_piece(open + 1, close) == close;
        match self.tokens.at(open).kind {
            Kind::Open(Bracket::Square) => is_single && open > 0 && self.tokens.text(open - 1) == "#",
            Kind::Open(Bracket::Parenthesis) => is_single && self.is_open_before_braces(open, close),
            _ => false,
        }
    }

    /// Reports whether everything up to the braces at the end of brackets fits on this line.
    fn is_open_before_braces(&self, open: usize, close: usize) -> bool {
        let mut last = open + 1;
        while self.tokens.at(last).close + 1 < close {
            last = self.tokens.at(last).close + 1;
        }
        self.tokens.at(last).kind == Kind::Open(Bracket::Brace) && self.fits(open, last + 1)
    }

    /// Reports whether this is the dot of a method call on the result of a call.
    fn is_link(&self, index: usize) -> bool {
        index > 0
            && index + 1 < self.tokens.len()
            && self.tokens.text(index) == "."
            && self.tokens.at(index - 1).kind == Kind::Close(Bracket::Parenthesis)
            && self.tokens.text(index + 1) != "await"
    }

    /// Reports whether tokens fit on the rest of the line.
    fn fits(&self, from: usize, to: usize) -> bool {
        !self.tokens.breaks(from, to)
            && self.text.len() - self.line + self.tokens.flat(from, to).len() <= WIDTH
    }

    fn break_line(&mut self) {
        self.text.push('\n');
        self.start_line();
    }

    fn start_line(&mut self) {
        self.line = self.text.len();
        self.text.extend(std::iter::repeat_n(' ', self.indent));
    }
}
