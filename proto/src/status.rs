//! How a call fails: status codes, what became of the call, and declared errors.
//!
//! A failed call ends in a [`Status`] or, where its method `throws`, in a declared error; [`Error`] holds either.
//! How they travel is in [`crate::wire`].

mod cause;

pub use cause::Cause;

use std::fmt;
use std::num::NonZeroU32;
use std::time::Duration;

use bytes::Bytes;
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::codec::{self, DecodeError, Form, Reader, ViaSerde, WriteForm, Writer};

/// Why a call failed: the canonical codes of gRPC, with their numbers.
///
/// Source: <https://grpc.io/docs/guides/status-codes/>.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[non_exhaustive]
#[repr(u8)]
pub enum Code {
    /// The caller gave up.
    Cancelled = 1,
    /// The server said something that this side does not know.
    Unknown = 2,
    /// The caller sent what can never be right; the message says which field.
    InvalidArgument = 3,
    /// Time ran out before the answer came.
    DeadlineExceeded = 4,
    /// What was asked for does not exist.
    NotFound = 5,
    /// What was to be made exists already.
    AlreadyExists = 6,
    /// The caller is known but may not do this.
    PermissionDenied = 7,
    /// A bound was reached: calls in flight, a message's size, a quota.
    ResourceExhausted = 8,
    /// The system is not in a state that allows this.
    FailedPrecondition = 9,
    /// A conflict with somebody else's work; starting over may help.
    Aborted = 10,
    /// Past the end of what exists.
    OutOfRange = 11,
    /// The server has no such method.
    Unimplemented = 12,
    /// Something broke that should not: a handler panicked, an answer could not be read.
    Internal = 13,
    /// The server can't be reached, or is about to go away. Trying again later may help.
    Unavailable = 14,
    /// Data is lost for good.
    DataLoss = 15,
    /// The caller is not known.
    Unauthenticated = 16,
}

impl Code {
    const ALL: [Self; 16] = [
        Self::Cancelled,
        Self::Unknown,
        Self::InvalidArgument,
        Self::DeadlineExceeded,
        Self::NotFound,
        Self::AlreadyExists,
        Self::PermissionDenied,
        Self::ResourceExhausted,
        Self::FailedPrecondition,
        Self::Aborted,
        Self::OutOfRange,
        Self::Unimplemented,
        Self::Internal,
        Self::Unavailable,
        Self::DataLoss,
        Self::Unauthenticated,
    ];

    /// Its number on the wire, 1 to 16.
    #[must_use]
    pub const fn number(self) -> u8 {
        self as u8
    }

    /// The code with this number; a number that this version does not know is [`Code::Unknown`].
    #[must_use]
    pub fn from_number(number: u8) -> Self {
        let index = usize::from(number).wrapping_sub(1);
        Self::ALL.get(index).copied().unwrap_or(Self::Unknown)
    }

    /// Its name in `snake_case`, as the documents write it.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Cancelled => "cancelled",
            Self::Unknown => "unknown",
            Self::InvalidArgument => "invalid_argument",
            Self::DeadlineExceeded => "deadline_exceeded",
            Self::NotFound => "not_found",
            Self::AlreadyExists => "already_exists",
            Self::PermissionDenied => "permission_denied",
            Self::ResourceExhausted => "resource_exhausted",
            Self::FailedPrecondition => "failed_precondition",
            Self::Aborted => "aborted",
            Self::OutOfRange => "out_of_range",
            Self::Unimplemented => "unimplemented",
            Self::Internal => "internal",
            Self::Unavailable => "unavailable",
            Self::DataLoss => "data_loss",
            Self::Unauthenticated => "unauthenticated",
        }
    }
}

impl fmt::Display for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// What became of a call that failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[repr(u8)]
pub enum Outcome {
    /// No handler has seen it: it never left this process, or the server turned it away unread. It is safe to send
    /// again.
    NotSent = 0,
    /// It left, and nobody knows how far it got.
    MaybeExecuted = 1,
    /// A handler ran, and this is what it ended in.
    Executed = 2,
}

impl Outcome {
    /// Its number on the wire.
    pub const fn number(self) -> u8 {
        self as u8
    }

