//! Docs of a schema as docstrings. They are Markdown, which editors show.

use zsvc_idl::schema::{Access, Notes};

use super::lines::Lines;
use crate::docs::callers;

/// Adds the docstring of a declaration, if there is something to say. Returns whether there is.
pub(crate) fn docstring(lines: &mut Lines, notes: &Notes, fallback: &str) -> bool {
    let text = text(notes, fallback);
    write(lines, &text);
    !text.is_empty()
}

/// As [`docstring`], of a method, whose docs end with who may call it.
pub(crate) fn of_method(lines: &mut Lines, notes: &Notes, fallback: &str, access: &Access) {
    let mut text = text(notes, fallback);
    if let Some(callers) = callers(access) {
        text = if text.is_empty() { callers } else { format!("{text}\n\n{callers}") };
    }
    write(lines, &text);
}

fn text(notes: &Notes, fallback: &str) -> String {
    let docs = notes.docs.trim();
    let text = if docs.is_empty() { fallback.to_owned() } else { docs.to_owned() };
    match &notes.deprecated {
        None => text,
        Some(why) if text.is_empty() => format!("Deprecated: {why}"),
        Some(why) => format!("{text}\n\nDeprecated: {why}"),
    }
}

/// Adds a text as a docstring: on one line if it is one.
pub(crate) fn write(lines: &mut Lines, text: &str) {
    if text.is_empty() {
        return;
    }
    let rows: Vec<String> = text.lines().map(|line| escaped(line.trim_end())).collect();
    if let [only] = rows.as_slice() {
        return lines.line(&format!("\"\"\"{only}\"\"\""));
    }
    for (index, row) in rows.iter().enumerate() {
        if index == 0 { lines.line(&format!("\"\"\"{row}")) } else { lines.line(row) }
    }
    lines.line("\"\"\"");
}

/// Returns a line as it can stand in a docstring: without what would end it, or be taken for an escape.
fn escaped(line: &str) -> String {
    let line = line.replace('\\', "\\\\").replace('\u{200b}', "\\u200b");
    let mut line = line.replace("\"\"\"", "\\\"\\\"\\\"");
    if line.ends_with('"') && !line.ends_with("\\\"") {
        line.pop();
        line.push_str("\\\"");
    }
    line
}
