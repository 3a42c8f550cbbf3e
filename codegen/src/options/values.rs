//! Looks for values of types that an option replaces. How a type of the user's is made is not known here.

use zsvc_idl::schema::{Field, Literal, Payload, Schema, Service, Type, TypeId, TypeKind};
use zsvc_idl::source::Span;

use super::Choices;

/// A default, or the value of a constant.
pub(super) struct Written<'a> {
    /// Full name of what has it: `shop.v1.Item.price`.
    pub(super) name: String,
    /// Span of the last word of the name.
    pub(super) span: Span,
    ty: &'a Type,
    value: &'a Literal,
}

/// Returns the first value of which a part is of a replaced type, and that type.
pub(super) fn replaced<'a>(schema: &'a Schema, choices: &Choices) -> Option<(Written<'a>, TypeId)> {
    if choices.replacements.is_empty() {
        return None;
    }
    let search = Search { schema, choices };
    written(schema, choices).find_map(|it| search.part(it.ty, it.value).map(|id| (it, id)))
}

/// Returns the values of all packages for which code is generated.
fn written<'a>(schema: &'a Schema, choices: &Choices) -> impl Iterator<Item = Written<'a>> {
    let packages = (0..).map(zsvc_idl::schema::PackageId).zip(&schema.packages);
    packages.filter(|(id, _)| !choices.is_extern(*id)).flat_map(move |(_, package)| {
        let package_name = package.full_name();
        let named = |name: &str| format!("{package_name}.{name}");
        let constants = package.constants.iter().map(|constant| Written {
            name: named(&constant.name),
            span: constant.span,
            ty: &constant.ty,
            value: &constant.value,
        });
        let types =
            package.types.iter().flat_map(|id| of_type(schema, *id, &named(&schema.definition(*id).name)));
        let methods = package.services.iter().flat_map(|service| of_service(service, &named(&service.name)));
        constants.chain(types).chain(methods).collect::<Vec<_>>()
    })
}

fn of_type<'a>(schema: &'a Schema, id: TypeId, name: &str) -> Vec<Written<'a>> {
    match &schema.definition(id).kind {
        TypeKind::Alias(_) | TypeKind::Enum(_) | TypeKind::Flags(_) => Vec::new(),
        TypeKind::Struct(structure) => of_fields(&structure.fields, name),
        TypeKind::Union(variants) | TypeKind::Error(variants) => {
            let fields = variants.iter().map(|variant| match &variant.payload {
                Payload::Nothing | Payload::Type { .. } => Vec::new(),
                Payload::Fields(fields) => of_fields(fields, &format!("{name}.{}", variant.name)),
            });
            fields.flatten().collect()
        }
    }
}

fn of_service<'a>(service: &'a Service, name: &str) -> Vec<Written<'a>> {
    let own = service.methods.iter().filter(|method| method.declared_by.is_none());
    own.flat_map(|method| of_fields(&method.parameters, &format!("{name}.{}", method.name))).collect()
}

fn of_fields<'a>(fields: &'a [Field], name: &str) -> Vec<Written<'a>> {
    let defaults = fields.iter().filter_map(|field| {
        let value = field.default.as_ref()?;
        Some(Written { name: format!("{name}.{}", field.name), span: field.span, ty: &field.ty, value })
    });
    defaults.collect()
}

struct Search<'a> {
    schema: &'a Schema,
    choices: &'a Choices,
}

impl Search<'_> {
    /// Returns the replaced type that a part of a value has. A value of an enum and a set of flags are made by name, and what is empty
    /// by `Default`, whatever replaces them.
    fn part(&self, ty: &Type, value: &Literal) -> Option<TypeId> {
        match (ty, value) {
            (Type::Named(id), Literal::EnumValue(of, _) | Literal::Flags(of, _)) if of == id => None,
            (_, Literal::Empty) => None,
            (Type::Named(id), _) if self.choices.is_replaced(*id) => Some(*id),
            (Type::Named(id), _) => match (&self.schema.definition(*id).kind, value) {
                (TypeKind::Alias(target), _) => self.part(target, value),
                (TypeKind::Struct(structure), Literal::Struct(_, values)) => {
                    let mut fields = structure.fields.iter().zip(values);
                    fields.find_map(|(field, value)| self.part(&field.ty, value.as_ref()?))
                }
                _ => None,
            },
            (Type::Optional(inner), _) => self.part(inner, value),
            (Type::List(inner), Literal::List(values)) | (Type::Set(inner), Literal::Set(values)) => {
                values.iter().find_map(|value| self.part(inner, value))
            }
            (Type::Map(key, inner), Literal::Map(entries)) => entries
                .iter()
                .find_map(|(name, value)| self.part(key, name).or_else(|| self.part(inner, value))),
            _ => None,
        }
    }
}
