//! Random changes of fields of structs, variants and methods.
//!
//! Changes of the list of parameters of a method are in [`super::methods`].

use crate::draft::{Body, Draft, Member, Payload};
use crate::random::Random;

/// Returns a random list of fields that is not empty: of a struct, a variant or a method.
fn fields<'a>(draft: &'a mut Draft, random: &mut Random) -> Option<&'a mut Vec<Member>> {
    let mut all: Vec<&mut Vec<Member>> = Vec::new();
    for declared in &mut draft.types {
        match &mut declared.body {
            Body::Struct(fields) => all.push(fields),
            Body::Union(variants) | Body::Error(variants) => {
                all.extend(variants.iter_mut().filter_map(|variant| match &mut variant.payload {
                    Payload::Fields(fields) => Some(fields),
                    _ => None,
                }));
            }
            Body::Enum(_) | Body::Flags(_) | Body::Alias(_) => {}
        }
    }
    all.extend(draft.methods.iter_mut().map(|method| &mut method.parameters));
    all.retain(|fields| !fields.is_empty());
    let at = random.below(all.len());
    (at < all.len()).then(|| all.swap_remove(at))
}

/// Changes a random field.
pub(super) fn field(draft: &mut Draft, random: &mut Random, change: impl FnOnce(&mut Member, &mut Random)) {
    if let Some(fields) = fields(draft, random) {
        let at = random.below(fields.len());
        change(&mut fields[at], random);
    }
}

pub(super) fn add_field(draft: &mut Draft, random: &mut Random) {
    let mut added = draft.member(random, 0);
    if random.one_in(2) && !added.ty.ends_with('?') && added.default.is_none() {
        added.ty.push('?');
    }
    let mut structs: Vec<&mut Vec<Member>> = draft
        .types
        .iter_mut()
        .filter_map(|declared| match &mut declared.body {
            Body::Struct(fields) => Some(fields),
            _ => None,
        })
        .collect();
    if structs.is_empty() {
        return;
    }
    let at = random.below(structs.len());
    let fields = &mut *structs[at];
    let last = fields.iter().map(|field| field.number).max().unwrap_or(0);
    let free: Vec<u32> =
        (1..last + 3).filter(|number| fields.iter().all(|field| field.number != *number)).collect();
    added.number = *random.pick(&free);
    fields.push(added);
}

pub(super) fn remove_field(draft: &mut Draft, random: &mut Random) {
    let reserve = random.one_in(2);
    let mut structs: Vec<_> = draft.types.iter_mut().collect();
    if structs.is_empty() {
        return;
    }
    let at = random.below(structs.len());
    if let Body::Struct(fields) = &mut structs[at].body
        && fields.len() > 1
    {
        let gone = fields.remove(random.below(fields.len()));
        structs[at].reserved.extend(reserve.then_some(i64::from(gone.number)));
    }
}

pub(super) fn rename_field(draft: &mut Draft, random: &mut Random) {
    let name = draft.fresh("renamed_");
    field(draft, random, |field, _| field.name = name);
}

pub(super) fn renumber_field(draft: &mut Draft, random: &mut Random) {
    field(draft, random, |field, random| field.number = 10 + u32::try_from(random.below(5)).unwrap_or(0));
}

pub(super) fn swap_numbers(draft: &mut Draft, random: &mut Random) {
    if let Some(fields) = fields(draft, random) {
        let last = fields.len() - 1;
        let (first, second) = (fields[0].number, fields[last].number);
        (fields[0].number, fields[last].number) = (second, first);
    }
}

pub(super) fn retype_field(draft: &mut Draft, random: &mut Random) {
    let ty = draft.ty(random);
    field(draft, random, |field, _| {
        (field.ty, field.default, field.bound) = (ty, None, None);
    });
}

pub(super) fn widen_integer(draft: &mut Draft, random: &mut Random) {
    field(draft, random, |field, random| {
        let numbers = ["u8", "u16", "u32", "u64", "i8", "i32", "i64", "f32", "f64", "duration"];
        if numbers.contains(&field.ty.as_str()) {
            (*random.pick(&numbers)).clone_into(&mut field.ty);
            (field.default, field.bound) = (None, None);
        }
    });
}

pub(super) fn optional_field(draft: &mut Draft, random: &mut Random) {
    field(draft, random, |field, random| {
        if field.ty.ends_with('?') {
            field.ty.pop();
            field.default = (random.one_in(2) && field.ty == "string").then(|| "\"seven\"".to_owned());
        } else {
            field.default = None;
            field.ty.push('?');
        }
    });
}

pub(super) fn default_of_field(draft: &mut Draft, random: &mut Random) {
    field(draft, random, |field, _| {
        let default = match (field.default.as_deref(), field.ty.as_str()) {
            (Some("7"), _) => Some("8"),
            (Some(_), _) => None,
            (None, "string") => Some("\"eight\""),
            (None, "bool") => Some("false"),
            (None, _) => Some("9"),
        };
        field.default = default.map(str::to_owned);
    });
}

pub(super) fn bound_of_field(draft: &mut Draft, random: &mut Random) {
    field(draft, random, |field, random| {
        field.bound = match (field.bound, field.ty.as_str()) {
            (Some(_), _) if random.one_in(2) => None,
            (Some((name, min, max)), _) => {
                let max = if random.one_in(2) { max + 5 } else { max.saturating_sub(1).max(min) };
                Some((name, if random.one_in(2) { 0 } else { min }, max))
            }
            (None, "string" | "bytes") => Some(("len", 0, 5)),
            (None, ty) if ty.starts_with("list<") => Some(("len", 0, 2)),
            (None, _) => Some(("range", 0, 90)),
        };
    });
}
