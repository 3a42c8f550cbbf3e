//! Calls and services without generated code: for tools that learn of methods when they run, such as the command `zsvc`.
//!
//! Parameters, answers and items are the bytes that are on the wire, as [`RawValue`]. The crate `zsvc-dynamic` makes them of JSON by a
//! schema, and JSON of them. All else is as with generated code: deadlines, credit, retries, middleware and outcomes.

use std::fmt;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use futures_core::Stream;

use crate::call::{BidirectionalCall, ClientStreamCall, OneWayCall, ServerStreamCall, UnaryCall};
use crate::channel::Channel;
use crate::codec::dynamic::Raw;
use crate::context::Context;
use crate::declaration::{
    BidirectionalMethod, ClientStreamMethod, OneWayMethod, ServerStreamMethod, UnaryMethod,
};
use crate::dispatch::{Handling, Incoming, Service};
use crate::method::{Method, MethodKind};
use crate::schema::ServiceSchema;
use crate::status::{CallError, Failure, Status};
use crate::stream::{Sink, Streaming};

pub use crate::codec::dynamic::RawValue;
pub use crate::interned::method;

/// How a call without generated code failed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RawError {
    /// An error that the method declares.
    Declared {
        /// The error, as it is on the wire.
        body: Bytes,
        /// Its text, for callers that can't read it.
        message: String,
    },
    /// Any other failure.
    Status(Status),
}

impl From<Status> for RawError {
    fn from(status: Status) -> Self {
        Self::Status(status)
    }
}

impl fmt::Display for RawError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Declared { message, .. } => f.write_str(message),
            Self::Status(status) => status.fmt(f),
        }
    }
}

impl std::error::Error for RawError {}

impl CallError for RawError {
    fn into_failure(self) -> Failure {
        match self {
            Self::Declared { body, message } => Failure::Declared { body, message },
            Self::Status(status) => Failure::Status(status),
        }
    }

    fn from_failure(failure: Failure, _max_body: usize) -> Self {
        match failure {
            Failure::Declared { body, message } => Self::Declared { body, message },
            Failure::Status(status) => Self::Status(status),
        }
    }
}

/// Returns a call that is answered once. An answer of nothing is nil.
pub fn unary(channel: &Channel, method: &'static Method, params: &RawValue) -> UnaryCall<RawValue, RawError> {
    channel.unary::<Raw, _, _>(method, params)
}

/// Returns a call that is answered with a stream.
pub fn server_stream(
    channel: &Channel,
    method: &'static Method,
    params: &RawValue,
) -> ServerStreamCall<RawValue, RawError> {
    channel.server_stream::<Raw, _, _>(method, params)
}

/// Returns a call that sends a stream and is answered once.
pub fn client_stream<S: Stream<Item = RawValue>>(
    channel: &Channel,
    method: &'static Method,
    params: &RawValue,
    items: S,
) -> ClientStreamCall<S, RawValue, RawValue, RawError> {
    channel.client_stream::<Raw, _, _, Raw, _, _>(method, params, items)
}

/// Returns a call that sends a stream and is answered with one.
pub fn bidirectional(
    channel: &Channel,
    method: &'static Method,
    params: &RawValue,
) -> BidirectionalCall<RawValue, RawValue, RawError> {
    channel.bidirectional::<Raw, _, Raw, _, _>(method, params)
}

/// Returns a one-way call.
pub fn one_way(channel: &Channel, method: &'static Method, params: &RawValue) -> OneWayCall {
    channel.one_way(method, params)
}

/// Asks the servers of a channel for a sign of life, and waits until one has answered. No handler sees it.
///
/// # Errors
/// None has answered within this time, or none can be reached.
pub async fn ping(channel: &Channel, within: Duration) -> Result<(), Status> {
    channel.first_answer(within).await
}

/// A call on its way to a handler without generated code.
pub struct RawCall {
    /// Context of the call, which names its method.
    pub context: Context,
    /// The plain parameters.
    pub params: RawValue,
    /// The client's stream, of a method that takes one.
    pub items: Option<Streaming<RawValue>>,
    /// The handler's stream, of a method that answers with one. It ends when the handler returns.
    pub answers: Option<Sink<RawValue>>,
}

/// The future of a handler. Its output is the answer, of a method that is answered once; it is not looked at of any other.
pub type RawHandling = Pin<Box<dyn Future<Output = Result<Option<RawValue>, RawError>> + Send>>;

type RawHandler = Arc<dyn Fn(RawCall) -> RawHandling + Send + Sync>;

