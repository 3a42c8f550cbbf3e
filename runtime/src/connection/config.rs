//! [`Config`]: what a channel's builder may set, as its connections and calls see it.

use std::sync::Arc;
use std::time::Duration;

use tokio::runtime::Handle;

use super::retry::Retry;
use crate::curve::CurveClient;
use crate::engine::Engine;
use crate::identity::Identity;
use crate::middleware::ClientStack;

/// The settings of a channel.
#[derive(Debug, Clone)]
pub(crate) struct Config {
    /// What carries messages, if it was chosen.
    pub(crate) engine: Option<Engine>,
    /// The keys by which connections are encrypted, if they are.
    pub(crate) curve: Option<CurveClient>,
    /// Who the channel's servers in this process are told that it is.
    pub(crate) identity: Option<Identity>,
    /// The runtime in which the channel was connected; `None` for channels of tests, whose calls are awaited in theirs.
    pub(crate) runtime: Option<Handle>,
    /// The largest body of a call, a reply or an item, in bytes.
    pub(crate) message_size: usize,
    /// Maximum number of calls in flight over one connection. Past it, calls wait.
    pub(crate) calls: usize,
    /// Credit of a server's stream in bytes.
    pub(crate) stream_window: u64,
    /// How often a silent server is asked for a sign of life.
    pub(crate) heartbeat: Duration,
    /// The deadline of a call without streams that sets none.
    pub(crate) deadline: Option<Duration>,
    /// How long connecting may take.
    pub(crate) connect_timeout: Duration,
    /// How often names are looked up again.
    pub(crate) lookup_interval: Duration,
    /// Whether a call waits, within its deadline, while no server is connected. Otherwise it fails at once.
    pub(crate) wait_for_ready: bool,
    /// When failed calls are made again.
    pub(crate) retry: Retry,
    /// The middleware around every call, if there is any.
    pub(crate) middleware: Option<Arc<ClientStack>>,
    /// How long a server may say nothing while calls are in flight; `None` for any time.
    pub(crate) server_timeout: Option<Duration>,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            engine: None,
            curve: None,
            identity: None,
            runtime: None,
            message_size: crate::DEFAULT_MESSAGE_SIZE,
            calls: 16_384,
            stream_window: 1024 * 1024,
            heartbeat: Duration::from_secs(3),
            deadline: Some(Duration::from_secs(30)),
            connect_timeout: Duration::from_secs(5),
            lookup_interval: Duration::from_secs(30),
            wait_for_ready: true,
            retry: Retry::default(),
            middleware: None,
            server_timeout: Some(Duration::from_secs(60)),
        }
    }
}
