//! What the owner of a connection's socket tells it: what has come in, what has become of the connection, and that time has
//! passed. The owner is [`super::driver`], or what stands in its place.

use std::sync::{Arc, Weak};

use tokio::time::Instant;

use super::connection::{Connection, Link};
use super::counters::ChannelDropped;
use super::endpoints::Endpoints;
use super::records;
use super::state::{Phase, Stale, State, Wakers};
use super::watch::Watch;
use crate::status::{Cause, Status};
use crate::telemetry::{End, Up};
use crate::wire::{Batch, Malformed, Message};

/// What is left for the owner of the socket to do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Rest {
    /// The connection takes nothing more, and what it took has ended: streams outlive the channel that they came from.
    Done,
    /// The socket is to be made anew.
    Renewal,
    /// Nothing, until something comes.
    Nothing,
}

/// What the owner of the socket calls.
impl Connection {
    /// Takes a message from the server. Whatever is in it, the worst that can happen is that calls fail.
    pub(super) fn receive(&self, batch: &Batch, wakers: &mut Wakers) {
        let mut next = Some(0);
        while let Some(at) = next {
            next = self.receive_some(batch, at, wakers, usize::MAX);
        }
    }

    /// The same from this byte of the batch on, until so many are to be woken. Where the next record begins, if there is
    /// one left.
    pub(super) fn receive_some(
        &self,
        batch: &Batch,
        at: usize,
        wakers: &mut Wakers,
        most: usize,
    ) -> Option<usize> {
        let mut state = self.lock();
        state.heard();
        let waiting = state.outbox.len();
        let taken = records::take(&mut state, &self.counters, batch, at, wakers, most);
        let next = taken.unwrap_or_else(|malformed| {
            self.fail_unreadable(&mut state, &malformed, wakers);
            None
        });
        wakers.extend(state.next_in_line(self.limits.calls));
        let changed = std::mem::take(&mut state.changed);
        let answers = state.outbox.len() != waiting;
        drop(state);
        if answers {
            self.notify.notify();
        }
        if changed {
            self.tell_change();
        }
        next
    }

    /// What has come in can't be read.
    pub(super) fn unreadable(&self, what: &Malformed, wakers: &mut Wakers) {
        let mut state = self.lock();
        state.heard();
        self.fail_unreadable(&mut state, what, wakers);
        drop(state);
        self.notify.notify();
    }

    /// What else was in it can't be known, so no call may go on waiting for it.
    fn fail_unreadable(&self, state: &mut State, what: &Malformed, wakers: &mut Wakers) {
        let why = Status::unknown(format!("the server at `{}` sent {what}", self.endpoint()));
        state.fail_sent(&why, wakers);
        self.counters.drops(ChannelDropped::Unreadable, 1);
    }

    /// How many may be woken before they run.
    pub(super) fn turn(&self) -> usize {
        self.lock().turn()
    }

    /// The next message to send.
    pub(super) fn take_message(&self, wakers: &mut Wakers) -> Option<Message> {
        let mut state = self.lock();
        let message = state.take_message();
        wakers.extend(state.next_in_line(self.limits.calls));
        message
    }

    /// Messages go out from now on.
    pub(super) fn connected(&self, wakers: &mut Wakers) {
        let mut state = self.lock();
        if !matches!(state.phase, Phase::Closed | Phase::Retiring) {
            state.phase = Phase::Ready;
            state.trouble = None;
            state.up = Some(Up::new(End::Client));
        }
        if std::mem::replace(&mut state.was_up, true) {
            self.counters.reconnected();
        }
        wakers.extend(state.next_in_line(self.limits.calls));
        drop(state);
        self.wake_siblings(wakers);
        self.tell_change();
    }

