//! Lists everything that attributes may precede, in the order of the text.
//!
//! Rules about attributes and lints treat all of it alike; what only some rules need is in [`super::walk`].

use super::places::{Place, place_of};
use crate::ast::{EnumValue, Field, Item, ItemKind, Method, Package, Parameter, Payload, Preamble, Variant};
use crate::resolve::Model;
use crate::source::{FileId, Span};

/// Something with a preamble.
#[derive(Clone, Copy)]
pub(crate) struct Subject<'a> {
    pub(crate) file: FileId,
    pub(crate) place: Place,
    /// Nesting depth: 0 for a package, 1 for a declaration, 2 for a member, 3 for a parameter or a field of a variant.
    pub(crate) depth: u8,
    pub(crate) preamble: &'a Preamble,
    pub(crate) node: Node<'a>,
}

/// What the subject is.
#[derive(Clone, Copy)]
pub(crate) enum Node<'a> {
    Package(&'a Package),
    Item(&'a Item),
    Field(&'a Field),
    Value(&'a EnumValue),
    Variant(&'a Variant),
    Method(&'a Method),
    Parameter(&'a Parameter),
}

impl Subject<'_> {
    /// Returns the span of the subject's name; of a package the whole path.
    pub(crate) fn span(&self) -> Span {
        match self.node {
            Node::Package(package) => package.path.span,
            Node::Item(item) => item.name.span,
            Node::Field(field) => field.name.span,
            Node::Value(value) => value.name.span,
            Node::Variant(variant) => variant.name.span,
            Node::Method(method) => method.name.span,
            Node::Parameter(parameter) => parameter.name.span,
        }
    }

    /// Returns the subject's name; of a package the last part.
    pub(crate) fn name(&self) -> &str {
        match self.node {
            Node::Package(package) => package.path.segments.last().map_or("", |last| &last.text),
            Node::Item(item) => &item.name.text,
            Node::Field(field) => &field.name.text,
            Node::Value(value) => &value.name.text,
            Node::Variant(variant) => &variant.name.text,
            Node::Method(method) => &method.name.text,
            Node::Parameter(parameter) => &parameter.name.text,
        }
    }
}

/// Returns all subjects, each right before those inside it.
pub(crate) fn subjects<'a>(model: &Model<'a>) -> Vec<Subject<'a>> {
    let mut found = Vec::new();
    for file in &model.program.files {
        let mut walk = Walk { file: file.id, found: &mut found };
        if let Some(package) = &file.package {
            walk.add(0, Place::Package, &package.preamble, Node::Package(package));
        }
        file.items.iter().for_each(|item| walk.item(item));
    }
    found
}

struct Walk<'w, 'a> {
    file: FileId,
    found: &'w mut Vec<Subject<'a>>,
}

impl<'a> Walk<'_, 'a> {
    fn add(&mut self, depth: u8, place: Place, preamble: &'a Preamble, node: Node<'a>) {
        self.found.push(Subject { file: self.file, place, depth, preamble, node });
    }

    fn item(&mut self, item: &'a Item) {
        self.add(1, place_of(&item.kind), &item.preamble, Node::Item(item));
        match &item.kind {
            ItemKind::Struct(fields) => fields.fields.iter().for_each(|field| self.field(2, field)),
            ItemKind::Enum(values) => {
                for value in &values.values {
                    self.add(2, Place::Value, &value.preamble, Node::Value(value));
                }
            }
            ItemKind::Union(union) => {
                let place = if union.is_error { Place::ErrorVariant } else { Place::Variant };
                union.variants.iter().for_each(|variant| self.variant(place, variant));
            }
            ItemKind::Service(service) => service.methods.iter().for_each(|method| self.method(method)),
            ItemKind::Const { .. } | ItemKind::Alias(_) => {}
        }
    }

    fn field(&mut self, depth: u8, field: &'a Field) {
        self.add(depth, Place::Field, &field.preamble, Node::Field(field));
    }

    fn variant(&mut self, place: Place, variant: &'a Variant) {
        self.add(2, place, &variant.preamble, Node::Variant(variant));
        if let Payload::Fields(fields) = &variant.payload {
            fields.fields.iter().for_each(|field| self.field(3, field));
        }
    }

    fn method(&mut self, method: &'a Method) {
        let place = if method.oneway.is_some() { Place::Oneway } else { Place::Rpc };
        self.add(2, place, &method.preamble, Node::Method(method));
        for parameter in &method.parameters {
            let place = if parameter.stream.is_some() { Place::StreamParameter } else { Place::Parameter };
            self.add(3, place, &parameter.preamble, Node::Parameter(parameter));
        }
    }
}
