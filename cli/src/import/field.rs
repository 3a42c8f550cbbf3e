//! Fields: their types, and what absence means.

use protox::prost_reflect::prost_types::FieldDescriptorProto;
use protox::prost_reflect::prost_types::field_descriptor_proto::{Label, Type};

use super::file::{File, Part, package_name};
use super::index::{Kind, is_map_entry, is_message, well_known};
use super::message::Message;
use super::{Presence, literal, names};

/// Tags of the parts of a field.
mod tag {
    pub(super) const DEFAULT: i32 = 7;
    pub(super) const OPTIONS: i32 = 8;
    pub(super) const JSON_NAME: i32 = 10;
}

impl File<'_> {
    /// Writes a field of a struct.
    pub(crate) fn field(&mut self, message: &mut Message<'_>, at: usize, part: &Part) {
        let field = &message.resolved.field[at];
        let Some(number) = message.number(field.number()) else {
            return self.unsaid(part, "a field past the 65,535 that a struct may have");
        };
        let said = self.before_field(message, at, part);
        self.renumbered(part, field.name(), (field.number(), number));
        self.field_docs(part);
        self.deprecated(said);
        let name = message.scope.add(&names::snake(field.name()));
        let (default, ty) = self.held(message, field, part);
        let default = default.map(|value| format!("@default({value}) ")).unwrap_or_default();
        self.draft.line(&format!("{default}{name}: {ty} = {number};"));
    }

    /// Says that a field has another number here than in protobuf, if it has.
    pub(crate) fn renumbered(&mut self, part: &Part, name: &str, (before, here): (i32, i32)) {
        if here != before {
            self.draft.comment(&[format!("Number {before} in protobuf.")]);
            let text = format!("field `{name}` has the number {before} in protobuf, and {here} here");
            self.note(part.span.start, text);
        }
    }

    /// Writes what stands before a field: the comments that are no docs, and what the language can't say of it.
    pub(crate) fn before_field(
        &mut self,
        message: &Message<'_>,
        at: usize,
        part: &Part,
    ) -> super::unsaid::Said {
        let above = self.comments.above(part.from, part.span.start);
        self.draft.detached(&above);
        let written = &message.written.field[at];
        let options = written.options.as_ref().map_or(&[][..], |options| &options.uninterpreted_option);
        let said = self.options(&[&part.path[..], &[tag::OPTIONS]].concat(), options);
        let json_name = self.span(&[&part.path[..], &[tag::JSON_NAME]].concat());
        if !json_name.is_empty() {
            self.quoted(&format!("json_name = {:?}", message.resolved.field[at].json_name()));
            self.note(json_name.start, "`json_name` has no counterpart, and is kept as a comment".to_owned());
        }
        if !is_message(&message.resolved.field[at]) || message.resolved.field[at].r#type() != Type::Group {
            let inside = self.comments.inside(part.span.clone());
            self.draft.comment(&inside);
        }
        self.pending_docs = above.docs;
        said
    }

    /// Writes the docs of the field before which [`File::before_field`] has written the rest.
    pub(crate) fn field_docs(&mut self, part: &Part) {
        let docs = std::mem::take(&mut self.pending_docs);
        self.draft.docs(&docs);
        self.draft.docs(&part.behind);
    }

    /// Returns the default value and the type of a field.
    fn held(
        &mut self,
        message: &Message<'_>,
        field: &FieldDescriptorProto,
        part: &Part,
    ) -> (Option<String>, String) {
        if let Some(map) = self.map_type(message, field, part.span.start) {
            return (Some("[]".to_owned()), map);
        }
        let ty = self.ty(field, part.span.start);
        let optional =
            |ty: &str| if ty == "value" || ty.ends_with('?') { ty.to_owned() } else { format!("{ty}?") };
        let is_implicit = self.source.resolved.syntax() == "proto3" && !field.proto3_optional();
        match field.label() {
            Label::Repeated => (Some("[]".to_owned()), format!("list<{ty}>")),
            Label::Required => (None, ty),
            Label::Optional if is_message(field) => (None, optional(&ty)),
            Label::Optional if field.default_value.is_some() => {
                let value = self.declared_default(field);
                if value.is_none() {
                    self.unsaid_default(field, part);
                    return (None, optional(&ty));
                }
                (value, ty)
            }
            Label::Optional if is_implicit && self.presence == Presence::Default => match self.zero(field) {
                Some(value) => (Some(value), ty),
                None => (None, optional(&ty)),
            },
            Label::Optional => (None, optional(&ty)),
        }
    }

    /// Writes the default value of a field as a comment.
    fn unsaid_default(&mut self, field: &FieldDescriptorProto, part: &Part) {
        let value = self.span(&[&part.path[..], &[tag::DEFAULT]].concat());
        self.quoted(&format!("default = {}", self.text(value)));
        let text = format!("the default of `{}` has no counterpart, and is kept as a comment", field.name());
        self.note(part.span.start, text);
    }

    /// Returns the type of a field by itself: without `repeated`, and without what absence means.
    pub(crate) fn ty(&mut self, field: &FieldDescriptorProto, at: usize) -> String {
        let scalar = match field.r#type() {
            Type::Double => "f64",
            Type::Float => "f32",
            Type::Int64 | Type::Sint64 | Type::Sfixed64 => "i64",
            Type::Int32 | Type::Sint32 | Type::Sfixed32 => "i32",
            Type::Uint64 | Type::Fixed64 => "u64",
            Type::Uint32 | Type::Fixed32 => "u32",
            Type::Bool => "bool",
            Type::String => "string",
            Type::Bytes => "bytes",
            Type::Message | Type::Group | Type::Enum => return self.named(field.type_name(), at),
        };
        scalar.to_owned()
    }

    /// Returns the name of a message or enum, as this file names it. `at` is the place that names it.
    pub(crate) fn named(&mut self, full: &str, at: usize) -> String {
        if let Some(ty) = well_known(full) {
            return ty.to_owned();
        }
        let Some(known) = self.index.get(full) else {
            self.note(
                at,
                format!("`{}` has no counterpart, and is written as a `value`", full.trim_start_matches('.')),
            );
            return "value".to_owned();
        };
        let package = package_name(&known.package, &known.file);
        let own = package_name(self.source.resolved.package(), &self.source.name);
        self.uses(&known.file);
        if package == own { self.short(&known.name) } else { format!("{package}.{}", known.name) }
    }

    /// Returns the least that names a type of this package where the file is written.
    pub(crate) fn short(&self, name: &str) -> String {
        let package = package_name(self.source.resolved.package(), &self.source.name);
        let short = self.index.short(&package, &self.around, name);
        short.unwrap_or_else(|| format!("{package}.{name}"))
    }

    /// Returns the type of a map, which is repeated messages of a made-up type.
    fn map_type(&mut self, message: &Message<'_>, field: &FieldDescriptorProto, at: usize) -> Option<String> {
        let inner = field.type_name().strip_prefix(message.full.as_str())?.strip_prefix('.')?;
        let entry = message
            .resolved
            .nested_type
            .iter()
            .find(|nested| nested.name() == inner && is_map_entry(nested))?;
        let [key, value] = entry.field.as_slice() else { return None };
        let (key, value) = (self.ty(key, at), self.ty(value, at));
        Some(format!("map<{key}, {value}>"))
    }

    /// Returns the value that a field without presence has where it is absent.
    fn zero(&self, field: &FieldDescriptorProto) -> Option<String> {
        let zero = match field.r#type() {
            Type::Double | Type::Float => "0.0",
            Type::Bool => "false",
            Type::String => "\"\"",
            // The language has no defaults of bytes.
            Type::Bytes | Type::Message | Type::Group => return None,
            Type::Enum => return self.value_of(field.type_name(), 0),
            _ => "0",
        };
        Some(zero.to_owned())
    }

    fn declared_default(&self, field: &FieldDescriptorProto) -> Option<String> {
        let text = field.default_value();
        match field.r#type() {
            Type::Double | Type::Float => literal::float(text),
            Type::String => Some(literal::string(text)),
            Type::Bytes | Type::Message | Type::Group => None,
            Type::Enum => self.value_named(field.type_name(), text),
            _ => Some(text.to_owned()),
        }
    }

    /// Returns the name of an enum's value. One of protobuf's own enums has none, since it is written as another type.
    fn value_of(&self, full: &str, number: i32) -> Option<String> {
        if well_known(full).is_some() {
            return None;
        }
        match &self.index.get(full)?.kind {
            Kind::Enum { by_number, .. } => by_number.get(&number).cloned(),
            Kind::Struct | Kind::Union => None,
        }
    }

    fn value_named(&self, full: &str, name: &str) -> Option<String> {
        match &self.index.get(full)?.kind {
            Kind::Enum { numbers, .. } => self.value_of(full, *numbers.get(name)?),
            Kind::Struct | Kind::Union => None,
        }
    }
}
