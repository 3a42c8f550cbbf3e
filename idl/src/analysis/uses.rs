//! Finds every name that refers to a definition, word by word: the last word of a path, and what stands before it.

use super::index::{Index, Use, declared};
use crate::ast::{ItemKind, Method, Path, Payload, Type, Value, ValueKind};
use crate::check::subjects::{Node, Subject};
use crate::resolve::{Model, Symbol, is_builtin};
use crate::schema::{self, TypeId};
use crate::source::{FileId, Span, offset};
use crate::value::shard_name;

/// Returns the uses in all named files.
pub(super) fn uses(model: &Model, subjects: &[Subject], index: &Index) -> Vec<Use> {
    let mut found = Vec::new();
    for subject in subjects.iter().filter(|subject| model.program.is_named(subject.file)) {
        Uses { model, index, subject, found: &mut found }.all();
    }
    found.sort_by_key(|used: &Use| used.span);
    found.dedup();
    found
}

/// Returns the type that a subject has itself.
pub(super) fn type_of<'a>(subject: &Subject<'a>) -> Option<&'a Type> {
    match subject.node {
        Node::Item(item) => match &item.kind {
            ItemKind::Const { ty, .. } | ItemKind::Alias(ty) => Some(ty),
            _ => None,
        },
        Node::Field(field) => Some(&field.ty),
        Node::Parameter(parameter) => Some(&parameter.ty),
        Node::Variant(variant) => match &variant.payload {
            Payload::Type(ty) => Some(ty),
            _ => None,
        },
        Node::Method(method) => method.answer.as_ref().map(|answer| &answer.ty),
        Node::Package(_) | Node::Value(_) => None,
    }
}

/// The uses of one subject, without what is inside it.
struct Uses<'a, 'm> {
    model: &'a Model<'m>,
    index: &'a Index,
    subject: &'a Subject<'m>,
    found: &'a mut Vec<Use>,
}

impl Uses<'_, '_> {
    fn all(&mut self) {
        let ty = type_of(self.subject);
        if let Some(ty) = ty {
            self.ty(ty);
        }
        // The enum that a value without a prefix is one of.
        let held =
            ty.and_then(|ty| self.model.ty(self.subject.file, ty)).and_then(|ty| self.model.inner(&ty));
        let held = match held {
            Some(schema::Type::Named(id)) => Some(id),
            _ => None,
        };
        match self.subject.node {
            Node::Item(item) => match &item.kind {
                ItemKind::Const { value, .. } => self.value(value, held),
                ItemKind::Service(service) => service.extends.iter().for_each(|path| self.path(path, None)),
                _ => {}
            },
            Node::Method(method) => {
                method.throws.iter().for_each(|path| self.path(path, None));
                self.shard(method);
            }
            Node::Variant(variant) => {
                if let Payload::Fields(fields) = &variant.payload {
                    let fields =
                        fields.fields.iter().map(|field| (field.name.text.as_str(), field.name.span));
                    self.message(&fields.collect::<Vec<_>>());
                }
            }
            _ => {}
        }
        // The arguments of these are words of their own, or were looked at above.
        let subject = self.subject;
        let attributes = subject.preamble.attributes.iter();
        for attribute in
            attributes.filter(|it| !matches!(it.name.text.as_str(), "allow" | "overlap" | "shard"))
        {
            attribute.arguments.iter().for_each(|value| self.value(value, held));
        }
    }

    fn add(&mut self, span: Span, declared: Span) {
        if let Some(definition) = self.index.declared_at(declared) {
            self.found.push(Use { span, definition });
        }
    }

    /// Adds the names in a type. Recursion is bounded: types nest at most `MAX_TYPE_DEPTH` deep.
    fn ty(&mut self, ty: &Type) {
        self.path(&ty.path, None);
        ty.arguments.iter().for_each(|argument| self.ty(argument));
    }

    /// Adds the names in a value. Recursion is bounded by `MAX_VALUE_DEPTH`.
    fn value(&mut self, value: &Value, held: Option<TypeId>) {
        match &value.kind {
            ValueKind::Path(path) => self.path(path, held),
            ValueKind::Range(range) => {
                range.min.iter().chain(&range.max).for_each(|end| self.value(end, held));
            }
            ValueKind::List(values) => values.iter().for_each(|value| self.value(value, held)),
            ValueKind::Object(entries) => entries.iter().for_each(|(key, value)| {
                self.value(key, held);
                self.value(value, held);
            }),
            _ => {}
        }
    }

