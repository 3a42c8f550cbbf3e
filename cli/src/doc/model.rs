//! What is told of each declaration of a schema.

use std::collections::BTreeMap;

use zsvc_dynamic::find;
use zsvc_idl::schema::{
    Access, Field, Literal, Method, MethodKind, Notes, Package, Payload, Range, Schema, Service, Type,
    TypeId, TypeKind,
};

/// A part of a signature: text, or the name of a type with the place where it is declared.
#[derive(Debug, Clone)]
pub(crate) enum Part {
    Text(String),
    Type(TypeId),
}

/// Where types are declared and used.
pub(crate) struct Index<'s> {
    pub(crate) schema: &'s Schema,
    /// The places that use a type: their names, and the anchors of what they belong to.
    uses: BTreeMap<TypeId, Vec<(String, String)>>,
}

impl<'s> Index<'s> {
    pub(crate) fn new(schema: &'s Schema) -> Self {
        let mut index = Self { schema, uses: BTreeMap::new() };
        for (full, service) in find::services(schema) {
            for method in &service.methods {
                let place =
                    (format!("{full}/{}", method.name), link_of(&full, &service.name, Some(&method.name)));
                for ty in types_of_method(method) {
                    index.used(ty, &place);
                }
                method.throws.iter().for_each(|thrown| index.add(thrown.error, &place));
            }
        }
        for (number, definition) in (0..).zip(&schema.types) {
            let place = (index.full_name(TypeId(number)), index.link(TypeId(number)));
            for ty in types_of_definition(&definition.kind) {
                index.used(ty, &place);
            }
        }
        index
    }

    fn used(&mut self, ty: &Type, place: &(String, String)) {
        match ty {
            Type::Builtin(_) => {}
            Type::List(inner) | Type::Set(inner) | Type::Optional(inner) => self.used(inner, place),
            Type::Map(key, value) => {
                self.used(key, place);
                self.used(value, place);
            }
            Type::Named(id) => self.add(*id, place),
        }
    }

    fn add(&mut self, id: TypeId, place: &(String, String)) {
        let uses = self.uses.entry(id).or_default();
        if !uses.contains(place) {
            uses.push(place.clone());
        }
    }

    /// Returns the names and links of what uses a type.
    pub(crate) fn uses(&self, id: TypeId) -> &[(String, String)] {
        self.uses.get(&id).map_or(&[], |uses| uses)
    }

    pub(crate) fn full_name(&self, id: TypeId) -> String {
        let definition = self.schema.definition(id);
        format!("{}.{}", self.schema.package(definition.package).full_name(), definition.name)
    }

    /// Returns the page and the anchor of a type.
    pub(crate) fn link(&self, id: TypeId) -> String {
        let definition = self.schema.definition(id);
        format!("{}.html#{}", self.schema.package(definition.package).full_name(), definition.name)
    }

    /// Returns a type as it is written.
    pub(crate) fn ty(ty: &Type) -> Vec<Part> {
        let text = |text: &str| Part::Text(text.to_owned());
        let wrapped = |before: &str, inner: &Type, after: &str| {
            let mut parts = vec![text(before)];
            parts.extend(Self::ty(inner));
            parts.push(text(after));
            parts
        };
        match ty {
            Type::Builtin(builtin) => vec![text(builtin.keyword())],
            Type::List(element) => wrapped("list<", element, ">"),
            Type::Set(element) => wrapped("set<", element, ">"),
            Type::Optional(inner) => wrapped("", inner, "?"),
            Type::Map(key, value) => {
                let mut parts = wrapped("map<", key, ", ");
                parts.extend(wrapped("", value, ">"));
                parts
            }
            Type::Named(id) => vec![Part::Type(*id)],
        }
    }

