//! How calls that were taken on come to their handlers: at once, or when it is their turn where it is bounded how many run.
//! Which are taken on at all is decided in [`super::core`]; how handlers run, in [`super::handler`].

use std::sync::Arc;
use std::task::Poll;

use tokio::time::Instant;

use super::calls::CallKey;
use super::core::{Core, RETRY_AFTER, Target};
use super::counters::count;
use super::dispatch::{Handling, Incoming};
use super::handler::{Handler, poll_once, run};
use super::peer::{Answer, OneWay, Peer};
use super::queue::{Permit, Queue, Turn};
use crate::context::Context;
use crate::status::{Cause, Failure, Status};
use crate::wire::{Batch, CallRecord};

/// Calls to run that have waited before anything else gets its turn.
const QUEUED: usize = 64;

/// What a handler is started for.
pub(super) enum Origin {
    /// A call that is owed an answer.
    Call(CallKey),
    /// A call that nobody waits for. It is counted as in flight once it waits for its turn, or its handler for anything: most
    /// handlers are done at once, and nothing can come in meanwhile.
    OneWay(Option<OneWay>),
}

/// A call that may run, once it is its turn.
pub(super) struct Ready {
    origin: Origin,
    target: Target,
    call: Incoming,
}

impl Ready {
    /// It was cancelled, or given up, while it waited.
    fn is_over(&self) -> bool {
        self.origin.key().is_some_and(|key| self.call.peer().in_flight(key.id) != Some(key))
    }
}

impl Origin {
    #[inline]
    fn key(&self) -> Option<CallKey> {
        match self {
            Self::Call(key) => Some(*key),
            Self::OneWay(_) => None,
        }
    }
}

impl Core {
    #[inline]
    pub(super) fn start(
        &mut self,
        peer: &Arc<Peer>,
        origin: Origin,
        target: &Target,
        batch: &Batch,
        record: CallRecord<'_>,
        deadline: Option<Instant>,
    ) {
        let key = origin.key();
        let context = Context::new(target.method, deadline, record.metadata, Arc::clone(peer), key);
        let params = batch.body(record.body);
        let call = Incoming::new(context, params, record.credit, self.received);
        let ready = Ready { origin, target: *target, call };
        match self.queue.as_ref().map(Queue::may_run) {
            None => self.run(peer, ready, None),
            Some(Some(permit)) => self.run(peer, ready, Some(permit)),
            Some(None) => self.enqueue(peer, ready, batch),
        }
    }

    /// As many handlers run as may: the call waits for its turn, if there is room.
    fn enqueue(&mut self, peer: &Arc<Peer>, mut ready: Ready, batch: &Batch) {
        if !self.has_room_in_queue() {
            let why = Status::resource_exhausted("as many calls run, and wait for their turn, as may");
            let why = why.caused_by(Cause::Overloaded).with_retry_after(RETRY_AFTER);
            return self.turn_away(peer, ready.origin.key(), why.not_sent());
        }
        ready.call.open_streams();
        if let Origin::OneWay(held) = &mut ready.origin {
            held.get_or_insert_with(|| peer.hold_one_way());
        }
        // Or a small call would keep the whole batch for as long as it waits.
        ready.call.params.detach(batch.bytes().len());
        let deadline = ready.call.context.deadline();
        if let Some(queue) = &mut self.queue {
            queue.push(ready, deadline);
        }
    }

    /// Whether one more call may wait, when those are out that need not wait any more.
    fn has_room_in_queue(&mut self) -> bool {
        let Some(queue) = &mut self.queue else { return false };
        let late = queue.make_room(self.received, Ready::is_over);
        let has_room = queue.has_room();
        for ready in &late {
            self.turn_away_late(ready);
        }
        has_room
    }

    /// Runs calls that have waited for their turn, up to a number. Whether there may be more whose turn has come.
    pub(crate) fn run_queued(&mut self) -> bool {
        for _ in 0..QUEUED {
            match self.queue.as_mut().and_then(|queue| queue.next(Instant::now)) {
                None => return false,
                Some(Turn::Run(ready, _) | Turn::Late(ready)) if ready.is_over() => {}
                Some(Turn::Run(ready, permit)) => {
                    let peer = Arc::clone(ready.call.peer());
                    self.run(&peer, ready, Some(permit));
                }
                Some(Turn::Late(ready)) => self.turn_away_late(&ready),
            }
        }
        true
    }

    #[inline]
    fn run(&mut self, peer: &Arc<Peer>, ready: Ready, permit: Option<Permit>) {
        self.shared.counters.calls.add_alone();
        let Ready { origin, target, call } = ready;
        let (key, deadline) = (origin.key(), call.context.deadline());
        let mut work = match self.dispatch(&target, call).begin() {
            Ok(work) => work,
            Err(why) => return self.turn_away(peer, key, why),
        };
        if let Poll::Ready(answer) = poll_once(&mut work, deadline) {
            if let Some(key) = key {
                peer.answer(key, answer);
            }
            return;
        }
        let handler = Handler::new(work, deadline, Arc::clone(peer), key);
        let rest = run(handler);
        match permit {
            None => self.spawn(origin, peer, rest),
            Some(permit) => self.spawn(origin, peer, async move {
                let _permit = permit;
                rest.await;
            }),
        }
    }

    #[inline]
    fn dispatch(&self, target: &Target, call: Incoming) -> Handling {
        let service = &self.services[target.service];
        if self.middleware.is_empty() {
            Handling::by(&**service, target.index, call)
        } else {
            self.middleware.around(Arc::clone(service), target.index, call)
        }
    }

    fn spawn(&mut self, origin: Origin, peer: &Arc<Peer>, rest: impl Future<Output = ()> + Send + 'static) {
        match origin {
            Origin::Call(key) => peer.spawn(key, rest),
            Origin::OneWay(held) => {
                let in_flight = held.unwrap_or_else(|| peer.hold_one_way());
                self.spawn_unheard(in_flight, rest);
            }
        }
    }

    fn spawn_unheard(&mut self, in_flight: OneWay, handler: impl Future<Output = ()> + Send + 'static) {
        while self.unheard.try_join_next().is_some() {}
        self.unheard.spawn(async move {
            let _in_flight = in_flight;
            handler.await;
        });
    }
}

/// Calls that no handler has seen.
impl Core {
    pub(super) fn turn_away(&self, peer: &Arc<Peer>, key: Option<CallKey>, why: Status) {
        match key {
            Some(key) => {
                count(&self.shared.counters.refused);
                peer.answer(key, Answer::Failure(Failure::Status(why)));
            }
            None => self.turn_away_unheard(),
        }
    }

    /// A one-way call: nobody can be told.
    pub(super) fn turn_away_unheard(&self) {
        self.shared.counters.count_refused_unheard();
    }

    fn turn_away_late(&self, ready: &Ready) {
        let why = Status::deadline_exceeded("the deadline passed before it was the call's turn");
        let why = why.caused_by(Cause::Deadline).not_sent();
        self.turn_away(ready.call.peer(), ready.origin.key(), why);
    }

    /// Turns away every call that waits for its turn.
    pub(super) fn turn_away_queued(&mut self, why: &Status) {
        let waiting: Vec<Ready> =
            self.queue.as_mut().map(|queue| queue.drain().collect()).unwrap_or_default();
        for ready in waiting {
            self.turn_away(ready.call.peer(), ready.origin.key(), why.clone());
        }
    }
}
