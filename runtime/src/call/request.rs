//! [`Request`]: what a caller has asked for.

use std::fmt;
use std::time::{Duration, Instant};

use crate::connection::Config;
use crate::context::inherited_deadline;
use crate::metadata::{Metadata, MetadataValue, ResponseMetadata};
use crate::method::{Method, MethodKind};
use crate::session::Deadline;
use crate::status::{Cause, Status};

/// What a caller has asked for beside the parameters. Once the call is polled, only the metadata changes, and only if
/// the channel has middleware: it takes the metadata out, and each attempt is given what the middleware has made of it.
pub(super) struct Request {
    method: &'static Method,
    time: TimeLimit,
    /// Whether to wait while no server is connected; the channel's setting if the caller has not said.
    wait_for_ready: Option<bool>,
    metadata: Metadata,
    /// Where what the server sends beside its answer is kept, if the caller or a middleware has asked for it.
    response: Option<ResponseMetadata>,
    /// The deadline of the handler that made the call, which holds wherever the call is awaited.
    inherited: Option<Instant>,
}

/// The deadline that the caller has set.
#[derive(Debug, Clone, Copy)]
pub(super) enum TimeLimit {
    /// No deadline was set: the method's applies, or else the channel's.
    Default,
    /// The call may take this long.
    Within(Duration),
    /// Without limit.
    None,
}

impl Request {
    pub(super) fn new(method: &'static Method) -> Self {
        Self {
            method,
            time: TimeLimit::Default,
            wait_for_ready: None,
            metadata: Metadata::default(),
            response: None,
            inherited: inherited(),
        }
    }

    pub(super) fn method(&self) -> &'static Method {
        self.method
    }

    pub(super) fn metadata(&self) -> &Metadata {
        &self.metadata
    }

    pub(super) fn response(&self) -> Option<&ResponseMetadata> {
        self.response.as_ref()
    }

    /// The same, for an attempt that begins, which has none of the one before.
    pub(super) fn begin_response(&self) -> Option<&ResponseMetadata> {
        self.response.as_ref().inspect(|response| response.clear())
    }

    /// Returns whether to wait while no server is connected.
    pub(super) fn waits_for_ready(&self, config: &Config) -> bool {
        self.wait_for_ready.unwrap_or(config.wait_for_ready)
    }

    /// Returns when the call's time is up, if it begins now.
    #[inline]
    pub(super) fn deadline_from(&self, now: Instant, config: &Config) -> Option<Deadline> {
        let within = match self.time {
            TimeLimit::Within(within) => Some(within),
            TimeLimit::None => None,
            TimeLimit::Default => {
                self.method.default_deadline().or_else(|| channel_default(self.method, config))
            }
        };
        let own = within.and_then(|within| Deadline::within(now, within));
        let inherited = match (self.inherited, inherited()) {
            (None, None) => return own,
            _ if matches!(self.time, TimeLimit::None) => return own,
            (Some(made), Some(awaited)) => made.min(awaited),
            (Some(only), None) | (None, Some(only)) => only,
        };
        Deadline::sooner(own, Some(Deadline::at(now, inherited)))
    }

    /// Checks what can be checked before the call waits for anything.
    ///
    /// # Errors
    /// The parameters, of `parameter_bytes` bytes, or the metadata are past their bounds.
    #[inline]
    pub(super) fn check(&self, parameter_bytes: usize, config: &Config) -> Result<(), Status> {
        let max = config.message_size;
        if parameter_bytes > max {
            let what =
                format!("the parameters have {parameter_bytes} bytes, and this client sends up to {max}");
            return Err(too_large(what));
        }
        self.metadata.excess("the call").map_or(Ok(()), |what| Err(too_large(what)))
    }
}

#[cold]
fn too_large(what: String) -> Status {
    Status::resource_exhausted(what).caused_by(Cause::TooLarge).not_sent()
}

/// What a caller sets before the call is polled.
impl Request {
    pub(super) fn set_time(&mut self, time: TimeLimit) {
        self.time = time;
    }

    pub(super) fn set_wait_for_ready(&mut self, wait: bool) {
        self.wait_for_ready = Some(wait);
    }

    pub(super) fn insert_metadata(&mut self, name: impl Into<String>, value: impl Into<MetadataValue>) {
        self.metadata.insert(name, value);
    }

    /// Sets where what the server sends beside its answer is kept.
    pub(super) fn set_response(&mut self, response: Option<ResponseMetadata>) {
        self.response = response;
    }
}

/// What middleware does.
impl Request {
    /// Takes the metadata out, for the middleware to change.
    pub(super) fn take_metadata(&mut self) -> Metadata {
        std::mem::take(&mut self.metadata)
    }

    /// Sets the metadata of the next attempt.
    pub(super) fn set_metadata(&mut self, metadata: Metadata) {
        self.metadata = metadata;
    }
}

/// Returns the deadline of the handler that runs on this thread.
#[inline]
fn inherited() -> Option<Instant> {
    inherited_deadline().map(tokio::time::Instant::into_std)
}

/// Returns the channel's deadline for calls without streams: a stream may go on for as long as both sides like.
fn channel_default(method: &Method, config: &Config) -> Option<Duration> {
    match method.kind() {
        MethodKind::Unary | MethodKind::OneWay => config.deadline,
        MethodKind::ClientStream | MethodKind::ServerStream | MethodKind::Bidirectional => None,
    }
}

impl fmt::Debug for Request {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ", self.method.name())?;
        f.debug_struct("call")
            .field("time", &self.time)
            .field("metadata", &self.metadata)
            .finish_non_exhaustive()
    }
}
