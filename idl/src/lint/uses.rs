//! Finds what a subject uses of others: types, errors, constants and values.

use crate::ast::{ItemKind, Path, Payload, Type, Value, ValueKind};
use crate::check::subjects::{Node, Subject};
use crate::resolve::{Model, Symbol};
use crate::source::Span;

/// One name that refers to something declared elsewhere.
pub(super) struct Use {
    /// Span of the use.
    pub(super) at: Span,
    /// Span of the declared name.
    pub(super) declared: Span,
}

/// Returns what a subject uses itself, without what is inside it.
pub(super) fn of(model: &Model, subject: &Subject) -> Vec<Use> {
    let mut uses = Uses { model, subject, found: Vec::new() };
    match subject.node {
        Node::Item(item) => match &item.kind {
            ItemKind::Const { ty, value } => {
                uses.ty(ty);
                uses.value(value);
            }
            ItemKind::Alias(ty) => uses.ty(ty),
            ItemKind::Service(service) => service.extends.iter().for_each(|path| uses.path(path)),
            _ => {}
        },
        Node::Field(field) => uses.ty(&field.ty),
        Node::Parameter(parameter) => uses.ty(&parameter.ty),
        Node::Variant(variant) => {
            if let Payload::Type(ty) = &variant.payload {
                uses.ty(ty);
            }
        }
        Node::Method(method) => {
            method.answer.iter().for_each(|answer| uses.ty(&answer.ty));
            method.throws.iter().for_each(|path| uses.path(path));
        }
        Node::Package(_) | Node::Value(_) => {}
    }
    for attribute in subject.preamble.attributes.iter().filter(|it| it.name.text != "allow") {
        attribute.arguments.iter().for_each(|value| uses.value(value));
    }
    uses.found
}

struct Uses<'a, 'm> {
    model: &'a Model<'m>,
    subject: &'a Subject<'m>,
    found: Vec<Use>,
}

impl Uses<'_, '_> {
    /// Adds the names in a type. Recursion is bounded: types nest at most `MAX_TYPE_DEPTH` deep.
    fn ty(&mut self, ty: &Type) {
        self.path(&ty.path);
        ty.arguments.iter().for_each(|argument| self.ty(argument));
    }

    /// Adds the names in a value. Recursion is bounded by `MAX_VALUE_DEPTH`.
    fn value(&mut self, value: &Value) {
        match &value.kind {
            ValueKind::Path(path) => self.path(path),
            ValueKind::Range(range) => {
                range.min.iter().chain(&range.max).for_each(|end| self.value(end));
            }
            ValueKind::List(values) => values.iter().for_each(|value| self.value(value)),
            ValueKind::Object(entries) => entries.iter().for_each(|(key, value)| {
                self.value(key);
                self.value(value);
            }),
            _ => {}
        }
    }

    /// Adds a name, or the name of an enum before one of its values, and the types that are written before it.
    fn path(&mut self, path: &Path) {
        let all = path.segments.len();
        for count in [all, all - 1] {
            let Ok(symbol) = self.model.lookup_words(self.subject.file, path, count) else { continue };
            let declared = match symbol {
                Symbol::Type(id) => self.model.declared(id).item.name.span,
                Symbol::Constant(item) => item.name.span,
                Symbol::Service(index) => self.model.services[index].item.name.span,
                Symbol::Broken => continue,
            };
            self.found.push(Use { at: path.span, declared });
            if let Symbol::Type(id) = symbol {
                let written = path.segments[..count - 1].iter().rev();
                let around = written.zip(self.model.around(id));
                self.found.extend(around.map(|(word, it)| Use { at: word.span, declared: it.name.span }));
            }
            return;
        }
    }
}
