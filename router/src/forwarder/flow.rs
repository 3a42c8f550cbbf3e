//! How credit passes from the side that reads a stream to the side that sends it: as much at a time as the router is ready to hold.
//!
//! What one side may send is what the other has granted, and the router may have to hold all of it, where the other does not read its
//! connection. So credit is passed on in portions: only while little waits for the side that has granted it, and no more than a share of
//! what may wait. The rest is kept, and follows as items pass. So a slow reader slows its sender down, and no stream has to be ended.

use zsvc_proto::wire;

use super::Forwarder;
use super::calling::{credit, signed};
use super::entries::{Caller, CallerKey, Flight, FlightKey, Place, Worker, WorkerKey};
use super::slab::Slab;

/// The least that a stream may have under way, in bytes: so that each moves on, however many there are.
const MIN_WINDOW: i64 = 1024;
/// How many times the bytes past which a worker gets no new calls its callers may have under way to it, in streams.
const WORKER_WINDOWS: usize = 16;

impl<H: Clone> Forwarder<H> {
    /// Returns how many bytes a stream to a caller may have under way that has `outstanding` now: its share, and no more than half of what
    /// is left to all of them. So all together have never more than may wait, and [`MIN_WINDOW`] each.
    fn caller_window(&self, caller: &Caller<H>, outstanding: i64) -> i64 {
        let limit = self.limits.max_unsent_per_caller;
        let left = signed(limit as u64) - signed(caller.outbox.len() as u64) - caller.under_way;
        let half = outstanding.max(0).saturating_add(left / 2).max(MIN_WINDOW);
        share(limit / 4, caller.calls.len()).min(half)
    }

    /// Sets what the worker of a call may still send.
    pub(super) fn set_down(&mut self, key: FlightKey<H>, down: i64) {
        let Some(flight) = self.flights.get_mut(key) else { return };
        let more = down.max(0) - std::mem::replace(&mut flight.down, down).max(0);
        if let Some(caller) = self.callers.get_mut(flight.caller) {
            caller.under_way += more;
        }
    }

    fn worker_window(&self, worker: &Worker<H>) -> i64 {
        let calls = usize::try_from(worker.in_flight).unwrap_or(usize::MAX);
        share(self.limits.max_unsent_per_worker.saturating_mul(WORKER_WINDOWS), calls)
    }

    /// Returns what is passed on at first of the credit that a call comes with.
    pub(super) fn first_credit(&self, key: CallerKey<H>, granted: u64) -> u64 {
        let window = self.callers.get(key).map_or(MIN_WINDOW, |caller| self.caller_window(caller, 0));
        granted.min(window.unsigned_abs())
    }

    /// Passes on what may be of the credit that the caller of a call has granted. A call that waits for a worker gets it there.
    pub(super) fn pass_credit_to_worker(&mut self, key: FlightKey<H>) {
        let Some(flight) = self.flights.get(key).filter(|flight| flight.down_kept > 0) else { return };
        let Place::At(at) = flight.place else { return };
        let (Some(caller), Some(worker)) = (self.callers.get(flight.caller), self.workers.get(at)) else {
            return;
        };
        if worker.outbox.len() >= self.limits.max_unsent_per_worker {
            return self.wait_for_worker(at, key);
        }
        if caller.outbox.len() >= self.limits.max_unsent_per_caller / 2 {
            return self.wait_for_caller(flight.caller, key);
        }
        let before = flight.down;
        let bytes = portion(flight.down_kept, before, self.caller_window(caller, before));
        if bytes == 0 {
            return;
        }
        if let (Some(flight), Some(worker)) = (self.flights.get_mut(key), self.workers.get_mut(at)) {
            flight.down_kept -= bytes;
            worker.outbox.record(|out| wire::credit(out, key.number(), bytes));
        }
        self.set_down(key, credit(before, bytes));
        self.list_worker(at);
    }

    /// Passes on what may be of the credit that the worker of a call has granted.
    pub(super) fn pass_credit_to_caller(&mut self, key: FlightKey<H>) {
        let Some(flight) = self.flights.get(key).filter(|flight| flight.up_kept > 0) else { return };
        let Place::At(at) = flight.place else { return };
        let Some(worker) = self.workers.get(at) else { return };
        if worker.outbox.len() >= self.limits.max_unsent_per_worker {
            return self.wait_for_worker(at, key);
        }
        let bytes = portion(flight.up_kept, flight.up, self.worker_window(worker));
        let (caller, id) = (flight.caller, flight.caller_id);
        if let Some(flight) = self.flights.get_mut(key)
            && bytes > 0
        {
            flight.up_kept -= bytes;
            flight.up = credit(flight.up, bytes);
            self.answer(caller, |out| wire::credit(out, id, bytes));
        }
    }

