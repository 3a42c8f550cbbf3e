//! Random changes of the values of enums, of flags, and of the variants of unions and errors.

use super::types::body;
use crate::draft::{Body, Draft};
use crate::random::Random;

pub(super) fn add_value(draft: &mut Draft, random: &mut Random) {
    let name = draft.fresh("Value");
    body(draft, random, |body, _, _| {
        if let Body::Enum(values) | Body::Flags(values) = body {
            let next = values.iter().map(|(_, number)| number + 1).max().unwrap_or(0);
            values.push((name, next));
        }
    });
}

pub(super) fn remove_value(draft: &mut Draft, random: &mut Random) {
    body(draft, random, |body, reserved, random| match body {
        Body::Enum(values) | Body::Flags(values) if values.len() > 1 => {
            let (_, number) = values.remove(random.below(values.len()));
            reserved.extend(random.one_in(2).then_some(number));
        }
        _ => {}
    });
}

pub(super) fn rename_value(draft: &mut Draft, random: &mut Random) {
    let name = draft.fresh("Value");
    body(draft, random, |body, _, random| {
        if let Body::Enum(values) | Body::Flags(values) = body {
            let at = random.below(values.len());
            values[at].0 = name;
        }
    });
}

pub(super) fn renumber_value(draft: &mut Draft, random: &mut Random) {
    body(draft, random, |body, _, random| match body {
        Body::Enum(values) if random.one_in(2) => values[0].1 = if random.one_in(2) { 77 } else { -77 },
        Body::Flags(values) if random.one_in(2) => values[0].1 = 62,
        Body::Enum(values) | Body::Flags(values) => {
            let last = values.len() - 1;
            let (first, second) = (values[0].1, values[last].1);
            (values[0].1, values[last].1) = (second, first);
        }
        Body::Union(variants) | Body::Error(variants) => variants[0].number = 77,
        _ => {}
    });
}

pub(super) fn add_variant(draft: &mut Draft, random: &mut Random) {
    let mut added = draft.variant(random, 0);
    body(draft, random, |body, _, _| {
        if let Body::Union(variants) | Body::Error(variants) = body {
            added.number = variants.iter().map(|variant| variant.number + 1).max().unwrap_or(1);
            variants.push(added);
        }
    });
}

pub(super) fn remove_variant(draft: &mut Draft, random: &mut Random) {
    body(draft, random, |body, reserved, random| match body {
        Body::Union(variants) | Body::Error(variants) if variants.len() > 1 => {
            let gone = variants.remove(random.below(variants.len()));
            reserved.extend(random.one_in(2).then_some(i64::from(gone.number)));
        }
        _ => {}
    });
}

pub(super) fn rename_variant(draft: &mut Draft, random: &mut Random) {
    let name = draft.fresh("Variant");
    body(draft, random, |body, _, _| {
        if let Body::Union(variants) | Body::Error(variants) = body {
            variants[0].name = name;
        }
    });
}

pub(super) fn payload(draft: &mut Draft, random: &mut Random) {
    let other = draft.variant(random, 0);
    body(draft, random, |body, _, random| {
        if let Body::Union(variants) | Body::Error(variants) = body {
            let at = random.below(variants.len());
            variants[at].payload = other.payload;
        }
    });
}
