//! Markdown that rustdoc shows as it is meant, and runs none of: fences without a language, with attributes or with words
//! for tests become plain text, and indented code becomes a fence.

/// Returns the lines of a text, changed so that rustdoc takes none for Rust, and with links. `target` returns the path to
/// which a name of the schema leads.
pub(super) fn lines_of(text: &str, target: &dyn Fn(&str) -> Option<String>) -> Vec<String> {
    let mut lines = Lines {
        target,
        out: Vec::new(),
        fence: None,
        has_list: false,
        follows_blank: true,
        items: Vec::new(),
    };
    let mut text = text.lines().map(clean).peekable();
    while let Some(line) = text.next() {
        if lines.inside(&line) {
            continue;
        }
        let Some(indent) = lines.code(&line) else {
            lines.outside(&line);
            continue;
        };
        let mut code = vec![line];
        while let Some(next) = text.next_if(|next| next.is_empty() || indent_of(next) >= indent) {
            code.push(next);
        }
        lines.indented(code, indent);
    }
    lines.out
}

/// What is known between two lines.
struct Lines<'t> {
    target: &'t dyn Fn(&str) -> Option<String>,
    out: Vec<String>,
    fence: Option<Fence>,
    /// Whether there was a list so far.
    has_list: bool,
    /// Whether the line before was blank, or there was none: only then a line can start indented code.
    follows_blank: bool,
    /// Indentation of what the open list items hold, ascending.
    items: Vec<usize>,
}

impl Lines<'_> {
    /// Takes a line inside of a fence, and reports whether it was one.
    fn inside(&mut self, line: &str) -> bool {
        let Some(open) = &self.fence else { return false };
        let Some(rest) = open.rest(line) else {
            // The quote or list ends, and the fence with it. Close it, or its closing fence would open another.
            self.out.push(open.end());
            self.fence = None;
            return false;
        };
        if open.is_closed_by(rest) {
            self.fence = None;
        }
        self.out.push(line.to_owned());
        true
    }

    /// Returns the least indentation of the indented code that a line starts, if it does.
    fn code(&self, line: &str) -> Option<usize> {
        let indent = indent_of(line);
        let held = self.items.iter().rfind(|item| **item <= indent).copied().unwrap_or_default();
        let is_code = self.follows_blank && !line.is_empty() && indent >= held + CODE_INDENT;
        is_code.then_some(held + CODE_INDENT)
    }

    /// Takes indented code, which becomes a fence of plain text.
    fn indented(&mut self, mut code: Vec<String>, indent: usize) {
        let blank = code.iter().rev().take_while(|line| line.is_empty()).count();
        code.truncate(code.len() - blank);
        let longest = code.iter().map(|line| longest_run(line, '`')).max().unwrap_or_default();
        let (margin, marker) = (" ".repeat(indent - CODE_INDENT), "`".repeat(longest.max(2) + 1));
        self.out.push(format!("{margin}{marker}text"));
        let shift = |line: &String| line.get(CODE_INDENT..).unwrap_or_default().to_owned();
        self.out.extend(code.iter().map(shift));
        self.out.push(margin + &marker);
        self.out.extend(std::iter::repeat_n(String::new(), blank));
        self.follows_blank = true;
    }

    /// Takes a line that is in no code.
    fn outside(&mut self, line: &str) {
        let (prefix, content) = split_prefix(line);
        self.has_list |= prefix.contains(|letter| !matches!(letter, ' ' | '>'));
        self.list_items(prefix, content);
        let prefix = shallow(prefix);
        let marker = marker(content);
        let info = &content[marker.len()..];
        // Backticks with more of them on the line are code in the line.
        let is_inline = marker.starts_with('`') && info.contains('`');
        let is_fence = !marker.is_empty() && !is_inline;
        self.follows_blank = content.is_empty();
        if is_fence {
            let info = language(info).unwrap_or_else(|| info.to_owned());
            self.out.push(format!("{prefix}{marker}{info}"));
            self.fence = Some(Fence { marker: marker.to_owned(), prefix, has_list: self.has_list });
        } else {
            self.out.push(format!("{prefix}{}", super::links::linked(content, self.target)));
        }
    }

    /// Notes which list items are open after a line.
    fn list_items(&mut self, prefix: &str, content: &str) {
        let indent = indent_of(prefix);
        let is_item = prefix.len() > indent && !prefix.contains('>');
        if content.is_empty() {
            return;
        }
        if is_item || self.follows_blank {
            self.items.retain(|item| *item <= indent);
        }
        if is_item {
            self.items.push(prefix.len());
        }
    }
}