    /// Adds the words of a path: of a type, a constant, or a value of an enum.
    fn path(&mut self, path: &Path, held: Option<TypeId>) {
        let Some((last, before)) = path.segments.split_last() else { return };
        // A value of the enum that is expected comes before a constant of that name.
        if let Some(value) = held.filter(|_| before.is_empty()).and_then(|id| self.value_of(id, &last.text)) {
            return self.add(last.span, value);
        }
        if is_builtin(path) {
            return;
        }
        if self.declared(path, path.segments.len()) {
            return;
        }
        let file = self.subject.file;
        let Ok(Symbol::Type(id)) = self.model.lookup_words(file, path, before.len()) else { return };
        self.declared(path, before.len());
        let id = match self.model.resolved(&schema::Type::Named(id)) {
            Some(schema::Type::Named(id)) => id,
            _ => id,
        };
        if let Some(value) = self.value_of(id, &last.text) {
            self.add(last.span, value);
        }
    }

    /// Adds the first words of a path if they are the name of a type, service or constant: that, the types around it that are named
    /// before it, and the import's alias or the package before those. Reports whether they are one.
    fn declared(&mut self, path: &Path, count: usize) -> bool {
        let (span, id) = match self.model.lookup_words(self.subject.file, path, count) {
            Ok(Symbol::Type(id)) => (declared(self.model, id), Some(id)),
            Ok(Symbol::Constant(item)) => (item.name.span, None),
            Ok(Symbol::Service(index)) => (self.model.services[index].item.name.span, None),
            Ok(Symbol::Broken) | Err(_) => return false,
        };
        let mut at = count - 1;
        self.add(path.segments[at].span, span);
        for outer in id.into_iter().flat_map(|id| self.model.around(id)) {
            let Some(before) = at.checked_sub(1) else { return true };
            at = before;
            self.add(path.segments[at].span, outer.name.span);
        }
        self.prefix(path, at, span.file);
        true
    }

    /// Adds the words before a name, of which there are `count`: an import's alias, or a package.
    fn prefix(&mut self, path: &Path, count: usize, target: FileId) {
        let Some(last) = count.checked_sub(1).map(|last| path.segments[last].span) else { return };
        let span = Span { end: last.end, ..path.segments[0].span };
        let alias =
            self.model.file(self.subject.file).imports.iter().filter_map(|import| import.alias.as_ref());
        let alias = { alias }.find(|alias| count == 1 && alias.text == path.segments[0].text);
        let package = self.model.file(target).package.as_ref().map(|package| package.path.span);
        if let Some(declared) = alias.map(|alias| alias.span).or(package) {
            self.add(span, declared);
        }
    }

    fn value_of(&self, id: TypeId, name: &str) -> Option<Span> {
        let value = self.model.value_named(id, name)?;
        match &self.model.declared(id).item.kind {
            ItemKind::Enum(values) => values.values.get(value).map(|value| value.name.span),
            _ => None,
        }
    }

    /// Adds the parameter by which calls are spread.
    fn shard(&mut self, method: &Method) {
        let Some(attribute) = method.preamble.find("shard") else { return };
        let (Some(name), Some(value)) = (shard_name(attribute), attribute.arguments.first()) else { return };
        if let Some(parameter) = method.parameters.iter().find(|parameter| parameter.name.text == name) {
            self.add(value.span, parameter.name.span);
        }
    }

    /// Adds the fields that a message shows, where they are written without escapes.
    fn message(&mut self, fields: &[(&str, Span)]) {
        let message = self.subject.preamble.find("message").and_then(|attribute| attribute.arguments.first());
        let Some(value) = message else { return };
        let text = self.model.program.sources.text(value.span);
        let mut at = 0;
        while let Some(brace) = text[at..].find('{').map(|brace| at + brace) {
            let name = brace + 1;
            if text[name..].starts_with('{') {
                at = name + 1;
                continue;
            }
            let Some(end) = text[name..].find('}').map(|end| name + end) else { return };
            let found = fields.iter().find(|(field, _)| *field == &text[name..end]);
            if let Some((_, declared)) = found {
                let start = value.span.start + offset(name);
                self.add(Span { start, end: value.span.start + offset(end), ..value.span }, *declared);
            }
            at = end + 1;
        }
    }
}
