//! Lists the parts of all files that the rules check, in the order of the text.

use crate::ast::{Field, Fields, Item, ItemKind, Method, Name, Number, Payload, Reserved, Type, Variant};
use crate::resolve::Model;
use crate::source::FileId;

/// Members that share one set of names and numbers.
pub(crate) struct Body<'a> {
    /// Noun for a member: `field`, `value`, `flag`, `variant`.
    pub(crate) member: &'static str,
    pub(crate) members: Vec<(&'a Name, Number)>,
    pub(crate) reserved: &'a [Reserved],
    /// The least and the greatest allowed number.
    pub(crate) limits: (i128, i128),
    /// The greatest number that may be reserved: for fields, one that none could have, too.
    pub(crate) reservable: i128,
}

/// Minimum number of an enum value.
const MIN_VALUE: i128 = -(1 << 31);
/// Maximum number of a flag: that of the last bit of 64.
const MAX_FLAG: i128 = 63;
/// Maximum number of a variant or enum value.
const MAX_NUMBER: i128 = (1 << 31) - 1;

/// Returns the bodies of structs, enums, unions, errors, and of variants with their own fields.
pub(crate) fn bodies<'a>(model: &Model<'a>) -> Vec<Body<'a>> {
    let mut bodies = Vec::new();
    for (_, item) in model.items() {
        match &item.kind {
            ItemKind::Struct(fields) => bodies.push(fields_body(fields)),
            ItemKind::Enum(values) => {
                let members = values.values.iter().map(|value| (&value.name, value.number)).collect();
                let (member, limits) = if values.is_flags {
                    ("flag", (0, MAX_FLAG))
                } else {
                    ("value", (MIN_VALUE, MAX_NUMBER))
                };
                let (reserved, reservable) = (values.reserved.as_slice(), limits.1);
                bodies.push(Body { member, members, reserved, limits, reservable });
            }
            ItemKind::Union(union) => {
                let members = union.variants.iter().map(|variant| (&variant.name, variant.number)).collect();
                let reserved = &union.reserved;
                let limits = (1, MAX_NUMBER);
                bodies.push(Body { member: "variant", members, reserved, limits, reservable: MAX_NUMBER });
                bodies.extend(union.variants.iter().filter_map(|variant| match &variant.payload {
                    Payload::Fields(fields) => Some(fields_body(fields)),
                    Payload::Nothing | Payload::Type(_) => None,
                }));
            }
            ItemKind::Const { .. } | ItemKind::Alias(_) | ItemKind::Service(_) => {}
        }
    }
    bodies
}

fn fields_body(fields: &Fields) -> Body<'_> {
    let members = fields.fields.iter().map(|field| (&field.name, field.number)).collect();
    Body {
        member: "field",
        members,
        reserved: &fields.reserved,
        limits: (1, u16::MAX.into()),
        reservable: MAX_NUMBER,
    }
}

/// Returns the fields of structs and variants.
pub(super) fn fields<'a>(model: &Model<'a>) -> impl Iterator<Item = (FileId, &'a Field)> {
    model.items().flat_map(|(file, item)| {
        let lists: Vec<&Fields> = match &item.kind {
            ItemKind::Struct(fields) => vec![fields],
            ItemKind::Union(union) => {
                union.variants.iter().filter_map(|variant| own_fields(&variant.payload)).collect()
            }
            _ => Vec::new(),
        };
        lists.into_iter().flat_map(move |fields| fields.fields.iter().map(move |field| (file, field)))
    })
}

fn own_fields(payload: &Payload) -> Option<&Fields> {
    match payload {
        Payload::Fields(fields) => Some(fields),
        Payload::Nothing | Payload::Type(_) => None,
    }
}

pub(super) fn methods<'a>(model: &Model<'a>) -> impl Iterator<Item = (FileId, &'a Method)> {
    model.items().flat_map(|(file, item)| {
        let methods = match &item.kind {
            ItemKind::Service(service) => service.methods.as_slice(),
            _ => &[],
        };
        methods.iter().map(move |method| (file, method))
    })
}

/// Returns variants, with whether they are an error's, and whether some part of their union is lost.
pub(super) fn variants<'a>(model: &Model<'a>) -> impl Iterator<Item = (&'a Item, bool, &'a Variant)> {
    model.items().flat_map(|(_, item)| {
        let (is_error, variants) = match &item.kind {
            ItemKind::Union(union) => (union.is_error, union.variants.as_slice()),
            _ => (false, [].as_slice()),
        };
        variants.iter().map(move |variant| (item, is_error, variant))
    })
}

/// Returns every use of a type, nested ones too.
pub(super) fn types<'a>(model: &Model<'a>) -> Vec<(FileId, &'a Type)> {
    let mut types = Vec::new();
    for (file, ty) in uses(model) {
        push_with_inner(&mut types, file, ty);
    }
    types
}

/// Returns every use of a type that is not nested in another.
pub(super) fn uses<'a>(model: &Model<'a>) -> Vec<(FileId, &'a Type)> {
    let mut uses = Vec::new();
    for (file, item) in model.items() {
        let mut add = |ty: &'a Type| uses.push((file, ty));
        match &item.kind {
            ItemKind::Const { ty, .. } | ItemKind::Alias(ty) => add(ty),
            ItemKind::Struct(fields) => fields.fields.iter().for_each(|field| add(&field.ty)),
            ItemKind::Union(union) => {
                union
                    .variants
                    .iter()
                    .flat_map(|variant| crate::shape::payload_types(&variant.payload))
                    .for_each(add);
            }
            ItemKind::Service(service) => {
                for method in &service.methods {
                    method.parameters.iter().for_each(|parameter| add(&parameter.ty));
                    method.answer.iter().for_each(|answer| add(&answer.ty));
                }
            }
            ItemKind::Enum(_) => {}
        }
    }
    uses
}

/// Adds a type and those nested in it. Recursion is bounded: types nest at most `MAX_TYPE_DEPTH` deep.
fn push_with_inner<'a>(types: &mut Vec<(FileId, &'a Type)>, file: FileId, ty: &'a Type) {
    types.push((file, ty));
    for argument in &ty.arguments {
        push_with_inner(types, file, argument);
    }
}
