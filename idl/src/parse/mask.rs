//! Reports what would hide all other mistakes near it, and puts blanks in its place before the text is parsed:
//! unresolved merge conflicts, and characters between the words that no editor shows.
//!
//! The lengths stay, so that spans refer to the text as it is. In comments, docs and strings any character may stand,
//! but those that [`crate::load`] reports.

use std::borrow::Cow;
use std::ops::Range;

use super::token::{self, TokenKind};
use crate::characters;
use crate::diagnostic::{self, Diagnostic, Report};
use crate::source::{FileId, Span, offset};

/// A text that can be parsed, and whether names in it may differ from those that were meant.
pub(super) struct Masked<'a> {
    pub(super) text: Cow<'a, str>,
    pub(super) is_incomplete: bool,
}

/// Returns a text without what hides other mistakes; that is reported.
pub(super) fn masked<'a>(file: FileId, text: &'a str, report: &mut Report) -> Masked<'a> {
    let mut mask = Mask { file, report, bytes: None, is_incomplete: false };
    mask.conflicts(text);
    let resolved = mask.text(text);
    mask.unseen(&resolved);
    let text = mask.text(text);
    Masked { text, is_incomplete: mask.is_incomplete }
}

struct Mask<'r> {
    file: FileId,
    report: &'r mut Report,
    /// The text so far; `None` while it is unchanged.
    bytes: Option<Vec<u8>>,
    is_incomplete: bool,
}

impl Mask<'_> {
    fn text<'a>(&self, text: &'a str) -> Cow<'a, str> {
        match &self.bytes {
            // Only whole characters are replaced, and by ASCII, so nothing is lost here.
            Some(bytes) => Cow::Owned(String::from_utf8_lossy(bytes).into_owned()),
            None => Cow::Borrowed(text),
        }
    }

    /// Replaces a range of whole characters by an ASCII character; line breaks stay.
    fn fill(&mut self, text: &str, range: Range<usize>, with: u8) {
        let bytes = self.bytes.get_or_insert_with(|| text.as_bytes().to_vec());
        bytes[range].iter_mut().filter(|byte| **byte != b'\n').for_each(|byte| *byte = with);
    }

    /// Takes merge conflicts out, but for their first side.
    fn conflicts(&mut self, text: &str) {
        for conflict in conflicts(text) {
            self.report.add_with(self.file, diagnostic::CONFLICT, |code| {
                let label = |line: &Range<usize>| Span {
                    file: self.file,
                    start: offset(line.start),
                    end: offset(line.start + MARK),
                };
                let diagnostic = Diagnostic::new(code, "this file holds a merge conflict")
                    .at(label(&conflict[0]), "starts here")
                    .help("decide for one side, and remove the lines that mark the conflict");
                let more = conflict[1..].iter().take(MAX_RELATED);
                more.fold(diagnostic, |diagnostic, line| diagnostic.related(label(line), ""))
            });
            let (first, last) = (&conflict[0], &conflict[conflict.len() - 1]);
            let is_start = text[first.start..].starts_with('<');
            match conflict.get(1) {
                Some(middle) if is_start => {
                    self.fill(text, first.clone(), b' ');
                    self.fill(text, middle.start..last.end, b' ');
                }
                _ => conflict.iter().for_each(|line| self.fill(text, line.clone(), b' ')),
            }
        }
    }

    /// Takes characters out that no editor shows, or that look like a space.
    fn unseen(&mut self, text: &str) {
        // Most files are ASCII, and need no pass of their own.
        if text.is_ascii() {
            return;
        }
        let mut runs: Vec<(Range<usize>, char)> = Vec::new();
        for token in token::tokens(text).iter().filter(|token| token.kind == TokenKind::Other) {
            let character = token.text(text).chars().next().unwrap_or_default();
            if !characters::is_space(character) && !characters::is_invisible(character) {
                continue;
            }
            let (start, end) = (token.start as usize, token.end as usize);
            match runs.last_mut() {
                Some((range, last)) if range.end == start && *last == character => range.end = end,
                _ => runs.push((start..end, character)),
            }
        }
        for (range, character) in runs {
            let is_inside = characters::is_invisible(character) && is_between_letters(text, &range);
            self.is_incomplete |= is_inside;
            let span = Span { file: self.file, start: offset(range.start), end: offset(range.end) };
            self.report.add_with(self.file, diagnostic::CONTROL_CHARACTER, |code| {
                let name = characters::described(character).unwrap_or_default();
                let help = if is_inside || characters::is_invisible(character) {
                    "remove it"
                } else {
                    "write a plain space"
                };
                Diagnostic::new(code, format!("this file holds the character {name}")).at(span, "").help(help)
            });
            self.fill(text, range, if is_inside { b'_' } else { b' ' });
        }
    }
}

