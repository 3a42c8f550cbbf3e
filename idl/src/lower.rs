//! Builds the [`Schema`] of files in which every rule holds.
//!
//! Nothing is looked up or checked anew here. The functions return an `Option` because the resolver's answers could be
//! absent for wrong input; for checked input they never are.

mod event;

mod members;

use std::collections::BTreeMap;
use std::time::Duration;

pub(crate) use members::{by_number, own_fields};

use crate::ast::{self, Attribute, Item, ItemKind, Preamble, ValueKind};
use crate::diagnostic::{self, Diagnostic, Report};
use crate::inherit::{self, Inheritance, Served};
use crate::resolve::Model;
use crate::schema::{
    Access, Base, Builtin, Constant, EnumValue, Field, Flag, Literal, Method, MethodKind, Notes, Package,
    Payload, Reserved, ReservedKind, Schema, Service, ServiceId, StreamParameter, Struct, Thrown, Type,
    TypeDefinition, TypeId, TypeKind, Variant,
};
use crate::shape::Shape;
use crate::source::{FileId, Span};
use crate::value::{self, Bounded};

/// Returns the schema, or `None` only if the checks have let something wrong pass.
pub(crate) fn lower(model: &Model) -> Option<Schema> {
    let mut lowering = Lowering {
        model,
        shape: Shape::of(model),
        inheritance: Inheritance::of(model),
        services: service_ids(model),
        unread: Report::default(),
    };
    let mut services = 0..;
    let packages = model.packages.iter().map(|name| empty_package(name)).collect();
    let mut schema = Schema { packages, types: Vec::new() };
    for file in &model.program.files {
        let package = &mut schema.packages[model.package(file.id).0 as usize];
        if let Some(declared) = &file.package {
            add_docs(&mut package.docs, &declared.preamble.docs);
            package.meta.extend(all_meta(&declared.preamble));
            package.spans.push(declared.path.span);
        }
        for item in &file.items {
            match &item.kind {
                ItemKind::Const { ty, value } => {
                    package.constants.push(lowering.constant(file.id, item, ty, value)?);
                }
                ItemKind::Service(_) => {
                    package.services.push(lowering.service(services.next()?)?);
                }
                _ => {
                    let id = TypeId(crate::source::offset(schema.types.len()));
                    package.types.push(id);
                    schema.types.push(lowering.definition(id, item)?);
                }
            }
        }
    }
    Some(schema)
}

/// Returns the diagnostic for a compilation that has neither a schema nor an error.
pub(crate) fn contradiction() -> Diagnostic {
    Diagnostic::new(diagnostic::CONTRADICTION, "the checks found nothing wrong, yet there is no schema")
        .help("this is a mistake of the compiler: please report it, with the files")
}

fn empty_package(name: &str) -> Package {
    let name = name.split('.').map(str::to_owned).collect();
    Package {
        name,
        docs: String::new(),
        meta: BTreeMap::new(),
        constants: Vec::new(),
        types: Vec::new(),
        services: Vec::new(),
        spans: Vec::new(),
    }
}

/// Returns the id of each service, by its index in the model.
fn service_ids(model: &Model) -> Vec<ServiceId> {
    let mut counts = vec![0; model.packages.len()];
    let ids = model.services.iter().map(|declared| {
        let count = &mut counts[declared.package.0 as usize];
        let id = ServiceId { package: declared.package, index: *count };
        *count += 1;
        id
    });
    ids.collect()
}

/// Appends docs: those of one package may be spread over several files.
fn add_docs(all: &mut String, more: &str) {
    if !all.is_empty() && !more.is_empty() {
        all.push_str("\n\n");
    }
    all.push_str(more);
}

struct Lowering<'a, 'm> {
    model: &'a Model<'m>,
    shape: Shape,
    inheritance: Inheritance,
    /// By index in [`Model::services`].
    services: Vec<ServiceId>,
    /// Stays empty.
    unread: Report,
}