/// Number of spaces that make a line code.
const CODE_INDENT: usize = 4;

fn indent_of(line: &str) -> usize {
    line.len() - line.trim_start_matches(' ').len()
}

/// Returns the length of the longest run of a letter.
fn longest_run(line: &str, letter: char) -> usize {
    line.split(|other| other != letter).map(str::len).max().unwrap_or_default()
}

/// Returns the words to write after a fence in place of those that are there, if rustdoc would run it as a test although
/// they do not say `rust`.
fn language(info: &str) -> Option<String> {
    let unbracketed = info.split('(').next().unwrap_or_default();
    let words: Vec<&str> =
        unbracketed.split([',', ' ', '\t', '{', '}']).filter(|word| !word.is_empty()).collect();
    if words.contains(&"rust") {
        return None;
    }
    let is_plain = |word: &&&str| !is_for_tests(word) && !word.starts_with('.') && !word.contains('=');
    let has_more = info.contains(['{', '(']) || words.iter().any(|word| is_for_tests(word));
    let named = words.iter().find(is_plain).copied();
    if named.is_some() && !has_more {
        return None;
    }
    let class =
        || words.iter().find_map(|word| word.strip_prefix('.').or_else(|| word.strip_prefix("class=")));
    let language = named.or_else(class).unwrap_or_default();
    let language: String =
        language.chars().filter(|letter| letter.is_alphanumeric() || "+-#_".contains(*letter)).collect();
    Some(if language.is_empty() { "text".to_owned() } else { language })
}

/// Reports whether a word after a fence tells rustdoc how to run a test, which makes the block one.
fn is_for_tests(word: &str) -> bool {
    let is_error = word
        .strip_prefix('E')
        .is_some_and(|digits| digits.len() == 4 && digits.bytes().all(|it| it.is_ascii_digit()));
    let known = ["should_panic", "no_run", "test_harness", "compile_fail", "standalone_crate", "standalone"];
    is_error || known.contains(&word) || word.starts_with("ignore") || word.starts_with("edition")
}

/// An open code fence.
#[derive(Debug)]
struct Fence {
    /// Backticks or tildes that open the fence.
    marker: String,
    /// The indentation and the markers of lists and quotes before it.
    prefix: String,
    /// Whether its indentation may be that of a list.
    has_list: bool,
}

impl Fence {
    /// Returns a line without the indentation and quote markers of the fence; `None` for a line that is no longer in the
    /// same list or quote.
    fn rest<'l>(&self, line: &'l str) -> Option<&'l str> {
        let mut quotes = self.prefix.split('>');
        let mut rest = indented(line, self.indentation(quotes.next().unwrap_or_default()))?;
        for after in quotes {
            rest = rest.trim_start().strip_prefix('>')?;
            rest = indented(rest, self.indentation(after.strip_prefix(' ').unwrap_or(after)) + 1)
                .or_else(|| (self.indentation(after) == 0).then_some(rest))?;
        }
        Some(rest)
    }

    /// Returns the indentation that a line needs to be in the list that this part of the prefix starts or continues.
    fn indentation(&self, part: &str) -> usize {
        if self.has_list { part.len() } else { 0 }
    }

    fn is_closed_by(&self, rest: &str) -> bool {
        let content = rest.trim_start();
        rest.len() - content.len() <= 3 && content.starts_with(&self.marker) && content == marker(content)
    }

    /// Returns a line that closes the fence, in its list or quote.
    fn end(&self) -> String {
        self.prefix.replace(|letter| letter != '>', " ") + &self.marker
    }
}