fn is_between_letters(text: &str, range: &Range<usize>) -> bool {
    let is_word = |byte: Option<&u8>| byte.is_some_and(|byte| byte.is_ascii_alphanumeric() || *byte == b'_');
    let bytes = text.as_bytes();
    is_word(range.start.checked_sub(1).and_then(|before| bytes.get(before))) && is_word(bytes.get(range.end))
}

/// Maximum number of lines of a conflict that are shown beside its first.
const MAX_RELATED: usize = 4;

/// Number of signs that mark a line of a conflict.
const MARK: usize = 7;

/// Returns the marked lines of each merge conflict, without their ends. No line of the language starts with seven `<` or
/// `=`; one with seven `>` may, so it counts only after one of these.
fn conflicts(text: &str) -> Vec<Vec<Range<usize>>> {
    let mut conflicts: Vec<Vec<Range<usize>>> = Vec::new();
    if !text.contains("=======") && !text.contains("<<<<<<<") {
        return conflicts;
    }
    let mut is_open = false;
    let mut at = 0;
    for line in text.split_inclusive('\n') {
        let range = at..at + line.trim_end_matches(['\r', '\n']).len();
        at += line.len();
        let Some(sign) = mark(&text[range.clone()]) else { continue };
        match conflicts.last_mut().filter(|_| is_open && sign != b'<') {
            Some(conflict) => {
                conflict.push(range);
                is_open = sign != b'>';
            }
            None if matches!(sign, b'<' | b'=') => {
                conflicts.push(vec![range]);
                is_open = true;
            }
            None => {}
        }
    }
    conflicts
}

/// Returns the sign of a line that starts with seven of it, and nothing or a space after them.
fn mark(line: &str) -> Option<u8> {
    let sign = *line.as_bytes().first().filter(|first| b"<=|>".contains(first))?;
    let rest = line.trim_start_matches(char::from(sign));
    (line.len() - rest.len() == MARK && (rest.is_empty() || rest.starts_with(' '))).then_some(sign)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(text: &str) -> (String, usize) {
        let mut report = Report::default();
        let text = masked(FileId(0), text, &mut report).text.into_owned();
        (text, report.finish().len())
    }

    #[test]
    fn the_first_side_of_a_conflict_stays() {
        let text = "a\n<<<<<<< HEAD\nb\n||||||| base\nc\n=======\nd\n>>>>>>> x\ne\n";
        assert_eq!(
            shown(text),
            ("a\n            \nb\n            \n \n       \n \n         \ne\n".to_owned(), 1)
        );
    }

    #[test]
    fn what_is_left_of_a_conflict_is_told() {
        assert_eq!(shown("a\n=======\r\nb\n>>>>>>> x\n").1, 1);
        assert_eq!(shown("<<<<<<< x\na\n"), ("         \na\n".to_owned(), 1));
    }

    #[test]
    fn angles_and_rules_that_mark_nothing_stay() {
        for text in ["a: list<\n>>>>>>> = 1;", "// =======\n", "========\n", "<<<<<<<x\n", "/// ‘a’\u{a0}b\n"]
        {
            assert_eq!(shown(text), (text.to_owned(), 0));
        }
    }

    #[test]
    fn what_no_editor_shows_becomes_a_space() {
        assert_eq!(shown("a\u{200b}: u32"), ("a   : u32".to_owned(), 1));
        assert_eq!(shown("a:\u{a0}\u{a0}u32"), ("a:    u32".to_owned(), 1));
        assert_eq!(shown("a\u{feff}b \"\u{a0}\""), ("a___b \"\u{a0}\"".to_owned(), 1));
    }
}
