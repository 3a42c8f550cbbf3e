//! Random changes of methods and of their parameters.

use crate::draft::{ACCESS, Body, Draft, Member, Method};
use crate::random::Random;

pub(super) fn add_method(draft: &mut Draft, random: &mut Random) {
    let method = draft.method(random);
    draft.methods.push(method);
}

pub(super) fn remove_method(draft: &mut Draft, random: &mut Random) {
    if !draft.methods.is_empty() {
        draft.methods.remove(random.below(draft.methods.len()));
    }
}

/// Changes a random method.
fn method(draft: &mut Draft, random: &mut Random, change: impl FnOnce(&mut Method, &mut Random)) {
    let count = draft.methods.len();
    if count > 0 {
        change(&mut draft.methods[random.below(count)], random);
    }
}

pub(super) fn rename_method(draft: &mut Draft, random: &mut Random) {
    let name = draft.fresh("renamed_");
    method(draft, random, |method, _| method.name = name);
}

pub(super) fn one_way(draft: &mut Draft, random: &mut Random) {
    method(draft, random, |method, _| {
        method.one_way = !method.one_way;
        (method.incoming, method.streams, method.answer, method.throws) = (None, false, None, Vec::new());
    });
}

pub(super) fn answer_stream(draft: &mut Draft, random: &mut Random) {
    method(draft, random, |method, _| method.streams = !method.streams && method.answer.is_some());
}

pub(super) fn incoming_stream(draft: &mut Draft, random: &mut Random) {
    let ty = draft.ty(random);
    method(draft, random, |method, random| {
        method.incoming = if method.incoming.is_some() && random.one_in(2) { None } else { Some(ty) };
    });
}

pub(super) fn answer(draft: &mut Draft, random: &mut Random) {
    let ty = draft.ty(random);
    method(draft, random, |method, random| {
        method.answer = if method.answer.is_some() && random.one_in(2) { None } else { Some(ty) };
        method.streams &= method.answer.is_some();
    });
}

pub(super) fn throws(draft: &mut Draft, random: &mut Random) {
    let errors: Vec<String> = draft
        .types
        .iter()
        .filter(|known| matches!(known.body, Body::Error(_)))
        .map(|known| known.name.clone())
        .collect();
    method(draft, random, |method, random| {
        if method.throws.is_empty() || !random.one_in(3) {
            let Some(other) = (!errors.is_empty()).then(|| random.pick(&errors).clone()) else { return };
            match method.throws.len() {
                0 => method.throws.push(other),
                count => method.throws[random.below(count)] = other,
            }
        } else {
            method.throws.clear();
        }
    });
}

pub(super) fn add_error(draft: &mut Draft, random: &mut Random) {
    let error = draft.error(random);
    method(draft, random, |method, random| {
        let at = if random.one_in(4) { 0 } else { method.throws.len() };
        method.throws.insert(at, error);
    });
}

pub(super) fn remove_error(draft: &mut Draft, random: &mut Random) {
    method(draft, random, |method, random| {
        if !method.throws.is_empty() {
            let last = method.throws.len() - 1;
            method.throws.remove(if random.one_in(3) { 0 } else { last });
        }
    });
}

pub(super) fn swap_errors(draft: &mut Draft, random: &mut Random) {
    method(draft, random, |method, _| method.throws.reverse());
}

fn renumber(parameters: &mut [Member]) {
    parameters.iter_mut().zip(1..).for_each(|(parameter, number)| parameter.number = number);
}

pub(super) fn add_parameter(draft: &mut Draft, random: &mut Random) {
    let mut added = draft.member(random, 0);
    if random.one_in(2) && !added.ty.ends_with('?') && added.default.is_none() {
        added.ty.push('?');
    }
    method(draft, random, |method, random| {
        let at = if random.one_in(4) { 0 } else { method.parameters.len() };
        method.parameters.insert(at, added);
        renumber(&mut method.parameters);
    });
}

pub(super) fn remove_parameter(draft: &mut Draft, random: &mut Random) {
    method(draft, random, |method, random| {
        if !method.parameters.is_empty() {
            let last = method.parameters.len() - 1;
            method.parameters.remove(if random.one_in(3) { 0 } else { last });
            renumber(&mut method.parameters);
        }
    });
}

pub(super) fn swap_parameters(draft: &mut Draft, random: &mut Random) {
    method(draft, random, |method, _| {
        method.parameters.reverse();
        renumber(&mut method.parameters);
    });
}

pub(super) fn rename_parameter(draft: &mut Draft, random: &mut Random) {
    let name = draft.fresh("renamed_");
    method(draft, random, |method, _| {
        if let Some(parameter) = method.parameters.first_mut() {
            parameter.name = name;
        }
    });
}

pub(super) fn attributes(draft: &mut Draft, random: &mut Random) {
    method(draft, random, |method, random| {
        if random.one_in(3) {
            method.shard = !method.shard;
            return;
        }
        method.attributes = if method.one_way {
            *random.pick(&["", "@blocking"])
        } else {
            *random.pick(&["@deadline(2s)", "@idempotent", "@overlap(queue)", "@blocking"])
        };
    });
}

pub(super) fn access(draft: &mut Draft, random: &mut Random) {
    if random.one_in(3) {
        draft.access = *random.pick(&ACCESS);
    } else {
        method(draft, random, |method, random| method.access = *random.pick(&ACCESS));
    }
}

pub(super) fn extends(draft: &mut Draft, _: &mut Random) {
    draft.extends = !draft.extends;
}

/// Moves a method to the service that is extended, or back.
pub(super) fn to_or_from_base(draft: &mut Draft, random: &mut Random) {
    let (from, to) = if random.one_in(2) {
        (&mut draft.methods, &mut draft.base)
    } else {
        (&mut draft.base, &mut draft.methods)
    };
    if !from.is_empty() {
        to.push(from.remove(random.below(from.len())));
    }
}

/// Makes a change of methods in the service that is extended.
pub(super) fn change_base(draft: &mut Draft, random: &mut Random) {
    const CHANGES: [super::Mutation; 9] = [
        add_method,
        remove_method,
        rename_method,
        one_way,
        answer,
        add_error,
        add_parameter,
        remove_parameter,
        access,
    ];
    let swap = |draft: &mut Draft| {
        std::mem::swap(&mut draft.methods, &mut draft.base);
        std::mem::swap(&mut draft.access, &mut draft.base_access);
    };
    swap(draft);
    random.pick(&CHANGES)(draft, random);
    swap(draft);
}
