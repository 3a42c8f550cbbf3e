//! Evaluates values with parts: lists, sets, maps, structs and flags.

use std::collections::{HashMap, HashSet};

use super::literal::{constant, enum_value, enum_values, fit, flags_of};
use super::{Bounded, allows, bounds};
use crate::ast::{Enum, Field, Fields, ItemKind, MAX_VALUE_DEPTH, Path, Value, ValueKind};
use crate::diagnostic::{self, Diagnostic, Report};
use crate::lower::by_number;
use crate::resolve::Model;
use crate::schema::{Builtin, Literal, Type, TypeId};
use crate::source::{FileId, Span};
use crate::suggest;

/// Maximum number of values in one, its parts and the fields that it leaves out included. Each becomes code.
const MAX_VALUE_PARTS: usize = 4096;

/// Returns `value` as one of `ty`, which is neither an alias nor an optional, or `None` if it is not one, which is
/// reported.
pub(crate) fn literal(
    model: &Model,
    file: FileId,
    ty: &Type,
    value: &Value,
    report: &mut Report,
) -> Option<Literal> {
    let mut evaluation = Evaluation { model, report, depth: 0, parts: 0, excess: None };
    let literal = evaluation.value(file, ty, value);
    match evaluation.excess {
        Some(excess) => {
            report.add(excess.diagnostic(value.span));
            None
        }
        None => literal,
    }
}

/// What a value has too much of.
#[derive(Debug, Clone, Copy)]
enum Excess {
    Depth,
    Parts,
}

impl Excess {
    fn diagnostic(self, span: Span) -> Diagnostic {
        let message = match self {
            Self::Depth => format!("this value nests more than {MAX_VALUE_DEPTH} deep"),
            Self::Parts => format!("this value has more than {MAX_VALUE_PARTS} parts"),
        };
        let help = match self {
            Self::Depth => "leave parts out, or let the program make it; what is part of itself has no end",
            Self::Parts => "leave parts out, or let the program make it",
        };
        Diagnostic::new(diagnostic::TOO_DEEP, message)
            .at(span, "with the constants that it names and the fields that it leaves out")
            .help(help)
    }
}

struct Evaluation<'e, 'm> {
    model: &'e Model<'m>,
    report: &'e mut Report,
    /// Number of lists, maps, structs and constants around the value.
    depth: usize,
    /// Number of values so far.
    parts: usize,
    /// Set where evaluation has given up.
    excess: Option<Excess>,
}

impl Evaluation<'_, '_> {
    fn value(&mut self, file: FileId, ty: &Type, value: &Value) -> Option<Literal> {
        self.parts += 1;
        if self.parts > MAX_VALUE_PARTS {
            self.excess = Some(Excess::Parts);
            return None;
        }
        match (ty, &value.kind) {
            (_, ValueKind::Path(path)) => self.named(file, ty, path, value.span),
            (Type::List(element), ValueKind::List(values)) => {
                let elements = self.elements(file, element, values)?;
                Some(if elements.is_empty() { Literal::Empty } else { Literal::List(elements) })
            }
            (Type::Set(element), ValueKind::List(values)) => self.set(file, element, values),
            (Type::Map(..), ValueKind::List(values)) if values.is_empty() => Some(Literal::Empty),
            (Type::Map(key, element), ValueKind::Object(entries)) => self.map(file, (key, element), entries),
            (Type::Named(id), ValueKind::List(values)) if flags_of(self.model, *id).is_some() => {
                self.flags(file, *id, values)
            }
            (Type::Named(id), ValueKind::Object(entries)) => match &self.model.declared(*id).item.kind {
                ItemKind::Struct(fields) => self.structure(file, (*id, fields), entries, value.span),
                _ => fit(self.model, ty, &value.kind, value.span, self.report),
            },
            _ => fit(self.model, ty, &value.kind, value.span, self.report),
        }
    }

    /// Evaluates a part of a value.
    fn part(&mut self, file: FileId, ty: &Type, value: &Value) -> Option<Literal> {
        let inner = self.model.inner(ty)?;
        self.deeper(|it| it.value(file, &inner, value))
    }

    fn deeper<T>(&mut self, evaluate: impl FnOnce(&mut Self) -> Option<T>) -> Option<T> {
        if self.depth == MAX_VALUE_DEPTH {
            self.excess = Some(Excess::Depth);
            return None;
        }
        self.depth += 1;
        let result = evaluate(self);
        self.depth -= 1;
        result
    }

