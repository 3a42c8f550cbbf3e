//! Whether a client is still there: `Liveness`, of one; and [`ListeningClock`], by which silence is measured.

use std::time::{Duration, Instant};

use super::Config;

/// A clock that stands still while the server does not listen: handlers may hold up every thread for as long as they like, and
/// a machine may stand still. What clients say meanwhile lies in a queue, so silence of that time proves nothing.
#[derive(Debug)]
pub struct ListeningClock {
    /// The time on this clock and the real time, at the last look.
    last: Option<(Instant, Instant)>,
    /// A look that comes later than this was held up: the rest of the time does not count.
    max_step: Duration,
}

impl ListeningClock {
    /// Creates the clock of a server that looks every [`Config::check_interval`].
    #[must_use]
    pub fn new(config: &Config) -> Self {
        Self { last: None, max_step: config.check_interval() * 2 }
    }

    /// Counts the time since the last look, by the real time now, and returns the time on this clock.
    pub fn advance(&mut self, now: Instant) -> Instant {
        let listened = match self.last {
            Some((listened, looked)) => listened + now.saturating_duration_since(looked).min(self.max_step),
            None => now,
        };
        self.last = Some((listened, now));
        listened
    }
}

/// When a client was last heard of, and what it was asked. Times are those of a [`ListeningClock`].
#[derive(Debug, Default)]
pub(super) struct Liveness {
    /// Whether something has come in since the last look.
    was_heard: bool,
    /// The look at which the client was last known to have been heard of.
    heard: Option<Instant>,
    /// When the client was asked for a sign of life that it has not shown since.
    asked: Option<Instant>,
    /// Number of pings that the client has not answered: proof that it has read everything is a pong, and nothing else.
    pings: u32,
    /// Whether the client was given up, and not heard of since.
    is_given_up: bool,
}

/// What a look at a client comes to.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    Wait,
    /// The client is to be asked for a sign of life.
    Ask,
    /// The client is taken for dead.
    GiveUp,
}

impl Liveness {
    /// Something has come from the client, which is a sign of life, whatever it is.
    #[inline]
    pub(super) fn heard(&mut self) {
        (self.was_heard, self.is_given_up) = (true, false);
    }

    /// Looks at a client with calls in flight. A client is given up only if it was asked, and not heard of for long after that.
    pub(super) fn check(&mut self, now: Instant, config: &Config) -> Verdict {
        let (timeout, interval) = (config.peer_timeout, config.check_interval());
        if std::mem::take(&mut self.was_heard) {
            (self.heard, self.asked) = (Some(now), None);
        }
        let heard = *self.heard.get_or_insert(now);
        // The look at which it counts as heard may be one interval late; that at which its time is found to be up, another.
        let ask_after = (timeout / 3).saturating_sub(interval);
        let wait = timeout.saturating_sub(timeout / 3 + interval * 2);
        match self.asked {
            Some(asked) if now.saturating_duration_since(asked) >= wait => Verdict::GiveUp,
            None if now.saturating_duration_since(heard) >= ask_after => {
                self.asked = Some(now);
                Verdict::Ask
            }
            _ => Verdict::Wait,
        }
    }

    /// Counts a ping.
    pub(super) fn pinged(&mut self) {
        self.pings = self.pings.saturating_add(1);
    }

    /// Counts a pong. They come in the order of the pings.
    pub(super) fn ponged(&mut self) {
        self.pings = self.pings.saturating_sub(1);
    }

    /// Marks the client as given up. Pings that it was sent are thrown away with the rest, or never answered.
    pub(super) fn give_up(&mut self) {
        (self.asked, self.pings, self.is_given_up) = (None, 0, true);
    }

    pub(super) fn is_given_up(&self) -> bool {
        self.is_given_up
    }

    /// Reports whether every ping was answered.
    pub(super) fn is_answered(&self) -> bool {
        self.pings == 0
    }
}
