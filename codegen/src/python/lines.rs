//! [`Lines`]: indented text.

/// Longest line that is not broken where it could be.
const MAX_WIDTH: usize = 100;

/// Lines of a file, each at a depth of indentation.
#[derive(Debug, Default)]
pub(crate) struct Lines {
    text: String,
    depth: usize,
}

impl Lines {
    /// Adds a line.
    pub(crate) fn line(&mut self, text: &str) {
        if !text.is_empty() {
            self.text.extend(std::iter::repeat_n("    ", self.depth));
            self.text.push_str(text);
        }
        self.text.push('\n');
    }

    /// Adds an empty line.
    pub(crate) fn blank(&mut self) {
        self.text.push('\n');
    }

    /// Adds a line, and lines below it.
    pub(crate) fn block(&mut self, head: &str, body: impl FnOnce(&mut Self)) {
        self.line(head);
        self.block_body(body);
    }

    /// Adds lines below the last.
    pub(crate) fn block_body(&mut self, body: impl FnOnce(&mut Self)) {
        self.depth += 1;
        body(self);
        self.depth -= 1;
    }

    /// Adds `open`, items and `close`: on one line if they fit, else each item on its own.
    pub(crate) fn list(&mut self, open: &str, items: &[String], close: &str) {
        let one_line = format!("{open}{}{close}", items.join(", "));
        if one_line.len() + 4 * self.depth <= MAX_WIDTH {
            return self.line(&one_line);
        }
        self.rows(open, items, close);
    }

    /// Adds `open` and alternatives: on one line if they fit, else each on its own.
    pub(crate) fn alternatives(&mut self, open: &str, items: &[String]) {
        let one_line = format!("{open}{}", items.join(" | "));
        if one_line.len() <= MAX_WIDTH {
            return self.line(&one_line);
        }
        self.block(&format!("{open}("), |lines| {
            for (index, item) in items.iter().enumerate() {
                lines.line(&if index == 0 { item.clone() } else { format!("| {item}") });
            }
        });
        self.line(")");
    }

    /// Adds `open`, items and `close`, each item on a line of its own.
    pub(crate) fn rows(&mut self, open: &str, items: &[String], close: &str) {
        if items.is_empty() {
            return self.line(&format!("{open}{close}"));
        }
        self.block(open, |lines| {
            for item in items {
                // What has lines of its own has commas at the ends of these. A bare `*` or `/` takes one as well.
                for line in format!("{item},").lines() {
                    lines.line(line);
                }
            }
        });
        for line in close.lines() {
            self.line(line);
        }
    }

    /// Returns a function that makes a list.
    pub(crate) fn maker(items: &[String]) -> String {
        if items.is_empty() { "list".to_owned() } else { Self::item("lambda: [", items, "]") }
    }

    /// Returns `open`, items and `close` as an item of another list: on one line if they fit.
    pub(crate) fn item(open: &str, items: &[String], close: &str) -> String {
        let one_line = format!("{open}{}{close}", items.join(", "));
        if one_line.len() + 8 <= MAX_WIDTH {
            return one_line;
        }
        let mut lines = Self::default();
        lines.rows(open, items, close);
        lines.text.trim_end().to_owned()
    }

    /// Adds text as it is.
    pub(crate) fn raw(&mut self, text: &str) {
        self.text.push_str(text);
    }

    /// Returns the text.
    pub(crate) fn into_text(self) -> String {
        self.text
    }
}
