//! [`Failure`]: a failed call's status or declared error on its way to or from the wire, and [`Error`], which holds
//! either for users.

use std::fmt;

use bytes::Bytes;
use serde::Serialize;
use serde::de::DeserializeOwned;

use super::{Cause, Outcome, Status};
use crate::codec::{self, Decode, DecodeError, Encode, Form, Reader, ViaSerde, WriteForm, Writer};

/// How a call of a method with `throws` failed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Error<E> {
    /// The error that the method declares. Its handler ran.
    Declared(E),
    /// Any other failure.
    Status(Status),
}

impl<E> Error<E> {
    /// Returns what became of the call.
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

/// An `error` of a `.svc` file, which `throws` may name. Implemented by generated code.
pub trait DeclaredError: std::error::Error + Serialize + DeserializeOwned + Send + Sync + 'static {
    /// Writes the error.
    #[doc(hidden)]
    fn write(&self, out: &mut Writer) {
        <ViaSerde as WriteForm<Self>>::encode(self, out);
    }

    /// Reads an error.
    #[doc(hidden)]
    fn read(reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
        <ViaSerde as Form<Self>>::decode(reader)
    }
}

/// Errors of a `.svc` file are written and read like all types of one. An error of a user's own, which may stand in the
/// place of one, is not `Encode`, and so may implement the trait by hand.
impl<E> DeclaredError for E
where
    E: std::error::Error + Encode + Decode + Serialize + DeserializeOwned + Send + Sync + 'static,
{
    fn write(&self, out: &mut Writer) {
        self.encode(out);
    }

    fn read(reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
        Self::decode(reader)
    }
}

/// The form of a declared error.
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

/// How a call failed, on its way to or from the wire.
#[derive(Debug)]
pub enum Failure {
    /// A declared error.
    Declared {
        /// Its encoding.
        body: Bytes,
        /// Its text, for peers that can't decode it.
        message: String,
    },
    /// Any other failure.
    Status(Status),
}

/// The error of a generated method: [`Status`], or [`Error`] if it `throws`.
pub trait CallError: From<Status> + Send + 'static {
    /// Converts the error into what is sent.
    #[doc(hidden)]
    fn into_failure(self) -> Failure;
    /// Converts what was received into the error. The caller takes messages of up to `max_body` bytes.
    #[doc(hidden)]
    fn from_failure(failure: Failure, max_body: usize) -> Self;
}

impl CallError for Status {
    fn into_failure(self) -> Failure {
        Failure::Status(self)
    }

    fn from_failure(failure: Failure, _max_body: usize) -> Self {
        Self::of(failure)
    }
}

impl Status {
    /// Returns the status of a call of a method that declares no error.
    #[doc(hidden)] // For the runtime; the type is public in `zsvc`.
    #[must_use]
    pub fn of(failure: Failure) -> Self {
        match failure {
            Failure::Status(status) => status,
            Failure::Declared { message, .. } => {
                let what =
                    format!("the server answered with an error that this method does not declare: {message}");
                Self::unknown(what).caused_by(Cause::Protocol)
            }
        }
    }
}

impl<E: DeclaredError> CallError for Error<E> {
    fn into_failure(self) -> Failure {
        match self {
            Self::Status(status) => Failure::Status(status),
            Self::Declared(error) => match codec::encode_whole::<Declared, E>(&error) {
                Ok(body) => Failure::Declared { body, message: error.to_string() },
                Err(reason) => {
                    let what = format!("the declared error `{error}` can't be encoded: {reason}");
                    Failure::Status(Status::internal(what).caused_by(Cause::BadValue))
                }
            },
        }
    }

    fn from_failure(failure: Failure, max_body: usize) -> Self {
        let read = |body: Bytes| codec::decode::<Declared, E>(&body.into(), codec::max_decoded(max_body));
        match failure {
            Failure::Status(status) => Self::Status(status),
            Failure::Declared { body, message } => match read(body) {
                Ok(error) => Self::Declared(error),
                Err(reason) => {
                    let what = format!("the server's declared error `{message}` can't be read: {reason}");
                    Self::Status(Status::unknown(what).caused_by(Cause::BadValue))
                }
            },
        }
    }
}
