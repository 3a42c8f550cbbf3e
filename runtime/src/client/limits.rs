//! What a channel's builder may set, as its connections and calls see it.

use std::sync::Arc;
use std::time::Duration;

use super::retry::Retry;
use crate::middleware::ClientStack;

/// The settings of a channel.
#[derive(Debug, Clone)]
pub(crate) struct Limits {
    /// The largest body of a call, a reply or an item, in bytes.
    pub(crate) message_size: usize,
    /// Calls in flight over one connection. Past it, calls wait.
    pub(crate) calls: usize,
    /// Credit of a server's stream, in bytes.
    pub(crate) stream_window: u64,
    /// How often a silent server is asked for a sign of life.
    pub(crate) heartbeat: Duration,
    /// The deadline of a call that answers once and sets none.
    pub(crate) deadline: Option<Duration>,
    /// How long connecting may take.
    pub(crate) connect_timeout: Duration,
    /// How often names are looked up again.
    pub(crate) lookup_interval: Duration,
    /// What a call does where nothing is connected.
    pub(crate) patience: Patience,
    /// When failed calls are made again.
    pub(crate) retry: Retry,
    /// What stands around every call, if anything does.
    pub(crate) middleware: Option<Arc<ClientStack>>,
    /// How long a server may say nothing while calls are in flight; `None` for as long as it likes.
    pub(crate) server_timeout: Option<Duration>,
}

/// What a call does where nothing is connected.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Patience {
    /// It waits, within its deadline.
    Wait,
    /// It fails at once.
    FailFast,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            message_size: crate::DEFAULT_MESSAGE_SIZE,
            calls: 16_384,
            stream_window: 1024 * 1024,
            heartbeat: Duration::from_secs(3),
            deadline: Some(Duration::from_secs(30)),
            connect_timeout: Duration::from_secs(5),
            lookup_interval: Duration::from_secs(30),
            patience: Patience::Wait,
            retry: Retry::default(),
            middleware: None,
            server_timeout: Some(Duration::from_mins(1)),
        }
    }
}
