//! [`Lookup`]: finds the members of declared types by name or number.
//!
//! A struct may have 65,535 fields and an enum any number of values, and one text may have each of them, in any order. So a long list
//! of members is indexed once it was searched several times.

use std::borrow::Borrow;
use std::cell::RefCell;
use std::collections::HashMap;
use std::hash::Hash;

/// Number of members up to which a list is searched, however often: that takes no longer than to hash a name.
const SHORT: usize = 32;

/// Number of searches through a long list before it is indexed, which takes as long as several.
const MAX_SEARCHES: usize = 8;

/// Finds members, for as long as one text is read or written. `K` is what they are found by.
#[derive(Debug)]
pub(crate) struct Lookup<K> {
    /// What is known of each long list, by its address: lists are parts of one schema.
    known: RefCell<HashMap<usize, Known<K>>>,
}

#[derive(Debug)]
enum Known<K> {
    /// Number of searches so far.
    Searched(usize),
    /// Place of each member.
    Indexed(HashMap<K, usize>),
}

impl<K> Default for Lookup<K> {
    fn default() -> Self {
        Self { known: RefCell::default() }
    }
}

impl<K: Eq + Hash> Lookup<K> {
    /// Returns the place of the first member of a list with a key.
    pub(crate) fn place<'s, T, Q>(
        &self,
        members: &'s [T],
        wanted: &Q,
        key: impl Fn(&'s T) -> K,
    ) -> Option<usize>
    where
        K: Borrow<Q>,
        Q: Eq + Hash + ?Sized,
    {
        if members.len() > SHORT {
            let mut known = self.known.borrow_mut();
            let known = known.entry(members.as_ptr().addr()).or_insert(Known::Searched(0));
            if let Known::Searched(MAX_SEARCHES) = known {
                // From the last, so that of two with the same key the first stays.
                let places = (0..members.len()).rev().map(|place| (key(&members[place]), place));
                *known = Known::Indexed(places.collect());
            }
            match known {
                Known::Searched(times) => *times += 1,
                Known::Indexed(index) => return index.get(wanted).copied(),
            }
        }
        members.iter().position(|member| key(member).borrow() == wanted)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(count: usize) -> Vec<String> {
        (0..count).map(|number| format!("name{number}")).collect()
    }

    fn place<'s>(lookup: &Lookup<&'s str>, names: &'s [String], wanted: &str) -> Option<usize> {
        lookup.place(names, wanted, String::as_str)
    }

    #[test]
    fn a_long_list_is_not_searched_again_and_again() {
        let (names, other, lookup) = (names(100_000), names(40), Lookup::default());
        for number in (0..100_000).rev() {
            assert_eq!(place(&lookup, &names, &format!("name{number}")), Some(number));
            assert_eq!(place(&lookup, &names, &format!("other{number}")), None);
        }
        assert_eq!(place(&lookup, &other, "name39"), Some(39));
        let known = lookup.known.borrow();
        assert!(matches!(&known[&names.as_ptr().addr()], Known::Indexed(index) if index.len() == 100_000));
        assert!(matches!(&known[&other.as_ptr().addr()], Known::Searched(1)));
    }

    #[test]
    fn of_short_lists_nothing_is_kept() {
        let (names, lookup) = (names(SHORT), Lookup::default());
        for _ in 0..100 {
            assert_eq!(place(&lookup, &names, "name31"), Some(31));
        }
        assert!(lookup.known.borrow().is_empty());
    }

    #[test]
    fn of_two_with_one_key_the_first_is_found() {
        let (numbers, lookup) = ([[3_i64; 20], [4; 20], [3; 20]].concat(), Lookup::default());
        for _ in 0..=MAX_SEARCHES {
            assert_eq!(lookup.place(&numbers, &4, |number| *number), Some(20));
            assert_eq!(lookup.place(&numbers, &3, |number| *number), Some(0));
        }
    }
}
