//! The text of a `.svc` file as it grows, one line after the other and without layout.

use super::comments::Above;
use super::literal::is_forbidden;

/// Lines of a file.
#[derive(Debug, Default)]
pub(crate) struct Draft {
    text: String,
}

impl Draft {
    pub(crate) fn line(&mut self, line: &str) {
        self.text.push_str(line);
        self.text.push('\n');
    }

    pub(crate) fn blank(&mut self) {
        if !self.text.is_empty() {
            self.text.push('\n');
        }
    }

    pub(crate) fn comment(&mut self, lines: &[String]) {
        self.marked("//", lines);
    }

    pub(crate) fn docs(&mut self, lines: &[String]) {
        self.marked("///", lines);
    }

    /// Writes the groups of comments that stand apart, each with an empty line after it.
    pub(crate) fn detached(&mut self, above: &Above) {
        for group in &above.detached {
            self.comment(group);
            self.blank();
        }
    }

    /// Writes comments without the characters that no file may hold: those that part words become spaces.
    fn marked(&mut self, mark: &str, lines: &[String]) {
        let shown = |char: char| match char {
            char if !is_forbidden(char) && char != '\t' => Some(char),
            char => char.is_whitespace().then_some(' '),
        };
        for line in lines {
            let line: String = line.chars().filter_map(shown).collect();
            self.line(if line.is_empty() { mark.to_owned() } else { format!("{mark} {line}") }.as_str());
        }
    }

    pub(crate) fn into_text(self) -> String {
        self.text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn comments_keep_all_that_a_file_may_hold() {
        let written = |line: &str| {
            let mut draft = Draft::default();
            draft.comment(&[line.to_owned()]);
            draft.docs(&[line.to_owned()]);
            draft.into_text()
        };
        assert_eq!(written("/v1/users lists them"), "// /v1/users lists them\n/// /v1/users lists them\n");
        assert_eq!(written("//"), "// //\n/// //\n");
        assert_eq!(written("a\tb\u{b}c\u{c}d\u{85}e"), "// a b c d e\n/// a b c d e\n");
        assert_eq!(written("a\u{0}b\u{202e}c\u{200f}d"), "// abc\u{200f}d\n/// abc\u{200f}d\n");
        assert_eq!(written(""), "//\n///\n");
    }
}
