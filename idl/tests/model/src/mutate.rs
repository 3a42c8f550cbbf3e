//! Random changes of schemas. What comes out need not compile: then another change is tried.

use crate::draft::{Body, Draft, Member, Payload};
use crate::random::Random;

/// A change of a draft; it may find nothing to change.
pub type Mutation = fn(&mut Draft, &mut Random);

/// All there are.
pub const MUTATIONS: &[Mutation] = &[
    add_field,
    add_field,
    remove_field,
    remove_field,
    rename_field,
    renumber_field,
    swap_numbers,
    retype_field,
    retype_field,
    optional_field,
    optional_field,
    default_of_field,
    bound_of_field,
    widen_integer,
    add_value,
    remove_value,
    rename_value,
    renumber_value,
    add_variant,
    remove_variant,
    rename_variant,
    payload,
    alias,
    retarget,
    rename_type,
    kind_of_type,
    error_or_union,
    reserve,
    docs,
    swap_type,
    add_type,
    remove_type,
    add_method,
    remove_method,
    rename_method,
    one_way,
    answer_stream,
    incoming_stream,
    answer,
    throws,
    add_parameter,
    add_parameter,
    remove_parameter,
    swap_parameters,
    rename_parameter,
    attributes,
    package,
];

/// One random change.
pub fn mutate(draft: &mut Draft, random: &mut Random) {
    let mutation = *random.pick(MUTATIONS);
    mutation(draft, random);
}

/// A list of fields somewhere: of a struct, a variant or a method.
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
            Body::Enum(_) | Body::Alias(_) => {}
        }
    }
    all.extend(draft.methods.iter_mut().map(|method| &mut method.parameters));
    all.retain(|fields| !fields.is_empty());
    let at = random.below(all.len());
    (at < all.len()).then(|| all.swap_remove(at))
}

fn field(draft: &mut Draft, random: &mut Random, change: impl FnOnce(&mut Member, &mut Random)) {
    if let Some(fields) = fields(draft, random) {
        let at = random.below(fields.len());
        change(&mut fields[at], random);
    }
}

fn add_field(draft: &mut Draft, random: &mut Random) {
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

fn remove_field(draft: &mut Draft, random: &mut Random) {
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
        structs[at].reserved.extend(reserve.then_some(gone.number));
    }
}

fn rename_field(draft: &mut Draft, random: &mut Random) {
    let name = draft.fresh("renamed_");
    field(draft, random, |field, _| field.name = name);
}

fn renumber_field(draft: &mut Draft, random: &mut Random) {
    field(draft, random, |field, random| field.number = 10 + u32::try_from(random.below(5)).unwrap_or(0));
}

fn swap_numbers(draft: &mut Draft, random: &mut Random) {
    if let Some(fields) = fields(draft, random) {
        let last = fields.len() - 1;
        let (first, second) = (fields[0].number, fields[last].number);
        (fields[0].number, fields[last].number) = (second, first);
    }
}

fn retype_field(draft: &mut Draft, random: &mut Random) {
    let ty = draft.ty(random);
    field(draft, random, |field, _| {
        (field.ty, field.default, field.bound) = (ty, None, None);
    });
}

fn widen_integer(draft: &mut Draft, random: &mut Random) {
    field(draft, random, |field, random| {
        let numbers = ["u8", "u16", "u32", "u64", "i8", "i32", "i64", "f32", "f64", "duration"];
        if numbers.contains(&field.ty.as_str()) {
            (*random.pick(&numbers)).clone_into(&mut field.ty);
            (field.default, field.bound) = (None, None);
        }
    });
}

fn optional_field(draft: &mut Draft, random: &mut Random) {
    field(draft, random, |field, random| {
        if field.ty.ends_with('?') {
            field.ty.pop();
            field.default = (random.one_in(2) && field.ty == "string").then_some("\"seven\"");
        } else {
            field.default = None;
            field.ty.push('?');
        }
    });
}

fn default_of_field(draft: &mut Draft, random: &mut Random) {
    field(draft, random, |field, _| {
        field.default = match (field.default, field.ty.as_str()) {
            (Some("7"), _) => Some("8"),
            (Some(_), _) => None,
            (None, "string") => Some("\"eight\""),
            (None, "bool") => Some("false"),
            (None, _) => Some("9"),
        };
    });
}

