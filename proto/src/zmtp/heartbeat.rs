//! Signs of life: when to ping a peer, and when to take it for dead.

use std::time::{Duration, Instant};

/// When a peer is pinged, and how long it may leave that unanswered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Heartbeat {
    /// The peer is pinged after it has sent nothing for this long.
    pub interval: Duration,
    /// How long after that the peer counts as dead, if it sends nothing.
    pub timeout: Duration,
}

/// Part of an interval by which a ping may come earlier.
const SPREAD_PARTS: u32 = 8;

impl Heartbeat {
    /// Returns these times with an interval that is shorter by up to an eighth, by a random number. If each connection has a number
    /// of its own, then thousands of them that fall silent at once, as in a partition of the network, are not pinged at once, and do
    /// not die at once.
    #[must_use]
    pub fn spread(self, random: u64) -> Self {
        let most = self.interval / SPREAD_PARTS;
        let parts = u32::try_from(random % 1_000).unwrap_or(0);
        Self { interval: self.interval.saturating_sub(most / 1_000 * parts), ..self }
    }
}

/// What is known of a peer's life. Any byte of it is a sign of life, also one in the middle of a long message.
#[derive(Debug)]
pub(super) struct Liveness {
    config: Option<Heartbeat>,
    /// When the peer was last heard of.
    heard: Instant,
    /// When it was pinged, if it was not heard of since.
    pinged: Option<Instant>,
    /// How long it wants to be waited for, by the last ping of its own that said so.
    time_to_live: Option<Duration>,
}

/// What is to be done about a peer.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    Nothing,
    Ping,
    /// The peer is dead, after it has sent nothing for this long.
    Dead(Duration),
}

impl Liveness {
    pub(super) fn new(config: Option<Heartbeat>, now: Instant) -> Self {
        Self { config, heard: now, pinged: None, time_to_live: None }
    }

    pub(super) fn heard(&mut self, now: Instant) {
        (self.heard, self.pinged) = (now, None);
    }

    /// Says that a ping is still to be sent, since the peer has taken a part of what comes before it: the peer has all of its time to
    /// answer yet.
    pub(super) fn delayed(&mut self, now: Instant) {
        if self.pinged.is_some() {
            self.pinged = Some(now);
        }
    }

    /// Says that the peer knows no pings, as those that speak ZMTP 3.0: it is not to be pinged.
    pub(super) fn peer_knows_no_pings(&mut self) {
        self.config = None;
    }

    /// Takes the time to live that a ping of the peer has announced; zero stands for none.
    pub(super) fn announced(&mut self, time_to_live: Duration) {
        self.time_to_live = Some(time_to_live).filter(|time| !time.is_zero());
    }

    /// Returns when to check next.
    pub(super) fn next(&self) -> Option<Instant> {
        // A time that is too long for the clock is none.
        let own = self.config.and_then(|config| match self.pinged {
            Some(pinged) => pinged.checked_add(config.timeout),
            None => self.heard.checked_add(config.interval),
        });
        let theirs = self.time_to_live.and_then(|time| self.heard.checked_add(time));
        [own, theirs].into_iter().flatten().min()
    }

    /// Looks what is to be done.
    pub(super) fn check(&mut self, now: Instant) -> Verdict {
        if let Some(time) = self.time_to_live
            && now.saturating_duration_since(self.heard) >= time
        {
            return Verdict::Dead(time);
        }
        let Some(config) = self.config else { return Verdict::Nothing };
        match self.pinged {
            Some(pinged) if now.saturating_duration_since(pinged) >= config.timeout => {
                Verdict::Dead(config.timeout)
            }
            None if now.saturating_duration_since(self.heard) >= config.interval => {
                self.pinged = Some(now);
                Verdict::Ping
            }
            _ => Verdict::Nothing,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    #[test]
    fn a_silent_peer_is_pinged_once_and_dead_after_that() {
        let start = Instant::now();
        let config = Heartbeat { interval: 3 * SECOND, timeout: SECOND };
        let mut liveness = Liveness::new(Some(config), start);
        assert_eq!((liveness.check(start), liveness.next()), (Verdict::Nothing, Some(start + 3 * SECOND)));
        assert_eq!(liveness.check(start + 3 * SECOND), Verdict::Ping);
        assert_eq!(liveness.check(start + 3 * SECOND), Verdict::Nothing);
        assert_eq!(liveness.next(), Some(start + 4 * SECOND));
        liveness.heard(start + 3 * SECOND);
        assert_eq!(liveness.check(start + 4 * SECOND), Verdict::Nothing);
        assert_eq!(liveness.check(start + 6 * SECOND), Verdict::Ping);
        assert_eq!(liveness.check(start + 7 * SECOND), Verdict::Dead(SECOND));
    }

    #[test]
    fn intervals_are_spread_over_an_eighth() {
        let config = Heartbeat { interval: 8 * SECOND, timeout: SECOND };
        let interval = |random| config.spread(random).interval;
        assert_eq!(interval(0), 8 * SECOND);
        assert_eq!(interval(500), 15 * SECOND / 2);
        assert!((0..10_000).all(|random| (7 * SECOND..=8 * SECOND).contains(&interval(random))));
        let none = Heartbeat { interval: Duration::ZERO, timeout: SECOND };
        assert_eq!(none.spread(999), none);
        let endless = Heartbeat { interval: Duration::MAX, timeout: SECOND };
        assert!(endless.spread(999).interval >= Duration::MAX / 8 * 7);
    }

    #[test]
    fn a_peer_has_its_time_from_when_a_ping_could_leave() {
        let start = Instant::now();
        let config = Heartbeat { interval: 3 * SECOND, timeout: SECOND };
        let mut liveness = Liveness::new(Some(config), start);
        liveness.delayed(start + 2 * SECOND);
        assert_eq!(liveness.check(start + 3 * SECOND), Verdict::Ping, "nothing was delayed before");
        liveness.delayed(start + 4 * SECOND);
        assert_eq!(liveness.check(start + 4 * SECOND), Verdict::Nothing);
        assert_eq!(liveness.check(start + 5 * SECOND), Verdict::Dead(SECOND));
    }

    #[test]
    fn times_that_are_too_long_for_the_clock_never_come() {
        let start = Instant::now();
        let config = Heartbeat { interval: Duration::MAX, timeout: Duration::MAX };
        let mut liveness = Liveness::new(Some(config), start);
        assert_eq!((liveness.check(start + SECOND), liveness.next()), (Verdict::Nothing, None));
        liveness.announced(Duration::MAX);
        assert_eq!((liveness.check(start + SECOND), liveness.next()), (Verdict::Nothing, None));
    }

    #[test]
    fn a_peer_may_say_how_long_it_wants_to_be_waited_for() {
        let start = Instant::now();
        let mut liveness = Liveness::new(None, start);
        assert_eq!(liveness.next(), None);
        liveness.announced(2 * SECOND);
        assert_eq!(
            (liveness.next(), liveness.check(start + SECOND)),
            (Some(start + 2 * SECOND), Verdict::Nothing)
        );
        liveness.heard(start + SECOND);
        assert_eq!(liveness.check(start + 2 * SECOND), Verdict::Nothing);
        assert_eq!(liveness.check(start + 3 * SECOND), Verdict::Dead(2 * SECOND));
        liveness.announced(Duration::ZERO);
        assert_eq!(liveness.next(), None);
    }
}
