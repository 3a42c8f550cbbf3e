//! [`Retry`]: when a failed call is made again. Which failures may pass, how long to wait, and how many calls may be made again
//! at all. The loop that does it is in `call/unary.rs`.

use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use crate::fork::random;
use crate::status::{Cause, Code, Failure, Outcome, Status};

/// When calls that are answered once are made again after they have failed. See
/// [`ChannelBuilder::retry`](crate::ChannelBuilder::retry).
///
/// Two kinds of calls are made again: those that no handler has seen (the outcome is [`Outcome::NotSent`]), because the
/// connection was lost before they left, the server is going away, or it has too much to do; and calls of `@idempotent` methods
/// that failed with `unavailable` or `resource_exhausted`, whatever their outcome. A call whose time is up is never made again, nor
/// is one that would fail again, as what is too large: of the causes, only those that speak of connections and load are retried.
///
/// Retries stay inside the call's deadline, with random pauses that grow. A server's [`Status::retry_after`] is waited for, up to
/// a minute, or up to the longest pause if that is longer. If the pause would take longer than the call has time, the call fails
/// at once. A call that never reached a server, or that a server that is going away has turned away, goes on at once.
///
/// A call with 256 KiB or more of parameters is not made again once its connection was lost twice while it may have been running,
/// however many attempts are left: its size may be what costs each connection, with all calls on it. Its failure says so.
///
/// All calls of a channel share a budget, so that an outage is not made worse by calls that are made several times: past it,
/// calls fail as they are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[must_use = "it is to be given to a channel's builder"]
pub struct Retry {
    attempts: u32,
    first_pause: Duration,
    longest_pause: Duration,
    percent: u32,
    per_second: u32,
}

impl Default for Retry {
    /// 5 attempts, with pauses of up to 50 ms at first and up to 2 s in the end; retries of 20 % of the calls and of 10 a
    /// second besides.
    fn default() -> Self {
        Self {
            attempts: 5,
            first_pause: Duration::from_millis(50),
            longest_pause: Duration::from_secs(2),
            percent: 20,
            per_second: 10,
        }
    }
}

impl Retry {
    /// Returns a policy that makes every call once.
    pub fn none() -> Self {
        Self { attempts: 1, ..Self::default() }
    }

    /// Sets how often a call is made at most, the first time included.
    pub fn attempts(self, attempts: u32) -> Self {
        Self { attempts: attempts.max(1), ..self }
    }

    /// Sets how long to wait at most after the first failure, and after many. The bound doubles in between; the time is random
    /// between zero and the bound.
    pub fn pauses(self, first: Duration, longest: Duration) -> Self {
        Self { first_pause: first, longest_pause: longest.max(first), ..self }
    }

    /// Sets the budget: `percent` retries for a hundred calls of the last ten seconds, and `per_second` a second besides.
    pub fn budget(self, percent: u32, per_second: u32) -> Self {
        Self { percent, per_second, ..self }
    }

    /// Reports whether there is any retry at all.
    pub(crate) fn is_on(&self) -> bool {
        self.attempts > 1
    }

    /// Reports whether a call that was made `attempts` times may be made again.
    pub(crate) fn allows_more_than(&self, attempts: u32) -> bool {
        attempts < self.attempts
    }

    /// Returns how long to wait after a number of failures: a random time up to a bound that doubles, and no less than the server
    /// asked for; `None` if it asked for more than a call may wait.
    pub(crate) fn pause(&self, failures: u32, hint: Option<Duration>) -> Option<Duration> {
        let hint = hint.unwrap_or_default();
        if hint > self.longest_pause.max(MAX_HINT) {
            return None;
        }
        let factor = 1_u32.checked_shl(failures.saturating_sub(1)).unwrap_or(u32::MAX);
        let bound = self.first_pause.saturating_mul(factor).min(self.longest_pause);
        Some(hint.saturating_add(bound.mul_f64(share())))
    }
}

/// The longest time that a server may ask for, unless the longest pause is longer. Past it the call fails: without a deadline, it
/// would wait for as long as any server says.
const MAX_HINT: Duration = Duration::from_secs(60);

/// Returns a random number from 0 up to 1.
fn share() -> f64 {
    f64::from(u32::try_from(random() >> 32).unwrap_or(0)) / 2_f64.powi(32)
}

/// What is to be done about a call that has failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// The call has failed for good.
    Final,
    /// No server had work with it: it may go on at once.
    AtOnce,
    /// The call may succeed later.
    Later,
}

/// Returns whether a failure may pass.
pub(crate) fn classify(failure: &Failure, idempotent: bool) -> Verdict {
    let Failure::Status(status) = failure else { return Verdict::Final };
    let not_sent = status.outcome() == Outcome::NotSent;
    match (status.code(), status.cause()) {
        (Code::Unavailable, Some(Cause::Closed)) => Verdict::Final,
        (Code::Unavailable, Some(Cause::GoingAway | Cause::ConnectionLost)) if not_sent => Verdict::AtOnce,
        (Code::Unavailable, _) if not_sent || idempotent => Verdict::Later,
        // Of the other causes, what is too large above all, nothing gets better with time.
        (Code::ResourceExhausted, cause) if is_overload(status, cause) && (not_sent || idempotent) => {
            Verdict::Later
        }
        _ => Verdict::Final,
    }
}

