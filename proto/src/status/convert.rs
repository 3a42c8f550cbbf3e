//! What `?` makes of errors of the standard library in a handler: a status that is safe to tell a peer.
//!
//! The text of such an error is for the server's own log: it may have paths, addresses, or what a user has entered. So the
//! status says of what kind the error was, and no more. Its code never blames the caller: a file that is missing is no
//! `not_found`, and one that the server may not read is no `permission_denied`, since the caller has named no file. A handler
//! that means such a code says so itself.

use std::error::Error as StdError;
use std::io::{self, ErrorKind};

use super::{Code, Error, Status};

/// An error that was made from a [`Status`] becomes that status again, as an answer of this handler. Otherwise the code is
/// [`Code::Unavailable`] if a connection of the server's could not be made or was lost, or took too long;
/// [`Code::ResourceExhausted`] if there is no memory or no room in a file; and [`Code::Internal`] in all other cases. The message has
/// the [kind](ErrorKind) of the error and none of its text.
impl From<io::Error> for Status {
    fn from(error: io::Error) -> Self {
        let kind = error.kind();
        match error.downcast::<Self>() {
            Ok(status) => status.of_handler(),
            Err(_) => Self::new(code_of(kind), format!("the handler met an I/O error: {kind}")),
        }
    }
}

/// See `From<io::Error> for Status`.
impl<E> From<io::Error> for Error<E> {
    fn from(error: io::Error) -> Self {
        Self::Status(error.into())
    }
}

/// A [`Status`] or an [`io::Error`] in the box is taken out of it. Any other error is [`Code::Internal`], with none of its text.
impl From<Box<dyn StdError + Send + Sync>> for Status {
    fn from(error: Box<dyn StdError + Send + Sync>) -> Self {
        let error = match error.downcast::<Self>() {
            Ok(status) => return status.of_handler(),
            Err(error) => error,
        };
        match error.downcast::<io::Error>() {
            Ok(error) => (*error).into(),
            Err(_) => Self::internal("the handler met an error, which is for the server's own log"),
        }
    }
}

/// See `From<Box<dyn Error + Send + Sync>> for Status`.
impl<E> From<Box<dyn StdError + Send + Sync>> for Error<E> {
    fn from(error: Box<dyn StdError + Send + Sync>) -> Self {
        Self::Status(error.into())
    }
}

fn code_of(kind: ErrorKind) -> Code {
    match kind {
        ErrorKind::ConnectionRefused
        | ErrorKind::ConnectionReset
        | ErrorKind::ConnectionAborted
        | ErrorKind::NotConnected
        | ErrorKind::BrokenPipe
        | ErrorKind::HostUnreachable
        | ErrorKind::NetworkUnreachable
        | ErrorKind::NetworkDown
        | ErrorKind::AddrNotAvailable
        // Of the server's own affairs: the deadline of the call may be far off.
        | ErrorKind::TimedOut => Code::Unavailable,
        ErrorKind::OutOfMemory | ErrorKind::StorageFull | ErrorKind::QuotaExceeded => Code::ResourceExhausted,
        _ => Code::Internal,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::status::{Cause, Outcome};

    #[test]
    fn the_code_follows_the_kind_and_the_text_stays_here() {
        for (kind, code) in [
            (ErrorKind::ConnectionRefused, Code::Unavailable),
            (ErrorKind::TimedOut, Code::Unavailable),
            (ErrorKind::StorageFull, Code::ResourceExhausted),
            (ErrorKind::NotFound, Code::Internal),
            (ErrorKind::PermissionDenied, Code::Internal),
            (ErrorKind::InvalidInput, Code::Internal),
        ] {
            let status = Status::from(io::Error::new(kind, "/etc/secret of 10.0.0.7"));
            assert_eq!((status.code(), status.outcome(), status.cause()), (code, Outcome::Executed, None));
            assert!(!status.message().contains("secret") && status.message().contains(&kind.to_string()));
        }
        let boxed: Box<dyn StdError + Send + Sync> = "secret".into();
        let Error::Status(status) = Error::<()>::from(boxed) else { panic!("a status") };
        assert_eq!(status.code(), Code::Internal);
        assert!(!status.message().contains("secret"));
    }

    #[test]
    fn a_status_inside_comes_out_as_the_handler_s_own() {
        let inner = || Status::not_found("no such symbol").caused_by(Cause::TooLarge).not_sent();
        let expected = Status::not_found("no such symbol");
        assert_eq!(Status::from(io::Error::other(inner())), expected);
        let boxed: Box<dyn StdError + Send + Sync> = Box::new(io::Error::other(inner()));
        assert_eq!(Status::from(boxed), expected);
        let boxed: Box<dyn StdError + Send + Sync> = Box::new(inner());
        let Error::Status(status) = Error::<()>::from(boxed) else { panic!("a status") };
        assert_eq!(status, expected);
    }
}