/// A service without generated code: methods, and one handler for all of them.
pub struct RawService {
    methods: &'static [Method],
    schema: Option<&'static ServiceSchema>,
    handler: RawHandler,
}

impl RawService {
    /// Creates a service. The table of its methods lives as long as the process.
    #[must_use]
    pub fn new(
        methods: Vec<&'static Method>,
        handler: impl Fn(RawCall) -> RawHandling + Send + Sync + 'static,
    ) -> Self {
        let methods: Vec<Method> = methods.into_iter().copied().collect();
        Self { methods: Vec::leak(methods), schema: None, handler: Arc::new(handler) }
    }

    /// Adds the schema of the service, which the server tells by [`crate::reflection`]. Without it, a server tells the names of the
    /// methods alone.
    #[must_use]
    pub fn schema(self, schema: &'static ServiceSchema) -> Self {
        Self { schema: Some(schema), ..self }
    }
}

impl Service for RawService {
    fn methods(&self) -> &'static [Method] {
        self.methods
    }

    fn schema(&self) -> Option<&'static ServiceSchema> {
        self.schema
    }

    fn dispatch(&self, method: usize, call: Incoming) -> Result<Handling, Status> {
        let Some(method) = self.methods.get(method) else { return call.unimplemented() };
        match method.kind() {
            MethodKind::Unary => {
                let (context, params, accepted) = call.unary::<RawMethod>()?;
                accepted.handle(self.answer(RawCall { context, params, items: None, answers: None }))
            }
            MethodKind::ClientStream => {
                let (context, params, items, accepted) = call.client_stream::<RawMethod>()?;
                accepted.handle(self.answer(RawCall { context, params, items: Some(items), answers: None }))
            }
            MethodKind::ServerStream => {
                let (context, params, sink, accepted) = call.server_stream::<RawMethod>()?;
                accepted.handle(self.stream(RawCall { context, params, items: None, answers: Some(sink) }))
            }
            MethodKind::Bidirectional => {
                let (context, params, items, sink, accepted) = call.bidirectional::<RawMethod>()?;
                let call = RawCall { context, params, items: Some(items), answers: Some(sink) };
                accepted.handle(self.stream(call))
            }
            MethodKind::OneWay => {
                let (context, params, accepted) = call.one_way::<RawMethod>()?;
                let handling = (self.handler)(RawCall { context, params, items: None, answers: None });
                accepted.handle(async move { drop(handling.await) })
            }
        }
    }
}

impl RawService {
    /// Handles a call that is answered once. An answer of nothing is nil.
    fn answer(&self, call: RawCall) -> impl Future<Output = Result<RawValue, RawError>> + Send + 'static {
        let handling = (self.handler)(call);
        async move { Ok(handling.await?.unwrap_or_else(|| RawValue::new(Bytes::from_static(&[0xc0])))) }
    }

    fn stream(&self, call: RawCall) -> impl Future<Output = Result<(), RawError>> + Send + 'static {
        let handling = (self.handler)(call);
        async move { handling.await.map(drop) }
    }
}

impl fmt::Debug for RawService {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RawService").field("methods", &self.methods).finish_non_exhaustive()
    }
}

impl fmt::Debug for RawCall {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RawCall").field("context", &self.context).finish_non_exhaustive()
    }
}

/// The declaration of every method of a [`RawService`], as generated code has one for each. Its name is looked at by clients alone, which
/// do not use it.
enum RawMethod {}

const UNNAMED: &Method = &Method::new("", MethodKind::Unary);

impl UnaryMethod for RawMethod {
    const METHOD: &'static Method = UNNAMED;
    type Params = RawValue;
    type Answer = RawValue;
    type AnswerForm = Raw;
    type Error = RawError;
}

impl ServerStreamMethod for RawMethod {
    const METHOD: &'static Method = UNNAMED;
    type Params = RawValue;
    type Answer = RawValue;
    type AnswerForm = Raw;
    type Error = RawError;
}

impl ClientStreamMethod for RawMethod {
    const METHOD: &'static Method = UNNAMED;
    type Params = RawValue;
    type Item = RawValue;
    type ItemForm = Raw;
    type Answer = RawValue;
    type AnswerForm = Raw;
    type Error = RawError;
}

impl BidirectionalMethod for RawMethod {
    const METHOD: &'static Method = UNNAMED;
    type Params = RawValue;
    type Item = RawValue;
    type ItemForm = Raw;
    type Answer = RawValue;
    type AnswerForm = Raw;
    type Error = RawError;
}

impl OneWayMethod for RawMethod {
    const METHOD: &'static Method = UNNAMED;
    type Params = RawValue;
}
