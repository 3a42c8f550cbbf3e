//! What the language can't say: a comment at its place, and a note.

use protox::prost_reflect::prost_types::UninterpretedOption;

use super::file::{File, Part};

/// Path of an option inside the options of a part.
const UNINTERPRETED: i32 = 999;

/// Options that say something to a generator of code for another language, or nothing at all to a peer.
const SILENT: [&str; 16] = [
    "optimize_for",
    "go_package",
    "swift_prefix",
    "java_package",
    "java_outer_classname",
    "java_multiple_files",
    "java_generate_equals_and_hash",
    "java_string_check_utf8",
    "csharp_namespace",
    "objc_class_prefix",
    "packed",
    "lazy",
    "unverified_lazy",
    "ctype",
    "debug_redact",
    "deprecated_legacy_json_field_conflicts",
];

/// Starts of the names of further ones.
const SILENT_STARTS: [&str; 5] = ["cc_", "py_", "php_", "ruby_", "java_"];

/// What options say that the language has a word for.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Said {
    pub(crate) deprecated: bool,
    pub(crate) idempotent: bool,
}

impl File<'_> {
    /// Writes a part that the language can't say as a comment.
    pub(crate) fn unsaid(&mut self, part: &Part, what: &str) {
        self.plain_comments_of(part);
        let text = self.text(part.span.clone());
        self.quoted(text);
        self.note(part.span.start, format!("{what} has no counterpart, and is kept as a comment"));
    }

    /// Writes the options at a path that the language can't say as comments. Returns what it can say.
    pub(crate) fn options(&mut self, path: &[i32], options: &[UninterpretedOption]) -> Said {
        let mut said = Said::default();
        for (at, option) in options.iter().enumerate() {
            let name = name(option);
            match name.as_str() {
                "deprecated" => said.deprecated = value(option) == "true",
                "idempotency_level" => said.idempotent = value(option) != "IDEMPOTENCY_UNKNOWN",
                "allow_alias" | "default" | "map_entry" => {}
                "jstype" if value(option) == "JS_NORMAL" => {}
                silent if SILENT.contains(&silent) => {}
                silent if SILENT_STARTS.iter().any(|start| silent.starts_with(start)) => {}
                _ => self.unsaid_option(path, at, &name),
            }
        }
        said
    }

    /// Writes the options of the file that the language can't say as comments: `deprecated` is one of them, since no package is.
    pub(crate) fn file_options(&mut self, path: &[i32], options: &[UninterpretedOption]) {
        if self.options(path, options).deprecated {
            for at in (0..options.len()).filter(|at| name(&options[*at]) == "deprecated") {
                self.unsaid_option(path, at, "deprecated");
            }
        }
    }

    /// Writes an option as a comment. `at` is its place among those at a path.
    fn unsaid_option(&mut self, path: &[i32], at: usize, name: &str) {
        let at = [UNINTERPRETED, i32::try_from(at).unwrap_or(i32::MAX)];
        let span = self.span(&[path, &at].concat());
        self.comments.inside(span.clone());
        let text = self.text(span.clone());
        self.quoted(text);
        self.note(span.start, format!("the option `{name}` has no counterpart, and is kept as a comment"));
    }

    /// Writes text of protobuf as a comment.
    pub(crate) fn quoted(&mut self, text: &str) {
        let indent = text.lines().skip(1).filter(|line| !line.trim().is_empty());
        let indent = indent.map(|line| line.len() - line.trim_start().len()).min().unwrap_or(0);
        let lines = text.lines().enumerate().map(|(at, line)| match at {
            0 => format!("protobuf: {line}"),
            _ => without_indent(line, indent).trim_end().replace('\t', "  "),
        });
        let lines: Vec<String> = lines.collect();
        self.draft.comment(&lines);
    }

    /// Writes `@deprecated`, for which protobuf has no text.
    pub(crate) fn deprecated(&mut self, said: Said) {
        if said.deprecated {
            self.draft.line("@deprecated(\"deprecated in protobuf\")");
        }
    }
}

/// Returns a line without up to `bytes` bytes of the white space that it starts with.
fn without_indent(line: &str, bytes: usize) -> &str {
    let spaces = line.char_indices().take_while(|(at, char)| *at < bytes && char.is_whitespace());
    let end = spaces.last().map_or(0, |(at, space)| at + space.len_utf8());
    &line[end..]
}

/// Returns the name of an option as it is written.
fn name(option: &UninterpretedOption) -> String {
    let parts = option
        .name
        .iter()
        .map(|part| if part.is_extension { format!("({})", part.name_part) } else { part.name_part.clone() });
    parts.collect::<Vec<_>>().join(".")
}

fn value(option: &UninterpretedOption) -> &str {
    option.identifier_value.as_deref().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_lose_their_indentation_and_no_more() {
        assert_eq!(without_indent("    a b", 2), "  a b");
        assert_eq!(without_indent("  a", 4), "a");
        assert_eq!(without_indent("\u{a0}a", 1), "a");
        assert_eq!(without_indent(" ", 4), "");
    }
}
