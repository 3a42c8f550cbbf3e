//! What may be typed in a value: names of enums' values, flags, fields and constants that fit.

use ls_types::{CompletionItem, CompletionItemKind};
use zsvc_idl::analysis::cursor::{Cursor, Step, Value};
use zsvc_idl::analysis::{Definition, DefinitionId, DefinitionKind, language};
use zsvc_idl::schema::{Builtin, Type, TypeId};

use super::completion::Items;

/// Maximum number of lists, optionals and aliases of a type that are followed.
const MAX_DEPTH: usize = 64;

impl Items<'_> {
    /// Adds what an attribute's argument may be.
    pub(super) fn arguments(&mut self, attribute: &str, value: &Value, cursor: &Cursor) {
        let words = language::words_of(attribute);
        if !words.is_empty() {
            return words.iter().for_each(|word| self.keyword(word));
        }
        match attribute {
            "default" | "range" => self.value(value, cursor),
            "len" => self.whole(Some(&Type::Builtin(Builtin::U64))),
            _ => self.whole(None),
        }
    }

    /// Adds what the value of a constant may be. Its parts may be other constants, and all of it may not.
    pub(super) fn constant(&mut self, value: &Value, cursor: &Cursor) {
        if value.steps.is_empty() {
            let ty = self.type_of(value, cursor);
            self.written_out(ty.as_ref());
        } else {
            self.value(value, cursor);
        }
    }

    /// Adds what a value, or the part of it at a position, may be.
    pub(super) fn value(&mut self, value: &Value, cursor: &Cursor) {
        let Some(mut ty) = self.type_of(value, cursor) else { return self.whole(None) };
        for step in &value.steps {
            let inner = self.plain(&ty);
            let part = match (step, inner) {
                (Step::Element, Type::List(element) | Type::Set(element)) => Some(*element),
                (Step::Element, Type::Named(id)) => return self.flags(id),
                (Step::Name(_), Type::Map(key, _)) => Some(*key),
                (Step::Field(_), Type::Map(_, value)) => Some(*value),
                (Step::Name(given), Type::Named(id)) => return self.fields(id, given),
                (Step::Field(name), Type::Named(id)) => self.field(id, name),
                _ => None,
            };
            let Some(part) = part else { return };
            ty = part;
        }
        self.whole(Some(&ty));
    }

    /// Returns the type of a value, without optionals and aliases around it.
    fn type_of(&self, value: &Value, cursor: &Cursor) -> Option<Type> {
        let text = self.view.text();
        let around = self.around(cursor);
        let ty = value.ty.clone().and_then(|range| self.written(&text[range], &around, 0))?;
        Some(self.plain(&ty))
    }

    /// Adds values of a type, which may be unknown: those of an enum by name, and words.
    fn written_out(&mut self, ty: Option<&Type>) {
        match ty {
            Some(Type::Named(id)) => self.members_of(*id),
            Some(Type::Builtin(Builtin::Bool)) | None => {
                for word in language::LITERALS {
                    self.keyword(word);
                }
            }
            _ => {}
        }
    }

    /// Adds values of a type, which may be unknown, and constants that fit.
    fn whole(&mut self, ty: Option<&Type>) {
        let ty = ty.map(|ty| self.plain(ty));
        self.written_out(ty.as_ref());
        let view = self.view;
        let constants = view.analysis.index.definitions.iter();
        let constants = constants.filter(|it| it.kind == DefinitionKind::Constant);
        // Each is looked at once for all that are added.
        let fits = |it: &Definition| match (&ty, &it.ty) {
            (Some(ty), Some(of)) => are_alike(ty, &self.plain(of)),
            _ => true,
        };
        let fitting: std::collections::HashSet<_> =
            constants.filter(|it| fits(it)).map(|it| it.span).collect();
        self.named(&[], |it| it.kind == DefinitionKind::Constant && fitting.contains(&it.span));
    }

    /// Adds the values of an enum, and the flags of flags as sets of one.
    fn members_of(&mut self, id: TypeId) {
        let Some(declared) = self.declared(id) else { return };
        let view = self.view;
        let kind = view.analysis.index.definition(declared).kind;
        for (_, member) in view.analysis.index.members(declared) {
            match kind {
                DefinitionKind::Enum => self.definition(&member.name, member),
                DefinitionKind::Flags => self.definition(&format!("[{}]", member.name), member),
                _ => {}
            }
        }
    }

    fn flags(&mut self, id: TypeId) {
        let Some(declared) = self.declared(id) else { return };
        let view = self.view;
        for (_, member) in view.analysis.index.members(declared) {
            if member.kind == DefinitionKind::Flag {
                self.definition(&member.name, member);
            }
        }
    }

    /// Adds the fields of a struct that are not given yet.
    fn fields(&mut self, id: TypeId, given: &[String]) {
        let Some(declared) = self.declared(id) else { return };
        let view = self.view;
        for (_, member) in view.analysis.index.members(declared) {
            if member.kind == DefinitionKind::Field && !given.contains(&member.name) {
                let item = CompletionItem {
                    insert_text: Some(format!("{}: ", member.name)),
                    ..self.described(member)
                };
                self.add(&member.name, CompletionItemKind::FIELD, item);
            }
        }
    }

    fn field(&self, id: TypeId, name: &str) -> Option<Type> {
        let declared = self.declared(id)?;
        let mut members = self.view.analysis.index.members(declared);
        members.find(|(_, it)| it.kind == DefinitionKind::Field && it.name == name)?.1.ty.clone()
    }

    fn declared(&self, id: TypeId) -> Option<DefinitionId> {
        self.view.analysis.index.types.get(id.0 as usize)?.definition
    }

    /// Returns a type without optionals and aliases around it.
    fn plain(&self, ty: &Type) -> Type {
        let mut ty = ty.clone();
        for _ in 0..MAX_DEPTH {
            ty = match &ty {
                Type::Optional(inner) => (**inner).clone(),
                Type::Named(id) => {
                    let declared = self.declared(*id).map(|id| self.view.analysis.index.definition(id));
                    match declared {
                        Some(Definition { kind: DefinitionKind::Alias, ty: Some(target), .. }) => {
                            target.clone()
                        }
                        _ => return ty,
                    }
                }
                _ => return ty,
            };
        }
        ty
    }

    /// Reads a type that is written in the file. The index does not have that of a member that is not finished.
    fn written(&self, text: &str, around: &[DefinitionId], depth: usize) -> Option<Type> {
        let text = text.trim();
        let inner = |text: &str| {
            let inner = (depth < MAX_DEPTH).then(|| self.written(text, around, depth + 1));
            inner.flatten().map(Box::new)
        };
        let of = |name: &str| text.strip_prefix(name)?.trim_start().strip_prefix('<')?.strip_suffix('>');
        if let Some(rest) = text.strip_suffix('?') {
            return Some(Type::Optional(inner(rest)?));
        }
        if let Some(element) = of("list") {
            return Some(Type::List(inner(element)?));
        }
        if let Some(element) = of("set") {
            return Some(Type::Set(inner(element)?));
        }
        if let Some((key, value)) = of("map").and_then(|of| of.split_once(',')) {
            return Some(Type::Map(inner(key)?, inner(value)?));
        }
        language::builtin(text).map(Type::Builtin).or_else(|| self.type_named(text, around))
    }

    /// Returns the type that a path means in the file, inside of some declarations.
    fn type_named(&self, path: &str, around: &[DefinitionId]) -> Option<Type> {
        let index = &self.view.analysis.index;
        let visible = index.visible.iter().filter(|visible| visible.file == self.view.file);
        let mut named =
            visible.flat_map(|visible| visible.definitions.iter().map(|id| (&visible.prefix, *id)));
        let (_, found) = named.find(|(prefix, id)| {
            let it = index.definition(*id);
            let is_whole = || path.strip_prefix(prefix.as_str()) == Some(it.full_name.as_str());
            let is_near = it.container.is_some_and(|outer| around.contains(&outer)) && it.name == path;
            it.kind.is_type() && (is_near || is_whole())
        })?;
        let id = index.types.iter().position(|ty| ty.definition == Some(found))?;
        u32::try_from(id).ok().map(|id| Type::Named(TypeId(id)))
    }
}

/// Reports whether a constant of one type may stand for a value of another.
fn are_alike(one: &Type, other: &Type) -> bool {
    let is_integer = |ty: &Type| {
        use Builtin::{I8, I16, I32, I64, U8, U16, U32, U64};
        matches!(ty, Type::Builtin(U8 | U16 | U32 | U64 | I8 | I16 | I32 | I64))
    };
    let is_float = |ty: &Type| matches!(ty, Type::Builtin(Builtin::F32 | Builtin::F64));
    one == other || is_integer(one) && is_integer(other) || is_float(one) && is_float(other)
}
