//! [`Lookup`]: finds the names of one map among those of a struct's fields.
//!
//! Names mostly come in the order of the fields, so the next one is looked at first. A struct may have 65,535 fields, and a peer may
//! send their names in any order, and others: a long table is indexed once several names were not the next one.

use std::collections::HashMap;

use super::fields::Names;

/// Number of names up to which a table is searched, however often: that takes no longer than to hash a name.
const SHORT: usize = 32;

/// Number of searches through a long table before it is indexed, which takes as long as several.
const MAX_SEARCHES: usize = 8;

/// Finds names of one table.
#[derive(Debug)]
pub(super) struct Lookup {
    names: Names,
    /// Place of the name that is likely to be next.
    next: usize,
    /// Number of searches so far.
    searches: usize,
    /// Place of each name, once there were too many searches.
    index: Option<HashMap<&'static str, usize>>,
}

impl Lookup {
    pub(super) fn new(names: Names) -> Self {
        Self { names, next: 0, searches: 0, index: None }
    }

    /// Returns the place of a name in the table. The empty name stands for holes and is never found.
    pub(super) fn place_of(&mut self, name: &str) -> Option<usize> {
        if name.is_empty() {
            return None;
        }
        let is_next = self.names.get(self.next) == Some(name);
        let place = if is_next { self.next } else { self.search(name)? };
        self.next = place + 1;
        Some(place)
    }

    fn search(&mut self, name: &str) -> Option<usize> {
        let names = self.names;
        if let Some(index) = &self.index {
            return index.get(name).copied();
        }
        if names.len() > SHORT && self.searches == MAX_SEARCHES {
            let places = (0..names.len()).filter_map(|place| Some((names.get(place)?, place)));
            return self.index.insert(places.collect()).get(name).copied();
        }
        self.searches += 1;
        (0..names.len()).find(|place| names.get(*place) == Some(name))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Returns a table of this many names, with a hole at its third place.
    fn table(count: usize) -> Names {
        let name = |place| if place == 2 { "" } else { String::leak(format!("field{place}")) };
        Names::ByNumber(Vec::leak((0..count).map(|place| name(place) as &str).collect()))
    }

    /// Looks all names up in an order, and returns what was needed for that.
    fn looked_up(count: usize, order: impl Iterator<Item = usize>) -> Lookup {
        let mut lookup = Lookup::new(table(count));
        for place in order.filter(|place| *place != 2) {
            assert_eq!(lookup.place_of(&format!("field{place}")), Some(place));
        }
        assert_eq!((lookup.place_of(""), lookup.place_of("other")), (None, None));
        lookup
    }

    #[test]
    fn names_in_order_are_not_searched_for() {
        let lookup = looked_up(65_535, 0..65_535);
        assert!(lookup.searches <= 2 && lookup.index.is_none(), "{}", lookup.searches);
    }

    #[test]
    fn names_in_any_order_are_not_searched_for_again_and_again() {
        let lookup = looked_up(65_535, (0..65_535).rev());
        assert_eq!(lookup.searches, MAX_SEARCHES);
        assert_eq!(lookup.index.map(|index| index.len()), Some(65_534));
    }

    #[test]
    fn unknown_names_are_not_searched_for_again_and_again() {
        let mut lookup = Lookup::new(table(65_535));
        for number in 0..100_000 {
            assert_eq!(lookup.place_of(&format!("other{number}")), None);
        }
        assert_eq!(lookup.searches, MAX_SEARCHES);
    }

    #[test]
    fn a_short_table_is_not_indexed() {
        assert!(looked_up(SHORT, (0..SHORT).rev()).index.is_none());
    }
}
