//! Whether a server is still there, where libzmq does not tell: it watches no `inproc` connection. So the server is asked
//! while calls are in flight, and taken for gone when it does not answer. Connections that libzmq watches need none of this.

use std::time::Duration;

use tokio::time::Instant;

/// How often to look, while calls are in flight.
const INTERVAL: Duration = Duration::from_secs(2);
/// A server that says nothing for so long after it was asked is gone.
pub(super) const SILENCE: Duration = Duration::from_secs(10);

/// When the server was asked, and when to look again.
#[derive(Debug, Default)]
pub(super) struct Watch {
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
    /// When to look again.
    pub(super) fn next(&self) -> Option<Instant> {
        self.next
    }

    /// A call has begun; tells when to look.
    pub(super) fn begin(&mut self, now: Instant) -> Instant {
        *self.next.get_or_insert(now + INTERVAL)
    }

    /// The server has said something.
    pub(super) fn heard(&mut self) {
        self.asked = None;
    }

    /// Looks whether it is time for something. With no call in flight, nobody needs to know.
    pub(super) fn look(&mut self, now: Instant, in_flight: bool) -> Step {
        if !in_flight {
            *self = Self::default();
            return Step::Wait;
        }
        if self.next.is_some_and(|next| next > now) {
            return Step::Wait;
        }
        self.next = Some(now + INTERVAL);
        match self.asked {
            None => {
                self.asked = Some(now);
                Step::Ask
            }
            Some(asked) if now.duration_since(asked) < SILENCE => Step::Wait,
            Some(_) => {
                *self = Self::default();
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
        let mut watch = Watch::default();
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
