//! [`SweepPace`]: when a table is searched for entries that are over.

/// Minimum number of entries at which a table is searched.
const MIN_SWEPT: usize = 64;

/// Has a table searched whenever it holds twice the entries that the last search has left: so a search costs each entry that was
/// added since no more than a constant.
#[derive(Debug)]
pub(crate) struct SweepPace {
    at: usize,
    max: usize,
}

impl SweepPace {
    /// Creates the pace of a table that may have any number of entries.
    pub(crate) const fn new() -> Self {
        Self::up_to(usize::MAX)
    }

    /// Creates the pace of a table that may have `max` entries, at which it is searched in any case.
    pub(crate) const fn up_to(max: usize) -> Self {
        Self { at: MIN_SWEPT, max }
    }

    /// Reports whether a table of this many entries is to be searched.
    pub(crate) fn is_due(&self, entries: usize) -> bool {
        entries >= self.at
    }

    /// Records that a search has left this many entries.
    pub(crate) fn swept(&mut self, left: usize) {
        self.at = left.saturating_mul(2).clamp(MIN_SWEPT, self.max);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_table_is_searched_at_twice_what_was_left_and_where_it_is_full() {
        let mut pace = SweepPace::up_to(1_000);
        assert!(!pace.is_due(63) && pace.is_due(64));
        pace.swept(100);
        assert!(!pace.is_due(199) && pace.is_due(200));
        pace.swept(900);
        assert!(!pace.is_due(999) && pace.is_due(1_000));
        pace.swept(0);
        assert!(!pace.is_due(63) && pace.is_due(64));
    }
}
