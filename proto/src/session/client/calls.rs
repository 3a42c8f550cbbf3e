//! [`Calls`]: the calls in flight on one connection, by their ids.

use super::call::ClientCall;

/// Calls by their ids, which are given out here in sequence.
///
/// A call stands in the slot that the last bits of its id name, so it is found without hashing or searching. An id
/// whose slot is taken is passed over. There are at least twice as many slots as calls, so that this is rare.
#[derive(Debug, Default)]
pub(super) struct Calls {
    /// A power of two of slots, or none at all.
    slots: Vec<Option<(u32, ClientCall)>>,
    len: usize,
    /// The id that was given out last. Ids wrap around; 0 is no call's.
    last_id: u32,
}

/// Number of slots at first.
const FIRST_SLOTS: usize = 16;
/// With more slots than this, they are freed once the last call has ended.
const MAX_IDLE_SLOTS: usize = 64 * FIRST_SLOTS;

impl Calls {
    #[inline]
    pub(super) fn len(&self) -> usize {
        self.len
    }

    /// Adds a call, and returns its id.
    #[inline]
    pub(super) fn insert(&mut self, call: ClientCall) -> u32 {
        if (self.len + 1) * 2 > self.slots.len() {
            self.grow();
        }
        let id = self.unused_id();
        let slot = self.slot(id);
        self.slots[slot] = Some((id, call));
        self.len += 1;
        id
    }

    /// Returns the next id that no call has.
    #[inline]
    pub(super) fn unused_id(&mut self) -> u32 {
        loop {
            self.last_id = self.last_id.wrapping_add(1);
            let id = self.last_id;
            if id != 0 && self.slots.get(self.slot(id)).is_none_or(Option::is_none) {
                return id;
            }
        }
    }

    /// Returns the slot of an id.
    #[inline]
    fn slot(&self, id: u32) -> usize {
        id as usize & self.slots.len().wrapping_sub(1)
    }

    #[inline]
    pub(super) fn get(&self, id: u32) -> Option<&ClientCall> {
        let (found, call) = self.slots.get(self.slot(id))?.as_ref()?;
        (*found == id).then_some(call)
    }

    #[inline]
    pub(super) fn get_mut(&mut self, id: u32) -> Option<&mut ClientCall> {
        let slot = self.slot(id);
        let (found, call) = self.slots.get_mut(slot)?.as_mut()?;
        (*found == id).then_some(call)
    }

    #[inline]
    pub(super) fn remove(&mut self, id: u32) -> Option<ClientCall> {
        let slot = self.slot(id);
        let (_, call) = self.slots.get_mut(slot)?.take_if(|(found, _)| *found == id)?;
        self.len -= 1;
        if self.len == 0 && self.slots.len() > MAX_IDLE_SLOTS {
            self.slots = Vec::new();
        }
        Some(call)
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = (u32, &ClientCall)> {
        self.slots.iter().flatten().map(|(id, call)| (*id, call))
    }

    /// Doubles the slots. Calls that had different slots have different ones then, too.
    fn grow(&mut self) {
        let mut slots = Vec::new();
        slots.resize_with((self.slots.len() * 2).max(FIRST_SLOTS), || None);
        for (id, call) in std::mem::replace(&mut self.slots, slots).into_iter().flatten() {
            let slot = self.slot(id);
            self.slots[slot] = Some((id, call));
        }
    }

    /// Continues after an id.
    #[cfg(test)]
    pub(super) fn skip_to(&mut self, last_id: u32) {
        self.last_id = last_id;
    }
}

#[cfg(test)]
mod tests {
    use super::super::call::Streams;
    use super::*;

    fn call(number: u64) -> ClientCall {
        ClientCall::new("method", None, Streams::default(), None, number)
    }

    #[test]
    fn every_call_has_its_own_id_and_slot() {
        let mut calls = Calls::default();
        assert!(calls.get(1).is_none() && calls.remove(1).is_none());
        let ids: Vec<u32> = (0..1_000).map(|number| calls.insert(call(number))).collect();
        assert_eq!((calls.len(), calls.iter().count()), (1_000, 1_000));
        for (id, number) in ids.iter().zip(0..) {
            assert_eq!(calls.get(*id).map(|call| call.one_way_before), Some(number));
            assert_eq!(calls.get_mut(*id).map(|call| call.one_way_before), Some(number));
        }
        // An id that shares its slot with another.
        assert!(calls.get(ids[0] + 2_048).is_none() && calls.remove(ids[0] + 2_048).is_none());
        for id in &ids {
            assert!(calls.remove(*id).is_some() && calls.get(*id).is_none());
        }
        assert_eq!((calls.len(), calls.slots.len()), (0, 0));
    }

    #[test]
    fn ids_wrap_around_past_zero_and_those_in_flight() {
        let mut calls = Calls::default();
        assert_eq!([0, 1].map(|number| calls.insert(call(number))), [1, 2]);
        assert!(calls.remove(2).is_some());
        calls.skip_to(u32::MAX - 1);
        assert_eq!([2, 3, 4].map(|number| calls.insert(call(number))), [u32::MAX, 2, 3]);
        assert_eq!(calls.len(), 4);
    }

    #[test]
    fn a_slot_that_is_taken_is_passed_over() {
        let mut calls = Calls::default();
        let stays = calls.insert(call(0));
        for number in 1..1_000 {
            let id = calls.insert(call(number));
            assert!(calls.remove(id).is_some());
        }
        assert_eq!(
            (calls.get(stays).map(|call| call.one_way_before), calls.slots.len()),
            (Some(0), FIRST_SLOTS)
        );
    }
}
