//! Checks that nothing is dropped silently: what a server has counted as dropped.

use zsvc::{Counters, Dropped};

/// Returns what a server has dropped, as counts by reason. Counts of 0 are left out.
#[must_use]
pub fn losses(counters: &Counters) -> Vec<(&'static str, u64)> {
    let counted = Dropped::ALL.into_iter().map(|reason| (reason.name(), counters.dropped(reason)));
    counted.filter(|(_, records)| *records > 0).collect()
}
