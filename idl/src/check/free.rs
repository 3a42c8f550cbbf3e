//! Suggests a number if one is taken or reserved.
//!
//! The whole body is searched, which costs as much as it is long: a caller asks once for each body.

use super::numbers::numbers;
use super::walk::Body;

/// Returns what to do about a number that can't be used.
pub(super) fn help(body: &Body) -> String {
    match number(body) {
        Some(free) => format!("give it another number: {free} is free"),
        None => "give it another number".to_owned(),
    }
}

/// Returns the number to write for one that can't be used.
pub(super) fn text(body: &Body) -> Option<String> {
    number(body).map(|free| free.to_string())
}

/// Returns the first free number after all that are taken, since a gap between them may have had a meaning in an older
/// schema. If there is none, returns the first one in a gap.
pub(crate) fn number(body: &Body) -> Option<i128> {
    // A value may have a negative number, but is not given one unasked.
    let (least, greatest) = (body.limits.0.max(0), body.limits.1);
    let numbers_of_members = body.members.iter().filter_map(|(_, number)| number.value);
    let taken: Vec<i128> = numbers_of_members.filter(|value| *value <= greatest).collect();
    let reserved = body.reserved.iter().filter_map(numbers).map(|(min, max, _)| (min, max));
    let mut ranges: Vec<(i128, i128)> = reserved.chain(taken.iter().map(|value| (*value, *value))).collect();
    ranges.sort_unstable();
    let behind_all = taken.iter().max().map_or(least, |last| least.max(last + 1));
    let free = [behind_all, least].map(|from| first_outside(&ranges, from));
    free.into_iter().find(|free| *free <= greatest)
}

/// Returns the least number from `from` on that is in none of the ranges, which are ascending.
fn first_outside(ranges: &[(i128, i128)], from: i128) -> i128 {
    let mut free = from;
    for (min, max) in ranges {
        if *min > free {
            break;
        }
        free = free.max(max.saturating_add(1));
    }
    free
}
