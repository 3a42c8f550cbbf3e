//! How much callers may have under way of events that they publish, which the router itself reads.

use zsvc_proto::status::Status;
use zsvc_proto::wire::RawRecord;

use super::entries::{Caller, CallerKey, FlightKey};
use super::{Forwarder, refusals};
use crate::rights::Rights;

/// Bytes of events that one caller may have under way. One may always be, however large.
const MAX_OF_CALLER: usize = 32 * 1024 * 1024;
/// Bytes of events that all callers together may have under way.
const MAX_OF_ALL: usize = 256 * 1024 * 1024;
/// Bytes that an event counts for beside its own.
const OVERHEAD: usize = 512;

impl<H: Clone> Forwarder<H> {
    /// Returns how many bytes a call counts for as an event that is published; 0 if it publishes none to the router itself.
    fn publication(&self, caller: &Caller<H>, service: usize, record: &RawRecord<'_>) -> usize {
        // Of another realm, that of the workers which stand in.
        let is_one = self.services[service].realm != caller.realm
            && Rights::is_to_publish(record.method().unwrap_or_default());
        if is_one { record.body_len().saturating_add(OVERHEAD) } else { 0 }
    }

    /// Checks that a call is within the bounds, if it publishes an event.
    pub(super) fn may_publish_now(
        &self,
        caller: &Caller<H>,
        service: usize,
        record: &RawRecord<'_>,
    ) -> Result<(), Status> {
        let bytes = self.publication(caller, service, record);
        let is_past = |before: usize, max| bytes > 0 && before > 0 && before.saturating_add(bytes) > max;
        if is_past(caller.publishing, MAX_OF_CALLER) {
            Err(refusals::publishes_too_much("the client has", caller.publishing, MAX_OF_CALLER))
        } else if is_past(self.publishing, MAX_OF_ALL) {
            Err(refusals::publishes_too_much("all clients have", self.publishing, MAX_OF_ALL))
        } else {
            Ok(())
        }
    }

    /// Counts a call that has begun, if it publishes an event, until it is forgotten.
    pub(super) fn count_publication(
        &mut self,
        key: CallerKey<H>,
        flight: FlightKey<H>,
        record: &RawRecord<'_>,
    ) {
        let Some(service) = self.flights.get(flight).map(|flight| flight.service) else { return };
        let bytes = self.callers.get(key).map_or(0, |caller| self.publication(caller, service, record));
        if bytes > 0
            && let (Some(caller), Some(flight)) = (self.callers.get_mut(key), self.flights.get_mut(flight))
        {
            flight.publishing = bytes;
            caller.publishing += bytes;
            self.publishing += bytes;
        }
    }

    /// Counts a call no more that has ended.
    pub(super) fn uncount_publication(&mut self, key: CallerKey<H>, bytes: usize) {
        self.publishing = self.publishing.saturating_sub(bytes);
        if let Some(caller) = self.callers.get_mut(key) {
            caller.publishing = caller.publishing.saturating_sub(bytes);
        }
    }
}