fn bound_of_field(draft: &mut Draft, random: &mut Random) {
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

fn body(draft: &mut Draft, random: &mut Random, change: impl FnOnce(&mut Body, &mut Vec<u32>, &mut Random)) {
    let count = draft.types.len();
    if count > 0 {
        let declared = &mut draft.types[random.below(count)];
        change(&mut declared.body, &mut declared.reserved, random);
    }
}

fn add_value(draft: &mut Draft, random: &mut Random) {
    let name = draft.fresh("Value");
    body(draft, random, |body, _, _| {
        if let Body::Enum(values) = body {
            let next = values.iter().map(|(_, number)| number + 1).max().unwrap_or(0);
            values.push((name, next));
        }
    });
}

fn remove_value(draft: &mut Draft, random: &mut Random) {
    body(draft, random, |body, reserved, random| match body {
        Body::Enum(values) if values.len() > 1 => {
            let (_, number) = values.remove(random.below(values.len()));
            reserved.extend(random.one_in(2).then_some(number));
        }
        _ => {}
    });
}

fn rename_value(draft: &mut Draft, random: &mut Random) {
    let name = draft.fresh("Value");
    body(draft, random, |body, _, random| {
        if let Body::Enum(values) = body {
            let at = random.below(values.len());
            values[at].0 = name;
        }
    });
}

fn renumber_value(draft: &mut Draft, random: &mut Random) {
    body(draft, random, |body, _, random| match body {
        Body::Enum(values) if random.one_in(2) => values[0].1 = 77,
        Body::Enum(values) => {
            let last = values.len() - 1;
            let (first, second) = (values[0].1, values[last].1);
            (values[0].1, values[last].1) = (second, first);
        }
        Body::Union(variants) | Body::Error(variants) => variants[0].number = 77,
        _ => {}
    });
}

fn add_variant(draft: &mut Draft, random: &mut Random) {
    let mut added = draft.variant(random, 0);
    body(draft, random, |body, _, _| {
        if let Body::Union(variants) | Body::Error(variants) = body {
            added.number = variants.iter().map(|variant| variant.number + 1).max().unwrap_or(1);
            variants.push(added);
        }
    });
}

fn remove_variant(draft: &mut Draft, random: &mut Random) {
    body(draft, random, |body, reserved, random| match body {
        Body::Union(variants) | Body::Error(variants) if variants.len() > 1 => {
            let gone = variants.remove(random.below(variants.len()));
            reserved.extend(random.one_in(2).then_some(gone.number));
        }
        _ => {}
    });
}

fn rename_variant(draft: &mut Draft, random: &mut Random) {
    let name = draft.fresh("Variant");
    body(draft, random, |body, _, _| {
        if let Body::Union(variants) | Body::Error(variants) = body {
            variants[0].name = name;
        }
    });
}

fn payload(draft: &mut Draft, random: &mut Random) {
    let other = draft.variant(random, 0);
    body(draft, random, |body, _, random| {
        if let Body::Union(variants) | Body::Error(variants) = body {
            let at = random.below(variants.len());
            variants[at].payload = other.payload;
        }
    });
}

/// Puts an alias in the place of a type.
fn alias(draft: &mut Draft, random: &mut Random) {
    let name = draft.fresh("Alias");
    let mut target = None;
    field(draft, random, |field, _| target = Some(std::mem::replace(&mut field.ty, name.clone())));
    if let Some(ty) = target {
        let declared =
            crate::draft::Declared { name, docs: String::new(), body: Body::Alias(ty), reserved: Vec::new() };
        draft.types.push(declared);
    }
}

fn retarget(draft: &mut Draft, random: &mut Random) {
    let ty = draft.ty(random);
    body(draft, random, |body, _, _| {
        if let Body::Alias(target) = body {
            *target = ty;
        }
    });
}

/// Whole words of the text of types.
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
    for declared in &mut draft.types {
        match &mut declared.body {
            Body::Struct(fields) => fields.iter_mut().for_each(|field| change(&mut field.ty)),
            Body::Alias(ty) => change(ty),
            Body::Enum(_) => {}
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

fn rename_type(draft: &mut Draft, random: &mut Random) {
    let to = draft.fresh("Renamed");
    let count = draft.types.len();
    if count > 0 {
        let from = std::mem::replace(&mut draft.types[random.below(count)].name, to.clone());
        replace(draft, &from, &to);
    }
}

/// Uses another of the declared types where one was used.
fn swap_type(draft: &mut Draft, random: &mut Random) {
    if draft.types.len() > 1 {
        let (from, to) = (random.pick(&draft.types).name.clone(), random.pick(&draft.types).name.clone());
        field(draft, random, |field, _| {
            if field.ty == from || field.ty.ends_with('?') && field.default.is_none() {
                (field.ty, field.default, field.bound) = (to, None, None);
            }
        });
    }
}

fn kind_of_type(draft: &mut Draft, random: &mut Random) {
    let other = draft.declared(random);
    body(draft, random, |body, reserved, _| {
        *body = other.body;
        reserved.clear();
    });
}

fn error_or_union(draft: &mut Draft, random: &mut Random) {
    body(draft, random, |body, _, _| {
        *body = match std::mem::replace(body, Body::Alias(String::new())) {
            Body::Union(variants) => Body::Error(variants),
            Body::Error(variants) => Body::Union(variants),
            other => other,
        };
    });
}

fn reserve(draft: &mut Draft, random: &mut Random) {
    body(draft, random, |_, reserved, random| {
        if reserved.is_empty() {
            reserved.push(50);
        } else {
            reserved.remove(random.below(reserved.len()));
        }
    });
}

fn docs(draft: &mut Draft, random: &mut Random) {
    let count = draft.types.len();
    if count > 0 {
        "Other words.".clone_into(&mut draft.types[random.below(count)].docs);
    }
}

fn add_type(draft: &mut Draft, random: &mut Random) {
    let declared = draft.declared(random);
    draft.types.push(declared);
}

fn remove_type(draft: &mut Draft, random: &mut Random) {
    if !draft.types.is_empty() {
        let gone = draft.types.remove(random.below(draft.types.len()));
        replace(draft, &gone.name, "u32");
    }
}

fn add_method(draft: &mut Draft, random: &mut Random) {
    let method = draft.method(random);
    draft.methods.push(method);
}

fn remove_method(draft: &mut Draft, random: &mut Random) {
    if !draft.methods.is_empty() {
        draft.methods.remove(random.below(draft.methods.len()));
    }
}

fn method(
    draft: &mut Draft,
    random: &mut Random,
    change: impl FnOnce(&mut crate::draft::Method, &mut Random),
) {
    let count = draft.methods.len();
    if count > 0 {
        change(&mut draft.methods[random.below(count)], random);
    }
}

fn rename_method(draft: &mut Draft, random: &mut Random) {
    let name = draft.fresh("renamed_");
    method(draft, random, |method, _| method.name = name);
}

fn one_way(draft: &mut Draft, random: &mut Random) {
    method(draft, random, |method, _| {
        method.one_way = !method.one_way;
        (method.incoming, method.streams, method.answer, method.throws) = (None, false, None, None);
    });
}

fn answer_stream(draft: &mut Draft, random: &mut Random) {
    method(draft, random, |method, _| method.streams = !method.streams && method.answer.is_some());
}

fn incoming_stream(draft: &mut Draft, random: &mut Random) {
    let ty = draft.ty(random);
    method(draft, random, |method, random| {
        method.incoming = if method.incoming.is_some() && random.one_in(2) { None } else { Some(ty) };
    });
}

fn answer(draft: &mut Draft, random: &mut Random) {
    let ty = draft.ty(random);
    method(draft, random, |method, random| {
        method.answer = if method.answer.is_some() && random.one_in(2) { None } else { Some(ty) };
        method.streams &= method.answer.is_some();
    });
}

fn throws(draft: &mut Draft, random: &mut Random) {
    let errors: Vec<String> = draft
        .types
        .iter()
        .filter(|known| matches!(known.body, Body::Error(_)))
        .map(|known| known.name.clone())
        .collect();
    method(draft, random, |method, random| {
        let other = (!errors.is_empty()).then(|| random.pick(&errors).clone());
        method.throws = if method.throws.is_some() && random.one_in(2) { None } else { other };
    });
}

fn renumber(parameters: &mut [Member]) {
    parameters.iter_mut().zip(1..).for_each(|(parameter, number)| parameter.number = number);
}

fn add_parameter(draft: &mut Draft, random: &mut Random) {
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

fn remove_parameter(draft: &mut Draft, random: &mut Random) {
    method(draft, random, |method, random| {
        if !method.parameters.is_empty() {
            let last = method.parameters.len() - 1;
            method.parameters.remove(if random.one_in(3) { 0 } else { last });
            renumber(&mut method.parameters);
        }
    });
}

fn swap_parameters(draft: &mut Draft, random: &mut Random) {
    method(draft, random, |method, _| {
        method.parameters.reverse();
        renumber(&mut method.parameters);
    });
}

fn rename_parameter(draft: &mut Draft, random: &mut Random) {
    let name = draft.fresh("renamed_");
    method(draft, random, |method, _| {
        if let Some(parameter) = method.parameters.first_mut() {
            parameter.name = name;
        }
    });
}

fn attributes(draft: &mut Draft, random: &mut Random) {
    method(draft, random, |method, random| {
        method.attributes = if method.one_way {
            ""
        } else {
            *random.pick(&["@deadline(2s)", "@idempotent", "@overlap(queue)"])
        };
    });
}

fn package(draft: &mut Draft, random: &mut Random) {
    if random.one_in(3) {
        "model.v2".clone_into(&mut draft.package);
    }
}
