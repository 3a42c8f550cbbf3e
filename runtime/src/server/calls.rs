//! [`Calls`]: the calls that one client has in flight, by the ids that it has given them.

use std::sync::Arc;
use std::time::Duration;

use tokio::task::AbortHandle;
use tokio::time::Instant;

use crate::context::{CancelReason, Signal, announce};
use crate::flow::{InboundStream as Inbound, OutboundStream as Outbound, wake};
use crate::id_map::IdMap;
use crate::status::{Failure, Status};

/// One call of a client. Its id alone may mean another by now: a client may use an id again once the call has ended for
/// it, which its handler need not know yet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct CallKey {
    pub(crate) id: u64,
    /// The how manieth call of the client it is.
    pub(super) nth: u64,
}

/// A call in flight.
#[derive(Debug)]
pub(crate) struct ServerCall {
    /// The rest of its [`CallKey`].
    nth: u64,
    /// Its handler, once it was spawned.
    pub(super) task: Option<AbortHandle>,
    /// The client's stream.
    pub(crate) inbound: Option<Arc<Inbound>>,
    /// The handler's stream.
    pub(crate) outbound: Option<Arc<Outbound>>,
    /// Who is to know of its end, if the handler has asked; and when its time is up.
    pub(super) signal: Option<(Signal, Option<Instant>)>,
}

/// How much sooner than the server's a client's clock may say that a call's time is up.
const CLOCKS: Duration = Duration::from_millis(10);

impl ServerCall {
    #[inline]
    fn new(nth: u64) -> Self {
        Self { nth, task: None, inbound: None, outbound: None, signal: None }
    }

    /// Ends its streams on this side, for a call that is over.
    #[inline]
    pub(super) fn close(&self, why: &Status) {
        if let Some(inbound) = &self.inbound {
            wake(inbound.finish(Err(Failure::Status(why.clone()))));
        }
        if let Some(outbound) = &self.outbound {
            wake(outbound.close(why.clone()));
        }
    }

    /// Drops its handler, for a call that nobody waits for.
    pub(super) fn abort(&self, why: &Status) {
        if let Some((signal, deadline)) = &self.signal {
            let reason = match CancelReason::of(why) {
                // A client whose time is up says so as the server's own clock comes to it, a little before or after.
                CancelReason::Client if deadline.is_some_and(|at| at <= Instant::now() + CLOCKS) => {
                    CancelReason::Deadline
                }
                reason => reason,
            };
            announce(signal, reason);
        }
        self.close(why);
        if let Some(task) = &self.task {
            task.abort();
        }
    }
}

/// Calls by their ids.
#[derive(Debug, Default)]
pub(super) struct Calls {
    /// The one that came last, outside of the map: most handlers are done before the next call comes, and theirs never get
    /// into it.
    latest: Option<(u64, ServerCall)>,
    others: IdMap<u64, ServerCall>,
    /// How many calls there have been.
    count: u64,
}

impl Calls {
    #[inline]
    pub(super) fn len(&self) -> usize {
        self.others.len() + usize::from(self.latest.is_some())
    }

    pub(super) fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Adds a call; `None` where its id is another's.
    #[inline]
    pub(super) fn open(&mut self, id: u64) -> Option<CallKey> {
        if self.contains(id) {
            return None;
        }
        self.count += 1;
        let nth = self.count;
        if let Some((id, before)) = self.latest.replace((id, ServerCall::new(nth))) {
            self.others.insert(id, before);
        }
        Some(CallKey { id, nth })
    }

    /// Whether a call has this id.
    #[inline]
    pub(super) fn contains(&self, id: u64) -> bool {
        self.get(id).is_some()
    }

    /// The call that the client means by an id.
    #[inline]
    pub(super) fn get(&self, id: u64) -> Option<&ServerCall> {
        match &self.latest {
            Some((latest, call)) if *latest == id => Some(call),
            _ if self.others.is_empty() => None,
            _ => self.others.get(&id),
        }
    }

    /// A call, unless it is over.
    #[inline]
    pub(super) fn of(&mut self, key: CallKey) -> Option<&mut ServerCall> {
        let call = match &mut self.latest {
            Some((latest, call)) if *latest == key.id => Some(call),
            _ => self.others.get_mut(&key.id),
        };
        call.filter(|call| call.nth == key.nth)
    }

    /// Takes the call out that the client means by an id.
    #[inline]
    pub(super) fn remove(&mut self, id: u64) -> Option<ServerCall> {
        match self.latest.take_if(|(latest, _)| *latest == id) {
            Some((_, call)) => Some(call),
            None => self.others.remove(&id),
        }
    }

    /// Takes a call out, unless it is over.
    #[inline]
    pub(super) fn close(&mut self, key: CallKey) -> Option<ServerCall> {
        self.of(key)?;
        self.remove(key.id)
    }

    /// The key of the call that the client means by an id.
    pub(super) fn key(&self, id: u64) -> Option<CallKey> {
        self.get(id).map(|call| CallKey { id, nth: call.nth })
    }

    /// The keys of all of them.
    pub(super) fn keys(&self) -> Vec<CallKey> {
        let latest = self.latest.as_ref().map(|(id, call)| (id, call));
        let all = self.others.iter().chain(latest);
        all.map(|(id, call)| CallKey { id: *id, nth: call.nth }).collect()
    }

    /// Takes all of them out.
    pub(super) fn drain(&mut self) -> Vec<ServerCall> {
        let latest = self.latest.take().map(|(_, call)| call);
        self.others.drain().map(|(_, call)| call).chain(latest).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_call_is_found_wherever_it_is_and_never_twice() {
        let mut calls = Calls::default();
        let keys = [7, 8, 9].map(|id| calls.open(id).unwrap());
        assert_eq!(calls.len(), 3);
        for key in keys {
            assert_eq!(calls.key(key.id), Some(key));
            assert!(calls.of(key).is_some() && calls.open(key.id).is_none());
        }
        assert!(calls.close(keys[2]).is_some() && calls.close(keys[2]).is_none());
        assert!(calls.close(keys[0]).is_some() && calls.close(keys[0]).is_none());
        // The same id, and another call.
        let again = calls.open(7).unwrap();
        assert!(calls.of(keys[0]).is_none() && calls.close(keys[0]).is_none());
        assert_eq!((calls.len(), calls.keys().len()), (2, 2));
        assert!(calls.of(again).is_some() && calls.remove(8).is_some());
        assert_eq!(calls.drain().len(), 1);
        assert!(calls.is_empty() && calls.key(7).is_none());
    }
}
