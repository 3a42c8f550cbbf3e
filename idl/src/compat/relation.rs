//! Finds what values of one type are to a reader of another.
//!
//! Matched types (see [`super::pairs`]) count as alike here, since their changes are reported where they are declared.
//! Others are compared member by member. They may be recursive and nest however deep, so a pair is never compared from
//! within another: see [`super::related`].

use std::ops::{BitOr, RangeInclusive};

use super::change::{Change, Effects};
use super::{Comparison, Flow, shown};
use crate::diagnostic;
use crate::schema::{Builtin, Schema, Type, TypeId, TypeKind};
use crate::source::Span;

/// How two types differ. The default is not at all.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[allow(clippy::struct_excessive_bools, reason = "questions, each with an answer of its own")]
pub(super) struct Relation {
    /// Whether the older type rejects or misreads some value of the newer.
    pub(super) old_fails: bool,
    /// Whether the newer type rejects or misreads some value of the older.
    pub(super) new_fails: bool,
    /// Whether they are different types in Rust.
    pub(super) source: bool,
    /// Whether they are the same under another name.
    pub(super) respelled: bool,
    /// Whether one has fields, values or variants that the other has not.
    pub(super) has_more: bool,
}

impl Relation {
    /// The bytes are the same, but the Rust type differs.
    pub(super) const RUST_ONLY: Self =
        Self { old_fails: false, new_fails: false, source: true, respelled: false, has_more: false };
    /// Neither reads what the other writes.
    pub(super) const INCOMPATIBLE: Self =
        Self { old_fails: true, new_fails: true, source: true, respelled: false, has_more: false };

    pub(super) fn fails(self) -> bool {
        self.old_fails || self.new_fails
    }

    pub(super) fn effects(self, flow: Flow) -> Effects {
        let Self { old_fails, new_fails, source, .. } = self;
        Effects { old_reads_new: old_fails, new_reads_old: new_fails, source, flow, ..Effects::default() }
    }
}

impl BitOr for Relation {
    type Output = Self;

    fn bitor(self, other: Self) -> Self {
        Self {
            old_fails: self.old_fails || other.old_fails,
            new_fails: self.new_fails || other.new_fails,
            source: self.source || other.source,
            respelled: self.respelled || other.respelled,
            has_more: self.has_more || other.has_more,
        }
    }
}

/// A use of a type: what has the type, and its place on both sides.
#[derive(Debug, Clone)]
pub(super) struct Place {
    /// Description of what has the type: `` field `size` of `Trade` ``
    pub(super) what: String,
    pub(super) old: Span,
    pub(super) new: Span,
    pub(super) flow: Flow,
}

