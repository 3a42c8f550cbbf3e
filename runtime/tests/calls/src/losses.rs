//! Nothing is dropped in silence: whether a server has counted anything as dropped.

use zsvc::{Counters, Dropped};

/// What a server has dropped, by reasons, where it is not nothing.
#[must_use]
pub fn losses(counters: &Counters) -> Vec<(&'static str, u64)> {
    let counted = Dropped::ALL.into_iter().map(|reason| (reason.name(), counters.dropped(reason)));
    counted.filter(|(_, records)| *records > 0).collect()
}