    /// Evaluates what is written elsewhere, and is reported there.
    fn elsewhere<T>(&mut self, evaluate: impl FnOnce(&mut Evaluation<'_, '_>) -> Option<T>) -> Option<T> {
        let mut unread = Report::default();
        let mut inside = Evaluation {
            model: self.model,
            report: &mut unread,
            depth: self.depth,
            parts: self.parts,
            excess: self.excess,
        };
        let result = inside.deeper(|it| evaluate(it));
        (self.parts, self.excess) = (inside.parts, inside.excess);
        result
    }

    /// Evaluates the name of an enum's value or of a constant.
    fn named(&mut self, file: FileId, ty: &Type, path: &Path, span: Span) -> Option<Literal> {
        if let Type::Named(id) = ty {
            if let Some(values) = enum_values(self.model, *id) {
                return enum_value(self.model, file, (*id, values), path, self.report);
            }
            let name = path.segments.last().map_or("", |last| last.text.as_str());
            if flags_of(self.model, *id).is_some() && self.model.value_named(*id, name).is_some() {
                let name = self.model.declared(*id).item.full_name.as_str();
                let diagnostic =
                    Diagnostic::new(diagnostic::WRONG_KIND, format!("one flag is no set of `{name}`"))
                        .at(span, "")
                        .help(format!("write a list of those that are set: `[{}]`", path.text()))
                        .suggest(span, format!("[{}]", path.text()));
                self.report.add(diagnostic);
                return None;
            }
        }
        let (from, constant) = constant(self.model, file, path, self.report)?;
        match &constant.kind {
            ValueKind::List(_) | ValueKind::Object(_) => {
                let found = self.elsewhere(|it| it.value(from, ty, constant));
                if found.is_none() && self.excess.is_none() {
                    self.constant_of_another_type(file, ty, path, span);
                }
                found
            }
            kind => fit(self.model, ty, kind, span, self.report),
        }
    }

    /// Reports a constant whose value is none of a type, unless that is wrong itself.
    fn constant_of_another_type(&mut self, file: FileId, ty: &Type, path: &Path, span: Span) {
        let Some(declared) = super::literal::constant_type(self.model, file, path) else { return };
        if declared != *ty {
            let (found, wanted) = (super::describe(self.model, &declared), super::describe(self.model, ty));
            let message = format!("`{}` is a `{found}`, and no `{wanted}`", path.text());
            let diagnostic = Diagnostic::new(diagnostic::WRONG_KIND, message).at(span, "");
            self.report.add(diagnostic.help("write the value itself, or name a constant of that type"));
        }
    }

    /// Evaluates all elements, so that each that is wrong is reported.
    fn elements(&mut self, file: FileId, element: &Type, values: &[Value]) -> Option<Vec<Literal>> {
        let elements: Vec<Option<Literal>> =
            values.iter().map(|value| self.part(file, element, value)).collect();
        elements.into_iter().collect()
    }

    fn set(&mut self, file: FileId, element: &Type, values: &[Value]) -> Option<Literal> {
        let elements = self.elements(file, element, values)?;
        let spans = values.iter().map(|value| value.span);
        if !self.distinct("this set", "element", elements.iter().zip(spans)) {
            return None;
        }
        Some(if elements.is_empty() { Literal::Empty } else { Literal::Set(elements) })
    }

    fn map(
        &mut self,
        file: FileId,
        (key, element): (&Type, &Type),
        entries: &[(Value, Value)],
    ) -> Option<Literal> {
        let found = entries.iter().map(|(name, value)| {
            let found = (self.part(file, key, name), self.part(file, element, value));
            Some((found.0?, found.1?))
        });
        let found: Vec<Option<(Literal, Literal)>> = found.collect();
        let found = found.into_iter().collect::<Option<Vec<_>>>()?;
        let keys = found.iter().map(|(key, _)| key).zip(entries.iter().map(|(name, _)| name.span));
        if !self.distinct("this map", "key", keys) {
            return None;
        }
        Some(if found.is_empty() { Literal::Empty } else { Literal::Map(found) })
    }

