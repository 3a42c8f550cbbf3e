//! Turns pest's parse result into the syntax tree: declarations and members, made of what [`super::part`] builds.
//!
//! Each function knows the shape of one grammar rule. They return an `Option` because only the grammar, not the
//! compiler, guarantees that shape; where the two disagree, the piece counts as one that could not be parsed.

use std::iter::Peekable;

use pest::iterators::{Pair, Pairs};

use super::Rule;
use crate::ast::{
    Answer, Enum, EnumValue, Field, Fields, File, Import, ItemId, ItemKind, Method, Number, Package,
    Parameter, Path, Payload, Preamble, Reserved, ReservedKind, Service, Type, Union, Variant,
};
use crate::diagnostic::{self, Diagnostic, Report};
use crate::source::{FileId, Span};

/// Builds the pieces of one file.
pub(super) struct Builder<'a> {
    pub(super) file: FileId,
    /// Offset in the file at which the text that pest was given starts.
    pub(super) base: usize,
    pub(super) report: &'a mut Report,
    /// The file, to which items are added.
    pub(super) tree: &'a mut File,
    /// The item that is built.
    pub(super) within: Option<ItemId>,
}

/// One declaration of any kind.
pub(super) enum Declaration {
    Package(Package),
    Import(Import),
    /// Any other, which is in the tree already.
    Item,
}

/// The parts of a rule, taken one by one.
pub(super) struct Parts<'i>(Peekable<Pairs<'i, Rule>>);

impl<'i> Parts<'i> {
    pub(super) fn of(pair: Pair<'i, Rule>) -> Self {
        Self(pair.into_inner().peekable())
    }

    /// Returns the next part of this rule, and skips what comes before it.
    pub(super) fn next(&mut self, rule: Rule) -> Option<Pair<'i, Rule>> {
        self.0.find(|pair| pair.as_rule() == rule)
    }

    /// Returns the next part if it is of this rule.
    pub(super) fn next_if(&mut self, rule: Rule) -> Option<Pair<'i, Rule>> {
        self.0.next_if(|pair| pair.as_rule() == rule)
    }

    /// Returns the next part, whatever its rule.
    pub(super) fn any(&mut self) -> Option<Pair<'i, Rule>> {
        self.0.next()
    }

    /// Returns all remaining parts of this rule.
    pub(super) fn all(self, rule: Rule) -> impl Iterator<Item = Pair<'i, Rule>> {
        self.0.filter(move |pair| pair.as_rule() == rule)
    }
}