    /// Returns a method as it is written, without attributes.
    pub(crate) fn signature(method: &Method) -> Vec<Part> {
        let text = |text: &str| Part::Text(text.to_owned());
        let is_one_way = matches!(method.kind, MethodKind::OneWay);
        let mut parts =
            vec![text(if is_one_way { "oneway " } else { "rpc " }), text(&method.name), text("(")];
        for (index, field) in method.parameters.iter().enumerate() {
            parts.push(text(&format!("{}{}: ", if index > 0 { ", " } else { "" }, field.name)));
            parts.extend(Self::ty(&field.ty));
        }
        if let MethodKind::ClientStream(stream, _) | MethodKind::Bidirectional(stream, _) = &method.kind {
            let comma = if method.parameters.is_empty() { "" } else { ", " };
            parts.push(text(&format!("{comma}{}: stream ", stream.name)));
            parts.extend(Self::ty(&stream.item));
        }
        parts.push(text(")"));
        match &method.kind {
            MethodKind::Unary(Some(ty)) | MethodKind::ClientStream(_, Some(ty)) => {
                parts.push(text(" -> "));
                parts.extend(Self::ty(ty));
            }
            MethodKind::ServerStream(ty) | MethodKind::Bidirectional(_, ty) => {
                parts.push(text(" -> stream "));
                parts.extend(Self::ty(ty));
            }
            MethodKind::Unary(None) | MethodKind::ClientStream(_, None) | MethodKind::OneWay => {}
        }
        for (index, thrown) in method.throws.iter().enumerate() {
            parts.push(text(if index == 0 { " throws " } else { ", " }));
            parts.push(Part::Type(thrown.error));
        }
        parts
    }
}

/// Returns the page and the anchor of a service or a method; `full` is the full name of the service.
pub(crate) fn link_of(full: &str, service: &str, method: Option<&str>) -> String {
    let package = full.strip_suffix(service).and_then(|package| package.strip_suffix('.')).unwrap_or(full);
    match method {
        Some(method) => format!("{package}.html#{service}.{method}"),
        None => format!("{package}.html#{service}"),
    }
}

fn types_of_method(method: &Method) -> Vec<&Type> {
    let mut types: Vec<&Type> = method.parameters.iter().map(|field| &field.ty).collect();
    match &method.kind {
        MethodKind::Unary(answer) => types.extend(answer),
        MethodKind::ServerStream(ty) => types.push(ty),
        MethodKind::ClientStream(stream, answer) => {
            types.push(&stream.item);
            types.extend(answer);
        }
        MethodKind::Bidirectional(stream, ty) => types.extend([&stream.item, ty]),
        MethodKind::OneWay => {}
    }
    types
}

fn types_of_definition(kind: &TypeKind) -> Vec<&Type> {
    match kind {
        TypeKind::Alias(ty) => vec![ty],
        TypeKind::Struct(structure) => structure.fields.iter().map(|field| &field.ty).collect(),
        TypeKind::Enum(_) | TypeKind::Flags(_) => Vec::new(),
        TypeKind::Union(variants) | TypeKind::Error(variants) => variants
            .iter()
            .flat_map(|variant| match &variant.payload {
                Payload::Nothing => Vec::new(),
                Payload::Type { ty, .. } => vec![ty],
                Payload::Fields(fields) => fields.iter().map(|field| &field.ty).collect(),
            })
            .collect(),
    }
}

/// Returns what is said of a method beside its signature.
pub(crate) fn facts(service: &Service, method: &Method) -> Vec<String> {
    let mut facts = Vec::new();
    if let Some(deadline) = method.deadline {
        facts.push(format!("deadline {deadline:?}"));
    }
    if method.idempotent {
        facts.push("idempotent".to_owned());
    }
    match service.access_of(method) {
        Access::Roles(roles) => facts.push(format!("for {}", roles.join(", "))),
        Access::Public => facts.push("public".to_owned()),
        Access::Unsaid => {}
    }
    facts.extend(deprecation(&method.notes));
    facts
}

/// Returns what is said of a field beside its type.
pub(crate) fn field_facts(schema: &Schema, field: &Field) -> Vec<String> {
    let mut facts = Vec::new();
    if let Some(default) = &field.default {
        facts.push(format!("default {}", literal(schema, default)));
    }
    facts.extend(field.len.as_ref().map(|len| format!("length {}", range(schema, len))));
    facts.extend(field.range.as_ref().map(|bounds| format!("in {}", range(schema, bounds))));
    facts.extend(deprecation(&field.notes));
    facts
}

