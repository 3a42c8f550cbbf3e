//! Cuts the text of `@message` into what is copied and what is a field's value.

use crate::ast::{Field, Value, ValueKind};
use crate::diagnostic::{self, Diagnostic, Report};
use crate::schema::MessagePart;
use crate::source::Span;
use crate::suggest;

/// The parts of a message; fields are told by their place in order of their numbers. Absent where one is wrong, which
/// is reported.
pub(crate) fn message(
    value: &Value,
    fields: &[&Field],
    damaged: bool,
    report: &mut Report,
) -> Option<Vec<MessagePart>> {
    let ValueKind::String(text) = &value.kind else { return None };
    let mut parts: Vec<MessagePart> = Vec::new();
    let mut copied = String::new();
    let mut rest = text.as_str();
    while let Some(at) = rest.find(['{', '}']) {
        copied.push_str(&rest[..at]);
        let brace = &rest[at..=at];
        rest = &rest[at + 1..];
        if let Some(behind) = rest.strip_prefix(brace) {
            copied.push_str(brace);
            rest = behind;
            continue;
        }
        let Some(end) = rest.find('}').filter(|_| brace == "{") else {
            report.add(lone_brace(value.span, brace));
            return None;
        };
        let name = &rest[..end];
        rest = &rest[end + 1..];
        let Some(index) = fields.iter().position(|field| field.name.text == name) else {
            if !damaged {
                report.add(no_field(value.span, name, fields));
            }
            return None;
        };
        if !copied.is_empty() {
            parts.push(MessagePart::Text(std::mem::take(&mut copied)));
        }
        parts.push(MessagePart::Field(index));
    }
    copied.push_str(rest);
    if !copied.is_empty() {
        parts.push(MessagePart::Text(copied));
    }
    Some(parts)
}

fn lone_brace(span: Span, brace: &str) -> Diagnostic {
    Diagnostic::new(diagnostic::MESSAGE_BRACE, format!("this message has a lone `{brace}`"))
        .at(span, "")
        .help(format!("write `{{name}}` for a field's value, `{brace}{brace}` for the brace itself"))
}

fn no_field(span: Span, name: &str, fields: &[&Field]) -> Diagnostic {
    let names = || fields.iter().map(|field| field.name.text.as_str());
    let help = match (suggest::nearest(name, names()), fields) {
        (Some(nearest), _) => format!("did you mean `{{{nearest}}}`?"),
        (None, []) => {
            "only a variant with fields of its own can show any; write `{{` for a brace itself".to_owned()
        }
        (None, _) => {
            format!("it has {}", names().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", "))
        }
    };
    Diagnostic::new(diagnostic::MESSAGE_FIELD, format!("this variant has no field `{}`", name.escape_debug()))
        .at(span, "")
        .help(help)
}
