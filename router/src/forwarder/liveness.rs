//! Whether a peer is still there. Where a device is in between, nothing else tells: its connection stays when the peer behind it goes, or
//! is started anew.

use std::time::{Duration, Instant};

use zsvc_proto::session::client::OutlierDetection;
use zsvc_proto::wire;

use super::entries::{CallerKey, WorkerKey, WorkerState};
use super::one_way::OneWays;
use super::{Forwarder, refusals};

/// The id of a ping that asks a caller whether it is there. One that asks whether it has read everything has another.
const ASK: u64 = 1;

/// How long peers may be silent that were asked for a sign of life, before what is in flight counts as lost.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Silence {
    /// Callers behind devices.
    pub of_callers: Duration,
    /// Workers that have something to do. The connection itself is watched by the transport, so this is about what is behind a device, and
    /// longer than handlers hold up all threads of a worker.
    pub of_workers: Duration,
}

impl Default for Silence {
    fn default() -> Self {
        Self { of_callers: Duration::from_secs(10), of_workers: Duration::from_secs(60) }
    }
}

/// When a peer was heard of.
#[derive(Debug)]
pub(super) struct Signs {
    heard_at: Instant,
    /// When it was asked for a sign of life. `None` once it has given one.
    asked_at: Option<Instant>,
}

/// What is to be done about a peer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Due {
    Nothing,
    /// A sign of life is to be asked for.
    Ask,
    /// None has come for too long after that.
    Lost,
}

impl Signs {
    pub(super) fn new(now: Instant) -> Self {
        Self { heard_at: now, asked_at: None }
    }

    pub(super) fn heard(&mut self, now: Instant) {
        (self.heard_at, self.asked_at) = (now, None);
    }

    /// Returns for how long nothing was heard.
    fn quiet_for(&self, now: Instant) -> Duration {
        now.saturating_duration_since(self.heard_at)
    }

    /// Time counts from the question on: a router that stood still has not listened.
    fn look(&mut self, silence: Duration, now: Instant) -> Due {
        let (quarter, rest) = (silence / 4, silence * 3 / 4);
        match self.asked_at {
            None if self.quiet_for(now) >= quarter => {
                self.asked_at = Some(now);
                Due::Ask
            }
            Some(asked) if now.saturating_duration_since(asked) >= rest => {
                self.asked_at = Some(now);
                Due::Lost
            }
            None | Some(_) => Due::Nothing,
        }
    }
}

impl<H: Clone> Forwarder<H> {
    /// Sets how long peers may be silent. [`Forwarder::check_caller`] and [`Forwarder::check_worker`] are to be called several times within
    /// it.
    pub fn set_silence(&mut self, silence: Silence) {
        self.silence = silence;
    }

    /// Returns how long peers may be silent.
    #[must_use]
    pub fn silence(&self) -> Silence {
        self.silence
    }

    /// Asks a caller behind a device for a sign of life, if it has calls in flight, and ends these if it has given none. `is_moving`: a part
    /// of a message has come or gone since the last look, which is a sign.
    pub fn check_caller(&mut self, key: CallerKey<H>, is_moving: bool, now: Instant) {
        let silence = self.silence.of_callers;
        let Some(caller) = self.callers.get_mut(key).filter(|caller| !caller.calls.is_empty()) else {
            return;
        };
        if is_moving {
            caller.signs.heard(now);
        }
        match caller.signs.look(silence, now) {
            Due::Nothing => {}
            Due::Ask => self.answer(key, |out| wire::ping(out, ASK)),
            Due::Lost => {
                let calls: Vec<_> = caller.calls.values().copied().collect();
                for flight in calls {
                    self.end_call(flight, &refusals::caller_is_silent(), now);
                }
            }
        }
    }

    /// Reports whether a caller has nothing in flight and nothing to read, and was not heard of for a time: it may be forgotten.
    #[must_use]
    pub fn is_caller_idle(&self, key: CallerKey<H>, time: Duration, now: Instant) -> bool {
        self.callers.get(key).is_none_or(|caller| {
            caller.calls.is_empty() && caller.outbox.is_empty() && caller.signs.quiet_for(now) >= time
        })
    }

    /// Asks a worker that has something to do for a sign of life. One that gives none loses its calls, and gets no others until it is
    /// heard of again. Returns whether that is new. `is_moving`: as for a caller.
    pub fn check_worker(&mut self, key: WorkerKey<H>, is_moving: bool, now: Instant) -> bool {
        let silence = self.silence.of_workers;
        if is_moving {
            self.hear_worker(key, now);
        }
        let Some(worker) = self.workers.get_mut(key).filter(|worker| worker.state != WorkerState::Down)
        else {
            return false;
        };
        // One that goes away may be another one soon, if there is a device.
        let is_waited_for = worker.in_flight > 0
            || worker.is_silent
            || worker.state == WorkerState::GoingAway
            || !worker.one_ways.is_read();
        if !is_waited_for {
            return false;
        }
        let due = worker.signs.look(silence, now);
        let is_new = due == Due::Lost && !std::mem::replace(&mut worker.is_silent, true);
        if due != Due::Nothing {
            worker.outbox.record(|out| wire::ping(out, OneWays::FIRST_PING));
            self.list_worker(key);
        }
        if is_new {
            self.move_unsent(key, true, now);
            let why = refusals::worker_is_silent(self.name_of(key));
            self.end_sent(key, &why, now);
        }
        is_new
    }

    /// Takes a sign of life of a worker.
    pub(super) fn hear_worker(&mut self, key: WorkerKey<H>, now: Instant) {
        let Some(worker) = self.workers.get_mut(key) else { return };
        worker.signs.heard(now);
        if std::mem::take(&mut worker.is_silent) {
            self.begin_anew(key, now);
        }
    }

    /// Takes the number of a worker's life. Another one than before means that it was started anew behind a device, which has not told.
    pub(super) fn meet_worker(&mut self, key: WorkerKey<H>, instance: Option<u64>, now: Instant) {
        let Some(instance) = instance else { return };
        let before = self.workers.get_mut(key).and_then(|worker| worker.instance.replace(instance));
        if before.is_none_or(|before| before == instance) {
            return;
        }
        let why = refusals::worker_lost(self.name_of(key));
        self.end_sent(key, &why, now);
        if let Some(worker) = self.workers.get_mut(key) {
            worker.state = WorkerState::Up;
            worker.health = OutlierDetection::default();
        }
        self.begin_anew(key, now);
    }

    /// Has a worker start slowly, with nothing that was sent to it before.
    fn begin_anew(&mut self, key: WorkerKey<H>, now: Instant) {
        if let Some(worker) = self.workers.get_mut(key) {
            worker.one_ways = OneWays::default();
        }
        self.start_slowly(key, now);
        self.welcome(key, now);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_silence_after_a_question_counts() {
        let (silence, start) = (Duration::from_secs(8), Instant::now());
        let after = |seconds| start + Duration::from_secs(seconds);
        let mut signs = Signs::new(start);
        assert_eq!(signs.look(silence, after(1)), Due::Nothing);
        assert_eq!(signs.look(silence, after(100)), Due::Ask, "it was not asked in the meantime");
        assert_eq!(signs.look(silence, after(105)), Due::Nothing);
        assert_eq!(signs.look(silence, after(106)), Due::Lost);
        signs.heard(after(107));
        assert_eq!(signs.look(silence, after(108)), Due::Nothing);
        assert_eq!(signs.look(silence, after(109)), Due::Ask);
        signs.heard(after(110));
        assert_eq!(signs.look(silence, after(111)), Due::Nothing);
    }
}
