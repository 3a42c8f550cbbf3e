//! The comments of a `.proto` file. Each is taken once, by what it stands at; what is left at the end of a block is taken there.

use std::cell::Cell;
use std::ops::Range;

/// All comments of a file, in order.
#[derive(Debug)]
pub(crate) struct Comments<'a> {
    text: &'a str,
    all: Vec<Comment>,
}

#[derive(Debug)]
struct Comment {
    span: Range<usize>,
    is_taken: Cell<bool>,
}

/// Comments above something.
#[derive(Debug, Default)]
pub(crate) struct Above {
    /// Groups of lines that stand by themselves.
    pub(crate) detached: Vec<Vec<String>>,
    /// The lines right above.
    pub(crate) docs: Vec<String>,
}

impl<'a> Comments<'a> {
    pub(crate) fn new(text: &'a str) -> Self {
        let spans = spans(text).into_iter();
        Self { text, all: spans.map(|span| Comment { span, is_taken: Cell::new(false) }).collect() }
    }

    /// Takes the comments between two places, the second of which is the start of something.
    pub(crate) fn above(&self, from: usize, start: usize) -> Above {
        let mut above = Above::default();
        let mut last_end = None;
        for span in self.take(from..start) {
            let follows = last_end.is_some_and(|end: usize| self.is_adjacent(end, span.start));
            let lines = lines(&self.text[span.clone()]);
            match above.detached.last_mut() {
                Some(group) if follows => group.extend(lines),
                _ => above.detached.push(lines),
            }
            last_end = Some(span.end);
        }
        if last_end.is_some_and(|end| self.is_adjacent(end, start)) {
            above.docs = above.detached.pop().unwrap_or_default();
        }
        above
    }

    /// Takes the comments that follow something on its line.
    pub(crate) fn behind(&self, end: usize) -> Vec<String> {
        let line_end = self.text[end..].find('\n').map_or(self.text.len(), |at| end + at);
        let mut taken = Vec::new();
        let mut place = end;
        for comment in self.starting_in(end..line_end) {
            let between = &self.text[place..comment.span.start];
            if comment.is_taken.get()
                || !between.chars().all(|char| char.is_whitespace() || matches!(char, ';' | ','))
            {
                break;
            }
            comment.is_taken.set(true);
            taken.extend(lines(&self.text[comment.span.clone()]));
            place = comment.span.end;
        }
        taken
    }

    /// Takes all comments that start in a range, as one list of lines.
    pub(crate) fn inside(&self, range: Range<usize>) -> Vec<String> {
        self.take(range).into_iter().flat_map(|span| lines(&self.text[span])).collect()
    }

    fn take(&self, range: Range<usize>) -> Vec<Range<usize>> {
        let free = self.starting_in(range).iter().filter(|comment| !comment.is_taken.replace(true));
        free.map(|comment| comment.span.clone()).collect()
    }

    /// Returns the comments that start in a range. Looks at few others, since a file may have a comment for each of its parts.
    fn starting_in(&self, range: Range<usize>) -> &[Comment] {
        let before = |place: usize| self.all.partition_point(|comment| comment.span.start < place);
        self.all.get(before(range.start)..before(range.end)).unwrap_or_default()
    }

    /// Reports whether there is nothing but one line's end between two places.
    fn is_adjacent(&self, from: usize, to: usize) -> bool {
        let between = &self.text[from..to];
        between.trim().is_empty() && between.matches('\n').count() < 2
    }
}

/// Returns a text after the comments and white space at its start.
pub(crate) fn skip(text: &str) -> &str {
    let mut rest = text.trim_start_matches('\u{feff}').trim_start();
    while let Some(end) = comment_end(rest) {
        rest = rest[end..].trim_start();
    }
    rest
}

/// Returns the length of the comment that a text starts with.
fn comment_end(text: &str) -> Option<usize> {
    if text.starts_with("//") {
        return Some(text.find('\n').unwrap_or(text.len()));
    }
    text.starts_with("/*").then(|| text[2..].find("*/").map_or(text.len(), |at| at + 4))
}

fn spans(text: &str) -> Vec<Range<usize>> {
    let mut spans = Vec::new();
    let mut place = 0;
    while let Some(at) = text[place..].find(['/', '"', '\'']) {
        let start = place + at;
        place = match comment_end(&text[start..]) {
            Some(length) => {
                spans.push(start..start + length);
                start + length
            }
            None => start + string_end(&text[start..]),
        };
    }
    spans
}

