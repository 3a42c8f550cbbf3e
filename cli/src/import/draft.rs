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

    /// Leaves out the characters that no file may hold.
    fn marked(&mut self, mark: &str, lines: &[String]) {
        for line in lines {
            // A third or fourth slash would make docs of a comment, and a comment of docs.
            let line: String =
                line.trim_start_matches('/').chars().filter(|char| !is_forbidden(*char)).collect();
            self.line(if line.is_empty() { mark.to_owned() } else { format!("{mark} {line}") }.as_str());
        }
    }

    pub(crate) fn into_text(self) -> String {
        self.text
    }
}
