//! Splits the text of `@message` into text to copy and fields' values.

use std::collections::HashMap;

use crate::ast::{Field, Value, ValueKind};
use crate::diagnostic::{self, Diagnostic, Report};
use crate::schema::MessagePart;
use crate::source::{SourceMap, Span, offset};
use crate::suggest;

/// Returns the parts of a message; fields are indices in order of their numbers. Returns `None` if a part is wrong,
/// which is reported; an unknown field only if all fields are known.
pub(crate) fn message(
    sources: &SourceMap,
    value: &Value,
    fields: &[&Field],
    all_known: bool,
    report: &mut Report,
) -> Option<Vec<MessagePart>> {
    let ValueKind::String(text) = &value.kind else { return None };
    // In reverse, so that of two fields of one name the first is used.
    let places: HashMap<&str, usize> =
        fields.iter().enumerate().rev().map(|(index, field)| (field.name.text.as_str(), index)).collect();
    let mut parts = Parts::default();
    let mut rest = text.as_str();
    while let Some(at) = rest.find(['{', '}']) {
        let brace = &rest[at..=at];
        parts.copied.push_str(&rest[..at]);
        rest = &rest[at + 1..];
        if let Some(behind) = rest.strip_prefix(brace) {
            parts.copied.push_str(brace);
            rest = behind;
            continue;
        }
        let Some(end) = rest.find('}').filter(|_| brace == "{") else {
            report.add(lone_brace(value.span, brace));
            return None;
        };
        let name = &rest[..end];
        rest = &rest[end + 1..];
        let index = places.get(name).copied();
        if index.is_none() && all_known {
            report.add(no_field(placeholder(sources, value.span, name), name, fields));
        }
        parts.field(index?);
    }
    parts.copied.push_str(rest);
    Some(parts.finish())
}

#[derive(Default)]
struct Parts {
    finished: Vec<MessagePart>,
    copied: String,
}

impl Parts {
    fn field(&mut self, index: usize) {
        self.flush();
        self.finished.push(MessagePart::Field(index));
    }

    fn flush(&mut self) {
        if !self.copied.is_empty() {
            self.finished.push(MessagePart::Text(std::mem::take(&mut self.copied)));
        }
    }

    fn finish(mut self) -> Vec<MessagePart> {
        self.flush();
        self.finished
    }
}

fn lone_brace(span: Span, brace: &str) -> Diagnostic {
    Diagnostic::new(diagnostic::MESSAGE_BRACE, format!("this message has a lone `{brace}`"))
        .at(span, "")
        .help(format!("write `{{name}}` for a field's value, `{brace}{brace}` for the brace itself"))
}

/// Returns the span of `{name}` in the string, if it is there literally and not through escapes.
fn placeholder(sources: &SourceMap, string: Span, name: &str) -> Span {
    let written = format!("{{{name}}}");
    match sources.text(string).find(&written) {
        Some(at) => {
            let start = string.start + offset(at);
            Span { start, end: start + offset(written.len()), ..string }
        }
        None => string,
    }
}

fn no_field(span: Span, name: &str, fields: &[&Field]) -> Diagnostic {
    let names = || fields.iter().map(|field| field.name.text.as_str());
    let help = match (suggest::nearest(name, names()), fields) {
        (Some(nearest), _) => format!("did you mean `{{{nearest}}}`?"),
        (None, []) => {
            "only a variant with fields of its own can show any; write `{{` for a brace itself".to_owned()
        }
        (None, _) => {
            let names: Vec<String> = names().map(|name| format!("`{name}`")).collect();
            format!("it has {}", names.join(", "))
        }
    };
    // Through escapes, the place is that of the whole string.
    let is_literal = (span.end - span.start) as usize == name.len() + 2;
    let nearest =
        suggest::nearest(name, names()).filter(|_| is_literal).map(|nearest| format!("{{{nearest}}}"));
    Diagnostic::new(diagnostic::MESSAGE_FIELD, format!("this variant has no field `{}`", name.escape_debug()))
        .at(span, "")
        .help(help)
        .suggest_if(span, nearest)
}