    /// Has the credit of a call wait until a worker has read.
    fn wait_for_worker(&mut self, at: WorkerKey<H>, key: FlightKey<H>) {
        if let Some(flight) = self.flights.get_mut(key)
            && !std::mem::replace(&mut flight.waits_for_worker, true)
            && let Some(worker) = self.workers.get_mut(at)
        {
            let calls = usize::try_from(worker.in_flight).unwrap_or(usize::MAX);
            stall(&mut worker.stalled, key, calls, &self.flights);
        }
    }

    fn wait_for_caller(&mut self, caller: CallerKey<H>, key: FlightKey<H>) {
        if let Some(flight) = self.flights.get_mut(key)
            && !std::mem::replace(&mut flight.waits_for_caller, true)
            && let Some(caller) = self.callers.get_mut(caller)
        {
            stall(&mut caller.stalled, key, caller.calls.len(), &self.flights);
        }
    }

    /// Passes the credit on that has waited for a worker to read.
    pub(super) fn resume_worker(&mut self, key: WorkerKey<H>) {
        let stalled = self.workers.get_mut(key).map(|worker| std::mem::take(&mut worker.stalled));
        for flight_key in stalled.unwrap_or_default() {
            if let Some(flight) = self.flights.get_mut(flight_key) {
                flight.waits_for_worker = false;
                self.pass_credit_to_worker(flight_key);
                self.pass_credit_to_caller(flight_key);
            }
        }
    }

    /// Passes the credit on that has waited for a caller to read.
    pub(super) fn resume_caller(&mut self, key: CallerKey<H>) {
        let stalled = self.callers.get_mut(key).map(|caller| std::mem::take(&mut caller.stalled));
        for flight_key in stalled.unwrap_or_default() {
            if let Some(flight) = self.flights.get_mut(flight_key) {
                flight.waits_for_caller = false;
                self.pass_credit_to_worker(flight_key);
            }
        }
    }
}

/// Adds a call to those whose credit is kept back. Those that have ended are forgotten before they outnumber the `calls` that there are.
fn stall<H>(stalled: &mut Vec<FlightKey<H>>, key: FlightKey<H>, calls: usize, flights: &Slab<Flight<H>>) {
    if stalled.len() > calls.saturating_mul(2).saturating_add(64) {
        stalled.retain(|key| flights.get(*key).is_some());
    }
    stalled.push(key);
}

/// Returns the part that each of some calls has of a number of bytes.
fn share(bytes: usize, calls: usize) -> i64 {
    signed((bytes / calls.max(1)) as u64).max(MIN_WINDOW)
}

/// Returns how much of the credit that was kept is passed on, where this much is outstanding: not in small pieces.
fn portion(kept: u64, outstanding: i64, window: i64) -> u64 {
    let room = window.saturating_sub(outstanding);
    let bytes = kept.min(u64::try_from(room).unwrap_or(0));
    if bytes < kept && room < window / 4 { 0 } else { bytes }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn credit_passes_in_portions_of_a_window() {
        for (kept, outstanding, window, passed) in [
            (10, 0, 100, 10),
            (1_000, 0, 100, 100),
            (1_000, 76, 100, 0),
            (1_000, 75, 100, 25),
            (20, 76, 100, 20),
            (10, 200, 100, 0),
            (1_000, -500, 100, 600),
            (u64::MAX, i64::MIN, i64::MAX, i64::MAX as u64),
        ] {
            assert_eq!(portion(kept, outstanding, window), passed, "{kept} {outstanding} {window}");
        }
    }

    #[test]
    fn many_streams_have_a_share_each_and_never_nothing() {
        assert_eq!(share(1 << 20, 1), 1 << 20);
        assert_eq!(share(1 << 20, 0), 1 << 20);
        assert_eq!(share(1 << 20, 4), 1 << 18);
        assert_eq!(share(1 << 20, 100_000), MIN_WINDOW);
    }
}