    /// The connection is gone; it may come back.
    pub(super) fn disconnected(&self, wakers: &mut Wakers) {
        let mut state = self.lock();
        state.up = None;
        // Nobody would tell that a connection which libzmq does not watch is up again.
        if self.link() == Link::Monitored && !matches!(state.phase, Phase::Closed | Phase::Retiring) {
            state.phase = Phase::Connecting;
        }
        if !state.is_idle() {
            state.health.failed(Instant::now());
        }
        let why = Status::unavailable(format!("the connection to `{}` was lost", self.endpoint()));
        self.fail_all(&mut state, &why.caused_by(Cause::ConnectionLost), wakers);
        // Another connection of the channel may have room.
        state.line.all(wakers);
        drop(state);
        self.tell_change();
    }

    fn fail_all(&self, state: &mut State, why: &Status, wakers: &mut Wakers) {
        let one_way = state.fail_all(why, wakers);
        self.counters.drops(ChannelDropped::OneWay, one_way);
    }

    /// It does not come up, for this reason.
    pub(super) fn troubled(&self, why: impl Into<String>) {
        self.lock().trouble = Some(why.into());
    }

    /// Nothing keeps it from coming up, as far as anyone knows. Whether something did.
    pub(super) fn untroubled(&self) -> bool {
        self.lock().trouble.take().is_some()
    }

    /// Nothing goes in or out any more.
    pub(super) fn close(&self, why: &Status, wakers: &mut Wakers) {
        let mut state = self.lock();
        state.up = None;
        state.phase = Phase::Closed;
        self.fail_all(&mut state, why, wakers);
        state.line.all(wakers);
        drop(state);
        self.notify.notify();
        self.tell_change();
    }

    /// Ends what is out of time, and tells when to look again.
    pub(super) fn expire(&self, now: Instant, wakers: &mut Wakers) -> Option<Instant> {
        let mut state = self.lock();
        if state.look_at.is_some() {
            let waiting = state.outbox.len();
            if state.server_is_gone(now) {
                self.server_is_silent(&mut state, now, wakers);
            }
            state.expire(now, wakers);
            if state.outbox.len() != waiting {
                self.notify.notify();
            }
        }
        state.look_at
    }

    fn server_is_silent(&self, state: &mut State, now: Instant, wakers: &mut Wakers) {
        state.health.failed(now);
        let silence = state.watch.as_ref().map(Watch::silence).unwrap_or_default();
        let what = format!("the server at `{}` did not answer a ping within {silence:?}", self.endpoint());
        let why = Status::unavailable(what).caused_by(Cause::ServerSilent);
        if self.link() == Link::Monitored {
            // It may be there again, behind its device, and should know that nobody waits.
            state.fail_sent(&why, wakers);
        } else {
            self.fail_all(state, &why, wakers);
            state.stale = Stale::Yes;
            self.notify.notify();
        }
    }

    /// What is left to do besides to send and to receive.
    pub(super) fn rest(&self) -> Rest {
        let mut state = self.lock();
        let over = matches!(state.phase, Phase::Closed | Phase::Retiring);
        if over && state.outbox.is_empty() && state.is_idle() {
            Rest::Done
        } else if std::mem::replace(&mut state.stale, Stale::No) == Stale::Yes {
            Rest::Renewal
        } else {
            Rest::Nothing
        }
    }

    /// Wakes whoever waits for another connection of the channel that is down. No lock is held: they are taken in turn.
    fn wake_siblings(&self, wakers: &mut Wakers) {
        let Some(siblings) = self.siblings() else { return };
        siblings.each(|sibling| {
            if !std::ptr::eq(&raw const **sibling, self) {
                let mut state = sibling.lock();
                // Its name has led to a server.
                state.was_up |= sibling.link() == Link::None;
                if state.phase != Phase::Ready {
                    state.line.all(wakers);
                }
            }
        });
    }

    fn siblings(&self) -> Option<Arc<Endpoints>> {
        self.siblings.get().and_then(Weak::upgrade)
    }

    /// Tells whoever watches the channel that something is different. No lock may be held.
    fn tell_change(&self) {
        if let Some(siblings) = self.siblings() {
            siblings.changed();
        }
    }
}
