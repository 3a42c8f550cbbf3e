//! [`Liveness`]: whether a server is still there, where its transport does not tell. libzmq watches no `inproc`
//! connection, and no transport knows of the server behind a device. So the server is asked while calls are in flight, and
//! taken for gone if it says nothing.

use std::time::{Duration, Instant};

/// How often to look at a connection that is not monitored, while calls are in flight.
const UNMONITORED_INTERVAL: Duration = Duration::from_secs(2);
/// After this silence a server that was asked over such a connection is gone.
const UNMONITORED_SILENCE: Duration = Duration::from_secs(10);

/// How a server is asked for a sign of life.
#[derive(Debug, Clone, Copy)]
pub struct LivenessConfig {
    /// How often to look, while calls are in flight.
    pub interval: Duration,
    /// A server that says nothing for this long after it was asked is gone.
    pub silence: Duration,
}

/// When a server was asked for a sign of life, and when to look again.
#[derive(Debug)]
pub(super) struct Liveness {
    config: LivenessConfig,
    /// When the server was asked, if it has said nothing since.
    asked: Option<Instant>,
    /// When to look next; `None` while no call is in flight.
    next: Option<Instant>,
}

/// What to do about the server.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Step {
    /// Nothing yet.
    Wait,
    /// Ping it.
    Ask,
    /// Give it up.
    Gone,
}

impl LivenessConfig {
    /// For a connection of which the transport tells nothing at all.
    #[must_use]
    pub fn unmonitored() -> Self {
        Self { interval: UNMONITORED_INTERVAL, silence: UNMONITORED_SILENCE }
    }

    /// For a connection that the transport watches: the server may be behind a device. A server that has said nothing
    /// for `timeout` is gone by then.
    #[must_use]
    pub fn within(timeout: Duration) -> Self {
        Self { interval: timeout / 4, silence: timeout / 2 }
    }
}

impl Liveness {
    /// Creates the state of a server that was not asked yet.
    pub(super) fn new(config: LivenessConfig) -> Self {
        Self { config, asked: None, next: None }
    }

    /// Returns how long a server may leave a ping unanswered.
    pub(super) fn silence(&self) -> Duration {
        self.config.silence
    }

    /// Forgets that the server was asked.
    fn rest(&mut self) {
        (self.asked, self.next) = (None, None);
    }

    /// Returns when to look again.
    pub(super) fn next(&self) -> Option<Instant> {
        self.next
    }

    /// Says that a call has begun. Returns when to look.
    pub(super) fn begin(&mut self, now: Instant) -> Instant {
        *self.next.get_or_insert(now + self.config.interval)
    }

    /// Says that the server has said something.
    pub(super) fn heard(&mut self) {
        self.asked = None;
    }

    /// Returns what to do now. With no call in flight there is no need to know.
    pub(super) fn check(&mut self, now: Instant, in_flight: bool) -> Step {
        if !in_flight {
            self.rest();
            return Step::Wait;
        }
        if self.next.is_some_and(|next| next > now) {
            return Step::Wait;
        }
        self.next = Some(now + self.config.interval);
        match self.asked {
            None => {
                self.asked = Some(now);
                Step::Ask
            }
            Some(asked) if now.duration_since(asked) < self.config.silence => Step::Wait,
            Some(_) => {
                self.rest();
                Step::Gone
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_server_that_was_asked_and_is_silent_is_gone() {
        let mut liveness = Liveness::new(LivenessConfig::unmonitored());
        let mut now = Instant::now();
        let mut look = |liveness: &mut Liveness| {
            now += UNMONITORED_INTERVAL;
            liveness.check(now, true)
        };
        assert_eq!([look(&mut liveness), look(&mut liveness)], [Step::Ask, Step::Wait]);
        liveness.heard();
        assert_eq!(look(&mut liveness), Step::Ask);
        for _ in 1..UNMONITORED_SILENCE.as_secs() / UNMONITORED_INTERVAL.as_secs() {
            assert_eq!(look(&mut liveness), Step::Wait);
        }
        assert_eq!(look(&mut liveness), Step::Gone);
        assert_eq!(liveness.check(now, false), Step::Wait);
        assert_eq!(liveness.next(), None);
    }
}
