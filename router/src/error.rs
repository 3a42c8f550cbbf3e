//! [`RouterError`]: why a router could not start, or had to stop.

use std::fmt;
use std::net::SocketAddr;

use zsvc::ServeError;

/// Why a router could not start, or had to stop.
#[derive(Debug)]
#[non_exhaustive]
pub enum RouterError {
    /// [`Config::listen`](crate::Config::listen) was never called.
    NoEndpoint,
    /// An endpoint for callers can't be bound, or the listener has failed.
    Serve(ServeError),
    /// A worker can't be connected to, whatever happens: its endpoint can't be read, or keys are missing.
    Worker {
        /// The worker's name.
        name: String,
        /// What is wrong, and what to do.
        reason: String,
    },
    /// The endpoint for metrics can't be served.
    Metrics {
        /// Its address.
        address: SocketAddr,
        /// What is wrong.
        reason: String,
    },
    /// Workers can't be looked for where they are to be found.
    Discovery {
        /// What is wrong.
        reason: String,
    },
    /// Two workers have this name.
    SameName {
        /// The name.
        name: String,
    },
    /// Events are to be published by clients, or relayed, and [`Config::events`](crate::Config::events) has told of none of them.
    NoSuchEvent {
        /// What was named: `*`, `market.v1.*` or `market.v1.Price`.
        scope: String,
    },
    /// There are more workers, or more services, than a router takes.
    TooMany,
    /// The router has stopped.
    Stopped,
}

impl fmt::Display for RouterError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoEndpoint => f.write_str(
                "the router has no endpoint; call `listen`, for example with `tcp://127.0.0.1:7200`",
            ),
            Self::Serve(error) => error.fmt(f),
            Self::Worker { name, reason } => {
                write!(f, "the router can't connect to the worker `{name}`: {reason}")
            }
            Self::Metrics { address, reason } => {
                write!(f, "the router can't tell its metrics at `{address}`: {reason}")
            }
            Self::Discovery { reason } => write!(f, "workers can't be looked for: {reason}"),
            Self::SameName { name } => {
                write!(f, "two workers are called `{name}`; give each a name of its own")
            }
            Self::NoSuchEvent { scope } => write!(
                f,
                "the router knows no event of `{scope}`, which clients are to publish, or which is to be relayed; call `events` with its schema"
            ),
            Self::TooMany => f.write_str("there are more workers, or more services, than a router takes"),
            Self::Stopped => f.write_str("the router has stopped"),
        }
    }
}

impl std::error::Error for RouterError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Serve(error) => Some(error),
            _ => None,
        }
    }
}
