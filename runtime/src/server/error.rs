//! [`ServeError`]: why a server could not start, or had to stop.

use std::fmt;
use std::net::IpAddr;

/// Why a server could not start, or had to stop.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum ServeError {
    /// [`ServerBuilder::bind`](crate::ServerBuilder::bind) was never called.
    NoEndpoint,
    /// There is no tokio runtime in which to listen.
    NoRuntime,
    /// An endpoint can't be bound.
    Bind {
        /// The endpoint.
        endpoint: String,
        /// What the [engine](crate::Engine) or the system says.
        reason: String,
    },
    /// Two of the services have a method of this name.
    DuplicateMethod {
        /// `package.Service/method`
        method: &'static str,
    },
    /// A method has `@roles`, and the server has no way to know who its clients are: every call of the method would be refused.
    UnknownClients {
        /// `package.Service/method`
        method: &'static str,
    },
    /// Methods have `@roles`, and none of the clients that the server lets in has one of them: every call of these methods would be refused.
    NoClientWithRole {
        /// The first of them, as `package.Service/method`.
        method: &'static str,
    },
    /// The [engine](crate::Engine) that was chosen, by the program or by its environment, can't be used.
    Engine {
        /// Why, and what to do.
        reason: String,
    },
    /// The server has [keys](crate::ServerBuilder::curve) that can't be used.
    Curve {
        /// Why, and what to do.
        reason: &'static str,
    },
    /// Other machines can reach the endpoint, nothing there would be encrypted, and the server is to
    /// [refuse that](crate::ServerBuilder::deny_plaintext).
    Plaintext {
        /// The endpoint.
        endpoint: String,
        /// Its address.
        address: IpAddr,
    },
    /// A [router](crate::ServerBuilder::register) may be on another machine, the connection to it would not be encrypted, and the server is to
    /// [refuse that](crate::ServerBuilder::deny_plaintext).
    PlaintextRouter {
        /// The router's endpoint.
        endpoint: String,
    },
    /// A [task](crate::ServerBuilder::task) has failed that the server can't go on without.
    Task {
        /// The name of the task.
        task: String,
        /// Its error, or that it panicked.
        reason: String,
    },
    /// The server is to be [announced](crate::ServerBuilder::announce), and clients could not connect to what would be listed.
    Announce {
        /// Why, and what to do.
        reason: String,
    },
    /// The socket failed.
    Socket {
        /// What the engine or the system says.
        reason: String,
    },
}

impl fmt::Display for ServeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoEndpoint => f.write_str(
                "the server has no endpoint; call `bind`, for example with `tcp://127.0.0.1:7100`",
            ),
            Self::NoRuntime => f.write_str(
                "a server listens within a tokio runtime, and there is none here; listen in one of its tasks, or after \
                 `Runtime::enter`",
            ),
            Self::Bind { endpoint, reason } => write!(f, "can't bind `{endpoint}`: {reason}"),
            Self::DuplicateMethod { method } => {
                write!(f, "two services of the server have the method `{method}`; add each service once")
            }
            Self::UnknownClients { method } => write!(
                f,
                "`{method}` has roles, and over these endpoints the server can't know who its clients are; call `curve` on the \
                 engine `zmtp`, `tokens`, bind `inproc` there, where the program says so, or call `insecure` to let anybody call"
            ),
            Self::NoClientWithRole { method } => write!(
                f,
                "`{method}` has roles, and no client that this server lets in has one: `allow` and `any_client` give none; say who has by \
                 `allow_as`, `access`, `authenticate` or `tokens`, or call `insecure` to let every client that is let in call"
            ),
            Self::Engine { reason } => f.write_str(reason),
            Self::Curve { reason } => f.write_str(reason),
            Self::Plaintext { endpoint, address } => write!(
                f,
                "can't bind `{endpoint}`: other machines can reach `{address}`, and without keys they could read and change what is sent; \
                 call `curve`, bind a loopback address or `ipc`, or remove `deny_plaintext`"
            ),
            Self::PlaintextRouter { endpoint } => write!(
                f,
                "can't register at `{endpoint}`: it may be on another machine, and without keys others could read and change what is sent, \
                 or stand in the router's place; call `Register::curve`, or remove `deny_plaintext`"
            ),
            Self::Task { task, reason } => write!(f, "the task `{task}` of the server has failed: {reason}"),
            Self::Announce { reason } => write!(f, "can't announce the server: {reason}"),
            Self::Socket { reason } => write!(f, "the server's socket failed: {reason}"),
        }
    }
}

impl std::error::Error for ServeError {}
