//! Calls that wait before their handlers begin: until it is known who makes them, or for their turn.

use std::sync::Arc;

use tokio::time::Instant;

use super::Dispatcher;
use crate::auth::Claim;
use crate::dispatch::apart::late;
use crate::dispatch::handler::{PendingAnswer, turn_away};
use crate::dispatch::queue::{Admitted, NoPlace};
use crate::dispatch::ready::Ready;
use crate::dispatch::running::{self, Peer};
use crate::measure::{Amounts, Failed};
use crate::peer::Shared;
use crate::session::server::{NoRoom, RETRY_AFTER};
use crate::status::{Cause, Status};

/// Maximum number of queued calls that are started in one turn of the driver.
const QUEUED_PER_TURN: usize = 64;

impl Dispatcher {
    /// Asks who makes a call, in a task of its own. The end of the call aborts it.
    #[cold]
    pub(super) fn ask(&mut self, peer: &Arc<Peer>, claim: Claim, mut ready: Ready, batch_bytes: usize) {
        let Some(tokens) = self.tokens.clone() else { return };
        // What the client sends meanwhile must find its stream.
        ready.call.open_streams();
        ready.origin.hold(peer);
        ready.call.detach(batch_bytes);
        let key = ready.origin.key();
        let mut answer = PendingAnswer::new(Arc::clone(peer), key, None);
        let (known, shared) = (Arc::clone(&self.known), Arc::clone(&self.shared));
        let asking = async move {
            match tokens.ask(claim, &mut ready.call).await {
                Ok(()) => {
                    answer.leave();
                    known.push(ready);
                    shared.notify.notify();
                }
                Err(why) => {
                    measure_turned_away(&shared, ready.target, &why);
                    answer.turn_away(why);
                }
            }
        };
        if let Some(key) = key {
            return running::spawn(peer, key, asking);
        }
        while self.one_way.try_join_next().is_some() {}
        self.one_way.spawn(asking);
    }

    /// Runs calls of which it is known by now who makes them, or queues them.
    fn admit_known(&mut self) {
        if self.tokens.is_none() {
            return;
        }
        for ready in self.known.take() {
            if !ready.is_over() {
                let (peer, bytes) = (Arc::clone(ready.call.peer()), ready.call.params_len());
                self.admit(&peer, ready, bytes);
            }
        }
    }

    /// Queues a call, if there is room, since the maximum number of calls runs already.
    pub(super) fn enqueue(&mut self, peer: &Arc<Peer>, mut ready: Ready, batch_bytes: usize) {
        if let Err(why) = self.room_in_queue(peer, ready.call.received()) {
            return self.turn_away(&ready, Self::overloaded(why));
        }
        ready.call.open_streams();
        ready.origin.hold(peer);
        ready.call.detach(batch_bytes);
        let deadline = ready.call.deadline();
        if let Some(queue) = &self.queue {
            // Another driver may have taken the last place meanwhile.
            if let Err((ready, why)) = { queue.lock().push(peer.id(), ready, deadline) } {
                return self.turn_away(&ready, Self::overloaded(why));
            }
            if !self.is_main {
                // A call may have ended since, and have notified the main driver before this one was in the queue.
                self.shared.notify.notify_deferred();
            }
        }
    }

    /// Removes calls that need not wait any more if there is no room, and reports whether one more call of a client may wait.
    fn room_in_queue(&self, peer: &Peer, now: Instant) -> Result<(), NoPlace> {
        let Some(queue) = &self.queue else { return Ok(()) };
        let mut queue = queue.lock();
        let removed = queue.make_room(peer.id(), now, Ready::is_over);
        let room = queue.room_for(peer.id());
        drop(queue);
        drop(removed.over);
        for ready in &removed.late {
            self.turn_away_late(ready);
        }
        room
    }

    /// Runs calls that have waited, of those in the queue up to [`QUEUED_PER_TURN`]. Returns whether there may be more that can run.
    pub(crate) fn run_queued(&mut self) -> bool {
        let may_be_more = self.run_some_queued();
        self.collected.flush(self.shared.measures());
        may_be_more
    }

    fn run_some_queued(&mut self) -> bool {
        if !self.is_main {
            return false;
        }
        self.admit_known();
        let Some(queue) = self.queue.clone() else { return false };
        for _ in 0..QUEUED_PER_TURN {
            let next = queue.lock().next(Instant::now);
            match next {
                None => return false,
                Some(Admitted::Run(ready, _) | Admitted::Late(ready)) if ready.is_over() => {}
                Some(Admitted::Run(ready, permit)) => {
                    let Ready { origin, target, call } = ready;
                    self.run(&Arc::clone(call.peer()), origin, target, call, Some(permit));
                }
                Some(Admitted::Late(ready)) => self.turn_away_late(&ready),
            }
        }
        true
    }

    fn overloaded(NoPlace { why, own, all, max }: NoPlace) -> Status {
        let why = Status::resource_exhausted(match why {
            NoRoom::Full => {
                format!(
                    "the maximum number of calls is running, and {max} wait for their turn, as many as may"
                )
            }
            NoRoom::PastShare => format!(
                "this client has {own} calls that wait for their turn, past its share: {all} wait and {max} may, and the rest is \
                 kept for clients with fewer"
            ),
        });
        why.caused_by(Cause::Overloaded).with_retry_after(RETRY_AFTER).not_sent()
    }

    /// Turns a call away that has waited, or would have.
    pub(super) fn turn_away(&self, ready: &Ready, why: Status) {
        measure_turned_away(&self.shared, ready.target, &why);
        turn_away(ready.call.peer(), ready.origin.key(), why);
    }

    fn turn_away_late(&self, ready: &Ready) {
        self.turn_away(ready, late());
    }

    /// Turns away every call that has waited and may run.
    pub(crate) fn turn_away_queued(&self, why: &Status) {
        for ready in self.known.take() {
            self.turn_away(&ready, why.clone());
        }
        let Some(queue) = &self.queue else { return };
        let waiting = queue.lock().drain();
        for ready in waiting {
            self.turn_away(&ready, why.clone());
        }
    }
}

/// Measures a call that no handler has seen.
fn measure_turned_away(shared: &Shared, target: usize, why: &Status) {
    if let Some(method) = shared.measures().get(target) {
        method.add(Amounts { calls: 1, ..Amounts::default() });
        method.fail(Failed::With(why.code()));
    }
}
