//! [`Outcome`]: what became of a call that failed.

use std::fmt;

/// What became of a call that failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[repr(u8)]
pub enum Outcome {
    /// No handler has seen the call: it never left this process, or the server rejected it unread. It is safe to send again.
    NotSent = 0,
    /// The call was sent, and how far it got is not known.
    MaybeExecuted = 1,
    /// A handler ran, and ended in this failure.
    Executed = 2,
}

impl Outcome {
    /// Returns the number on the wire.
    pub(crate) const fn number(self) -> u8 {
        self as u8
    }

    /// Returns the outcome with this number, or [`Outcome::MaybeExecuted`] for a number that this version does not know.
    pub(crate) const fn from_number(number: u8) -> Self {
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_unknown_outcome_is_the_careful_one() {
        for outcome in [Outcome::NotSent, Outcome::MaybeExecuted, Outcome::Executed] {
            assert_eq!(Outcome::from_number(outcome.number()), outcome);
        }
        assert_eq!(Outcome::from_number(9), Outcome::MaybeExecuted);
    }
}
