//! [`Phase`]: whether a connection takes calls, and how that changes.

use std::time::Instant;

/// Whether a connection takes calls.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Phase {
    /// The connection is not up, or not yet.
    Connecting,
    /// Messages go out.
    Ready,
    /// The server takes no new calls. After that time, one may try.
    GoingAway {
        /// Until when the server's word holds.
        until: Instant,
    },
    /// Its address is no longer the channel's: it takes no new calls, and ends once it is idle.
    Retiring,
    /// The connection will never be used again.
    Closed,
}

/// The phase of a session. A connection that retires or is closed never takes calls again, and one that is closed stays closed.
#[derive(Debug)]
pub(super) struct PhaseState(Phase);

impl PhaseState {
    pub(super) fn new(is_connected: bool) -> Self {
        Self(if is_connected { Phase::Ready } else { Phase::Connecting })
    }

    #[inline]
    pub(super) fn get(&self) -> Phase {
        self.0
    }

    #[inline]
    pub(super) fn is_ready(&self) -> bool {
        self.0 == Phase::Ready
    }

    /// Reports whether calls may begin by this time.
    #[inline]
    pub(super) fn is_ready_by(&self, now: Instant) -> bool {
        match self.0 {
            Phase::GoingAway { until } => until <= now,
            phase => phase == Phase::Ready,
        }
    }

    /// Reports whether messages go out, be it to a server that takes no new calls.
    pub(super) fn is_connected(&self) -> bool {
        matches!(self.0, Phase::Ready | Phase::GoingAway { .. } | Phase::Retiring)
    }

    /// Reports whether the connection never takes calls again.
    pub(super) fn is_over(&self) -> bool {
        matches!(self.0, Phase::Retiring | Phase::Closed)
    }

    /// Returns until when the word of a server that goes away holds.
    pub(super) fn going_away_until(&self) -> Option<Instant> {
        match self.0 {
            Phase::GoingAway { until } => Some(until),
            _ => None,
        }
    }

    /// Says that messages go out, to another server perhaps. Returns `false` if the connection takes no calls all the same.
    pub(super) fn connected(&mut self) -> bool {
        let takes_calls = !self.is_over();
        if takes_calls {
            self.0 = Phase::Ready;
        }
        takes_calls
    }

    /// Says that messages do not go out any more.
    pub(super) fn lost(&mut self) {
        if !self.is_over() {
            self.0 = Phase::Connecting;
        }
    }

    /// Says that the server takes no new calls. Returns `false` if that is nothing new.
    pub(super) fn going_away(&mut self, until: Instant) -> bool {
        let is_new = self.is_ready();
        if is_new {
            self.0 = Phase::GoingAway { until };
        }
        is_new
    }

    /// Ends the time of a server that was going away. Returns `false` if none was, or its time has not passed.
    #[inline]
    pub(super) fn expire_going_away(&mut self, now: Instant) -> bool {
        let is_past = matches!(self.0, Phase::GoingAway { until } if until <= now);
        if is_past {
            self.0 = Phase::Ready;
        }
        is_past
    }

    /// Takes no new calls, for good.
    pub(super) fn retire(&mut self) {
        if self.0 != Phase::Closed {
            self.0 = Phase::Retiring;
        }
    }

    /// Takes nothing more, for good.
    pub(super) fn close(&mut self) {
        self.0 = Phase::Closed;
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn a_server_goes_away_for_a_time_and_once_at_a_time() {
        let (now, mut phase) = (Instant::now(), PhaseState::new(false));
        let until = now + Duration::from_secs(5);
        assert!(!phase.going_away(until), "it is not up");
        assert!(phase.connected() && phase.going_away(until) && !phase.going_away(now));
        assert_eq!((phase.going_away_until(), phase.expire_going_away(now)), (Some(until), false));
        assert!(phase.is_connected() && !phase.is_ready());
        assert!(phase.expire_going_away(until) && phase.is_ready() && !phase.expire_going_away(until));
        phase.lost();
        assert_eq!((phase.get(), phase.is_connected()), (Phase::Connecting, false));
    }

    #[test]
    fn what_is_over_stays_over() {
        let mut phase = PhaseState::new(true);
        phase.retire();
        phase.lost();
        assert!(!phase.connected() && !phase.going_away(Instant::now()));
        assert_eq!(phase.get(), Phase::Retiring);
        phase.close();
        phase.retire();
        phase.lost();
        assert!(!phase.connected() && phase.is_over());
        assert_eq!(phase.get(), Phase::Closed);
    }
}
