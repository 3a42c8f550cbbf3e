//! How a call fails: status codes, what became of the call, and declared errors.
//!
//! A failed call ends in a [`Status`] or, if its method `throws`, in a declared error; [`Error`] holds either. How they
//! travel is in [`crate::wire`]. Users of `zsvc` see these types; methods that only the runtime needs are hidden from
//! their documentation.

mod cause;
mod code;
mod convert;
mod detail;
mod failure;
mod outcome;

pub use cause::Cause;
pub use code::Code;
pub use detail::Detail;
pub use failure::{CallError, DeclaredError, Error, Failure};
pub use outcome::Outcome;

use std::fmt;
use std::num::NonZeroU32;
use std::time::Duration;

use crate::metadata::Metadata;

/// How a call failed, other than by an error that its method declares.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Status {
    code: Code,
    outcome: Outcome,
    cause: Option<Cause>,
    /// Time to wait in milliseconds. Kept small, because a status is in every result.
    retry_after: Option<NonZeroU32>,
    // A `String` would have the capacity besides.
    message: Box<str>,
    details: Option<Box<Metadata>>,
}

macro_rules! constructors {
    ($($name:ident => $code:ident),* $(,)?) => {
        $(
            #[doc = concat!("Creates a status of [`Code::", stringify!($code), "`], as a handler returns it.")]
            #[must_use]
            pub fn $name(message: impl Into<String>) -> Self {
                Self::new(Code::$code, message)
            }
        )*
    };
}

impl Status {
    /// Creates a status as a handler returns it: its outcome is [`Outcome::Executed`].
    #[must_use]
    pub fn new(code: Code, message: impl Into<String>) -> Self {
        Self {
            code,
            outcome: Outcome::Executed,
            cause: None,
            retry_after: None,
            message: message.into().into(),
            details: None,
        }
    }

    constructors! {
        cancelled => Cancelled,
        unknown => Unknown,
        invalid_argument => InvalidArgument,
        deadline_exceeded => DeadlineExceeded,
        not_found => NotFound,
        already_exists => AlreadyExists,
        permission_denied => PermissionDenied,
        resource_exhausted => ResourceExhausted,
        failed_precondition => FailedPrecondition,
        aborted => Aborted,
        out_of_range => OutOfRange,
        unimplemented => Unimplemented,
        internal => Internal,
        unavailable => Unavailable,
        data_loss => DataLoss,
        unauthenticated => Unauthenticated,
    }

    /// Returns the status with another outcome.
    #[must_use]
    pub fn with_outcome(self, outcome: Outcome) -> Self {
        Self { outcome, ..self }
    }

    /// Returns the status with a hint to wait at least that long before the next call, in whole milliseconds, rounded
    /// up. Zero is no hint.
    #[must_use]
    pub fn with_retry_after(self, wait: Duration) -> Self {
        let millis = u32::try_from(wait.as_micros().div_ceil(1_000)).unwrap_or(u32::MAX);
        Self { retry_after: NonZeroU32::new(millis), ..self }
    }

    /// Returns the status with the part of the runtime that failed the call.
    #[doc(hidden)] // For the runtime; the type is public in `zsvc`.
    #[must_use]
    pub fn caused_by(self, cause: Cause) -> Self {
        Self { cause: Some(cause), ..self }
    }

    /// Returns the status as a handler's own: a handler has run, and the cause is dropped. The status may be that of a
    /// call which the handler made to another server, and then its cause is not of this runtime.
    #[doc(hidden)] // For the runtime; the type is public in `zsvc`.
    #[must_use]
    pub fn of_handler(self) -> Self {
        Self { outcome: Outcome::Executed, cause: None, ..self }
    }

    /// Sets the outcome.
    #[doc(hidden)] // For the runtime; the type is public in `zsvc`.
    pub fn set_outcome(&mut self, outcome: Outcome) {
        self.outcome = outcome;
    }

    /// Returns the status as one of a call that no handler has seen.
    #[doc(hidden)] // For the runtime; the type is public in `zsvc`.
    #[must_use]
    pub fn not_sent(self) -> Self {
        self.with_outcome(Outcome::NotSent)
    }

    /// Returns the status as one of a call that was sent.
    #[doc(hidden)] // For the runtime; the type is public in `zsvc`.
    #[must_use]
    pub fn maybe_executed(self) -> Self {
        self.with_outcome(Outcome::MaybeExecuted)
    }

    /// Returns why the call failed.
    #[must_use]
    pub fn code(&self) -> Code {
        self.code
    }

    /// Returns what became of the call.
    #[must_use]
    pub fn outcome(&self) -> Outcome {
        self.outcome
    }

    /// Returns which part of the runtime failed the call, or `None` if a handler did.
    #[must_use]
    pub fn cause(&self) -> Option<Cause> {
        self.cause
    }

    /// Reports whether a status with [`Code::Unavailable`] is about something behind the server, and says nothing bad of the server itself: a
    /// router has lost a worker, or has none, or a server has just begun. Another endpoint would do no better.
    #[must_use]
    pub fn speaks_of_others(&self) -> bool {
        let is_refusal = self.outcome() == Outcome::NotSent && self.retry_after().is_some();
        self.cause() == Some(Cause::ServerRestarted) || is_refusal
    }

    /// Returns how long to wait before calling again, if the server has said so.
    #[must_use]
    pub fn retry_after(&self) -> Option<Duration> {
        self.retry_after.map(|millis| Duration::from_millis(millis.get().into()))
    }

    /// Returns the message, which is for people.
    #[must_use]
    pub fn message(&self) -> &str {
        &self.message
    }
}

impl fmt::Display for Status {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {} ({})", self.code, self.message, self.outcome)
    }
}

impl std::error::Error for Status {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_hint_is_in_whole_milliseconds_and_never_too_short() {
        let hint = |wait| Status::unavailable("x").with_retry_after(wait).retry_after();
        assert_eq!(hint(Duration::ZERO), None);
        assert_eq!(hint(Duration::from_micros(1_001)), Some(Duration::from_millis(2)));
        assert_eq!(hint(Duration::MAX), Some(Duration::from_millis(u32::MAX.into())));
        assert_eq!(size_of::<Status>(), 32, "it is in every result");
    }
}