    /// The outcome with this number; one that this version does not know is the careful one.
    pub const fn from_number(number: u8) -> Self {
        match number {
            0 => Self::NotSent,
            2 => Self::Executed,
            _ => Self::MaybeExecuted,
        }
    }
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::NotSent => "not sent",
            Self::MaybeExecuted => "maybe executed",
            Self::Executed => "executed",
        })
    }
}

/// How a call failed when it was not by an error that its method declares.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Status {
    code: Code,
    outcome: Outcome,
    cause: Option<Cause>,
    /// In milliseconds: a status stands in every result, so it is small.
    retry_after: Option<NonZeroU32>,
    message: String,
}

macro_rules! constructors {
    ($($name:ident => $code:ident),* $(,)?) => {
        $(
            #[doc = concat!("A status of [`Code::", stringify!($code), "`], as a handler answers with.")]
            #[must_use]
            pub fn $name(message: impl Into<String>) -> Self {
                Self::new(Code::$code, message)
            }
        )*
    };
}

impl Status {
    /// A status as a handler answers with: its outcome is [`Outcome::Executed`].
    #[must_use]
    pub fn new(code: Code, message: impl Into<String>) -> Self {
        Self { code, outcome: Outcome::Executed, cause: None, retry_after: None, message: message.into() }
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

    /// The same with another outcome.
    #[must_use]
    pub fn with_outcome(self, outcome: Outcome) -> Self {
        Self { outcome, ..self }
    }

    /// The same with a hint to call again no sooner than that, in whole milliseconds, rounded up. Zero is none.
    #[must_use]
    pub fn with_retry_after(self, wait: Duration) -> Self {
        let millis = u32::try_from(wait.as_micros().div_ceil(1_000)).unwrap_or(u32::MAX);
        Self { retry_after: NonZeroU32::new(millis), ..self }
    }

    /// Shorthand for what the runtime says: which part of it failed the call.
    pub fn caused_by(self, cause: Cause) -> Self {
        Self { cause: Some(cause), ..self }
    }

    /// As a handler's own words: a handler has run, and what failed for the handler has not failed the runtime here. A
    /// status may have come from another server, of whose call it speaks.
    pub fn of_handler(self) -> Self {
        Self { outcome: Outcome::Executed, cause: None, ..self }
    }

    pub fn set_outcome(&mut self, outcome: Outcome) {
        self.outcome = outcome;
    }

    /// Shorthand for the runtime's own refusals: no handler has seen the call.
    pub fn not_sent(self) -> Self {
        self.with_outcome(Outcome::NotSent)
    }

    /// Shorthand for what the runtime says of calls that have left.
    pub fn maybe_executed(self) -> Self {
        self.with_outcome(Outcome::MaybeExecuted)
    }

    /// Why.
    #[must_use]
    pub fn code(&self) -> Code {
        self.code
    }

    /// Whether the call ran.
    #[must_use]
    pub fn outcome(&self) -> Outcome {
        self.outcome
    }

    /// Which part of the runtime failed the call; `None` where a handler did.
    #[must_use]
    pub fn cause(&self) -> Option<Cause> {
        self.cause
    }

    /// How long to wait before calling again, if the server has said so.
    #[must_use]
    pub fn retry_after(&self) -> Option<Duration> {
        self.retry_after.map(|millis| Duration::from_millis(millis.get().into()))
    }

    /// In words, for people.
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

/// How a call of a method with `throws` failed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Error<E> {
    /// With the error that the method declares. Its handler ran.
    Declared(E),
    /// Any other way.
    Status(Status),
}

impl<E> Error<E> {
    /// What became of the call.
    #[must_use]
    pub fn outcome(&self) -> Outcome {
        match self {
            Self::Declared(_) => Outcome::Executed,
            Self::Status(status) => status.outcome(),
        }
    }
}

impl<E: DeclaredError> From<E> for Error<E> {
    fn from(error: E) -> Self {
        Self::Declared(error)
    }
}

impl<E> From<Status> for Error<E> {
    fn from(status: Status) -> Self {
        Self::Status(status)
    }
}

impl<E: fmt::Display> fmt::Display for Error<E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Declared(error) => error.fmt(f),
            Self::Status(status) => status.fmt(f),
        }
    }
}

