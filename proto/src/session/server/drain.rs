//! [`Drain`]: the way out of a server, whatever carries its messages.

use std::time::{Duration, Instant};

/// How far a server is on its way out: it serves; drains, when calls in flight may still end; flushes, when clients may
/// prove that they have read the answers; and is done.
#[derive(Debug)]
pub struct Drain {
    phase: Phase,
    /// Time that clients have to prove that they have read everything.
    flush: Duration,
}

#[derive(Debug, Clone, Copy)]
enum Phase {
    Serving,
    /// Calls in flight may go on until then; `None`: until they end.
    Draining(Option<Instant>),
    /// Clients may prove that they have read everything until then; `None`: for as long as they take.
    Flushing(Option<Instant>),
}

/// What [`Drain::handle_timeout`] asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DrainStep {
    /// Nothing.
    Wait,
    /// Calls that are still in flight are to be ended, and clients asked to prove that they have read everything.
    Flush,
    /// The server is out.
    Done,
}

impl Drain {
    /// Creates the way out of a server that serves. `flush` is the time that clients have to prove that they have read
    /// everything.
    #[must_use]
    pub fn new(flush: Duration) -> Self {
        Self { phase: Phase::Serving, flush }
    }

    /// Begins to drain: calls in flight may go on for `grace`. Returns `false` if that has begun before; otherwise clients are to
    /// be told that the server goes away.
    pub fn begin(&mut self, now: Instant, grace: Duration) -> bool {
        let is_first = matches!(self.phase, Phase::Serving);
        if is_first {
            self.phase = Phase::Draining(now.checked_add(grace));
        }
        is_first
    }

    /// Goes on as far as the time and the calls allow. `is_idle`: no call is in flight; `is_flushed`: every client has read
    /// everything.
    pub fn handle_timeout(
        &mut self,
        now: Instant,
        is_idle: bool,
        is_flushed: impl FnOnce() -> bool,
    ) -> DrainStep {
        let is_late = self.poll_timeout().is_some_and(|until| now >= until);
        match self.phase {
            Phase::Draining(_) if is_idle || is_late => {
                self.phase = Phase::Flushing(now.checked_add(self.flush));
                DrainStep::Flush
            }
            Phase::Flushing(_) if is_late || is_idle && is_flushed() => DrainStep::Done,
            _ => DrainStep::Wait,
        }
    }

    /// Returns when [`Drain::handle_timeout`] is to be called at the latest, if time matters.
    #[must_use]
    pub fn poll_timeout(&self) -> Option<Instant> {
        match self.phase {
            Phase::Serving => None,
            Phase::Draining(until) | Phase::Flushing(until) => until,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    #[test]
    fn calls_may_end_and_clients_may_read_within_their_times() {
        let now = Instant::now();
        let mut drain = Drain::new(SECOND);
        assert_eq!(drain.handle_timeout(now, true, || true), DrainStep::Wait);
        assert!(drain.begin(now, 10 * SECOND) && !drain.begin(now, 20 * SECOND));
        assert_eq!(drain.poll_timeout(), Some(now + 10 * SECOND));
        assert_eq!(drain.handle_timeout(now + SECOND, false, || true), DrainStep::Wait);
        assert_eq!(drain.handle_timeout(now + 10 * SECOND, false, || true), DrainStep::Flush);
        assert_eq!(drain.poll_timeout(), Some(now + 11 * SECOND));
        assert_eq!(drain.handle_timeout(now + 10 * SECOND, true, || false), DrainStep::Wait);
        assert_eq!(drain.handle_timeout(now + 11 * SECOND, true, || false), DrainStep::Done);
    }

    #[test]
    fn a_server_without_calls_goes_as_soon_as_its_clients_have_read_everything() {
        let now = Instant::now();
        let mut drain = Drain::new(SECOND);
        assert!(drain.begin(now, Duration::MAX));
        assert_eq!(drain.poll_timeout(), None, "too far for the clock");
        assert_eq!(drain.handle_timeout(now, true, || false), DrainStep::Flush);
        assert_eq!(drain.handle_timeout(now, true, || true), DrainStep::Done);
    }
}