impl Lowering<'_, '_> {
    fn definition(&mut self, id: TypeId, item: &Item) -> Option<TypeDefinition> {
        let (file, package) = (self.model.declared(id).file, self.model.declared(id).package);
        let kind = match &item.kind {
            ItemKind::Alias(ty) => TypeKind::Alias(self.model.ty(file, ty)?),
            ItemKind::Struct(fields) => {
                let event = if fields.is_event { Some(self.event(file, item, fields)?) } else { None };
                TypeKind::Struct(Struct { fields: self.fields(file, fields, id, false)?, event })
            }
            ItemKind::Enum(flags) if flags.is_flags => {
                TypeKind::Flags(flags.values.iter().map(Self::flag).collect::<Option<_>>()?)
            }
            ItemKind::Enum(values) => {
                TypeKind::Enum(values.values.iter().map(Self::enum_value).collect::<Option<_>>()?)
            }
            ItemKind::Union(union) => {
                let variants = union.variants.iter().map(|variant| self.variant(file, variant, id));
                let variants = variants.collect::<Option<_>>()?;
                if union.is_error { TypeKind::Error(variants) } else { TypeKind::Union(variants) }
            }
            ItemKind::Const { .. } | ItemKind::Service(_) => return None,
        };
        let notes = notes(&item.preamble);
        Some(TypeDefinition {
            name: item.full_name.clone(),
            package,
            notes,
            span: item.name.span,
            kind,
            reserved: declared_reserved(item),
            target_span: item.aliased().map(|ty| ty.span),
        })
    }

    fn constant(
        &mut self,
        file: FileId,
        item: &Item,
        ty: &ast::Type,
        value: &ast::Value,
    ) -> Option<Constant> {
        let (type_span, value_span) = (ty.span, value.span);
        let ty = self.model.ty(file, ty)?;
        let resolved = self.model.resolved(&ty)?;
        let value = value::literal(self.model, file, &resolved, value, &mut self.unread)?;
        Some(Constant {
            name: item.name.text.clone(),
            ty,
            value,
            notes: notes(&item.preamble),
            span: item.name.span,
            type_span,
            value_span,
        })
    }

    fn fields(
        &mut self,
        file: FileId,
        fields: &ast::Fields,
        owner: TypeId,
        in_union: bool,
    ) -> Option<Vec<Field>> {
        let fields = by_number(fields).into_iter().map(|field| {
            let number = u16::try_from(field.number.value?).ok()?;
            let lowered = self.slot(file, &field.preamble, &field.name, &field.ty, number)?;
            let is_optional = matches!(self.model.resolved(&lowered.ty)?, Type::Optional(_));
            let boxed = (in_union || is_optional) && self.shape.returns(self.model, owner, &lowered.ty);
            Some(Field { boxed, ..lowered })
        });
        fields.collect()
    }

    /// Lowers what a field and a plain parameter have in common.
    fn slot(
        &mut self,
        file: FileId,
        preamble: &Preamble,
        name: &ast::Name,
        ty: &ast::Type,
        number: u16,
    ) -> Option<Field> {
        let (model, type_span) = (self.model, ty.span);
        let ty = model.ty(file, ty)?;
        let inner = model.inner(&ty)?;
        let argument = |name| preamble.find(name).and_then(|attribute| attribute.arguments.first());
        let default = match argument("default") {
            Some(value) => Some(value::literal(model, file, &inner, value, &mut self.unread)?),
            None => None,
        };
        let len = match argument("len") {
            Some(value) => Some(value::bounds(model, file, Bounded::Length, value, &mut self.unread)?),
            None => None,
        };
        let range = match (argument("range"), inner) {
            (Some(value), Type::Builtin(builtin)) => {
                Some(value::bounds(model, file, Bounded::Number(builtin), value, &mut self.unread)?)
            }
            _ => None,
        };
        let notes = notes(preamble);
        Some(Field {
            name: name.text.clone(),
            number,
            ty,
            default,
            len,
            range,
            boxed: false,
            notes,
            span: name.span,
            type_span,
        })
    }

    fn enum_value(value: &ast::EnumValue) -> Option<EnumValue> {
        let (number, notes) = (i32::try_from(value.number.value?).ok()?, notes(&value.preamble));
        Some(EnumValue { name: value.name.text.clone(), number, notes, span: value.name.span })
    }

    fn flag(flag: &ast::EnumValue) -> Option<Flag> {
        let number = u8::try_from(flag.number.value?).ok().filter(|number| *number < 64)?;
        Some(Flag {
            name: flag.name.text.clone(),
            number,
            notes: notes(&flag.preamble),
            span: flag.name.span,
        })
    }

