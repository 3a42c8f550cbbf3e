//! [`Slots`]: values by ids that only grow, in order, from which any is removed in no time.

/// Values by ids, in the order of these.
#[derive(Debug)]
pub(super) struct Slots<T> {
    /// Invariant: the ids ascend. `None` where a value was removed.
    all: Vec<(u64, Option<T>)>,
    removed: usize,
}

impl<T> Default for Slots<T> {
    fn default() -> Self {
        Self { all: Vec::new(), removed: 0 }
    }
}

impl<T> Slots<T> {
    /// Adds a value whose id is greater than all before.
    pub(super) fn push(&mut self, id: u64, value: T) {
        self.all.push((id, Some(value)));
    }

    /// Removes a value. Each time that half of them are gone, the rest moves together, so that this takes no longer with many than with few.
    pub(super) fn remove(&mut self, id: u64) -> Option<T> {
        let place = self.all.binary_search_by_key(&id, |(id, _)| *id).ok()?;
        let value = self.all[place].1.take()?;
        self.removed += 1;
        if 2 * self.removed >= self.all.len() {
            self.all.retain(|(_, value)| value.is_some());
            self.removed = 0;
            if self.all.capacity() > 4 * self.all.len() {
                self.all.shrink_to(2 * self.all.len());
            }
        }
        Some(value)
    }

    pub(super) fn is_empty(&self) -> bool {
        self.all.len() == self.removed
    }

    /// Returns the values in the order of their ids.
    pub(super) fn iter(&self) -> impl Iterator<Item = &T> {
        self.all.iter().filter_map(|(_, value)| value.as_ref())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_stay_in_order_whichever_are_removed() {
        let mut slots = Slots::default();
        let mut known: Vec<u64> = (1..=100).collect();
        for id in &known {
            slots.push(*id, id * 10);
        }
        for id in (1..=100).map(|number| number * 37 % 101) {
            assert_eq!(slots.remove(id), Some(id * 10));
            assert_eq!(slots.remove(id), None, "it is gone");
            known.retain(|known| *known != id);
            assert!(slots.iter().copied().eq(known.iter().map(|id| id * 10)));
            assert!(slots.all.len() <= 2 * known.len(), "half of the places are empty at most");
            assert_eq!(slots.is_empty(), known.is_empty());
        }
        assert_eq!(slots.all.capacity(), 0);
        slots.push(101, 7);
        assert_eq!(slots.iter().copied().collect::<Vec<_>>(), [7]);
    }
}
