//! Random changes of declared types as a whole, and of what refers to them.
//!
//! Changes of members are in [`super::fields`] and [`super::variants`].

use super::fields::field;
use crate::draft::{Body, Declared, Draft, Payload};
use crate::random::Random;

/// Changes a random type: its body, or its reserved numbers.
pub(super) fn body(
    draft: &mut Draft,
    random: &mut Random,
    change: impl FnOnce(&mut Body, &mut Vec<i64>, &mut Random),
) {
    let count = draft.types.len();
    if count > 0 {
        let declared = &mut draft.types[random.below(count)];
        change(&mut declared.body, &mut declared.reserved, random);
    }
}

/// Replaces the type of a field by an alias of it.
pub(super) fn alias(draft: &mut Draft, random: &mut Random) {
    let name = draft.fresh("Alias");
    let mut target = None;
    field(draft, random, |field, _| target = Some(std::mem::replace(&mut field.ty, name.clone())));
    if let Some(ty) = target {
        let declared = Declared {
            name,
            docs: String::new(),
            meta: String::new(),
            body: Body::Alias(ty),
            reserved: Vec::new(),
        };
        draft.types.push(declared);
    }
}

pub(super) fn retarget(draft: &mut Draft, random: &mut Random) {
    let ty = draft.ty(random);
    body(draft, random, |body, _, _| {
        if let Body::Alias(target) = body {
            *target = ty;
        }
    });
}

/// Replaces a whole word in the text of all types.
fn replace(draft: &mut Draft, from: &str, to: &str) {
    let change = |ty: &mut String| {
        let words: Vec<String> = ty
            .split_inclusive(['<', '>', '?', ',', ' '])
            .map(|word| {
                let end = word.len() - usize::from(word.ends_with(['<', '>', '?', ',', ' ']));
                if &word[..end] == from { format!("{to}{}", &word[end..]) } else { word.to_owned() }
            })
            .collect();
        *ty = words.concat();
    };
    draft.constants.iter_mut().for_each(|constant| change(&mut constant.ty));
    for declared in &mut draft.types {
        match &mut declared.body {
            Body::Struct(fields) => fields.iter_mut().for_each(|field| change(&mut field.ty)),
            Body::Alias(ty) => change(ty),
            Body::Enum(_) | Body::Flags(_) => {}
            Body::Union(variants) | Body::Error(variants) => {
                for variant in variants {
                    match &mut variant.payload {
                        Payload::Nothing => {}
                        Payload::Type(ty) => change(ty),
                        Payload::Fields(fields) => fields.iter_mut().for_each(|field| change(&mut field.ty)),
                    }
                }
            }
        }
    }
    for method in &mut draft.methods {
        method.parameters.iter_mut().for_each(|parameter| change(&mut parameter.ty));
        method.incoming.iter_mut().chain(&mut method.answer).chain(&mut method.throws).for_each(change);
    }
}

pub(super) fn rename_type(draft: &mut Draft, random: &mut Random) {
    let to = draft.fresh("Renamed");
    let count = draft.types.len();
    if count > 0 {
        let from = draft.types[random.below(count)].name.clone();
        let to = match from.rsplit_once('.') {
            Some((around, _)) => format!("{around}.{to}"),
            None => to,
        };
        rename(draft, &from, &to);
    }
}

/// Gives a type another name, and with it those inside of it.
fn rename(draft: &mut Draft, from: &str, to: &str) {
    let inside = format!("{from}.");
    let names: Vec<String> = draft.types.iter().map(|known| known.name.clone()).collect();
    for (index, name) in names.iter().enumerate() {
        let rest = match name.strip_prefix(&inside) {
            Some(rest) => format!(".{rest}"),
            None if name == from => String::new(),
            None => continue,
        };
        let renamed = format!("{to}{rest}");
        draft.types[index].name.clone_from(&renamed);
        replace(draft, name, &renamed);
    }
}

/// Moves a type out of all others, or into one.
pub(super) fn move_type(draft: &mut Draft, random: &mut Random) {
    let Some(home) = draft.home(random) else { return };
    let from = random.pick(&draft.types).name.clone();
    let own = from.rsplit('.').next().unwrap_or(&from).to_owned();
    let to = if from.contains('.') { own } else { format!("{home}.{own}") };
    if home != from && !home.starts_with(&format!("{from}.")) {
        rename(draft, &from, &to);
    }
}

/// Replaces the type of a field by another declared type.
pub(super) fn swap_type(draft: &mut Draft, random: &mut Random) {
    if draft.types.len() > 1 {
        let (from, to) = (random.pick(&draft.types).name.clone(), random.pick(&draft.types).name.clone());
        field(draft, random, |field, _| {
            if field.ty == from || field.ty.ends_with('?') && field.default.is_none() {
                (field.ty, field.default, field.bound) = (to, None, None);
            }
        });
    }
}

pub(super) fn kind_of_type(draft: &mut Draft, random: &mut Random) {
    let other = draft.declared(random);
    body(draft, random, |body, reserved, _| {
        *body = other.body;
        reserved.clear();
    });
}

pub(super) fn error_or_union(draft: &mut Draft, random: &mut Random) {
    body(draft, random, |body, _, _| {
        *body = match std::mem::replace(body, Body::Alias(String::new())) {
            Body::Union(variants) => Body::Error(variants),
            Body::Error(variants) => Body::Union(variants),
            other => other,
        };
    });
}

pub(super) fn reserve(draft: &mut Draft, random: &mut Random) {
    body(draft, random, |_, reserved, random| {
        if reserved.is_empty() {
            reserved.push(50);
        } else {
            reserved.remove(random.below(reserved.len()));
        }
    });
}

pub(super) fn docs(draft: &mut Draft, random: &mut Random) {
    let count = draft.types.len();
    if count > 0 {
        "Other words.".clone_into(&mut draft.types[random.below(count)].docs);
    }
}

pub(super) fn meta(draft: &mut Draft, random: &mut Random) {
    let count = draft.types.len();
    if count > 0 {
        let meta = &mut draft.types[random.below(count)].meta;
        *meta = if meta.is_empty() { "value".to_owned() } else { String::new() };
    }
}

pub(super) fn add_type(draft: &mut Draft, random: &mut Random) {
    let declared = draft.declared(random);
    draft.types.push(declared);
}

pub(super) fn remove_type(draft: &mut Draft, random: &mut Random) {
    if !draft.types.is_empty() {
        let name = random.pick(&draft.types).name.clone();
        let inside = format!("{name}.");
        let is_gone = |known: &Declared| known.name == name || known.name.starts_with(&inside);
        let gone: Vec<String> =
            draft.types.iter().filter(|known| is_gone(known)).map(|known| known.name.clone()).collect();
        draft.types.retain(|known| !is_gone(known));
        for name in &gone {
            replace(draft, name, "u32");
        }
    }
}