    fn variant(&mut self, file: FileId, variant: &ast::Variant, owner: TypeId) -> Option<Variant> {
        let number = u32::try_from(variant.number.value?).ok()?;
        let payload = match &variant.payload {
            ast::Payload::Nothing => Payload::Nothing,
            ast::Payload::Type(ty) => {
                let ty = self.model.ty(file, ty)?;
                let boxed = self.shape.returns(self.model, owner, &ty);
                Payload::Type { ty, boxed }
            }
            ast::Payload::Fields(fields) => Payload::Fields(self.fields(file, fields, owner, true)?),
        };
        let message = match variant.preamble.find("message").and_then(|attribute| attribute.arguments.first())
        {
            Some(value) => {
                let fields = own_fields(&variant.payload);
                Some(value::message(&self.model.program.sources, value, &fields, true, &mut self.unread)?)
            }
            None => None,
        };
        Some(Variant {
            name: variant.name.text.clone(),
            number,
            payload,
            message,
            notes: notes(&variant.preamble),
            span: variant.name.span,
            reserved: payload_reserved(&variant.payload),
            type_span: payload_span(&variant.payload),
        })
    }

    fn service(&mut self, index: usize) -> Option<Service> {
        let item = self.model.services[index].item;
        let mut methods = Vec::new();
        for from in self.inheritance.served[index].clone() {
            for method in inherit::methods(self.model, from.service) {
                let own = self.method(self.model.services[from.service].file, method)?;
                methods.push(if from.by.is_none() { own } else { self.taken_over(own, &from) });
            }
        }
        Some(Service {
            name: item.name.text.clone(),
            extends: self.bases(index)?,
            methods,
            access: value::access(&item.preamble)?,
            notes: notes(&item.preamble),
            span: item.name.span,
        })
    }

    fn bases(&self, index: usize) -> Option<Vec<Base>> {
        let paths = &inherit::service(self.model.services[index].item)?.extends;
        let bases = self.inheritance.bases[index].iter();
        let bases = bases.map(|base| {
            Some(Base { service: self.services[base.service], span: paths.get(base.place)?.span })
        });
        bases.collect()
    }

    /// Returns a method of another service as the one serves it that extends it.
    fn taken_over(&self, method: Method, from: &Served) -> Method {
        let access = match method.access {
            Access::Unsaid => self.inheritance.access(from),
            said => said,
        };
        Method { access, declared_by: Some(self.services[from.service]), ..method }
    }

    fn method(&mut self, file: FileId, method: &ast::Method) -> Option<Method> {
        let plain = method.parameters.iter().filter(|parameter| parameter.stream.is_none());
        let parameters = plain.zip(1..=u16::from(u8::MAX)).map(|(parameter, number)| {
            self.slot(file, &parameter.preamble, &parameter.name, &parameter.ty, number)
        });
        let parameters = parameters.collect::<Option<_>>()?;
        let throws = method.throws.iter().map(|path| self.thrown(file, path)).collect::<Option<_>>()?;
        Some(Method {
            name: method.name.text.clone(),
            declared_by: None,
            parameters,
            kind: self.kind(file, method)?,
            throws,
            deadline: self.deadline(file, &method.preamble)?,
            idempotent: method.preamble.find("idempotent").is_some(),
            blocking: method.preamble.find("blocking").is_some(),
            overlap: value::overlap(&method.preamble)?,
            shard: value::shard(method)?,
            access: value::access(&method.preamble)?,
            notes: notes(&method.preamble),
            span: method.name.span,
            answer_span: method.answer.as_ref().map(|answer| answer.span),
        })
    }

    /// Returns the error itself where `throws` names an alias of one.
    fn thrown(&self, file: FileId, path: &ast::Path) -> Option<Thrown> {
        Some(Thrown { error: self.model.named(file, path)?, span: path.span })
    }

