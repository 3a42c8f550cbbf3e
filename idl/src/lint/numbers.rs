//! Lints about wire numbers.

use super::context::{Context, Findings};
use crate::check::numbers::numbers;
use crate::check::walk::{self, Body};
use crate::schema::Layout;
use crate::source::Span;

/// Reports numbers of a struct, up to its last, that are neither used nor reserved. In one that is a map from numbers they cost
/// nothing.
pub(super) fn number_gaps(context: &Context, findings: &mut Findings) {
    let is_array = |body: &&Body| {
        let last = body.members.iter().filter_map(|(_, number)| number.value).max().unwrap_or(0);
        let last = usize::try_from(last).unwrap_or(usize::MAX);
        body.member == "field" && Layout::of_numbers(body.members.len(), last) == Layout::Array
    };
    for body in walk::bodies(context.model).iter().filter(is_array) {
        for Gap { ranges, first, span } in gaps(body) {
            let message = format!("the numbers before this one have a hole: {ranges}");
            let help =
                format!("write `reserved {ranges};` if there was something once, else use {first} next");
            findings.add(span, message, help);
        }
    }
}

/// Numbers that nothing has.
struct Gap {
    /// The ranges as `reserved` takes them: `4, 6..=8`.
    ranges: String,
    /// The least of the numbers.
    first: i128,
    /// Span of the number of the following field.
    span: Span,
}

fn gaps(body: &Body) -> Vec<Gap> {
    let members =
        body.members.iter().filter_map(|(_, number)| Some((number.value?, number.value?, Some(number.span))));
    let reserved = body.reserved.iter().filter_map(numbers).map(|(min, max, _)| (min, max, None));
    let mut taken: Vec<(i128, i128, Option<Span>)> = members.chain(reserved).collect();
    taken.sort_by_key(|(min, ..)| *min);
    let (mut next, _) = body.limits;
    let mut missing: Vec<(i128, i128)> = Vec::new();
    let mut gaps = Vec::new();
    for (min, max, span) in taken {
        if min > next {
            missing.push((next, min - 1));
        }
        next = next.max(max.saturating_add(1));
        if let (Some(span), Some((first, _))) = (span, missing.first().copied()) {
            let ranges: Vec<String> = missing.drain(..).map(told).collect();
            gaps.push(Gap { ranges: ranges.join(", "), first, span });
        }
    }
    gaps
}

fn told((from, to): (i128, i128)) -> String {
    if from == to { from.to_string() } else { format!("{from}..={to}") }
}