/// Returns what is said of something deprecated.
pub(crate) fn deprecation(notes: &Notes) -> Option<String> {
    notes.deprecated.as_ref().map(|why| format!("deprecated: {why}"))
}

fn range(schema: &Schema, range: &Range) -> String {
    let end = |end: &Option<Literal>| end.as_ref().map(|end| literal(schema, end)).unwrap_or_default();
    let sign = if range.max_exclusive || range.max.is_none() { "" } else { "=" };
    format!("{}..{sign}{}", end(&range.min), end(&range.max))
}

/// Returns a value as it is written.
pub(crate) fn literal(schema: &Schema, value: &Literal) -> String {
    let listed = |elements: &[Literal]| {
        elements.iter().map(|element| literal(schema, element)).collect::<Vec<_>>().join(", ")
    };
    match value {
        Literal::Bool(value) => value.to_string(),
        Literal::Integer(number) => number.to_string(),
        Literal::Float(number) => format!("{number:?}"),
        Literal::String(text) => format!("{text:?}"),
        Literal::Duration(time) => format!("{time:?}"),
        Literal::EnumValue(id, index) => match &schema.definition(*id).kind {
            TypeKind::Enum(values) => values.get(*index).map(|value| value.name.clone()).unwrap_or_default(),
            _ => String::new(),
        },
        Literal::Flags(id, bits) => match &schema.definition(*id).kind {
            TypeKind::Flags(flags) => {
                let set = flags.iter().filter(|flag| bits & flag.bit() != 0).map(|flag| flag.name.as_str());
                format!("[{}]", set.collect::<Vec<_>>().join(", "))
            }
            _ => String::new(),
        },
        Literal::Bytes(bytes) => format!("{} bytes", bytes.len()),
        Literal::Empty => "[]".to_owned(),
        Literal::List(elements) | Literal::Set(elements) => format!("[{}]", listed(elements)),
        Literal::Map(entries) => {
            let entry = |(key, value): &(Literal, Literal)| {
                format!("{}: {}", literal(schema, key), literal(schema, value))
            };
            format!("{{ {} }}", entries.iter().map(entry).collect::<Vec<_>>().join(", "))
        }
        Literal::Struct(id, values) => {
            let TypeKind::Struct(structure) = &schema.definition(*id).kind else { return String::new() };
            let fields = structure.fields.iter().zip(values).filter_map(|(field, value)| {
                Some(format!("{}: {}", field.name, literal(schema, value.as_ref()?)))
            });
            format!("{{ {} }}", fields.collect::<Vec<_>>().join(", "))
        }
    }
}

/// Returns the word for a kind of type.
pub(crate) const fn kind(kind: &TypeKind) -> &'static str {
    match kind {
        TypeKind::Alias(_) => "type",
        TypeKind::Struct(_) => "struct",
        TypeKind::Enum(_) => "enum",
        TypeKind::Flags(_) => "flags",
        TypeKind::Union(_) => "union",
        TypeKind::Error(_) => "error",
    }
}

/// Returns the packages that the types of a package's declarations are of, other than itself.
pub(crate) fn needs(index: &Index<'_>, package: &Package) -> Vec<String> {
    let schema = index.schema;
    let own = package.full_name();
    let mut needed = std::collections::BTreeSet::new();
    let types = package.types.iter().flat_map(|id| types_of_definition(&schema.definition(*id).kind));
    let methods = package.services.iter().flat_map(|service| &service.methods);
    let mut open: Vec<&Type> = types.chain(methods.clone().flat_map(types_of_method)).collect();
    while let Some(ty) = open.pop() {
        match ty {
            Type::Builtin(_) => {}
            Type::List(inner) | Type::Set(inner) | Type::Optional(inner) => open.push(inner),
            Type::Map(key, value) => open.extend([&**key, &**value]),
            Type::Named(id) => {
                needed.insert(schema.package(schema.definition(*id).package).full_name());
            }
        }
    }
    let thrown = methods.flat_map(|method| &method.throws).map(|thrown| thrown.error);
    needed.extend(thrown.map(|id| schema.package(schema.definition(id).package).full_name()));
    needed.remove(&own);
    needed.into_iter().collect()
}
