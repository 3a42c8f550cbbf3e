//! Docs and deprecations, as attributes.
//!
//! Docs of a schema are Markdown that nobody wrote for rustdoc: what rustdoc would run as a test is made plain text
//! here, unless a fence names its language.

use proc_macro2::TokenStream;
use quote::quote;
use zsvc_idl::schema::Notes;

/// The attributes of a declared thing. `fallback` is its documentation where the schema has none.
pub(crate) fn attributes(notes: &Notes, fallback: &str) -> TokenStream {
    let docs = if notes.docs.trim().is_empty() { doc(fallback) } else { doc(&notes.docs) };
    let deprecated = notes.deprecated.as_ref().map(|note| quote!(#[deprecated(note = #note)]));
    quote!(#docs #deprecated)
}

/// A text as doc comments, a line each.
pub(crate) fn doc(text: &str) -> TokenStream {
    let mut fence = None;
    let lines = text.lines().map(|line| match line_of(&clean(line), &mut fence) {
        line if line.is_empty() => line,
        line => format!(" {line}"),
    });
    quote!(#(#[doc = #lines])*)
}

/// A code fence that is open: its marker.
type Fence = Option<String>;

/// One line, once it is seen whether it opens or closes a fence.
fn line_of(line: &str, fence: &mut Fence) -> String {
    let (prefix, content) = split_prefix(line);
    let marker = marker(content);
    match fence {
        Some(open) if marker.starts_with(open.as_str()) && content == marker => {
            *fence = None;
            line.to_owned()
        }
        Some(_) => line.to_owned(),
        None if marker.is_empty() => shallow(prefix) + content,
        None => {
            *fence = Some(marker.to_owned());
            let language = if content == marker { "text" } else { "" };
            shallow(prefix) + content + language
        }
    }
}

/// Takes out what a comment of generated code must not hold: control characters, and those that turn the
/// direction of text, which rustc refuses.
fn clean(line: &str) -> String {
    let turns = |letter: char| matches!(letter, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
    let harmless = line.trim_end().chars().filter(|&letter| !turns(letter));
    harmless.map(|letter| if letter.is_control() { ' ' } else { letter }).collect()
}

/// Cuts a line after the indentation and the markers of lists and quotes that it begins with.
fn split_prefix(line: &str) -> (&str, &str) {
    let mut content = line;
    loop {
        content = content.trim_start_matches([' ', '>', '-', '*', '+']);
        let Some(rest) = after_number(content) else { break };
        content = rest;
    }
    line.split_at(line.len() - content.len())
}

/// What follows the marker of an ordered list: `1.` or `1)`, and then a space.
fn after_number(content: &str) -> Option<&str> {
    let rest = content.trim_start_matches(|letter: char| letter.is_ascii_digit());
    let marked = rest.strip_prefix(['.', ')']).filter(|after| after.is_empty() || after.starts_with(' '));
    marked.filter(|_| rest.len() < content.len())
}

/// The backticks or tildes that make a line a fence, or nothing.
fn marker(content: &str) -> &str {
    let marks = ['`', '~'].map(|mark| &content[..content.len() - content.trim_start_matches(mark).len()]);
    marks.into_iter().find(|mark| mark.len() >= 3).unwrap_or_default()
}

/// Keeps at most three spaces in a row: four would make a code block.
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
        let mut fence = None;
        let lines: Vec<String> = text.lines().map(|line| line_of(&clean(line), &mut fence)).collect();
        lines.join("\n")
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
