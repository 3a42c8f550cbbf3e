//! [`Session`]: its state, and whether there is room for one more call.

use std::collections::VecDeque;
use std::task::Waker;
use std::time::{Duration, Instant};

use super::calls::Calls;
use super::event::Event;
use super::health::{HealthState, OutlierDetection};
use super::instance::Instance;
use super::liveness::{Liveness, LivenessConfig};
use super::one_way::OneWay;
use super::phase::{Phase, PhaseState};
use super::wait_queue::WaitQueue;
use crate::flow::PendingStreams;
use crate::id_map::IdMap;
use crate::session::Deadline;
use crate::status::Status;
use crate::wire::Outbox;

/// The configuration of a session.
#[derive(Debug)]
pub struct Config {
    /// Where the connection goes, for messages.
    pub endpoint: String,
    /// Maximum size in bytes of an answer. A call with a larger one fails with `resource_exhausted`.
    pub max_body: usize,
    /// Maximum number of calls in flight. Past it, calls wait.
    pub max_calls: usize,
    /// How the server is asked for signs of life, if it is.
    pub liveness: Option<LivenessConfig>,
    /// Whether the transport tells when the connection is up and when it is lost. Otherwise it counts as up from the
    /// start, and is made anew where the server does not answer.
    pub is_monitored: bool,
    /// Whether the connection counts as up from the start.
    pub is_connected: bool,
}

/// The client's side of a connection.
///
/// In this order: what every call touches lies together, behind the session's lock. Callers on several threads take
/// turns at it, and each has to fetch every cache line that the one before has written to.
#[derive(Debug)]
#[repr(C)]
pub struct Session {
    pub(super) phase: PhaseState,
    /// Number of calls that have not ended.
    pub(super) open: usize,
    /// No deadline of any call or caller in here is before this time.
    pub(super) check_at: Option<Instant>,
    /// Calls in flight, and those whose reply has arrived and was not taken yet.
    pub(super) calls: Calls,
    pub(super) outbox: Outbox,
    pub(super) queue: WaitQueue,
    /// Whether there may be room that the first caller of the queue does not know of.
    pub(super) has_news: bool,
    pub(super) one_way: OneWay,
    /// Tasks to wake once no lock is held.
    pub(super) wakers: Vec<Waker>,
    pub(super) liveness: Option<Liveness>,
    pub(super) instance: Instance,
    pub(super) health: OutlierDetection,
    /// Streams in which items gather.
    pub(super) pending: PendingStreams,
    /// Number of bytes of credit that streams are yet to be given, by the ids of their calls.
    pub(super) withheld: IdMap<u32, u64>,
    /// Whether a message was ever taken out of the outbox.
    pub(super) has_sent: bool,
    /// Whether the connection was up at least once.
    pub(super) was_up: bool,
    /// What last kept the connection from coming up.
    pub(super) trouble: Option<String>,
    /// Why it is closed, if the channel was not.
    pub(super) closed_by: Option<Status>,
    /// Whether a try to connect has failed since the connection was last up.
    pub(super) has_failed: bool,
    pub(super) events: VecDeque<Event>,
    pub(super) config: Config,
}

/// How long a call waits for a connection and for room on it.
#[derive(Debug, Clone, Copy)]
pub struct Wait {
    /// Until when, if not for ever.
    pub deadline: Option<Deadline>,
    /// Whether it waits for a connection at all. It always waits for room.
    pub for_ready: bool,
}

/// How late a deadline may be noticed while calls wait in the outbox: each look goes through all of them.
pub(super) const SWEEP: Duration = Duration::from_millis(5);

impl Session {
    /// Creates the session of a connection that is being made.
    #[must_use]
    pub fn new(config: Config) -> Self {
        Self {
            phase: PhaseState::new(config.is_connected),
            open: 0,
            check_at: None,
            calls: Calls::default(),
            outbox: Outbox::default(),
            queue: WaitQueue::default(),
            has_news: false,
            one_way: OneWay::default(),
            wakers: Vec::new(),
            liveness: config.liveness.map(Liveness::new),
            instance: Instance::default(),
            health: OutlierDetection::default(),
            pending: PendingStreams::default(),
            withheld: IdMap::default(),
            has_sent: false,
            was_up: config.is_connected,
            trouble: None,
            closed_by: None,
            has_failed: false,
            events: VecDeque::new(),
            config,
        }
    }

    /// Moves the tasks to wake to `to`. They are to be woken once no lock is held.
    #[inline]
    pub fn take_wakers(&mut self, to: &mut Vec<Waker>) {
        if std::mem::take(&mut self.has_news) {
            self.wake_next();
        }
        to.append(&mut self.wakers);
    }

    /// Returns the next thing that the channel has to know.
    #[inline]
    pub fn poll_event(&mut self) -> Option<Event> {
        self.events.pop_front()
    }

    /// Returns when [`Session::handle_timeout`] is to be called at the latest.
    #[inline]
    #[must_use]
    pub fn poll_timeout(&self) -> Option<Instant> {
        self.check_at
    }
}

/// What a channel asks.
impl Session {
    /// Returns whether the connection takes calls.
    #[inline]
    #[must_use]
    pub fn phase(&self) -> Phase {
        self.phase.get()
    }

    /// Reports whether messages go out, as far as is known, be it to a server that takes no new calls.
    #[must_use]
    pub fn is_connected(&self) -> bool {
        self.phase.is_connected()
    }

    /// Reports whether a message was ever taken out of the outbox, or stands in it.
    #[must_use]
    pub fn was_used(&self) -> bool {
        self.has_sent || !self.outbox.is_empty()
    }

    /// Reports whether one-way calls may have been lost with a connection.
    #[must_use]
    pub fn has_lost_one_way(&self) -> bool {
        self.one_way.lost
    }

    /// Returns the number of calls in flight, with those whose reply was not taken yet.
    #[must_use]
    pub fn calls(&self) -> usize {
        self.calls.len()
    }

    /// Returns the number of calls that have not ended.
    #[inline]
    #[must_use]
    pub fn open_calls(&self) -> usize {
        self.open
    }

    /// Returns the size in bytes of what waits to be sent.
    #[inline]
    #[must_use]
    pub fn waiting_bytes(&self) -> usize {
        self.outbox.len()
    }

    /// Reports whether records wait to be sent.
    #[inline]
    #[must_use]
    pub fn has_waiting(&self) -> bool {
        !self.outbox.is_empty()
    }

    /// Reports whether the connection has ended: it takes nothing more, and what it took has left and ended. Streams
    /// outlive the channel that they came from.
    #[must_use]
    pub fn is_done(&self) -> bool {
        self.phase.is_over() && self.outbox.is_empty() && self.open == 0
    }

    /// Returns how good a choice the connection is, the least being the best, or `None` if it takes no calls.
    #[must_use]
    pub fn rank(&self, now: Instant) -> Option<(HealthState, usize)> {
        self.phase.is_ready_by(now).then(|| (self.health.state(now), self.calls.len()))
    }

    /// Returns whether the server is worth calling.
    #[must_use]
    pub fn health(&self, now: Instant) -> HealthState {
        self.health.state(now)
    }

    /// Says that the connection was chosen for a call, which may be the one that brings an ejected server back.
    pub fn mark_chosen(&mut self, now: Instant) {
        self.health.begin_trial(now);
    }

    /// Returns what last kept the connection from coming up, if that is known.
    #[must_use]
    pub fn trouble(&self) -> Option<&str> {
        self.trouble.as_deref()
    }
}
