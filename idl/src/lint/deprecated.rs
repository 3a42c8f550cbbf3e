//! Who uses what is deprecated.

use std::collections::BTreeMap;

use super::context::{Context, Findings};
use super::uses;
use crate::check::subjects::{Node, Subject};
use crate::source::Span;

/// What is not deprecated itself uses nothing that is.
pub(super) fn deprecated_use(context: &Context, findings: &mut Findings) {
    let deprecated = deprecated(&context.subjects);
    if deprecated.is_empty() {
        return;
    }
    // The depth from which on all is deprecated, until something starts that does not stand in it.
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

/// The attributes of deprecated declarations, by where their names stand.
fn deprecated(subjects: &[Subject]) -> BTreeMap<Span, Span> {
    let items = subjects.iter().filter(|subject| matches!(subject.node, Node::Item(_)));
    items.filter_map(|it| Some((it.span(), it.preamble.find("deprecated")?.span))).collect()
}

fn text<'a>(context: &'a Context, span: Span) -> &'a str {
    context.model.program.sources.text(span)
}