impl Comparison<'_> {
    pub(super) fn relate(&self, old: &Type, new: &Type, flow: Flow) -> Relation {
        if let (Type::Named(old), Type::Named(new)) = (old, new)
            && self.pairs.are_one(*old, *new)
        {
            return Relation::default();
        }
        let (before, after) = (self.old.resolved(old), self.new.resolved(new));
        let aliased =
            Relation { respelled: is_alias(old, before) || is_alias(new, after), ..Relation::default() };
        aliased | self.relate_resolved(before, after, flow)
    }

    fn relate_resolved(&self, old: &Type, new: &Type, flow: Flow) -> Relation {
        let value = Type::Builtin(Builtin::Value);
        match (old, new) {
            (Type::Builtin(old), Type::Builtin(new)) if old == new => Relation::default(),
            // Nil is a `value` as well, so an optional `value` holds nothing more.
            (Type::Optional(old), new) if *self.old.resolved(old) == value && *new == value => {
                Relation::RUST_ONLY
            }
            (old, Type::Optional(new)) if *self.new.resolved(new) == value && *old == value => {
                Relation::RUST_ONLY
            }
            (old, _) if *old == value => Relation { old_fails: false, ..Relation::INCOMPATIBLE },
            (_, new) if *new == value => Relation { new_fails: false, ..Relation::INCOMPATIBLE },
            (Type::Builtin(old), Type::Builtin(new)) => builtins(*old, *new),
            (Type::Optional(old), Type::Optional(new))
            | (Type::List(old), Type::List(new))
            | (Type::Set(old), Type::Set(new)) => self.relate(old, new, flow),
            // A list may hold an element twice, which a reader of a set refuses.
            (Type::List(old), Type::Set(new)) => {
                self.relate(old, new, flow)
                    | Relation { new_fails: true, source: true, ..Relation::default() }
            }
            (Type::Set(old), Type::List(new)) => {
                self.relate(old, new, flow)
                    | Relation { old_fails: true, source: true, ..Relation::default() }
            }
            (Type::Optional(old), new) => {
                self.relate(old, new, flow)
                    | Relation { new_fails: true, source: true, ..Relation::default() }
            }
            (old, Type::Optional(new)) => {
                self.relate(old, new, flow)
                    | Relation { old_fails: true, source: true, ..Relation::default() }
            }
            (Type::Map(old_key, old_value), Type::Map(new_key, new_value)) => {
                self.relate(old_key, new_key, flow) | self.relate(old_value, new_value, flow)
            }
            (Type::Named(old), Type::Named(new)) => self.relate_named(*old, *new, flow),
            (Type::Named(id), Type::Builtin(new)) if is_flags(self.old, *id) => flags(Builtin::U64, *new),
            (Type::Builtin(old), Type::Named(id)) if is_flags(self.new, *id) => flags(*old, Builtin::U64),
            _ => Relation::INCOMPATIBLE,
        }
    }

    /// Returns the relation of two types of one name if only one of them is an alias, or if they are of different
    /// kinds.
    pub(super) fn relate_targets(&self, old: TypeId, new: TypeId, flow: Flow) -> Relation {
        let (old, new) = (Type::Named(old), Type::Named(new));
        let (before, after) = (self.old.resolved(&old), self.new.resolved(&new));
        if is_alias(&old, before) || is_alias(&new, after) {
            self.relate_resolved(before, after, flow) | Relation { source: true, ..Relation::default() }
        } else {
            Relation::INCOMPATIBLE
        }
    }

    /// Reports a changed type at a use, and returns the relation of the two types.
    pub(super) fn type_change(
        &self,
        place: &Place,
        old: &Type,
        new: &Type,
        out: &mut Vec<Change>,
    ) -> Relation {
        let relation = self.relate(old, new, place.flow);
        let (before, after) = shown::types((self.old, old), (self.new, new));
        if relation.fails() || relation.source {
            out.push(retyped(place, relation, &before, &after));
        } else if relation.respelled && before != after {
            out.push(respelled(place, &before, &after));
        }
        relation
    }

    /// Reports whether both are the same alias, whose own change is reported at its declaration.
    pub(super) fn are_one_alias(&self, old: &Type, new: &Type) -> bool {
        let (Type::Named(before), Type::Named(after)) = (old, new) else { return false };
        self.pairs.are_one(*before, *after) && matches!(self.old.definition(*before).kind, TypeKind::Alias(_))
    }
}

fn is_alias(ty: &Type, resolved: &Type) -> bool {
    !std::ptr::eq(ty, resolved)
}

fn retyped(place: &Place, relation: Relation, before: &str, after: &str) -> Change {
    Change::new(
        diagnostic::TYPE_CHANGED,
        format!("{} was of type `{before}`, and is `{after}` now", place.what),
    )
    .was(place.old, format!("`{before}` here"))
    .is(place.new, format!("`{after}` here"))
    .effects(relation.effects(place.flow))
    .why(why_retyped(relation, before, after))
    .help(help_retyped(relation))
}

