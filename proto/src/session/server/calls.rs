//! [`Calls`]: the calls that one client has in flight, by the ids that the client gave them.

use std::sync::Arc;

use crate::flow::{InboundStream, OutboundStream};
use crate::id_map::IdMap;
use crate::metadata::{Metadata, MetadataValue};

/// One call of a client. Its id alone may mean another call by now: a client may use an id again once the call has ended for
/// the client, which its handler need not know yet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CallKey {
    id: u64,
    /// Sequence number of the call among those of its client.
    number: u64,
}

impl CallKey {
    /// Returns the call's id on the wire.
    #[must_use]
    #[inline]
    pub fn id(&self) -> u64 {
        self.id
    }
}

/// A call in flight.
#[derive(Debug)]
pub(super) struct Call<C> {
    number: u64,
    /// What the application keeps with the call.
    pub(super) app: C,
    /// The client's stream.
    pub(super) inbound: Option<Arc<InboundStream>>,
    /// The handler's stream.
    pub(super) outbound: Option<Arc<OutboundStream>>,
    /// What was sent beside the answer.
    pub(super) metadata: SentMetadata,
}

/// How much metadata was sent beside the answer of a call.
#[derive(Debug, Default, Clone, Copy)]
pub(super) struct SentMetadata {
    entries: u32,
    bytes: u32,
}

impl SentMetadata {
    /// Counts an entry, unless it is one too many. Entries of one name count each: the client may have read the one before.
    ///
    /// # Errors
    /// It is past a bound. The text says which.
    pub(super) fn add(&mut self, name: &str, value: &MetadataValue) -> Result<(), String> {
        let bytes = (self.bytes as usize).saturating_add(name.len()).saturating_add(value.as_bytes().len());
        let entries = self.entries + 1;
        if let Some(excess) = Metadata::excess_of("the answer", entries as usize, bytes) {
            return Err(excess);
        }
        // Within the bound, which is far below.
        *self = Self { entries, bytes: u32::try_from(bytes).unwrap_or(u32::MAX) };
        Ok(())
    }
}

/// Calls in flight, by their ids.
#[derive(Debug)]
pub(super) struct Calls<C> {
    /// The call that came last. It lies outside of the map, since most calls are answered before the next comes, and so never
    /// get into the map.
    latest: Option<(u64, Call<C>)>,
    others: IdMap<u64, Call<C>>,
    /// Number of calls so far.
    count: u64,
}

impl<C> Calls<C> {
    pub(super) fn new() -> Self {
        Self { latest: None, others: IdMap::default(), count: 0 }
    }

    #[inline]
    pub(super) fn len(&self) -> usize {
        self.others.len() + usize::from(self.latest.is_some())
    }

    #[inline]
    pub(super) fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Adds a call. No call in flight may have its id.
    #[inline]
    pub(super) fn open(&mut self, id: u64, app: C) -> CallKey {
        debug_assert!(!self.contains(id), "the caller has asked");
        self.count += 1;
        let metadata = SentMetadata::default();
        let call = Call { number: self.count, app, inbound: None, outbound: None, metadata };
        if let Some((id, before)) = self.latest.replace((id, call)) {
            self.others.insert(id, before);
        }
        CallKey { id, number: self.count }
    }

    /// Reports whether a call in flight has this id.
    #[inline]
    pub(super) fn contains(&self, id: u64) -> bool {
        self.get(id).is_some()
    }

    /// Returns the call that the client means by an id.
    #[inline]
    pub(super) fn get(&self, id: u64) -> Option<&Call<C>> {
        match &self.latest {
            Some((latest, call)) if *latest == id => Some(call),
            _ if self.others.is_empty() => None,
            _ => self.others.get(&id),
        }
    }

    /// Returns a call, unless it is over.
    #[inline]
    pub(super) fn of(&mut self, key: CallKey) -> Option<&mut Call<C>> {
        let call = match &mut self.latest {
            Some((latest, call)) if *latest == key.id => Some(call),
            _ => self.others.get_mut(&key.id),
        };
        call.filter(|call| call.number == key.number)
    }

    /// Takes out the call that the client means by an id.
    #[inline]
    pub(super) fn remove(&mut self, id: u64) -> Option<(CallKey, Call<C>)> {
        let call = match self.latest.take_if(|(latest, _)| *latest == id) {
            Some((_, call)) => call,
            None => self.others.remove(&id)?,
        };
        Some((CallKey { id, number: call.number }, call))
    }

    /// Takes a call out, unless it is over.
    #[inline]
    pub(super) fn close(&mut self, key: CallKey) -> Option<Call<C>> {
        self.of(key)?;
        self.remove(key.id).map(|(_, call)| call)
    }

    /// Returns the key of the call that the client means by an id.
    pub(super) fn key(&self, id: u64) -> Option<CallKey> {
        self.get(id).map(|call| CallKey { id, number: call.number })
    }

    /// Returns the keys of all calls.
    pub(super) fn keys(&self) -> Vec<CallKey> {
        let latest = self.latest.as_ref().map(|(id, call)| (id, call));
        let all = self.others.iter().chain(latest);
        all.map(|(id, call)| CallKey { id: *id, number: call.number }).collect()
    }

    /// Takes all calls out.
    pub(super) fn drain(&mut self) -> Vec<(CallKey, Call<C>)> {
        let all = self.others.drain().chain(self.latest.take());
        all.map(|(id, call)| (CallKey { id, number: call.number }, call)).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_call_is_found_wherever_it_is_and_never_twice() {
        let mut calls = Calls::new();
        let keys = [7, 8, 9].map(|id| calls.open(id, ()));
        assert_eq!(calls.len(), 3);
        for key in keys {
            assert_eq!(calls.key(key.id), Some(key));
            assert!(calls.of(key).is_some() && calls.contains(key.id));
        }
        assert!(calls.close(keys[2]).is_some() && calls.close(keys[2]).is_none());
        assert!(calls.close(keys[0]).is_some() && calls.close(keys[0]).is_none());
        // The same id, and another call.
        let again = calls.open(7, ());
        assert!(calls.of(keys[0]).is_none() && calls.close(keys[0]).is_none());
        assert_eq!((calls.len(), calls.keys().len()), (2, 2));
        assert!(calls.of(again).is_some() && calls.remove(8).is_some());
        assert_eq!(calls.drain().len(), 1);
        assert!(calls.is_empty() && calls.key(7).is_none());
    }
}