/// Returns the length of the string that a text starts with; 1 if it starts with something else.
fn string_end(text: &str) -> usize {
    let quote = text.as_bytes()[0];
    let mut escaped = false;
    for (at, byte) in text.bytes().enumerate().skip(1) {
        match byte {
            _ if quote == b'/' => break,
            _ if escaped => escaped = false,
            b'\\' => escaped = true,
            b'\n' => break,
            _ if byte == quote => return at + 1,
            _ => {}
        }
    }
    1
}

/// Returns the lines of a comment without its marks.
fn lines(comment: &str) -> Vec<String> {
    if let Some(line) = comment.strip_prefix("//") {
        return vec![without_space(line.trim_start_matches('/'))];
    }
    let inside =
        comment.trim_start_matches('/').trim_start_matches('*').trim_end_matches('/').trim_end_matches('*');
    // A star is a mark if all lines have one. Otherwise it is text, such as a point of a list.
    let mut below = inside.lines().skip(1).map(str::trim).filter(|line| !line.is_empty());
    let has_marks = below.all(|line| line.starts_with('*'));
    let mut lines: Vec<String> = inside
        .lines()
        .enumerate()
        .map(|(at, line)| match line.trim_start().strip_prefix('*') {
            Some(rest) if at > 0 && has_marks => without_space(rest),
            _ => line.trim().to_owned(),
        })
        .collect();
    let is_empty = |line: Option<&String>| line.is_some_and(String::is_empty);
    while is_empty(lines.last()) {
        lines.pop();
    }
    while is_empty(lines.first()) {
        lines.remove(0);
    }
    lines
}

/// Returns a line without one space in front, and those at its end.
fn without_space(line: &str) -> String {
    line.strip_prefix(' ').unwrap_or(line).trim_end().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn comments_are_told_from_strings() {
        let text = "// a\nx = \"// no\"; /* b\n * c */ y = '\\'/*no*/'; z / 2 //d";
        let comments: Vec<&str> = spans(text).into_iter().map(|span| &text[span]).collect();
        assert_eq!(comments, ["// a", "/* b\n * c */", "//d"]);
        assert_eq!(spans("/* open").len(), 1);
    }

    #[test]
    fn only_the_comments_of_a_range_are_looked_at() {
        let text = "//0\n".repeat(9);
        let comments = Comments::new(&text);
        let starts = |range| comments.starting_in(range).iter().map(|comment| comment.span.start).collect();
        let (inside, none): (Vec<usize>, Vec<usize>) = (starts(9..16), starts(13..16));
        assert_eq!((inside, none), (vec![12], vec![]));
        assert_eq!(comments.starting_in(0..text.len()).len(), 9);
    }

    #[test]
    fn lines_lose_their_marks() {
        assert_eq!(lines("/// a"), ["a"]);
        assert_eq!(lines("//    a "), ["   a"]);
        assert_eq!(lines("/* a */"), ["a"]);
        assert_eq!(lines("/**\n * a\n *\n *   b\n */"), ["a", "", "  b"]);
        assert_eq!(lines("/*\n   a\n   b\n*/"), ["a", "b"]);
        assert_eq!(lines("/* a:\n *\n * * b\n\n * c */"), ["a:", "", "* b", "", "c"]);
        assert_eq!(lines("/* a:\n * b\n   c\n*/"), ["a:", "* b", "c"]);
        assert_eq!(lines("// /v1/users"), ["/v1/users"]);
        assert_eq!(lines("/* **a**\tb */"), ["**a**\tb"]);
    }

    #[test]
    fn what_stands_right_above_is_told_from_what_stands_apart() {
        let text = "// 1\n// 2\n\n// 3\n/* 4 */\nX // 5\n// 6\n\n";
        let comments = Comments::new(text);
        let start = text.find('X').expect("an X");
        let above = comments.above(0, start);
        assert_eq!(
            (above.detached, above.docs),
            (vec![vec!["1".to_owned(), "2".to_owned()]], vec!["3".to_owned(), "4".to_owned()])
        );
        assert_eq!(comments.behind(start + 1), ["5"]);
        assert_eq!(comments.inside(0..text.len()), ["6"]);
        assert!(comments.inside(0..text.len()).is_empty());
    }
}