fn why_retyped(relation: Relation, before: &str, after: &str) -> String {
    match (relation.old_fails, relation.new_fails) {
        (true, true) => {
            format!(
                "bytes don't say which of the two they are: what one side writes as `{before}` the other refuses or misreads as `{after}`, and the other way round"
            )
        }
        (true, false) if relation.has_more => format!(
            "`{after}` reads what `{before}` writes, but `{before}` needs a field that `{after}` does not have"
        ),
        (false, true) if relation.has_more => format!(
            "`{before}` reads what `{after}` writes, but `{after}` needs a field that `{before}` does not have"
        ),
        (true, false) => format!("`{after}` takes whatever `{before}` may be, but not the other way round"),
        (false, true) => format!("`{before}` takes whatever `{after}` may be, but not the other way round"),
        (false, false) if relation.has_more => format!(
            "what only one of `{before}` and `{after}` has may be absent and is skipped by the other, so programs go on talking; but in Rust it is another type"
        ),
        (false, false) => {
            "the bytes are the same, so programs go on talking; but in Rust it is another type".to_owned()
        }
    }
}

fn help_retyped(relation: Relation) -> &'static str {
    match (relation.old_fails, relation.new_fails) {
        (true, false) => {
            "add a member of the new type under a new number; or, if you must, deploy all readers before any writer"
        }
        (true | false, true) => {
            "leave it as it is, and add a member of the new type under a new number, which may be absent"
        }
        (false, false) => "make sure that the two mean the same: nothing tells them apart on the wire",
    }
}

fn respelled(place: &Place, before: &str, after: &str) -> Change {
    let message = format!("{} was spelled `{before}`, and is spelled `{after}` now", place.what);
    Change::new(diagnostic::TYPE_RESPELLED, message)
        .was(place.old, format!("`{before}` here"))
        .is(place.new, format!("`{after}` here, which is the same"))
        .why("an alias is another name for a type and nothing else, on the wire and in Rust")
        .help("nothing needs to be done")
}

/// Reports whether a type is declared by `flags`.
pub(super) fn is_flags(schema: &Schema, id: TypeId) -> bool {
    matches!(schema.definition(id).kind, TypeKind::Flags(_))
}

/// Returns the relation of `flags`, which are a `u64` on the wire, and a built-in type.
fn flags(old: Builtin, new: Builtin) -> Relation {
    if old == new { Relation::RUST_ONLY } else { builtins(old, new) }
}

/// Returns the relation of two different built-in types.
fn builtins(old: Builtin, new: Builtin) -> Relation {
    let source = Relation { source: true, ..Relation::default() };
    match (integers(old), integers(new), old, new) {
        (Some(old), Some(new), _, _) => {
            let holds = |all: &RangeInclusive<i128>, some: &RangeInclusive<i128>| {
                all.contains(some.start()) && all.contains(some.end())
            };
            Relation { old_fails: !holds(&old, &new), new_fails: !holds(&new, &old), ..source }
        }
        // Reading an `f64` as an `f32` rounds it.
        (_, _, Builtin::F32, Builtin::F64) => Relation { old_fails: true, ..source },
        (_, _, Builtin::F64, Builtin::F32) => Relation { new_fails: true, ..source },
        _ => Relation::INCOMPATIBLE,
    }
}

/// Returns the range of an integer type.
pub(super) fn integers(builtin: Builtin) -> Option<RangeInclusive<i128>> {
    Some(match builtin {
        Builtin::U8 => 0..=u8::MAX.into(),
        Builtin::U16 => 0..=u16::MAX.into(),
        Builtin::U32 => 0..=u32::MAX.into(),
        Builtin::U64 => 0..=u64::MAX.into(),
        Builtin::I8 => i8::MIN.into()..=i8::MAX.into(),
        Builtin::I16 => i16::MIN.into()..=i16::MAX.into(),
        Builtin::I32 => i32::MIN.into()..=i32::MAX.into(),
        Builtin::I64 => i64::MIN.into()..=i64::MAX.into(),
        _ => return None,
    })
}
