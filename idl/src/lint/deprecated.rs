//! Finds uses of what is deprecated.

use std::collections::BTreeMap;

use super::context::{Context, Findings};
use super::uses;
use crate::check::subjects::{Node, Subject};
use crate::source::Span;

/// Reports uses of deprecated declarations by ones that are not deprecated.
pub(super) fn deprecated_use(context: &Context, findings: &mut Findings) {
    let deprecated = deprecated(&context.subjects);
    if deprecated.is_empty() {
        return;
    }
    // Depth of the deprecated subject around the current one, until a subject starts that is not inside it.
    let mut inside: Option<u8> = None;
    for subject in &context.subjects {
        inside = inside.filter(|depth| *depth < subject.depth);
        if subject.preamble.find("deprecated").is_some() {
            inside = inside.or(Some(subject.depth));
        }
        if inside.is_some() {
            continue;
        }
        for it in uses::of(context.model, subject) {
            if let Some(attribute) = deprecated.get(&it.declared) {
                let message = format!("`{}` is deprecated", text(context, it.at));
                let help = "use what its deprecation names, or deprecate this as well";
                findings.add_related(it.at, message, Some((*attribute, "deprecated here")), help);
            }
        }
    }
}

/// Returns the attributes of deprecated declarations, by the spans of their names.
fn deprecated(subjects: &[Subject]) -> BTreeMap<Span, Span> {
    let items = subjects.iter().filter(|subject| matches!(subject.node, Node::Item(_)));
    items.filter_map(|it| Some((it.span(), it.preamble.find("deprecated")?.span))).collect()
}

fn text<'a>(context: &'a Context, span: Span) -> &'a str {
    context.model.program.sources.text(span)
}