/// Reports whether a failure speaks of load. The runtime's other bounds are about the call itself; a handler's status is taken at
/// its word.
fn is_overload(status: &Status, cause: Option<Cause>) -> bool {
    cause == Some(Cause::Overloaded)
        || status.retry_after().is_some()
        || status.outcome() == Outcome::Executed && cause.is_none()
}

/// How many calls may be made again. It is looked at, and counted, only when one has failed.
#[derive(Debug)]
pub(crate) struct Budget {
    percent: f64,
    per_second: f64,
    state: Mutex<Balance>,
}

#[derive(Debug)]
struct Balance {
    retries: f64,
    /// When `retries` was computed.
    at: Instant,
    /// Number of calls of the channel by then.
    calls: u64,
}

/// Retries that were earned longer ago than this are gone.
const WINDOW: Duration = Duration::from_secs(10);

impl Budget {
    pub(crate) fn new(retry: &Retry) -> Self {
        let (percent, per_second) = (f64::from(retry.percent), f64::from(retry.per_second));
        let retries = per_second * WINDOW.as_secs_f64();
        Self { percent, per_second, state: Mutex::new(Balance { retries, at: Instant::now(), calls: 0 }) }
    }

    /// Takes one retry out, if there is one, when the channel has made `calls` calls.
    pub(crate) fn take(&self, now: Instant, calls: u64) -> bool {
        // Nothing in here panics; numbers are whole in any case.
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let window = WINDOW.as_secs_f64();
        let elapsed = now.saturating_duration_since(state.at).as_secs_f64();
        // Only the last part of a long time counts.
        let part = if elapsed > window { window / elapsed } else { 1.0 };
        #[expect(clippy::cast_precision_loss, reason = "a difference of counts, of which a share is taken")]
        let new_calls = calls.saturating_sub(state.calls) as f64;
        let earned = self.per_second * elapsed * part + self.percent / 100.0 * new_calls * part;
        state.retries = state.retries * (1.0 - elapsed / window).max(0.0) + earned;
        (state.at, state.calls) = (now, calls);
        // Shares do not add up to the last bit.
        let enough = state.retries >= 1.0 - 1e-6;
        if enough {
            state.retries -= 1.0;
        }
        enough
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lost() -> Status {
        Status::unavailable("lost").caused_by(Cause::ConnectionLost)
    }

    #[test]
    fn only_what_may_pass_is_tried_again() {
        let verdict = |status: Status, idempotent| classify(&Failure::Status(status), idempotent);
        assert_eq!(verdict(lost().not_sent(), false), Verdict::AtOnce);
        assert_eq!(verdict(lost().maybe_executed(), false), Verdict::Final);
        assert_eq!(verdict(lost().maybe_executed(), true), Verdict::Later);
        let busy = Status::resource_exhausted("busy").caused_by(Cause::Overloaded);
        assert_eq!(verdict(busy.not_sent(), false), Verdict::Later);
        assert_eq!(verdict(Status::resource_exhausted("too large").not_sent(), true), Verdict::Final);
        assert_eq!(verdict(Status::resource_exhausted("by its handler"), true), Verdict::Later);
        assert_eq!(verdict(Status::deadline_exceeded("late").not_sent(), true), Verdict::Final);
        assert_eq!(
            verdict(Status::unavailable("closed").caused_by(Cause::Closed).not_sent(), true),
            Verdict::Final
        );
        assert_eq!(verdict(Status::internal("broken"), true), Verdict::Final);
    }

    /// Every status that the runtime makes, as its code, outcome and cause; then what is done about it if its method is not
    /// idempotent, and if it is. A new one belongs here, too.
    #[test]
    fn what_the_runtime_fails_is_tried_again_only_where_that_may_help() {
        use Code::{Aborted, Cancelled, DeadlineExceeded, FailedPrecondition, Internal, InvalidArgument};
        use Code::{
            PermissionDenied, ResourceExhausted, Unauthenticated, Unavailable, Unimplemented, Unknown,
        };
        use Outcome::{Executed, MaybeExecuted, NotSent};
        use Verdict::{AtOnce, Final, Later};
        let table = [
            // No server, or none that takes calls.
            (Unavailable, NotSent, Some(Cause::NeverConnected), Later, Later),
            (Unavailable, NotSent, Some(Cause::ConnectionLost), AtOnce, AtOnce),
            (Unavailable, MaybeExecuted, Some(Cause::ConnectionLost), Final, Later),
            (Unavailable, NotSent, Some(Cause::ServerSilent), Later, Later),
            (Unavailable, MaybeExecuted, Some(Cause::ServerSilent), Final, Later),
            (Unavailable, NotSent, Some(Cause::GoingAway), AtOnce, AtOnce),
            (Unavailable, MaybeExecuted, Some(Cause::GoingAway), Final, Later),
            (Unavailable, MaybeExecuted, Some(Cause::ClientLost), Final, Later),
            (Unavailable, NotSent, None, Later, Later),
            (Unavailable, NotSent, Some(Cause::Closed), Final, Final),
            (Unavailable, MaybeExecuted, Some(Cause::Closed), Final, Final),
            // Load.
            (ResourceExhausted, NotSent, Some(Cause::Overloaded), Later, Later),
            (ResourceExhausted, Executed, Some(Cause::Overloaded), Final, Later),
            (ResourceExhausted, MaybeExecuted, Some(Cause::ClientLost), Final, Final),
            // Sizes: of parameters and metadata, of an answer and a declared error, of an item.
            (ResourceExhausted, NotSent, Some(Cause::TooLarge), Final, Final),
            (ResourceExhausted, Executed, Some(Cause::TooLarge), Final, Final),
            (ResourceExhausted, MaybeExecuted, Some(Cause::TooLarge), Final, Final),
            // Values that can't be written or read, or that break a bound; nesting.
            (InvalidArgument, NotSent, Some(Cause::BadValue), Final, Final),
            (ResourceExhausted, NotSent, Some(Cause::BadValue), Final, Final),
            (Internal, Executed, Some(Cause::BadValue), Final, Final),
            (Unknown, Executed, Some(Cause::BadValue), Final, Final),
            // Methods, and the protocol.
            (Unimplemented, NotSent, Some(Cause::NoSuchMethod), Final, Final),
            (InvalidArgument, NotSent, Some(Cause::NoSuchMethod), Final, Final),
            (Unauthenticated, NotSent, Some(Cause::Forbidden), Final, Final),
            (PermissionDenied, NotSent, Some(Cause::Forbidden), Final, Final),
            (InvalidArgument, NotSent, Some(Cause::Protocol), Final, Final),
            (InvalidArgument, MaybeExecuted, Some(Cause::Protocol), Final, Final),
            (ResourceExhausted, MaybeExecuted, Some(Cause::Protocol), Final, Final),
            (Unimplemented, MaybeExecuted, Some(Cause::Protocol), Final, Final),
            (Unknown, MaybeExecuted, Some(Cause::Protocol), Final, Final),
            (Unknown, Executed, Some(Cause::Protocol), Final, Final),
            // Time, and ends that were asked for.
            (DeadlineExceeded, NotSent, Some(Cause::Deadline), Final, Final),
            (DeadlineExceeded, MaybeExecuted, Some(Cause::Deadline), Final, Final),
            (Cancelled, MaybeExecuted, None, Final, Final),
            (Aborted, NotSent, Some(Cause::Overlap), Final, Final),
            (Cancelled, MaybeExecuted, Some(Cause::Overlap), Final, Final),
            (Internal, MaybeExecuted, Some(Cause::Panicked), Final, Final),
            (FailedPrecondition, NotSent, None, Final, Final),
            // A handler's own, at its word.
            (Unavailable, Executed, None, Final, Later),
            (ResourceExhausted, Executed, None, Final, Later),
        ];
        for (code, outcome, cause, once, idempotent) in table {
            let status = Status::new(code, "").with_outcome(outcome);
            let status = cause.into_iter().fold(status, Status::caused_by);
            let verdict = |idempotent| classify(&Failure::Status(status.clone()), idempotent);
            assert_eq!((verdict(false), verdict(true)), (once, idempotent), "{status:?}");
        }
    }

    #[test]
    fn pauses_grow_and_keep_to_what_a_server_asks_for() {
        let retry = Retry::default().pauses(Duration::from_millis(10), Duration::from_millis(40));
        for (failures, max) in [(1, 10), (2, 20), (3, 40), (4, 40), (99, 40)] {
            let pause = retry.pause(failures, None);
            assert!(pause <= Some(Duration::from_millis(max)), "{pause:?} after {failures}");
            assert!(retry.pause(failures, Some(Duration::from_secs(1))) >= Some(Duration::from_secs(1)));
            assert_eq!(retry.pause(failures, Some(MAX_HINT * 2)), None);
        }
        let patient = retry.pauses(Duration::ZERO, MAX_HINT * 2);
        assert_eq!(patient.pause(1, Some(MAX_HINT * 2)), Some(MAX_HINT * 2));
        let first = retry.pause(9, None);
        assert!((0..100).any(|_| retry.pause(9, None) != first), "they are random");
    }

    #[test]
    fn the_budget_is_a_share_of_the_calls_and_a_few_a_second() {
        let budget = Budget::new(&Retry::default().budget(20, 1));
        let mut now = Instant::now();
        let all = |now, calls| (0..1_000).take_while(|_| budget.take(now, calls)).count();
        assert_eq!(all(now, 0), 10, "at first, as if nothing had happened for long");
        assert_eq!(all(now, 100), 20);
        now += Duration::from_secs(3);
        assert_eq!(all(now, 100), 3);
        now += Duration::from_secs(3_600);
        assert_eq!(all(now, 100), 10, "it does not gather for ever");
        now += 2 * WINDOW;
        assert_eq!(all(now, 200), 20, "half of the calls are too long ago");
    }
}