    /// Reports what is there twice, and returns whether nothing is.
    fn distinct<'a>(
        &mut self,
        whole: &str,
        part: &str,
        parts: impl Iterator<Item = (&'a Literal, Span)>,
    ) -> bool {
        let mut seen: HashMap<String, Span> = HashMap::new();
        let mut is_distinct = true;
        for (literal, span) in parts {
            // Keys and elements of sets are scalars.
            if let Some(first) = seen.insert(format!("{literal:?}"), span) {
                let message = format!("{whole} has one {part} twice");
                self.report.add(twice(message, span, first));
                is_distinct = false;
            }
        }
        is_distinct
    }

    fn flags(&mut self, file: FileId, id: TypeId, values: &[Value]) -> Option<Literal> {
        let mut seen: HashMap<usize, Span> = HashMap::new();
        let flags = flags_of(self.model, id)?;
        let (mut bits, mut is_sound) = (0, true);
        for value in values {
            let Some(index) = self.flag(file, (id, flags), value) else {
                is_sound = false;
                continue;
            };
            if let Some(first) = seen.insert(index, value.span) {
                let message = format!("`{}` is set twice", flags.values[index].name.text);
                self.report.add(twice(message, value.span, first));
                is_sound = false;
            }
            let number = flags.values[index].number.value;
            bits |= 1_u64 << number.and_then(|number| u32::try_from(number).ok()).filter(|it| *it < 64)?;
        }
        is_sound.then_some(Literal::Flags(id, bits))
    }

    /// Returns the index of a flag.
    fn flag(&mut self, file: FileId, (id, flags): (TypeId, &Enum), value: &Value) -> Option<usize> {
        let ValueKind::Path(path) = &value.kind else {
            let name = &self.model.declared(id).item.full_name;
            let diagnostic = Diagnostic::new(diagnostic::WRONG_KIND, format!("this is no flag of `{name}`"))
                .at(value.span, "")
                .help(format!("write the names of flags of `{name}`: `[{}]`", first_name(flags)));
            self.report.add(diagnostic);
            return None;
        };
        match enum_value(self.model, file, (id, flags), path, self.report)? {
            Literal::EnumValue(_, index) => Some(index),
            _ => None,
        }
    }

    fn structure(
        &mut self,
        file: FileId,
        (id, fields): (TypeId, &Fields),
        entries: &[(Value, Value)],
        span: Span,
    ) -> Option<Literal> {
        // Each field is a part, also an absent one.
        if self.parts + fields.fields.len() > MAX_VALUE_PARTS {
            self.excess = Some(Excess::Parts);
            return None;
        }
        let fields = by_number(fields);
        let given = self.given(id, &fields, entries);
        let mut missing = Vec::new();
        let values: Vec<Option<Option<Literal>>> = fields
            .iter()
            .map(|field| match given.get(field.name.text.as_str()) {
                Some(value) => self.field(file, id, field, value).map(Some),
                None => self.left_out(id, field, &mut missing),
            })
            .collect();
        // A name that is wrong is reported, and may be that of what is missing.
        let are_named = given.len() == entries.len();
        if !missing.is_empty() && are_named && !self.model.declared(id).item.damaged {
            self.missing(id, &missing, span);
        }
        let is_sound = missing.is_empty() && are_named;
        let values = values.into_iter().collect::<Option<Vec<_>>>()?;
        is_sound.then_some(Literal::Struct(id, values))
    }

