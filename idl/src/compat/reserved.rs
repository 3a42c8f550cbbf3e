//! Compares `reserved`: what was added to it, and what was removed.

use super::change::Change;
use super::members::{Member, Owner};
use crate::diagnostic;
use crate::schema::{Reserved, ReservedKind};

/// Returns the entry that holds a number.
pub(super) fn holder(entries: &[Reserved], number: i64) -> Option<&Reserved> {
    entries.iter().find(|entry| match entry.kind {
        ReservedKind::Numbers(min, max) => (min..=max).contains(&number),
        ReservedKind::Name(_) => false,
    })
}

/// Returns what is in one entry and not in others: ranges of numbers, or a name.
fn missing<M: Member>(entry: &Reserved, others: &[Reserved]) -> Vec<ReservedKind> {
    match &entry.kind {
        ReservedKind::Name(_) if others.iter().any(|other| other.kind == entry.kind) => Vec::new(),
        ReservedKind::Name(_) => vec![entry.kind.clone()],
        ReservedKind::Numbers(min, max) => {
            let left = others.iter().fold(vec![(*min, *max)], |left, other| match other.kind {
                ReservedKind::Numbers(from, to) => cut(&left, from, to),
                ReservedKind::Name(_) => left,
            });
            // Below its least number there is nothing to reserve: `..5` says no more of a struct than `1..5`.
            let left = left.into_iter().filter(|(_, max)| *max >= M::LEAST);
            left.map(|(min, max)| ReservedKind::Numbers(min, max)).collect()
        }
    }
}

/// Returns ranges without the numbers of another.
fn cut(ranges: &[(i64, i64)], from: i64, to: i64) -> Vec<(i64, i64)> {
    let mut left = Vec::new();
    for (min, max) in ranges.iter().copied() {
        if from > max || to < min {
            left.push((min, max));
            continue;
        }
        left.extend((min < from).then(|| (min, from - 1)));
        left.extend((to < max).then(|| (to + 1, max)));
    }
    left
}

fn shown(kind: &ReservedKind) -> String {
    match kind {
        ReservedKind::Name(name) => format!("the name `{name}`"),
        ReservedKind::Numbers(min, max) if min == max => format!("number {min}"),
        ReservedKind::Numbers(i64::MIN, i64::MAX) => "all numbers".to_owned(),
        ReservedKind::Numbers(i64::MIN, max) => format!("the numbers up to {max}"),
        ReservedKind::Numbers(min, i64::MAX) => format!("the numbers from {min} on"),
        ReservedKind::Numbers(min, max) => format!("the numbers {min} to {max}"),
    }
}

/// Reports whether an entry is about nothing but one of these members, whose removal or addition is already reported.
fn is_about<M: Member>(kind: &ReservedKind, members: &[M]) -> bool {
    members.iter().any(|member| match kind {
        ReservedKind::Name(name) => member.name() == name,
        ReservedKind::Numbers(min, max) => min == max && *min == member.number(),
    })
}

/// Reports numbers and names that are newly reserved, except those of removed members.
pub(super) fn added<M: Member>(owner: &Owner<'_>, old: &[M], out: &mut Vec<Change>) {
    for entry in owner.new_reserved {
        for kind in missing::<M>(entry, owner.old_reserved).iter().filter(|kind| !is_about(kind, old)) {
            let message = format!("{} reserves {} now", owner.name, shown(kind));
            let change = Change::new(diagnostic::RESERVED_ADDED, message)
                .was(owner.old, "not reserved here")
                .is(entry.span, "reserved here")
                .why("nothing that is sent uses it")
                .help("nothing needs to be done");
            out.push(change);
        }
    }
}

/// Reports numbers and names that are no longer reserved. One that is already used again is reported by
/// [`Owner::reserved_number`].
pub(super) fn freed<M: Member>(owner: &Owner<'_>, new: &[M], out: &mut Vec<Change>) {
    for entry in owner.old_reserved {
        for kind in missing::<M>(entry, owner.new_reserved).iter().filter(|kind| !is_number_of(kind, new)) {
            let message = format!("{} no longer reserves {}", owner.name, shown(kind));
            let change = Change::new(diagnostic::RESERVED_REMOVED, message)
                .was(entry.span, "reserved here")
                .is(owner.new, "not reserved here")
                .risk()
                .why("nothing has changed on the wire yet; but it can now be reused for something else, which old programs would misread")
                .help("reserve it again: that costs nothing");
            out.push(change);
        }
    }
}

fn is_number_of<M: Member>(kind: &ReservedKind, members: &[M]) -> bool {
    matches!(kind, ReservedKind::Numbers(..)) && is_about(kind, members)
}

#[cfg(test)]
mod tests {
    use super::cut;

    #[test]
    fn what_is_left_of_a_range() {
        assert_eq!(cut(&[(1, 9)], 3, 4), [(1, 2), (5, 9)]);
        assert_eq!(cut(&[(1, 9)], 0, 4), [(5, 9)]);
        assert_eq!(cut(&[(1, 9)], 9, 20), [(1, 8)]);
        assert_eq!(cut(&[(1, 9)], 10, i64::MAX), [(1, 9)]);
        assert_eq!(cut(&[(i64::MIN, i64::MAX)], -1, 1), [(i64::MIN, -2), (2, i64::MAX)]);
        assert!(cut(&[(1, 9)], i64::MIN, i64::MAX).is_empty());
    }
}
