//! [`Slab`]: entries by keys that are never used again, so that a late word about an entry can't be taken for one about the next.

use std::fmt;
use std::hash::{Hash, Hasher};
use std::marker::PhantomData;

/// Entries of type `T` by keys of type [`Key<T>`](Key). Inserting, finding and removing take constant time.
#[derive(Debug)]
pub(super) struct Slab<T> {
    slots: Vec<Slot<T>>,
    /// Indices of slots without an entry.
    free: Vec<u32>,
}

#[derive(Debug)]
struct Slot<T> {
    /// Number of entries that this slot has had, the present one included.
    generation: u64,
    entry: Option<T>,
}

/// The key of an entry: never 0, and of one entry alone.
pub struct Key<T> {
    number: u64,
    of: PhantomData<fn() -> T>,
}

/// Number of bits of a key that are the index of its slot; the others count the entries of that slot. So a key that has gone comes back
/// after 2^44 entries of one slot.
const INDEX_BITS: u32 = 20;
/// Maximum number of entries at a time.
pub(super) const MAX_ENTRIES: usize = 1 << INDEX_BITS;

impl<T> Key<T> {
    /// Returns the number that stands for the key on the wire.
    pub(super) fn number(self) -> u64 {
        self.number
    }

    /// Returns the key of no entry.
    pub(super) fn none() -> Self {
        Self::from_number(0)
    }

    /// Returns the key that a number stands for, which may be of no entry.
    pub(super) fn from_number(number: u64) -> Self {
        Self { number, of: PhantomData }
    }

    fn index(self) -> usize {
        // 20 bits fit.
        usize::try_from(self.number & ((1 << INDEX_BITS) - 1)).unwrap_or(usize::MAX)
    }

    fn generation(self) -> u64 {
        self.number >> INDEX_BITS
    }
}

impl<T> Slab<T> {
    pub(super) fn new() -> Self {
        Self { slots: Vec::new(), free: Vec::new() }
    }

    /// Returns the number of entries.
    pub(super) fn len(&self) -> usize {
        self.slots.len() - self.free.len()
    }

    /// Adds an entry; `None` if there are [`MAX_ENTRIES`] already.
    pub(super) fn insert(&mut self, entry: T) -> Option<Key<T>> {
        let index = match self.free.pop() {
            Some(index) => index,
            None if self.slots.len() >= MAX_ENTRIES => return None,
            None => {
                self.slots.push(Slot { generation: 0, entry: None });
                u32::try_from(self.slots.len() - 1).ok()?
            }
        };
        let slot = self.slots.get_mut(index as usize)?;
        slot.generation += 1;
        slot.entry = Some(entry);
        Some(Key::from_number(slot.generation << INDEX_BITS | u64::from(index)))
    }

    pub(super) fn get(&self, key: Key<T>) -> Option<&T> {
        let slot = self.slots.get(key.index()).filter(|slot| slot.generation == key.generation())?;
        slot.entry.as_ref()
    }

    pub(super) fn get_mut(&mut self, key: Key<T>) -> Option<&mut T> {
        let slot = self.slots.get_mut(key.index()).filter(|slot| slot.generation == key.generation())?;
        slot.entry.as_mut()
    }

    pub(super) fn remove(&mut self, key: Key<T>) -> Option<T> {
        let slot = self.slots.get_mut(key.index()).filter(|slot| slot.generation == key.generation())?;
        let entry = slot.entry.take()?;
        // An index of a slot has 20 bits.
        self.free.push(u32::try_from(key.index()).unwrap_or(u32::MAX));
        Some(entry)
    }

    /// Goes through all entries, in the order of their slots.
    pub(super) fn iter(&self) -> impl Iterator<Item = (Key<T>, &T)> {
        self.slots.iter().zip(0_u64..).filter_map(|(slot, index)| {
            let key = Key::from_number(slot.generation << INDEX_BITS | index);
            slot.entry.as_ref().map(|entry| (key, entry))
        })
    }
}

impl<T> Clone for Key<T> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<T> Copy for Key<T> {}

impl<T> PartialEq for Key<T> {
    fn eq(&self, other: &Self) -> bool {
        self.number == other.number
    }
}

impl<T> Eq for Key<T> {}

impl<T> Hash for Key<T> {
    fn hash<S: Hasher>(&self, state: &mut S) {
        self.number.hash(state);
    }
}

impl<T> fmt::Debug for Key<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.index(), self.generation())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_of_one_entry_alone() {
        let mut slab = Slab::new();
        let first = slab.insert('a').unwrap();
        assert_ne!(first.number(), 0);
        assert_eq!((slab.get(first), slab.len()), (Some(&'a'), 1));
        assert_eq!(slab.remove(first), Some('a'));
        let second = slab.insert('b').unwrap();
        assert_eq!(second.index(), first.index());
        assert_eq!(slab.remove(first), None);
        assert_eq!((slab.get(first), slab.get(second)), (None, Some(&'b')));
        assert_eq!(slab.iter().map(|(key, entry)| (key, *entry)).collect::<Vec<_>>(), [(second, 'b')]);
    }

    #[test]
    fn numbers_that_stand_for_no_entry_find_none() {
        let mut slab = Slab::new();
        slab.insert(()).unwrap();
        for number in [0, 1, u64::MAX, 1 << INDEX_BITS | 1, 2 << INDEX_BITS] {
            assert_eq!(slab.get(Key::from_number(number)), None, "{number}");
        }
    }
}