impl Builder<'_> {
    pub(super) fn declaration(&mut self, item: Pair<Rule>) -> Option<Declaration> {
        let mut parts = Parts::of(item);
        let preamble = self.preamble(parts.next(Rule::preamble)?)?;
        let pair = parts.next(Rule::declaration)?.into_inner().next()?;
        Some(match pair.as_rule() {
            Rule::package => {
                let path = self.path(&Parts::of(pair).next(Rule::package_path)?);
                Declaration::Package(Package { preamble, path })
            }
            Rule::import => {
                self.no_attributes(&preamble);
                Declaration::Import(self.import(pair)?)
            }
            _ => {
                self.item(preamble, pair)?;
                Declaration::Item
            }
        })
    }

    /// Reports attributes of an import: none is allowed. It is reported here since no later stage sees them.
    fn no_attributes(&mut self, preamble: &Preamble) {
        if let Some(attribute) = preamble.attributes.first() {
            let message = format!("`@{}` means nothing on an import", attribute.name.text);
            let at = Diagnostic::new(diagnostic::MISPLACED_ATTRIBUTE, message).at(attribute.span, "");
            self.report.add(at.help("remove it"));
        }
    }

    fn import(&mut self, pair: Pair<Rule>) -> Option<Import> {
        let mut parts = Parts::of(pair);
        let path = parts.next(Rule::string)?;
        let path_span = self.span(&path);
        let path = self.string(&path).unwrap_or_default();
        let alias = parts.next(Rule::alias_name).map(|pair| self.name(&pair));
        Some(Import { path, path_span, alias })
    }

    /// Builds a declaration and those inside of it.
    fn item(&mut self, preamble: Preamble, pair: Pair<Rule>) -> Option<()> {
        let rule = pair.as_rule();
        let mut parts = Parts::of(pair);
        let name_rule = if rule == Rule::constant { Rule::constant_name } else { Rule::type_name };
        let name = self.name(&parts.next(name_rule)?);
        let id = self.tree.open(self.within, preamble, name);
        let around = self.within.replace(id);
        let kind = self.kind(rule, parts);
        self.within = around;
        match kind {
            Some(kind) => self.tree.close(id, kind, false),
            None => self.tree.items.truncate(id.0),
        }
        (id.0 < self.tree.items.len()).then_some(())
    }

    fn kind(&mut self, rule: Rule, mut parts: Parts) -> Option<ItemKind> {
        Some(match rule {
            Rule::constant => {
                let ty = self.ty(parts.next(Rule::type_use)?)?;
                ItemKind::Const { ty, value: self.value(parts.next(Rule::value)?)? }
            }
            Rule::alias => ItemKind::Alias(self.ty(parts.next(Rule::type_use)?)?),
            Rule::structure => ItemKind::Struct(self.fields(parts.all(Rule::struct_member))?),
            Rule::event => {
                let fields = self.fields(parts.all(Rule::struct_member))?;
                ItemKind::Struct(Fields { is_event: true, ..fields })
            }
            Rule::enumeration | Rule::flags => {
                let is_flags = rule == Rule::flags;
                ItemKind::Enum(Enum { is_flags, ..self.enumeration(parts.all(Rule::enum_member))? })
            }
            Rule::union | Rule::error => {
                let is_error = rule == Rule::error;
                ItemKind::Union(Union { is_error, ..self.union(parts.all(Rule::union_member))? })
            }
            Rule::service => {
                let extends = parts.next_if(Rule::extends).map(|pair| self.extends(pair)).unwrap_or_default();
                let methods = parts.all(Rule::method).map(|pair| self.method(pair)).collect::<Option<_>>()?;
                ItemKind::Service(Service { extends, methods })
            }
            _ => return None,
        })
    }

    /// Builds a type inside of another. Recursion is bounded by [`crate::ast::MAX_NESTED`].
    fn nested(&mut self, pair: Pair<Rule>) -> Option<()> {
        let mut parts = Parts::of(pair);
        let preamble = self.preamble(parts.next(Rule::preamble)?)?;
        self.item(preamble, parts.any()?)
    }

    pub(super) fn fields<'i>(&mut self, members: impl Iterator<Item = Pair<'i, Rule>>) -> Option<Fields> {
        let mut fields = Fields::default();
        for member in members {
            let member = member.into_inner().next()?;
            match member.as_rule() {
                Rule::reserved => self.reserved(member, &mut fields.reserved)?,
                Rule::nested => self.nested(member)?,
                _ => fields.fields.push(self.field(member)?),
            }
        }
        Some(fields)
    }

    fn field(&mut self, pair: Pair<Rule>) -> Option<Field> {
        let mut parts = Parts::of(pair);
        let preamble = self.preamble(parts.next(Rule::preamble)?)?;
        let name = self.name(&parts.next(Rule::field_name)?);
        let ty = self.ty(parts.next(Rule::type_use)?)?;
        Some(Field { preamble, name, ty, number: self.tag(parts.next(Rule::tag)?)? })
    }

    pub(super) fn enumeration<'i>(&mut self, members: impl Iterator<Item = Pair<'i, Rule>>) -> Option<Enum> {
        let mut built = Enum::default();
        for member in members {
            let member = member.into_inner().next()?;
            if member.as_rule() == Rule::reserved {
                self.reserved(member, &mut built.reserved)?;
                continue;
            }
            let mut parts = Parts::of(member);
            let preamble = self.preamble(parts.next(Rule::preamble)?)?;
            let name = self.name(&parts.next(Rule::value_name)?);
            built.values.push(EnumValue { preamble, name, number: self.tag(parts.next(Rule::tag)?)? });
        }
        Some(built)
    }

    pub(super) fn union<'i>(&mut self, members: impl Iterator<Item = Pair<'i, Rule>>) -> Option<Union> {
        let mut built = Union::default();
        for member in members {
            let member = member.into_inner().next()?;
            match member.as_rule() {
                Rule::reserved => self.reserved(member, &mut built.reserved)?,
                Rule::nested => self.nested(member)?,
                _ => built.variants.push(self.variant(member)?),
            }
        }
        Some(built)
    }

    fn variant(&mut self, pair: Pair<Rule>) -> Option<Variant> {
        let mut parts = Parts::of(pair);
        let preamble = self.preamble(parts.next(Rule::preamble)?)?;
        let name = self.name(&parts.next(Rule::variant_name)?);
        let payload = if let Some(fields) = parts.next_if(Rule::variant_fields) {
            Payload::Fields(self.fields(Parts::of(fields).all(Rule::variant_field))?)
        } else if parts.next_if(Rule::colon).is_some() {
            Payload::Type(self.ty(parts.next(Rule::type_use)?)?)
        } else {
            Payload::Nothing
        };
        Some(Variant { preamble, name, payload, number: self.tag(parts.next(Rule::tag)?)? })
    }

    fn tag(&mut self, pair: Pair<Rule>) -> Option<Number> {
        let pair = Parts::of(pair).next(Rule::number)?;
        Some(Number { value: self.integer(&pair), span: self.span(&pair) })
    }

    fn reserved(&mut self, pair: Pair<Rule>, entries: &mut Vec<Reserved>) -> Option<()> {
        for entry in Parts::of(pair).all(Rule::reserved_entry) {
            let pair = entry.into_inner().next()?;
            let span = self.trimmed(&pair);
            let kind = match pair.as_rule() {
                Rule::string => self.string(&pair).map_or(ReservedKind::Invalid, ReservedKind::Name),
                Rule::number => self.one_number(&pair),
                _ => self.number_range(pair)?,
            };
            entries.push(Reserved { kind, span });
        }
        Some(())
    }

    fn one_number(&mut self, pair: &Pair<Rule>) -> ReservedKind {
        let value = self.integer(pair);
        value.map_or(ReservedKind::Invalid, |value| ReservedKind::Numbers {
            min: Some(value),
            max: Some(value),
            exclusive: false,
        })
    }

    fn number_range(&mut self, pair: Pair<Rule>) -> Option<ReservedKind> {
        let mut parts = Parts::of(pair);
        let min = parts.next_if(Rule::number).map(|pair| self.integer(&pair));
        let inclusive = parts.next(Rule::dots)?.as_str() == "..=";
        let max = parts.next_if(Rule::number).map(|pair| self.integer(&pair));
        if min == Some(None) || max == Some(None) {
            return Some(ReservedKind::Invalid);
        }
        let max = max.flatten().map(|max| if inclusive { max } else { max.saturating_sub(1) });
        Some(ReservedKind::Numbers { min: min.flatten(), max, exclusive: !inclusive })
    }

    pub(super) fn extends(&self, pair: Pair<Rule>) -> Vec<Path> {
        Parts::of(pair).all(Rule::service_path).map(|pair| self.path(&pair)).collect()
    }

    pub(super) fn method(&mut self, pair: Pair<Rule>) -> Option<Method> {
        let mut parts = Parts::of(pair);
        let preamble = self.preamble(parts.next(Rule::preamble)?)?;
        let oneway = parts.next_if(Rule::kw_oneway).map(|pair| self.span(&pair));
        let name = self.name(&parts.next(Rule::method_name)?);
        let parameters = Parts::of(parts.next(Rule::parameters)?).all(Rule::parameter);
        let parameters = parameters.map(|pair| self.parameter(pair)).collect::<Option<_>>()?;
        let answer = match parts.next_if(Rule::answer) {
            Some(pair) => Some(self.answer(pair)?),
            None => None,
        };
        let throws = parts.next_if(Rule::throws).map(|pair| Parts::of(pair).all(Rule::error_path));
        let throws = throws.into_iter().flatten().map(|pair| self.path(&pair)).collect();
        Some(Method { preamble, oneway, name, parameters, answer, throws })
    }

    fn parameter(&mut self, pair: Pair<Rule>) -> Option<Parameter> {
        let mut parts = Parts::of(pair);
        let preamble = self.preamble(parts.next(Rule::preamble)?)?;
        let name = self.name(&parts.next(Rule::parameter_name)?);
        let (stream, ty) = self.streamed(parts.next(Rule::streamed)?)?;
        Some(Parameter { preamble, name, stream, ty })
    }

    fn answer(&mut self, pair: Pair<Rule>) -> Option<Answer> {
        let start = self.span(&pair);
        let (stream, ty) = self.streamed(Parts::of(pair).next(Rule::streamed)?)?;
        let span = Span { end: ty.span.end, ..start };
        Some(Answer { stream: stream.is_some(), ty, span })
    }

    fn streamed(&mut self, pair: Pair<Rule>) -> Option<(Option<Span>, Type)> {
        let mut parts = Parts::of(pair);
        let stream = parts.next_if(Rule::kw_stream).map(|pair| self.span(&pair));
        Some((stream, self.ty(parts.next(Rule::type_use)?)?))
    }
}