    /// Returns the values that are given for fields, by their names.
    fn given<'v>(
        &mut self,
        id: TypeId,
        fields: &[&Field],
        entries: &'v [(Value, Value)],
    ) -> HashMap<&'v str, &'v Value> {
        let declared = self.model.declared(id).item;
        let names: HashSet<&str> = fields.iter().map(|field| field.name.text.as_str()).collect();
        let mut given: HashMap<&str, &Value> = HashMap::new();
        let mut spans: HashMap<&str, Span> = HashMap::new();
        for (key, value) in entries {
            let name = match &key.kind {
                ValueKind::Path(path) if path.segments.len() == 1 => path.segments[0].text.as_str(),
                _ => {
                    let diagnostic = Diagnostic::new(diagnostic::VALUE_FIELD, "this is no field's name")
                        .at(key.span, "")
                        .help(format!("name a field of `{}`, without quotes", declared.full_name));
                    self.report.add(diagnostic);
                    continue;
                }
            };
            if !names.contains(name) {
                self.unknown_field(id, name, key.span, &names);
            } else if let Some(first) = spans.insert(name, key.span) {
                self.report.add(twice(format!("`{name}` is given twice"), key.span, first));
            } else {
                given.insert(name, value);
            }
        }
        given
    }

    fn unknown_field(&mut self, id: TypeId, name: &str, span: Span, names: &HashSet<&str>) {
        let declared = self.model.declared(id).item;
        if declared.damaged {
            return;
        }
        let mut names: Vec<&str> = names.iter().copied().collect();
        names.sort_unstable();
        let nearest = suggest::nearest(name, names.iter().copied());
        let help = match nearest {
            Some(nearest) => format!("did you mean `{nearest}`?"),
            None if names.is_empty() => format!("`{}` has no fields", declared.full_name),
            None => format!("it has {}", listed(&names)),
        };
        let message = format!("`{}` has no field `{name}`", declared.full_name);
        let diagnostic = Diagnostic::new(diagnostic::VALUE_FIELD, message).at(span, "").help(help);
        self.report.add(diagnostic.suggest_if(span, nearest));
    }

    fn missing(&mut self, id: TypeId, missing: &[&str], span: Span) {
        let name = &self.model.declared(id).item.full_name;
        let are = if missing.len() == 1 { "is" } else { "are" };
        let message = format!("{} of `{name}` {are} missing", listed(missing));
        let diagnostic = Diagnostic::new(diagnostic::VALUE_FIELD, message)
            .at(span, "")
            .help(format!("add `{}: …`; only what is optional or has a default may be left out", missing[0]));
        self.report.add(diagnostic);
    }

    /// Evaluates the value of a field, which must be within its bounds.
    fn field(&mut self, file: FileId, id: TypeId, field: &Field, value: &Value) -> Option<Literal> {
        let from = self.model.declared(id).file;
        let ty = self.model.ty(from, &field.ty)?;
        let literal = self.part(file, &ty, value)?;
        let inner = self.model.inner(&ty)?;
        let argument = |name| field.preamble.find(name).and_then(|attribute| attribute.arguments.first());
        let length = argument("len").map(|value| (value, Bounded::Length));
        let number = match inner {
            Type::Builtin(builtin) => argument("range").map(|value| (value, Bounded::Number(builtin))),
            _ => None,
        };
        for (bound, bounded) in length.into_iter().chain(number) {
            let range = bounds(self.model, from, bounded, bound, &mut Report::default())?;
            if !allows(&range, bounded, &literal) {
                let message = format!("the value of `{}` is outside its bounds", field.name.text);
                let diagnostic = Diagnostic::new(diagnostic::DEFAULT_OUTSIDE, message)
                    .at(value.span, "")
                    .related(bound.span, "its bounds");
                self.report.add(diagnostic.help("choose a value within the bounds, or widen them"));
                return None;
            }
        }
        Some(literal)
    }

    /// Returns the value of a field that is left out, which is `Some(None)` if it is absent.
    #[allow(
        clippy::option_option,
        reason = "the outer one is every evaluation's, the inner one is the value"
    )]
    fn left_out<'f>(
        &mut self,
        id: TypeId,
        field: &'f Field,
        missing: &mut Vec<&'f str>,
    ) -> Option<Option<Literal>> {
        let from = self.model.declared(id).file;
        let ty = self.model.ty(from, &field.ty)?;
        match self.model.resolved(&ty)? {
            Type::Optional(_) => {
                self.parts += 1;
                return Some(None);
            }
            inner => {
                if let Some(value) =
                    field.preamble.find("default").and_then(|attribute| attribute.arguments.first())
                {
                    return self.elsewhere(|it| it.value(from, &inner, value)).map(Some);
                }
                if inner == Type::Builtin(Builtin::Value) {
                    self.parts += 1;
                    return Some(None);
                }
            }
        }
        missing.push(&field.name.text);
        None
    }
}

/// Maximum number of names that a message has.
const MAX_LISTED: usize = 12;

/// Returns names for a message: all, or the first ones and how many more there are.
fn listed(names: &[&str]) -> String {
    let (shown, rest) = names.split_at(names.len().min(MAX_LISTED));
    let shown = format!("`{}`", shown.join("`, `"));
    if rest.is_empty() { shown } else { format!("{shown} and {} more", rest.len()) }
}

fn first_name(flags: &Enum) -> &str {
    flags.values.first().map_or("", |flag| flag.name.text.as_str())
}

fn twice(message: String, span: Span, first: Span) -> Diagnostic {
    Diagnostic::new(diagnostic::VALUE_TWICE, message)
        .at(span, "once more")
        .related(first, "first here")
        .help("remove one of the two")
}