/// Strips a number of spaces; a blank line counts as having enough.
fn indented(line: &str, spaces: usize) -> Option<&str> {
    let found = line.len() - line.trim_start_matches(' ').len();
    if found == line.len() { Some("") } else { (found >= spaces).then(|| &line[spaces..]) }
}

/// Removes what comments must not contain: control characters, and those that change the direction of text, which rustc
/// rejects.
fn clean(line: &str) -> String {
    let turns = |letter: char| matches!(letter, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
    let line = line.trim_end();
    let (margin, content) = line.split_at(line.len() - line.trim_start_matches([' ', '\t']).len());
    let harmless = content.chars().filter(|&letter| !turns(letter));
    let harmless = harmless.map(|letter| if letter.is_control() { ' ' } else { letter });
    margin.replace('\t', "    ").chars().chain(harmless).collect()
}

/// Splits a line after its indentation and the markers of lists and quotes at its start.
fn split_prefix(line: &str) -> (&str, &str) {
    let mut content = line;
    loop {
        content = content.trim_start_matches([' ', '>', '-', '*', '+']);
        let Some(rest) = after_number(content) else { break };
        content = rest;
    }
    line.split_at(line.len() - content.len())
}

/// Strips the marker of an ordered list: `1.` or `1)`, and then a space.
fn after_number(content: &str) -> Option<&str> {
    let rest = content.trim_start_matches(|letter: char| letter.is_ascii_digit());
    let marked = rest.strip_prefix(['.', ')']).filter(|after| after.is_empty() || after.starts_with(' '));
    marked.filter(|_| rest.len() < content.len())
}

/// Returns the backticks or tildes that make a line a fence; empty if it is none.
fn marker(content: &str) -> &str {
    let marks = ['`', '~'].map(|mark| &content[..content.len() - content.trim_start_matches(mark).len()]);
    marks.into_iter().find(|mark| mark.len() >= 3).unwrap_or_default()
}

/// Keeps at most three spaces of indentation: four would start a code block.
fn shallow(prefix: &str) -> String {
    let mut kept = String::new();
    for letter in prefix.chars() {
        if letter != ' ' || !kept.ends_with("   ") {
            kept.push(letter);
        }
    }
    kept
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lines(text: &str) -> String {
        lines_of(text, &|name| (name == "d.v1.Pong").then(|| "self::Pong".to_owned())).join("\n")
    }

    #[test]
    fn a_fence_without_a_language_is_text() {
        assert_eq!(lines("a\n```\nlet x;\n```\nb"), "a\n```text\nlet x;\n```\nb");
    }

    #[test]
    fn a_fence_with_a_language_keeps_it() {
        assert_eq!(lines("```json\n{}\n```"), "```json\n{}\n```");
    }

    #[test]
    fn a_shorter_fence_does_not_close_a_longer_one() {
        assert_eq!(lines("````\n```\n````"), "````text\n```\n````");
    }

    #[test]
    fn fences_in_quotes_and_lists_are_found() {
        assert_eq!(lines("> ```\n> x\n> ```"), "> ```text\n> x\n> ```");
        assert_eq!(lines("- ~~~"), "- ~~~text");
        assert_eq!(lines("1. ```\n   x\n   ```\ny"), "1. ```text\n   x\n   ```\ny");
        assert_eq!(lines("> - 12) ~~~"), "> - 12) ~~~text");
    }

    #[test]
    fn a_fence_ends_with_its_quote() {
        assert_eq!(lines("> ```\n> x\ny\n\n```\nz"), "> ```text\n> x\n> ```\ny\n\n```text\nz");
        assert_eq!(lines("> ```\n>x\n>\n\ny"), "> ```text\n>x\n>\n> ```\n\ny");
        assert_eq!(lines("> > ```\n> x"), "> > ```text\n> > ```\n> x");
    }

    #[test]
    fn a_fence_ends_with_its_list() {
        assert_eq!(lines("- ```\n  x\n\ny\n```\nz"), "- ```text\n  x\n\n  ```\ny\n```text\nz");
        assert_eq!(lines("1. a\n\n   ~~~\n   x\ny"), "1. a\n\n   ~~~text\n   x\n   ~~~\ny");
        assert_eq!(lines("> - ```\n>   x\n> y"), "> - ```text\n>   x\n>   ```\n> y");
        assert_eq!(lines("- > ```\n  > x\n> y"), "- > ```text\n  > x\n  > ```\n> y");
    }

    #[test]
    fn a_fence_that_is_in_no_list_goes_on() {
        assert_eq!(lines("  ```\nx\n  ```"), "  ```text\nx\n  ```");
        assert_eq!(lines("```\n- ```\n> ```\n```\ny"), "```text\n- ```\n> ```\n```\ny");
        assert_eq!(lines("```\n    ```\n```\ny"), "```text\n    ```\n```\ny");
    }

    #[test]
    fn indented_code_becomes_a_fence_in_its_shape() {
        assert_eq!(
            lines("a\n\n    let x {\n        y\n\n    }\n\nb"),
            "a\n\n```text\nlet x {\n    y\n\n}\n```\n\nb"
        );
        assert_eq!(lines("    x\n      ```\n"), "````text\nx\n  ```\n````");
        assert_eq!(lines("\tx\n\t\ty"), "```text\nx\n    y\n```");
        assert_eq!(lines("1. a\n\n       x\n\n   b"), "1. a\n\n   ```text\n   x\n   ```\n\n   b");
        assert_eq!(
            lines("- a\n  - b\n\n        x\n\nc\n\n    y"),
            "- a\n  - b\n\n    ```text\n    x\n    ```\n\nc\n\n```text\ny\n```"
        );
    }

    #[test]
    fn what_goes_on_after_a_line_is_no_code() {
        assert_eq!(lines("a\n        let x;"), "a\n   let x;");
        assert_eq!(lines(">      let x;"), ">   let x;");
        assert_eq!(lines("10.      let x;"), "10.   let x;");
        assert_eq!(lines("1)      - 2.      let x;"), "1)   - 2.   let x;");
        assert_eq!(lines("- a\n\n    b"), "- a\n\n   b");
    }

    #[test]
    fn fences_with_words_for_tests_are_no_tests() {
        for (info, expected) in [
            ("no_run", "text"),
            (" should_panic", "text"),
            ("{.proto}", "proto"),
            ("{ .proto .numbered }", "proto"),
            ("{class=\"x\"}", "x"),
            ("json,no_run", "json"),
            ("ignore-windows", "text"),
            ("edition2015", "text"),
            ("E0308", "text"),
            ("(a comment)", "text"),
            ("c++", "c++"),
            ("rust,no_run", "rust,no_run"),
            (" proto title=a", " proto title=a"),
        ] {
            assert_eq!(lines(&format!("```{info}\nx\n```")), format!("```{expected}\nx\n```"), "{info}");
        }
        assert_eq!(lines("``` a`b\n    c"), "``` a`b\n   c");
    }

    #[test]
    fn names_of_the_schema_are_links_outside_of_code() {
        assert_eq!(lines("See [d.v1.Pong]."), "See [d.v1.Pong](self::Pong).");
        assert_eq!(
            lines("- [`d.v1.Pong`], [it][d.v1.Pong]"),
            "- [`d.v1.Pong`](self::Pong), [it](self::Pong)"
        );
        for same in [
            "`[d.v1.Pong]`",
            "[d.v1.Nope]",
            "[d.v1.Pong](x)",
            "\\[d.v1.Pong]",
            "[d.v1.Pong]: x",
            "[a",
            "[[a]]",
            "[é`",
        ] {
            assert_eq!(lines(same), same);
        }
        assert_eq!(lines("```text\n[d.v1.Pong]\n```"), "```text\n[d.v1.Pong]\n```");
    }

    #[test]
    fn numbers_that_start_no_list_item_are_text() {
        assert_eq!(lines("1.5     s\n.     x\n)     y"), "1.5     s\n.     x\n)     y");
    }

    #[test]
    fn code_inside_a_fence_keeps_its_indentation() {
        assert_eq!(lines("```c\n        x\n```"), "```c\n        x\n```");
    }

    #[test]
    fn control_characters_are_taken_out() {
        assert_eq!(lines("a\u{0}b\rc\u{202e}d\t "), "a b cd");
    }
}