impl<E: std::error::Error + 'static> std::error::Error for Error<E> {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Declared(error) => Some(error),
            Self::Status(status) => Some(status),
        }
    }
}

/// An `error` of a `.svc` file, which `throws` may name. Generated code implements it.
pub trait DeclaredError: std::error::Error + Serialize + DeserializeOwned + Send + Sync + 'static {
    /// Writes it.
    #[doc(hidden)]
    fn write(&self, out: &mut Writer) {
        <ViaSerde as WriteForm<Self>>::encode(self, out);
    }

    /// Reads it.
    #[doc(hidden)]
    fn read(reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
        <ViaSerde as Form<Self>>::decode(reader)
    }
}

/// How a declared error is written and read.
enum Declared {}

impl<E: DeclaredError> WriteForm<E> for Declared {
    fn encode(value: &E, out: &mut Writer) {
        value.write(out);
    }
}

impl<E: DeclaredError> Form<E> for Declared {
    fn decode(reader: &mut Reader<'_>) -> Result<E, DecodeError> {
        E::read(reader)
    }
}

/// How a call ended when it did not succeed, on its way to or from the wire.
#[derive(Debug)]
pub enum Failure {
    /// A declared error: its encoding, and its text for peers that can't decode it.
    Declared { body: Bytes, message: String },
    /// Anything else.
    Status(Status),
}

/// What a generated method may fail with: [`Status`], or [`Error`] where it `throws`.
pub trait CallError: From<Status> + Send + 'static {
    /// What to put on the wire.
    #[doc(hidden)]
    fn into_failure(self) -> Failure;
    /// What came off the wire.
    #[doc(hidden)]
    fn from_failure(failure: Failure) -> Self;
}

impl CallError for Status {
    fn into_failure(self) -> Failure {
        Failure::Status(self)
    }

    fn from_failure(failure: Failure) -> Self {
        match failure {
            Failure::Status(status) => status,
            Failure::Declared { message, .. } => Self::unknown(format!(
                "the server answered with an error that this method does not declare: {message}"
            )),
        }
    }
}

impl<E: DeclaredError> CallError for Error<E> {
    fn into_failure(self) -> Failure {
        match self {
            Self::Status(status) => Failure::Status(status),
            Self::Declared(error) => match codec::encode_whole::<Declared, E>(&error) {
                Ok(body) => Failure::Declared { body, message: error.to_string() },
                Err(reason) => Failure::Status(Status::internal(format!(
                    "the declared error `{error}` can't be encoded: {reason}"
                ))),
            },
        }
    }

    fn from_failure(failure: Failure) -> Self {
        match failure {
            Failure::Status(status) => Self::Status(status),
            Failure::Declared { body, message } => match codec::decode::<Declared, E>(&body.into()) {
                Ok(error) => Self::Declared(error),
                Err(reason) => Self::Status(Status::unknown(format!(
                    "the server's declared error `{message}` can't be read: {reason}"
                ))),
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_keep_their_numbers() {
        for (index, code) in Code::ALL.into_iter().enumerate() {
            assert_eq!(usize::from(code.number()), index + 1);
            assert_eq!(Code::from_number(code.number()), code);
        }
        assert_eq!(Code::from_number(0), Code::Unknown);
        assert_eq!(Code::from_number(17), Code::Unknown);
    }

    #[test]
    fn a_hint_is_in_whole_milliseconds_and_never_too_short() {
        let hint = |wait| Status::unavailable("x").with_retry_after(wait).retry_after();
        assert_eq!(hint(Duration::ZERO), None);
        assert_eq!(hint(Duration::from_micros(1_001)), Some(Duration::from_millis(2)));
        assert_eq!(hint(Duration::MAX), Some(Duration::from_millis(u32::MAX.into())));
        assert_eq!(size_of::<Status>(), 32, "it stands in every result");
    }

    #[test]
    fn an_unknown_outcome_is_the_careful_one() {
        for outcome in [Outcome::NotSent, Outcome::MaybeExecuted, Outcome::Executed] {
            assert_eq!(Outcome::from_number(outcome.number()), outcome);
        }
        assert_eq!(Outcome::from_number(9), Outcome::MaybeExecuted);
    }
}
