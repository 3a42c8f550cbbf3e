//! [`Members`]: what a type is made of, found by name and by number.

use std::ops::Deref;

use super::description::{Field, Variant};

/// The fields, values or variants of a type, in the order of its description. A type may have tens of thousands, each of which may
/// come in one text, so they are not searched one by one.
#[derive(Debug, PartialEq)]
pub(super) struct Members<T> {
    all: Vec<T>,
    /// Places of all, in the order of their names.
    by_name: Vec<usize>,
    /// Places of all, in the order of their numbers.
    by_number: Vec<usize>,
}

/// One of them.
pub(super) trait Member {
    fn name(&self) -> &'static str;

    fn number(&self) -> i64;
}

impl<T: Member> Members<T> {
    pub(super) fn of(all: Vec<T>) -> Self {
        let (mut by_name, mut by_number): (Vec<usize>, Vec<usize>) =
            (0..all.len()).map(|at| (at, at)).unzip();
        by_name.sort_by_key(|at| all[*at].name());
        by_number.sort_by_key(|at| all[*at].number());
        Self { all, by_name, by_number }
    }

    /// Returns the member of a name.
    pub(super) fn named(&self, name: &str) -> Option<&T> {
        let at = self.by_name.binary_search_by(|at| self.all[*at].name().cmp(name)).ok()?;
        Some(&self.all[self.by_name[at]])
    }

    /// Returns the member of a number.
    pub(super) fn numbered(&self, number: i64) -> Option<&T> {
        let at = self.by_number.binary_search_by_key(&number, |at| self.all[*at].number()).ok()?;
        Some(&self.all[self.by_number[at]])
    }

    /// Returns the names, in the order of the description.
    pub(super) fn names(&self) -> impl Iterator<Item = &'static str> {
        self.all.iter().map(Member::name)
    }
}

impl<T> Deref for Members<T> {
    type Target = [T];

    fn deref(&self) -> &[T] {
        &self.all
    }
}

impl Member for Field {
    fn name(&self) -> &'static str {
        self.name
    }

    fn number(&self) -> i64 {
        // The number of a field was parsed from 32 bits.
        i64::try_from(self.number).unwrap_or(i64::MAX)
    }
}

impl Member for Variant {
    fn name(&self) -> &'static str {
        self.name
    }

    fn number(&self) -> i64 {
        self.number.into()
    }
}

impl Member for (&'static str, i32) {
    fn name(&self) -> &'static str {
        self.0
    }

    fn number(&self) -> i64 {
        self.1.into()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn members_are_found_by_name_and_by_number() {
        let members = Members::of(vec![("Sell", 2), ("Buy", -1), ("Hold", 0)]);
        for member in members.iter() {
            assert_eq!(members.named(member.0), Some(member));
            assert_eq!(members.numbered(member.1.into()), Some(member));
        }
        assert_eq!((members.named("buy"), members.named(""), members.numbered(1)), (None, None, None));
        assert_eq!(members.names().collect::<Vec<_>>(), ["Sell", "Buy", "Hold"]);
        assert_eq!(Members::<Variant>::of(Vec::new()).named("a"), None);
    }
}
