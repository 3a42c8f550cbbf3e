//! Matches members by number: which of the older is which of the newer. The rules about them are in [`super::fields`],
//! [`super::variants`] and [`super::types`].

use std::collections::BTreeMap;

use super::change::Change;
use super::reserved::holder;
use crate::diagnostic;
use crate::schema::{EnumValue, Field, Flag, Reserved, Variant};
use crate::source::Span;

/// Something with a name and a number.
pub(super) trait Member {
    /// Noun for it in messages.
    const NOUN: &'static str;
    /// The least number that one may have.
    const LEAST: i64;
    /// Whether a `match` in Rust has to name each.
    const IS_MATCHED: bool;

    fn name(&self) -> &str;
    fn number(&self) -> i64;
    fn span(&self) -> Span;
}

macro_rules! member {
    ($type:ty, $noun:literal, $least:expr, $is_matched:literal) => {
        impl Member for $type {
            const NOUN: &'static str = $noun;
            const LEAST: i64 = $least;
            const IS_MATCHED: bool = $is_matched;

            fn name(&self) -> &str {
                &self.name
            }

            fn number(&self) -> i64 {
                self.number.into()
            }

            fn span(&self) -> Span {
                self.span
            }
        }
    };
}

member!(Field, "field", 1, false);
member!(EnumValue, "value", i32::MIN as i64, true);
member!(Flag, "flag", 0, false);
member!(Variant, "variant", 1, true);

/// What has become of a member.
#[derive(Debug, Clone, Copy)]
pub(super) enum Fate<'a, M> {
    /// Both have the number, and the name is not that of another member.
    Stays(&'a M, &'a M),
    /// Both have the name, with different numbers.
    Renumbered(&'a M, &'a M),
    Gone(&'a M),
    Added(&'a M),
}

/// Returns the members with the same number in both.
pub(super) fn same_numbers<'a, M: Member>(old: &'a [M], new: &'a [M]) -> Vec<(&'a M, &'a M)> {
    let known: BTreeMap<i64, &M> = new.iter().map(|member| (member.number(), member)).collect();
    old.iter().filter_map(|member| Some((member, *known.get(&member.number())?))).collect()
}

/// Returns the fate of each member. A common name outweighs a number: an author who moves a name means the same member.
pub(super) fn fates<'a, M: Member>(old: &'a [M], new: &'a [M]) -> Vec<Fate<'a, M>> {
    let names: BTreeMap<&str, &M> = old.iter().map(|member| (member.name(), member)).collect();
    let new_names: BTreeMap<&str, &M> = new.iter().map(|member| (member.name(), member)).collect();
    let moved = |member: &M, others: &BTreeMap<&str, &M>| {
        others.get(member.name()).is_some_and(|other| other.number() != member.number())
    };
    let mut numbers: BTreeMap<i64, &M> = old
        .iter()
        .filter(|member| !moved(member, &new_names))
        .map(|member| (member.number(), member))
        .collect();
    let mut fates = Vec::new();
    for member in new {
        match names.get(member.name()) {
            Some(before) if before.number() != member.number() => {
                fates.push(Fate::Renumbered(*before, member));
            }
            _ => match numbers.remove(&member.number()) {
                Some(before) => fates.push(Fate::Stays(before, member)),
                None => fates.push(Fate::Added(member)),
            },
        }
    }
    fates.extend(numbers.into_values().map(Fate::Gone));
    fates
}

/// The declaration whose members are compared: its name, and its place on both sides.
#[derive(Debug, Clone)]
pub(super) struct Owner<'a> {
    /// The name in backticks: `` `Trade` ``
    pub(super) name: String,
    pub(super) old: Span,
    pub(super) new: Span,
    /// Reserved entries of the older declaration.
    pub(super) old_reserved: &'a [Reserved],
    /// Reserved entries of the newer declaration.
    pub(super) new_reserved: &'a [Reserved],
    pub(super) flow: super::Flow,
}

impl Owner<'_> {
    /// Returns the change of a member whose number is different.
    pub(super) fn renumbered<M: Member>(&self, before: &M, after: &M) -> Change {
        let (noun, name, owner) = (M::NOUN, after.name(), &self.name);
        let message = format!(
            "{noun} `{name}` of {owner} had number {}, and has number {} now",
            before.number(),
            after.number()
        );
        Change::new(diagnostic::RENUMBERED, message)
            .was(before.span(), format!("number {} here", before.number()))
            .is(after.span(), format!("number {} here", after.number()))
            .both(self.flow)
            .why("on the wire a name is only its number, so each side takes it for something else")
            .help(format!(
                "give it number {} again; a new {noun} takes a number that was never used",
                before.number()
            ))
    }

    /// Returns the change of a member whose name is different.
    pub(super) fn renamed<M: Member>(&self, before: &M, after: &M) -> Change {
        let (noun, owner) = (M::NOUN, &self.name);
        let message = format!("{noun} `{}` of {owner} is named `{}` now", before.name(), after.name());
        Change::new(diagnostic::MEMBER_RENAMED, message)
            .was(before.span(), "named so")
            .is(after.span(), "the same number")
            .source()
            .why("names are not sent, so old and new programs still understand each other; but Rust code uses the name, and so do peers that send maps from names")
            .help(format!("if it means something else now, it is another {noun}: give it a number of its own"))
    }

    /// Returns the change of a new member whose number was reserved, if it was.
    pub(super) fn reserved_number<M: Member>(&self, after: &M) -> Option<Change> {
        let entry = holder(self.old_reserved, after.number())?;
        let (noun, name, number) = (M::NOUN, after.name(), after.number());
        let message = format!("{noun} `{name}` of {} takes number {number}, which was reserved", self.name);
        let change = Change::new(diagnostic::RESERVED_NUMBER_USED, message)
            .was(entry.span, "reserved here")
            .is(after.span(), "used here")
            .both(self.flow)
            .why("the number meant something once, and programs of that time, or what they have stored, still mean it")
            .help("take a number that was never used");
        Some(change)
    }
}
