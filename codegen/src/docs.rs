//! Docs and deprecations, as attributes.
//!
//! Docs of a schema are Markdown that was not written for rustdoc. Code that rustdoc would run as a test becomes plain
//! text here, unless a fence names its language.

use proc_macro2::TokenStream;
use quote::quote;
use zsvc_idl::schema::Notes;

/// Returns the attributes of a declaration. `fallback` is its documentation if the schema has none.
pub(crate) fn attributes(notes: &Notes, fallback: &str) -> TokenStream {
    let docs = if notes.docs.trim().is_empty() { doc(fallback) } else { doc(&notes.docs) };
    let deprecated = notes.deprecated.as_ref().map(|note| quote!(#[deprecated(note = #note)]));
    quote!(#docs #deprecated)
}

/// Returns a text as doc comments, one per line.
pub(crate) fn doc(text: &str) -> TokenStream {
    let lines = lines_of(text).into_iter().map(|line| match line {
        line if line.is_empty() => line,
        line => format!(" {line}"),
    });
    quote!(#(#[doc = #lines])*)
}

/// Returns the lines of a text, changed so that rustdoc takes none for Rust.
fn lines_of(text: &str) -> Vec<String> {
    let mut lines = Vec::new();
    let mut fence: Option<Fence> = None;
    let mut has_list = false;
    for line in text.lines().map(clean) {
        if let Some(open) = &fence {
            match open.rest(&line) {
                Some(rest) if open.is_closed_by(rest) => {
                    fence = None;
                    lines.push(line);
                    continue;
                }
                Some(_) => {
                    lines.push(line);
                    continue;
                }
                // The quote or list ends, and the fence with it. Close it, or its closing fence would open another.
                None => lines.push(open.end()),
            }
        }
        let (prefix, content) = split_prefix(&line);
        has_list |= prefix.contains(|letter| !matches!(letter, ' ' | '>'));
        let prefix = shallow(prefix);
        let marker = marker(content);
        let language = if !marker.is_empty() && content == marker { "text" } else { "" };
        lines.push(format!("{prefix}{content}{language}"));
        fence = (!marker.is_empty()).then(|| Fence { marker: marker.to_owned(), prefix, has_list });
    }
    lines
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
    let harmless = line.trim_end().chars().filter(|&letter| !turns(letter));
    harmless.map(|letter| if letter.is_control() { ' ' } else { letter }).collect()
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
        lines_of(text).join("\n")
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
    fn indented_code_is_no_code() {
        assert_eq!(lines("a\n\n        let x;"), "a\n\n   let x;");
        assert_eq!(lines(">      let x;"), ">   let x;");
        assert_eq!(lines("10.      let x;"), "10.   let x;");
        assert_eq!(lines("1)      - 2.      let x;"), "1)   - 2.   let x;");
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
