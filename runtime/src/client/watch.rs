//! Whether a server is still there, where libzmq does not tell. It watches no `inproc` connection, and of one to a device
//! it knows nothing of the server behind. So the server is asked while calls are in flight, and taken for gone when it
//! says nothing.

use std::time::Duration;

use tokio::time::Instant;

/// `inproc`: how often to look while calls are in flight, and after which silence a server that was asked is gone.
const INTERVAL: Duration = Duration::from_secs(2);
const SILENCE: Duration = Duration::from_secs(10);

/// When the server was asked, and when to look again.
#[derive(Debug)]
pub(super) struct Watch {
    /// How often to look, while calls are in flight.
    interval: Duration,
    /// A server that says nothing for so long after it was asked is gone.
    silence: Duration,
    /// When it was asked, if it has said nothing since.
    asked: Option<Instant>,
    /// None while no call is in flight.
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

impl Watch {
    /// For a connection of which libzmq tells nothing at all.
    pub(super) fn unmonitored() -> Self {
        Self::new(INTERVAL, SILENCE)
    }

    /// For one that libzmq watches: the server may be behind a device. A server that has said nothing for so long is gone
    /// by then.
    pub(super) fn within(timeout: Duration) -> Self {
        Self::new(timeout / 4, timeout / 2)
    }

    fn new(interval: Duration, silence: Duration) -> Self {
        Self { interval, silence, asked: None, next: None }
    }

    /// How long it waits for an answer.
    pub(super) fn silence(&self) -> Duration {
        self.silence
    }

    /// Nothing was asked, and nobody needs to know.
    fn rest(&mut self) {
        (self.asked, self.next) = (None, None);
    }

    /// When to look again.
    pub(super) fn next(&self) -> Option<Instant> {
        self.next
    }

    /// A call has begun; tells when to look.
    pub(super) fn begin(&mut self, now: Instant) -> Instant {
        *self.next.get_or_insert(now + self.interval)
    }

    /// The server has said something.
    pub(super) fn heard(&mut self) {
        self.asked = None;
    }

    /// Looks whether it is time for something. With no call in flight, nobody needs to know.
    pub(super) fn look(&mut self, now: Instant, in_flight: bool) -> Step {
        if !in_flight {
            self.rest();
            return Step::Wait;
        }
        if self.next.is_some_and(|next| next > now) {
            return Step::Wait;
        }
        self.next = Some(now + self.interval);
        match self.asked {
            None => {
                self.asked = Some(now);
                Step::Ask
            }
            Some(asked) if now.duration_since(asked) < self.silence => Step::Wait,
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
    fn a_server_is_gone_when_it_was_asked_and_is_silent() {
        let mut watch = Watch::unmonitored();
        let mut now = Instant::now();
        let mut look = |watch: &mut Watch| {
            now += INTERVAL;
            watch.look(now, true)
        };
        assert_eq!([look(&mut watch), look(&mut watch)], [Step::Ask, Step::Wait]);
        watch.heard();
        assert_eq!(look(&mut watch), Step::Ask);
        for _ in 1..SILENCE.as_secs() / INTERVAL.as_secs() {
            assert_eq!(look(&mut watch), Step::Wait);
        }
        assert_eq!(look(&mut watch), Step::Gone);
        assert_eq!(watch.look(now, false), Step::Wait);
        assert_eq!(watch.next(), None);
    }
}
