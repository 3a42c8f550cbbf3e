//! What the streams of a call write to its client, and take from it; what is sent beside its answer. What is written once the call is over is dropped.

use std::sync::Arc;

use super::calls::{Call, CallKey};
use super::session::{Session, State};
use crate::flow::{InboundStream, OutboundStream};
use crate::metadata::MetadataValue;
use crate::status::{Cause, Status};
use crate::wire::{self, Batch, Item};

impl<C> Session<C> {
    /// Opens the client's stream of a call, which has been granted `window` bytes: what the client sends from now on is
    /// kept in it.
    pub fn open_inbound(&mut self, key: CallKey, window: u64) -> Arc<InboundStream> {
        let inbound = Arc::new(InboundStream::new(window));
        if let Some(call) = self.state.calls.of(key) {
            call.inbound = Some(Arc::clone(&inbound));
        }
        inbound
    }

    /// Opens the handler's stream of a call, with `credit` bytes of credit.
    pub fn open_outbound(&mut self, key: CallKey, credit: u64) -> Arc<OutboundStream> {
        let outbound = Arc::new(OutboundStream::new(credit));
        if let Some(call) = self.state.calls.of(key) {
            call.outbound = Some(Arc::clone(&outbound));
        }
        outbound
    }

    /// Grants the client's stream of a call `bytes` more.
    pub fn grant(&mut self, key: CallKey, bytes: u64) {
        if self.state.calls.of(key).is_some() {
            self.state.outbox.record(|out| wire::credit(out, key.id(), bytes));
            self.state.queued();
        }
    }

    /// Sends a name and a value beside the answer of a call, or its stream. They leave before what is sent later, and may overtake
    /// items that have gathered.
    ///
    /// # Errors
    /// It is more than there may be. The text says what.
    pub fn send_metadata(&mut self, key: CallKey, name: &str, value: &MetadataValue) -> Result<(), String> {
        let state = &mut self.state;
        let Some(call) = state.calls.of(key) else { return Ok(()) };
        call.metadata.add(name, value)?;
        if state.has_room_for_items(key) {
            state.outbox.record(|out| wire::response_metadata(out, key.id(), name, value));
        }
        state.queued();
        Ok(())
    }

    /// Says that items have begun to gather in the handler's stream of a call.
    pub fn announce(&mut self, key: CallKey, stream: &Arc<OutboundStream>) {
        let state = &mut self.state;
        if state.has_room_for_items(key) {
            state.pending.announce(key.id(), stream);
        }
        state.queued();
    }

    /// Queues what has gathered in the handler's stream of a call, and `last` after it.
    pub fn flush(&mut self, key: CallKey, stream: &Arc<OutboundStream>, last: Option<Item>) {
        let state = &mut self.state;
        if state.has_room_for_items(key) {
            state.pending.flush(&mut state.outbox, key.id(), stream, last);
        } else if let Some(item) = last {
            state.effects.discard_item(item);
        }
        state.queued();
    }
}

impl<C> State<C> {
    /// Reports whether a call is in flight and there is room for its items. If there is none, the call fails: credit is the
    /// client's to give, so it bounds nothing here.
    fn has_room_for_items(&mut self, key: CallKey) -> bool {
        if self.calls.of(key).is_none() {
            return false;
        }
        let has_room = !self.has_no_room();
        if !has_room {
            let why = "the client does not read its stream as fast as it has asked for it";
            let why = Status::resource_exhausted(why).maybe_executed().caused_by(Cause::ClientLost);
            self.fail(key, &why);
        }
        has_room
    }

    /// Queues what has gathered in the streams of calls in flight.
    #[inline]
    pub(super) fn collect(&mut self) {
        if !self.pending.is_empty() {
            self.pending.collect(&mut self.outbox, |id| self.calls.get(id)?.outbound.as_ref());
        }
    }

    /// Queues what has gathered in the stream of a call: the record that ends the call comes after it.
    #[inline]
    pub(super) fn collect_last(&mut self, key: CallKey, call: &Call<C>) {
        if let Some(outbound) = &call.outbound {
            outbound.collect(&mut self.outbox, key.id());
        }
    }

    /// Takes items of a client's stream. Those of a call that is over crossed its answer on the way.
    pub(super) fn items(&mut self, id: u64, batch: &Batch, items: &[u8]) {
        let Some(inbound) = self.calls.get(id).and_then(|call| call.inbound.as_ref()) else { return };
        if let Ok(waker) = inbound.receive(batch, items) {
            return self.effects.wake(waker);
        }
        if let Some(key) = self.calls.key(id) {
            let why = Status::resource_exhausted("the client sent items of its stream without credit");
            self.fail(key, &why.maybe_executed().caused_by(Cause::Protocol));
        }
    }

    /// Ends a client's stream.
    pub(super) fn end_of_items(&mut self, id: u64) {
        if let Some(inbound) = self.calls.get(id).and_then(|call| call.inbound.as_ref()) {
            self.effects.wake(inbound.finish(Ok(())));
        }
    }

    /// Takes credit for a handler's stream.
    pub(super) fn credit(&mut self, id: u64, bytes: u64) {
        if let Some(outbound) = self.calls.get(id).and_then(|call| call.outbound.as_ref()) {
            self.effects.wake(outbound.grant(bytes));
        }
    }
}