    fn kind(&self, file: FileId, method: &ast::Method) -> Option<MethodKind> {
        if method.oneway.is_some() {
            return Some(MethodKind::OneWay);
        }
        let incoming = match method.parameters.iter().find(|parameter| parameter.stream.is_some()) {
            Some(parameter) => Some(StreamParameter {
                name: parameter.name.text.clone(),
                item: self.model.ty(file, &parameter.ty)?,
                meta: all_meta(&parameter.preamble).collect(),
                span: parameter.name.span,
            }),
            None => None,
        };
        let answer = match &method.answer {
            Some(answer) => Some((answer.stream, self.model.ty(file, &answer.ty)?)),
            None => None,
        };
        Some(match (incoming, answer) {
            (None, Some((true, item))) => MethodKind::ServerStream(item),
            (None, answer) => MethodKind::Unary(answer.map(|(_, ty)| ty)),
            (Some(incoming), Some((true, item))) => MethodKind::Bidirectional(incoming, item),
            (Some(incoming), answer) => MethodKind::ClientStream(incoming, answer.map(|(_, ty)| ty)),
        })
    }

    /// Returns `Some(None)` if there is no such attribute.
    #[allow(clippy::option_option, reason = "the outer one is every lowering's, the inner one is the answer")]
    fn deadline(&mut self, file: FileId, preamble: &Preamble) -> Option<Option<Duration>> {
        let Some(value) = preamble.find("deadline").and_then(|attribute| attribute.arguments.first()) else {
            return Some(None);
        };
        match value::literal(self.model, file, &Type::Builtin(Builtin::Duration), value, &mut self.unread)? {
            Literal::Duration(duration) => Some(Some(duration)),
            _ => None,
        }
    }
}

fn notes(preamble: &Preamble) -> Notes {
    let deprecated = preamble.find("deprecated").and_then(|attribute| attribute.arguments.first());
    let deprecated = deprecated.and_then(|value| match &value.kind {
        ValueKind::String(text) => Some(text.clone()),
        _ => None,
    });
    Notes { docs: preamble.docs.clone(), deprecated, meta: all_meta(preamble).collect() }
}

/// Returns the keys and values that the `@meta`s of something give.
fn all_meta(preamble: &Preamble) -> impl Iterator<Item = (String, String)> + '_ {
    let given = preamble.attributes.iter().filter(|attribute| attribute.name.text == "meta");
    given.filter_map(meta).map(|(key, value)| (key.to_owned(), value.to_owned()))
}

/// Returns the key and the value of a `@meta`.
pub(crate) fn meta(attribute: &Attribute) -> Option<(&str, &str)> {
    match attribute.arguments.as_slice() {
        [
            ast::Value { kind: ValueKind::String(key), .. },
            ast::Value { kind: ValueKind::String(value), .. },
        ] => Some((key, value)),
        _ => None,
    }
}

/// Returns the names and numbers that a declaration reserves.
fn declared_reserved(item: &Item) -> Vec<Reserved> {
    match &item.kind {
        ItemKind::Struct(fields) => reserved(&fields.reserved),
        ItemKind::Enum(values) => reserved(&values.reserved),
        ItemKind::Union(union) => reserved(&union.reserved),
        ItemKind::Alias(_) | ItemKind::Const { .. } | ItemKind::Service(_) => Vec::new(),
    }
}

fn payload_reserved(payload: &ast::Payload) -> Vec<Reserved> {
    match payload {
        ast::Payload::Fields(fields) => reserved(&fields.reserved),
        ast::Payload::Nothing | ast::Payload::Type(_) => Vec::new(),
    }
}

fn payload_span(payload: &ast::Payload) -> Option<Span> {
    match payload {
        ast::Payload::Type(ty) => Some(ty.span),
        ast::Payload::Nothing | ast::Payload::Fields(_) => None,
    }
}

/// Lowers `reserved` entries.
fn reserved(entries: &[ast::Reserved]) -> Vec<Reserved> {
    let number = |number: i128| i64::try_from(number).ok();
    let entries = entries.iter().filter_map(|entry| {
        let kind = match &entry.kind {
            ast::ReservedKind::Name(name) => ReservedKind::Name(name.clone()),
            ast::ReservedKind::Numbers { min, max, .. } => ReservedKind::Numbers(
                min.and_then(number).unwrap_or(i64::MIN),
                max.and_then(number).unwrap_or(i64::MAX),
            ),
            ast::ReservedKind::Invalid => return None,
        };
        Some(Reserved { kind, span: entry.span })
    });
    entries.collect()
}
